"""Does the archive write every record of the log once, whatever is refused and wherever it is killed?"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.codec import decode, encode
from schemas.events import ProcessingFailed
from streams import archive as archive_module
from streams.archive import TOPICS, AheadOfLog, Archive
from streams.log import Append, Record
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, FAILED, TRANSITIONS, topic_specs
from tests.unit.streams.partition import order

BAD = encode(order("a", 0))


class Refused(NamedTuple):
    partition: int
    offset: int
    reason: str


class Killed(Exception):
    """The process ends here."""


class Writer:
    """A history in memory that drops offsets it has, refuses the event BAD, and can be killed."""

    def __init__(self) -> None:
        self.tables: dict[str, set[tuple[int, int]]] = {topic: set() for topic in TOPICS}
        self.noted: dict[tuple[str, int], int] = {}
        self.effects: list[str] = []
        self.killed_at = ""

    def forget(self) -> None:
        """Everything is at hand."""

    def resume(self, topic: str, partition: int) -> int:
        return self.noted.get((topic, partition), 0)

    def write(self, topic: str, runs: Mapping[int, Sequence[Record]]) -> list[Refused]:
        self.effects.append(f"write {topic}")
        refused = []
        for partition, run in runs.items():
            for record in run:
                if record.value == BAD:
                    refused.append(Refused(partition, record.offset, "no table holds it"))
                else:
                    self.tables[topic].add((partition, record.offset))
        if self.killed_at == "written":
            raise Killed
        return refused

    def note(self, topic: str, upto: Mapping[int, int]) -> None:
        if self.killed_at == "noting":
            raise Killed
        self.effects.append(f"note {topic}")
        self.noted |= {(topic, partition): offset for partition, offset in upto.items()}


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path / "log.db", topic_specs(2))
    yield log
    await log.close()


async def archived(log: SqliteLog, writer: Writer) -> Archive:
    archive = Archive(log, writer)
    await archive.start()
    await archive.caught_up()
    return archive


async def test_every_record_of_every_topic_is_written_then_noted(log: SqliteLog) -> None:
    """Tables first, the note after; nothing is left behind."""
    await log.append([Append(EVENTS, n % 2, b"k", b"v") for n in range(10)])
    await log.append([Append(TRANSITIONS, 0, b"k", b"v")])
    writer = Writer()
    archive = await archived(log, writer)
    assert writer.effects == [
        f"write {EVENTS}",
        f"note {EVENTS}",
        f"write {TRANSITIONS}",
        f"note {TRANSITIONS}",
    ]
    assert len(writer.tables[EVENTS]) == 10
    assert await archive.lag() == 0


@pytest.mark.parametrize("killed_at", ["written", "noting"])
async def test_killed_before_the_note_it_writes_the_same_again(log: SqliteLog, killed_at: str) -> None:
    """What was written and not noted is written again; a refusal is reported before the note."""
    await log.append([Append(EVENTS, 0, b"k", b"v"), Append(EVENTS, 0, b"a", BAD)])
    writer = Writer()
    writer.killed_at = killed_at
    with pytest.raises(Killed):
        await archived(log, writer)
    writer.killed_at = ""
    await archived(log, writer)
    assert writer.tables[EVENTS] == {(0, 0)}
    failures = [decode(r.value or b"") for r in (await log.read(FAILED, 0, 0, 10)).records]
    assert {f.event_id for f in failures} == {failures[0].event_id}
    assert [(f.topic, f.offset) for f in failures[:1] if isinstance(f, ProcessingFailed)] == [(EVENTS, 1)]


async def test_what_the_history_refuses_of_failed_itself_is_not_reported_again(log: SqliteLog) -> None:
    """A failure about a failure would go round for ever."""
    await log.append([Append(FAILED, 0, b"k", BAD)])
    await archived(log, Writer())
    assert list(await log.end_offsets(FAILED)) == [1, 0]


async def test_an_archive_goes_on_where_the_history_says(log: SqliteLog) -> None:
    """A second archive of the same history reads only what is new."""
    await log.append([Append(EVENTS, 0, b"k", b"v")])
    writer = Writer()
    await archived(log, writer)
    writer.effects.clear()
    await log.append([Append(EVENTS, 1, b"k", b"v")])
    await archived(log, writer)
    assert writer.effects == [f"write {EVENTS}", f"note {EVENTS}"]
    assert writer.tables[EVENTS] == {(0, 0), (1, 0)}


async def test_the_history_of_another_log_is_refused(log: SqliteLog) -> None:
    """A log that was deleted and begun anew must not lose its first records to the old one's count."""
    await log.append([Append(EVENTS, 0, b"k", b"v")])
    writer = Writer()
    writer.note(EVENTS, {0: 2})
    with pytest.raises(
        AheadOfLog, match=r"headwater.events/0 up to 2, but the log ends at 1: .*another database"
    ):
        await archived(log, writer)


async def test_what_does_not_decode_is_the_lanes_to_report(log: SqliteLog) -> None:
    """One poison record gives one ProcessingFailed, not one of each consumer."""
    await log.append([Append(EVENTS, 0, b"k", b"poison")])
    writer = Writer()
    writer.write = lambda topic, runs: [Refused(0, 0, "no event")] if topic == EVENTS else []  # type: ignore[method-assign]
    await archived(log, writer)
    assert list(await log.end_offsets(FAILED)) == [0, 0]


async def test_a_history_that_fails_is_asked_again(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled ClickHouse ends nothing: the archive says so, and writes the same once it answers."""
    monkeypatch.setattr(archive_module, "RETRY_S", 0.01)
    monkeypatch.setattr(archive_module, "GATHER_S", 0.01)
    await log.append([Append(EVENTS, 0, b"k", b"v")])
    writer = Writer()
    writer.killed_at = "noting"
    archive = Archive(log, writer)
    await archive.start()
    running = asyncio.create_task(archive.run())
    async with asyncio.timeout(20):
        while not archive.trouble:
            await asyncio.sleep(0.01)
        writer.killed_at = ""
        while await archive.lag():
            await asyncio.sleep(0.01)
    running.cancel()
    assert writer.tables[EVENTS] == {(0, 0)}
    assert archive.trouble == ""
