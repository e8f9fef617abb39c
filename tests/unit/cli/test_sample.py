"""Does the sample hold the whole CDNOW file, in event-time order?"""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from cli.sample import DAY_MS, Sample, cdnow

DIGEST = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return cdnow.read()


@pytest.fixture(scope="module")
def rows() -> list[cdnow.Row]:
    return cdnow.rows()


def test_the_sample_is_the_file_that_origin_md_names(sample: Sample) -> None:
    """The digest of the shipped content is the published file's."""
    assert sample.digest == DIGEST
    assert DIGEST in (cdnow.files(cdnow.__name__) / "ORIGIN.md").read_text("utf-8")


def test_every_row_is_an_order_in_order_of_time_then_line(sample: Sample, rows: list[cdnow.Row]) -> None:
    """69,659 rows, none lost to sorting, equal days in the order of the file."""
    assert sorted(row.number for row in rows) == list(range(1, sample.rows + 1))
    assert sample.rows == 69_659
    assert all((a.day, a.number) < (b.day, b.number) for a, b in pairwise(rows))


def test_amounts_are_exact_to_the_cent(rows: list[cdnow.Row]) -> None:
    """The cents add up to the published revenue, the CDs to the published quantity."""
    assert sum(row.amount_minor for row in rows) == 2_500_315_63
    assert sum(row.cds for row in rows) == 167_881


def test_repeated_rows_stay_separate_orders(rows: list[cdnow.Row]) -> None:
    """Event and order ids come from the row's number, so equal rows differ."""
    events = list(cdnow.orders(rows, shift_days=0, received_at=0))
    assert len({event.event_id for event in events}) == len(events)
    assert len({event.order_id for event in events}) == len(events)


def test_ids_are_the_same_on_every_load(rows: list[cdnow.Row]) -> None:
    """What a second load would append has the ids of the first, whatever the shift."""
    first, again = (next(cdnow.orders(rows[:1], shift_days=n, received_at=n)) for n in (0, 10))
    assert first.event_id == again.event_id
    assert again.occurred_at - first.occurred_at == 10 * DAY_MS


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_the_shift_puts_the_last_day_on_today(sample: Sample, rows: list[cdnow.Row], hour: int) -> None:
    """Whatever the time of day, the last order lies on today's date, not after it."""
    now = datetime(2026, 11, 22, hour, 59, tzinfo=UTC)
    last = next(cdnow.orders(rows[-1:], shift_days=sample.shift_to(now), received_at=0))
    assert datetime.fromtimestamp(last.occurred_at / 1000, UTC) == datetime(2026, 11, 22, tzinfo=UTC)
