"""What did one customer do, newest first? Their events in JSON form, a page at a time."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from history.tables import TABLES, Column, column_name
from schemas import form
from schemas.events import EVENT_TYPES, Event

MAX_ITEMS = 500
KEYS = """
SELECT _table AS type, event_id, toUnixTimestamp64Milli(occurred_at) AS at_ms,
  topic = 'headwater.decisions' AS decided, offset
FROM records FINAL
WHERE customer_id = {customer_id:String} AND topic IN {topics:Array(String)} AND type != 'ExampleMatured'
  AND (at_ms, decided, offset) < ({at_ms:Int64}, {decided:Int64}, {offset:Int64})
  AND (offset <= {folded_to:Int64} OR {folded_to:Int64} < 0)
  AND (topic, partition, offset)
    NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
ORDER BY at_ms DESC, decided DESC, offset DESC
LIMIT {count:UInt32}
"""
OF_CUSTOMER = "customer_id = {customer_id:String} AND event_id IN {ids:Array(UUID)}"
EVENTS, DECISIONS = "headwater.events", "headwater.decisions"


class BadCursor(ValueError):
    """Not a cursor that a page gave; the message says what to do."""


class Page(Struct, frozen=True):
    items: list[dict[str, object]]  # each the JSON form of an event
    next_cursor: str | None


class _Key(NamedTuple):
    at_ms: int
    decided: int  # 1 for what is in headwater.decisions: it follows what it is about
    offset: int


class _Placed(Struct):
    offset: int


NEWEST = _Key(2**63 - 1, 1, 2**63 - 1)
ANY = -1  # offset


def timeline(client: Client, customer_id: str, limit: int = 50, cursor: str | None = None) -> Page:
    """A page of at most limit events and decisions, after the cursor's; raises BadCursor."""
    start = _parse(cursor) if cursor else NEWEST
    return _page(client, customer_id, limit, start, ANY, (EVENTS, DECISIONS))


def known_at(client: Client, customer_id: str, at_ms: int, offset: int, limit: int = 50) -> Page:
    """The customer's own events that were folded by then: up to the moment, and the offset on the log."""
    return _page(client, customer_id, limit, _Key(at_ms + 1, 0, 0), offset, (EVENTS,))


def _page(
    client: Client, customer_id: str, limit: int, start: _Key, folded_to: int, topics: Sequence[str]
) -> Page:
    count = min(limit, MAX_ITEMS) + 1
    asked = {"customer_id": customer_id, "count": count, "folded_to": folded_to, "topics": list(topics)}
    found = client.query(KEYS, parameters=asked | start._asdict()).result_rows
    page = found[: min(limit, MAX_ITEMS)]
    ids: dict[str, list[str]] = {}
    for kind, event_id, *_ in page:
        ids.setdefault(kind, []).append(str(event_id))
    events = {
        (kind, event.event_id): event
        for kind, wanted in ids.items()
        for _, event in placed(client, kind, OF_CUSTOMER, {"customer_id": customer_id, "ids": wanted})
    }
    items = [form.render(events[kind, str(event_id)]) for kind, event_id, *_ in page]
    more = len(found) > len(page)
    return Page(items, _cursor(_Key(*page[-1][2:])) if more else None)


def placed(
    client: Client, kind: str, where: str, parameters: Mapping[str, object]
) -> list[tuple[int, Event]]:
    """Whole events of one type, each with its offset, out of the columns of its table."""
    query = " ".join(("SELECT", _selected(kind), ", offset FROM {table:Identifier} FINAL WHERE", where))
    lines = client.raw_query(query, parameters={"table": kind, **parameters}, fmt="JSONEachRow")
    places = msgspec.json.Decoder(_Placed).decode_lines(lines)
    events = msgspec.json.Decoder(EVENT_TYPES[kind]).decode_lines(lines)
    return [(place.offset, event) for place, event in zip(places, events, strict=True)]


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
    return base64.urlsafe_b64encode(":".join(map(str, key)).encode()).decode()


def _parse(cursor: str) -> _Key:
    try:
        at_ms, decided, offset = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        return _Key(int(at_ms), int(decided), int(offset))
    except (ValueError, binascii.Error) as error:
        raise BadCursor(
            f"The cursor {cursor[:80]!r} is none that a page gave: leave it out to start."
        ) from error
