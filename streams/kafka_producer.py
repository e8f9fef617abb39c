"""How does a record get onto Kafka? In batches of ours, which are waited for one by one.

aiokafka would commit what is left of a transaction of which a batch failed, and a failed batch of an
idempotent producer leaves the next ones of its partition out of sequence: so who sends looks at each.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from streams.log import Append, OutcomeUnknown, Position, ProducerFenced, TopicPartition, quick

BATCH_BYTES = 900_000  # below max.message.bytes, which is 1 MiB
REQUEST_BYTES = 4 << 20  # one record may be larger than a batch
REQUEST_MS = 10_000
PATIENCE_S = 10.0  # for a broker that is away
TRANSACTION_MS = 60_000
RETRY_S = 0.25
CLOSE_S = 2.0
FENCED = (kafka.ProducerFenced, kafka.InvalidProducerEpoch)


async def started(connecting: Mapping[str, Any], **options: Any) -> AIOKafkaProducer:
    """A producer of aiokafka's that a broker has answered; raises KafkaError or TimeoutError."""
    producer = AIOKafkaProducer(
        **connecting,
        **options,
        acks="all",
        max_batch_size=BATCH_BYTES,
        max_request_size=REQUEST_BYTES,
        request_timeout_ms=REQUEST_MS,
    )
    _pause_between_tries(producer.client)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await producer.start()
    except BaseException as error:
        await closed(producer)
        if isinstance(error, AssertionError):  # of aiokafka: the broker does not know its cluster yet
            raise kafka.KafkaConnectionError(str(error)) from error
        raise
    return producer


def _pause_between_tries(client: AIOKafkaClient) -> None:
    """A sender asks a broker that is away for metadata again and again: in aiokafka, without a pause."""
    ask = client._metadata_update

    async def asked(*arguments: Any) -> bool:
        if not (answered := await ask(*arguments)):
            await asyncio.sleep(RETRY_S)
        return bool(answered)

    client._metadata_update = asked


class Sent(NamedTuple):
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
            async with asyncio.timeout(TRANSACTION_MS / 1000):  # when Kafka gives it up, and aiokafka may not
                await self._producer.begin_transaction()
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
                f"Kafka did not confirm a transaction of {self._id} ({text(error)})."
            ) from error
        except BaseException:
            await self.close()  # given up in the middle: the next producer of this id has it decided
            raise
        return cast(list[Position], positions_of(sent, len(batch)))

    async def _handed_over(self, batch: Sequence[Append]) -> list[Sent]:
        sent: list[Sent] = []
        try:
            await send(self._producer, batch, sent)
        except kafka.IllegalOperation:  # the transaction was given up meanwhile: for which reason, it says
            await self._producer._txn_manager.wait_for_transaction_end()
            raise
        return sent

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await closed(self._producer)


async def send(producer: AIOKafkaProducer, batch: Sequence[Append], sent: list[Sent]) -> None:
    """Hand over the records, batched by partition in their order; `sent` has the batches so far."""
    by_partition: dict[TopicPartition, list[int]] = defaultdict(list)
    for place, (topic, partition, _, _, _) in enumerate(batch):
        by_partition[topic, partition].append(place)
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
            sent.append(Sent(topic, partition, places[:fitting], stored))
            places = places[fitting:]


def positions_of(sent: Sequence[Sent], size: int) -> list[Position | None]:
    """Where the records are, in their order; None for those of a batch that failed."""
    positions: list[Position | None] = [None] * size
    for topic, partition, places, stored in sent:
        if stored.done() and not stored.cancelled() and stored.exception() is None:
            first = stored.result().offset
            for index, place in enumerate(places):
                positions[place] = quick(Position, (topic, partition, first + index))
    return positions


async def closed(producer: AIOKafkaProducer) -> None:
    """Give up a transaction under way and stop, without waiting for a broker that is away.

    A transaction that stays open holds up the readers of every partition in it, until Kafka gives it up.
    """
    for stop in (_stopped, _broken_off):
        stopping = asyncio.create_task(stop(producer))  # in which aiokafka's own cancellations stay
        try:
            await asyncio.wait({stopping}, timeout=CLOSE_S)
        finally:
            stopping.cancel()
        if stopping.done() and not stopping.cancelled() and not isinstance(stopping.exception(), KafkaError):
            return stopping.result()
    return None


async def _stopped(producer: AIOKafkaProducer) -> None:
    transactions = producer._txn_manager
    if transactions is not None and transactions.transactional_id and transactions.is_in_transaction():
        await producer.abort_transaction()
    await producer.stop()


async def _broken_off(producer: AIOKafkaProducer) -> None:
    sending = producer._sender.sender_task
    while sending is not None and not sending.done():  # cancelled once, it waits for requests without end
        sending.cancel()
        await asyncio.sleep(0)
    await producer.client.close()


def text(error: BaseException) -> str:
    return str(error) or type(error).__name__
