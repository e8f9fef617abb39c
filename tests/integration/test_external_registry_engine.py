"""Does the engine run on an external registry's ids, through one that is away and on a log with other ids?"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import codec, registry
from schemas.codec import HEADER
from schemas.events import BaseCurrencySet, ClockTicked, ProcessingFailed
from streams import lane as lane_module
from streams import schema_ids
from streams.engine import Engine
from streams.log import Append
from streams.schema_ids import OtherIds, check
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, FAILED, partition_for, topic_specs
from tests.headwater import headwater
from tests.integration.engines import append, events, settings_for
from tests.registries import Double, adopted, double, free_port, newer_order, register, with_user, written
from tests.unit.streams.partition import day, order

PARTITIONS = 2
SUBJECT = "headwater.OrderPlaced"


@pytest.fixture
def there() -> Iterator[Double]:
    """An external registry, whose ids are in force in this process."""
    with double() as found, adopted(found.url):
        yield found


async def append_raw(engine: Engine, value: bytes, key: bytes = b"a") -> None:
    partition = partition_for(key, engine.log.partitions(EVENTS))
    await engine.log.append([Append(EVENTS, partition, key, value)])


def of_a_newer_producer(there: Double) -> bytes:
    """An order of customer a, written with a schema that only the registry knows."""
    schema = newer_order(default="")
    number = register(there.url, SUBJECT, schema)
    return written(number, schema, order("a", day(1)), gift_note="with love")


async def test_a_record_of_an_unknown_schema_fails_once(tmp_path: Path, there: Double) -> None:
    """One ProcessingFailed with the reason; what comes after it is folded, and a restart repeats nothing."""
    unknown = HEADER.pack(0, 7) + b"anything"
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append_raw(engine, unknown)
        await append(engine.log, [order("a", day(1))])
        await engine.caught_up()
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
        (failed,) = await events(engine.log, FAILED)
        assert isinstance(failed, ProcessingFailed)
        assert "unknown schema id 7: register its schema" in failed.reason
        assert failed.value == unknown
        assert sum(row.events for row in engine.lane.partitions.values()) == 1


async def test_a_newer_producers_record_is_folded(tmp_path: Path, there: Double) -> None:
    """Its schema is resolved through the registry; nothing fails."""
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append_raw(engine, of_a_newer_producer(there))
        await engine.caught_up()
        assert sum(row.events for row in engine.lane.partitions.values()) == 1
        assert await events(engine.log, FAILED) == []


async def test_while_the_registry_is_away_folding_waits(
    tmp_path: Path, there: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of an id that only it knows is not given up: readiness says so, and it is folded once told."""
    monkeypatch.setattr(lane_module, "RETRY_S", 0.01)
    newer = of_a_newer_producer(there)
    async with Engine.open(settings_for(tmp_path)) as engine, asyncio.timeout(60):
        await append(engine.log, [order("a", day(0))])
        there.answers_all = 503, {}
        await append_raw(engine, newer)
        while "does not tell what schema id" not in (await engine.status()).reason:
            await asyncio.sleep(0.01)
        assert await events(engine.log, FAILED) == []
        there.answers_all = None
        await engine.caught_up()
        assert (await engine.status()).ready
        assert sum(row.events for row in engine.lane.partitions.values()) == 2
        assert await events(engine.log, FAILED) == []


async def begun(path: Path) -> SqliteLog:
    """A log that an engine began with the ids in force."""
    async with Engine.open(settings_for(path, partitions=PARTITIONS)) as engine:
        await append(engine.log, [order("a", day(0))])
    return await SqliteLog.open(path / "log.db", topic_specs(PARTITIONS))


@pytest.mark.parametrize("first_id", [1, 45, 1_000], ids=["overlapping", "shifted", "apart"])
async def test_a_log_with_built_in_ids_is_refused_under_others(tmp_path: Path, first_id: int) -> None:
    """Also where the other registry gave the same numbers to other schemas."""
    log = await begun(tmp_path)
    try:
        await check(log)
        with double(first_id) as found, adopted(found.url), pytest.raises(OtherIds) as refused:
            await check(log)
        assert "is a BaseCurrencySet under id 44): set HEADWATER_REGISTRY_URL to" in str(refused.value)
    finally:
        await log.close()


