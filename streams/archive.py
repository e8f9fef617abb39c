"""How does the log reach the history? By a consumer of its own: a slow ClickHouse holds up nothing else.

It gathers a second or 50,000 records, has the tables written, sends what no table accepts to
headwater.failed, and only then has the history note how far it is. That note is where it resumes: a crash
before it writes the same records again, of which each table drops the offsets it has.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

import structlog

from schemas.codec import encode
from schemas.events import ProcessingFailed
from streams.fold import output_id
from streams.log import Append, Log, Record
from streams.topics import EVENTS, FAILED, TRANSITIONS

logger = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

TOPICS = (EVENTS, TRANSITIONS, FAILED)
GATHER_S = 1.0
GATHER_RECORDS = 50_000
READ_RECORDS = 5_000


class Refused(Protocol):
    """A record that no table accepts."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def reason(self) -> str: ...


class ArchiveWriter(Protocol):
    """The history's side of it: blocking, called from one thread."""

    def resume(self, topic: str, partition: int) -> int:
        """The next offset to archive."""
        ...

    def write(self, topic: str, runs: Mapping[int, Sequence[Record]]) -> Sequence[Refused]:
        """Write runs to the tables, a partition each; what no table accepts."""
        ...

    def note(self, topic: str, upto: Mapping[int, int]) -> None:
        """Remember the next offset to archive, by partition."""
        ...


class Archive:
    """Follows the log into the history for ever."""

    def __init__(self, log: Log, writer: ArchiveWriter) -> None:
        self._log = log
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, "archive")
        self._next: dict[tuple[str, int], int] = {}

    async def start(self) -> None:
        """Find where to resume."""
        for topic in TOPICS:
            for partition in range(self._log.partitions(topic)):
                self._next[topic, partition] = await self._call(self._writer.resume, topic, partition)

    async def close(self) -> None:
        """Let a write that is under way end."""
        await asyncio.to_thread(self._thread.shutdown)

    async def run(self) -> None:
        """Archive for ever."""
        while True:
            await self._log.wait(self._next, timeout_s=60.0)
            if await self.lag() < GATHER_RECORDS:
                await asyncio.sleep(GATHER_S)
            await self.step()

    async def lag(self) -> int:
        """Records not yet archived."""
        ends = {topic: await self._log.end_offsets(topic) for topic in TOPICS}
        return sum(ends[topic][partition] - offset for (topic, partition), offset in self._next.items())

    async def caught_up(self) -> None:
        """Archive until nothing is left."""
        while await self.lag():
            await self.step()

    async def step(self) -> None:
        """Archive what is there, at most 50,000 records a topic."""
        for topic in TOPICS:
            runs = {}
            room = GATHER_RECORDS
            for partition in range(self._log.partitions(topic)):
                records = await self._read(topic, partition, room)
                if records:
                    runs[partition] = records
                    room -= len(records)
            if runs:
                await self._reject(topic, runs, await self._call(self._writer.write, topic, runs))
                upto = {partition: records[-1].offset + 1 for partition, records in runs.items()}
                await self._call(self._writer.note, topic, upto)
                self._next |= {(topic, partition): offset for partition, offset in upto.items()}

    async def _call(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        call = partial(function, *args, **options)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _read(self, topic: str, partition: int, room: int) -> list[Record]:
        records: list[Record] = []
        offset = self._next[topic, partition]
        while room > len(records):
            chunk = await self._log.read(topic, partition, offset, min(READ_RECORDS, room - len(records)))
            if not chunk:
                break
            records += chunk
            offset = chunk[-1].offset + 1
        return records

    async def _reject(
        self, topic: str, runs: Mapping[int, Sequence[Record]], refused: Sequence[Refused]
    ) -> None:
        """What the history refused goes to headwater.failed, unless it came from there."""
        batch = []
        for refusal in refused:
            record = next(r for r in runs[refusal.partition] if r.offset == refusal.offset)
            failure = ProcessingFailed(
                event_id=output_id(topic, refusal.partition, refusal.offset, "archive"),
                occurred_at=record.timestamp_ms,
                received_at=record.timestamp_ms,
                topic=topic,
                partition=refusal.partition,
                offset=refusal.offset,
                reason=f"The history refused it: {refusal.reason}",
                key=record.key,
                value=record.value,
            )
            batch.append(Append(FAILED, refusal.partition, record.key, encode(failure)))
            logger.warning("archive_refused", topic=topic, partition=refusal.partition, offset=refusal.offset)
        if batch and topic != FAILED:
            await self._log.append(batch)
