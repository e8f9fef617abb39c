"""given a log on Kafka / when workers live and die / then nothing differs from a plain fold of it."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice

from clickhouse_connect.driver.client import Client

from bench.events import generate
from schemas.codec import encode
from schemas.events import ClockTicked, CustomerEvent
from streams.archive import TOPICS as ARCHIVED
from streams.kafka_client import connection
from streams.kafka_log import KafkaLog
from streams.kafka_topics import Topics, planned
from streams.log import Append
from streams.outputs import output_id
from streams.rows import PARTITION_KEY, folded_to
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS, partition_for, topic_specs
from tests.kafka import oracle
from tests.kafka.conftest import forget_topics

END_MS = 1_767_225_600_000  # 2026-01-01
TICK_EVERY = 2_000  # events
BATCH = 1_000
SETTLED_S = 180.0


class Cluster:
    """A log with `partitions` partitions, to which `feed` appends one stream of generated events."""

    def __init__(self, url: str, log: KafkaLog, events: int, seed: int) -> None:
        self.url = url
        self.log = log
        self.random = random.Random(seed)
        self._stream = self._generated(events, seed)
        self._folded = dict.fromkeys(range(log.partitions(EVENTS)), (0, 0))  # read to, folded to

    @classmethod
    @asynccontextmanager
    async def empty(
        cls, url: str, *, events: int, partitions: int = 4, seed: int = 7
    ) -> AsyncIterator["Cluster"]:
        """Topics made anew, and as many events to feed."""
        await forget_topics(url)
        await make_topics(url, partitions)
        specs = topic_specs(partitions)
        log = await KafkaLog.open(connection(Settings(log_url=url)), [spec.name for spec in specs])
        try:
            yield cls(url, log, events, seed)
        finally:
            await log.close()

    def _generated(self, events: int, seed: int) -> Iterator[list[Append]]:
        """Events in order of time: now and then one again, one late, one damaged, and a tick everywhere."""
        chance, partitions = random.Random(seed + 1), self.log.partitions(EVENTS)
        late: list[CustomerEvent] = []
        for n, event in enumerate(generate(events, max(1, events // 10), end_ms=END_MS, seed=seed)):
            draw = chance.random()
            if draw < 0.01:
                late.append(event)
                continue
            yield [_append(event, partitions)]
            if draw < 0.02:
                yield [_append(event, partitions)]
            elif draw < 0.03 and late:
                yield [_append(late.pop(), partitions)]
            elif draw < 0.031:
                damaged = _append(event, partitions)
                yield [damaged._replace(value=(damaged.value or b"")[:-3])]
            if n % TICK_EVERY == 0:
                yield [_tick(event.occurred_at, partition) for partition in range(partitions)]

    async def feed(self, records: int) -> int:
        """Append the next records of the stream; how many there were."""
        taken = list(itertools.chain.from_iterable(islice(self._stream, records)))
        for start in range(0, len(taken), BATCH):
            await self.log.append(taken[start : start + BATCH])
        return len(taken)

    async def lag(self) -> int:
        """Records that the partition rows on the changelog do not tell as folded."""
        ends = await self.log.end_offsets(EVENTS)
        for partition, (offset, folded) in self._folded.items():
            read, end = await oracle.read(self.log, CUSTOMERS, partition, offset)
            rows = [r.value for r in read if r.key == PARTITION_KEY and r.value is not None]
            self._folded[partition] = end, folded_to(rows[-1]) if rows else folded
        return sum(ends[partition] - folded for partition, (_, folded) in self._folded.items())

    async def settled(self) -> None:
        """Return once all that was fed is folded."""
        async with asyncio.timeout(SETTLED_S):
            while await self.lag():
                await asyncio.sleep(0.1)

    async def archived(self, client: Client) -> None:
        """Return once all that is on the log now is in the history."""
        query = "SELECT topic, partition, max(upto) FROM archived GROUP BY topic, partition"
        ends = {topic: await self.log.end_offsets(topic) for topic in ARCHIVED}
        places = {(topic, p): end for topic in ARCHIVED for p, end in enumerate(ends[topic]) if end}
        async with asyncio.timeout(SETTLED_S):
            while True:
                found = {(topic, p): upto for topic, p, upto in client.query(query).result_rows}
                if all(found.get(place, 0) >= end for place, end in places.items()):
                    return
                await asyncio.sleep(0.2)

    async def differences(self) -> list[str]:
        """How what is on Kafka differs from the oracle's."""
        found = []
        for partition in range(self.log.partitions(EVENTS)):
            expected = await oracle.expected(self.log, partition)
            actual = await oracle.actual(self.log, partition)
            assert expected.transitions, "the log must make customers change"
            found += [f"{partition}: {each}" for each in expected.differences(actual)]
        return found


async def make_topics(url: str, partitions: int) -> None:
    specs = topic_specs(partitions)
    async with Topics.of(connection(Settings(log_url=url))) as topics:
        await topics.apply(planned(specs, {}, 1), {}, 1)


def _append(event: CustomerEvent, partitions: int) -> Append:
    key = event.customer_id.encode()
    return Append(EVENTS, partition_for(key, partitions), key, encode(event))


def _tick(at: int, partition: int) -> Append:
    tick = ClockTicked(event_id=output_id("tick", at, partition), occurred_at=at, received_at=at)
    return Append(EVENTS, partition, None, encode(tick))
