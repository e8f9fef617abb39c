"""Are quiet hours the customer's own, through every change of clocks, and do caps count what they say?"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.triggers.files import parse
from projections.triggers.rules import Cap, QuietHours, zone
from projections.triggers.timing import SENDS, counted_since, is_quiet, noted, quiet_until, timezone, used

DAY_MS = 86_400_000
NIGHT = QuietHours("21:00", "08:00")
ZONES = (
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Pacific/Apia",  # skipped 2011-12-30 across the date line
    "Pacific/Kiritimati",
    "America/Sao_Paulo",  # clocks changed at midnight
    "Asia/Kathmandu",
    "Antarctica/Troll",  # two hours of daylight saving
)


def at(zone_name: str, *when: int, fold: int = 0) -> int:
    return int(datetime(*when, tzinfo=ZoneInfo(zone_name), fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone_name", "quiet", "now", "until"),
    [
        ("Europe/Paris", NIGHT, (2026, 7, 1, 22, 30), (2026, 7, 2, 8, 0)),
        ("Europe/Paris", NIGHT, (2026, 7, 2, 7, 59), (2026, 7, 2, 8, 0)),
        ("Europe/Paris", NIGHT, (2026, 7, 2, 8, 0), None),
        ("Europe/Paris", NIGHT, (2026, 7, 2, 20, 59), None),
        ("Europe/Paris", QuietHours("12:00", "14:00"), (2026, 7, 2, 13, 0), (2026, 7, 2, 14, 0)),
        # clocks go forward at 02:00: 02:30 is skipped, and 03:00 is after it
        ("America/New_York", QuietHours("22:00", "02:30"), (2026, 3, 8, 1, 0), (2026, 3, 8, 3, 0)),
        # and back at 02:00: 01:30 comes twice, and ends the night the first time
        ("America/New_York", QuietHours("22:00", "01:30"), (2026, 11, 1, 0, 30), (2026, 11, 1, 1, 30)),
        # the date line: Samoa had no 30 December 2011
        ("Pacific/Apia", NIGHT, (2011, 12, 29, 23, 0), (2011, 12, 31, 8, 0)),
    ],
)
def test_the_night_ends_by_the_clock_on_the_wall(
    zone_name: str, quiet: QuietHours, now: tuple[int, ...], until: tuple[int, ...] | None
) -> None:
    """The first moment at which a customer's clock shows no quiet hour."""
    found = quiet_until(quiet, ZoneInfo(zone_name), at(zone_name, *now))
    assert found == (None if until is None else at(zone_name, *until))


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    """01:15 after clocks went back is before 01:30 once more."""
    second = at("America/New_York", 2026, 11, 1, 1, 15, fold=1)
    until = quiet_until(QuietHours("22:00", "01:30"), ZoneInfo("America/New_York"), second)
    assert until == at("America/New_York", 2026, 11, 1, 1, 30, fold=1)


@given(
    st.sampled_from(ZONES),
    st.integers(0, 4_102_444_800_000),
    st.times().map(lambda each: each.strftime("%H:%M")),
    st.times().map(lambda each: each.strftime("%H:%M")),
)
def test_the_end_is_the_first_moment_that_is_not_quiet(
    zone_name: str, now: int, begin: str, end: str
) -> None:
    """In any zone of any year: it is not quiet at the end, and is at each minute up to it."""
    where, quiet = ZoneInfo(zone_name), QuietHours(begin, end)
    until = None if begin == end else quiet_until(quiet, where, now)
    if until is not None:
        assert not is_quiet(quiet, where, until)
        assert all(is_quiet(quiet, where, each) for each in range(now, until, 300_000))


def test_a_zone_that_is_none_leaves_the_default() -> None:
    """The customer's trait, else the trigger's default, else none."""
    assert timezone("Asia/Tokyo", "Europe/Paris") == ZoneInfo("Asia/Tokyo")
    assert timezone("../../etc/passwd", "Europe/Paris") == ZoneInfo("Europe/Paris")
    assert timezone(None, "Europe/Paris") == ZoneInfo("Europe/Paris")
    assert timezone("Mars/Olympus", None) is None
    assert zone("") is None


@pytest.mark.parametrize(
    ("cap", "since"),
    [
        (Cap(count=1, per="day"), (2026, 11, 18)),
        (Cap(count=1, per="week"), (2026, 11, 16)),
        (Cap(count=1, per="month"), (2026, 11, 1)),
    ],
)
def test_a_calendar_cap_counts_from_the_start_of_its_day_week_or_month(
    cap: Cap, since: tuple[int, int, int]
) -> None:
    """In UTC; a week begins on Monday."""
    now = int(datetime(2026, 11, 18, 15, tzinfo=UTC).timestamp() * 1000)
    assert counted_since(cap, now) == int(datetime(*since, tzinfo=UTC).timestamp() * 1000)


RULES = parse(
    "",
    "cap = { count = 2, days = 30 }\n"
    + "".join(
        f'[[trigger]]\nname = "{name}"\non = {{ change = "stage" }}\naction = {{ file = "x.jsonl" }}\n'
        f'consent = "none"\nholdout = 0\n{cap}\n'
        for name, cap in (("a", "cap = { count = 3, days = 365 }"), ("b", ""))
    ),
)


@given(st.lists(st.tuples(st.sampled_from(("a", "b")), st.integers(0, 40 * DAY_MS)), max_size=60))
def test_what_a_cap_can_ask_for_is_remembered_and_no_more(sent: list[tuple[str, int]]) -> None:
    """Counts up to each cap's are exact whatever else was sent, in a few entries."""
    sends, now = b"", 0
    moments: list[tuple[str, int]] = []
    for name, later in sent:
        now += later
        trigger = RULES.trigger(name)
        assert trigger is not None
        assert RULES.cap is not None
        sends = noted(sends, RULES, trigger, now)
        moments.append((name, now))
        own = Cap(count=3, days=365)
        for cap, who in ((RULES.cap, None), (own, "a")):
            since = counted_since(cap, now)
            true = sum(each >= since and who in (None, by) for by, each in moments)
            assert min(used(sends, [], cap, who, now), cap.count) == min(true, cap.count)
    assert SENDS.size(sends) <= 5


def test_what_waits_counts() -> None:
    """A decision that waits has its place under the cap of its trigger and of all."""
    cap = Cap(count=1, days=1)
    assert used(b"", ["a", "b"], cap, "a", 0) == 1
    assert used(b"", ["a", "b"], cap, None, 0) == 2
