"""How is the log kept on one machine? In SQLite: one table of batches a partition, one writer, group commit.

All writes go through one thread, which commits everything that is waiting in one transaction
(WAL, synchronous=FULL) before any of it is acknowledged. Readers have their own connections.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import structlog

from streams import batches
from streams.compaction import Clean, clean, newest_offsets
from streams.log import (
    COMPACT_AFTER,
    Append,
    Chunk,
    LogUnavailable,
    Position,
    ProducerFenced,
    Record,
    TopicPartition,
    TopicSpec,
    quick,
)

logger = structlog.get_logger(__name__)
T = TypeVar("T")
Statements: TypeAlias = Sequence[tuple[str, Sequence[tuple[object, ...]]]]

GROUP_RECORDS = 20_000
READ_BYTES = 4 << 20  # a read ends after the batch that reaches this
LAYOUT = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (
  topic TEXT, partition INTEGER, next_offset INTEGER NOT NULL, compacted INTEGER NOT NULL,
  clean_to INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS producers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS committed (
  grp TEXT, topic TEXT, partition INTEGER, next_offset INTEGER NOT NULL,
  PRIMARY KEY (grp, topic, partition)) WITHOUT ROWID;
"""


def _table(topic: str, partition: int) -> str:
    return f'"{topic}/{partition}"'