@pytest.mark.parametrize("first_id", [1, 45, 1_000], ids=["overlapping", "shifted", "apart"])
async def test_a_log_with_other_ids_is_refused_under_the_built_in_ones(tmp_path: Path, first_id: int) -> None:
    """And is taken again with the registry that it was begun with."""
    with double(first_id) as found:
        with adopted(found.url):
            log = await begun(tmp_path)
        try:
            with pytest.raises(OtherIds, match="unset it if that was the built-in one"):
                await check(log)
            with adopted(found.url):
                await check(log)
        finally:
            await log.close()


async def test_what_is_no_event_proves_nothing(tmp_path: Path) -> None:
    """Whoever wrote rubbish to the log first does not stop the engine; what follows still tells."""
    log = await SqliteLog.open(tmp_path / "log.db", topic_specs(1))
    tick = codec.encode(ClockTicked(event_id=order("a", 1).event_id, occurred_at=1, received_at=1))
    rubbish = [None, b"", b"{}", b"\0\0\0\0\7rubbish", HEADER.pack(0, registry.schema_id("OrderPlaced"))]
    try:
        await log.append([Append(EVENTS, 0, None, value) for value in rubbish])
        await check(log)
        await log.append([Append(EVENTS, 0, None, tick)])
        await check(log)
        with double() as found, adopted(found.url), pytest.raises(OtherIds, match="at offset 5 is a Clock"):
            await check(log)
    finally:
        await log.close()


def test_the_engines_first_record_is_no_other_event() -> None:
    """What tells the ids of a log is unlike every other event, so that no other id reads it."""
    first = BaseCurrencySet(event_id=order("a", 1).event_id, occurred_at=1, received_at=1, currency="USD")
    assert codec.could_be(codec.encode(first)) == ["BaseCurrencySet"]


def test_a_setting_names_the_registry(there: Double) -> None:
    """Its password is in no text of the settings; without it nobody is asked."""
    there.user = "ann:s3cret"
    there.requests.clear()
    codec.use()
    schema_ids.adopt(settings_for(Path()))
    assert not there.requests
    settings = settings_for(Path(), registry_url=with_user(there.url, there.user))
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    schema_ids.adopt(settings)
    assert registry.schema_id("OrderPlaced") in there.ids.values()


def test_a_command_runs_on_its_ids(tmp_path: Path) -> None:
    """From the environment: events load, in the history and the projections; every record has its ids."""
    file, data = tmp_path / "mine.jsonl", tmp_path / "data"
    order = {"type": "OrderPlaced", "customer_id": "c", "amount": "1.00", "currency": "USD"}
    file.write_text("".join(json.dumps(order | {"order_id": str(n)}) + "\n" for n in range(9)), "utf-8")
    with double() as there:
        there.user = "ann:s3cret"
        url = {"HEADWATER_REGISTRY_URL": with_user(there.url, there.user)}
        told = headwater("events", "load", file, "--data-dir", data, **url)
        told += headwater(
            "sql", "select count() from OrderPlaced", "--data-dir", data, "--format", "csv", **url
        )
        assert "9" in told[2].splitlines()
        assert "9 events loaded" in told[1]
        found, _ = headwater("doctor", "--data-dir", data, **url)
        assert "BAD" not in found
        assert not any("s3cret" in text for text in told)
        _, err = headwater("doctor", "--data-dir", data, expect=2)
    said = err.splitlines()
    assert said[-1].startswith("headwater: The log was begun with the schema ids of another registry (")
    assert "Traceback" not in err


def test_a_registry_that_refuses_stops_the_start_before_anything_is_consumed(tmp_path: Path) -> None:
    """One sentence with the remedy, exit 2, and not even a log."""
    url = f"http://ann:s3cret@127.0.0.1:{free_port()}"
    file = tmp_path / "mine.jsonl"
    file.write_text('{"type": "CustomerRegistered", "customer_id": "c"}\n', "utf-8")
    out, err = headwater(
        "events", "load", file, "--data-dir", tmp_path / "data", expect=2, HEADWATER_REGISTRY_URL=url
    )
    assert out == ""
    assert err.splitlines()[-1].startswith("headwater: The schema registry http://127.0.0.1:")
    assert "Traceback" not in err
    assert "s3cret" not in err
    assert not (tmp_path / "data" / "log.db").exists()
