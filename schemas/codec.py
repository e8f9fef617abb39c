"""How do events become bytes and back? Confluent's wire format: 0x00, 4-byte schema id, Avro body."""

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import msgspec
from fastavro.types import Schema

from schemas import registry
from schemas.compiled import ReadInto, Write, reader_into, writer
from schemas.events import EVENT_TYPES, Event
from schemas.registry import Registered

HEADER = struct.Struct(">BI")

Find = Callable[[int], Any]  # the schema of an id that is none of ours; None: nobody knows it


class Undecodable(ValueError):
    """These bytes are not an event; the message says why."""


class _Form(NamedTuple):
    event: type[Event]
    read: ReadInto[Event]


def _plain(part: Any) -> Any:
    """The schema without logical types: times stay integers, which is much faster."""
    if isinstance(part, dict):
        return part["type"] if "logicalType" in part else {key: _plain(value) for key, value in part.items()}
    return [_plain(item) for item in part] if isinstance(part, list) else part


def _form(schema: dict[str, Any], newest: Registered) -> _Form:
    """Reads what was written with the schema as the newest version."""
    same = registry.fingerprint(schema) == registry.fingerprint(newest.schema)
    event = EVENT_TYPES[newest.schema["name"]]
    return _Form(
        event, reader_into(newest.schema, event) if same else _resolving(schema, newest.schema, event)
    )


def _resolving(written: Schema, newest: Schema, event: type[Event]) -> ReadInto[Event]:
    """Reads an earlier version as the newest one."""
    written, newest = fastavro.parse_schema(_plain(written)), fastavro.parse_schema(_plain(newest))

    def read(data: bytes, offset: int) -> tuple[Event, int]:
        body = BytesIO(data + b"\0")  # skipping beyond the end would go unseen: let it end behind the data
        body.seek(offset)
        fields = fastavro.schemaless_reader(body, written, newest)
        return msgspec.convert(fields, event), body.tell()

    return read


_BY_HEADER: dict[bytes, _Form] = {}
_WRITE: dict[type[Event], Write] = {}
_find: Find


def _nowhere(_schema_id: int) -> None:
    """Without an external registry there is nobody to ask."""


def use(ids: Mapping[tuple[str, int], int] | None = None, find: Find = _nowhere) -> None:
    """Write with these ids, (subject, version) -> id, and read by them; None: with the built-in ones.

    `find` is asked for the schema of any other id on the log. A process decides this once, at its start: what
    it wrote or cached by other ids would not be readable. The tables are made again, so that neither encoding
    nor decoding pays for the choice.
    """
    global _find
    _find = find
    registry.put_in_force(ids or {})
    _BY_HEADER.clear()
    _WRITE.clear()
    for entry in registry.all_registered():
        header, newest = HEADER.pack(0, entry.id), registry.lookup(entry.subject, "latest")
        form = _BY_HEADER[header] = _form(entry.schema, newest)
        if entry == newest:
            _WRITE[form.event] = writer(_plain(entry.schema), header)


use()


def encode(event: Event) -> bytes:
    """The event in the newest version of its schema."""
    return _WRITE[type(event)](event)


def decode(data: bytes) -> Event:
    """The event as its newest version, whichever wrote it; raises Undecodable, beyond the limits too.

    The first record of an id that is none of ours waits for the external registry, which may raise
    schemas.registry.RegistryUnavailable: then nobody knows yet whether the bytes are an event.
    """
    kind, read = _BY_HEADER.get(data[: HEADER.size]) or resolve(schema_id(data))
    try:
        event, end = read(data, HEADER.size)
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


def kind(data: bytes) -> type[Event] | None:
    """The event that the header tells of, if its schema id was met before; asks nobody."""
    form = _BY_HEADER.get(data[: HEADER.size])
    return None if form is None else form.event


def resolve(number: int) -> _Form:
    """Have the schema of an id that is none of ours at hand; blocks; raises as decode does."""
    schema = _find(number)
    if schema is None:
        raise Undecodable(
            f"unknown schema id {number}: register its schema, or upgrade the engine that reads it"
        )
    try:
        form = _form(schema, registry.lookup(_fullname(schema), "latest"))
    except Exception as error:  # anybody may have registered anything
        raise Undecodable(f"schema id {number} is no event of ours in the registry: {error}") from error
    registry.meet(number, schema)
    _BY_HEADER[HEADER.pack(0, number)] = form
    return form


def _fullname(schema: Any) -> str:
    if not isinstance(schema, dict) or "name" not in schema:
        raise ValueError("it has no name: write the events of GET /registry/subjects")
    name, namespace = str(schema["name"]), schema.get("namespace")
    return f"{namespace}.{name}" if namespace and "." not in name else name


def could_be(data: bytes) -> list[str]:
    """The events as which the bytes after the header can be read, whatever its schema id says."""
    names: dict[str, None] = {}
    if data[:1] != b"\0":
        return []
    for entry in registry.all_registered():
        with suppress(Undecodable):
            names[type(decode(HEADER.pack(0, entry.id) + data[HEADER.size :])).__name__] = None
    return list(names)
