"""What does the lane do with runs of before, and with partitions that it no longer owns?"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from schemas.codec import encode
from streams.lane import Lane, LostPlace
from streams.log import Append, LogUnavailable, OutcomeUnknown, Position, Producer
from streams.runs import Run
from streams.sqlite_log import SqliteLog
from streams.table import CustomerTable
from streams.topics import CUSTOMERS, EVENTS, topic_specs
from tests.unit.streams.partition import order


class Doubtful:
    """A producer that leaves open what became of each of its transactions, `happened` or not."""

    def __init__(self, producer: Producer, *, happened: bool) -> None:
        self._producer = producer
        self._happened = happened

    async def transact(self, batch: Sequence[Append]) -> Sequence[Position]:
        if self._happened:
            await self._producer.transact(batch)
        raise OutcomeUnknown("the broker went away")

    async def close(self) -> None: ...


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path / "log.db", topic_specs(1))
    events = [order("a", at, order_id=f"{at}") for at in range(1, 11)]
    await log.append([Append(EVENTS, 0, b"a", encode(event), 100) for event in events])
    yield log
    await log.close()


@pytest.fixture
async def lane(log: SqliteLog, tmp_path: Path) -> AsyncIterator[Lane]:
    table = CustomerTable(tmp_path / "table")
    yield Lane(log, table)
    table.close()


async def run(log: SqliteLog, start: int, end: int) -> Run:
    records = (await log.read(EVENTS, 0, start, end - start)).records
    return Run(EVENTS, 0, start, end, records)


async def test_a_run_that_is_folded_changes_nothing(log: SqliteLog, lane: Lane) -> None:
    """Not even the position: it would be folded from there again."""
    await lane.take_over(0)
    await lane.fold(await run(log, 0, 10))
    before = await log.end_offsets(CUSTOMERS)
    await lane.fold(await run(log, 2, 5))
    assert lane.partitions[0].position == 10
    assert await log.end_offsets(CUSTOMERS) == before


async def test_a_run_after_a_gap_is_refused(log: SqliteLog, lane: Lane) -> None:
    """Events would be lost."""
    await lane.take_over(0)
    with pytest.raises(LostPlace):
        await lane.fold(await run(log, 2, 5))


async def test_a_run_of_a_released_partition_is_dropped(log: SqliteLog, lane: Lane) -> None:
    """Its owner reads it."""
    await lane.take_over(0)
    await lane.release(0)
    await lane.fold(await run(log, 0, 5))
    assert list(await log.end_offsets(CUSTOMERS)) == [0]
    assert lane.partitions == {}


@pytest.mark.parametrize("happened", [True, False])
async def test_a_transaction_in_doubt_is_found_out(
    log: SqliteLog, lane: Lane, monkeypatch: pytest.MonkeyPatch, *, happened: bool
) -> None:
    """Taking the partition over once more tells; the run is folded once, whichever it was."""
    await lane.take_over(0)
    monkeypatch.setitem(lane._producers, 0, Doubtful(lane._producers[0], happened=happened))
    await lane.fold(await run(log, 0, 10))
    assert lane.partitions[0].events == 10
    assert (lane.partitions[0].position, lane.trouble) == (10, "")
    assert list(await log.end_offsets(CUSTOMERS)) == [2]  # one row, one partition row


async def test_a_partition_released_in_doubt_stays_released(
    log: SqliteLog, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes it over while its doubt is settled does not own it afterwards."""
    await lane.take_over(0)
    monkeypatch.setitem(lane._producers, 0, Doubtful(lane._producers[0], happened=False))
    settled = lane._take_over

    async def release_meanwhile(partition: int) -> None:
        lane._owned.discard(partition)  # as release does, before it waits for the fold
        await settled(partition)

    monkeypatch.setattr(lane, "_take_over", release_meanwhile)
    await lane.fold(await run(log, 0, 10))
    await lane.release(0)
    await lane.fold(await run(log, 0, 10))
    assert list(await log.end_offsets(CUSTOMERS)) == [0]


async def test_a_log_that_lost_its_beginning_is_refused(
    log: SqliteLog, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is gone cannot be folded, and must not be skipped in silence."""

    async def starts(_: str) -> Sequence[int]:
        return [5]

    monkeypatch.setattr(log, "start_offsets", starts)
    with pytest.raises(LostPlace, match="headwater rebuild"):
        await lane.take_over(0)


async def test_taking_over_waits_for_a_log_that_is_away(
    log: SqliteLog, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebalance while the broker is away ends well."""
    asked = 0
    ends = log.end_offsets

    async def sometimes(topic: str) -> Sequence[int]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise LogUnavailable("the broker is away")
        return await ends(topic)

    monkeypatch.setattr(log, "end_offsets", sometimes)
    await lane.take_over_patiently(0)
    assert asked > 1
    assert list(lane.partitions) == [0]
