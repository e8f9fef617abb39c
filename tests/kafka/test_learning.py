"""Does a learner that is killed, on Kafka, learn what one that lives does, and say it once?"""

import asyncio
import random
from pathlib import Path

import pytest

from projections.times import DAY_MS
from schemas.codec import decode, encode
from schemas.events import Event, ModelInForce, ModelPublished, ScoringSet
from streams.learner import CHECKPOINT, Learner
from streams.log import Append, Log
from streams.outputs import output_id
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, EXAMPLES, MODELS, partition_for, topic_specs
from tests.kafka.cluster import SETTLED_S, Cluster
from tests.kafka.workers import Process, worker
from tests.unit.streams.partition import order

PARTITIONS = 4  # as in every other test: a broker remembers for a moment how many a topic had
CUSTOMERS, DAYS, EVERY_DAYS = 40, 90, 10
TARGETS = ("order_7d", "order_30d")
START_MS = 10_000 * DAY_MS
KILLS = 3

pytestmark = pytest.mark.usefixtures("no_process_is_left")


def orders() -> list[Append]:
    """Customers who order every ten days or so, in order of time; half of them stop after 40 days."""
    chance, events = random.Random(7), []
    for n in range(CUSTOMERS):
        day, last = chance.uniform(0, 10), DAYS if n % 2 else 40
        while day < last:
            events.append(order(f"c{n}", START_MS + int(day * DAY_MS)))
            day += chance.uniform(7, 13)
    events.sort(key=lambda event: event.occurred_at)
    keys = [event.customer_id.encode() for event in events]
    return [
        Append(EVENTS, partition_for(key, PARTITIONS), key, encode(event))
        for key, event in zip(keys, events, strict=True)
    ]


def scoring() -> list[Append]:
    return [Append(EVENTS, partition, None, encode(_scoring(partition))) for partition in range(PARTITIONS)]


def _scoring(partition: int) -> ScoringSet:
    return ScoringSet(
        event_id=output_id("scoring", partition),
        occurred_at=START_MS,
        received_at=START_MS,
        targets=TARGETS,
        every_days=EVERY_DAYS,
    )


def learner(path: Path, url: str) -> Process:
    environment = {"HEADWATER_LOG_URL": url, "HEADWATER_SESSION_SECONDS": "2"}
    return Process("learner", path, ["learn"], environment)


async def published(log: Log) -> list[Event]:
    records = (await log.read(MODELS, 0, 0, 100_000)).records
    return [e for r in records if isinstance(e := decode(r.value or b""), ModelPublished)]


async def in_force(log: Log) -> set[tuple[int, str, int]]:
    """(partition, target, offset of its newest snapshot) that was told."""
    told: dict[tuple[int, str], int] = {}
    for partition in range(PARTITIONS):
        for record in (await log.read(EVENTS, partition, 0, 100_000)).records:
            if isinstance(event := decode(record.value or b""), ModelInForce):
                told[partition, event.target] = event.model_offset
    return {(*where, offset) for where, offset in told.items()}


async def everything_is_in_force(cluster: Cluster, snapshots: int) -> None:
    """Return once so many are published, and every partition was told of the newest of both targets."""
    async with asyncio.timeout(SETTLED_S):
        while True:
            newest: dict[str, int] = {}
            seen = 0
            for record in (await cluster.log.read(MODELS, 0, 0, 100_000)).records:
                if isinstance(event := decode(record.value or b""), ModelPublished):
                    newest[event.target] = record.offset
                    seen += 1
            wanted = {(p, target, offset) for target, offset in newest.items() for p in range(PARTITIONS)}
            if seen >= snapshots and await in_force(cluster.log) == wanted:
                break
            await asyncio.sleep(0.2)
    await cluster.settled()


async def replayed(log: Log, path: Path) -> list[Event]:
    """The snapshots that one learner publishes which is never killed."""
    examples = (await log.read(EXAMPLES, 0, 0, 100_000)).records
    plain = await SqliteLog.open(path / "plain.db", topic_specs(PARTITIONS))
    try:
        await plain.append([Append(EXAMPLES, 0, record.key, record.value) for record in examples])
        learning = Learner(plain, plain.append, path / CHECKPOINT)
        task = asyncio.create_task(learning.run())
        async with asyncio.timeout(SETTLED_S):
            while await learning.lag():
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await published(plain)
    finally:
        await plain.close()


async def test_a_learner_that_is_killed_publishes_what_one_that_lives_does(
    kafka_url: str, tmp_path: Path
) -> None:
    """Killed with and without its checkpoint; rows, examples and snapshots are those of plain folds."""
    async with Cluster.empty(kafka_url, events=1, partitions=PARTITIONS) as cluster:
        working, learning = worker("a", tmp_path, kafka_url), learner(tmp_path, kafka_url)
        batch = [*scoring(), *orders()]
        part = len(batch) // (KILLS + 1)
        for n in range(KILLS + 1):
            await cluster.log.append(batch[n * part : None if n == KILLS else (n + 1) * part])
            await cluster.settled()
            if n < KILLS:
                await asyncio.sleep(1)  # somewhere in its work
                learning.kill()
                (learning.data_dir / CHECKPOINT).unlink(missing_ok=True)
                learning = learner(tmp_path, kafka_url)
        expected = await replayed(cluster.log, tmp_path)
        assert {event.target for event in expected if isinstance(event, ModelPublished)} == set(TARGETS)
        await everything_is_in_force(cluster, len(expected))
        assert await published(cluster.log) == expected
        assert await cluster.differences() == []
        assert learning.terminate() == 0
        assert working.terminate() == 0
