"""Is the image what the code needs, and no more? It cannot be built here, so the Dockerfile is read."""

import re
from fnmatch import fnmatch

import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from api.routes import operations
from streams.settings import Settings
from tests.deployment import DOCKERFILE, EXACT, IMAGE_ENVIRONMENT, LAST_STAGE, ROOT, STAGES, told
from tests.unit.test_layout import MAY_IMPORT
from tests.unit.test_packaging import PROJECT, locked


def test_the_base_image_is_pinned_to_a_python_that_the_code_runs_on() -> None:
    """One base for both stages, of an exact version."""
    bases = [DOCKERFILE[number][1] for number in STAGES]
    base = bases[0].partition(" AS ")[0]
    assert EXACT.fullmatch(base)
    assert base.startswith("python:")
    assert "-slim-" in base
    assert bases[1:] == ["base AS build", "base"]
    version = base.removeprefix("python:").partition("-")[0]
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version)


def test_the_image_runs_as_nobody_special() -> None:
    """As a user by number, whose own the data directory is."""
    (user,) = told("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 0
    (made,) = (rest for rest in told("RUN") if "useradd" in rest)
    assert f"--uid {uid} --gid {gid}" in made
    (data,) = told("VOLUME")
    assert re.search(rf"install -d -o headwater -g headwater -m 700 {data}$", made)
    assert data == IMAGE_ENVIRONMENT["HEADWATER_DATA_DIR"] == told("WORKDIR")[0]
    order = [word for word, _ in LAST_STAGE]
    assert order.index("RUN") < order.index("USER") < order.index("VOLUME")


def test_the_image_starts_our_command_and_asks_whether_it_lives() -> None:
    """The one that pyproject.toml installs, on the port that is the default."""
    (entrypoint,) = told("ENTRYPOINT")
    assert yaml.safe_load(entrypoint) == list(PROJECT["project"]["scripts"])
    (check,) = told("HEALTHCHECK")
    assert f"http://127.0.0.1:{Settings.model_fields['port'].default}/healthz" in check
    assert "/healthz" in {route.path for route in operations.router.routes}  # type: ignore[attr-defined]
    assert told("EXPOSE") == [str(Settings.model_fields["port"].default)]


def copied() -> list[str]:
    """What the build stage takes from the project."""
    return [
        path
        for word, rest in DOCKERFILE
        if word == "COPY" and "--from" not in rest
        for path in rest.split()[:-1]
    ]


def test_the_image_has_all_packages_that_are_installed() -> None:
    """And only things that exist."""
    assert all((ROOT / path).exists() for path in copied())
    included = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert {path for path in copied() if (ROOT / path).is_dir()} == included


def test_the_build_gets_what_is_copied_and_no_secret() -> None:
    """.dockerignore lets in what the Dockerfile copies, and nothing else."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(copied())
    assert not any(fnmatch(".env", rule.removeprefix("!")) for rule in rules if rule.startswith("!"))
    assert ".env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_what_the_image_leaves_out_is_only_the_embedded_engines() -> None:
    """All is installed by hash; what is removed was locked, and no module imports it."""
    (installed,) = (rest for word, rest in DOCKERFILE if word == "RUN" and "requirements.lock" in rest)
    assert "--require-hashes -r requirements.lock" in installed
    removed = set(installed.partition("pip uninstall -y ")[2].split())
    assert removed <= {canonicalize_name(name) for name in locked("requirements.lock")}
    modules = "|".join(sorted({name.replace("-", "_") for name in removed}))
    for package in MAY_IMPORT:
        for module in (ROOT / package).rglob("*.py"):
            text = module.read_text("utf-8")
            assert not re.search(rf"^\s*(?:import|from) (?:{modules})\b", text, re.MULTILINE), module
