"""How do tests get a ClickHouse server? As a process that answers as one does: tests/clickhouse_front.py."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from tests.clickhouse_front import READER, WRITER
from tests.headwater import ROOT, environment


class ClickHouse:
    """A server over a directory, which can be killed and started again on the same port."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = 0
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.clickhouse_front", str(self._directory), str(self.port)],
            cwd=ROOT,
            env=environment(PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def url(self, database: str = "", user: tuple[str, str] = WRITER) -> str:
        name, password = (quote(part, safe="") for part in user)
        return f"clickhouse://{name}:{password}@127.0.0.1:{self.port}/{database}"


__all__ = ["READER", "WRITER", "ClickHouse"]
