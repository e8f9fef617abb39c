"""What does `make up` do before Docker does the rest? On a double of `docker` that notes what it is told."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deployment import GIVEN, ROOT


class Machine:
    """A directory with a Makefile's `.env`, and a PATH with or without a `docker`."""

    def __init__(self, path: Path) -> None:
        self.env = path / ".env"
        self.path = path
        self.bin = path / "bin"
        self.bin.mkdir()

    def install_docker(self, exit_code: int = 0) -> None:
        docker = self.bin / "docker"
        docker.write_text(
            f'#!/bin/sh\necho "$*" >> {self.path}/told\n[ "$2" = version ] || exit {exit_code}\n'
        )
        docker.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-f", ROOT / "Makefile", *arguments],
            cwd=self.path,
            env=os.environ | {"PATH": f"{self.bin}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def told(self) -> list[str]:
        """What docker was told, but for the question whether it is there."""
        lines = (self.path / "told").read_text().splitlines()
        return [line for line in lines if line != "compose version"]

    def secrets(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.env.read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_up_makes_secrets_for_their_owner_and_waits_until_all_is_ready(machine: Machine) -> None:
    """A key and a password that nobody could guess, and then it says where to go."""
    machine.install_docker()
    done = machine.make("up")
    assert done.returncode == 0, done.stderr
    secrets = machine.secrets()
    assert set(secrets) == set(GIVEN)
    assert len({bytes.fromhex(secret) for secret in secrets.values()}) == 2
    assert all(len(secret) == 64 for secret in secrets.values())
    assert stat.S_IMODE(machine.env.stat().st_mode) == 0o600
    assert machine.told() == ["compose up --build -d --wait --wait-timeout 900"]
    assert "http://127.0.0.1:8000" in done.stdout
    assert secrets["HEADWATER_API_KEY"] not in done.stdout


def test_up_replaces_nothing(machine: Machine) -> None:
    """What .env has stays, also a last line without an end; what is missing is added."""
    machine.install_docker()
    machine.env.write_text("HEADWATER_PARTITIONS=8\nHEADWATER_API_KEY=mine")
    machine.make("up")
    first = machine.secrets()
    assert (first["HEADWATER_PARTITIONS"], first["HEADWATER_API_KEY"]) == ("8", "mine")
    assert set(first) == {"HEADWATER_PARTITIONS", *GIVEN}
    machine.make("up")
    assert machine.secrets() == first


def test_the_ui_is_started_on_demand_and_stopped_with_the_rest(machine: Machine) -> None:
    """And no volume is deleted."""
    machine.install_docker()
    assert "http://127.0.0.1:8080" in machine.make("up", "UI=1").stdout
    machine.make("down")
    assert machine.told() == [
        "compose --profile ui up --build -d --wait --wait-timeout 900",
        "compose --profile ui down",
    ]


def test_up_says_where_to_look_when_not_all_becomes_ready(machine: Machine) -> None:
    """It fails, and gives no address."""
    machine.install_docker(exit_code=1)
    done = machine.make("up")
    assert done.returncode != 0
    assert "docker compose logs" in done.stderr
    assert "127.0.0.1" not in done.stdout


def test_without_docker_up_says_so(tmp_path: Path) -> None:
    """In one sentence, and leaves no secrets behind."""
    machine = Machine(tmp_path)
    machine.install_docker()
    (machine.bin / "docker").write_text("#!/bin/sh\nexit 1\n")
    done = machine.make("up")
    assert done.returncode == 2
    assert "needs Docker with Compose" in done.stderr
    assert not machine.env.exists()
