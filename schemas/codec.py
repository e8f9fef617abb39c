"""How do events become bytes and back? Confluent's wire format: 0x00, 4-byte schema id, Avro body."""

import struct
from io import BytesIO
from typing import Any, NamedTuple, cast

import fastavro
import msgspec
from fastavro.types import Schema

from schemas import registry
from schemas.compiled import Read, Write, reader, writer
from schemas.events import EVENT_TYPES, Event
from schemas.registry import Registered

HEADER = struct.Struct(">BI")


class Undecodable(ValueError):
    """These bytes are not an event; the message says why."""


class _Form(NamedTuple):
    header: bytes
    event: type[Event]
    read: Read
    write: Write


def _plain(part: Any) -> Any:
    """The schema without logical types: times stay integers, which is much faster."""
    if isinstance(part, dict):
        return part["type"] if "logicalType" in part else {key: _plain(value) for key, value in part.items()}
    return [_plain(item) for item in part] if isinstance(part, list) else part


def _form(entry: Registered) -> _Form:
    newest = registry.lookup(entry.subject, "latest")
    header, schema = HEADER.pack(0, entry.id), _plain(entry.schema)
    return _Form(
        header,
        EVENT_TYPES[entry.schema["name"]],
        reader(schema) if newest == entry else _resolving(schema, _plain(newest.schema)),
        writer(schema, header),
    )


def _resolving(written: Schema, newest: Schema) -> Read:
    """Reads an earlier version as the newest one."""
    written, newest = fastavro.parse_schema(written), fastavro.parse_schema(newest)

    def read(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
        body = BytesIO(data)
        body.seek(offset)
        return cast(dict[str, Any], fastavro.schemaless_reader(body, written, newest)), body.tell()

    return read


_BY_ID = {entry.id: _form(entry) for entry in registry.all_registered()}
_BY_HEADER = {form.header: form for form in _BY_ID.values()}
_WRITE = {form.event: form.write for form in _BY_ID.values()}  # in the order of ids: the newest stays


def encode(event: Event) -> bytes:
    """The event in the newest version of its schema."""
    return _WRITE[type(event)](event)


def decode(data: bytes) -> Event:
    """The event as its newest version, whichever wrote it; raises Undecodable, beyond the limits too."""
    _, kind, read, _ = _BY_HEADER.get(data[: HEADER.size]) or _form_of(data)
    try:
        fields, end = read(data, HEADER.size)
        event = msgspec.convert(fields, kind)
    except Exception as error:  # damaged bytes raise anything from EOFError to IndexError
        raise Undecodable(f"not a {kind.__name__}: {error or 'the record is cut short'}") from error
    if end < len(data):
        raise Undecodable(f"{len(data) - end} surplus bytes after the {kind.__name__}")
    if end > len(data):
        raise Undecodable(f"not a {kind.__name__}: the record is cut short")
    return event


def schema_id(data: bytes) -> int:
    """The id in the header; raises Undecodable."""
    if len(data) < HEADER.size or data[0] != 0:
        raise Undecodable(
            f"no Confluent header (0x00, 4-byte schema id): the record begins {data[:5].hex(' ')!r}"
        )
    return int.from_bytes(data[1:5])


def _form_of(data: bytes) -> _Form:
    number = schema_id(data)
    form = _BY_ID.get(number)
    if form is None:
        raise Undecodable(
            f"unknown schema id {number}: register its schema, or upgrade the engine that reads it"
        )
    return form
