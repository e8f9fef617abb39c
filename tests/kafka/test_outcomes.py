"""Do records that cannot be folded, parameters and rebuilds come out on Kafka as they must?"""

import asyncio
import shutil
import signal
import time
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from projections.parameters import Parameters
from schemas.codec import HEADER, decode, encode
from schemas.events import ClockTicked, OrderPlaced, ProcessingFailed
from streams.admission import BYTES_AT_MOST
from streams.holder import Request, ask
from streams.kafka_client import connection
from streams.log import Append
from streams.rows import PARTITION_KEY, decode_partition
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS, FAILED, partition_for
from tests.headwater import headwater
from tests.kafka import oracle
from tests.kafka.boundaries import Stop
from tests.kafka.cluster import EVENTS_FED, SETTLED_S, Cluster
from tests.kafka.workers import Process, worker


async def test_what_cannot_be_folded_fails_once(cluster: Cluster, tmp_path: Path) -> None:
    """Poison, a record over the limit, and an unknown schema id: each told once, and the lag is 0."""
    now = time.time_ns() // 1_000_000
    large = OrderPlaced(
        event_id="00000000-0000-4000-8000-000000000000",
        customer_id="large",
        occurred_at=now,
        received_at=now,
        order_id="o" * (BYTES_AT_MOST + 30_000),
        amount_minor=1,
        currency="USD",
    )
    values = [b"\xff poison", encode(large), HEADER.pack(0, 4_000_000) + b"\x02a"]
    home = partition_for(b"large", cluster.log.partitions(EVENTS))
    working = worker("a", tmp_path, cluster.url)
    for value in values:
        await cluster.log.append([Append(EVENTS, home, b"large", value)])
        await asyncio.sleep(1)  # so that the worker is killed among them
        working.kill()
        working = worker("a", tmp_path, cluster.url)
    await cluster.feed(1_000)
    await cluster.settled()
    found = [decode(r.value or b"") for r in (await oracle.read(cluster.log, FAILED, home))[0]]
    failures = [each for each in found if isinstance(each, ProcessingFailed) and each.value in values]
    assert [failure.value for failure in failures] == values
    assert await cluster.differences() == []


async def test_a_log_folded_again_gives_the_same_rows(cluster: Cluster, tmp_path: Path) -> None:
    """To the byte, with the store and without, and nothing is announced twice."""
    await cluster.feed(EVENTS_FED)
    first = worker("a", tmp_path, cluster.url)
    await cluster.settled()
    partitions = range(cluster.log.partitions(EVENTS))
    once = [await oracle.actual(cluster.log, partition) for partition in partitions]
    headwater("rebuild", "--data-dir", tmp_path / "rebuild", HEADWATER_LOG_URL=cluster.url)
    first.kill()
    for wiped in (False, True):
        if wiped:
            headwater("rebuild", "--data-dir", tmp_path / "rebuild", HEADWATER_LOG_URL=cluster.url)
            shutil.rmtree(tmp_path / "a" / "table")
        again = worker("a", tmp_path, cluster.url)
        await cluster.settled()
        again.kill()
        twice = [await oracle.actual(cluster.log, partition) for partition in partitions]
        assert [each.rows for each in twice] == [each.rows for each in once]
        assert [each.transitions for each in twice] == [each.transitions for each in once]
        assert [each.failed for each in twice] == [each.failed for each in once]


async def test_records_that_vanish_are_not_passed_over(cluster: Cluster, tmp_path: Path) -> None:
    """Deleted while a worker was behind: it ends, and says what can be done."""
    working = worker("a", tmp_path, cluster.url)
    await cluster.feed(1_000)
    await cluster.settled()
    working.send(signal.SIGSTOP)
    await cluster.feed(EVENTS_FED)  # more than a fetch brings that is under way
    admin = AIOKafkaAdminClient(**connection(Settings(log_url=cluster.url)))
    await admin.start()
    ends = enumerate(await cluster.log.end_offsets(EVENTS))
    await admin.delete_records({TopicPartition(EVENTS, p): RecordsToDelete(end) for p, end in ends})
    await admin.close()
    working.send(signal.SIGCONT)
    working.join(60)
    assert working.exit_code == 1, working.tail()
    assert "headwater rebuild" in working.tail().splitlines()[-1]


