"""RFM: how recently, how often, how much does each customer buy?

Derived from the orders and from the boundaries in force: their state is its state.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from msgspec import Struct

from projections import money
from projections.orders import Orders, moments, spend
from projections.orders import combine as combine
from projections.orders import evolve as evolve
from projections.orders import zero as zero
from projections.parameters import Boundaries, Parameters
from projections.times import DAY_MS


class RfmView(Struct, frozen=True, gc=False):
    """Scores are 1 (worst) to 5; None before an order, before boundaries, or where none compare."""

    recency_days: int | None
    frequency: int
    monetary_minor: int | None  # in the base currency; None where no amount can be converted
    r: int | None
    f: int | None
    m: int | None


NOBODY = RfmView(None, 0, 0, None, None, None)


def view(state: Orders, as_of: int, parameters: Parameters) -> RfmView:
    when = moments(state)
    if when.last_at is None:
        return NOBODY
    recency_days = max(0, (as_of - when.last_at) // DAY_MS)
    window_days = parameters.rules.rfm_window_days
    bought = spend(state, None if window_days is None else as_of - window_days * DAY_MS)
    spent = money.converted(bought.net_minor, parameters)
    monetary_minor = None if spent.nothing_left else spent.minor
    known = parameters.boundaries
    if known is None:
        return RfmView(recency_days, bought.count, monetary_minor, None, None, None)
    same_window = known.window_days == window_days
    same_money = same_window and known.currency == parameters.base_currency
    return RfmView(
        recency_days,
        bought.count,
        monetary_minor,
        5 - bisect_left(known.r, recency_days),
        1 + bisect_left(known.f, bought.count) if same_window else None,
        1 + bisect_left(known.m_minor, monetary_minor) if same_money and monetary_minor is not None else None,
    )


def boundaries(views: Iterable[RfmView], as_of: int, parameters: Parameters) -> Boundaries | None:
    """The 20/40/60/80 percentiles over the customers with an order; None where there is none."""
    buyers = [one for one in views if one.recency_days is not None]
    if not buyers:
        return None
    return Boundaries(
        as_of=as_of,
        r=percentiles([one.recency_days for one in buyers if one.recency_days is not None]),
        f=percentiles([one.frequency for one in buyers]),
        m_minor=percentiles([one.monetary_minor for one in buyers if one.monetary_minor is not None]),
        currency=parameters.base_currency,
        customers=len(buyers),
        window_days=parameters.rules.rfm_window_days,
    )


def percentiles(values: Sequence[int]) -> tuple[int, ...]:
    """The inverted CDF at 20, 40, 60 and 80 %: the least value that at least so many are not above."""
    ordered = sorted(values)
    return tuple(ordered[-(-len(ordered) * fifth // 5) - 1] for fifth in (1, 2, 3, 4)) if ordered else ()
