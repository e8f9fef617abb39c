"""Is a parameter what was declared, whatever is given?"""

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.report_values import BadParameter, Parameter, check_timezone, nearest, values

MONTHS = Parameter("months", "integer", "How many.", 12, 1, 60)
LEAST = Parameter("least", "number", "At least.", 0.5, minimum=0)
SEGMENT = Parameter("segment", "text", "Only this segment.")
SINCE = Parameter("since", "date", "From then on.", date(2020, 1, 1))
GRAIN = Parameter("grain", "choice", "How fine.", "month", choices=("day", "week", "month"))
ALL = (MONTHS, LEAST, SEGMENT, SINCE, GRAIN)


def test_without_anything_given_there_are_the_defaults() -> None:
    """Text without a default is null, which means all."""
    assert values(ALL, {}) == {
        "months": 12,
        "least": 0.5,
        "segment": None,
        "since": date(2020, 1, 1),
        "grain": "month",
    }


def test_text_becomes_what_was_declared() -> None:
    """As it comes in a URL or from the shell."""
    told = {"months": "6", "least": "1e2", "segment": "王 😀", "since": "2024-02-29", "grain": "day"}
    assert values(ALL, told) == {
        "months": 6,
        "least": 100.0,
        "segment": "王 😀",
        "since": date(2024, 2, 29),
        "grain": "day",
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("months", "0", "months must be at least 1, not '0'."),
        ("months", 61, "months must be at most 60, not '61'."),
        ("months", "six", "months must be a whole number, not 'six'."),
        ("months", "1.0", "months must be a whole number, not '1.0'."),
        ("months", "٣", "months must be a whole number, not '٣'."),
        ("months", 10**18, "months has more than 18 digits: leave some out."),
        ("months", True, "months must be a whole number, not 'True'."),
        ("least", "nan", "least must be a finite number, not 'nan'."),
        ("least", [1], "least must be a number, not '[1]'."),
        ("since", "2023-02-29", "since must be a date that exists, not '2023-02-29'."),
        ("since", "20230228", "since must be a date, such as 2026-01-31, not '20230228'."),
        ("since", datetime(2023, 1, 1, tzinfo=UTC), "since must be a date, such as 2026-01-31, not"),
        ("since", "1066-10-14", "since must be from 1900 to 2299, not '1066-10-14'."),
        ("grain", "weeks", "grain cannot be 'weeks': use week."),
        ("grain", "x", "grain cannot be 'x': use day, month, week."),
        ("segment", "x" * 1001, "segment has 1,001 characters: shorten it to 1,000."),
        ("segment", 5, "segment must be text, not '5'."),
        ("segment", "\udc80", "segment must be Unicode text"),
        ("month", "1", "There is no parameter 'month': use months, segment."),
        (
            "zzz",
            "1",
            "There is no parameter 'zzz': use as_of, grain, least, months, segment, since, timezone.",
        ),
    ],
)
def test_what_cannot_be_is_told_with_what_can(name: str, value: object, said: str) -> None:
    """The message names the parameter, the value and the remedy."""
    with pytest.raises(BadParameter) as told:
        values(ALL, {name: value})
    assert str(told.value).startswith(said)
    assert told.value.name == name


@given(
    st.dictionaries(
        st.one_of(st.sampled_from([each.name for each in ALL]), st.text(max_size=20)),
        st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.dates(), st.binary()),
        max_size=4,
    )
)
def test_whatever_is_given_is_a_declared_value_or_refused(given_: dict[str, object]) -> None:
    """No other kind of value gets through, and none out of bounds."""
    with suppress(BadParameter):
        found = values(ALL, given_)
        assert found.keys() == {each.name for each in ALL}
        assert type(found["months"]) is int
        assert 1 <= found["months"] <= 60
        assert isinstance(found["least"], int | float)
        assert found["least"] >= 0
        assert found["grain"] in {"day", "week", "month"}
        assert type(found["since"]) is date
        assert found["segment"] is None or isinstance(found["segment"], str)


@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_has_a_name(name: str) -> None:
    """Those of the time zone database."""
    check_timezone(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [("Asia/Tokio", "use Asia/Tokyo"), ("utc", "use UTC"), ("../../etc/passwd", "use "), ("\0", "use ")],
)
def test_another_gets_the_nearest(name: str, said: str) -> None:
    """However it is written."""
    with pytest.raises(BadParameter, match="There is no time zone") as told:
        check_timezone(name)
    assert said in str(told.value)


def test_where_nothing_is_near_all_are_offered() -> None:
    """But no more than a dozen."""
    assert nearest("x", []) == "leave it out"
    assert nearest("months", ["month", "moment"]) == "use month, moment"
    assert nearest("zzz", [f"a{n:02}" for n in range(13)]).endswith("a11 or another")
