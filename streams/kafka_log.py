"""How is the log kept by Apache Kafka? Appends by an idempotent producer, transactions, and committed reads.

Reads are single fetches at an offset, of committed records only (read_committed): no consumer keeps a place
for them, so any number of readers go on from wherever they are. Where the next read begins comes from the
fetch too, which knows of transaction markers.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast
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
from streams.log import (
    Append,
    Chunk,
    LogUnavailable,
    OutcomeUnknown,
    Position,
    ProducerFenced,
    Record,
    TopicPartition,
)

logger = structlog.get_logger(__name__)
T = TypeVar("T")

BATCH_BYTES = 900_000  # below max.message.bytes, which is 1 MiB
REQUEST_BYTES = 4 << 20  # one record may be larger than a batch
READ_BYTES = 4 << 20
RECORD_BYTES = 1 << 10  # what a record is taken to have, to ask for about as many as are wanted
REQUEST_MS = 10_000
PATIENCE_S = 10.0  # for a broker that is away
RETRY_S = 0.1
KNOWN_S = 2.0
POLL_S = 0.01  # between two looks for something new, at first
POLL_AT_MOST_S = 0.1
TRANSACTION_MS = 60_000
CLOSE_S = 2.0
EARLIEST, LATEST = -2, -1
FENCED = (kafka.ProducerFenced, kafka.InvalidProducerEpoch)


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
        response = await self._client.send(self._leader(topic, partition), request)
        _, error, _, stable, *rest, data = response.topics[0][1][0]
        if error == kafka.OffsetOutOfRangeError.errno:
            start = (await self._offsets(topic, EARLIEST))[partition]
            if start <= offset:
                return Chunk([], offset), offset  # the reader is ahead of the log: it will see that it is
            return await self._fetch(topic, partition, start, most)
        _check(error)
        aborted = rest[1] if response.API_VERSION >= 5 else rest[0]
        found = _Records(KafkaPartition(topic, partition), MemoryRecords(data), aborted, offset)
        records = list(islice(found, most))
        return Chunk(records, found.next_fetch_offset), stable

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
            response = await self._client.send(
                leader, OffsetRequest(-1, READ_COMMITTED, [(topic, partitions)])
            )
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
                        f"Kafka cannot {what} ({_text(error)}): see to the broker."
                    ) from error
                self._client.force_metadata_update()
                await asyncio.sleep(RETRY_S)

    # Appending

    async def append(self, batch: Sequence[Append]) -> Sequence[Position]:
        try:
            producer = await self._idempotent()
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"Kafka does not take the append ({_text(error)}).") from error
        sent: list[_Sent] = []
        reason = f"no answer in {PATIENCE_S:.0f} s"
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _send(producer, batch, sent)
                await asyncio.gather(*(each.stored for each in sent))
        except (KafkaError, TimeoutError) as error:
            reason = str(error) or reason
        await asyncio.sleep(0)  # for what was stored beside what failed
        positions = _positions(sent, len(batch))
        if None not in positions:
            return cast(list[Position], positions)
        if (
            self._appender is producer
        ):  # after a failed batch, the next ones of a partition are out of sequence
            self._appender = None
        await _closed(producer)
        raise LogUnavailable(f"Kafka does not confirm the append ({reason}).", positions)

    async def _idempotent(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._appender is None:
                self._appender = await self._producer(enable_idempotence=True)
            return self._appender

    async def _producer(self, **options: Any) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._connecting,
            **options,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=REQUEST_MS,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await producer.start()
        except BaseException:
            await _closed(producer)
            raise
        return producer

    async def producer(self, transactional_id: str) -> "KafkaProducer":
        """Raises LogUnavailable too. Transactions of an earlier producer are decided when this returns."""
        try:
            opened = await self._producer(
                transactional_id=transactional_id, transaction_timeout_ms=TRANSACTION_MS
            )
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(
                f"Kafka opens no transactions for {transactional_id} ({_text(error)}): see to the broker."
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
            raise LogUnavailable(f"Kafka does not take {group}'s offsets ({_text(error)}).") from error

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
            await _closed(self._appender)
        await asyncio.gather(*(producer.close() for producer in list(self._transactional)))
        for consumer in self._groups.values():
            await consumer.stop()
        await self._client.close()


class _Sent(NamedTuple):
    """A batch on its way: which records of the append it has, and aiokafka's word of where they will be."""

    topic: str
    partition: int
    places: list[int]
    stored: "asyncio.Future[Any]"


