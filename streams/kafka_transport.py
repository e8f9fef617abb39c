"""How does Faust consume Kafka? By its aiokafka transport, which hands on runs, from where the lane says.

A rebalance revokes every partition before it assigns any: then the run that is being folded is let finish,
and the lane gives the partition up. What is assigned is taken over before the first fetch: the former owner
is fenced, the rows are recovered, and the partition row says where to fetch. The group's committed offsets
are for lag displays.
"""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, cast

import aiokafka
from aiokafka.consumer import fetcher as fetching
from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from yarl import URL

from streams.batch import RunConsumer
from streams.kafka_log import OurRecords
from streams.lane import Lane, LostPlace
from streams.runs import Run

FETCH_BYTES = 1 << 20  # of a partition
FETCH_WAIT_MS = 500
HEARTBEATS_A_SESSION = 5
COMMIT_S = 2.0
CHECK_S = 1.0


vars(fetching)["PartitionRecords"] = OurRecords  # of this process, in which only the lane fetches by groups


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka's consumer lives: committed records only, in runs of a partition."""

    consumer: "Consumer"
    _assignment: Assignment | None = None  # the one in which the lane said where to start
    _starts: dict[TP, int]  # of the next run, a partition

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        session_ms = int(conf.broker_session_timeout * 1000)
        return aiokafka.AIOKafkaConsumer(
            **transport.connecting,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[StickyPartitionAssignor],
            isolation_level="read_committed",
            auto_offset_reset="earliest",  # until the lane says where
            enable_auto_commit=False,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // HEARTBEATS_A_SESSION,
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """The next assignment starts from anywhere, which the fetcher asks before we hear of it."""
        self._ensure_consumer()._fetcher._default_reset_strategy = OffsetResetStrategy.EARLIEST
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fetch nothing before the lane has said from where.

        The group's offsets are at the log's end mostly: a fetch there would wait for events to come, and the
        next one for it.
        """
        self._ensure_consumer().pause(*(TopicPartition(*tp) for tp in assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def _seek_wait(self, consumer: aiokafka.AIOKafkaConsumer, partitions: Mapping[TP, int]) -> None:
        """Seek, and note it before a fetch that is under way in this thread can go on.

        From then on a record that is no longer on the log is an error, where aiokafka would pass it over.
        Raises IllegalStateError where a rebalance has begun.
        """
        if consumer._subscription.reassignment_in_progress:
            raise IllegalStateError("The partitions are being revoked.")
        consumer._fetcher._default_reset_strategy = OffsetResetStrategy.NONE
        self._assignment, self._starts = consumer._subscription.subscription.assignment, dict(partitions)
        consumer.resume(
            *(TopicPartition(*tp) for tp in partitions)
        )  # the fetcher goes on once they are sought
        await super()._seek_wait(consumer, partitions)

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,  # noqa: ARG002
    ) -> Mapping[TP, list[Run]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        most = cast(Transport, self.transport).run_records
        with fetcher._subscriptions.fetch_context():
            try:
                found = await self._found(fetcher, active_partitions, timeout, most)
            except OffsetOutOfRangeError as error:
                raise LostPlace(
                    f"The log no longer has what comes next ({error}): restore it, or run "
                    "`headwater rebuild` to fold what is left."
                ) from error
            assignment = consumer._subscription.subscription.assignment
            if assignment is not self._assignment or assignment is None:
                return {}  # of a new one, from where the group committed: the lane has not said yet
            runs = {}
            for tp in self._starts.keys() & assignment.tps:
                state = assignment.state_value(tp)
                if state.has_valid_position and (tp in found or state.position > self._starts[tp]):
                    runs[tp] = [self._run(tp, found.get(tp, ()), state.position)]
            return runs

    async def check_group(self) -> None:
        """Raise what keeps us out of the group: aiokafka tells only those who fetch through it."""
        self._ensure_consumer()._coordinator.check_errors()

    async def _found(
        self,
        fetcher: Any,
        active_partitions: set[TP],
        timeout: float | None,  # noqa: ASYNC109
        most: int,
    ) -> dict[TP, Sequence[Any]]:
        """Up to `most` records of each partition.

        aiokafka counts them over all partitions, in order: then one partition's runs fill its agent's buffer,
        and the others get none while it waits for its transactions.
        """
        found: dict[TP, Sequence[Any]] = {}
        if not fetcher._subscriptions.reassignment_in_progress:  # else what is found first may be lost
            for tp in tuple(active_partitions):  # which another thread may change
                found |= await fetcher.fetched_records({tp}, timeout=0, max_records=most)
        return found or await fetcher.fetched_records(active_partitions, timeout=timeout, max_records=most)

    def _run(self, tp: TP, found: Sequence[Any], end: int) -> Run:
        """What was read up to `end`: perhaps no record, but markers of transactions that were given up."""
        start, self._starts[tp] = self._starts[tp], end
        if end < start or (found and found[0].offset < start):
            raise LostPlace(
                f"{tp.topic}/{tp.partition} was to be read from {start}, and Kafka went elsewhere."
            )
        return Run(tp.topic, tp.partition, start, end, found)


class Consumer(RunConsumer, driver.Consumer):
    """Resumes where the lane's partition rows say."""

    transport: "Transport"
    _acked: MutableMapping[TP, list[int]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._assigned: frozenset[TP] = frozenset()
        self._seeking = asyncio.Lock()
        self._taking: asyncio.Task[None] | None = None

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _watch_group(self) -> None:
        while not self.should_stop:
            await self.sleep(CHECK_S)
            thread = cast(ConsumerThread, self._thread)
            await thread.call_thread(thread.check_group)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give up what is being taken over, then what is owned: the next owner comes after this."""
        self._assigned = frozenset()
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait({self._taking})
        await super().on_partitions_revoked(revoked)
        lane = self.transport.lane
        await asyncio.gather(*(lane.release(partition) for partition in lane.held))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._assigned = frozenset(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Take over what is assigned and not owned yet, and seek to where the partition rows say.

        Faust asks for it after a rebalance, and at any time from its fetcher: one at a time. Raises
        IllegalStateError where the assignment is revoked meanwhile: Faust then waits for the next one.
        """
        async with self._seeking:
            assigned, lane = self._assigned, self.transport.lane
            self._taking = asyncio.create_task(self._take_over(assigned))
            try:
                await asyncio.wait({self._taking})
            finally:
                self._taking.cancel()
            if self._assigned is not assigned or self._taking.cancelled():
                raise IllegalStateError("The partitions were revoked while they were taken over.")
            self._taking.result()
            positions = {tp: lane.partitions[tp.partition].position for tp in assigned}
            await self.seek_wait(positions)
            return positions

    async def _take_over(self, assigned: frozenset[TP]) -> None:
        lane = self.transport.lane
        try:
            async with asyncio.TaskGroup() as group:
                for tp in assigned:
                    if tp.partition not in lane.partitions:
                        group.create_task(lane.take_over_patiently(tp.partition))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Only lag displays read it: a broker that is away must not hold up a stop."""
        try:
            async with asyncio.timeout(COMMIT_S):
                return await super()._commit(offsets)
        except TimeoutError:
            return False


class Producer(driver.Producer):
    """Faust's own, which the lane does not use."""

    transport: "Transport"

    def _settings_auth(self) -> Mapping[str, Any]:
        return self.transport.connecting


class Transport(driver.Transport):
    """Faust's transport over Kafka, for one lane."""

    Consumer = Consumer
    Producer = Producer

    def __init__(self, app: Any, connecting: Mapping[str, Any], lane: Lane, run_records: int) -> None:
        super().__init__([URL(f"kafka://{server}") for server in connecting["bootstrap_servers"]], app)
        self.connecting = connecting
        self.lane = lane
        self.run_records = run_records
