"""Are the bytes on the log what they were when the schemas were published?"""

import io
import json
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import pytest
from msgspec import convert

from schemas import codec, registry
from schemas.form import parse, render

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("events.json").read_text(encoding="utf-8"))
RECEIVED_MS = 1_795_305_930_250  # the received_at of each
EACH = pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["json"]["type"])


@EACH
def test_an_event_encodes_to_the_published_bytes(golden: dict[str, Any]) -> None:
    """A changed byte would be a changed past: schema ids, field order and number formats stay."""
    event = parse(golden["json"], now_ms=0, wall_ms=RECEIVED_MS, engine=True)
    assert codec.encode(event).hex() == golden["bytes"]


@EACH
def test_the_published_bytes_decode_to_the_event(golden: dict[str, Any]) -> None:
    """What was written then is read now, and shown as it was posted."""
    assert render(codec.decode(bytes.fromhex(golden["bytes"]))) == golden["json"]


@EACH
def test_another_avro_reader_understands_the_bytes(golden: dict[str, Any]) -> None:
    """Apache's own library reads the same values with the published schema: ours is no dialect."""
    data = bytes.fromhex(golden["bytes"])
    schema_id, body = codec.schema_id(data), data[codec.HEADER.size :]
    schema = avro.schema.parse(json.dumps(without_logical_types(registry.schema(schema_id))))
    stream = io.BytesIO(body)
    read = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(stream))
    event = codec.decode(data)
    assert convert(read, type(event)) == event
    assert stream.read() == b""


def without_logical_types(part: Any) -> Any:
    """The same schema with times as the integers they are on the wire."""
    if isinstance(part, dict):
        return {key: without_logical_types(value) for key, value in part.items() if key != "logicalType"}
    return [without_logical_types(item) for item in part] if isinstance(part, list) else part
