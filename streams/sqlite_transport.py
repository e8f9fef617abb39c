"""How does Faust consume the embedded log? A transport in the process, with one member and no broker."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

import structlog
from faust.transport import base
from faust.types import TP, RecordMetadata
from yarl import URL

from streams.batch import RunConsumer
from streams.lane import Lane
from streams.log import Append, Log, LogUnavailable, TopicPartition
from streams.runs import Run
from streams.topics import partition_for

logger = structlog.get_logger(__name__)


def _plain(offsets: Mapping[TP, int]) -> dict[TopicPartition, int]:
    return {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}


class Consumer(RunConsumer, base.Consumer):
    """Reads runs from the log; resumes where the lane's partition rows say."""

    transport: "Transport"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._topics: frozenset[str] = frozenset()
        self._assigned: set[TP] = set()
        self._positions: dict[TP, int] = {}

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take every partition of `topics`. The rebalance runs beside the caller, who waits for it."""
        subscribed = frozenset(topics)
        if subscribed != self._topics:
            self._topics = subscribed
            self.add_future(self._rebalance())

    async def _rebalance(self) -> None:
        self.app.on_rebalance_start()
        log = self.transport.log
        assigned = {TP(topic, p) for topic in self._topics for p in range(log.partitions(topic))}
        await self.on_partitions_revoked(self._assigned - assigned)
        self._assigned = assigned
        self.app.assignor._active_tps = assigned
        self.app.consumer_generation_id += 1
        await self.on_partitions_assigned(assigned, self.app.consumer_generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to where its partition row says."""
        for tp in self._assigned:
            self._positions[tp] = await self.transport.lane.take_over(tp.partition)
        return dict(self._positions)

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109
    ) -> Mapping[TP, list[Run]]:
        wanted = {tp: self._positions[tp] for tp in (active_partitions or ()) if tp in self._positions}
        runs = await self._read(wanted)
        if not runs:
            await self.transport.log.wait(_plain(wanted), timeout)
            runs = await self._read(wanted)
        return runs

    async def _read(self, wanted: Mapping[TP, int]) -> dict[TP, list[Run]]:
        runs = {}
        for tp, start in wanted.items():
            records, end = await self.transport.log.read(*tp, start, self.transport.run_records)
            if records and self._positions[tp] == start:
                self._positions[tp] = end
                runs[tp] = [Run(*tp, start, end, records)]
        return runs

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await self.transport.log.commit(self.app.conf.id, _plain(offsets))
        except LogUnavailable as error:  # only lag displays read it: the next commit will do
            logger.warning("commit_failed", reason=str(error))
            return False
        return True

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self._positions.update(partitions)

    def assignment(self) -> set[TP]:
        return self._assigned

    def highwater(self, tp: TP) -> int:
        """The end as far as this consumer has read: Faust's monitor asks once a message."""
        return self._positions[tp]

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: (await self.transport.log.end_offsets(tp.topic))[tp.partition] for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: (await self.transport.log.start_offsets(tp.topic))[tp.partition] for tp in partitions}

    async def position(self, tp: TP) -> int | None:
        return self._positions.get(tp)

    def topic_partitions(self, topic: str) -> int | None:
        return self.transport.log.partitions(topic)

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        return self.transport.partition(topic, key, partition)

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """Topics are created when the log is opened."""


class Producer(base.Producer):
    """Lets Faust's own `topic.send` append to the log."""

    transport: "Transport"

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,  # noqa: ARG002
        *,
        transactional_id: str | None = None,  # noqa: ARG002
    ) -> Awaitable[RecordMetadata]:
        home = self.transport.partition(topic, key, partition)
        timestamp_ms = None if timestamp is None else int(timestamp * 1000)

        async def sent() -> RecordMetadata:
            (position,) = await self.transport.log.append([Append(topic, home, key, value, timestamp_ms)])
            return RecordMetadata(topic, home, TP(topic, home), position.offset, timestamp, 1)

        return asyncio.create_task(sent())

    async def send_and_wait(self, *args: Any, **options: Any) -> RecordMetadata:
        return await (await self.send(*args, **options))

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """Topics are created when the log is opened."""

    def key_partition(self, topic: str, key: bytes) -> TP:
        return TP(topic, self.transport.partition(topic, key, None))


class Transport(base.Transport):
    """Faust's transport over an embedded log, for one lane."""

    Consumer = Consumer
    Producer = Producer
    driver_version = "embedded"

    def __init__(self, app: Any, log: Log, lane: Lane, run_records: int) -> None:
        super().__init__([URL("sqlite://")], app)
        self.log = log
        self.lane = lane
        self.run_records = run_records

    def partition(self, topic: str, key: bytes | None, partition: int | None) -> int:
        """The partition asked for, else the key's; a record without either goes to the first."""
        if partition is not None:
            return partition
        return 0 if key is None else partition_for(key, self.log.partitions(topic))
