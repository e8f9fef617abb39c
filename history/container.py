"""How does ClickHouse read bodies that nobody decoded? As an Avro container, each body behind its position.

Avro composes by concatenation: a record is its fields, a container file is a header and blocks. Each record
is a block of its own and ends with a seal, so that a body with a byte too few or too many is refused: it can
neither reach into the next record nor pass for a whole one.
Source: the Avro specification 1.12, "Object Container Files".
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from history.tables import POSITION_AVRO, SEAL_AVRO, WHOLE, column_name
from schemas import registry
from schemas.compiled import avro_long, avro_string

SYNC = b"headwater-archive"[:16]
ONE = b"\x02"  # a block's count of records, as an Avro long
SEAL = avro_string(WHOLE)
LONGS = tuple(map(avro_long, range(4096)))
LOW = 1 << 14  # what the first two bytes of a long say; LOWS has them, with more bytes to come
LOWS = tuple(bytes((n & 127 | 128, n >> 7 | 128)) for n in range(LOW))


class Body(NamedTuple):
    """The Avro body of the record at one offset of one partition."""

    partition: int
    offset: int
    avro: bytes


def fields(schema_id: int) -> tuple[dict[str, Any], ...]:
    """The fields of a record of that schema in the container; raises registry.UnknownSchema."""
    own = (field | {"name": column_name(field["name"])} for field in registry.schema(schema_id)["fields"])
    return (*POSITION_AVRO, *own, SEAL_AVRO)


def header(schema_id: int) -> bytes:
    described = json.dumps({"type": "record", "name": "Archived", "fields": fields(schema_id)})
    metadata = avro_long(1) + avro_string("avro.schema") + avro_string(described) + avro_long(0)
    return b"Obj\x01" + metadata + SYNC


def container(schema_id: int, topic: str, bodies: Iterable[Body]) -> bytes:
    """A container file of the bodies, one block each, behind topic, partition and offset as fields."""
    parts: list[bytes] = [header(schema_id)]
    prefixes: dict[int, bytes] = {}
    highs: dict[int, bytes] = {}  # what some thousand offsets have in common
    seal = len(SEAL)
    for partition, offset, avro in bodies:
        prefix = prefixes.get(partition)
        if prefix is None:
            prefix = prefixes[partition] = avro_string(topic) + avro_long(partition)
        n = offset << 1
        if n < LOW:
            position = prefix + avro_long(offset)
        else:
            high = highs.get(n >> 14)
            if high is None:
                high = highs[n >> 14] = avro_long(offset)[2:]
            position = prefix + LOWS[n & LOW - 1] + high
        size = len(position) + len(avro) + seal
        parts += (ONE, LONGS[size] if size < len(LONGS) else avro_long(size), position, avro, SEAL, SYNC)
    return b"".join(parts)
