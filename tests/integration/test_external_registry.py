"""Are events written and read by the ids of an external registry, and is one that refuses refused?"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas import codec, external, registry
from schemas.codec import HEADER, Undecodable
from schemas.events import OrderPlaced
from schemas.registry import RegistryRefused, RegistryUnavailable
from tests.registries import (
    REGISTRIES,
    Double,
    adopted,
    double,
    free_port,
    newer_order,
    register,
    with_user,
    written,
)

ID = "0c9b6a1e-6d1f-4a0e-8b7c-2f6f3f7f1a11"
SUBJECT = "headwater.OrderPlaced"
ORDER = OrderPlaced(
    event_id=ID, customer_id="a", occurred_at=1, received_at=2, order_id="o", amount_minor=1, currency="USD"
)
BUILT_IN = codec.encode(ORDER)


@pytest.fixture(scope="module", params=REGISTRIES)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A registry, which the tests leave usable."""
    with REGISTRIES[request.param]() as found:
        yield found


@pytest.fixture(params=REGISTRIES)
def fresh(request: pytest.FixtureRequest) -> Iterator[str]:
    """A registry that has nothing yet."""
    with REGISTRIES[request.param]() as found:
        yield found


@pytest.fixture
def there() -> Iterator[Double]:
    """A double, which can be told what to answer."""
    with double() as found:
        yield found


def test_events_are_written_and_read_by_its_ids(url: str) -> None:
    """The header has the id that the registry gave, the body is the same, and the catalogue says so."""
    with adopted(url):
        data = codec.encode(ORDER)
        assert codec.decode(data) == ORDER
        number = codec.schema_id(data)
        assert number == registry.schema_id("OrderPlaced") == register(url, SUBJECT, registry.schema(number))
        assert registry.by_id(number).subject == SUBJECT
        assert data[HEADER.size :] == BUILT_IN[HEADER.size :]
    assert codec.encode(ORDER) == BUILT_IN


def test_registering_again_gives_the_same_ids(url: str) -> None:
    """Every process registers the catalogue at its start, and no start changes an id."""
    with adopted(url):
        before = codec.encode(ORDER), [entry.id for entry in registry.all_registered()]
    with adopted(url):
        assert (codec.encode(ORDER), [entry.id for entry in registry.all_registered()]) == before


def test_a_newer_version_of_another_producer_is_read_as_ours(url: str) -> None:
    """An id that is none of ours is looked up, and what it has besides is left out."""
    with adopted(url):
        schema = newer_order(default="")
        data = written(register(url, SUBJECT, schema), schema, ORDER, gift_note="with love")
        assert codec.kind(data) is None
        assert codec.decode(data) == ORDER
        assert codec.kind(data) is OrderPlaced
        assert registry.schema(codec.schema_id(data))["fields"][-1]["name"] == "gift_note"


def test_a_record_of_another_producer_must_be_whole(there: Double) -> None:
    """Cut short anywhere, also within what we leave out, or followed by anything, it is no event."""
    with adopted(there.url):
        schema = newer_order(default="")
        data = written(register(there.url, SUBJECT, schema), schema, ORDER, gift_note="with love")
        for damaged in [*(data[:end] for end in range(len(data))), data + b"\0"]:
            with pytest.raises(Undecodable):
                codec.decode(damaged)
        assert codec.decode(data) == ORDER


def test_an_id_that_nobody_knows_is_undecodable(url: str) -> None:
    """The registry says so, and that is remembered."""
    with adopted(url), pytest.raises(Undecodable, match="unknown schema id 99999999"):
        codec.decode(HEADER.pack(0, 99_999_999) + BUILT_IN[HEADER.size :])


def test_a_schema_that_is_no_event_of_ours_is_undecodable(url: str) -> None:
    """Other teams register in the same registry."""
    theirs = {"type": "record", "name": "Invoice", "namespace": "billing", "fields": []}
    with adopted(url):
        number = register(url, "billing.Invoice", theirs)
        with pytest.raises(Undecodable, match=rf"schema id {number} is no event of ours .*billing\.Invoice"):
            codec.decode(HEADER.pack(0, number))


def test_a_subject_with_an_incompatible_schema_is_refused(fresh: str) -> None:
    """Somebody else's headwater.OrderPlaced is in the way: the sentence names it; ours stay in force."""
    theirs = {"type": "record", "name": "OrderPlaced", "namespace": "headwater"}
    register(fresh, SUBJECT, theirs | {"fields": [{"name": "amount_minor", "type": "string"}]})
    with pytest.raises(RegistryRefused, match=r"refuses version 1 of headwater\.OrderPlaced as incompatible"):
        external.adopt(fresh)
    assert codec.encode(ORDER) == BUILT_IN


