"""What the tests of the running engine share: settings, events on the log, results."""

from collections.abc import Iterable
from pathlib import Path

from schemas.codec import decode, encode
from schemas.events import CustomerEvent, Event
from streams.engine import Engine
from streams.log import Append, Log, Record
from streams.rows import PARTITION_KEY
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS, partition_for


def settings_for(path: Path, **changes: object) -> Settings:
    """An engine on event time in `path`, alone with what the test says."""
    return Settings.model_validate({"data_dir": path, "clock": "events"} | changes)


async def append(log: Log, events: Iterable[CustomerEvent]) -> None:
    """Append events to their customers' partitions."""
    partitions = log.partitions(EVENTS)
    keyed = [(event.customer_id.encode(), event) for event in events]
    await log.append([Append(EVENTS, partition_for(k, partitions), k, encode(e)) for k, e in keyed])


async def records(log: Log, topic: str) -> list[Record]:
    """Every record of a topic, partition by partition."""
    found: list[Record] = []
    for partition in range(log.partitions(topic)):
        offset = 0
        while (chunk := await log.read(topic, partition, offset, 1_000)).records:
            found += chunk.records
            offset = chunk.end
    return found


async def events(log: Log, topic: str) -> list[Event]:
    """Every event of a topic, decoded, partition by partition."""
    return [decode(record.value or b"") for record in await records(log, topic)]


async def rows(log: Log) -> dict[bytes, bytes]:
    """The newest changelog record of each customer, as bytes."""
    newest = {r.key or b"": r.value for r in await records(log, CUSTOMERS) if r.key != PARTITION_KEY}
    return {key: value for key, value in newest.items() if value is not None}


async def stored(engine: Engine) -> dict[bytes, bytes]:
    """The rows of the local store, as bytes."""
    from streams.rows import encode_row

    table = engine.lane._table
    found = {}
    for partition in engine.lane.partitions:
        customers = table.customers(partition, b"", 1_000_000)
        for customer, row in zip(customers, table.rows(partition, customers), strict=True):
            assert row is not None
            found[customer] = encode_row(row)
    return found