@pytest.mark.usefixtures("no_process_is_left")
async def test_many_partitions_share_a_worker_and_its_store(kafka_url: str, tmp_path: Path) -> None:
    """Sixty-four, each with a producer of its own, killed once and folded to the end.

    Its name is its own: the group remembers which partitions a name had, and the topic had fewer before.
    """
    async with Cluster.empty(kafka_url, events=20_000, partitions=64) as cluster:
        await cluster.feed(10_000)
        killed = worker("wide", tmp_path, cluster.url)
        await cluster.folding()
        killed.kill()
        worker("wide", tmp_path, cluster.url)
        await cluster.feed(10_000)
        await cluster.settled()
        assert await cluster.differences() == []


def clock(path: Path, url: str, name: str = "clock", stop: Stop | None = None) -> Process:
    environment = {
        "HEADWATER_LOG_URL": url,
        "HEADWATER_WORKER_ID": name,
        "HEADWATER_SESSION_SECONDS": "6",
        "HEADWATER_CURRENCY": "EUR",
        "HEADWATER_TICK_SECONDS": "0.5",
    }
    return Process(name, path, ["tick"], environment, stop)


async def parameters(cluster: Cluster) -> list[Parameters]:
    """What is in force, a partition."""
    found = []
    for partition in range(cluster.log.partitions(EVENTS)):
        changelog, _ = await oracle.read(cluster.log, CUSTOMERS, partition)
        rows = [record.value for record in changelog if record.key == PARTITION_KEY and record.value]
        found.append(decode_partition(rows[-1]).parameters)
    return found


async def test_parameters_reach_every_partition_while_workers_die(cluster: Cluster, tmp_path: Path) -> None:
    """The base currency, rules that change, boundaries and ticks: the same everywhere in the end."""
    working, holding = worker("a", tmp_path, cluster.url), clock(tmp_path, cluster.url)
    asked = 0
    for n in range(10):
        await cluster.feed(EVENTS_FED // 10)
        await asyncio.sleep(cluster.random.uniform(0.3, 1.5))
        working.kill()
        working = worker("a", tmp_path, cluster.url)
        if n % 3 == 1:
            holding.kill()
            (tmp_path / "clock" / "lifecycle.toml").write_text(f"new_days = {30 + n}\n")
            holding = clock(tmp_path, cluster.url)
        if n % 3 == 2 and (await ask(cluster.log, Request(), SETTLED_S)).customers is not None:
            asked += 1
    assert holding.terminate() == 0, holding.tail()
    await cluster.settled()
    assert asked == 3
    first, *others = await parameters(cluster)
    assert (first.base_currency, first.rules.new_days) == ("EUR", 37)
    assert first.boundaries is not None
    assert others == [first] * 3
    assert await cluster.differences() == []


async def broadcasts(cluster: Cluster) -> list[list[int]]:
    """When each tick was, a partition."""
    found = []
    for partition in range(cluster.log.partitions(EVENTS)):
        records, _ = await oracle.read(cluster.log, EVENTS, partition)
        events = [decode(record.value or b"") for record in records]
        found.append([event.occurred_at for event in events if isinstance(event, ClockTicked)])
    return found


async def test_a_zombie_that_held_the_clock_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """Stopped within a broadcast until another holds the clock: each reaches all partitions or none."""
    working = worker("a", tmp_path, cluster.url)
    zombie = clock(tmp_path, cluster.url, "zombie", Stop("before_the_commit", 5, signal.SIGSTOP))
    await zombie.stopped()
    other = clock(tmp_path, cluster.url, "other")
    await other.says("clock_held")
    before = len((await broadcasts(cluster))[0])
    while len((await broadcasts(cluster))[0]) < before + 2:  # the other ticks
        await asyncio.sleep(0.1)
    zombie.send(signal.SIGCONT)
    async with asyncio.timeout(60):  # fenced, or told first that it is no longer in the group
        while zombie.exit_code is None and "clock_released" not in zombie.tail():
            await asyncio.sleep(0.1)
    assert other.terminate() == 0
    assert working.exit_code is None
    first, *others = await broadcasts(cluster)
    assert len(first) >= 4
    assert others == [first] * 3
    assert first == sorted(set(first))
