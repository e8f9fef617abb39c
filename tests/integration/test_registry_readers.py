"""Do others read our events? Confluent's own client, with /registry as the only thing it is told."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given, settings

from schemas import codec, registry
from schemas.events import EVENT_TYPES
from streams.topics import EVENTS
from tests.integration.api_client import served
from tests.strategies import event
from tests.unit.streams.partition import day, order, tick

CONTEXT = SerializationContext(EVENTS, MessageField.VALUE)
SUBJECT = "headwater.OrderPlaced"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of /registry."""
    with served(tmp_path_factory.mktemp("api")) as address:
        yield f"{address}/registry"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[SchemaRegistryClient]:
    """Confluent's client of it."""
    with SchemaRegistryClient({"url": url}) as found:
        yield found


def plain(value: Any) -> Any:
    """What another client read, with times and ids as our events have them."""
    match value:
        case datetime():
            return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        case date():
            return (value - date(1970, 1, 1)).days
        case UUID():
            return str(value)
        case dict():
            return {key: plain(part) for key, part in value.items()}
        case list():
            return [plain(part) for part in value]
    return value


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_confluents_deserializer_reads_every_event(client: SchemaRegistryClient, name: str) -> None:
    """Of each type it reads the very values that our own decoding gives."""
    read = AvroDeserializer(client)

    @settings(max_examples=15)
    @given(event(name))
    def reads(original: Any) -> None:
        data = codec.encode(original)
        assert msgspec.convert(plain(read(data, CONTEXT)), EVENT_TYPES[name]) == codec.decode(data)

    reads()


def test_clickhouse_reads_a_topic_of_several_events(url: str, tmp_path: Path) -> None:
    """Its AvroConfluent asks /registry for each record's schema; a field that an event has not is empty."""
    events = [order("ann", day(1), amount_minor=2599), tick(day(2)), order("bob", day(3))]
    (tmp_path / "records").write_bytes(b"".join(map(codec.encode, events)))
    query = (
        f"SELECT customer_id, occurred_at, amount_minor FROM file('{tmp_path / 'records'}', AvroConfluent, "
        "'customer_id String, occurred_at DateTime64(3, ''UTC''), amount_minor Int64') "
        f"SETTINGS format_avro_schema_registry_url = '{url}', input_format_avro_allow_missing_fields = 1"
    )
    told = subprocess.run(  # a process of its own: one process opens one chDB
        [sys.executable, "-c", "import chdb, sys; print(chdb.query(sys.argv[1], 'CSV'))", query],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [
        '"ann","1970-01-02',
        '00:00:00.000",2599',
        '"","1970-01-03',
        '00:00:00.000",0',
        '"bob","1970-01-04',
        '00:00:00.000",1000',
    ]


def test_confluents_client_finds_schemas_by_every_way(client: SchemaRegistryClient) -> None:
    """By subject, version, id and content: what UIs and serializers ask."""
    entry = registry.lookup(SUBJECT, "latest")
    assert client.get_subjects() == registry.subjects()
    assert client.get_versions(SUBJECT) == [1]
    for found in (client.get_latest_version(SUBJECT), client.get_version(SUBJECT, 1)):
        assert (found.schema_id, found.version, found.subject) == (entry.id, 1, SUBJECT)
    schema = client.get_schema(entry.id)
    assert msgspec.json.decode(schema.schema_str) == entry.schema
    assert client.lookup_schema(SUBJECT, schema).schema_id == entry.id
    assert client.get_compatibility() == client.get_compatibility(SUBJECT) == "BACKWARD"


def test_confluents_serializer_writes_events_that_we_read(client: SchemaRegistryClient) -> None:
    """A producer that does not register finds our schema's id and writes bytes that are our event."""
    schema = client.get_latest_version(SUBJECT).schema
    options = {
        "auto.register.schemas": False,
        "subject.name.strategy": lambda _context, record: record,
    }
    write = AvroSerializer(client, schema, conf=options)
    fields = {
        "event_id": UUID(int=7),
        "customer_id": "ann",
        "occurred_at": datetime(2026, 1, 1, tzinfo=UTC),
        "received_at": datetime(2026, 1, 1, tzinfo=UTC),
        "order_id": "o-1",
        "amount_minor": 2599,
        "currency": "USD",
    }
    data = write(fields, CONTEXT)
    assert data is not None
    found: Any = codec.decode(data)
    assert codec.encode(found) == data
    assert (found.customer_id, found.amount_minor, found.event_id) == ("ann", 2599, str(UUID(int=7)))


def test_what_is_not_there_is_told_by_confluents_codes(client: SchemaRegistryClient) -> None:
    """Clients tell an unknown subject from an unknown schema by them; nothing can be registered."""
    unknown = Schema('{"type": "record", "name": "OrderPlaced", "fields": []}', "AVRO")
    for ask, code in (
        (lambda: client.get_schema(999_999), 40403),
        (lambda: client.get_versions("nothing"), 40401),
        (lambda: client.get_version(SUBJECT, 99), 40402),
        (lambda: client.lookup_schema(SUBJECT, unknown), 40403),
        (lambda: client.lookup_schema("nothing", unknown), 40401),
    ):
        with pytest.raises(SchemaRegistryError) as refused:
            ask()
        assert refused.value.error_code == code
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(SUBJECT, unknown)
    assert refused.value.http_status_code == 405


CONFLUENT = {"content-type": "application/vnd.schemaregistry.v1+json"}


def test_the_rest_of_the_shape(url: str) -> None:
    """What UIs ask besides; a lookup of nonsense is refused."""
    entry = registry.lookup(SUBJECT, "latest")
    with httpx2.Client(base_url=url) as http:
        assert http.get("/mode").json() == {"mode": "READONLY"}
        assert http.get("/schemas/types").json() == ["AVRO"]
        assert http.get(f"/schemas/ids/{entry.id}/versions").json() == [{"subject": SUBJECT, "version": 1}]
        assert http.get("/schemas/ids/999999/versions").json()["error_code"] == 40403
        assert http.get("/config/nothing").json()["error_code"] == 40401
        for body in (b"", b"[]", b'{"schema": 1}', b'{"schema": "string"}', b'{"schema": "{\\"a\\""}'):
            answer = http.post(f"/subjects/{SUBJECT}", content=body, headers=CONFLUENT)
            assert (answer.status_code, answer.json()["error_code"]) == (422, 42201), body
