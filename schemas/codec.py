"""How do events become bytes and back? Confluent's wire format: 0x00, 4-byte schema id, Avro body."""

import struct
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import msgspec
from fastavro.types import Schema

from schemas import registry
from schemas.events import EVENT_TYPES, Event
from schemas.registry import Registered

HEADER = struct.Struct(">BI")


class Undecodable(ValueError):
    """These bytes are not an event; the message says why."""


class _Form(NamedTuple):
    header: bytes
    written: Schema  # what the body was written with
    newest: Schema | None  # what to read it as, where that is another version
    event: type[Event]


def _plain(part: Any) -> Any:
    """The schema without logical types: times stay integers, which is much faster."""
    if isinstance(part, dict):
        return part["type"] if "logicalType" in part else {key: _plain(value) for key, value in part.items()}
    return [_plain(item) for item in part] if isinstance(part, list) else part


def _form(entry: Registered) -> _Form:
    newest = registry.lookup(entry.subject, "latest")
    return _Form(
        header=HEADER.pack(0, entry.id),
        written=fastavro.parse_schema(_plain(entry.schema)),
        newest=None if newest == entry else fastavro.parse_schema(_plain(newest.schema)),
        event=EVENT_TYPES[entry.schema["name"]],
    )


_BY_ID = {entry.id: _form(entry) for entry in registry.all_registered()}
_BY_HEADER = {form.header: form for form in _BY_ID.values()}
_BY_TYPE = {form.event: form for form in _BY_ID.values() if form.newest is None}


def encode(event: Event) -> bytes:
    """The event in the newest version of its schema."""
    form = _BY_TYPE[type(event)]
    out = BytesIO()
    out.write(form.header)
    fastavro.schemaless_writer(out, form.written, msgspec.to_builtins(event, builtin_types=(bytes,)))
    return out.getvalue()


def decode(data: bytes) -> Event:
    """The event as its newest version, whichever wrote it; raises Undecodable, beyond the limits too."""
    form = _BY_HEADER.get(data[: HEADER.size]) or _form_of(data)
    body = BytesIO(data)
    body.seek(HEADER.size)
    try:
        fields = fastavro.schemaless_reader(body, form.written, form.newest)
        event = msgspec.convert(fields, form.event)
    except Exception as error:  # damaged bytes make fastavro raise anything from EOFError to IndexError
        raise Undecodable(f"not a {form.event.__name__}: {error or 'the record is cut short'}") from error
    if body.tell() != len(data):
        raise Undecodable(f"{len(data) - body.tell()} surplus bytes after the {form.event.__name__}")
    return event


def body(data: bytes) -> tuple[int, memoryview]:
    """The schema id and the Avro body, undecoded; raises Undecodable."""
    return _schema_id(data), memoryview(data)[HEADER.size :]


def _schema_id(data: bytes) -> int:
    if len(data) < HEADER.size or data[0] != 0:
        raise Undecodable(
            f"no Confluent header (0x00, 4-byte schema id): the record begins {data[:5].hex(' ')!r}"
        )
    return int.from_bytes(data[1:5])


def _form_of(data: bytes) -> _Form:
    schema_id = _schema_id(data)
    form = _BY_ID.get(schema_id)
    if form is None:
        raise Undecodable(
            f"unknown schema id {schema_id}: register its schema, or upgrade the engine that reads it"
        )
    return form