class KafkaProducer:
    """A transactional producer: the newest of its id, or fenced."""

    def __init__(self, producer: AIOKafkaProducer, transactional_id: str) -> None:
        self._producer = producer
        self._id = transactional_id
        self._is_closed = False

    async def transact(self, batch: Sequence[Append]) -> Sequence[Position]:
        try:
            await self._producer.begin_transaction()
            # aiokafka would commit what is left of a transaction of which a batch failed: so wait for all
            sent = await self._handed_over(batch)
            await asyncio.gather(*(each.stored for each in sent))
            await self._producer.commit_transaction()
        except FENCED as error:
            raise ProducerFenced(
                f"A later producer holds {self._id!r}, or its transaction took too long."
            ) from error
        except (KafkaError, TimeoutError) as error:
            await self.close()
            raise OutcomeUnknown(
                f"Kafka did not confirm a transaction of {self._id} ({_text(error)})."
            ) from error
        except BaseException:
            await self.close()  # given up in the middle: the next producer of this id has it decided
            raise
        return cast(list[Position], _positions(sent, len(batch)))

    async def _handed_over(self, batch: Sequence[Append]) -> list[_Sent]:
        sent: list[_Sent] = []
        try:
            await _send(self._producer, batch, sent)
        except kafka.IllegalOperation:  # the transaction was given up meanwhile: for which reason, it says
            await self._producer._txn_manager.wait_for_transaction_end()
            raise
        return sent

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await _closed(self._producer)


async def _send(producer: AIOKafkaProducer, batch: Sequence[Append], sent: list[_Sent]) -> None:
    """Hand over the records, batched by partition in their order; `sent` has the batches so far."""
    by_partition: dict[TopicPartition, list[int]] = defaultdict(list)
    for place, record in enumerate(batch):
        by_partition[record.topic, record.partition].append(place)
    now_ms = time.time_ns() // 1_000_000
    for (topic, partition), places in by_partition.items():
        while places:
            builder, fitting = producer.create_batch(), 0
            for place in places:
                _, _, key, value, at = batch[place]
                if builder.append(key=key, value=value, timestamp=now_ms if at is None else at) is None:
                    break
                fitting += 1
            stored = await producer.send_batch(builder, topic, partition=partition)
            sent.append(_Sent(topic, partition, places[:fitting], stored))
            places = places[fitting:]


def _positions(sent: Sequence[_Sent], size: int) -> list[Position | None]:
    """Where the records are, in their order; None for those of a batch that failed."""
    positions: list[Position | None] = [None] * size
    for topic, partition, places, stored in sent:
        if stored.done() and not stored.cancelled() and stored.exception() is None:
            first = stored.result().offset
            for index, place in enumerate(places):
                positions[place] = Position(topic, partition, first + index)
    return positions


async def _closed(producer: AIOKafkaProducer) -> None:
    """Give up a transaction under way and stop, without waiting for a broker that is away.

    A transaction that stays open holds up the readers of every partition in it, until Kafka gives it up.
    """
    stopping = asyncio.create_task(_stopped(producer))  # which may find its sender cancelled, and we are not
    try:
        await asyncio.wait({stopping}, timeout=CLOSE_S)
    finally:
        stopping.cancel()
    if stopping.done() and not stopping.cancelled() and not isinstance(stopping.exception(), KafkaError):
        stopping.result()
        return
    if (sending := producer._sender.sender_task) is not None:
        sending.cancel()
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await producer.client.close()


async def _stopped(producer: AIOKafkaProducer) -> None:
    transactions = producer._txn_manager
    if transactions is not None and transactions.transactional_id and transactions.is_in_transaction():
        await producer.abort_transaction()
    await producer.stop()


class _Records(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's unpacking of a fetch, which leaves out markers and aborted records, as our records."""

    def __init__(self, tp: KafkaPartition, records: MemoryRecords, aborted: Any, offset: int) -> None:
        super().__init__(tp, records, aborted, offset, None, None, True, READ_COMMITTED)

    def _consumer_record(self, tp: KafkaPartition, record: Any) -> Record:  # noqa: ARG002
        return Record(record.offset, record.key, record.value, record.timestamp)


def _check(code: int) -> None:
    if code:
        raise kafka.for_code(code)()


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
