"""Is what each source reports judged as pandas judges the events, value by value?"""

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from schemas.currency import DIGITS
from schemas.events import (
    CustomerEvent,
    CustomerRegistered,
    Event,
    LeadCaptured,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
    ProcessingFailed,
    SurveyAnswered,
    TicketOpened,
    TraitsUpdated,
)
from tests.integration.reports.small_shop import customer_events, same, shop
from tests.reporting import answer, history_of

NOW, THEN = "2026-01-01T00:00:00Z", "2025-03-31T15:30:00Z"
NEW_COUNTRIES = {"DE": True, "cn": True, "Brasil": True, "中国": True, "XX": False, "D3": False}
EMAIL = re.compile(r"[^\s@]+@\w[\w-]*(\.\w[\w-]*)+")


def is_email(value: str) -> bool:
    """One @, no space, and a dot after it."""
    return EMAIL.fullmatch(value) is not None


def is_phone(value: str) -> bool:
    digits = re.sub(r"[\s().\-/]", "", value)
    return digits.removeprefix("+").isdigit() and 6 <= len(digits.removeprefix("+")) <= 15


def is_birthday(value: str, at: int) -> bool:
    try:
        return (
            value[4:5] == "-"
            and date(1900, 1, 1) <= date.fromisoformat(value) <= datetime.fromtimestamp(at / 1000, UTC).date()
        )
    except ValueError:
        return False


def judged(event: CustomerEvent) -> Iterator[bool]:
    """Whether each value that has a validator passes it."""
    match event:
        case CustomerRegistered(traits=traits) | TraitsUpdated(traits=traits):
            for name, value in traits.items():
                if name == "email":
                    yield is_email(value)
                elif name == "phone":
                    yield is_phone(value)
                elif name == "country":
                    yield NEW_COUNTRIES[value]
                elif name == "birthday":
                    yield is_birthday(value, event.occurred_at)
        case LeadCaptured(email=email, phone=phone):
            if email is not None:
                yield is_email(email)
            if phone is not None:
                yield is_phone(phone)
        case OrderPlaced():
            yield event.currency in DIGITS and (event.amount_minor > 0 or (event.discount_minor or 0) > 0)
        case SurveyAnswered():
            yield event.scale_min <= event.score <= event.scale_max


def asked(event: CustomerEvent) -> Iterator[bool]:
    """Whether each value that could be given was."""
    yield event.channel is not None
    match event:
        case CustomerRegistered(traits=traits):
            yield from (name in traits for name in ("email", "phone", "country"))
        case LeadCaptured(email=email, phone=phone):
            yield from (bool(email), bool(phone))
        case OrderPlaced():
            yield from (bool(event.lines), bool(event.store), event.tax_minor is not None)
            for line in event.lines:
                yield from (bool(line.category), line.cost_minor is not None)
        case TicketOpened(category=category):
            yield bool(category)


def is_sound(told: list[CustomerEvent]) -> bool:
    """Whether what is told of one order does not contradict itself."""
    placed = [event for event in told if isinstance(event, OrderPlaced)]
    if len({(event.amount_minor, event.currency) for event in placed}) != 1:
        return False
    for event in placed:
        lines = sum(line.quantity * line.unit_price_minor for line in event.lines) - (
            event.discount_minor or 0
        )
        extras = (event.tax_minor or 0) + (event.shipping_minor or 0)
        if max(lines, extras) > event.amount_minor:
            return False
    return (
        sum(event.amount_minor for event in told if isinstance(event, OrderRefunded))
        <= placed[0].amount_minor
    )


