"""Does a load append each row once, whatever interrupts it?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.codec import decode
from schemas.events import ClockTicked, OrderPlaced
from streams.loading import DAY_MS, Load, LoadRefused, give_up, loads
from streams.log import ProducerFenced
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, topic_specs

PARTITIONS = 2
MONDAY = 19_000 * DAY_MS


def order(row: int, at: int = MONDAY) -> OrderPlaced:
    return OrderPlaced(
        event_id=f"00000000-0000-4000-8000-{row:012}",
        customer_id=f"c{row % 5}",
        occurred_at=at,
        received_at=0,
        order_id=str(row),
        amount_minor=row,
        currency="USD",
    )


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path / "log.db", topic_specs(PARTITIONS))
    yield log
    await log.close()


async def begin(
    log: SqliteLog, digest: str = "d1", *, rows: int = 6, ticks: bool = False, shift: int = 0
) -> Load:
    return await Load.begin(log, "file", digest=digest, rows=rows, shift_days=shift, ticks=ticks)


async def told(log: SqliteLog) -> list[list[object]]:
    """For each partition, what its events say: an order's id, or the days of a tick."""
    return [
        [
            event.occurred_at / DAY_MS if isinstance(event, ClockTicked) else event.order_id
            for event in (decode(r.value) for r in (await log.read(EVENTS, partition, 0, 1000)).records)
        ]
        for partition in range(PARTITIONS)
    ]


async def orders_of(log: SqliteLog) -> list[int]:
    return sorted(int(row) for partition in await told(log) for row in partition if isinstance(row, str))


async def test_a_load_resumes_at_the_row_after_its_last_batch(log: SqliteLog) -> None:
    """What one process appended, the next one does not."""
    first = await begin(log)
    await first.append([order(0), order(1)], first_row=0)
    second = await begin(log)
    assert second.progress.row == 2
    await second.append([order(n) for n in range(2, 6)], first_row=2)
    assert second.progress.done
    assert await orders_of(log) == list(range(6))


async def test_a_finished_load_stays_finished(log: SqliteLog) -> None:
    """Beginning it again tells that there is nothing left, and refuses its rows."""
    await (await begin(log)).append([order(n) for n in range(6)], first_row=0)
    again = await begin(log)
    assert again.progress.done
    with pytest.raises(LoadRefused, match="goes on at row 6, not 0"):
        await again.append([order(0)], first_row=0)
    assert await orders_of(log) == list(range(6))


async def test_a_later_load_fences_the_one_under_way(log: SqliteLog) -> None:
    """Two loaders of one source cannot both append."""
    first = await begin(log)
    await begin(log)
    with pytest.raises(ProducerFenced):
        await first.append([order(0)], first_row=0)
    assert await orders_of(log) == []


async def test_changed_content_is_refused_with_the_remedy(log: SqliteLog) -> None:
    """Rows of another file must not continue this one's."""
    await (await begin(log)).append([order(0)], first_row=0)
    with pytest.raises(LoadRefused, match="under another name, where each row without an event_id"):
        await begin(log, "d2")


async def test_a_name_without_rows_on_the_log_is_free(log: SqliteLog) -> None:
    """A load that was announced and never came does not bar the corrected file."""
    await (await begin(log)).announce()
    await (await begin(log, "d2", rows=1)).append([order(0)], first_row=0)
    assert (await loads(log))["file"].done


async def test_a_source_that_grew_goes_on_at_its_first_new_row(log: SqliteLog) -> None:
    """It is told by the digest of as many first rows as the load knew, done or not; then it is done again."""
    await (await begin(log, rows=2)).append([order(0)], first_row=0)
    half = await Load.begin(log, "file", digest="d2", rows=3, digest_of_first={2: "d1"}.get)
    await half.append([order(1), order(2)], first_row=1)
    assert half.progress.done
    whole = await Load.begin(log, "file", digest="d3", rows=4, digest_of_first={3: "d2"}.get)
    assert (whole.progress.row, whole.progress.rows, whole.progress.done) == (3, 4, False)
    await whole.append([order(3)], first_row=3)
    assert (await loads(log))["file"] == whole.progress
    assert (whole.progress.digest, whole.progress.done) == ("d3", True)
    assert await orders_of(log) == [0, 1, 2, 3]


async def test_a_source_that_grew_is_waited_for_once_it_is_announced(log: SqliteLog) -> None:
    """A done load is under way again, and an interrupted announcement changes nothing of what is next."""
    await (await begin(log, rows=1)).append([order(0)], first_row=0)
    await (await Load.begin(log, "file", digest="d2", rows=2, digest_of_first={1: "d1"}.get)).announce()
    assert (await loads(log))["file"].done is False
    assert (await begin(log, "d2", rows=2)).progress.row == 1


