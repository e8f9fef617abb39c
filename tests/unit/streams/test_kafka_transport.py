"""given a fetch under way / when the group rebalances meanwhile / then runs begin where the lane said."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError
from faust.types import TP

from streams.kafka_transport import ConsumerThread
from streams.lane import LostPlace
from streams.topics import EVENTS

ONE = TP(EVENTS, 1)


class Fetching:
    """A consumer thread on aiokafka's own bookkeeping; `meanwhile` happens while it waits for the broker."""

    def __init__(self) -> None:
        self.state = SubscriptionState()
        self.state.subscribe({EVENTS})
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.is_gone = False  # what comes next is no longer on the log
        self._default_reset_strategy = OffsetResetStrategy.EARLIEST
        self._closed = False
        self._subscriptions = self.state
        self._consumer: Any = SimpleNamespace(
            _fetcher=self,
            _closed=False,
            _subscription=self.state,
            pause=lambda *tps: [self.state.pause(tp) for tp in tps],
            resume=lambda *tps: [self.state.resume(tp) for tp in tps],
            seek=self._seek,
            position=self._position,
        )
        transport = SimpleNamespace(run_records=1_000, app=MagicMock())
        self.thread = ConsumerThread(MagicMock(flow_active=True, _read_offset={}, transport=transport))
        self.thread.app.conf.broker_request_timeout = 1.0
        self.thread._consumer = self._consumer
        self.thread.consumer.threadsafe_partitions_assigned = AsyncMock()
        self.thread.consumer.threadsafe_partitions_revoked = AsyncMock()

    def assigned(self, committed: int) -> None:
        """The group assigns the partition anew, and its committed offset is looked up."""
        self.state.assign_from_subscribed({ONE})
        self._seek(ONE, committed)

    async def says(self, position: int) -> None:
        """The lane says where its partition row ends."""
        await self.thread._seek_wait(self._consumer, {ONE: position})

    async def fetched(self) -> list[tuple[int, int, list[int]]]:
        """What a fetch hands on: start, end and offsets of each run."""
        runs = await self.thread._fetch_records(self._consumer, {ONE}, timeout=1.0)
        return [(run.start, run.end, [r.offset for r in run.records]) for run in runs.get(ONE, [])]

    async def fetched_records(self, partitions: set[TP], timeout: float, max_records: int) -> Any:  # noqa: ASYNC109
        """Three records from where the consumer is, once the broker answers."""
        if not timeout:
            return {}
        if self.is_gone:
            assert self._default_reset_strategy == OffsetResetStrategy.NONE  # else it is passed over
            raise OffsetOutOfRangeError({ONE: 103})
        if (happens := self.meanwhile) is not None:
            self.meanwhile = None
            await happens()
        at = await self._position(ONE)
        self._seek(ONE, at + 3)
        records = [SimpleNamespace(offset=at + n, key=b"", value=b"", timestamp=0) for n in range(3)]
        return {ONE: records}

    def _seek(self, tp: TP, offset: int) -> None:
        self.state.seek(tp, offset)

    async def _position(self, tp: TP) -> int:
        position: int = self.state.subscription.assignment.state_value(tp).position
        return position


@pytest.fixture
async def fetching() -> Fetching:
    fetching = Fetching()
    fetching.assigned(committed=100)
    await fetching.says(100)
    assert await fetching.fetched() == [(100, 103, [100, 101, 102])]
    return fetching


async def test_what_is_read_before_the_lane_has_said_where_is_dropped(fetching: Fetching) -> None:
    """The group's committed offset is behind: the records were read before, and are read again."""

    async def reassigned() -> None:
        fetching.assigned(committed=100)

    fetching.meanwhile = reassigned
    assert await fetching.fetched() == []
    await fetching.says(103)
    assert await fetching.fetched() == [(103, 106, [103, 104, 105])]


async def test_what_is_read_after_the_lane_has_said_where_is_kept(fetching: Fetching) -> None:
    """By a fetch that began before the rebalance: dropped, its records would be lost."""

    async def reassigned_and_taken_over() -> None:
        fetching.assigned(committed=100)
        await fetching.says(102)

    fetching.meanwhile = reassigned_and_taken_over
    assert await fetching.fetched() == [(102, 105, [102, 103, 104])]
    assert await fetching.fetched() == [(105, 108, [105, 106, 107])]


async def test_nothing_is_fetched_until_the_lane_has_said_where(fetching: Fetching) -> None:
    """A fetch at the group's offset would wait there for events to come."""
    fetching.assigned(committed=200)
    await fetching.thread.on_partitions_assigned({ONE}, 2)
    assert fetching.state.paused_partitions() == {ONE}
    await fetching.says(103)
    assert fetching.state.paused_partitions() == set()
    assert await fetching.fetched() == [(103, 106, [103, 104, 105])]


async def test_an_assignment_of_which_the_group_knows_no_offset_is_no_error(fetching: Fetching) -> None:
    """aiokafka looks for one before it tells of the assignment: a broker that was killed knew of none."""
    fetching.state.begin_reassignment()
    await fetching.thread.on_partitions_revoked({ONE})
    with pytest.raises(IllegalStateError):
        await fetching.says(103)  # of the former assignment, on its way to the thread
    assert fetching._default_reset_strategy == OffsetResetStrategy.EARLIEST


async def test_what_is_no_longer_on_the_log_is_not_passed_over(fetching: Fetching) -> None:
    """Someone deleted records while the worker was behind: its customers would lack them."""
    fetching.is_gone = True
    with pytest.raises(LostPlace, match="headwater rebuild"):
        await fetching.fetched()
