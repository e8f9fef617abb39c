"""Is every record in the history once, however often the archive dies between an insert and its note?"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import clickhouse_connect
import pytest

from schemas.codec import Undecodable, decode
from streams.log import Record
from streams.topics import EVENTS, TRANSITIONS
from tests.clickhouse import ClickHouse
from tests.kafka import oracle
from tests.kafka.boundaries import Stop
from tests.kafka.cluster import Cluster
from tests.kafka.workers import Process, kill_all, worker

CHAOS = os.environ.get("HEADWATER_CHAOS") == "1"
FED = 1_000_000 if CHAOS else 100_000
KILLS = 50 if CHAOS else 10
WITHIN_S = 120
COUNTS = "SELECT count(), uniqExact(topic, partition, offset) FROM records"
ROWS = (
    "SELECT offset, toString(event_id), customer_id, toUnixTimestamp64Milli(occurred_at) FROM records "
    "WHERE topic = {topic:String} AND partition = {partition:Int32} ORDER BY offset"
)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    kill_all()


@pytest.fixture
async def cluster(kafka_url: str) -> AsyncIterator[Cluster]:
    async with Cluster.empty(kafka_url, events=FED) as cluster:
        yield cluster


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouse]:
    clickhouse = ClickHouse(tmp_path / "clickhouse")
    yield clickhouse
    clickhouse.kill()


def archive(path: Path, kafka_url: str, clickhouse: ClickHouse, stop: Stop | None = None) -> Process:
    environment = {
        "HEADWATER_LOG_URL": kafka_url,
        "HEADWATER_HISTORY_URL": clickhouse.url(),
        "HEADWATER_WORKER_ID": "archive",
        "HEADWATER_SESSION_SECONDS": "6",
    }
    return Process("archive", path, ["archive"], environment, stop)


async def test_an_archive_killed_between_insert_and_note(
    cluster: Cluster, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    """Each record once, none left out, and each row says what its record says."""
    working = worker("a", tmp_path, cluster.url)
    for _ in range(KILLS):
        await cluster.feed(FED // KILLS)
        killed = archive(tmp_path, cluster.url, clickhouse, Stop("after_the_insert", 1))
        killed.join(WITHIN_S)
        assert killed.exit_code == -9, killed.tail()
    await cluster.settled()
    working.kill()
    last = archive(tmp_path, cluster.url, clickhouse)
    with clickhouse_connect.get_client(dsn=clickhouse.url("headwater")) as client:
        await cluster.archived(client)
        count, distinct = client.query(COUNTS).result_rows[0]
        assert count == distinct
        for topic in (EVENTS, TRANSITIONS):
            for partition in range(cluster.log.partitions(topic)):
                rows = client.query(ROWS, parameters={"topic": topic, "partition": partition}).result_rows
                records, _ = await oracle.read(cluster.log, topic, partition)
                expected = [row for record in records if (row := _row(record)) is not None]
                assert set(rows) <= set(expected)
                assert {row[1:] for row in rows} == {row[1:] for row in expected}  # an event sent again, once
    assert last.terminate() == 0


def _row(record: Record) -> tuple[int, str, str, int] | None:
    """What the history has of a record; nothing of one that is no event."""
    try:
        event = decode(record.value or b"")
    except Undecodable:
        return None
    return record.offset, event.event_id, getattr(event, "customer_id", ""), event.occurred_at
