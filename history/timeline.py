"""What did one customer do, newest first? Their events in JSON form, a page at a time."""

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from history.tables import TABLES, Column, column_name
from schemas import form
from schemas.events import EVENT_TYPES, Event

MAX_ITEMS = 500
KEYS = """
SELECT type, event_id, toUnixTimestamp64Milli(occurred_at), offset FROM events
WHERE customer_id = {customer_id:String}
  AND (toUnixTimestamp64Milli(occurred_at), offset) < ({at_ms:Int64}, {offset:Int64})
ORDER BY occurred_at DESC, offset DESC
LIMIT {count:UInt32}
"""
OF_CUSTOMER = (
    "FROM {table:Identifier} FINAL WHERE customer_id = {customer_id:String} AND event_id IN {ids:Array(UUID)}"
)


class BadCursor(ValueError):
    """Not a cursor that a page gave; the message says what to do."""


class Page(Struct, frozen=True):
    items: list[dict[str, object]]  # each the JSON form of an event
    next_cursor: str | None


class _Key(NamedTuple):
    at_ms: int
    offset: int


NEWEST = _Key(2**63 - 1, 2**63 - 1)


def timeline(client: Client, customer_id: str, limit: int = 50, cursor: str | None = None) -> Page:
    """A page of at most limit events, after the cursor's; raises BadCursor."""
    start = _parse(cursor) if cursor else NEWEST
    asked = {"customer_id": customer_id, "count": min(limit, MAX_ITEMS) + 1, **start._asdict()}
    found = client.query(KEYS, parameters=asked).result_rows
    page = found[: min(limit, MAX_ITEMS)]
    ids: dict[str, list[str]] = {}
    for kind, event_id, _, _ in page:
        ids.setdefault(kind, []).append(str(event_id))
    events = {
        (kind, event.event_id): event
        for kind, wanted in ids.items()
        for event in _events(client, kind, customer_id, wanted)
    }
    items = [form.render(events[kind, str(event_id)]) for kind, event_id, _, _ in page]
    more = len(found) > len(page)
    return Page(items, _cursor(_Key(*page[-1][2:])) if more else None)


def _events(client: Client, kind: str, customer_id: str, event_ids: Sequence[str]) -> list[Event]:
    """Whole events of one type, out of the columns of its table."""
    query = " ".join(("SELECT", _selected(kind), OF_CUSTOMER))
    asked = {"table": kind, "customer_id": customer_id, "ids": list(event_ids)}
    lines = client.raw_query(query, parameters=asked, fmt="JSONEachRow")
    return msgspec.json.Decoder(EVENT_TYPES[kind]).decode_lines(lines)


def _selected(kind: str) -> str:
    """The event's fields as the typed event has them: times in ms, dates in days."""
    columns = {column.name: column for column in TABLES[kind].columns}
    return ", ".join(
        _stored(columns[column_name(name)], name) for name in EVENT_TYPES[kind].__struct_fields__
    )


def _stored(column: Column, name: str) -> str:
    if "DateTime64" in column.type:
        return f"toUnixTimestamp64Milli(`{column.name}`) AS `{name}`"
    if "Date32" in column.type:
        return f"toInt32(`{column.name}`) AS `{name}`"
    return f"`{column.name}` AS `{name}`"


def _cursor(key: _Key) -> str:
    return base64.urlsafe_b64encode(f"{key.at_ms}:{key.offset}".encode()).decode()


def _parse(cursor: str) -> _Key:
    try:
        at_ms, offset = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        return _Key(int(at_ms), int(offset))
    except (ValueError, binascii.Error) as error:
        raise BadCursor(
            f"The cursor {cursor[:80]!r} is none that a page gave: leave it out to start."
        ) from error
