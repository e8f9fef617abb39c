"""What are the customers now? The log's changelog and transitions, followed into a file that can be asked.

Point reads are answered in the calling thread (a few microseconds); lists and sums in reader threads; all
writing happens in one writer thread, one transaction for all that has arrived.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from api import lists
from api.pace import Pace
from api.preview import Preview, preview
from api.store import Batch, Change, Store
from api.store_file import connect, discard
from api.totals import Totals, together
from projections import rfm
from projections.parameters import Boundaries, Parameters, ScoreBoundaries, Valuation
from projections.scoring import bands, value
from projections.triggers.expressions import Expression
from schemas.events import LifecycleChanged
from streams.log import Chunk, Log, LogUnavailable, TopicPartition
from streams.rows import PartitionRow
from streams.topics import CUSTOMERS, TRANSITIONS

logger = structlog.get_logger(__name__)
T = TypeVar("T")

TOPICS = (CUSTOMERS, TRANSITIONS)
READ_RECORDS = 5_000  # of one partition, in one transaction
RETRY_S = 1.0
READERS = 2


class ReadModel:
    """Follow `log` into the file at `path`. Open, `run` as a task, ask, `close`."""

    def __init__(self, path: Path, log: Log) -> None:
        self._path = path
        self._log = log
        self._store = Store(path)
        self._points = connect(path)
        self._local = threading.local()
        self._writer = ThreadPoolExecutor(1, "read-model-write")
        self._readers = ThreadPoolExecutor(READERS, "read-model-read", initializer=self._open_reader)
        self._opened: list[sqlite3.Connection] = []
        self._moved = asyncio.Condition()
        self._waiting = 0
        self._awaited = asyncio.Event()  # set while anybody waits: then nothing is gathered
        self._listeners: list[Callable[[Change], None]] = []
        self._unread = ""  # why nothing can be read at the moment
        self._unwritten = ""  # or written

    @classmethod
    async def open(cls, path: Path, log: Log) -> "ReadModel":
        """Open the file, or make a new one where it is not of this log and this code."""
        model = cls(path, log)
        if await model._is_ahead():
            logger.warning("read_model_discarded", reason="it is ahead of the log, so it is of another one")
            await model.close()
            discard(path)
            model = cls(path, log)
        return model

    async def close(self) -> None:
        """Release the file; `run` must have ended."""
        for pool in (self._writer, self._readers):
            await asyncio.to_thread(pool.shutdown)
        for connection in (self._points, *self._opened):
            connection.close()
        self._store.close()

    @property
    def trouble(self) -> str:
        """Why it does not follow the log at the moment."""
        return self._unread or self._unwritten

    async def _is_ahead(self) -> bool:
        ends = {topic: await self._log.end_offsets(topic) for topic in TOPICS}
        return any(
            partition >= len(ends[topic]) or offset > ends[topic][partition]
            for (topic, partition), offset in self._store.next_offsets.items()
        )

    # Following

    async def run(self) -> None:
        """Follow the log for ever; raises what it cannot make sense of."""
        pace, read_at = Pace(), time.monotonic()
        while True:
            try:
                batch = await self._read()
            except LogUnavailable as error:
                self._unread = str(error)
                logger.error("read_model_waits", reason=self._unread)
                await asyncio.sleep(RETRY_S)
                continue
            self._unread = ""
            if batch:
                before, read_at = read_at, time.monotonic()
                pause_s = pace.pause_s(sum(len(chunk.records) for chunk in batch.values()), read_at - before)
                await self._write(partial(self._store.apply, batch))
                if self._store.is_stale:  # without waiting for the log to fall silent
                    await self._write(self._store.rederive)
                if max(len(chunk.records) for chunk in batch.values()) < READ_RECORDS:
                    await self._gather(pause_s)
            elif self._store.is_stale:
                await self._write(self._store.rederive)
            else:
                with suppress(LogUnavailable):  # as the next read will say
                    await self._log.wait(self.next_offsets(), timeout_s=60.0)

    async def _gather(self, pause_s: float) -> None:
        """Let records come together, unless somebody waits for them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._awaited.wait()

    def next_offsets(self) -> dict[TopicPartition, int]:
        """Of each partition followed, the next offset to read."""
        return {
            (topic, partition): self._store.next_offsets.get((topic, partition), 0)
            for topic in TOPICS
            for partition in range(self._log.partitions(topic))
        }

    async def lag(self) -> dict[str, int]:
        """Records not yet taken in, by topic/partition."""
        ends = {topic: await self._log.end_offsets(topic) for topic in TOPICS}
        return {f"{t}/{p}": ends[t][p] - offset for (t, p), offset in self.next_offsets().items()}

    async def wait_for(self, topic: str, offsets: Sequence[int]) -> None:
        """Return once `topic` is taken in up to `offsets`, one a partition, and every row says so.

        Meanwhile nothing is gathered.
        """

        def reached() -> bool:
            following = self.next_offsets()
            return not self._store.is_stale and all(
                following[topic, partition] >= offset for partition, offset in enumerate(offsets)
            )

        self._waiting += 1
        self._awaited.set()
        try:
            async with self._moved:
                await self._moved.wait_for(reached)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._awaited.clear()

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` in the event loop after each batch."""
        self._listeners.append(listener)

    async def _read(self) -> Batch:
        batch: dict[TopicPartition, Chunk] = {}
        for (topic, partition), offset in self.next_offsets().items():
            chunk = await self._log.read(topic, partition, offset, READ_RECORDS)
            if chunk.end > offset:
                batch[topic, partition] = chunk
        return batch

    async def _write(self, work: Callable[[], Change]) -> None:
        loop = asyncio.get_running_loop()
        try:
            change = await loop.run_in_executor(self._writer, work)
        except sqlite3.OperationalError as error:  # a full disk passes; the log has the records
            self._unwritten = f"the read model cannot be written ({error}): free disk space"
            logger.error("read_model_waits", reason=self._unwritten)
            await asyncio.sleep(RETRY_S)
            return
        self._unwritten = ""
        for listener in self._listeners:
            listener(change)
        async with self._moved:
            self._moved.notify_all()

    # Answers

    @property
    def partitions(self) -> Mapping[int, PartitionRow]:
        return self._store.partitions

    def totals(self) -> Totals:
        whole = together(list(self._store.totals.values()))
        whole.events = sum(row.events for row in self._store.partitions.values())
        return whole

    def as_of_ms(self) -> int | None:
        """The least stream time of the partitions that have one."""
        times = [row.stream_time_ms for row in self._store.partitions.values() if row.stream_time_ms]
        return min(times, default=None)

    def parameters(self) -> Parameters:
        """In force on the first partition; the holder of the clock tells all of them the same."""
        rows = self._store.partitions
        return rows[min(rows)].parameters if rows else Parameters()

    def customer(self, customer_id: str) -> lists.Found | None:
        return lists.find_customer(self._points, customer_id)

    async def customers(self, query: lists.CustomerQuery) -> tuple[list[lists.Found], str | None]:
        return await self._ask(lambda db: lists.list_customers(db, query))

    async def transitions(self, query: lists.TransitionQuery) -> tuple[list[LifecycleChanged], str | None]:
        return await self._ask(lambda db: lists.list_transitions(db, query))

    async def preview(self, expression: Expression) -> Preview:
        """Of whom the expression is true now; raises PreviewStopped."""
        return await self._ask(lambda db: preview(db, expression))

    async def rfm_grid(self, boundaries: Boundaries) -> list[lists.Cell]:
        return await self._ask(lambda db: lists.rfm_grid(db, boundaries))

    async def rfm_boundaries(self, as_of_ms: int) -> Boundaries | None:
        """The percentiles over customers with an order; None while there is none."""
        parameters = self.parameters()
        return await self._ask(
            lambda db: rfm.boundaries(lists.rfm_values(db, as_of_ms), as_of_ms, parameters)
        )

    async def score_boundaries(self, as_of_ms: int) -> Mapping[str, ScoreBoundaries]:
        """The percentiles of each target's scores."""
        found = await self._ask(lists.score_values)
        return {
            target: boundaries
            for target, values in found.items()
            if (boundaries := bands.boundaries(values, as_of_ms)) is not None
        }

    async def valuation(self, as_of_ms: int, discount_rate: float) -> Valuation | None:
        """What customers are expected to bring, and the tiers; None while too few have ordered."""
        parameters = self.parameters()
        return await self._ask(
            lambda db: value.valuation(
                lists.order_histories(db, as_of_ms, parameters),
                as_of_ms,
                parameters.base_currency,
                discount_rate,
            )
        )

    async def _ask(self, query: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: query(self._local.connection))

    def _open_reader(self) -> None:
        self._local.connection = connect(self._path)
        self._opened.append(self._local.connection)
