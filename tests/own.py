"""What do the tests of own reports ask about? Shoppers by a fixed seed, as events and as tables."""

import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from history.own import read
from history.own_answer import Own
from history.reporting import Answer
from history.store import History
from schemas.events import (
    BaseCurrencySet,
    CustomerRegistered,
    CustomEvent,
    Event,
    ExchangeRateSet,
    OrderCancelled,
    OrderPlaced,
    SegmentChanged,
)
from schemas.values import instant

ZONE = "Asia/Tokyo"
AS_OF = "2026-01-01T00:00:00Z"
FIRST = datetime(2023, 11, 1, tzinfo=UTC)
CITIES = [None, "Bern", "東京", "Zürich", "🍎", "o'thers"]
STORES = [None, "North", "South", "East", "West", "others"]
RATES = {"USD": 1.0, "EUR": 1.25, "GBP": None}


def stamp(at: datetime = FIRST) -> dict[str, Any]:
    ms = round(at.timestamp() * 1000)
    return {"event_id": str(uuid.uuid4()), "occurred_at": ms, "received_at": ms}


def shoppers() -> tuple[list[Event], pd.DataFrame, pd.DataFrame]:
    """Events; an order a row (customer, at, month …, base, cancelled, store, city); a custom event a row."""
    rng = random.Random(6)
    events: list[Event] = [
        BaseCurrencySet(currency="USD", **stamp()),
        ExchangeRateSet(currency="EUR", base_currency="USD", rate="1.25", **stamp()),
    ]
    orders, rated = [], []
    for number in range(40):
        customer, city = f"c-{number:02}", CITIES[number % len(CITIES)]
        segments = [name for name in ("regulars", "vip") if rng.random() < 0.4]
        traits = {} if city is None else {"city": city}
        events.append(CustomerRegistered(customer_id=customer, traits=traits, **stamp()))
        events += [_entered(customer, segment) for segment in segments]
        for _ in range(rng.randrange(12)):
            at = FIRST + timedelta(seconds=rng.randrange(600 * 86_400))
            order, amount, currency = str(uuid.uuid4()), rng.randrange(1, 20_000), rng.choice([*RATES])
            store, cancelled = rng.choice(STORES), rng.random() < 0.1
            event = OrderPlaced(
                customer_id=customer,
                order_id=order,
                amount_minor=amount,
                currency=currency,
                store=store,
                channel=rng.choice([None, "web", "app"]),
                **stamp(at),
            )
            events.append(event)
            if cancelled:
                events.append(OrderCancelled(customer_id=customer, order_id=order, **stamp(at)))
            rate = RATES[currency]
            base = 0 if cancelled else None if rate is None else round(amount * rate)
            orders.append(
                (customer, at, amount, currency, base, cancelled, store, event.channel, city, segments)
            )
        stars = rng.choice(["1", "2.5", "many", None])
        properties = {} if stars is None else {"stars": stars}
        events.append(CustomEvent(customer_id=customer, name="rated", properties=properties, **stamp()))
        rated.append((customer, stars, city))
    names = [
        "customer",
        "at",
        "amount",
        "currency",
        "base",
        "cancelled",
        "store",
        "channel",
        "city",
        "segments",
    ]
    frame = pd.DataFrame(orders, columns=names).astype({"base": "Int64"})
    frame["day"] = frame["at"].dt.tz_convert(ZoneInfo(ZONE)).dt.tz_localize(None).dt.normalize()
    return events, frame, pd.DataFrame(rated, columns=["customer", "stars", "city"])


def _entered(customer: str, segment: str) -> Event:
    return SegmentChanged(
        customer_id=customer,
        segment=segment,
        entered=True,
        late=False,
        rules_version="v1",
        cause_topic="headwater.events",
        cause_partition=0,
        cause_offset=0,
        **stamp(),
    )


async def told(history: History, form: dict[str, Any]) -> Answer:
    """The whole answer to a form."""
    asked = read(form)
    return await history.own(Own(asked), instant(asked.as_of or AS_OF), asked.timezone or ZONE)


async def answer(history: History, form: dict[str, Any]) -> pd.DataFrame:
    """Its rows: money as Decimal, dates as date."""
    return (await told(history, form)).table.to_pandas()


def money(minor: Any) -> Any:
    """Minor units of USD as the answer has them; a mean is rounded, a half to the even one."""
    return None if pd.isna(minor) else Decimal(round(float(minor))).scaleb(-2)


def plain(value: Any) -> Any:
    """A cell that can be compared: dates as text, what is missing as None."""
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return round(float(value), 9) if isinstance(value, float | np.floating) else value


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows in an order that does not depend on the query."""
    return sorted((tuple(map(plain, row)) for row in frame.itertuples(index=False)), key=repr)
