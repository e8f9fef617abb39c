"""Which log do the contestants read? A topic of generated events, filled once, and what its fold must give.

`python -m bench.kafka.source EVENTS CUSTOMERS` starts a broker, fills it, and keeps it for contestants that
are run by hand: it prints the broker's URL and what they should find.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient

from bench.data import END_MS, PARTITIONS
from bench.events import generate
from bench.folds import whole
from schemas.codec import encode
from schemas.events import OrderPlaced
from streams.kafka_client import connection
from streams.kafka_log import KafkaLog
from streams.kafka_topics import Topics, planned
from streams.log import Append, TopicSpec
from streams.rows import CustomerRow
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS, FAILED, TRANSITIONS, partition_for, topic_specs
from tests.kafka.broker import Broker

BATCH = 5_000
READ = 5_000
GONE_S = 30.0


class Totals(NamedTuple):
    """What the state of every customer adds up to, and how many transitions were announced.

    Events cause those that are counted here; Headwater announces what time causes too.
    """

    customers: int
    spend_minor: int
    transitions: int


async def fill(url: str, events: int, customers: int) -> Totals:
    """Make the engine's topics anew, the events in theirs; what a plain fold of the events gives."""
    specs = topic_specs(PARTITIONS)
    await make(url, specs)
    log = await KafkaLog.open(connection(Settings(log_url=url)), [EVENTS])
    rows: dict[str, CustomerRow] = {}
    spend = transitions = offset = 0
    try:
        generated = generate(events, customers, end_ms=END_MS)
        while part := list(islice(generated, BATCH)):
            keyed = [(event.customer_id.encode(), event) for event in part]
            await log.append([Append(EVENTS, partition_for(k, PARTITIONS), k, encode(e)) for k, e in keyed])
            spend += sum(event.amount_minor for event in part if isinstance(event, OrderPlaced))
            for offset, event in enumerate(part, offset + 1):  # noqa: B020
                rows[event.customer_id], changed = whole(rows.get(event.customer_id), event, offset)
                transitions += changed is not None
    finally:
        await log.close()
    return Totals(len(rows), spend, transitions)


async def make(url: str, specs: Sequence[TopicSpec]) -> None:
    """Create topics as the engine has them; what there is of those names is deleted first."""
    connecting = connection(Settings(log_url=url))
    names = [spec.name for spec in specs]
    admin = AIOKafkaAdminClient(**connecting)
    await admin.start()
    try:
        async with asyncio.timeout(GONE_S):
            while there := sorted(set(await admin.list_topics()) & set(names)):
                await admin.delete_topics(there)
                await asyncio.sleep(0.1)
    finally:
        await admin.close()
    async with Topics.of(connecting) as topics:
        await topics.apply(planned(specs, {}, 1), {}, 1)


async def forget_folded(url: str) -> None:
    """Empty what Headwater's workers write, so that the next one folds from the start."""
    await make(url, [s for s in topic_specs(PARTITIONS) if s.name in (CUSTOMERS, TRANSITIONS, FAILED)])


async def read(url: str, topic: str) -> list[tuple[bytes, bytes]]:
    """Every committed record of a topic, (key, value); the order within a partition is kept."""
    log = await KafkaLog.open(connection(Settings(log_url=url)), [topic])
    found = []
    try:
        for partition in range(log.partitions(topic)):
            offset = 0
            while (chunk := await log.read(topic, partition, offset, READ)).records:
                found += [(record.key or b"", record.value or b"") for record in chunk.records]
                offset = chunk.end
    finally:
        await log.close()
    return found


async def count(url: str) -> int:
    """How many events there are to fold."""
    log = await KafkaLog.open(connection(Settings(log_url=url)), [EVENTS])
    try:
        return sum(await log.end_offsets(EVENTS))
    finally:
        await log.close()


def main() -> None:
    events, customers = map(int, sys.argv[1:])
    with TemporaryDirectory(prefix="headwater-bench-") as path:
        broker = Broker(Path(path), jvm=())
        broker.start()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            print(broker.url, asyncio.run(fill(broker.url, events, customers)), flush=True)
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            pass
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
