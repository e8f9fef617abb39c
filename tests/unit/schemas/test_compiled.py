"""Do the functions made from a schema read and write what fastavro does?"""

import contextlib
import math
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import registry
from schemas.codec import _plain
from schemas.compiled import Unsupported, reader, reader_into, writer
from schemas.events import EVENT_TYPES
from tests.strategies import event

LONGS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-200, 200), st.builds(lambda n: 1 << n, st.integers(0, 62))
)


BEYOND = (-1, 2**62, -(2**62), "", "x" * 129, "\x85", "\u2028", "no uuid", 2.0, -0.5, math.nan, math.inf)


class Pair(msgspec.Struct):
    a: int
    b: int


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = _plain(registry.lookup(registry.subject_of(name), "latest").schema)
    return schema


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def written_by_fastavro(schema: dict[str, Any], fields: dict[str, Any]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), fields)
    return out.getvalue()


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
@settings(max_examples=30)
@given(data=st.data())
def test_every_event_is_written_and_read_as_by_fastavro(name: str, data: st.DataObject) -> None:
    """The same bytes, and the same fields from them, wherever in the data they begin."""
    original, schema = data.draw(event(name)), schema_of(name)
    fields = msgspec.to_builtins(original, builtin_types=(bytes,))
    encoded = written_by_fastavro(schema, fields)
    assert writer(schema, b"header")(original) == b"header" + encoded
    read = fastavro.schemaless_reader(BytesIO(encoded), fastavro.parse_schema(schema), None)
    assert reader(schema)(b"before" + encoded, 6) == (read, 6 + len(encoded))


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
@settings(max_examples=60)
@given(data=st.data())
def test_an_event_is_what_msgspec_makes_of_the_fields(name: str, data: st.DataObject) -> None:
    """Also where a value is beyond its limits, or bytes are damaged: the same event, or none."""
    original, schema = data.draw(event(name)), schema_of(name)
    changed = data.draw(st.dictionaries(st.sampled_from(original.__struct_fields__), st.sampled_from(BEYOND)))
    kinds = {field.name: type(getattr(original, field.name)) for field in msgspec.structs.fields(original)}
    fitting = {name: value for name, value in changed.items() if kinds[name] is type(value)}
    encoded = bytearray(writer(schema, b"")(msgspec.structs.replace(original, **fitting)))
    for place in data.draw(st.lists(st.integers(0, len(encoded) - 1), max_size=1)):
        encoded[place] ^= data.draw(st.sampled_from([1, 2, 64, 128, 255]))
    newest = registry.lookup(registry.subject_of(name), "latest").schema
    fields, into = reader(schema), reader_into(newest, EVENT_TYPES[name])

    def judged() -> tuple[Any, int]:
        read, end = fields(bytes(encoded), 0)
        return msgspec.convert(read, EVENT_TYPES[name]), end

    assert outcome(lambda: into(bytes(encoded), 0)) == outcome(judged)


def outcome(read: Callable[[], Any]) -> str:
    """What it gives, to the bit, also a NaN; or that it is refused."""
    try:
        return repr(read())
    except msgspec.ValidationError as error:
        return str(error)
    except Exception:  # noqa: BLE001  # damaged bytes raise anything
        return "damaged"


@given(LONGS, LONGS)
def test_numbers_of_every_size(a: int, b: int) -> None:
    """Each count of varint bytes, both signs."""
    schema = record(a=["null", "long"], b="long")
    encoded = written_by_fastavro(schema, {"a": a, "b": b})
    assert reader(schema)(encoded, 0) == ({"a": a, "b": b}, len(encoded))
    assert writer(schema, b"")(Pair(a, b)) == encoded
    time = {"type": "long", "logicalType": "timestamp-millis"}
    assert reader(record(a=["null", time], b=time))(encoded, 0) == ({"a": a, "b": b}, len(encoded))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_that_avro_cannot_hold_is_not_written(number: int) -> None:
    """Another reader would see another number."""
    with pytest.raises(OverflowError):
        writer(record(a="long"), b"")(Pair(number, 0))


@pytest.mark.parametrize("last", [b"\x02", b"\x7f", b"\x80\x01"])
def test_a_number_of_more_than_64_bits_is_not_read(last: bytes) -> None:
    """What no other reader, and no row, could hold."""
    assert reader(record(a="long"))(b"\xff" * 9 + b"\x01", 0) == ({"a": -(2**63)}, 10)
    with pytest.raises(ValueError, match="more than"):
        reader(record(a="long"))(b"\xff" * 9 + last, 0)


def test_blocks_may_tell_their_size() -> None:
    """Avro lets a writer put a negative count and the bytes of the block; several blocks make one array."""
    schema = record(a={"type": "array", "items": "string"}, m={"type": "map", "values": "long"})
    encoded = b"\x01\x04\x02x" + b"\x02\x02y" + b"\x00" + b"\x01\x06\x02k\x03" + b"\x00"
    fields = {"a": ["x", "y"], "m": {"k": -2}}
    assert fastavro.schemaless_reader(BytesIO(encoded), fastavro.parse_schema(schema), None) == fields
    assert reader(schema)(encoded, 0) == (fields, len(encoded))


@given(st.sampled_from(sorted(EVENT_TYPES)), st.binary(max_size=80))
def test_noise_ends(name: str, data: bytes) -> None:
    """Whatever the bytes: fields, or an error that the codec knows; a wrong size never goes backwards."""
    with contextlib.suppress(IndexError, ValueError, OverflowError, struct.error):
        fields, end = reader(schema_of(name))(data, 0)
        assert end > 0
        assert fields


@pytest.mark.parametrize(
    "kind", [["string", "null"], ["null", "int", "string"], "enum", {"type": "fixed", "size": 2}]
)
def test_what_the_catalogue_does_not_use_is_refused_when_it_is_made(kind: Any) -> None:
    """A new schema with other parts fails at the start, not at its first record."""
    with pytest.raises(Unsupported):
        reader(record(a=kind))
    with pytest.raises(Unsupported):
        writer(record(a=kind), b"")
