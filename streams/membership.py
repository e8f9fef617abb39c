"""Which partitions are ours? Kafka's group says; from assignment to loss, the work on them runs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.log import TopicPartition

logger = structlog.get_logger(__name__)

HEARTBEATS_A_SESSION = 5
RETRY_S = 1.0
CHECK_S = 1.0
NEVER_MS = 2**31 - 1

Commit = Callable[[Mapping[TopicPartition, int]], Awaitable[None]]
Work = Callable[[frozenset[TopicPartition], Commit], Coroutine[Any, Any, None]]


class KeptOut(Exception):
    """The group does not take us, or no longer; the message says what to do."""


async def share(
    connecting: Mapping[str, Any],
    group: str,
    topics: Sequence[str],
    work: Work,
    *,
    session_s: float,
    member_id: str | None = None,
) -> None:
    """For ever: do `work` on the partitions of `topics` that the group leaves to us.

    It is cancelled, and has ended, before the group gives them to another; a member that is cut off from the
    group does not hear of that, so what it writes must be fenced or repeatable. `work` gets a function that
    commits offsets, for lag displays. Raises what `work` raises, and KeptOut.
    """
    consumer = AIOKafkaConsumer(
        **connecting,
        group_id=group,
        group_instance_id=member_id,
        session_timeout_ms=int(session_s * 1000),
        heartbeat_interval_ms=int(session_s * 1000) // HEARTBEATS_A_SESSION,
        max_poll_interval_ms=NEVER_MS,  # nothing is fetched through it
        enable_auto_commit=False,
    )
    member = _Member(consumer, work)
    try:
        await _started(consumer)
        consumer.subscribe(topics, listener=member)
        while not member.failed.done():
            try:
                consumer._coordinator.check_errors()  # which aiokafka tells only those who fetch
            except KafkaError as error:
                raise KeptOut(
                    f"The group {group} keeps this process out ({error}): let its user read the group and "
                    f"{', '.join(topics)}, and start it again."
                ) from error
            await asyncio.wait({member.failed}, timeout=CHECK_S)
        raise member.failed.result()
    finally:
        await member.end()
        await consumer.stop()


async def _started(consumer: AIOKafkaConsumer) -> None:
    """Start, once a broker answers: they did when the process started."""
    while True:
        try:
            await consumer.start()
        except KafkaConnectionError as error:
            logger.error("group_waits", reason=str(error))
            await asyncio.sleep(RETRY_S)
        else:
            return


class _Member(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, consumer: AIOKafkaConsumer, work: Work) -> None:
        self._consumer = consumer
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002
        await self.end()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self.end()
        self._consumer.pause(*assigned)
        if assigned:
            partitions = frozenset((tp.topic, tp.partition) for tp in assigned)
            self._task = asyncio.create_task(self._work(partitions, self._commit))
            self._task.add_done_callback(self._done)

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_result(error)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """What is not committed now is with the next."""
        places = {KafkaPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        with suppress(KafkaError):  # only lag displays read it
            await self._consumer.commit(places)
