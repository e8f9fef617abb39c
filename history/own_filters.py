"""Which rows does a filter let through? Its field, operator and values become one condition of the query.

A row without a value passes `!=`, `not_in` and `is_null`, and nothing else: so a filter and its opposite
let every row through between them.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from msgspec import UNSET
from sqlglot import exp

from history.own import OPERATORS, BadForm, Filter, chosen
from history.own_fields import MOMENT, Bind, Field, call, placeholder

TIMEZONE = placeholder("timezone", "String")
MAX_TEXT = 4_096
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
YEARS = range(1900, 2300)  # what ClickHouse can tell
LONG = 2**63
COMPARES: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "!=": exp.EQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
OF_NOTHING = ("is_null", "not_null")
OF_SEVERAL = ("in", "not_in", "between")
OF_TEXT = ("contains", "starts_with")
NEGATIONS = ("!=", "not_in")
OF_LISTS = (*OF_NOTHING, "contains", "in", "not_in")


def condition(field: Field, asked: Filter, bind: Bind, where: str) -> exp.Expr:
    """The condition, which is never null; raises BadForm."""
    op = chosen(asked.op, OPERATORS, "There is no operator", f"{where}.op")
    values = _values(asked, where)
    if op in OF_NOTHING:
        missing = call("empty" if field.kind == "list" else "isNull", field.value)
        return missing if op == "is_null" else call("not", missing)
    if field.kind in ("records", "map"):
        raise BadForm(f"{field.told()}: filter by another field.", f"{where}.field")
    if op in OF_TEXT and field.kind not in ("text", "list"):
        raise BadForm(f"{field.told()}: {op} needs a text.", f"{where}.op")
    if field.kind == "list" and op not in OF_LISTS:
        raise BadForm(f"{field.told()}: use {', '.join(OF_LISTS)}.", f"{where}.op")
    left, type_, right = _sides(field, values, where)
    held = _test(field, op, left, type_, right, bind)
    if field.can_be_null and field.kind != "list":
        held = call("ifNull", held, exp.Literal.number(0))
    return call("not", held) if op in NEGATIONS else held


def day_of(field: Field) -> exp.Expr:
    """The day of a time or a date, in the report's timezone."""
    return call("toDate", field.value, TIMEZONE) if field.kind == "time" else field.value.copy()


def day(value: object) -> date | None:
    """The day that a text such as 2024-01-31 means; None where there is none."""
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        return None
    return found if found.year in YEARS else None


def _values(asked: Filter, where: str) -> Sequence[object]:
    """As many values as the operator takes; raises BadForm."""
    value, values, op = asked.value, asked.values, asked.op
    if op in OF_NOTHING:
        if value is not UNSET or values is not UNSET:
            raise BadForm(f"{op} takes no value: leave it out.", where)
        return ()
    if op in OF_SEVERAL:
        if values is UNSET or value is not UNSET:
            raise BadForm(f"{op} takes a list: give values.", f"{where}.values")
        if op == "between" and len(values) != 2:
            raise BadForm(f"between takes 2 values, not {len(values)}: the least and the greatest.", where)
        return values
    if value is UNSET or value is None or values is not UNSET:
        raise BadForm(f"{op} takes one value: give value, or use is_null for what has none.", where)
    return (value,)


def _sides(field: Field, values: Sequence[object], where: str) -> tuple[exp.Expr, str, Sequence[object]]:
    """What is compared, the ClickHouse type of what it is compared with, and that; raises BadForm.

    Days are compared with the field's day, and numbers with the number that a named value is.
    """
    kind, left = field.kind, field.value.copy()
    if kind == "time" and all(day(each) for each in values):
        kind, left = "date", day_of(field)
    elif field.is_named and not any(isinstance(each, str) for each in values):
        kind, left = "number", field.number("the filter", f"{where}.field")
    elif kind == "id":
        left = call("toString", left)
    type_, read = READERS[kind]
    right = [read(each) for each in values]
    for given, found in zip(values, right, strict=True):
        if found is None:
            raise BadForm(f"{field.told()}: give {WANTED[kind]}, not {_shown(given)}.", where)
    if any(isinstance(each, float) for each in right):
        type_ = "Float64"
    return left, type_, right


def _test(field: Field, op: str, left: exp.Expr, type_: str, right: Sequence[object], bind: Bind) -> exp.Expr:
    if field.kind == "list":
        return call("hasAny", left, bind(list(right), f"Array({type_})"))
    match op:
        case "in" | "not_in":
            return call("has", bind(list(right), f"Array({type_})"), left)
        case "between":
            return exp.Between(this=left, low=bind(right[0], type_), high=bind(right[1], type_))
        case "starts_with":
            return call("startsWith", left, bind(right[0], type_))
        case "contains":
            return call("position", left, bind(right[0], type_)) > 0
    return COMPARES[op](this=left, expression=bind(right[0], type_))


def _text(value: object) -> object:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and -LONG <= value < LONG:
        return value
    return float(value) if abs(value) < 1e300 else None


def _truth(value: object) -> object:
    return int(value) if isinstance(value, bool) else None


def _date(value: object) -> object:
    found = day(value)
    return found and found.isoformat()


def _time(value: object) -> object:
    """The moment as ClickHouse writes it, in UTC; None for what names no moment."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if moment.year in YEARS else None


def _id(value: object) -> object:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


READERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "text": ("String", _text),
    "list": ("String", _text),
    "number": ("Int64", _number),
    "truth": ("UInt8", _truth),
    "date": ("Date32", _date),
    "time": (MOMENT, _time),
    "id": ("String", _id),
}
WANTED = {
    "text": f'a text, such as "Bern", of at most {MAX_TEXT:,} characters',
    "list": f'a text, such as "regulars", of at most {MAX_TEXT:,} characters',
    "number": "a number, such as 12.5",
    "truth": "true or false",
    "date": "a day from 1900 to 2299, such as 2024-01-31",
    "time": "days such as 2024-01-31, or times such as 2024-01-31T12:00:00Z",
    "id": "an id, such as 00000000-0000-4000-8000-000000000000",
}


def _shown(value: object) -> str:
    return repr(value)[:80]
