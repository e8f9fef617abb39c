"""What do the processes say and do while Kafka is away, and what is lost? Nothing."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.clickhouse import ClickHouse
from tests.kafka.broker import Broker
from tests.kafka.cluster import EVENTS_FED, Cluster, forget_topics, make_topics
from tests.kafka.deployment import Deployment, eventually, order
from tests.kafka.history import History, then_nothing_differs
from tests.kafka.workers import worker

SAID_WITHIN_S = 5
TIMES = 10


@pytest.fixture
def deployment(broker: Broker, tmp_path: Path) -> Iterator[Deployment]:
    asyncio.run(forget_topics(broker.url))
    asyncio.run(make_topics(broker.url, 4))
    clickhouse = ClickHouse(tmp_path / "clickhouse")
    deployment = Deployment(tmp_path, broker.url, clickhouse)
    yield deployment
    broker.send(signal.SIGCONT)
    deployment.stop()
    clickhouse.kill()


def test_nothing_is_acknowledged_that_is_not_durable(deployment: Deployment, broker: Broker) -> None:
    """Not ready and 503 while Kafka is away; the same events afterwards count once; a stop does not wait."""
    eventually(lambda: all(map(deployment.ready, deployment.processes)))
    broker.send(signal.SIGSTOP)
    for name in deployment.processes:
        answer = httpx2.get(f"{deployment.address(name)}/readyz", timeout=SAID_WITHIN_S)
        assert answer.status_code == 503, f"{name}: {answer.text}"
        assert answer.json()["detail"]
        assert httpx2.get(f"{deployment.address(name)}/healthz", timeout=SAID_WITHIN_S).status_code == 200
    event = order("ada", "12.50") | {"event_id": "11111111-1111-4111-8111-111111111111"}
    refused = deployment.client.post("/events", json=event)
    assert refused.status_code == 503
    assert refused.json()["events"] == [{"event_id": event["event_id"], "appended": False}]
    assert deployment.processes.pop("worker").terminate() in (0, 1)
    broker.send(signal.SIGCONT)
    eventually(lambda: deployment.client.post("/events", json=event).status_code == 202)
    deployment.start("worker")
    eventually(lambda: deployment.client.get("/customers/ada").status_code == 200)
    eventually(lambda: all(map(deployment.ready, deployment.processes)))
    assert deployment.client.get("/customers/ada").json()["orders"]["count"] == 1


@pytest.mark.parametrize("how", ["stopped for 20 s", "restarted", "killed"])
@pytest.mark.usefixtures("no_process_is_left")
async def test_the_broker_goes_away_under_load(
    broker: Broker, clickhouse: ClickHouse, tmp_path: Path, how: str
) -> None:
    """Workers wait for it, and nothing that was confirmed is lost."""
    async with Cluster.empty(broker.url, events=EVENTS_FED, seed=len(how)) as cluster:
        history = History(tmp_path, cluster.url, clickhouse)
        working = worker("a", tmp_path, cluster.url)
        for _ in range(TIMES):
            await cluster.feed(EVENTS_FED // TIMES)
            await cluster.folding()
            if how == "stopped for 20 s":
                broker.send(signal.SIGSTOP)
                await asyncio.sleep(20)
                broker.send(signal.SIGCONT)
            else:
                number = signal.SIGTERM if how == "restarted" else signal.SIGKILL
                await asyncio.to_thread(broker.stop, number)
                await asyncio.to_thread(broker.start)
            assert working.exit_code is None, working.tail()
        await then_nothing_differs(cluster, history, working)
