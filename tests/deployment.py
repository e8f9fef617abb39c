"""What do the Dockerfile and docker-compose.yml say? Read as Docker and Compose would read them."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import LONG_RUNNING
from streams.settings import Settings

ROOT = Path(__file__).parents[1]
GIVEN = {"HEADWATER_API_KEY": "0f" * 32, "CLICKHOUSE_PASSWORD": "1e" * 32}  # as make up makes them
VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<kind>[-?])(?P<text>[^}]*)\}")
EXACT = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+(\.\d+)?(-[\w-]+)?(@sha256:[0-9a-f]{64})?")


def filled(match: re.Match[str]) -> str:
    """What Compose puts for a variable, where .env has what `make up` writes into it."""
    if match["kind"] == "?":
        return GIVEN[match["name"]]
    return GIVEN.get(match["name"], match["text"])


COMPOSE = yaml.safe_load(VARIABLE.sub(filled, (ROOT / "docker-compose.yml").read_text("utf-8")))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("headwater:")}
PROCESSES = {name: service for name, service in OURS.items() if service["command"][0] in LONG_RUNNING}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, in order, their lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


DOCKERFILE = instructions()
STAGES = [number for number, (word, _) in enumerate(DOCKERFILE) if word == "FROM"]
LAST_STAGE = DOCKERFILE[STAGES[-1] :]
IMAGE_ENVIRONMENT = dict(
    pair.split("=", 1) for word, rest in LAST_STAGE if word == "ENV" for pair in shlex.split(rest)
)


def told(word: str) -> list[str]:
    """What the last stage says with an instruction."""
    return [rest for each, rest in LAST_STAGE if each == word]


def settings_of(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a process in its container."""
    environment = IMAGE_ENVIRONMENT | OURS[name]["environment"]
    for variable, value in environment.items():
        if variable.startswith("HEADWATER_"):
            monkeypatch.setenv(variable, str(value))
    return Settings()
