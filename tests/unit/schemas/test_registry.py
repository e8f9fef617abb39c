"""Does each published schema keep its id and its content for ever?"""

import copy
import json

import pytest

from schemas import registry
from schemas.files import EVENT_FILES, EventFile
from schemas.registry import UnknownSchema

LOCK: registry.Lock = json.loads(registry.LOCK.read_text(encoding="utf-8"))
TICK = next(file for file in EVENT_FILES if file.name == "ClockTicked")


def with_field(file: EventFile, version: int, doc: str = "Time zone.") -> EventFile:
    schema = copy.deepcopy(file.schema)
    schema["fields"].append({"name": "zone", "type": "string", "default": "UTC", "doc": doc})
    return file._replace(version=version, schema=schema)


def test_the_lock_file_knows_every_schema_as_it_is() -> None:
    """No .avsc file was changed, added or removed without the lock: run `python -m schemas.registry lock`."""
    assert registry.locked(EVENT_FILES, LOCK) == LOCK


def test_ids_are_unique() -> None:
    """No two schemas share an id."""
    ids = [entry.id for entry in registry.all_registered()]
    assert len(ids) == len(set(ids)) == len(EVENT_FILES)


def test_a_changed_published_schema_is_refused() -> None:
    """A published version is immutable; the message says which file to write instead."""
    changed = tuple(with_field(file, 1) if file is TICK else file for file in EVENT_FILES)
    with pytest.raises(ValueError, match=r"write ClockTicked\.v2\.avsc"):
        registry.locked(changed, LOCK)


def test_a_lost_published_schema_is_refused() -> None:
    """Without its schema a part of the log could not be read."""
    with pytest.raises(ValueError, match=r"restore .*headwater\.ClockTicked"):
        registry.locked(tuple(file for file in EVENT_FILES if file is not TICK), LOCK)


def test_a_new_version_gets_the_next_id() -> None:
    """Locking adds the new and leaves the old."""
    grown = registry.locked((*EVENT_FILES, with_field(TICK, 2)), LOCK)
    assert grown["headwater.ClockTicked"]["2"]["id"] == len(EVENT_FILES) + 1
    assert grown["headwater.ClockTicked"]["1"] == LOCK["headwater.ClockTicked"]["1"]


def test_docs_may_be_improved() -> None:
    """The fingerprint is of all but the docs."""
    shorter, longer = (with_field(TICK, 2, doc).schema for doc in ("Zone.", "Time zone of the clock."))
    assert registry.fingerprint(shorter) == registry.fingerprint(longer) != registry.fingerprint(TICK.schema)


def test_a_schema_is_found_by_id_subject_and_version() -> None:
    """The registry answers by id, by subject and version, and by latest, with one and the same schema."""
    entry = registry.lookup("headwater.OrderPlaced", "latest")
    assert registry.lookup("headwater.OrderPlaced", 1) == entry == registry.by_id(entry.id)
    assert registry.schema(registry.schema_id("OrderPlaced"))["name"] == "OrderPlaced"


@pytest.mark.parametrize(
    ("find", "detail"),
    [
        (lambda: registry.schema(0), "no schema has the id 0"),
        (lambda: registry.versions("headwater.Nothing"), "no subject 'headwater.Nothing'"),
        (lambda: registry.lookup("headwater.OrderPlaced", 9), "has no version 9"),
    ],
    ids=["id", "subject", "version"],
)
def test_what_is_not_registered_is_named(find, detail) -> None:
    """An unknown id, subject or version raises UnknownSchema, which says what there is."""
    with pytest.raises(UnknownSchema, match=detail):
        find()
