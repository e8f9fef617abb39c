"""How does a test run all of Headwater on Kafka? Each process as its command runs it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx2

from cli import directory
from tests.clickhouse import ClickHouse
from tests.kafka.workers import Process

T = TypeVar("T")
KEY = "a key of the tests, not a real one".replace(" ", "-")
WITHIN_S = 60


class Deployment:
    """All processes on one Kafka and one ClickHouse."""

    def __init__(self, path: Path, kafka_url: str, clickhouse: ClickHouse) -> None:
        self.environment = {
            "HEADWATER_LOG_URL": kafka_url,
            "HEADWATER_HISTORY_URL": clickhouse.url(),
            "HEADWATER_API_KEY": KEY,
            "HEADWATER_SESSION_SECONDS": "6",
            "HEADWATER_CURRENCY": "EUR",
        }
        self._path = path
        self.processes: dict[str, Process] = {}
        for name in ("worker", "archive", "tick"):
            self.start(name)
            self.address(name)
        self.start("api")  # which reads what the archive has made
        self.client = httpx2.Client(
            base_url=self.address("api"), headers={"authorization": f"Bearer {KEY}"}, timeout=60
        )

    def start(self, name: str, command: str | None = None) -> Process:
        self.processes[name] = Process(name, self._path, [command or name], self.environment)
        return self.processes[name]

    def address(self, name: str) -> str:
        """Where a process is asked, once it can be."""
        process = self.processes[name]

        def served() -> str | None:
            assert process.exit_code is None, process.tail()
            server = directory.server(process.data_dir) if process.data_dir.exists() else None
            return None if server is None else server.address

        return eventually(served)

    def ready(self, name: str) -> bool:
        return httpx2.get(f"{self.address(name)}/readyz", timeout=60).status_code == 200

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()


def eventually(what: Callable[[], T]) -> T:
    """The first answer that is true."""
    deadline = time.monotonic() + WITHIN_S
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.1)
    return answer


def order(customer: str, amount: str, at: str = "2026-03-01T00:00:00Z") -> dict[str, object]:
    return {
        "type": "OrderPlaced",
        "customer_id": customer,
        "order_id": f"{customer}/{amount}",
        "amount": amount,
        "currency": "EUR",
        "occurred_at": at,
        "source": "test",
    }
