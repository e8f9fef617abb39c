"""given a log on Kafka / when workers live and die / then nothing differs from a plain fold of it."""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import islice

from aiokafka.admin import AIOKafkaAdminClient

from bench.events import generate
from schemas.codec import encode
from schemas.events import ClockTicked, CustomerEvent
from streams.kafka_client import connection
from streams.kafka_log import KafkaLog
from streams.kafka_topics import Topics, planned
from streams.log import Append
from streams.outputs import output_id
from streams.rows import PARTITION_KEY, folded_to
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS, partition_for, topic_specs
from tests.kafka import oracle

CHAOS = os.environ.get("HEADWATER_CHAOS") == "1"
EVENTS_FED = 1_000_000 if CHAOS else 100_000  # in a scenario
END_MS = 1_767_225_600_000  # 2026-01-01
TICK_EVERY = 2_000  # events
BATCH = 1_000
LOAD = 1_000  # events a second
LOAD_EVERY_S = 0.05
SETTLED_S = 1_800.0 if CHAOS else 180.0


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

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Feed a thousand events a second all the while, so that at about any moment a run is under way."""

        async def feed() -> None:
            while await self.feed(int(LOAD * LOAD_EVERY_S)):
                await asyncio.sleep(LOAD_EVERY_S)
            raise AssertionError("the stream of events ended before the load")

        feeding = asyncio.create_task(feed())
        try:
            yield
        finally:
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding

    async def folding(self) -> None:
        """Return once some of what is to be folded was, by a worker that has just started."""
        before = await self.lag()
        async with asyncio.timeout(SETTLED_S):
            while await self.lag() >= before > 0:
                await asyncio.sleep(0.02)

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

    async def differences(self) -> list[str]:
        """How what is on Kafka differs from the oracle's."""
        found = []
        for partition in range(self.log.partitions(EVENTS)):
            expected = await oracle.expected(self.log, partition)
            actual = await oracle.actual(self.log, partition)
            assert expected.transitions, "the log must make customers change"
            found += [f"{partition}: {each}" for each in expected.differences(actual)]
        return found


async def forget_topics(url: str) -> None:
    admin = AIOKafkaAdminClient(**connection(Settings(log_url=url)))
    await admin.start()
    try:
        while topics := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(topics)
    finally:
        await admin.close()


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
