"""How does a test run many workers, and kill them? Forked from a process that has imported everything."""

import asyncio
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.kafka.boundaries import Stop, stop_at

SESSION_S = 6
EXIT_S = 10
STOPPED_S = SAID_S = 60

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["cli.main", "cli.compose", "streams.worker", "uvicorn", "aiokafka", "rocksdict", "tests.kafka.workers"]
)


def _command(arguments: list[str], environment: dict[str, str], output: str, stop: Stop | None) -> None:
    """`headwater ARGUMENTS…` as a process of its own would run it, but for where it is to `stop`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("HEADWATER_")]:
        del os.environ[name]
    os.environ.update(environment)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(written, 1)
    os.dup2(written, 2)
    from cli.main import app

    if stop is not None:
        stop_at(stop)
    sys.argv = ["headwater", *arguments]
    app()


_started: list["Process"] = []


class Process:
    """A command of ours, with its own data directory and output file."""

    def __init__(
        self,
        name: str,
        path: Path,
        command: list[str],
        environment: dict[str, str],
        stop: Stop | None = None,
    ) -> None:
        self.data_dir = path / name
        self.output = path / f"{name}.out"
        self.output.touch()
        self._from = self.output.stat().st_size  # of earlier processes of that name
        arguments = [*command, "--data-dir", str(self.data_dir), "--port", "0"]
        self._process: ForkServerProcess = _context.Process(
            target=_command, args=(arguments, environment, str(self.output), stop), daemon=True
        )
        self._process.start()
        _started.append(self)

    def join(self, timeout_s: float) -> None:
        self._process.join(timeout_s)

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    async def says(self, what: str) -> None:
        """Return once it has said so."""
        async with asyncio.timeout(SAID_S):
            while what.encode() not in self.output.read_bytes()[self._from :]:
                assert self.exit_code is None, self.tail()
                await asyncio.sleep(0.02)

    async def stopped(self) -> None:
        """Return once it has stopped itself by SIGSTOP."""
        async with asyncio.timeout(STOPPED_S):
            while not self._is_stopped():
                assert self.exit_code is None, self.tail()
                await asyncio.sleep(0.05)

    def _is_stopped(self) -> bool:
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def send(self, number: signal.Signals) -> None:
        if self._process.is_alive():
            os.kill(self._process.pid or 0, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def terminate(self) -> int:
        """Stop it in order; its exit code. Raises AssertionError if it takes longer than it may."""
        self.send(signal.SIGTERM)
        self._process.join(EXIT_S)
        assert self.exit_code is not None, f"still running after {EXIT_S} s:\n{self.tail()}"
        return self.exit_code

    def tail(self) -> str:
        return self.output.read_text()[-4_000:]


def kill_all() -> None:
    """End what a test left running: a stopped process would be waited for for ever."""
    while _started:
        _started.pop().kill()


def worker(name: str, path: Path, url: str, stop: Stop | None = None) -> Process:
    """A worker with static membership: `name` is its id."""
    environment = {
        "HEADWATER_LOG_URL": url,
        "HEADWATER_WORKER_ID": name,
        "HEADWATER_SESSION_SECONDS": str(SESSION_S),
    }
    return Process(name, path, ["worker"], environment, stop)