class SqliteLog:
    """The embedded Log (see streams/log.py). Open it with `await SqliteLog.open(path, topics)`."""

    def __init__(self, path: Path, topics: Sequence[TopicSpec]) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._appended = asyncio.Event()
        self._next: dict[TopicPartition, int] = {}
        self._partitions: dict[str, int] = {}
        self._clean: dict[TopicPartition, Clean] = {}
        self._compact_after = {spec.name: spec.compact_after for spec in topics}
        self._epochs: dict[str, int] = {}
        self._work: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(2, "log-read", initializer=self._open_reader)
        self._reader = threading.local()
        self._compaction: asyncio.Task[int] | None = None
        self._writer = self._connect()
        self._create(topics)
        self._thread = threading.Thread(target=self._write, name="log-write", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, path: Path, topics: Sequence[TopicSpec]) -> "SqliteLog":
        """Open or create the log file; a topic that it has keeps its partitions. Raises LogUnavailable."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return cls(path, topics)
        except sqlite3.Error as error:
            reason = f"Cannot open the log {path} ({error}): check the file and its folder."
            raise LogUnavailable(reason) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        connection.execute("PRAGMA cache_size=-16000")
        return connection

    def _open_reader(self) -> None:
        self._reader.connection = self._connect()

    def _create(self, topics: Sequence[TopicSpec]) -> None:
        (tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and self._writer.execute("PRAGMA user_version").fetchone() != (LAYOUT,):
            raise LogUnavailable(
                f"{self._path} was written by another version of Headwater: open it with that one, "
                "or begin anew in another --data-dir."
            )
        self._writer.execute(f"PRAGMA user_version = {LAYOUT}")
        self._writer.executescript(SCHEMA)
        known = dict(self._writer.execute("SELECT topic, count(*) FROM partitions GROUP BY topic"))
        self._writer.execute("BEGIN IMMEDIATE")
        for spec in topics:
            for partition in range(known.get(spec.name, spec.partitions)):
                batches.create(self._writer, _table(spec.name, partition))
                self._writer.execute(
                    "INSERT OR IGNORE INTO partitions (topic, partition, next_offset, compacted) "
                    "VALUES (?, ?, 0, ?)",
                    (spec.name, partition, spec.compacted),
                )
        self._writer.execute("COMMIT")
        for topic, partition, next_offset, compacted, clean_to, kept in self._writer.execute(
            "SELECT topic, partition, next_offset, compacted, clean_to, kept FROM partitions"
        ):
            self._next[topic, partition] = next_offset
            self._partitions[topic] = self._partitions.get(topic, 0) + 1
            if compacted:
                self._clean[topic, partition] = Clean(clean_to, kept)
                self._compact_after.setdefault(topic, COMPACT_AFTER)
        self._epochs = dict(self._writer.execute("SELECT id, epoch FROM producers"))

    # Reading

    def partitions(self, topic: str) -> int:
        return self._partitions[topic]

    async def read(self, topic: str, partition: int, offset: int, max_records: int) -> Chunk:
        if self._next[topic, partition] <= offset:
            return Chunk([], offset)

        def read(db: sqlite3.Connection) -> list[Record]:
            records: list[Record] = []
            size = 0
            for length, batch in batches.stored(db, _table(topic, partition), offset):
                records += batch if batch[0].offset >= offset else [r for r in batch if r.offset >= offset]
                size += length
                if len(records) >= max_records or size >= READ_BYTES:
                    break
            return records[:max_records]

        records = await self._query(read)
        return Chunk(records, records[-1].offset + 1)  # compaction keeps a partition's last record

    async def wait(self, positions: Mapping[TopicPartition, int], timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not any(self._next[tp] > offset for tp, offset in positions.items()):
                    await self._appended.wait()

    async def start_offsets(self, topic: str) -> Sequence[int]:
        def first(db: sqlite3.Connection) -> list[int]:
            found = [
                next(batches.stored(db, _table(topic, p), 0), None) for p in range(self._partitions[topic])
            ]
            return [
                self._next[topic, p] if batch is None else batch[1][0].offset for p, batch in enumerate(found)
            ]

        return await self._query(first)

    async def end_offsets(self, topic: str) -> Sequence[int]:
        return [self._next[topic, partition] for partition in range(self._partitions[topic])]

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        sql = "SELECT partition, next_offset FROM committed WHERE grp = ? AND topic = ?"
        return await self._query(lambda db: dict(db.execute(sql, (group, topic)).fetchall()))

    async def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await self._loop.run_in_executor(self._readers, lambda: query(self._reader.connection))

    # Writing

    async def append(self, batch: Sequence[Append]) -> Sequence[Position]:
        return await self._submit(_Request(batch))

    async def producer(self, transactional_id: str) -> "SqliteProducer":
        epoch = self._epochs[transactional_id] = self._epochs.get(transactional_id, 0) + 1
        row = "INSERT OR REPLACE INTO producers VALUES (?, ?)"
        await self._submit(_Request((), sql=[(row, [(transactional_id, epoch)])]))
        return SqliteProducer(self, transactional_id, epoch)

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        rows = [(group, topic, partition, offset) for (topic, partition), offset in offsets.items()]
        await self._submit(_Request((), sql=[("INSERT OR REPLACE INTO committed VALUES (?, ?, ?, ?)", rows)]))

    async def _submit(self, request: "_Request") -> Sequence[Position]:
        if not self._thread.is_alive():
            raise LogUnavailable("The log is closed: start the engine again.")
        request.done = self._loop.create_future()
        self._work.put(request)
        return await request.done

    def _write(self) -> None:
        """The writer thread: one transaction for all that is waiting, acknowledged after its commit."""
        closing = False
        while not closing:
            group = [self._work.get()]
            records = 0
            while records < GROUP_RECORDS and not self._work.empty():
                group.append(self._work.get())
                last = group[-1]
                records += len(last.batch) if last is not None else 0
            closing = None in group
            requests = [request for request in group if request is not None]
            if requests:
                try:
                    results = self._commit_group(requests)
                except Exception as error:  # noqa: BLE001  # every caller must hear of it, or waits for ever
                    results = [error] * len(requests)
                with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                    self._loop.call_soon_threadsafe(self._acknowledge, requests, results)
        self._writer.close()

    def _commit_group(self, requests: Sequence["_Request"]) -> list[Sequence[Position] | Exception]:
        results: list[Sequence[Position] | Exception] = []
        following = dict(self._next)
        appended: dict[TopicPartition, list[batches.Stored]] = {}
        now_ms = time.time_ns() // 1_000_000
        for request in requests:
            if request.producer is not None and self._epochs[request.producer[0]] != request.producer[1]:
                results.append(ProducerFenced(f"A later producer holds {request.producer[0]!r}."))
                continue
            positions = []
            for topic, partition, key, value, timestamp_ms in request.batch:
                tp = topic, partition
                offset = following[tp]
                following[tp] = offset + 1
                stored = offset, key, value, now_ms if timestamp_ms is None else timestamp_ms
                appended.setdefault(tp, []).append(stored)
                positions.append(quick(Position, (topic, partition, offset)))
            results.append(positions)
        packed = {tp: list(batches.pack(records)) for tp, records in appended.items()}
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for (topic, partition), rows in packed.items():
                self._writer.executemany(batches.insert(_table(topic, partition)), rows)
                self._writer.execute(
                    "UPDATE partitions SET next_offset = ? WHERE topic = ? AND partition = ?",
                    (following[topic, partition], topic, partition),
                )
            for request in requests:
                for statement, parameters in request.sql:
                    self._writer.executemany(statement, parameters)
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            failure = LogUnavailable(f"The log could not append ({error}): free disk space, then retry.")
            return [failure] * len(requests)
        self._next = following
        return results

    def _acknowledge(
        self, requests: Sequence["_Request"], results: Sequence[Sequence[Position] | Exception]
    ) -> None:
        for request, result in zip(requests, results, strict=True):
            if request.done is None or request.done.done():
                continue
            if isinstance(result, Exception):
                request.done.set_exception(result)
            else:
                request.done.set_result(result)
        self._appended.set()
        self._appended.clear()
        if self._compaction is None or self._compaction.done():
            after = self._compact_after
            dirty = [tp for tp, clean in self._clean.items() if clean.is_due(self._next[tp], after[tp[0]])]
            if dirty:
                self._compaction = self._loop.create_task(self.compact(*dirty[0]))
                self._compaction.add_done_callback(_tell_failure)

    async def compact(self, topic: str, partition: int) -> int:
        """Delete what a later record of the same key supersedes; how many records are left.

        A crash between two parts leaves some superseded records, which the next compaction deletes.
        """
        table, end = _table(topic, partition), self._next[topic, partition]
        newest = await self._query(partial(newest_offsets, table=table, end=end))
        delete = f"DELETE FROM {table} WHERE last_offset BETWEEN ? AND ?"  # noqa: S608
        offset = 0
        while part := await self._query(partial(clean, table=table, offset=offset, newest=newest, end=end)):
            if len(part.kept) < part.size:
                rest: Statements = [
                    (delete, [(offset, part.last)]),
                    (batches.insert(table), list(batches.pack(part.kept))),
                ]
                await self._submit(_Request((), sql=rest))
            offset = part.last + 1
        note = "UPDATE partitions SET clean_to = ?, kept = ? WHERE topic = ? AND partition = ?"
        await self._submit(_Request((), sql=[(note, [(end, len(newest), topic, partition)])]))
        self._clean[topic, partition] = Clean(end, len(newest))
        return len(newest)

    async def close(self) -> None:
        if self._compaction is not None:
            self._compaction.cancel()
            await asyncio.gather(self._compaction, return_exceptions=True)
        self._work.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._readers.shutdown()


def _tell_failure(task: "asyncio.Task[int]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("compaction_failed", reason=str(error))


class _Request:
    """What the writer thread is asked for: records to append, and rows for the log's own tables."""

    __slots__ = ("batch", "done", "producer", "sql")

    def __init__(
        self,
        batch: Sequence[Append],
        producer: tuple[str, int] | None = None,
        sql: Statements = (),
    ) -> None:
        self.batch = batch
        self.producer = producer
        self.sql = sql
        self.done: asyncio.Future[Sequence[Position]] | None = None


class SqliteProducer:
    """A transactional producer on the embedded log: its epoch is checked where its batch is written."""

    def __init__(self, log: SqliteLog, transactional_id: str, epoch: int) -> None:
        self._log = log
        self._identity = (transactional_id, epoch)

    async def transact(self, batch: Sequence[Append]) -> Sequence[Position]:
        return await self._log._submit(_Request(batch, producer=self._identity))

    async def close(self) -> None:
        """Nothing is held."""
