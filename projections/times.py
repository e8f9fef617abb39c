"""How does a projection handle time? As ms since 1970 (UTC), days of 24 hours, and calendar months."""

from datetime import date
from functools import lru_cache

from schemas import form

DAY_MS = 86_400_000
MAX_AT = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z in ms
MAX_MONTH = 0xFFFF
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def moment(at: int) -> int:
    """A time in ms, held within 1970..9999, so that every record can store it."""
    return at if 0 <= at <= MAX_AT else max(0, min(at, MAX_AT))


@lru_cache(maxsize=65_536)
def _month_of_day(day: int) -> int:
    on = date.fromordinal(_EPOCH_ORDINAL + day)
    return min((on.year - 1970) * 12 + on.month - 1, MAX_MONTH)


def month_of(at: int) -> int:
    """The calendar month (UTC) of a time in ms: months since January 1970."""
    return _month_of_day(moment(at) // DAY_MS)


def rfc3339(at: int) -> str:
    """A time in ms as RFC 3339 in UTC, with milliseconds only where there are any."""
    return form.moment(moment(at))


def earliest(a: int | None, b: int | None) -> int | None:
    """The earlier of two moments; None is never."""
    if a is None or b is None:
        return b if a is None else a
    return a if a <= b else b


def latest(a: int | None, b: int | None) -> int | None:
    """The later of two moments; None is never."""
    if a is None or b is None:
        return b if a is None else a
    return a if a >= b else b
