"""Does the JSON form take what is right, and name each fault with its remedy?"""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import EVENT_TYPES, OrderLine, OrderPlaced
from schemas.form import Fault, Invalid, parse, render
from tests.strategies import event

NOW = 1_795_300_000_000  # 2026-11-21T22:26:40Z
ORDER = {"type": "OrderPlaced", "customer_id": "a", "order_id": "1", "amount": "25.99", "currency": "USD"}
LINE = {"sku": "s", "quantity": 1, "unit_price": "3"}
SURVEY = {
    "type": "SurveyAnswered",
    "customer_id": "a",
    "survey": "s",
    "question": "q",
    "kind": "nps",
    "score": 9,
}
CART = {"type": "CartUpdated", "customer_id": "a"}
TRAITS = {"type": "TraitsUpdated", "customer_id": "a"}
CONTRACT = {
    "type": "ContractSigned",
    "customer_id": "a",
    "contract_id": "c",
    "amount": "1",
    "currency": "EUR",
}
CONTRACT |= {"starts_on": "2026-01-31"}
RATE = {"type": "ExchangeRateSet", "currency": "EUR", "base_currency": "USD", "rate": "1.1"}


def faults(document: object, **options: Any) -> list[Fault]:
    with pytest.raises(Invalid) as caught:
        parse(document, now_ms=NOW, **options)
    return caught.value.faults


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
@settings(max_examples=30)
@given(data=st.data())
def test_every_event_survives_its_json_form(name: str, data: st.DataObject) -> None:
    """parse(render(e)) is e, through JSON text, but for received_at, which is the time of parsing."""
    original = data.draw(event(name))
    document = json.loads(json.dumps(render(original), allow_nan=False))
    parsed = parse(document, now_ms=0, wall_ms=NOW + 10**10, engine=True)
    assert msgspec.structs.replace(parsed, received_at=original.received_at) == original


def test_what_is_left_out_is_generated() -> None:
    """Without event_id, occurred_at, source an event gets a new id, the engine's clock, the default."""
    first, second = (parse(ORDER, now_ms=NOW, wall_ms=NOW + 1) for _ in range(2))
    assert (first.occurred_at, first.received_at, first.source) == (NOW, NOW + 1, "api")
    assert first.event_id != second.event_id
    assert parse(ORDER, now_ms=NOW, source="shop").source == "shop"
    assert parse(ORDER | {"source": "pos"}, now_ms=NOW, source="shop").source == "pos"


def test_money_is_read_in_either_form() -> None:
    """A decimal has the digits of the currency, which lines share; minor units are taken as they are."""
    lines = [LINE | {"unit_price": "12.9"}, {"sku": "t", "quantity": 0, "unit_price_minor": 7}]
    order = parse(ORDER | {"lines": lines, "tax_minor": 415}, now_ms=NOW)
    assert isinstance(order, OrderPlaced)
    assert (order.amount_minor, order.tax_minor) == (2599, 415)
    assert order.lines == (
        OrderLine(sku="s", quantity=1, unit_price_minor=1290),
        OrderLine(sku="t", quantity=0, unit_price_minor=7),
    )
    yen = parse(ORDER | {"amount": "2599", "currency": "JPY"}, now_ms=NOW)
    dinar = parse(ORDER | {"amount": "2.599", "currency": "KWD"}, now_ms=NOW)
    assert yen.amount_minor == dinar.amount_minor == 2599


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T22:26:40.123Z", NOW + 123),
        ("2026-11-22T00:26:40+02:00", NOW),
        (NOW, NOW),
    ],
)
def test_times_are_rfc_3339_or_ms(text: object, ms: int) -> None:
    """Any offset is taken to UTC; whole milliseconds since the epoch are taken as they are."""
    assert parse(ORDER | {"occurred_at": text}, now_ms=NOW).occurred_at == ms


def test_the_form_shows_times_in_utc_and_money_in_decimals() -> None:
    """An event is shown as it is posted, without what is null."""
    shown = render(
        parse(ORDER | {"event_id": "0C9B6A1E-6D1F-4A0E-8B7C-2F6F3F7F1A11", "lines": [LINE]}, now_ms=NOW)
    )
    assert shown == ORDER | {
        "event_id": "0c9b6a1e-6d1f-4a0e-8b7c-2f6f3f7f1a11",
        "occurred_at": "2026-11-21T22:26:40Z",
        "received_at": "2026-11-21T22:26:40Z",
        "source": "api",
        "lines": [LINE | {"unit_price": "3.00"}],
    }


