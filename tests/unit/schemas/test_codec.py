"""Do events survive the wire, and do damaged bytes say so?"""

import contextlib
import struct
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from schemas import codec, registry
from schemas.codec import Undecodable
from schemas.events import EVENT_TYPES, ClockTicked, CustomEvent, Event, OrderPlaced, ProcessingFailed
from tests.strategies import event, events

ID = "0c9b6a1e-6d1f-4a0e-8b7c-2f6f3f7f1a11"
TICK = ClockTicked(event_id=ID, occurred_at=1, received_at=2)


ORDER = OrderPlaced(
    event_id=ID, customer_id="a", occurred_at=1, received_at=2, order_id="o", amount_minor=1, currency="USD"
)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
@settings(max_examples=30)
@given(data=st.data())
def test_every_event_survives_encoding(name: str, data: st.DataObject) -> None:
    """decode(encode(e)) is e."""
    original = data.draw(event(name))
    assert codec.decode(codec.encode(original)) == original


@given(events(), st.binary(min_size=1, max_size=8))
def test_surplus_bytes_are_refused(original: Event, surplus: bytes) -> None:
    """A record followed by anything is not an event: what follows would be another reader's next row."""
    with pytest.raises(Undecodable):
        codec.decode(codec.encode(original) + surplus)


@given(events(), st.data())
def test_a_record_cut_short_is_refused(original: Event, data: st.DataObject) -> None:
    """No proper prefix of a record is an event."""
    encoded = codec.encode(original)
    with pytest.raises(Undecodable):
        codec.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(events(), st.data())
def test_damaged_bytes_are_an_event_or_undecodable(original: Event, data: st.DataObject) -> None:
    """Whatever the damage, decode raises Undecodable or gives an event; no other exception escapes."""
    damaged = bytearray(codec.encode(original))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Undecodable):
        assert isinstance(codec.decode(bytes(damaged)), Event)


@given(st.binary(max_size=60))
def test_bytes_of_another_format_are_undecodable(data: bytes) -> None:
    """JSON, text or noise on the log is refused by its header, or by its body."""
    with pytest.raises(Undecodable):
        codec.decode(b"{" + data)
    with pytest.raises(Undecodable):
        codec.decode(struct.pack(">BI", 0, registry.schema_id("OrderPlaced")) + data)


def test_an_unknown_schema_id_is_named() -> None:
    """The reason for a refusal names the schema id, so that its schema can be found."""
    with pytest.raises(Undecodable, match="unknown schema id 65536"):
        codec.decode(struct.pack(">BI", 0, 65536))


@pytest.mark.parametrize(
    "changes",
    [
        {"customer_id": ""},
        {"customer_id": "\x00partition"},
        {"customer_id": "a\n"},
        {"customer_id": "x" * 129},
        {"event_id": "1"},
        {"event_id": ID + "\n"},
        {"occurred_at": -1},
        {"occurred_at": 2**62},
        {"amount_minor": -1},
        {"amount_minor": 2**62},
    ],
    ids=str,
)
def test_values_beyond_the_limits_do_not_enter_from_the_log(changes: dict[str, object]) -> None:
    """Bytes need not have come through the API: what would break a row, a key or a sum is refused."""
    assert codec.decode(codec.encode(ORDER)) == ORDER
    with pytest.raises(Undecodable):
        codec.decode(codec.encode(replace(ORDER, **changes)))


class Newest(Struct):
    a: int
    b: str


def test_an_earlier_version_is_read_as_the_newest() -> None:
    """A field that came later has its default; the offset after the record is told, as for the newest."""
    earlier: dict[str, Any] = {"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]}
    newest = earlier | {"fields": [*earlier["fields"], {"name": "b", "type": "string", "default": "x"}]}
    assert codec._resolving(earlier, newest, cast(Any, Newest))(b"head\x06", 4) == (Newest(3, "x"), 5)


def test_the_schema_id_is_read_without_decoding() -> None:
    """For the archive, which leaves the record itself to ClickHouse."""
    assert codec.schema_id(codec.encode(TICK)) == registry.schema_id("ClockTicked")


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x00", b"\x01\x00\x00\x00\x01"])
def test_what_has_no_header_is_refused(data: bytes) -> None:
    """Bytes too short for a header, or with another magic byte, are undecodable."""
    with pytest.raises(Undecodable):
        codec.schema_id(data)


def test_raw_bytes_are_kept_as_they_were() -> None:
    """A failed record keeps key and value byte for byte."""
    failed = ProcessingFailed(
        event_id=ID,
        occurred_at=1,
        received_at=2,
        topic="t",
        partition=0,
        offset=9,
        reason="r",
        key=b"\xff\x00",
        value=b"",
    )
    assert codec.decode(codec.encode(failed)) == failed


def test_events_cannot_be_changed() -> None:
    """An event is frozen: what happened, happened."""
    with pytest.raises(AttributeError):
        CustomEvent(event_id=ID, customer_id="a", occurred_at=1, received_at=2, name="n").name = "m"