@pytest.mark.parametrize("within_hours", [1, 24])
@pytest.mark.parametrize("as_of", [NOW, THEN])
async def test_each_source_is_judged_value_by_value(tmp_path: Path, as_of: str, within_hours: int) -> None:
    """Shares are of what was checked; a repeat of an event is no second one."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "data_quality", as_of=as_of, within_hours=within_hours)
    moment = pd.Timestamp(as_of).timestamp() * 1000
    events = {
        e.event_id: e for e in shop() if isinstance(e, CustomerEvent) and e.occurred_at <= moment
    }.values()
    right, given = defaultdict[str, list[bool]](list), defaultdict[str, list[bool]](list)
    of_order = defaultdict[tuple[str, str], list[CustomerEvent]](list)
    for event in events:
        right[event.source] += judged(event)
        given[event.source] += asked(event)
        if isinstance(event, OrderPlaced | OrderRefunded | OrderCancelled):
            of_order[event.customer_id, event.order_id].append(event)
    orders, sound = Counter[str](), Counter[str]()
    for told in of_order.values():
        source = min(told, key=lambda event: event.occurred_at).source
        orders[source] += 1
        sound[source] += is_sound(told)
    seen = customer_events(shop(), as_of)
    seen["hours"] = (seen["received_at"] - seen["occurred_at"]) / 3_600_000
    rows = [
        {
            "source": source,
            "events": len(group),
            "accuracy": sum(right[source]) / len(right[source]),
            "values": len(right[source]),
            "completeness": sum(given[source]) / len(given[source]),
            "consistency": sound[source] / orders[source],
            "orders": orders[source],
            "timeliness": float((group["hours"] <= within_hours).mean()),
            "delay_hours": float(group["hours"].median()),
            "failed": 0,
        }
        for source, group in seen.groupby("source")
    ]
    same(found, sorted(rows, key=lambda row: (-row["events"], row["source"])))


async def test_what_failed_is_counted_apart(tmp_path: Path) -> None:
    """A record that could be read and not be processed is failed, and no event."""
    first, second = [event for event in shop() if isinstance(event, OrderPlaced) and event.source == "pos"][
        :2
    ]
    stamp = {"event_id": str(uuid.UUID(int=1, version=4)), "occurred_at": first.occurred_at, "received_at": 0}
    failure = ProcessingFailed(topic="headwater.events", partition=0, offset=1, reason="late", **stamp)
    found = await answer(await history_of(tmp_path, [first, second, failure]), "data_quality")
    assert found[["source", "events", "failed"]].values.tolist() == [["pos", 1, 1]]


async def test_what_failed_is_not_judged(tmp_path: Path) -> None:
    """A failed order has no values that are right or missing, and leaves its refund without an order."""
    placed = next(e for e in shop() if isinstance(e, OrderPlaced) and e.source == "pos" and e.lines)
    stamp = {"occurred_at": placed.occurred_at, "received_at": placed.occurred_at}
    refund = OrderRefunded(
        event_id=str(uuid.UUID(int=2, version=4)),
        customer_id=placed.customer_id,
        order_id=placed.order_id,
        amount_minor=1,
        currency=placed.currency,
        source="crm",
        **stamp,
    )
    failure = ProcessingFailed(
        event_id=str(uuid.UUID(int=1, version=4)),
        topic="headwater.events",
        partition=0,
        offset=0,
        reason="late",
        **stamp,
    )
    found = await answer(await history_of(tmp_path, [placed, refund, failure]), "data_quality")
    judged = ["source", "events", "failed", "values", "orders"]
    assert found[judged].values.tolist() == [["crm", 1, 0, 0, 1], ["pos", 0, 1, 0, 0]]
    assert found["consistency"].tolist()[0] == 0
    assert found[["accuracy", "completeness", "consistency"]].iloc[1].isna().all()


async def test_a_source_without_values_to_judge_has_no_shares(tmp_path: Path) -> None:
    """Nothing of nothing is null, not 0 and not 1."""
    page: Event = msgspec.structs.replace(
        next(iter(e for e in shop() if isinstance(e, CustomerEvent))), source="系统 🤖"
    )
    found = await answer(await history_of(tmp_path, [page]), "data_quality")
    assert found["source"].tolist() == ["系统 🤖"]
    assert found[["accuracy", "consistency"]].isna().all(axis=None)
