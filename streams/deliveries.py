"""How does the queue follow the log? A chunk of each partition at a time, in a thread of its own."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from streams.delivery_queue import DeliveryQueue, Told
from streams.delivery_tables import discard
from streams.log import Log, LogUnavailable
from streams.topics import DECISIONS

logger = structlog.get_logger(__name__)
T = TypeVar("T")

FILE = "deliveries.db"
READ_RECORDS = 10_000  # of all partitions together, in one transaction
RETRY_S = 1.0
LOOK_S = 0.01


class QueueUnavailable(Exception):
    """The queue's file cannot be read or written at the moment; the message says what to do."""


class Deliveries:
    """The queue of this process. Open, then let `run` or the reactor follow the log, ask, `close`."""

    def __init__(self, path: Path, log: Log) -> None:
        self._path = path
        self._log = log
        self._thread = ThreadPoolExecutor(1, "deliveries")
        self._queue: DeliveryQueue
        self.trouble = ""  # why the log is not followed at the moment

    @classmethod
    async def open(cls, data_dir: Path, log: Log) -> "Deliveries":
        """Open the file, or make a new one where it is not of this log."""
        deliveries = cls(data_dir / FILE, log)
        await deliveries._open()
        ends = await log.end_offsets(DECISIONS)
        if any(p >= len(ends) or offset > ends[p] for p, offset in deliveries.queue.positions.items()):
            logger.warning("deliveries_discarded", reason="they are ahead of the log, so of another one")
            await deliveries.ask(DeliveryQueue.close)
            discard(deliveries._path)
            await deliveries._open()
        return deliveries

    async def _open(self) -> None:
        self._queue = await self._call(partial(DeliveryQueue, self._path))

    async def close(self) -> None:
        """Release the file; who follows the log must have ended."""
        await self.ask(DeliveryQueue.close)
        await asyncio.to_thread(self._thread.shutdown)

    @property
    def queue(self) -> DeliveryQueue:
        """For its attributes; its methods are called through `ask`."""
        return self._queue

    async def ask(self, question: Callable[[DeliveryQueue], T]) -> T:
        """What the queue answers; raises QueueUnavailable."""
        return await self._call(partial(question, self._queue))

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.OperationalError as error:
            raise QueueUnavailable(
                f"{self._path} cannot be used ({error}): see to the disk, and that it has space."
            ) from error

    def position(self, partition: int) -> int:
        """The next record to take in."""
        return self._queue.positions.get(partition, 0)

    async def step(self, partitions: Collection[int]) -> Told | None:
        """Take in what is there, at most a chunk of each partition; None at the end of the log.

        Raises LogUnavailable and QueueUnavailable.
        """
        chunks, share = {}, max(1, READ_RECORDS // len(partitions))
        for p in partitions:
            chunk = await self._log.read(DECISIONS, p, self.position(p), share)
            if chunk.end > self.position(p):
                chunks[p] = chunk
        return await self.ask(partial(DeliveryQueue.apply, chunks=chunks)) if chunks else None

    async def lag(self, partitions: Collection[int] | None = None) -> dict[str, int]:
        """Records not yet taken in, by topic/partition; by default of all."""
        ends = await self._log.end_offsets(DECISIONS)
        asked = range(len(ends)) if partitions is None else partitions
        return {f"{DECISIONS}/{p}": ends[p] - self.position(p) for p in asked}

    async def caught_up(self) -> None:
        """Return once `run`, or the reactor, has taken in all that is on the log now."""
        ends = await self._log.end_offsets(DECISIONS)
        while any(self.position(p) < end for p, end in enumerate(ends)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)

    async def run(self) -> None:
        """Follow the log for ever, and send nothing."""
        partitions = range(self._log.partitions(DECISIONS))
        while True:
            try:
                while await self.step(partitions) is not None:
                    self.trouble = ""
                await self._log.wait({(DECISIONS, p): self.position(p) for p in partitions}, timeout_s=60.0)
            except (LogUnavailable, QueueUnavailable) as error:
                self.trouble = str(error)
                logger.error("deliveries_wait", reason=self.trouble)
                await asyncio.sleep(RETRY_S)
