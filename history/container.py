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
    for partition, offset, avro in bodies:
        prefix = prefixes.get(partition)
        if prefix is None:
            prefix = prefixes[partition] = avro_string(topic) + avro_long(partition)
        position = prefix + avro_long(offset)
        parts += (ONE, avro_long(len(position) + len(avro) + len(SEAL)), position, avro, SEAL, SYNC)
    return b"".join(parts)
