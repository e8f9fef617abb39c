"""Which events can happen? Hypothesis strategies for the whole catalogue, drawn from its own rules."""

from functools import cache
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from schemas import events as catalogue
from schemas.currency import DIGITS
from schemas.events import EVENT_TYPES, CustomerEvent, Event
from schemas.form import contradiction
from schemas.rules import RECORDS, Field, Record

FIRST_MS = 852_076_800_000  # 1997-01-01
LAST_MS = 1_795_305_600_000  # 2026-11-22

times = st.integers(FIRST_MS, LAST_MS)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
ids = st.sampled_from(["a", "b", "c-1", "00004", "café", "x" * 128]) | names
currencies = st.sampled_from(["USD", "EUR", "JPY", "KWD", "CLF"]) | st.sampled_from(sorted(DIGITS))


def _value(field: Field) -> st.SearchStrategy[Any]:
    low, high = field.low, field.high
    match field.kind:
        case "string" if field.one_of:
            return st.sampled_from(field.one_of)
        case "string" if field.name.endswith("customer_id"):
            return ids
        case "string" if field.name == "rate":
            return st.decimals("0.0001", "99999", places=4).map(str)
        case "string":
            return names if field.required or field.max_length < 4096 else texts | names
        case "uuid":
            return st.uuids().map(str)
        case "currency":
            return currencies
        case "bytes":
            return st.binary(max_size=40)
        case "boolean":
            return st.booleans()
        case "int" | "long" | "money" | "on":
            near = st.integers(max(int(low), -1000), min(int(high), 100_000))
            return near | st.integers(int(low), int(high))
        case "double":
            return st.floats(max(low, 0), min(high, 10)) | st.floats(low, high)
        case "at":
            return times
        case "map":
            return st.dictionaries(names, texts, max_size=4)
        case "array" if field.item is not None:
            return st.lists(_value(field.item), max_size=3).map(tuple)
        case "record" if field.record is not None:
            return _struct(field.record, getattr(catalogue, field.record.name))
    raise ValueError(f"no strategy for {field}")


def _struct(record: Record, make: type[Struct], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    required = {f.name: _value(f) for f in record.fields if f.required}
    optional = {
        f.name: st.none() | _value(f) if f.nullable else _value(f) for f in record.fields if not f.required
    }
    drawn = st.fixed_dictionaries(
        required | fixed, optional={n: s for n, s in optional.items() if n not in fixed}
    )
    return drawn.map(lambda fields: make(**fields))


@cache
def event(name: str, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """Events of one type that the JSON form would let through, in any order of time."""
    drawn = _struct(RECORDS[name], EVENT_TYPES[name], **fixed)
    return drawn.filter(lambda e: _has_its_currency(e) and contradiction(e) is None)


def _has_its_currency(e: Event) -> bool:
    """An amount of an event with an optional currency needs one."""
    inside = [*getattr(e, "lines", ()), *getattr(e, "parts", ())]
    amounts = [
        getattr(part, field)
        for part in [e, *inside]
        for field in part.__struct_fields__
        if field.endswith("_minor")
    ]
    return getattr(e, "currency", "") is not None or all(amount is None for amount in amounts)


def events(*names: str) -> st.SearchStrategy[Event]:
    """Any event, or any of those types."""
    return st.sampled_from(names or sorted(EVENT_TYPES)).flatmap(event)


def customer_events(
    customer_id: str | st.SearchStrategy[str] | None = None, *names: str
) -> st.SearchStrategy[CustomerEvent]:
    """Any event of a customer, of that one where given; only those types where given."""
    wanted = names or sorted(name for name, kind in EVENT_TYPES.items() if issubclass(kind, CustomerEvent))
    customer = (
        ids if customer_id is None else st.just(customer_id) if isinstance(customer_id, str) else customer_id
    )
    return st.sampled_from(wanted).flatmap(lambda name: event(name, customer_id=customer))
