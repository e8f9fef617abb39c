"""Do the tables say everything that the schemas say?"""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from history import container
from history.container import Body
from history.ddl import changes, create_table
from history.migrations import statements
from history.tables import TABLES, clickhouse_type
from history.timeline import BadCursor, _cursor, _Key, _parse
from schemas import codec, registry
from schemas.events import EVENT_TYPES, CustomerEvent, Event
from tests.strategies import events


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_field_of_an_event_is_a_column_with_its_doc(name: str) -> None:
    """A table lacks nothing of its event, and explains each column."""
    columns = {column.name: column.comment for column in TABLES[name].columns}
    for field in registry.lookup(registry.subject_of(name), "latest").schema["fields"]:
        assert columns[
            f"origin_{field['name']}"
            if name == "ProcessingFailed" and field["name"] in {"topic", "partition", "offset"}
            else field["name"]
        ]
    assert all(columns.values())


def test_types_nest() -> None:
    """Nullable, arrays, maps and records become their ClickHouse counterparts."""
    line = {
        "type": "record",
        "fields": [{"name": "sku", "type": "string"}, {"name": "n", "type": ["null", "int"]}],
    }
    assert clickhouse_type({"type": "array", "items": line}) == "Array(Tuple(sku String, n Nullable(Int32)))"
    assert clickhouse_type({"type": "map", "values": "long"}) == "Map(String, Int64)"


def test_an_unknown_type_names_the_place_to_add_it() -> None:
    """Who writes a schema with a new type is told what to do."""
    with pytest.raises(ValueError, match=r"add it to history/tables\.py"):
        clickhouse_type({"type": "fixed", "size": 3})


def test_a_table_that_lacks_a_column_gets_it() -> None:
    """A new version of an event adds columns and leaves the rest."""
    table = TABLES["OrderPlaced"]
    present = {column.name: column.type for column in table.columns if column.name != "coupon"}
    assert list(changes(table, present)) == [
        "ALTER TABLE `OrderPlaced` ADD COLUMN IF NOT EXISTS "
        "`coupon` Nullable(String) COMMENT 'Coupon code that was used.'"
    ]
    assert list(changes(table, {})) == [create_table(table)]


def test_migrations_are_numbered_without_a_gap() -> None:
    """The order in which migrations run is plain to see."""
    assert list(statements()) == list(range(1, len(statements()) + 1))


def test_what_a_timeline_carries_has_no_bytes() -> None:
    """The timeline reads events as JSON, which has no bytes."""
    kinds = [kind for kind in EVENT_TYPES.values() if issubclass(kind, CustomerEvent)]
    assert not [kind for kind in kinds if "bytes" in str(kind.__annotations__)]


@given(st.lists(events(), min_size=1, max_size=5), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 10))
def test_a_container_of_undecoded_bodies_reads_as_the_events(
    some: list[Event], partition: int, first: int
) -> None:
    """Any Avro reader finds in the container the positions and the fields of the events."""
    for event in some:
        data = codec.encode(event)
        schema_id, avro = codec.schema_id(data), data[codec.HEADER.size :]
        read: list[Any] = list(
            fastavro.reader(
                io.BytesIO(container.container(schema_id, "t", [Body(partition, first, avro)] * 2))
            )
        )
        assert [(row["topic"], row["partition"], row["offset"]) for row in read] == [
            ("t", partition, first)
        ] * 2
        assert str(read[1]["event_id"]) == event.event_id


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 1), st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_back(at_ms: int, decided: int, offset: int) -> None:
    """The next page starts where the last one ended."""
    assert _parse(_cursor(_Key(at_ms, decided, offset))) == (at_ms, decided, offset)


@pytest.mark.parametrize("cursor", ["x", "====", "MQ==", "MToy", "YTpiOmM=", "é"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    """A made-up cursor is an error that says what to do, not another page."""
    with pytest.raises(BadCursor, match="leave it out"):
        _parse(cursor)
