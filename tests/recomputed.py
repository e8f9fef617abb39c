"""What do the events say, as pandas? The tests of reports compute their numbers again from this."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
import pandas as pd

from schemas.currency import DIGITS
from schemas.events import (
    BaseCurrencySet,
    Event,
    ExchangeRateSet,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
)
from schemas.values import instant

DAY_MS = 86_400_000


def table(events: Iterable[Event], kind: type[Event], as_of: str) -> pd.DataFrame:
    """One row an event of that type up to the moment, one column a field."""
    fields = [field.name for field in msgspec.structs.fields(kind)]
    rows = [
        [getattr(event, name) for name in fields]
        for event in events
        if type(event) is kind and event.occurred_at <= instant(as_of)
    ]
    return pd.DataFrame(rows, columns=fields).astype({"occurred_at": "int64"})


class Money:
    """What amounts are worth in the base currency, by the rates told last."""

    def __init__(self, events: Sequence[Event], as_of: str) -> None:
        told = table(events, ExchangeRateSet, as_of).sort_values("occurred_at", kind="stable")
        bases = [event.currency for event in events if isinstance(event, BaseCurrencySet)]
        self.base = bases[-1] if bases else "USD"
        self._rates = {row.currency: Decimal(row.rate) for row in told.itertuples()} | {self.base: Decimal(1)}

    def __call__(self, minor: int | float | None, currency: str | None) -> int | None:
        """Minor units of the base currency, rounded half to even; None where nothing converts them."""
        if minor is None or minor != minor or currency not in self._rates:
            return None
        digits = DIGITS.get(self.base, 2) - DIGITS.get(str(currency), 2)
        worth = Decimal(int(minor)) * self._rates[str(currency)] * Decimal(10) ** digits
        return int(worth.to_integral_value(ROUND_HALF_EVEN))


def orders(events: Sequence[Event], as_of: str) -> pd.DataFrame:
    """Orders that were not cancelled up to the moment: at (ms), net and discount in the base currency."""
    money = Money(events, as_of)
    placed = table(events, OrderPlaced, as_of)
    cancelled = table(events, OrderCancelled, as_of)[["customer_id", "order_id"]]
    gone = set(cancelled.itertuples(index=False, name=None))
    keys = list(zip(placed["customer_id"], placed["order_id"], strict=True))
    placed = placed[[key not in gone for key in keys]]
    refunds = table(events, OrderRefunded, as_of)
    back = refunds.groupby(["customer_id", "order_id", "currency"])["amount_minor"].sum().to_dict()
    found = []
    for row in placed.itertuples():
        net = row.amount_minor - back.get((row.customer_id, row.order_id, row.currency), 0)
        worth = 0 if net == 0 else money(net, row.currency)
        found.append((worth, money(row.discount_minor, row.currency)))
    return placed.assign(
        at=placed["occurred_at"],
        net=pd.Series([net for net, _ in found], index=placed.index, dtype="Int64"),
        discount=pd.Series([discount for _, discount in found], index=placed.index, dtype="Int64"),
    )


def lines(events: Sequence[Event], as_of: str) -> pd.DataFrame:
    """Lines of those orders: customer_id, order_id, at, line, sku, category, value (quantity × price)."""
    rows = [
        (
            row.customer_id,
            row.order_id,
            row.at,
            at,
            one.sku,
            one.category,
            one.quantity * one.unit_price_minor,
        )
        for row in orders(events, as_of).itertuples()
        for at, one in enumerate(row.lines, start=1)
    ]
    return pd.DataFrame(rows, columns=["customer_id", "order_id", "at", "line", "sku", "category", "value"])


def minor(amounts: Iterable[object], digits: int = 2) -> list[int | None]:
    """An answer's decimals as minor units."""
    return [None if pd.isna(each) else int(each * 10**digits) for each in amounts]  # type: ignore[call-overload,operator]
