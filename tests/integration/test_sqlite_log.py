"""Does the embedded log keep the contract, and what it adds to it?"""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.log import Append, LogUnavailable, ProducerFenced, TopicSpec
from streams.sqlite_log import SqliteLog
from tests.integration.log_contract import LogContract, records, values

TOPICS = [TopicSpec("plain", 2), TopicSpec("compacted", 1, compacted=True)]


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path / "log.db", TOPICS)
    yield log
    await log.close()


class TestSqliteLog(LogContract):
    async def test_everything_is_there_after_a_restart(self, log: SqliteLog, tmp_path: Path) -> None:
        """Records, offsets, committed offsets and fences outlive the process."""
        producer = await log.producer("p")
        await producer.transact(records("a", "b"))
        await log.commit("g", {("plain", 0): 2})
        await log.close()
        again = await SqliteLog.open(tmp_path / "log.db", TOPICS)
        assert await values(again) == [b"a", b"b"]
        assert dict(await again.committed("g", "plain")) == {0: 2}
        assert [p.offset for p in await again.append(records("c"))] == [2]
        await again.producer("p")
        await again.close()

    async def test_a_topic_keeps_its_partitions(self, log: SqliteLog, tmp_path: Path) -> None:
        """Opening with another partition count changes nothing: the count of a keyed topic is for ever."""
        await log.close()
        again = await SqliteLog.open(tmp_path / "log.db", [TopicSpec("plain", 7)])
        assert again.partitions("plain") == 2
        await again.close()

    async def test_compaction_keeps_the_newest_of_each_key_and_the_offsets(self, log: SqliteLog) -> None:
        """Superseded records go, offsets stay, and the next append gets the next offset."""
        await log.append([Append("compacted", 0, b"k", str(n).encode()) for n in range(5)])
        await log.append([Append("compacted", 0, b"other", b"x"), Append("compacted", 0, b"k", None)])
        assert await log.compact("compacted", 0) == 2
        assert [(r.offset, r.key, r.value) for r in (await log.read("compacted", 0, 0, 10)).records] == [
            (5, b"other", b"x"),
            (6, b"k", None),
        ]
        assert list(await log.start_offsets("compacted")) == [5]
        assert [p.offset for p in await log.append(records("y", topic="compacted"))] == [7]

    async def test_compaction_over_many_batches(self, log: SqliteLog) -> None:
        """Left is the newest of each key, readable from any offset; cleaning again changes nothing."""
        keys = [b"%d" % (n * n % 701) for n in range(5_300)]
        for start in range(0, len(keys), 530):
            await log.append([Append("compacted", 0, key, b"v") for key in keys[start : start + 530]])
        newest = {key: offset for offset, key in enumerate(keys)}
        left = sorted(newest.values())
        assert await log.compact("compacted", 0) == len(left)
        for offset in (0, left[0] + 1, left[-1], left[-1] + 1):
            read = [record.offset for record in (await log.read("compacted", 0, offset, 10_000)).records]
            assert read == [each for each in left if each >= offset]
        assert await log.compact("compacted", 0) == len(left)
        assert [p.offset for p in await log.append(records("y", topic="compacted"))] == [5_300]

    async def test_a_read_can_begin_and_end_within_a_batch(self, log: SqliteLog) -> None:
        """How records came together cannot be seen by who reads them."""
        await log.append(records(*(str(n) for n in range(2_500))))
        await log.append(records("2500"))
        for offset, most in ((0, 10), (999, 2), (1_000, 1), (1_234, 1_266), (2_499, 5)):
            read = [record.offset for record in (await log.read("plain", 0, offset, most)).records]
            assert read == list(range(offset, min(offset + most, 2_501)))

    async def test_a_log_of_another_layout_is_refused(self, log: SqliteLog, tmp_path: Path) -> None:
        """A version that would not understand the file says so and leaves it alone."""
        await log.append(records("kept"))
        await log.close()
        with sqlite3.connect(tmp_path / "log.db") as file:
            file.execute("PRAGMA user_version = 99")
        with pytest.raises(LogUnavailable, match="another version of Headwater"):
            await SqliteLog.open(tmp_path / "log.db", TOPICS)

    async def test_a_log_that_cannot_grow_acknowledges_nothing(self, log: SqliteLog) -> None:
        """A full disk refuses the append with the remedy; what was acknowledged stays; later ones work."""
        await log.append(records("kept"))
        (pages,) = log._writer.execute("PRAGMA page_count").fetchone()
        log._writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LogUnavailable, match="free disk space"):
            await log.append([Append("plain", 0, b"big", b"x" * 1_000_000)])
        log._writer.execute("PRAGMA max_page_count = 1073741823")
        assert await values(log) == [b"kept"]
        assert [p.offset for p in await log.append(records("after"))] == [1]

    async def test_a_refused_transaction_does_not_hurt_the_ones_beside_it(self, log: SqliteLog) -> None:
        """Appends that share the commit with a fenced transaction happen."""
        zombie = await log.producer("p")
        await log.producer("p")
        with pytest.raises(ProducerFenced):
            await zombie.transact(records("zombie"))
        await log.append(records("beside"))
        assert await values(log) == [b"beside"]

    async def test_a_closed_log_refuses_appends(self, log: SqliteLog) -> None:
        """An append after close is told so, and does not wait for ever."""
        await log.close()
        with pytest.raises(LogUnavailable, match="closed"):
            await log.append(records("late"))

    async def test_a_file_that_is_no_log_is_refused(self, tmp_path: Path) -> None:
        """Opening something else says what to check."""
        (tmp_path / "other.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
        with pytest.raises(LogUnavailable, match="check the file"):
            await SqliteLog.open(tmp_path / "other.db", TOPICS)

    async def test_commits_are_synchronous(self, log: SqliteLog) -> None:
        """The writer waits for the disk: WAL with synchronous=FULL."""
        assert log._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert log._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert isinstance(log._writer, sqlite3.Connection)

    async def test_an_append_to_no_topic_hurts_nobody_else(self, log: SqliteLog) -> None:
        """The caller hears of it, and the log goes on."""
        with pytest.raises(KeyError):
            await log.append(records("a", topic="unknown"))
        await log.append(records("b"))
        assert await values(log) == [b"b"]

    async def test_an_append_that_cannot_be_stored_hurts_nobody_later(self, log: SqliteLog) -> None:
        """The caller hears why, and the next append is not within what was begun for it."""
        with pytest.raises(OverflowError):
            await log.append([Append("plain", 0, b"k", b"v", 2**70)])
        await log.append(records("b"))
        assert await values(log) == [b"b"]

    async def test_a_read_is_bounded_in_bytes(self, log: SqliteLog) -> None:
        """Large records come a few at a time, all of them in the end."""
        await log.append([Append("plain", 0, b"k", bytes(100_000)) for _ in range(600)])
        offset, reads = 0, 0
        while (found := await log.read("plain", 0, offset, 1_000)).records:
            offset, reads = found.end, reads + 1
        assert offset == 600
        assert reads > 5
