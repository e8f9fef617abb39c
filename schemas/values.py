"""Is this JSON value what the field may hold, and what does it mean?"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas.currency import DIGITS
from schemas.rules import BOUNDS, MAX_ITEMS, MAX_KEYS, MAX_MINOR, MAX_NAME, MAX_TEXT, Field

NO_CURRENCY = -1  # none was given, and none is needed unless there is an amount
BAD_CURRENCY = (
    -2
)  # the currency field has a fault of its own: amounts cannot be read, and need not be faulted

# (the value, decimal digits of the record's currency) -> what the Struct holds; raises Wrong
Reader = Callable[[Any, int], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
MILLISECOND = timedelta(milliseconds=1)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)").fullmatch
DATE = re.compile(r"\d{4}-\d\d-\d\d").fullmatch
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
AMOUNT = re.compile(r"(-?)(\d{1,20})(?:\.(\d{1,20}))?", re.ASCII).fullmatch
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search


class Wrong(ValueError):
    """The value is not what the field may hold; one (path within the value, detail) for each fault."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__(*faults)
        self.faults = faults


def wrong(detail: str) -> Wrong:
    return Wrong(("", detail))


def shown(value: Any) -> str:
    """The offending value, short enough for a message."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def printable(key: str) -> str:
    """A sender's own key, fit to be part of a fault's path."""
    return key[:MAX_NAME].encode(errors="backslashreplace").decode()


def reader(field: Field) -> Reader:
    """What reads one field; schemas/form.py adds arrays of records and amounts as decimals."""
    match field.kind:
        case "string":
            return _string(field)
        case "int" | "long" | "at" | "double" | "money":
            return {"at": _at, "double": _double, "money": _minor}.get(field.kind, _whole)(field)
        case "array" if field.item is not None:
            return array(reader(field.item))
    return {
        "uuid": _uuid,
        "currency": _currency,
        "bytes": _bytes,
        "boolean": _boolean,
        "on": _on,
        "map": _map,
    }[field.kind]


def array(read: Reader) -> Reader:
    def read_array(value: Any, digits: int) -> tuple[Any, ...]:
        if type(value) is not list:
            raise wrong(f"must be a list, not {shown(value)}")
        if len(value) > MAX_ITEMS:
            raise wrong(f"has {len(value)} items: send at most {MAX_ITEMS}")
        items, faults = [], []
        for index, item in enumerate(value):
            try:
                items.append(read(item, digits))
            except Wrong as error:
                faults += [(f"[{index}]{path}", detail) for path, detail in error.faults]
        if faults:
            raise Wrong(*faults)
        return tuple(items)

    return read_array


def _string(field: Field) -> Reader:
    one_of, max_length = frozenset(field.one_of), field.max_length
    is_id = field.name.endswith("_id")
    is_name = max_length <= MAX_NAME

    def read(value: Any, _: int) -> str:
        if type(value) is not str:
            raise wrong(f"must be a string, not {shown(value)}")
        if one_of and value not in one_of:
            raise wrong(f"must be one of {', '.join(field.one_of)}, not {shown(value)}")
        if len(value) > max_length:
            raise wrong(f"has {len(value)} characters: send at most {max_length}")
        if not value and (is_id or field.required):
            raise wrong("is empty: give it a value" + ("" if field.required else " or leave it out"))
        if is_name and CONTROL(value):
            raise wrong(f"has control characters, in {shown(value)}: remove them")
        return _unicode(value)

    return read


def _unicode(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise wrong(f"has half of a surrogate pair, in {shown(text)}: send whole characters") from None
    return text


def _whole(field: Field) -> Reader:
    low, high = field.low, field.high

    def read(value: Any, _: int) -> int:
        if type(value) is not int:
            raise wrong(f"must be a whole number, not {shown(value)}")
        if not low <= value <= high:
            raise wrong(f"must be from {low} to {high}, not {shown(value)}")
        return value

    return read


def _double(field: Field) -> Reader:
    low, high = field.low, field.high
    limits = "finite" if (low, high) == BOUNDS["double"] else f"from {low} to {high}"

    def read(value: Any, _: int) -> float:
        if type(value) is not float and type(value) is not int:
            raise wrong(f"must be a number, not {shown(value)}")
        if not low <= value <= high:  # false for NaN too
            raise wrong(f"must be {limits}, not {shown(value)}")
        return float(value)

    return read


def _at(field: Field) -> Reader:
    def read(value: Any, _: int) -> int:
        ms = value
        if type(value) is str:
            ms = instant(value)
        elif type(value) is not int:
            raise wrong(f"must be a time, such as 2026-11-22T10:00:00Z, not {shown(value)}")
        if not field.low <= ms <= field.high:
            raise wrong(f"must be from 1970 to 2299, not {shown(value)}")
        return int(ms)

    return read


def instant(text: str) -> int:
    """A time in RFC 3339 as ms since the epoch; raises Wrong."""
    if RFC_3339(text) is None:
        raise wrong(f"must be a time with its offset, such as 2026-11-22T10:00:00Z, not {shown(text)}")
    try:
        return (datetime.fromisoformat(text) - EPOCH) // MILLISECOND
    except ValueError:
        raise wrong(f"is no time that exists: {shown(text)}") from None


def _on(value: Any, _: int) -> int:
    if type(value) is not str or DATE(value) is None:
        raise wrong(f"must be a date, such as 2026-11-22, not {shown(value)}")
    try:
        days = date.fromisoformat(value).toordinal() - EPOCH_DAY
    except ValueError:
        raise wrong(f"is no date that exists: {shown(value)}") from None
    low, high = BOUNDS["on"]
    if not low <= days <= high:
        raise wrong(f"must be from 1900 to 2299, not {shown(value)}")
    return days


def _minor(_: Field) -> Reader:
    def read(value: Any, digits: int) -> int:
        if type(value) is not int:
            raise wrong(f"must be a whole number of minor units, such as 2599, not {shown(value)}")
        return _amount(value, digits, value)

    return read


def decimal_amount(value: Any, digits: int) -> int:
    """Reads "25.99" as minor units of a currency with that many decimal digits."""
    parts = AMOUNT(value) if type(value) is str else None
    if parts is None:
        raise wrong(f'must be a decimal in a string, such as "25.99", not {shown(value)}')
    sign, whole, fraction = parts[1], parts[2], parts[3] or ""
    if digits >= 0 and len(fraction) > digits:
        raise wrong(f"has more than the currency's {digits} decimals: round {shown(value)}")
    return _amount(int(sign + whole + fraction.ljust(digits, "0")), digits, value)


def _amount(minor: int, digits: int, value: Any) -> int:
    if digits == NO_CURRENCY:
        raise wrong('needs its currency: add "currency", such as "USD"')
    if minor < 0:
        raise wrong(
            f"must not be negative, as {shown(value)} is: send an OrderRefunded for money that goes back"
        )
    if minor > MAX_MINOR:
        raise wrong(f"must be at most {MAX_MINOR} minor units, not {shown(value)}")
    return minor


def _uuid(value: Any, _: int) -> str:
    if type(value) is not str or UUID(value) is None:
        raise wrong(f"must be a UUID, such as 0c9b6a1e-6d1f-4a0e-8b7c-2f6f3f7f1a11, not {shown(value)}")
    return value.lower()


def _currency(value: Any, _: int) -> str:
    if type(value) is not str or value not in DIGITS:
        raise wrong(f"must be an ISO 4217 code, such as USD or EUR, not {shown(value)}")
    return value


def _bytes(value: Any, _: int) -> bytes:
    try:
        return base64.b64decode(value if type(value) is str else "?", validate=True)
    except (binascii.Error, ValueError):
        raise wrong(f"must be bytes in base64, not {shown(value)}") from None


def _boolean(value: Any, _: int) -> bool:
    if type(value) is not bool:
        raise wrong(f"must be true or false, not {shown(value)}")
    return value


def _map(value: Any, _: int) -> dict[str, str]:
    if type(value) is not dict:
        raise wrong(f"must be an object of strings by name, not {shown(value)}")
    if len(value) > MAX_KEYS:
        raise wrong(f"has {len(value)} keys: send at most {MAX_KEYS}")
    faults = []
    for key, text in value.items():
        detail = _map_fault(key, text)
        if detail:
            faults.append((f".{printable(key)}", detail))
    if faults:
        raise Wrong(*faults)
    return value


def _map_fault(key: Any, text: Any) -> str | None:
    if type(key) is not str or not 1 <= len(key) <= MAX_NAME or CONTROL(key):
        return f"has a bad name: use 1 to {MAX_NAME} characters, none of them a control character"
    if type(text) is not str:
        return f"must be a string, not {shown(text)}: send {shown(shown(text))}"
    if len(text) > MAX_TEXT:
        return f"has {len(text)} characters: send at most {MAX_TEXT}"
    try:
        _unicode(key), _unicode(text)
    except Wrong as error:
        return error.faults[0][1]
    return None
