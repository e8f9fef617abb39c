"""Does each partition get its runs, and as soon as its agent has room?"""

from typing import Any, cast

from faust.types import TP

from streams.batch import LOOK_S, RunConsumer
from streams.kafka_transport import ConsumerThread

A, B = TP("events", 0), TP("events", 1)
PATIENT_S = 1.0


class Subscriptions:
    reassignment_in_progress = False


class Fetcher:
    """aiokafka's, with records at hand: it counts `max_records` over all partitions, in order."""

    def __init__(self, **records: int) -> None:
        self._subscriptions = Subscriptions()
        self.left = {TP("events", int(name[1:])): list(range(count)) for name, count in records.items()}
        self.waited: list[float | None] = []

    async def fetched_records(
        self,
        partitions: set[TP],
        timeout: float | None,  # noqa: ASYNC109
        max_records: int,
    ) -> dict[TP, list[int]]:
        self.waited.append(timeout)
        found = {}
        for tp in [tp for tp in self.left if tp in partitions]:
            if taken := self.left[tp][:max_records]:
                found[tp] = taken
                self.left[tp] = self.left[tp][len(taken) :]
                max_records -= len(taken)
        return found


async def found(fetcher: Fetcher, partitions: set[TP]) -> dict[TP, int]:
    records = await ConsumerThread._found(cast(Any, None), fetcher, partitions, PATIENT_S, 1_000)
    return {tp: len(each) for tp, each in records.items()}


async def test_a_full_partition_leaves_the_others_their_runs() -> None:
    """Each partition's run may have as many records, whatever the others have."""
    fetcher = Fetcher(p0=5_000, p1=300)
    assert await found(fetcher, {A, B}) == {A: 1_000, B: 300}
    assert await found(fetcher, {A, B}) == {A: 1_000}


async def test_only_where_nothing_is_at_hand_does_a_fetch_wait() -> None:
    """What is there is handed on at once."""
    fetcher = Fetcher(p0=1)
    await found(fetcher, {A, B})
    assert not any(fetcher.waited)
    await found(fetcher, {A, B})
    assert fetcher.waited[-1] == PATIENT_S


async def test_nothing_is_taken_from_one_partition_while_they_are_assigned_anew() -> None:
    """A fetch may wait for the assignment then, and what others gave before it would be lost."""
    fetcher = Fetcher(p0=1, p1=1)
    fetcher._subscriptions.reassignment_in_progress = True
    assert await found(fetcher, {A, B}) == {A: 1, B: 1}
    assert fetcher.waited == [PATIENT_S]


class FaustConsumer:
    """Faust's, which says how long it would wait."""

    flow_active = True
    should_stop = False

    def __init__(self) -> None:
        self._buffered_partitions: set[TP] = set()
        self.active = {A, B}
        self.looks = 0

    def _get_active_partitions(self) -> set[TP]:
        self.looks += 1
        if self.looks == 3 and not self.active:
            self.active = {A}
        return self.active

    async def _wait_next_records(self, timeout: float) -> float:  # noqa: ASYNC109
        return timeout


class Consumer(RunConsumer, FaustConsumer):  # type: ignore[misc]
    pass


async def test_with_room_in_all_buffers_records_are_waited_for() -> None:
    """Nothing is to be looked for before an event comes."""
    assert await Consumer()._wait_next_records(PATIENT_S) == PATIENT_S


async def test_with_a_full_buffer_it_looks_again_soon() -> None:
    """The agent whose buffer is full may need runs before any other partition has an event."""
    consumer = Consumer()
    consumer._buffered_partitions, consumer.active = {B}, {A}
    assert await consumer._wait_next_records(PATIENT_S) == LOOK_S


async def test_with_all_buffers_full_it_waits_for_room() -> None:
    """It fetches at the first look that finds room, and asks Faust only then."""
    consumer = Consumer()
    consumer._buffered_partitions, consumer.active = {A, B}, set()
    await consumer._wait_next_records(PATIENT_S)
    assert consumer.looks == 3


async def test_a_stop_is_not_held_up_by_full_buffers() -> None:
    """Where the flow stops, for a rebalance or for good, waiting for room ends."""
    consumer = Consumer()
    consumer._buffered_partitions, consumer.active, consumer.flow_active = {A, B}, set(), False
    await consumer._wait_next_records(PATIENT_S)
    assert consumer.looks == 1
