"""Which table keeps which event? One an event type, named like it, its columns told by the .avsc files."""

import json
from typing import Any, NamedTuple

from schemas import registry

TABLE_PATTERN = "^[A-Z]"  # event tables begin with a capital, everything else in the database does not
CLICKHOUSE_TYPES = {
    "string": "String",
    "bytes": "String",
    "int": "Int32",
    "long": "Int64",
    "float": "Float32",
    "double": "Float64",
    "boolean": "Bool",
    "uuid": "UUID",
    "date": "Date32",
    "timestamp-millis": "DateTime64(3, 'UTC')",
}
FEW_VALUES = {"source", "channel", "currency", "store", "campaign_id", "variant", "device"}


class Column(NamedTuple):
    name: str
    type: str
    comment: str


class Table(NamedTuple):
    name: str
    comment: str
    columns: tuple[Column, ...]


POSITION = (
    Column("topic", "LowCardinality(String)", "Topic of the record on the log."),
    Column("partition", "Int32", "Partition of the record on the log."),
    Column("offset", "Int64", "Offset of the record on the log."),
)
POSITION_AVRO = (
    {"name": "topic", "type": "string"},
    {"name": "partition", "type": "int"},
    {"name": "offset", "type": "long"},
)
SEAL_AVRO = {"name": "seal", "type": "string"}
WHOLE = "whole"  # the seal's value
POSITION_NAMES = frozenset(column.name for column in POSITION)
COMMON = (
    *POSITION,
    Column("event_id", "UUID", "Identity of the event."),
    Column("customer_id", "String", "Pseudonymous id of the customer; empty for an event of no customer."),
    Column("occurred_at", "DateTime64(3, 'UTC')", "When it happened (event time)."),
    Column("received_at", "DateTime64(3, 'UTC')", "When Headwater took it in."),
    Column("source", "LowCardinality(String)", "The system that reported it."),
    Column("channel", "LowCardinality(Nullable(String))", "Where the customer was: web, app, store, email …"),
)


def column_name(field: str) -> str:
    """A field named like a position column keeps its meaning under another name."""
    return f"origin_{field}" if field in POSITION_NAMES else field


def clickhouse_type(avro: Any) -> str:
    """The column type of an Avro type; raises ValueError for one that has none yet."""
    match avro:
        case ["null", other]:
            return f"Nullable({clickhouse_type(other)})"
        case {"type": "array", "items": items}:
            return f"Array({clickhouse_type(items)})"
        case {"type": "map", "values": values}:
            return f"Map(String, {clickhouse_type(values)})"
        case {"type": "record", "fields": fields}:
            parts = (f"{field['name']} {clickhouse_type(field['type'])}" for field in fields)
            return f"Tuple({', '.join(parts)})"
        case {"logicalType": str(logical)} if logical in CLICKHOUSE_TYPES:
            return CLICKHOUSE_TYPES[logical]
        case {"type": str(primitive)} | str(primitive) if primitive in CLICKHOUSE_TYPES:
            return CLICKHOUSE_TYPES[primitive]
    raise ValueError(f"no ClickHouse type for the Avro type {json.dumps(avro)}: add it to history/tables.py")


def _column(field: dict[str, Any]) -> Column:
    kind = clickhouse_type(field["type"])
    if field["name"] in FEW_VALUES:
        kind = f"LowCardinality({kind})"
    return Column(column_name(field["name"]), kind, field["doc"])


def _table(name: str) -> Table:
    """Common columns first, then the fields of every version; what one lacks is the column's default."""
    subject = registry.subject_of(name)
    schemas = [registry.lookup(subject, version).schema for version in registry.versions(subject)]
    common = {column.name: column for column in COMMON}
    told = {column.name: column for schema in schemas for column in map(_column, schema["fields"])}
    return Table(name, schemas[-1]["doc"], tuple((common | told | common).values()))


TABLES: dict[str, Table] = {
    name: _table(name) for name in (subject.rpartition(".")[2] for subject in registry.subjects())
}
