"""What are the features of many customers, each at a moment of its own?

To the bit what features.of says of each, in a fraction of its time. What is not known is NaN.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from projections import orders
from projections.customer import ZERO, Customer
from projections.engagement import Engagement
from projections.orders import Orders
from projections.scoring import features
from projections.scoring.features import MONTH_DAYS, SPEND_WINDOWS, WINDOWS_MS
from projections.times import DAY_MS, MAX_AT, MAX_MONTH

Columns: TypeAlias = NDArray[np.float64]  # features x customers
Moments: TypeAlias = NDArray[np.int64]  # ms, of each customer

WORTH_IT = 25  # customers: numpy's calls cost as much as the features of so many

_ORDER = np.dtype([("at", ">u8"), ("id", ">u8"), ("minor", ">u8"), ("currency", "S3")])
_MONTH = np.dtype([("month", ">u2"), ("events", ">u8")])
_NO_OTHERS = (ZERO.campaigns, ZERO.service, ZERO.feedback)
_NEVER = -1
_MONTHS = 3  # the latest that an event was in: the two that count are among them
_MONTHS_BYTES = _MONTHS * _MONTH.itemsize
_WINDOWS_MS = np.array(WINDOWS_MS)[:, None]
_SPEND_WINDOWS = list(SPEND_WINDOWS)
_EXACT_MINOR = 2**48  # below it, 32 amounts add up to what a float holds exactly
_ORDERS = slice(0, len(features.ORDERS))
_ENGAGEMENT = slice(_ORDERS.stop, _ORDERS.stop + len(features.ENGAGEMENT))
_OTHERS = slice(_ENGAGEMENT.stop, None)


def of(states: Sequence[Customer], as_of: Sequence[int]) -> Columns:
    """The features of each state at its moment (ms), in the order of FEATURES."""
    if len(states) >= WORTH_IT:
        return by_column(states, as_of)
    values = [features.of(state, at) for state, at in zip(states, as_of, strict=True)]
    return np.array(values, np.float64).reshape(len(states), len(features.FEATURES)).T


def by_column(states: Sequence[Customer], as_of: Sequence[int]) -> Columns:
    """The same, however few they are."""
    found = np.full((len(features.FEATURES), len(states)), np.nan)
    moments = np.array(as_of, np.int64)
    kept = [_kept(state.orders) for state in states]
    if ordered := [place for place, records in enumerate(kept) if records]:
        theirs = [states[place].orders for place in ordered]
        found[_ORDERS, ordered] = _of_orders(theirs, [kept[place] for place in ordered], moments[ordered])
    if seen := [place for place, state in enumerate(states) if state.engagement.first_seen_at is not None]:
        found[_ENGAGEMENT, seen] = _of_engagement([states[place].engagement for place in seen], moments[seen])
    for place, state in enumerate(states):
        if (state.campaigns, state.service, state.feedback) != _NO_OTHERS:
            found[_OTHERS, place] = features.of_others(state, as_of[place])
    return found


def packed(known: Columns) -> NDArray[np.float32]:
    """A row of 32-bit floats for each customer, whose bytes are features.packed."""
    return np.ascontiguousarray(known.T, "<f4")


def _kept(state: Orders) -> bytes:
    """As orders.kept, in bytes."""
    if not state.cancelled:
        return state.recent
    return b"".join(orders.ORDERS.add(b"", *order) for order in orders.kept(state))


def _of_orders(states: Sequence[Orders], kept: Sequence[bytes], as_of: Moments) -> Columns:
    """Of those who have any that was kept."""
    records = np.frombuffer(b"".join(kept), _ORDER)
    number = np.array([len(each) for each in kept]) // _ORDER.itemsize
    end = np.cumsum(number)
    start, last = end - number, end - 1
    whose = np.repeat(np.arange(len(states)), number)
    at, currency, minor = records["at"].astype(np.int64), records["currency"], _minor(records)
    minor = np.where(currency == currency[last][whose], minor, 0)
    later = at > as_of[whose] - _WINDOWS_MS
    unit = np.array([features.unit_of(each[-3:]) for each in kept])
    count = np.array([state.count for state in states])
    first_at = np.array([state.first_at for state in states])
    previous_at = np.where(number > 1, at[last - 1], _NEVER)
    shares = np.zeros((2, len(states)))
    for place, state in enumerate(states):
        if state.cancelled:
            when = orders.moments(state)
            count[place], first_at[place] = when.count, when.first_at
            previous_at[place] = _NEVER if when.previous_at is None else when.previous_at
        if state.cancelled or state.refunds:
            shares[:, place] = features.shares(state)

    recency = np.maximum(0, as_of - at[last]) / DAY_MS
    tenure = np.maximum(0, as_of - first_at) / DAY_MS
    again = (count > 1) & (previous_at != _NEVER)
    gap = (at[last] - first_at) / DAY_MS / np.where(again, count - 1, 1)
    gaps = gap, (at[last] - previous_at) / DAY_MS, recency / np.maximum(gap, 1.0)
    return np.array(
        [
            recency,
            tenure,
            count,
            (count - 1) / np.maximum(tenure, MONTH_DAYS) * MONTH_DAYS,
            *np.where(again, gaps, np.nan),
            *np.add.reduceat(later, start, axis=1, dtype=np.int64),
            *np.add.reduceat(np.where(later[_SPEND_WINDOWS], minor, 0), start, axis=1) / unit,
            np.add.reduceat(minor, start) / number / unit,
            minor[last] / unit,
            *shares,
        ],
        np.float64,
    )


def _minor(records: NDArray[Any]) -> NDArray[Any]:
    """The amounts; where they are too many for whole numbers of 64 bits or for floats, as Python's."""
    minor = records["minor"].astype(np.int64)
    return minor if minor.max() < _EXACT_MINOR else minor.astype(object)


def _of_engagement(states: Sequence[Engagement], as_of: Moments) -> Columns:
    counted = [
        (state.first_seen_at, state.last_seen_at, sum(state.events.values()), len(state.channels))
        for state in states
    ]
    first_at, last_at, total, channels = np.array(counted, np.int64).T
    tables = [state.months[-_MONTHS_BYTES:].rjust(_MONTHS_BYTES, b"\0") for state in states]
    latest = np.frombuffer(b"".join(tables), _MONTH).reshape(len(states), _MONTHS)
    is_recent = latest["month"] >= _month_of(as_of)[:, None] - 1
    recent = np.where(is_recent, latest["events"], 0).sum(axis=1)
    months = np.maximum(1.0, (as_of - first_at) / DAY_MS / MONTH_DAYS)
    rate = total / months
    return np.array(
        [
            np.maximum(0, as_of - last_at) / DAY_MS,
            rate,
            recent,
            recent / np.minimum(months, 1.5) / rate,
            channels,
        ],
        np.float64,
    )


def _month_of(at: Moments) -> Moments:
    """As times.month_of."""
    months = np.clip(at, 0, MAX_AT).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return np.minimum(months, MAX_MONTH)
