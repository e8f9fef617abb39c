"""How is the log kept by Apache Kafka? Appends by an idempotent producer, transactions, and committed reads.

Reads are single fetches at an offset, of committed records only (read_committed): no consumer keeps a place
for them, so any number of readers go on from wherever they are. Where the next read begins comes from the
fetch too, which knows of transaction markers.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar, cast
from weakref import WeakSet

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import errors as kafka
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.kafka_client import probe
from streams.kafka_producer import (
    PATIENCE_S,
    REQUEST_MS,
    TRANSACTION_MS,
    KafkaProducer,
    Sent,
    closed,
    positions_of,
    send,
    started,
    text,
)
from streams.log import (
    Append,
    Chunk,
    LogUnavailable,
    Position,
    Record,
    TopicPartition,
    quick,
)

logger = structlog.get_logger(__name__)
T = TypeVar("T")

READ_BYTES = 4 << 20
RECORD_BYTES = 1 << 10  # what a record is taken to have, to ask for about as many as are wanted
RETRY_S = 0.1
KNOWN_S = 2.0
POLL_S = 0.01  # between two looks for something new, at first
POLL_AT_MOST_S = 0.1
EARLIEST, LATEST = -2, -1


class KafkaLog:
    """The Log on Apache Kafka. Open it with `await KafkaLog.open(connection, topics)`."""

    def __init__(self, connecting: Mapping[str, Any], topics: Sequence[str]) -> None:
        self._connecting = connecting
        self._topics = topics
        self._client = AIOKafkaClient(**connecting, request_timeout_ms=REQUEST_MS)
        self._counts: dict[str, int] = {}
        self._appender: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._groups: dict[str, AIOKafkaConsumer] = {}
        self._transactional: WeakSet[KafkaProducer] = WeakSet()

    @classmethod
    async def open(cls, connecting: Mapping[str, Any], topics: Sequence[str]) -> "KafkaLog":
        """Reach the brokers; raises LogUnavailable where none answers or a topic is missing."""
        await probe(dict(connecting))
        log = cls(connecting, topics)
        try:
            await log._client.bootstrap()
            await log._client.set_topics(topics)
            for topic in topics:
                log._counts[topic] = await log._count(topic)
        except KafkaError as error:
            await log.close()
            raise LogUnavailable(f"Kafka does not say which topics it has ({error}): try again.") from error
        except BaseException:
            await log.close()
            raise
        return log

    async def _count(self, topic: str) -> int:
        """The topic's partitions; a topic made just now is known to every broker in a moment."""
        deadline = time.monotonic() + KNOWN_S
        while not (partitions := self._client.cluster.partitions_for_topic(topic)):
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka has no topic {topic}: run `headwater topics apply`.")
            await asyncio.sleep(RETRY_S)
            await self._client.force_metadata_update()
        return len(partitions)

    # Reading

    def partitions(self, topic: str) -> int:
        return self._counts[topic]

    async def read(self, topic: str, partition: int, offset: int, max_records: int) -> Chunk:
        async def fetch() -> tuple[Chunk, int]:
            return await self._fetch(topic, partition, offset, max_records)

        while True:
            chunk, stable = await self._patiently(f"read {topic}/{partition}", fetch)
            if chunk.records or chunk.end >= stable:
                return chunk
            offset = chunk.end  # markers, and transactions that were given up

    async def _fetch(self, topic: str, partition: int, offset: int, most: int) -> tuple[Chunk, int]:
        """What one fetch finds, and the last stable offset: up to there everything is decided."""
        size = min(READ_BYTES, max(1, most) * RECORD_BYTES)
        request = FetchRequest(0, 0, READ_BYTES, READ_COMMITTED, [(topic, [(partition, offset, size)])])
        response = await self._sent(self._leader(topic, partition), request)
        _, error, _, stable, *rest, data = response.topics[0][1][0]
        if error == kafka.OffsetOutOfRangeError.errno:
            start = (await self._offsets(topic, EARLIEST))[partition]
            if start <= offset:
                return Chunk([], offset), offset  # the reader is ahead of the log: it will see that it is
            return await self._fetch(topic, partition, start, most)
        _check(error)
        aborted = rest[1] if response.API_VERSION >= 5 else rest[0]
        found = OurRecords(
            KafkaPartition(topic, partition),
            MemoryRecords(data),
            aborted,
            offset,
            key_deserializer=None,
            value_deserializer=None,
            check_crcs=True,
            isolation_level=READ_COMMITTED,
        )
        records = list(islice(found, most))
        return Chunk(records, found.next_fetch_offset), stable

    async def _sent(self, broker: int, request: Any) -> Any:
        try:
            return await self._client.send(broker, request)
        except KeyError as error:  # aiokafka, for the second of two requests that time out on a connection
            raise kafka.RequestTimedOutError from error

    async def wait(self, positions: Mapping[TopicPartition, int], timeout_s: float) -> None:
        topics = {topic for topic, _ in positions}
        pause_s = POLL_S
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    ends = {topic: await self.end_offsets(topic) for topic in topics}
                    if any(
                        ends[topic][partition] > offset for (topic, partition), offset in positions.items()
                    ):
                        return
                    await asyncio.sleep(pause_s)
                    pause_s = min(POLL_AT_MOST_S, pause_s * 1.5)

    async def start_offsets(self, topic: str) -> Sequence[int]:
        return await self._patiently(f"look at {topic}", lambda: self._offsets(topic, EARLIEST))

    async def end_offsets(self, topic: str) -> Sequence[int]:
        return await self._patiently(f"look at {topic}", lambda: self._offsets(topic, LATEST))

    async def _offsets(self, topic: str, which: int) -> list[int]:
        """The first offsets, or the last stable ones, before what a transaction under way appends."""
        by_leader: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for partition in range(self._counts[topic]):
            by_leader[self._leader(topic, partition)].append((partition, which))
        found: dict[int, int] = {}
        for leader, partitions in by_leader.items():
            response = await self._sent(leader, OffsetRequest(-1, READ_COMMITTED, [(topic, partitions)]))
            for partition, error, _, offset in response.topics[0][1]:
                _check(error)
                found[partition] = offset
        return [found[partition] for partition in range(self._counts[topic])]

    def _leader(self, topic: str, partition: int) -> int:
        leader = self._client.cluster.leader_for_partition(KafkaPartition(topic, partition))
        if leader is None or leader == -1:
            raise kafka.LeaderNotAvailableError(f"{topic}/{partition}")
        return cast(int, leader)

    async def _patiently(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, once the brokers give one; raises LogUnavailable where they do not for a while."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await ask()
            except (KafkaError, OSError) as error:
                if time.monotonic() > deadline or not getattr(error, "retriable", True):
                    raise LogUnavailable(
                        f"Kafka cannot {what} ({text(error)}): see to the broker."
                    ) from error
                self._client.force_metadata_update()
                await asyncio.sleep(RETRY_S)

    # Appending

    async def append(self, batch: Sequence[Append]) -> Sequence[Position]:
        try:
            producer = await self._idempotent()
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"Kafka does not take the append ({text(error)}).") from error
        sent: list[Sent] = []
        reason = f"no answer in {PATIENCE_S:.0f} s"
        try:
            async with asyncio.timeout(PATIENCE_S):
                await send(producer, batch, sent)
                await asyncio.gather(*(each.stored for each in sent))
        except (KafkaError, TimeoutError) as error:
            reason = str(error) or reason
        await asyncio.sleep(0)  # for what was stored beside what failed
        positions = positions_of(sent, len(batch))
        if None not in positions:
            return cast(list[Position], positions)
        if (
            self._appender is producer
        ):  # after a failed batch, the next ones of a partition are out of sequence
            self._appender = None
        await closed(producer)
        raise LogUnavailable(f"Kafka does not confirm the append ({reason}).", positions)

    async def _idempotent(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._appender is None:
                self._appender = await started(self._connecting, enable_idempotence=True)
            return self._appender

    async def producer(self, transactional_id: str) -> "KafkaProducer":
        """Raises LogUnavailable too. Transactions of an earlier producer are decided when this returns."""
        try:
            opened = await started(
                self._connecting, transactional_id=transactional_id, transaction_timeout_ms=TRANSACTION_MS
            )
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(
                f"Kafka opens no transactions for {transactional_id} ({text(error)}): see to the broker."
            ) from error
        producer = KafkaProducer(opened, transactional_id)
        self._transactional.add(producer)
        return producer

    # Groups

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        committing = {KafkaPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        try:
            consumer = await self._group(group)
            consumer.assign(list(committing))
            await consumer.commit(committing)
        except KafkaError as error:
            raise LogUnavailable(f"Kafka does not take {group}'s offsets ({text(error)}).") from error

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        consumer = await self._group(group)
        found = {p: await consumer.committed(KafkaPartition(topic, p)) for p in range(self._counts[topic])}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def _group(self, group: str) -> AIOKafkaConsumer:
        if group not in self._groups:
            consumer = AIOKafkaConsumer(**self._connecting, group_id=group, enable_auto_commit=False)
            await consumer.start()
            self._groups[group] = consumer
        return self._groups[group]

    async def close(self) -> None:
        if self._appender is not None:
            await closed(self._appender)
        await asyncio.gather(*(producer.close() for producer in list(self._transactional)))
        for consumer in self._groups.values():
            await consumer.stop()
        await self._client.close()


class OurRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's unpacking of a fetch, which leaves out markers and aborted records, as our records."""

    def __iter__(self) -> Iterator[Record]:
        """Without a step of ours between two records."""
        return cast(Iterator[Record], self._records_iterator)

    def _consumer_record(self, tp: KafkaPartition, record: Any) -> Record:  # noqa: ARG002
        return quick(Record, (record.offset, record.key, record.value, record.timestamp))


def _check(code: int) -> None:
    if code:
        raise kafka.for_code(code)()
