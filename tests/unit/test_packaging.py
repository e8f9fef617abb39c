"""Do the files that set up a machine agree with each other?"""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUN = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
EXTRA = PROJECT["project"]["optional-dependencies"]["complete-journey"]
DEV = [*RUN, *EXTRA, *PROJECT["dependency-groups"]["dev"]]
BENCH = [*RUN, *EXTRA, *PROJECT["dependency-groups"]["bench"]]
FILES = {
    "requirements.lock": RUN,
    "requirements-complete-journey.lock": EXTRA,
    "requirements-dev.lock": DEV,
    "requirements-bench.lock": BENCH,
}
LOCKED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)", re.MULTILINE)


def locked(name: str) -> dict[str, set[str]]:
    """Package to the versions that a lock file has for it, a Python each."""
    found: dict[str, set[str]] = {}
    for match in LOCKED.finditer((ROOT / name).read_text("utf-8")):
        found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


@pytest.mark.parametrize(("file", "wanted"), FILES.items())
def test_lock_files_are_in_step_with_pyproject(file: str, wanted: list[str]) -> None:
    """Each dependency is locked, at versions that pyproject.toml allows; else: make lock."""
    versions = locked(file)
    for text in wanted:
        requirement = Requirement(text)
        found = versions.get(canonicalize_name(requirement.name), set())
        assert found, f"{requirement} is not in {file}: run make lock"
        assert all(requirement.specifier.contains(version) for version in found), f"{text}: run make lock"


def test_tests_run_on_what_users_get() -> None:
    """Every version that is locked for running is locked for testing too."""
    run, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run


def test_the_extra_adds_one_package_to_what_users_have() -> None:
    """It is installed alone, so all that it needs is locked for everybody, and the rest stays out."""
    run, extra = locked("requirements.lock"), locked("requirements-complete-journey.lock")
    needed = {
        Requirement(text).name
        for name in extra
        for text in metadata.requires(name) or ()
        if "extra" not in text
    }
    assert needed - {"importlib_resources"} <= run.keys()  # of Pythons before ours
    assert not extra.keys() & run.keys()


@pytest.mark.parametrize("file", FILES)
def test_lock_files_have_hashes_and_no_host(file: str) -> None:
    """What is installed is known by its hash, wherever it comes from."""
    text = (ROOT / file).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_ci_runs_lint_and_the_test_command_of_the_readme() -> None:
    """A green CI means that what the README says works."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "\nmake lint\n" in script
    assert "\nmake test\n" in script
    assert re.search(r"^make test\b", readme, re.MULTILINE)
    assert re.search(r"^make demo\b", readme, re.MULTILINE)


def test_help_lists_every_target_that_is_for_people() -> None:
    """A target with a description is declared phony, and the ones that the README names exist."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert described <= set(phony[1].split())
    assert {"help", "setup", "demo", "test", "lint", "bench", "bench-kafka", "clean-data"} <= described
