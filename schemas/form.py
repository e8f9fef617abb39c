"""What do events look like as JSON? The form in which they are posted and shown."""

import base64
import difflib
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from msgspec import Struct

from schemas import events
from schemas.currency import DIGITS, decimal
from schemas.events import EVENT_TYPES, Event
from schemas.rules import RECORDS, Field, Record
from schemas.values import (
    BAD_CURRENCY,
    EPOCH,
    EPOCH_DAY,
    MILLISECOND,
    NO_CURRENCY,
    Reader,
    Wrong,
    array,
    decimal_amount,
    printable,
    reader,
    shown,
    wrong,
)

AHEAD_MS = 5 * 60_000  # how far a sender's clock may be ahead of ours
GENERATED = ("event_id", "occurred_at", "received_at", "source")


class Fault(Struct, frozen=True):
    field: str  # its path, such as lines[0].quantity
    detail: str  # what is wrong with it and what to do


class Invalid(ValueError):
    """The document is not an event; faults has every fault found."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.detail}".strip() for fault in faults))
        self.faults = faults


class _Slot(NamedTuple):
    name: str
    read: Reader
    required: bool
    nullable: bool
    decimal_name: str | None  # amounts: the key of their decimal form
    read_decimal: Reader


class _Shape(NamedTuple):
    make: Callable[..., Any]
    slots: tuple[_Slot, ...]
    keys: frozenset[str]
    without_currency: (
        int | None
    )  # the digits where no currency is given; None inherits those of the outer record


def _is_money(field: Field) -> bool:
    return field.kind == "money" or (field.item is not None and field.item.kind == "money")


def _slot(field: Field) -> _Slot:
    inside = field.item.record if field.item else None
    return _Slot(
        field.name,
        array(_record_reader(inside)) if inside else reader(field),
        field.required,
        field.nullable,
        field.name.removesuffix("_minor") if _is_money(field) else None,
        decimal_amount if field.item is None else array(decimal_amount),
    )


def _shape(record: Record, make: Callable[..., Any], common: tuple[str, ...] = ()) -> _Shape:
    slots = tuple(_slot(field) for field in record.fields if field.name not in common)
    currencies = [slot for slot in slots if slot.name == "currency"]
    decimals = {slot.decimal_name for slot in slots if slot.decimal_name}
    return _Shape(
        make,
        slots,
        frozenset({slot.name for slot in slots} | decimals),
        (NO_CURRENCY if currencies[0].nullable else BAD_CURRENCY) if currencies else None,
    )


def _record_reader(record: Record) -> Reader:
    shape = _shape(record, getattr(events, record.name))

    def read(value: Any, digits: int) -> Any:
        if type(value) is not dict:
            raise wrong(f"must be an object with {', '.join(sorted(shape.keys))}, not {shown(value)}")
        faults: list[Fault] = []
        fields = _fields(shape, value, digits, frozenset(), faults)
        if faults:
            raise Wrong(*((f".{fault.field}", fault.detail) for fault in faults))
        return shape.make(**fields)

    return read


_SHAPES = {name: _shape(record, EVENT_TYPES[name], GENERATED) for name, record in RECORDS.items()}
_GENERATED = {f.name: reader(f) for f in RECORDS["ClockTicked"].fields}
_OUTER = frozenset({"type", *GENERATED})


def parse(
    document: object,
    *,
    now_ms: int,
    wall_ms: int | None = None,
    source: str | None = None,
    engine: bool = False,
) -> Event:
    """The event that a JSON document tells of; raises Invalid with every fault.

    now_ms is the engine's clock, for a document without occurred_at. wall_ms is the wall clock (now_ms where
    not given): received_at is set to it, and occurred_at may be five minutes ahead of it. source is for a
    document that names none; without it the schema's default holds. Engine events are refused unless engine.
    """
    if type(document) is not dict:
        raise Invalid([Fault("", f"must be a JSON object with a type, not {shown(document)}")])
    name = document.get("type")
    if type(name) is not str or name not in _SHAPES:
        raise Invalid([Fault("type", _unknown_type(name))])
    shape = _SHAPES[name]
    if RECORDS[name].domain == "engine" and not engine:
        raise Invalid(
            [Fault("type", f"{name} is told by the engine only: post what happened with a customer")]
        )
    wall = now_ms if wall_ms is None else wall_ms
    faults: list[Fault] = []
    fields = _common(document, now_ms, wall, source, faults)
    fields |= _fields(shape, document, BAD_CURRENCY, _OUTER, faults)
    if faults:
        raise Invalid(faults)
    event: Event = shape.make(**fields)
    faulty = contradiction(event)
    if faulty:
        raise Invalid([faulty])
    return event


def _unknown_type(name: object) -> str:
    if name is None:
        return "is missing: name the event, such as OrderPlaced"
    close = difflib.get_close_matches(str(name)[:64], EVENT_TYPES, n=1)
    known = "GET /registry/subjects lists the events, and /docs describes them"
    return f"{shown(name)} is no event: " + (f"did you mean {close[0]}? {known}" if close else known)


def _common(
    document: dict[str, Any], now_ms: int, wall_ms: int, source: str | None, faults: list[Fault]
) -> dict[str, Any]:
    fields: dict[str, Any] = {"received_at": wall_ms}
    for name in ("event_id", "occurred_at", "source"):
        value = document.get(name)
        if value is not None:
            try:
                fields[name] = _GENERATED[name](value, 0)
            except Wrong as error:
                faults += [Fault(name, detail) for _, detail in error.faults]
        elif name == "event_id":
            fields[name] = str(uuid.uuid4())
        elif name == "occurred_at":
            fields[name] = now_ms
        elif source is not None:
            fields[name] = source
    if fields.get("occurred_at", 0) > wall_ms + AHEAD_MS:
        faults.append(
            Fault(
                "occurred_at",
                f"is ahead of the clock, {moment(wall_ms)}, by over 5 minutes: check the sender's clock",
            )
        )
    return fields


def _fields(
    shape: _Shape, document: dict[str, Any], digits: int, outer: frozenset[str], faults: list[Fault]
) -> dict[str, Any]:
    if shape.without_currency is not None:
        currency = document.get("currency")
        known = DIGITS.get(currency, BAD_CURRENCY) if type(currency) is str else BAD_CURRENCY
        digits = shape.without_currency if currency is None else known
    fields: dict[str, Any] = {}
    for name, read, required, nullable, decimal_name, read_decimal in shape.slots:
        key, reads = name, read
        if decimal_name is not None and decimal_name in document:
            if name in document:
                faults.append(Fault(name, f"stands beside {decimal_name}: send one of them"))
            key, reads = decimal_name, read_decimal
        if key not in document:
            if required:
                faults.append(Fault(decimal_name or name, "is missing: add it"))
            continue
        value = document[key]
        if value is None and nullable:
            continue
        try:
            fields[name] = reads(value, digits)
        except Wrong as error:
            faults += [Fault(key + path, detail) for path, detail in error.faults]
    if not document.keys() <= (shape.keys | outer):
        unknown = sorted(document.keys() - shape.keys - outer)
        faults += [Fault(printable(key), _unknown_field(key, shape.keys)) for key in unknown]
    return fields


def _unknown_field(key: str, keys: frozenset[str]) -> str:
    close = difflib.get_close_matches(key[:64], keys, n=1)
    return "is no field of it: " + (f"did you mean {close[0]}?" if close else "leave it out")


def contradiction(event: Event) -> Fault | None:
    """Fields that are right one by one and wrong together."""
    match event:
        case events.SurveyAnswered(score=score, scale_min=low, scale_max=high) if not low <= score <= high:
            return Fault("score", f"must be from scale_min {low} to scale_max {high}, not {score}")
        case events.ReviewPosted(rating=rating, rating_max=most) if rating > most:
            return Fault("rating", f"must be at most rating_max {most}, not {rating}")
        case events.CustomersMerged(customer_id=kept, merged_customer_id=merged) if kept == merged:
            return Fault("merged_customer_id", f"must be another customer than {shown(kept)}")
        case events.CampaignPlanned(starts_on=first, ends_on=int(last)) if last < first:
            return Fault("ends_on", f"must not be before starts_on, {day(first)}")
        case events.ContractSigned(starts_on=first, ends_on=int(last)) if last < first:
            return Fault("ends_on", f"must not be before starts_on, {day(first)}")
        case events.ExchangeRateSet(rate=rate) if not _is_rate(rate):
            return Fault(
                "rate", f'must be a positive decimal in a string, such as "1.0842", not {shown(rate)}'
            )
    return None


def _is_rate(text: str) -> bool:
    whole, _, fraction = text.partition(".")
    return text.isascii() and (whole + fraction).isdigit() and whole != "" and int(whole + fraction) > 0


def moment(ms: int) -> str:
    """A time in RFC 3339, UTC, with milliseconds where there are any."""
    at = EPOCH + ms * MILLISECOND
    return at.isoformat(timespec="milliseconds" if ms % 1000 else "seconds").removesuffix("+00:00") + "Z"


def day(days: int) -> str:
    """A date in ISO 8601."""
    return date.fromordinal(days + EPOCH_DAY).isoformat()


def render(event: Event) -> dict[str, object]:
    """The JSON form, which parse reads again; fields that are null are left out."""
    name = type(event).__name__
    return {"type": name} | _render(event, RECORDS[name], getattr(event, "currency", None))


def _render(record: Struct, rules: Record, currency: str | None) -> dict[str, object]:
    shown_as: dict[str, object] = {}
    for field in rules.fields:
        value = getattr(record, field.name)
        if value is not None:
            decimals = _is_money(field) and currency in DIGITS
            name = field.name.removesuffix("_minor") if decimals else field.name
            shown_as[name] = _value(value, field, currency)
    return shown_as


def _value(value: Any, field: Field, currency: str | None) -> object:
    match field.kind:
        case "array" if field.item is not None:
            return [_value(item, field.item, currency) for item in value]
        case "record" if field.record is not None:
            return _render(value, field.record, currency)
        case "money":
            return decimal(value, currency) if currency in DIGITS else value
        case "at":
            return moment(value)
        case "on":
            return day(value)
        case "bytes":
            return base64.b64encode(value).decode()
    return value
