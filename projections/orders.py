"""What did the customer buy, when, and for how much?

Sums cover every order. The latest 32 orders, cancellations and refunds are kept one by one, so that the view
can leave out the orders that are among the cancelled, as if they had never happened. The state keeps both
sides: a cancellation may come before its order. A cancellation that names none of the latest 32 orders takes
out an average one of the older orders: the count stays right, the money becomes an estimate.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from msgspec import Struct

from projections import money
from projections.compact import Latest, Tally, hash64
from projections.parameters import Parameters
from projections.times import DAY_MS, earliest, moment, month_of
from schemas.events import Event, OrderCancelled, OrderLine, OrderPlaced, OrderRefunded

HANDLES = frozenset({OrderPlaced, OrderCancelled, OrderRefunded})

ORDERS = Latest("QQQ3s", limit=32)  # time, hash of the order id, amount in minor units, currency
CANCELLATIONS = Latest("QQ", limit=32)  # time, hash of the order id
REFUNDS = Latest("QQQ3s", limit=32)  # as orders
SUMS = Tally("3s", counters=2, limit=16, keep_greatest=False)  # currency: placed, refunded, in minor units
COSTS = Tally("3s", counters=1, limit=16, keep_greatest=False)  # currency: cost, where lines have one
MONTHS = Tally("H3s", counters=3, limit=24, keep_greatest=True)  # month, currency: orders, placed, refunded

Record = tuple[int, int, int, bytes]  # of ORDERS or REFUNDS


class Orders(Struct, frozen=True, array_like=True, gc=False):
    count: int = 0  # orders placed, cancelled or not
    cancelled: int = 0  # cancellations
    first_at: int | None = None  # of the orders placed, ms
    recent: bytes = b""  # ORDERS
    cancellations: bytes = b""  # CANCELLATIONS
    refunds: bytes = b""  # REFUNDS
    sums: bytes = b""  # SUMS
    months: bytes = b""  # MONTHS
    costs: bytes = b""  # COSTS


class Moments(Struct, frozen=True, gc=False):
    """When the orders were that count: the cancelled ones left out."""

    count: int = 0
    first_at: int | None = None
    last_at: int | None = None
    previous_at: int | None = None  # the one before the last, which may be at the same instant


class Spend(Struct, frozen=True, gc=False):
    """What was bought within a window, net of refunds and cancelled orders."""

    count: int
    net_minor: dict[str, int]  # by currency


class OrdersView(Struct, frozen=True, gc=False):
    count: int
    net_minor: int
    currency: str
    first_at: int | None
    last_at: int | None
    mean_gap_days: float | None  # None below two orders
    unconverted: dict[str, int]  # net in minor units of each currency without a rate


ZERO = Orders()


def zero() -> Orders:
    return ZERO


def evolve(state: Orders, event: Event) -> Orders:
    match event:
        case OrderPlaced():
            at = moment(event.occurred_at)
            amount, currency = money.held(event.amount_minor), money.code(event.currency)
            return Orders(
                state.count + 1,
                state.cancelled,
                earliest(state.first_at, at),
                ORDERS.add(state.recent, at, hash64(event.order_id), amount, currency),
                state.cancellations,
                state.refunds,
                SUMS.add(state.sums, (currency,), amount, 0),
                MONTHS.add(state.months, (month_of(at), currency), 1, amount, 0),
                _with_cost(state.costs, currency, event.lines) if event.lines else state.costs,
            )
        case OrderRefunded():
            at = moment(event.occurred_at)
            amount, currency = money.held(event.amount_minor), money.code(event.currency)
            return Orders(
                state.count,
                state.cancelled,
                state.first_at,
                state.recent,
                state.cancellations,
                REFUNDS.add(state.refunds, at, hash64(event.order_id), amount, currency),
                SUMS.add(state.sums, (currency,), 0, amount),
                MONTHS.add(state.months, (month_of(at), currency), 0, 0, amount),
                state.costs,
            )
        case OrderCancelled():
            return Orders(
                state.count,
                state.cancelled + 1,
                state.first_at,
                state.recent,
                CANCELLATIONS.add(state.cancellations, moment(event.occurred_at), hash64(event.order_id)),
                state.refunds,
                state.sums,
                state.months,
                state.costs,
            )
        case _:
            return state


def combine(a: Orders, b: Orders) -> Orders:
    return Orders(
        a.count + b.count,
        a.cancelled + b.cancelled,
        earliest(a.first_at, b.first_at),
        ORDERS.merge(a.recent, b.recent),
        CANCELLATIONS.merge(a.cancellations, b.cancellations),
        REFUNDS.merge(a.refunds, b.refunds),
        SUMS.merge(a.sums, b.sums),
        MONTHS.merge(a.months, b.months),
        COSTS.merge(a.costs, b.costs),
    )


def view(state: Orders, as_of: int, parameters: Parameters) -> OrdersView:
    """The orders as an amount in the base currency; `as_of` is not needed, an order stays an order."""
    del as_of
    when = moments(state)
    spent = money.converted(spend(state).net_minor, parameters)
    return OrdersView(
        when.count,
        spent.minor,
        parameters.base_currency,
        when.first_at,
        when.last_at,
        mean_gap_days(when),
        spent.unconverted,
    )


def moments(state: Orders) -> Moments:
    """Count, first, last and last but one of the orders that were not cancelled.

    Where too few are left of the latest 32, the earliest of these stands in for the older ones, none of which
    was later.
    """
    if not state.cancelled:
        recent = state.recent
        last_at, previous_at = ORDERS.time_from_end(recent, 1), ORDERS.time_from_end(recent, 2)
        return Moments(state.count, state.first_at, last_at, previous_at)
    parts = _parts(state)
    ends = [at for at, *_ in parts.kept]
    older = parts.older - parts.older_cancelled
    if older:
        stand_in = min(at for at, *_ in parts.kept + parts.dropped)
        ends = [stand_in] * min(older, 2) + ends
    first_at = state.first_at if older else next(iter(ends), None)
    return Moments(len(parts.kept) + older, first_at, _from_end(ends, 1), _from_end(ends, 2))


def moments_at(state: Orders, at: int) -> Moments | None:
    """The moments as of `at`, by what is known now; None where the latest 32 orders do not reach so far."""
    orders, older = ORDERS.items(state.recent), state.count - ORDERS.size(state.recent)
    cancelled = {order for then, order in CANCELLATIONS.items(state.cancellations) if then <= at}
    then = [order[0] for order in orders if order[0] <= at and order[1] not in cancelled]
    if older and len(then) < 2:
        return None
    first_at = state.first_at if older else next(iter(then), None)
    return Moments(len(then) + older, first_at, _from_end(then, 1), _from_end(then, 2))


def last_at(state: Orders) -> int | None:
    """When the last order was that was not cancelled."""
    return moments(state).last_at if state.cancelled else ORDERS.time_from_end(state.recent, 1)


def mean_gap_days(when: Moments) -> float | None:
    if when.count < 2 or when.first_at is None or when.last_at is None:
        return None
    return round((when.last_at - when.first_at) / (when.count - 1) / DAY_MS, 1)


def spend(state: Orders, since: int | None = None) -> Spend:
    """Orders and net amounts later than `since` (ms; None: all). A refund counts when it was made.

    Exact while the orders and refunds kept one by one reach back to `since`; else by whole calendar months,
    with the month of `since`.
    """
    parts = _parts(state)
    if since is not None and _reach(state, since):
        kept = [order for order in parts.kept if order[0] > since]
        refunds = _sums(refund for refund in parts.refunds if refund[0] > since)
        paid = _sums(kept)
        net = {code: paid.get(code, 0) - refunds.get(code, 0) for code in sorted(paid | refunds)}
        return Spend(len(kept), net)
    orders, net, placed = _totals(state, since)
    if not state.cancelled:
        return Spend(orders, net)
    first_month = 0 if since is None else month_of(since)

    def within(records: list[Record]) -> list[Record]:
        return [record for record in records if month_of(record[0]) >= first_month]

    kept, dropped = within(parts.kept), within(parts.dropped)
    known, never_paid = _sums(kept + dropped), _sums(dropped)
    never_refunded = _sums(within(parts.dropped_refunds))
    share = Fraction(parts.older_cancelled, parts.older or 1)
    for code in net:
        older_minor = max(0, placed[code] - known.get(code, 0))
        net[code] += never_refunded.get(code, 0) - never_paid.get(code, 0) - int(older_minor * share)
    older = orders - len(kept) - len(dropped)
    return Spend(orders - len(dropped) - int(older * share), net)


def contribution(state: Orders) -> dict[str, int]:
    """Net amounts less what was sold cost, where a line says so, by currency, in minor units.

    Refunds and cancelled orders take back their share of the cost.
    """
    net = spend(state).net_minor
    if not state.costs:
        return net
    costs = {money.currency(code): cost for (code,), (cost,) in COSTS.items(state.costs)}
    placed = {money.currency(code): paid for (code,), (paid, _) in SUMS.items(state.sums)}
    left = {code: Fraction(minor, placed[code]) if placed.get(code) else 1 for code, minor in net.items()}
    return {code: minor - round(costs.get(code, 0) * left[code]) for code, minor in net.items()}


def kept(state: Orders) -> list[Record]:
    """The latest orders, at most 32, without those that were cancelled; the earliest first."""
    return _parts(state).kept if state.cancelled else ORDERS.items(state.recent)


def kept_columns(state: Orders) -> tuple[Sequence[int], Sequence[int], Sequence[bytes]]:
    """Of the same orders: the times, the amounts in minor units, the currencies."""
    if state.cancelled:
        rows = kept(state)
        return [row[0] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
    times, amounts, currencies = ORDERS.columns(state.recent, 0, 2, 3)
    return times, amounts, currencies


class _Parts(NamedTuple):
    """The latest orders and refunds, those of cancelled orders set apart; and how many orders lie beyond."""

    kept: list[Record]
    dropped: list[Record]
    refunds: list[Record]
    dropped_refunds: list[Record]
    older: int
    older_cancelled: int  # cancellations that name none of the latest orders, at most all the older ones


def _parts(state: Orders) -> _Parts:
    orders, refunds = ORDERS.items(state.recent), REFUNDS.items(state.refunds)
    older = state.count - len(orders)
    if not state.cancelled:
        return _Parts(orders, [], refunds, [], older, 0)
    cancelled = {order for _, order in CANCELLATIONS.items(state.cancellations)}
    repeated = CANCELLATIONS.size(state.cancellations) - len(cancelled)
    matched = len(cancelled & {order for _, order, _, _ in orders})
    return _Parts(
        [order for order in orders if order[1] not in cancelled],
        [order for order in orders if order[1] in cancelled],
        [refund for refund in refunds if refund[1] not in cancelled],
        [refund for refund in refunds if refund[1] in cancelled],
        older,
        min(older, state.cancelled - repeated - matched),
    )


def _totals(state: Orders, since: int | None) -> tuple[int, dict[str, int], dict[str, int]]:
    """Orders, net and placed amounts by currency, cancelled ones with them."""
    net: dict[str, int] = {}
    placed: dict[str, int] = {}
    if since is None:
        orders = state.count
        rows = [(code, paid, back) for (code,), (paid, back) in SUMS.items(state.sums)]
    else:
        months = [row for row in MONTHS.items(state.months) if row[0][0] >= month_of(since)]
        orders = sum(number for _, (number, _, _) in months)
        rows = [(code, paid, back) for (_, code), (_, paid, back) in months]
    for code, paid, back in rows:
        currency = money.currency(code)
        placed[currency] = placed.get(currency, 0) + paid
        net[currency] = net.get(currency, 0) + paid - back
    return orders, net, placed


def _reach(state: Orders, since: int) -> bool:
    """Whether all orders and refunds later than `since` are among those kept one by one."""
    return all(
        codec.size(kept) < codec.limit or codec.items(kept[: codec.width])[0][0] <= since
        for codec, kept in ((ORDERS, state.recent), (REFUNDS, state.refunds))
    )


def _with_cost(costs: bytes, currency: bytes, lines: Iterable[OrderLine]) -> bytes:
    cost = sum(line.quantity * line.cost_minor for line in lines if line.cost_minor is not None)
    return COSTS.add(costs, (currency,), money.held(cost)) if cost else costs


def _sums(records: Iterable[Record]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for _, _, amount, code in records:
        currency = money.currency(code)
        sums[currency] = sums.get(currency, 0) + amount
    return sums


def _from_end(moments: list[int], place: int) -> int | None:
    return moments[-place] if len(moments) >= place else None
