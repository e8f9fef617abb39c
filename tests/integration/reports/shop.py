"""What happened in a made-up shop, and what do its orders come to? Computed from the events alone."""

import random
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pandas as pd
import pytest

from schemas.events import (
    BaseCurrencySet,
    CampaignSent,
    Event,
    ExchangeRateSet,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    OwnerAssigned,
    SegmentChanged,
)

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
DIGITS = {"JPY": 0}
STORES = (None, "Mitte", "東京 🗼", "'; DROP TABLE OrderPlaced; --")
CHANNELS = (None, "web", "app", "store")
SKUS = {"tea": "drinks", "mug": None, "pot-赤": "kitchen", "cake": "food"}


def at(text: str) -> int:
    """Milliseconds of a time, UTC where it says nothing else."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def stamp(occurred_at: int) -> dict[str, Any]:
    return {"event_id": str(uuid.uuid4()), "occurred_at": occurred_at, "received_at": occurred_at}


def bought(customer_id: str, when: str | int, minor: int, **more: Any) -> OrderPlaced:
    """An order of one customer."""
    moment = at(when) if isinstance(when, str) else when
    known = {"order_id": str(uuid.uuid4()), "currency": "USD", "amount_minor": minor}
    return OrderPlaced(**(stamp(moment) | {"customer_id": customer_id} | known | more))


def engine(kind: Callable[..., Event], occurred_at: int, **given: Any) -> Event:
    return kind(**(stamp(occurred_at) | given))


def made_up(customers: int = 90, seed: int = 7) -> list[Event]:
    """From 2023 to mid-2025, in euros: all that makes an order count less, or not at all, happens too."""
    chance = random.Random(seed)
    start, end = at("2023-01-01"), at("2025-06-20")
    events: list[Event] = [
        engine(BaseCurrencySet, start, currency="EUR"),
        engine(ExchangeRateSet, start, currency="USD", base_currency="EUR", rate="0.8837"),
        engine(ExchangeRateSet, at("2024-09-01"), currency="USD", base_currency="EUR", rate="0.9123"),
        engine(ExchangeRateSet, start, currency="JPY", base_currency="EUR", rate="0.00615"),
    ]
    for n in range(customers):
        customer_id = f"c-{n}" if n else "顧客-😀"
        moment = start + chance.randrange(600) * DAY_MS
        if n % 3:
            events.append(_owned(customer_id, moment, chance))
        if n % 4 == 0:
            events.append(_owned(customer_id, moment + 300 * DAY_MS, chance))
        events += _segments(customer_id, moment, chance)
        for _ in range(chance.randrange(0, 4)):
            events.append(_sent(customer_id, chance.randrange(start, end), chance))
        while n % 15 and moment < end:
            events += _order(customer_id, moment, chance)
            moment += chance.randrange(2 * HOUR_MS, 140 * DAY_MS)
    return events


def _owned(customer_id: str, moment: int, chance: random.Random) -> Event:
    owner = chance.choice(("ann", "bob", "李"))
    return OwnerAssigned(customer_id=customer_id, owner_id=owner, **stamp(moment))


def _segments(customer_id: str, moment: int, chance: random.Random) -> list[Event]:
    """Entered, and of some also left."""
    changes = []
    for segment in ("vip", "lapsing"):
        for entered in (True, False)[: chance.randrange(3)]:
            moment += DAY_MS
            changes.append((segment, entered, moment))
    cause = {"late": False, "rules_version": "1", "cause_topic": "t", "cause_partition": 0, "cause_offset": 0}
    return [
        SegmentChanged(customer_id=customer_id, segment=segment, entered=entered, **cause, **stamp(moment))
        for segment, entered, moment in changes
    ]


def _sent(customer_id: str, moment: int, chance: random.Random) -> Event:
    cost = chance.choice((None, 3, 40))
    currency = None if cost is None else chance.choice(("EUR", "USD"))
    return CampaignSent(
        customer_id=customer_id, campaign_id="spring", cost_minor=cost, currency=currency, **stamp(moment)
    )


def _order(customer_id: str, moment: int, chance: random.Random) -> list[Event]:
    currency = chance.choice(("EUR", "EUR", "USD", "JPY", "GBP"))
    lines = tuple(
        OrderLine(
            sku=sku,
            category=SKUS[sku],
            quantity=chance.randrange(0, 5),
            unit_price_minor=chance.randrange(100, 4_000),
            cost_minor=chance.choice((None, 0, 90, 90, 350, 350)),
        )
        for sku in chance.choices(list(SKUS), k=chance.randrange(0, 4))
    )
    discount = chance.choice((None, None, 0, 250))
    placed = bought(
        customer_id,
        moment,
        chance.randrange(0, 20_000),
        currency=currency,
        lines=lines,
        discount_minor=discount,
        store=chance.choice(STORES),
        channel=chance.choice(CHANNELS),
    )
    events: list[Event] = [placed]
    about = {"customer_id": customer_id, "order_id": placed.order_id}
    if chance.random() < 0.15:
        later = moment + chance.randrange(60 * DAY_MS)
        back = chance.randrange(placed.amount_minor + 1)
        events.append(OrderRefunded(amount_minor=back, currency=currency, **about, **stamp(later)))
    if chance.random() < 0.1:
        events.append(OrderCancelled(**about, **stamp(moment + chance.randrange(90 * DAY_MS))))
    return events


def known(events: Iterable[Event], as_of: str) -> list[Event]:
    """Those that had happened."""
    return [event for event in events if event.occurred_at <= at(as_of)]


def converter(events: Sequence[Event]) -> Callable[[int | None, str | None], int | None]:
    """Minor units of a currency as those of the base currency, rounded half to even."""
    (base,) = [e.currency for e in events if isinstance(e, BaseCurrencySet)] or ["USD"]
    rates = {base: Decimal(1)}
    for rate in sorted((e for e in events if isinstance(e, ExchangeRateSet)), key=lambda e: e.occurred_at):
        if rate.base_currency == base:
            rates[rate.currency] = Decimal(rate.rate)

    def convert(minor: int | None, currency: str | None) -> int | None:
        if minor is None or currency not in rates:
            return None
        factor = rates[currency] * Decimal(10) ** (DIGITS.get(base, 2) - DIGITS.get(currency, 2))
        return int((minor * factor).to_integral_value(ROUND_HALF_EVEN))

    return convert


def orders(events: Iterable[Event], as_of: str, timezone: str = "UTC") -> pd.DataFrame:
    """Each order that was not cancelled, by what was known; NaN in net: no rate, in cost: not known.

    `at` is local.
    """
    seen = known(events, as_of)
    convert = converter(seen)
    cancelled = {(e.customer_id, e.order_id) for e in seen if isinstance(e, OrderCancelled)}
    refunds: dict[tuple[str, str, str], int] = {}
    for e in seen:
        if isinstance(e, OrderRefunded):
            key = (e.customer_id, e.order_id, e.currency)
            refunds[key] = refunds.get(key, 0) + e.amount_minor
    found = []
    for e in seen:
        if isinstance(e, OrderPlaced) and (e.customer_id, e.order_id) not in cancelled:
            net = e.amount_minor - refunds.get((e.customer_id, e.order_id, e.currency), 0)
            costs = [None if one.cost_minor is None else one.quantity * one.cost_minor for one in e.lines]
            cost = None if not costs or None in costs else convert(sum(c for c in costs if c), e.currency)
            units = sum(one.quantity for one in e.lines)
            found.append(
                {
                    "customer": e.customer_id,
                    "order": e.order_id,
                    "ms": e.occurred_at,
                    "units": units,
                    "net": 0 if net == 0 else convert(net, e.currency),
                    "cost": cost,
                    "discount": convert(e.discount_minor, e.currency),
                    "store": e.store,
                    "channel": e.channel,
                    "lines": len(e.lines),
                }
            )
    columns = ["customer", "order", "ms", "units", "net", "cost", "discount", "store", "channel", "lines"]
    frame = pd.DataFrame(found, columns=columns)
    frame["at"] = (
        pd.to_datetime(frame["ms"], unit="ms", utc=True).dt.tz_convert(timezone).dt.tz_localize(None)
    )
    for column in ("net", "cost", "discount"):
        frame[column] = frame[column].astype("float64")
    return frame


def lines(events: Iterable[Event], as_of: str) -> pd.DataFrame:
    """Each line of those orders, with its value at unit price."""
    seen = known(events, as_of)
    convert = converter(seen)
    kept = set(orders(seen, as_of)["order"])
    return pd.DataFrame(
        [
            (
                e.order_id,
                line.sku,
                line.category,
                line.quantity,
                convert(line.quantity * line.unit_price_minor, e.currency),
            )
            for e in seen
            if isinstance(e, OrderPlaced) and e.order_id in kept
            for line in e.lines
        ],
        columns=["order", "sku", "category", "units", "value"],
    )


def plain(value: Any) -> Any:
    """A cell as Python has it: None for all that is missing, money in minor units."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, Decimal):
        return int(value.scaleb(-int(value.as_tuple().exponent)))
    if isinstance(value, pd.Timestamp):
        return value.date()
    if hasattr(value, "item"):
        return value.item()
    return value


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Every column of the expectation, every row, in order; floats to nine digits."""
    assert list(found.columns) == list(expected.columns)
    assert len(found) == len(expected)
    for column in expected:
        left, right = list(map(plain, found[column])), list(map(plain, expected[column]))
        numbers = all(isinstance(x, int | float | None) for x in right)
        if not numbers:
            assert left == right, column
            continue
        assert [x is None for x in left] == [x is None for x in right], column
        told = [x for x in left if x is not None]
        assert told == pytest.approx([x for x in right if x is not None], rel=1e-9, abs=1e-9), column


def day(text: str) -> date:
    return date.fromisoformat(text)