@pytest.mark.parametrize("rows", [1, 2])
async def test_a_source_that_changed_or_shrank_is_refused(log: SqliteLog, rows: int) -> None:
    """Other first rows, or fewer: what is on the log is no part of it."""
    await (await begin(log, rows=2)).append([order(0), order(1)], first_row=0)
    with pytest.raises(LoadRefused, match="from other rows"):
        await Load.begin(log, "file", digest="d2", rows=rows, digest_of_first={2: "d1"}.get)
    with pytest.raises(LoadRefused, match="from other rows"):
        await Load.begin(log, "file", digest="d2", rows=3, digest_of_first={2: "dx"}.get)


async def test_the_same_rows_under_another_name_are_refused(log: SqliteLog) -> None:
    """A renamed file is no new one; the refusal names the load, and how to mean it."""
    await (await begin(log, rows=2)).append([order(0)], first_row=0)
    with pytest.raises(
        LoadRefused, match=r"as 'file' already, 1 of 2: .* --name file, .* --again"
    ) as refused:
        await Load.begin(log, "renamed", digest="d1", rows=2)
    assert str(refused.value).count(". ") == 0
    assert list(await loads(log)) == ["file"]


async def test_the_same_rows_are_loaded_again_where_that_is_asked_for(log: SqliteLog) -> None:
    """Under a name of its own, which resumes as any other."""
    await (await begin(log, rows=1)).append([order(0)], first_row=0)
    again = await Load.begin(log, "twice", digest="d1", rows=1, again=True)
    await again.append([order(0)], first_row=0)
    assert (await Load.begin(log, "twice", digest="d1", rows=1)).progress.done
    assert await orders_of(log) == [0, 0]


async def test_another_shift_is_refused(log: SqliteLog) -> None:
    """One source has one shift, or its dates would mix."""
    await (await begin(log, shift=7)).append([order(0)], first_row=0)
    with pytest.raises(LoadRefused, match="7 days shifted, not 8"):
        await begin(log, shift=8)


async def test_ticks_begin_each_day_with_events_and_end_the_load(log: SqliteLog) -> None:
    """Every partition hears of each day before its events, also across a resume, and of the end."""
    days = [
        MONDAY,
        MONDAY,
        MONDAY + DAY_MS,
        MONDAY + DAY_MS,
        MONDAY + 3 * DAY_MS,
        MONDAY + 3 * DAY_MS + 6 * 3_600_000,
    ]
    rows = [order(n, at) for n, at in enumerate(days)]
    await (await begin(log, ticks=True)).append(rows[:3], first_row=0)
    await (await begin(log, ticks=True)).append(rows[3:], first_row=3)
    for partition in await told(log):
        assert [at for at in partition if isinstance(at, float)] == [19_000, 19_001, 19_003, 19_003.25]
    assert await orders_of(log) == list(range(6))


async def test_without_ticks_only_rows_are_appended(log: SqliteLog) -> None:
    """On the wall clock, time is the engine's to tell."""
    await (await begin(log)).append([order(n, MONDAY + n * DAY_MS) for n in range(6)], first_row=0)
    assert sum(len(partition) for partition in await told(log)) == 6


async def test_the_log_lists_its_loads(log: SqliteLog) -> None:
    """Whoever holds the clock can see that a load is not done."""
    await (await begin(log)).append([order(0)], first_row=0)
    assert {name: (load.row, load.rows, load.done) for name, load in (await loads(log)).items()} == {
        "file": (1, 6, False)
    }


async def test_a_load_given_up_is_done_and_keeps_its_rows(log: SqliteLog) -> None:
    """Nobody waits for its other rows, and whoever still appends them is stopped; it can be gone on with."""
    load = await begin(log)
    await load.append([order(0)], first_row=0)
    assert await give_up(log, "file") == (await loads(log))["file"]
    assert ((await loads(log))["file"].row, (await loads(log))["file"].done) == (1, True)
    with pytest.raises(ProducerFenced):
        await load.append([order(1)], first_row=1)
    again = await begin(log)
    await again.append([order(1)], first_row=1)
    assert not (await loads(log))["file"].done
    assert await orders_of(log) == [0, 1]


async def test_a_load_that_never_was_cannot_be_given_up(log: SqliteLog) -> None:
    """A mistyped name leaves nothing on the log."""
    assert await give_up(log, "nobody") is None
    assert await loads(log) == {}