@pytest.mark.parametrize(
    ("document", "field", "detail"),
    [
        ([ORDER], "", "must be a JSON object"),
        ({}, "type", "is missing"),
        ({"type": 1}, "type", "1 is no event"),
        ({"type": "OrderPlacd"}, "type", "did you mean OrderPlaced"),
        ({"type": "ClockTicked"}, "type", "by the engine only"),
        ({k: v for k, v in ORDER.items() if k != "order_id"}, "order_id", "is missing"),
        ({k: v for k, v in ORDER.items() if k != "amount"}, "amount", "is missing"),
        ({k: v for k, v in ORDER.items() if k != "currency"}, "currency", "is missing"),
        (ORDER | {"amuont": "1"}, "amuont", "did you mean amount"),
        (ORDER | {"\ud800": "1"}, "\\ud800", "leave it out"),
        (ORDER | {"order_id": None}, "order_id", "must be a string, not null"),
        (ORDER | {"order_id": 1}, "order_id", "must be a string, not 1"),
        (ORDER | {"order_id": ""}, "order_id", "is empty"),
        (ORDER | {"order_id": "x" * 129}, "order_id", "at most 128"),
        (ORDER | {"order_id": "\ud800"}, "order_id", "surrogate"),
        (ORDER | {"customer_id": ""}, "customer_id", "is empty"),
        (ORDER | {"customer_id": "a\x00"}, "customer_id", "control characters"),
        (ORDER | {"customer_id": "x" * 129}, "customer_id", "at most 128"),
        (ORDER | {"event_id": "1"}, "event_id", "must be a UUID"),
        (ORDER | {"occurred_at": "2026-11-21"}, "occurred_at", "with its offset"),
        (ORDER | {"occurred_at": "2026-11-21T10:00:00"}, "occurred_at", "with its offset"),
        (ORDER | {"occurred_at": "2026-02-30T10:00:00Z"}, "occurred_at", "no time that exists"),
        (ORDER | {"occurred_at": "1969-12-31T23:59:59Z"}, "occurred_at", "from 1970"),
        (ORDER | {"occurred_at": 1.5}, "occurred_at", "must be a time"),
        (ORDER | {"occurred_at": NOW + 300_001}, "occurred_at", "ahead of the clock"),
        (ORDER | {"amount": 25.99}, "amount", "a decimal in a string"),
        (ORDER | {"amount": "NaN"}, "amount", "a decimal in a string"),
        (ORDER | {"amount": "25.999"}, "amount", "more than the currency's 2 decimals"),
        (ORDER | {"amount": "-1"}, "amount", "must not be negative"),
        (ORDER | {"amount": "99999999999999"}, "amount", "at most"),
        (ORDER | {"tax_minor": 1.0}, "tax_minor", "minor units"),
        (ORDER | {"tax_minor": True}, "tax_minor", "minor units"),
        (ORDER | {"amount_minor": 2599}, "amount_minor", "send one of them"),
        (ORDER | {"currency": "XYZ"}, "currency", "ISO 4217"),
        (ORDER | {"currency": "usd"}, "currency", "ISO 4217"),
        (CART | {"amount": "3.00"}, "amount", "needs its currency"),
        (CART | {"lines": [LINE]}, "lines[0].unit_price", "needs its currency"),
        (CART | {"action": "dropped"}, "action", "must be one of added"),
        (ORDER | {"lines": {}}, "lines", "must be a list"),
        (ORDER | {"lines": [1]}, "lines[0]", "must be an object"),
        (ORDER | {"lines": [LINE] * 1001}, "lines", "at most 1000"),
        (ORDER | {"lines": [LINE, LINE | {"quantity": -1}]}, "lines[1].quantity", "from 0"),
        (ORDER | {"lines": [LINE | {"quantity": "1"}]}, "lines[0].quantity", "must be a whole number"),
        (ORDER | {"lines": [LINE | {"quantity": 2**31}]}, "lines[0].quantity", "to 2147483647"),
        (ORDER | {"lines": [LINE | {"colour": "red"}]}, "lines[0].colour", "no field"),
        (SURVEY | {"score": float("nan")}, "score", "must be finite"),
        (SURVEY | {"score": float("inf")}, "score", "must be finite"),
        (SURVEY | {"score": 10**400}, "score", "must be finite"),
        (SURVEY | {"score": "9"}, "score", "must be a number"),
        (SURVEY | {"score": 11}, "score", "scale_max 10"),
        (TRAITS | {"traits": []}, "traits", "must be an object"),
        (TRAITS | {"traits": {"age": 34}}, "traits.age", 'send "34"'),
        (TRAITS | {"traits": {"": "x"}}, "traits.", "bad name"),
        (TRAITS | {"traits": {"x": "y" * 4097}}, "traits.x", "at most 4096"),
        (TRAITS | {"traits": {"x": "\ud800"}}, "traits.x", "surrogate"),
        (TRAITS | {"traits": {str(n): "" for n in range(65)}}, "traits", "at most 64"),
        (TRAITS | {"removed": [1]}, "removed[0]", "must be a string"),
        (CONTRACT | {"starts_on": "31.1.2026"}, "starts_on", "must be a date"),
        (CONTRACT | {"starts_on": "2026-02-30"}, "starts_on", "no date that exists"),
        (CONTRACT | {"starts_on": "1899-12-31"}, "starts_on", "from 1900"),
        (CONTRACT | {"ends_on": "2026-01-30"}, "ends_on", "before starts_on, 2026-01-31"),
        (CONTRACT | {"is_renewing": 1}, "is_renewing", "true or false"),
        (RATE | {"rate": "0.0"}, "rate", "a positive decimal"),
        (RATE | {"rate": "1e3"}, "rate", "a positive decimal"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field_and_remedy(document: dict[str, Any], field: str, detail: str) -> None:
    """One thing is wrong, and the one fault says where and what to do; it can be sent as UTF-8."""
    [fault] = faults(document, engine=document is not None and "rate" in document)
    assert fault.field == field
    assert detail in fault.detail
    assert f"{fault.field}{fault.detail}".encode()


def test_every_fault_is_listed() -> None:
    """A document with several faults gets them all at once."""
    bad = ORDER | {"customer_id": "", "amount": "1.234", "lines": [{"sku": 1, "quantity": -1}], "x": 1}
    assert [fault.field for fault in faults(bad)] == [
        "customer_id", "amount", "lines[0].sku", "lines[0].quantity", "lines[0].unit_price", "x",
    ]  # fmt: skip


@settings(max_examples=20)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3),
    )
)
def test_no_value_breaks_the_parser(value: object) -> None:
    """Any JSON value in every field at once is refused by name; nothing else is raised."""
    for name, kind in EVENT_TYPES.items():
        document = {"type": name, "traits": {"x": value}} | dict.fromkeys(kind.__struct_fields__, value)
        with pytest.raises(Invalid):
            parse(document, now_ms=NOW, engine=True)
