"""Does the history have what the log has? An archive beside the workers, and a comparison row by row."""

import asyncio
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from schemas.codec import Undecodable, decode
from streams.archive import TOPICS
from streams.log import Record
from tests.clickhouse import ClickHouse
from tests.kafka import oracle
from tests.kafka.boundaries import Stop
from tests.kafka.cluster import EVENTS_FED, SETTLED_S, Cluster
from tests.kafka.workers import SESSION_S, Process

COUNTS = "SELECT count(), uniqExact(topic, partition, offset) FROM records"
PLACES = "SELECT topic, partition, max(upto) FROM archived GROUP BY topic, partition"
ROWS = """
SELECT offset, _table, toString(event_id), customer_id, toUnixTimestamp64Milli(occurred_at),
       toUnixTimestamp64Milli(received_at), source, channel
FROM records WHERE topic = {topic:String} AND partition = {partition:Int32} ORDER BY offset
"""
Row = tuple[object, ...]


def archive(
    name: str, path: Path, kafka_url: str, clickhouse: ClickHouse, stop: Stop | None = None
) -> Process:
    """An archive with static membership: `name` is its id."""
    environment = {
        "HEADWATER_LOG_URL": kafka_url,
        "HEADWATER_HISTORY_URL": clickhouse.url(),
        "HEADWATER_WORKER_ID": name,
        "HEADWATER_SESSION_SECONDS": str(SESSION_S),
    }
    return Process(name, path, ["archive"], environment, stop)


class History:
    """The history that one archive makes."""

    def __init__(self, path: Path, kafka_url: str, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._archive = archive("archive", path, kafka_url, clickhouse)

    async def differences(self, cluster: Cluster) -> list[str]:
        """How it differs from the log, once the archive has all of it."""
        assert self._archive.exit_code is None, self._archive.tail()
        return await differences(self._clickhouse, cluster)


async def then_nothing_differs(cluster: Cluster, history: History, *workers: Process) -> None:
    """Feed the rest, and compare once all of it is folded and archived."""
    await cluster.feed(EVENTS_FED)
    try:
        await cluster.settled()
    except TimeoutError:
        pytest.fail("\n".join(each.tail() for each in workers))
    found = await cluster.differences() + await history.differences(cluster)
    assert not found, found


async def differences(clickhouse: ClickHouse, cluster: Cluster) -> list[str]:
    """How the history differs from the log, once archives have all that is on the log now.

    Each record is there once; an event that was sent again may be there once only.
    """
    found = []
    with clickhouse_connect.get_client(dsn=clickhouse.url("headwater")) as client:
        await _archived(client, cluster)
        count, distinct = client.query(COUNTS).result_rows[0]
        if count != distinct:
            found.append(f"{count} rows of {distinct} records")
        for topic in TOPICS:
            for partition in range(cluster.log.partitions(topic)):
                place = {"topic": topic, "partition": partition}
                rows: set[Row] = set(client.query(ROWS, parameters=place).result_rows)
                records, _ = await oracle.read(cluster.log, topic, partition)
                expected = {row for record in records if (row := _row(record)) is not None}
                surplus = rows - expected
                missing = {row[1:] for row in expected} - {row[1:] for row in rows}
                if surplus or missing:
                    some = (sorted(map(str, each))[:2] for each in (surplus, missing))
                    found.append(
                        f"{topic}/{partition}: {len(surplus)} rows of nothing, {len(missing)} events without "
                        f"one: {list(some)}"
                    )
    return found


async def _archived(client: Client, cluster: Cluster) -> None:
    """Return once all that is on the log now is in the history."""
    ends = {topic: await cluster.log.end_offsets(topic) for topic in TOPICS}
    places = {(topic, p): end for topic in TOPICS for p, end in enumerate(ends[topic]) if end}
    async with asyncio.timeout(SETTLED_S):
        while True:
            found = {(topic, p): upto for topic, p, upto in client.query(PLACES).result_rows}
            if all(found.get(place, 0) >= end for place, end in places.items()):
                return
            await asyncio.sleep(0.2)


def _row(record: Record) -> Row | None:
    """What the history has of a record; nothing of one that is no event."""
    try:
        event = decode(record.value or b"")
    except Undecodable:
        return None
    return (
        record.offset,
        type(event).__name__,
        event.event_id,
        getattr(event, "customer_id", None) or "",
        event.occurred_at,
        event.received_at,
        event.source,
        getattr(event, "channel", None),
    )
