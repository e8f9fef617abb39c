"""Does real Faust over the embedded log fold everything once, through stops, crashes and lost stores?"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from bench.events import generate
from schemas.codec import encode
from schemas.events import ClockTicked, CustomerEvent, LifecycleRulesSet, ProcessingFailed
from streams import lane as lane_module
from streams import rows as rows_module
from streams import sqlite_transport
from streams.engine import Engine, forget_projections
from streams.loading import Load
from streams.log import Append, LogUnavailable, Position, ProducerFenced
from streams.rows import FoldVersionMismatch, new_partition
from streams.sqlite_log import SqliteLog, SqliteProducer
from streams.table import CustomerTable
from streams.topics import CUSTOMERS, EVENTS, FAILED, TRANSITIONS, topic_specs
from streams.wanted import BadRules
from tests.integration.engines import append, events, rows, settings_for, stored
from tests.unit.streams.partition import day, event_id, order

END_MS = 1_700_000_000_000


def history(count: int = 3_000, customers: int = 200) -> list[CustomerEvent]:
    return list(generate(count, customers, end_ms=END_MS))


async def test_every_event_is_folded_and_every_row_is_in_the_changelog(tmp_path: Path) -> None:
    """The rows of the store are those of the changelog, and count every event."""
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append(engine.log, history())
        await engine.caught_up()
        assert sum(row.events for row in engine.lane.partitions.values()) == 3_000
        assert sum(row.customers for row in engine.lane.partitions.values()) == 200
        assert await stored(engine) == await rows(engine.log)


async def test_a_restart_resumes_where_it_was(tmp_path: Path) -> None:
    """Half before, half after: the same rows and transitions as in one go."""
    given = history()
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    async with Engine.open(settings_for(whole)) as engine:
        await append(engine.log, given)
        await engine.caught_up()
        expected = await rows(engine.log), await events(engine.log, TRANSITIONS)
    for part in (given[:1_500], given[1_500:]):
        async with Engine.open(settings_for(halves)) as engine:
            await append(engine.log, part)
            await engine.caught_up()
            result = await rows(engine.log), await events(engine.log, TRANSITIONS)
    assert result[0] == expected[0]
    assert [_identity(e) for e in result[1]] == [_identity(e) for e in expected[1]]


def _identity(event: object) -> object:
    return msgspec.structs.replace(event, received_at=0)  # type: ignore[type-var]


async def test_a_lost_store_is_recovered_from_the_changelog(tmp_path: Path) -> None:
    """Deleting the local store costs nothing but the time to read the changelog."""
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append(engine.log, history())
        await engine.caught_up()
        before = await stored(engine)
    shutil.rmtree(tmp_path / "table")
    async with Engine.open(settings_for(tmp_path)) as engine:
        assert await stored(engine) == before
        await append(engine.log, [order("new", END_MS)])
        await engine.caught_up()
        assert await stored(engine) == await rows(engine.log)


async def test_a_crash_after_the_transaction_and_before_the_store_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Effect 3 happened, 4 did not: the next start recovers 4 and announces nothing twice."""
    write = CustomerTable.write
    calls = 0

    def dies(self: CustomerTable, *args: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError("killed here")
        write(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(CustomerTable, "write", dies)
    async with Engine.open(settings_for(tmp_path, run_records=100)) as engine:
        await append(engine.log, history())
        assert isinstance(await asyncio.wait_for(engine.failed, 20), OSError)
        status = await engine.status()
        assert not status.ready
        assert "killed here" in status.reason
    monkeypatch.undo()
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
        assert await stored(engine) == await rows(engine.log)
        assert sum(row.events for row in engine.lane.partitions.values()) == 3_000
        ids = [event.event_id for event in await events(engine.log, TRANSITIONS)]
        assert len(ids) == len(set(ids))


async def test_a_log_that_cannot_append_makes_folding_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Effect 3 is refused, as on a full disk: readiness says so, and the run is folded once it can be."""
    transact = SqliteProducer.transact
    full = True

    async def refuse(self: SqliteProducer, batch: Sequence[Append]) -> Sequence[Position]:
        if full:
            raise LogUnavailable("disk full")
        return await transact(self, batch)

    monkeypatch.setattr(lane_module, "RETRY_S", 0.01)
    async with Engine.open(settings_for(tmp_path)) as engine, asyncio.timeout(20):
        monkeypatch.setattr(SqliteProducer, "transact", refuse)
        await append(engine.log, [order("a", day(0))])
        while (await engine.status()).reason != "disk full":
            await asyncio.sleep(0.01)
        full = False
        await engine.caught_up()
        assert (await engine.status()).ready
        assert sum(row.events for row in engine.lane.partitions.values()) == 1


async def test_a_crash_of_faust_itself_fails_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside the agent too: what stops folding ends readiness, and with it the process."""

    async def crash(self: object, offsets: object) -> bool:
        raise OSError("commit crashed")

    monkeypatch.setattr(sqlite_transport.Consumer, "_commit", crash)
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append(engine.log, [order("a", day(0))])
        assert "commit crashed" in repr(await asyncio.wait_for(engine.failed, 30))
        assert not (await engine.status()).ready


async def test_a_fenced_lane_cannot_write(tmp_path: Path) -> None:
    """Once another owner took the partition over, the former one's transaction is refused whole."""
    async with Engine.open(settings_for(tmp_path, partitions=1)) as engine:
        await append(engine.log, [order("a", day(0))])
        await engine.caught_up()
        await engine.log.producer("headwater-0")
        await append(engine.log, [order("a", day(1))])
        assert isinstance(await asyncio.wait_for(engine.failed, 20), ProducerFenced)
        assert len(await events(engine.log, TRANSITIONS)) == 1


async def test_bytes_that_do_not_decode_are_kept_with_their_origin(tmp_path: Path) -> None:
    """A poison record becomes one ProcessingFailed, and its partition goes on."""
    async with Engine.open(settings_for(tmp_path, partitions=1)) as engine:
        await engine.log.append([Append(EVENTS, 0, b"k", b"poison"), Append(EVENTS, 0, b"k", None)])
        await append(engine.log, [order("a", day(0))])
        await engine.caught_up()
        failures = await events(engine.log, FAILED)
        assert [f.value for f in failures if isinstance(f, ProcessingFailed)] == [b"poison", None]
        assert engine.lane.partitions[0].events == 1


async def test_rows_of_another_fold_version_stop_the_start_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New projections never fold onto old rows: the error names the command."""
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append(engine.log, history(100, 10))
        await engine.caught_up()
    monkeypatch.setattr(rows_module, "FOLD_VERSION", 999)
    with pytest.raises(FoldVersionMismatch, match="headwater rebuild"):
        async with Engine.open(settings_for(tmp_path)):
            pass


async def test_a_rebuild_gives_the_same_rows_and_announces_nothing(tmp_path: Path) -> None:
    """Folding the log again from its start, outputs off: rows are byte-equal, transitions untouched."""
    settings = settings_for(tmp_path)
    async with Engine.open(settings) as engine:
        await append(engine.log, history())
        await engine.caught_up()
        before = await stored(engine), await events(engine.log, TRANSITIONS)
    assert (
        await forget_projections(settings) == 3_008
    )  # and the base currency and what is predicted, a partition each
    async with Engine.open(settings) as engine:
        await engine.caught_up()
        assert (await stored(engine), await events(engine.log, TRANSITIONS)) == before
        await append(engine.log, [order("new", END_MS)])
        await engine.caught_up()
        assert len(await events(engine.log, TRANSITIONS)) == len(before[1]) + 1


async def test_a_rebuild_never_reads_the_rows_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade that changes the rows' layout is rebuilt: the former rows, unreadable, are passed over."""
    settings = settings_for(tmp_path, partitions=1)
    async with Engine.open(settings) as engine:
        await append(engine.log, history(50, 5))
        await engine.caught_up()
        old = msgspec.msgpack.encode([0, "another layout"])
        await engine.log.append([Append(CUSTOMERS, 0, b"c00000001", old)])
    await forget_projections(settings)
    async with Engine.open(settings) as engine:
        await engine.caught_up()
        assert await stored(engine) == await rows(engine.log)
        assert engine.lane.partitions[0].events == 50


async def test_time_stands_where_the_partitions_with_events_are(tmp_path: Path) -> None:
    """A partition that never had an event does not hold the moment of all others at 1970."""
    async with Engine.open(settings_for(tmp_path)) as engine:
        await append(engine.log, [order("a", day(9_000))])
        await engine.caught_up()
        assert engine.as_of_ms() == day(9_000)


async def test_a_rebuild_that_is_interrupted_goes_on(tmp_path: Path) -> None:
    """Forgetting twice keeps the outputs off up to where they were."""
    settings = settings_for(tmp_path)
    async with Engine.open(settings) as engine:
        await append(engine.log, history(500, 50))
        await engine.caught_up()
        before = len(await events(engine.log, TRANSITIONS))
    await forget_projections(settings)
    assert await forget_projections(settings) == 508
    async with Engine.open(settings) as engine:
        await engine.caught_up()
        assert len(await events(engine.log, TRANSITIONS)) == before


async def test_a_rebuild_that_dies_among_the_tombstones_is_run_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No engine starts on the customers that are left: they would be counted twice."""
    settings = settings_for(tmp_path, partitions=1)
    async with Engine.open(settings) as engine:
        await append(engine.log, history(500, 50))
        await engine.caught_up()
        before = await stored(engine), await events(engine.log, TRANSITIONS)
    transact, left = SqliteProducer.transact, 2

    async def dying(self: SqliteProducer, batch: Sequence[Append]) -> Sequence[Position]:
        nonlocal left
        left -= 1
        if left < 0:
            raise InterruptedError
        return await transact(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(lane_module, "FORGET_ROWS", 20)
        patch.setattr(SqliteProducer, "transact", dying)
        with pytest.raises(InterruptedError):
            await forget_projections(settings)
    with pytest.raises(FoldVersionMismatch, match="rebuild` once more"):
        async with Engine.open(settings):
            pass
    assert await forget_projections(settings) == 502
    async with Engine.open(settings) as engine:
        await engine.caught_up()
        assert (await stored(engine), await events(engine.log, TRANSITIONS)) == before


async def test_the_wall_clock_ticks_every_partition(tmp_path: Path) -> None:
    """With HEADWATER_CLOCK=wall stream time follows now without any event."""
    settings = settings_for(tmp_path, clock="wall", tick_seconds=0.05)
    async with Engine.open(settings) as engine, asyncio.timeout(20):
        started = engine.now_ms()
        while engine.as_of_ms() < started:
            await asyncio.sleep(0.01)


async def test_ticks_wait_for_a_load(tmp_path: Path) -> None:
    """While a load is unfinished no tick may make the rest of it late."""
    settings = settings_for(tmp_path, clock="wall", tick_seconds=0.01)
    given = [order("a", day(0)), order("b", day(1))]
    async with Engine.open(settings_for(tmp_path)) as engine:
        load = await Load.begin(engine.log, "sample", digest="d", rows=2)
        await load.append(given[:1], first_row=0)
    async with Engine.open(settings) as engine, asyncio.timeout(20):
        await asyncio.sleep(0.2)
        ticks = [e for e in await events(engine.log, EVENTS) if isinstance(e, ClockTicked)]
        assert ticks == []
        load = await Load.begin(engine.log, "sample", digest="d", rows=2)
        await load.append(given[1:], first_row=1)
        while engine.as_of_ms() == 0:
            await asyncio.sleep(0.01)


async def test_the_base_currency_and_the_rules_enter_the_log_once(tmp_path: Path) -> None:
    """They are told at the first start and when they change, a partition each, and not again."""
    rules = tmp_path / "lifecycle.toml"
    rules.write_text("new_days = 30\nrhythm = true\n")
    settings = settings_for(tmp_path, currency="EUR")
    for _ in range(2):
        async with Engine.open(settings) as engine:
            await engine.caught_up()
            assert {p.base_currency for p in engine.parameters()} == {"EUR"}
            assert {(p.rules.new_days, p.rules.rhythm) for p in engine.parameters()} == {(30, True)}
            assert len(await events(engine.log, EVENTS)) == 12  # and what is predicted
    rules.write_text("")
    async with Engine.open(settings) as engine:
        await engine.caught_up()
        assert {(p.rules.new_days, p.rules.rhythm) for p in engine.parameters()} == {(60, False)}


async def test_without_a_rules_file_what_is_in_force_stays(tmp_path: Path) -> None:
    """A command that runs elsewhere, or a lost file, changes nobody's stage."""
    rules = tmp_path / "lifecycle.toml"
    rules.write_text("new_days = 30\n")
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
    rules.unlink()
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
        assert {p.rules.new_days for p in engine.parameters()} == {30}


async def test_rules_are_compared_with_those_on_the_log_not_those_folded_so_far(tmp_path: Path) -> None:
    """Rules that were told but not folded when the process died do not outlive the file's."""
    (tmp_path / "lifecycle.toml").write_text("new_days = 30\n")
    settings = settings_for(tmp_path)
    async with Engine.open(settings) as engine:
        await engine.caught_up()
    log = await SqliteLog.open(settings.log_path, topic_specs(4))
    other = LifecycleRulesSet(
        event_id=event_id("other"), occurred_at=0, received_at=0, version="x", new_days=9
    )
    await log.append([Append(EVENTS, p, None, encode(other)) for p in range(4)])
    await log.close()
    async with Engine.open(settings) as engine, asyncio.timeout(20):
        await engine.caught_up()
        while {p.rules.new_days for p in engine.parameters()} != {30}:
            await asyncio.sleep(0.01)


async def test_a_rules_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """HEADWATER_LIFECYCLE with a typing error does not mean the defaults."""
    with pytest.raises(BadRules, match="not there"):
        async with Engine.open(settings_for(tmp_path, lifecycle=tmp_path / "typo.toml")):
            pass


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("new_day = 3", "'new_day'"),
        ("new_days = 0", "new_days is 0"),
        ("dormant_days = 1000000000000", "1 to 36500"),
        ('new_days = "x"', "int"),
        ("new_days = ", "Invalid value"),
        ("active_days = 200", "must not fall"),
    ],
)
async def test_rules_that_cannot_be_used_stop_the_start(tmp_path: Path, text: str, names: str) -> None:
    """The error names the file and what is wrong in it."""
    (tmp_path / "lifecycle.toml").write_text(text)
    with pytest.raises(BadRules, match=names):
        async with Engine.open(settings_for(tmp_path)):
            pass


async def test_an_event_of_the_engine_cannot_be_appended_from_outside(tmp_path: Path) -> None:
    """Only the holder of the clock tells time and parameters."""
    async with Engine.open(settings_for(tmp_path)) as engine:
        with pytest.raises(ValueError, match="ClockTicked"):
            await engine.append_events([ClockTicked(event_id="0" * 32, occurred_at=0, received_at=0)])


def test_an_empty_partition_row_encodes_small() -> None:
    """The partition row travels with every run: it stays under 1 KiB."""
    assert len(rows_module.encode_partition(new_partition(rows_module.Parameters()))) < 1024
