"""Do processes that share the deliveries on Kafka, and are killed, record each once, and forget none?"""

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from schemas.codec import encode
from schemas.events import DeliveryAttempted, DeliverySucceeded, TriggerDecided
from streams.log import Append
from streams.topics import DECISIONS, EVENTS, MESSAGES, partition_for
from tests.integration.delivering import tell_rules, trigger
from tests.integration.engines import events, records
from tests.kafka.cluster import SETTLED_S, Cluster
from tests.kafka.workers import Process, worker
from tests.unit.streams.partition import order

PARTITIONS = 4
CUSTOMERS = 4_000
KILLS = 4

pytestmark = pytest.mark.usefixtures("no_process_is_left")


def deliverer(name: str, path: Path, url: str) -> Process:
    return Process(name, path, ["deliver"], {"HEADWATER_LOG_URL": url, "HEADWATER_SESSION_SECONDS": "2"})


def orders(first: int, last: int) -> list[Append]:
    """The first orders of so many customers."""
    placed = [order(f"c{n}", 5 + n) for n in range(first, last)]
    keyed = [(event.customer_id.encode(), event) for event in placed]
    return [Append(EVENTS, partition_for(key, PARTITIONS), key, encode(event)) for key, event in keyed]


async def test_deliveries_survive_who_makes_them(kafka_url: str, tmp_path: Path) -> None:
    """Two share the partitions; one after the other is killed, the second time with all that it had.

    A message to the topic is in the transaction of its receipt: there is exactly one of each.
    """
    async with Cluster.empty(kafka_url, events=1, partitions=PARTITIONS) as cluster:
        await tell_rules(cluster.log, trigger(f'topic = "{MESSAGES}"'))
        worker("a", tmp_path, kafka_url)
        delivering = {name: deliverer(name, tmp_path, kafka_url) for name in ("one", "two")}
        for process in delivering.values():
            await process.says("serving")
        part = CUSTOMERS // (KILLS + 1)
        for n in range(KILLS + 1):
            await cluster.log.append(orders(n * part, (n + 1) * part))
            if n < KILLS:
                await asyncio.sleep(1)  # somewhere in its work
                name = ("one", "two")[n % 2]
                delivering[name].kill()
                if n >= KILLS // 2:
                    shutil.rmtree(delivering[name].data_dir)
                delivering[name] = deliverer(name, tmp_path, kafka_url)
        async with asyncio.timeout(SETTLED_S):
            while len(found := await records(cluster.log, MESSAGES)) < CUSTOMERS:
                await asyncio.sleep(0.5)
        told = await events(cluster.log, DECISIONS)
        decided = Counter(each.decision_id for each in told if isinstance(each, TriggerDecided))
        assert len(decided) == CUSTOMERS
        assert Counter(json.loads(each.value or b"")["data"]["decision_id"] for each in found) == decided
        assert Counter(each.decision_id for each in told if isinstance(each, DeliveryAttempted)) == decided
        assert Counter(each.decision_id for each in told if isinstance(each, DeliverySucceeded)) == decided
        for process in delivering.values():
            assert process.terminate() == 0