@pytest.mark.parametrize(
    ("status", "told", "said"),
    [
        (401, {"error_code": 40101, "message": "User cannot access the resource."}, "refuses who asks (401)"),
        (403, {"error_code": 40301, "message": "Denied"}, "refuses who asks (403)"),
        (422, {"error_code": 42205, "message": "is in read-only mode"}, "refuses version 1 of headwater."),
        (503, {"error_code": 50003, "message": "no leader"}, "fails at version 1 of headwater."),
        (200, {"hello": "world"}, "answers 200 as no Confluent-compatible registry does"),
        (404, {}, "answers 404 as no Confluent-compatible registry does"),
        (200, {"id": 7}, "gave two schemas one id"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_registry_that_refuses_is_named_with_the_remedy(
    there: Double, status: int, told: dict[str, object], said: str
) -> None:
    """One line, with what to correct or mend and never with the password; nothing changes."""
    there.answers_all = status, told
    with pytest.raises(RegistryRefused) as refused:
        external.adopt(with_user(there.url, "ann:s3cret"))
    text = str(refused.value)
    assert said in text
    assert there.url in text
    assert "\n" not in text
    assert "s3cret" not in text
    assert codec.encode(ORDER) == BUILT_IN


def test_one_that_cannot_be_reached_is_named() -> None:
    """Nobody listens there."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(RegistryRefused, match=f"{url} cannot be reached .*: start it"):
        external.adopt(with_user(url, "ann:s3cret"))


@pytest.mark.parametrize(
    "url", ["registry:8081", "ftp://ann:s3cret@host", "http://ann:s3cret@host:x", "http://", ""]
)
def test_what_is_no_address_is_not_shown(url: str) -> None:
    """It may have the password in it."""
    with pytest.raises(RegistryRefused, match="HEADWATER_REGISTRY_URL is no address") as refused:
        external.adopt(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("host", ["ex ample", "..", "x" * 300])
def test_a_host_that_cannot_be_is_not_reached(host: str) -> None:
    """No other error than the one that has a remedy."""
    with pytest.raises(RegistryRefused, match="cannot be reached"):
        external.adopt(f"http://ann:s3cret@{host}")


def test_the_user_in_the_address_is_sent(there: Double) -> None:
    """As Basic authentication, with what an address cannot hold percent-encoded."""
    there.user = "ann@shop:s/3:t"
    with pytest.raises(RegistryRefused, match="refuses who asks"):
        external.adopt(there.url)
    with adopted(with_user(there.url, "ann%40shop:s%2F3%3At")):
        assert codec.schema_id(codec.encode(ORDER)) in there.ids.values()


def test_an_id_is_asked_for_once(there: Double) -> None:
    """What the registry said is remembered, also that it knows none."""
    unknown = HEADER.pack(0, 7) + BUILT_IN[HEADER.size :]
    with adopted(there.url):
        schema = newer_order(default="")
        known = written(register(there.url, SUBJECT, schema), schema, ORDER, gift_note="")
        there.requests.clear()
        for _ in range(3):
            assert codec.decode(known) == ORDER
            with pytest.raises(Undecodable):
                codec.decode(unknown)
    assert there.requests == [f"GET /schemas/ids/{codec.schema_id(known)}", "GET /schemas/ids/7"]


@pytest.mark.parametrize("answer", [(503, {}), (401, {}), (404, {"error_code": 404}), (200, {"schema": 1})])
def test_a_registry_that_does_not_tell_leaves_it_open(
    there: Double, answer: tuple[int, dict[str, Any]]
) -> None:
    """Whether the bytes are an event is known once it answers: they are not undecodable."""
    schema = newer_order(default="")
    with adopted(there.url):
        data = written(register(there.url, SUBJECT, schema), schema, ORDER, gift_note="")
        there.answers_all = answer
        with pytest.raises(RegistryUnavailable, match="does not tell what schema id") as unavailable:
            codec.decode(data)
        assert unavailable.value.schema_id == codec.schema_id(data)
        there.answers_all = None
        assert codec.decode(data) == ORDER


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "OrderPlaced", "namespace": "headwater", "fields": []},
        {"type": "record", "name": "headwater.OrderPlaced", "fields": [{"name": "lines", "type": "string"}]},
        {"type": "record", "name": "OrderPlaced", "namespace": "headwater", "fields": [{"type": "nothing"}]},
        "string",
        7,
        [[[[]]]],
    ],
    ids=str,
)
def test_any_schema_under_an_id_gives_an_event_or_undecodable(there: Double, schema: object) -> None:
    """Whatever is registered, and whatever bytes come with it."""
    with adopted(there.url):
        there.answers_all = 200, {"schema": msgspec.json.encode(schema).decode()}
        with pytest.raises(Undecodable):
            codec.decode(HEADER.pack(0, 7) + BUILT_IN[HEADER.size :])


def test_a_schema_that_is_not_avro_is_undecodable(there: Double) -> None:
    """Registries hold JSON Schema and Protobuf, too."""
    with adopted(there.url):
        there.answers_all = 200, {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3";'}
        with pytest.raises(Undecodable, match="schema id 7 is no event of ours"):
            codec.decode(HEADER.pack(0, 7))
