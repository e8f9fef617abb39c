"""Do worker, archive, clock and API together do on Kafka what the embedded engine does in one process?"""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx2
import msgspec
import pytest

from cli import directory
from tests.clickhouse import ClickHouse
from tests.headwater import headwater
from tests.kafka.cluster import make_topics
from tests.kafka.conftest import forget_topics
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


@pytest.fixture(scope="module")
def deployment(kafka_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    asyncio.run(forget_topics(kafka_url))
    asyncio.run(make_topics(kafka_url, 4))
    path = tmp_path_factory.mktemp("deployment")
    clickhouse = ClickHouse(path / "clickhouse")
    deployment = None
    try:
        deployment = Deployment(path, kafka_url, clickhouse)
        yield deployment
    finally:
        if deployment is not None:
            deployment.stop()
        clickhouse.kill()


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


def test_an_order_reaches_every_answer(deployment: Deployment) -> None:
    """The row, the summary, the timeline from ClickHouse, and a list."""
    answer = deployment.client.post("/events", json=[order("ada", "12.50"), order("bob", "7.00")])
    assert answer.status_code == 202, answer.text
    eventually(lambda: deployment.client.get("/customers/ada").status_code == 200)
    body = deployment.client.get("/customers/ada").json()
    assert (body["orders"]["net"], body["orders"]["currency"]) == ("12.50", "EUR")
    eventually(lambda: deployment.client.get("/summary").json()["customers"] == 2)
    eventually(lambda: deployment.client.get("/customers/ada/timeline").json()["items"])


def test_every_process_becomes_ready(deployment: Deployment) -> None:
    """Without a key: that is what a supervisor asks."""
    for name in deployment.processes:
        eventually(lambda name=name: deployment.ready(name))


def test_metrics_of_every_process_ask_for_the_key(deployment: Deployment) -> None:
    """Only the health checks do not."""
    for name in deployment.processes:
        address = deployment.address(name)
        assert httpx2.get(f"{address}/metrics").status_code == 401
        metrics = httpx2.get(f"{address}/metrics", headers={"authorization": f"Bearer {KEY}"})
        assert "headwater_ready 1.0" in metrics.text


def test_boundaries_are_computed_by_the_holder_of_the_clock(deployment: Deployment) -> None:
    """The API asks it through Kafka, and has them when it answers."""
    deployment.client.post("/events", json=[order(f"c{n}", f"{n}.00") for n in range(1, 21)])
    answer = deployment.client.post("/rfm/calibrate", json={})
    assert answer.status_code == 200, answer.text
    assert answer.json()["customers"] >= 20
    assert len(deployment.client.get("/rfm").json()["boundaries"]["m"]) == 4


def test_the_commands_ask_the_api(deployment: Deployment, tmp_path: Path) -> None:
    """SQL over ClickHouse, and all parts agree, from a machine that has nothing but the address."""
    asked = {"HEADWATER_API_URL": deployment.address("api"), "HEADWATER_API_KEY": KEY}
    sql = "select sum(amount_minor) as spent from OrderPlaced where customer_id = 'ada'"
    eventually(lambda: deployment.client.post("/sql", json={"query": sql}).json()["rows"] == [[1250]])
    out, _ = headwater("sql", sql, "--format", "csv", "--data-dir", tmp_path, **asked)
    assert out.split() == ["spent", "1250"]
    eventually(lambda: all(c["ok"] for c in deployment.client.get("/doctor").json()["checks"]))
    out, _ = headwater("doctor", "--data-dir", tmp_path, **asked)
    assert "BAD" not in out


def test_a_load_is_calibrated_by_the_holder_of_the_clock(deployment: Deployment, tmp_path: Path) -> None:
    """It hears from Kafka that the load has ended."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join(msgspec.json.encode(order(f"l{n}", f"{n}.00")) for n in range(1, 31)))
    before = deployment.client.get("/rfm").json()
    asked = {"HEADWATER_API_URL": deployment.address("api"), "HEADWATER_API_KEY": KEY}
    headwater("events", "load", events, "--data-dir", tmp_path, **asked)
    eventually(lambda: deployment.client.get("/rfm").json() != before)


def test_another_takes_the_clock_from_a_holder_that_dies(deployment: Deployment) -> None:
    """It stands by in the same group."""
    deployment.start("standby", "tick")
    deployment.address("standby")
    deployment.processes.pop("tick").kill()
    eventually(lambda: "clock_held" in deployment.processes["standby"].tail())
    assert deployment.client.post("/rfm/calibrate", json={}).status_code == 200


def test_every_process_stops_in_order(deployment: Deployment) -> None:
    """SIGTERM, and exit 0 within 10 s."""
    for process in deployment.processes.values():
        assert process.terminate() == 0
