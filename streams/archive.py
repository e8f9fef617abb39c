"""How does the log reach the history? By a consumer of its own: a slow ClickHouse holds up nothing else.

It gathers a second or 50,000 records, takes more at once where more wait, has the tables written, sends what
no table accepts to headwater.failed, and only then has the history note how far it is. That note is where it
resumes: a crash before it writes the same records again, of which each table drops the offsets it has.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, Protocol, TypeAlias, TypeVar

import structlog

from schemas.codec import Undecodable, decode, encode
from streams.log import Append, Chunk, Log, Record, TopicPartition
from streams.outputs import processing_failed
from streams.topics import DECISIONS, EVENTS, EXAMPLES, FAILED, TRANSITIONS

logger = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
Places: TypeAlias = Mapping[TopicPartition, int]

TOPICS = (EVENTS, TRANSITIONS, DECISIONS, FAILED, EXAMPLES)
GATHER_S = 1.0
GATHER_RECORDS = 50_000
AT_ONCE = 400_000  # records of a topic, where so many wait: each insert costs what some thousand rows do
GATHER_BYTES = 64 << 20
RETRY_S = 5.0
READ_RECORDS = 5_000


class AheadOfLog(ValueError):
    """The history counts records that this log does not have; the message says what to do."""


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

    def forget(self) -> None:
        """What another may have written meanwhile is to be looked up."""
        ...

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

    def __init__(
        self, log: Log, writer: ArchiveWriter, commit: Callable[[Places], Awaitable[None]] | None = None
    ) -> None:
        """`commit` is told how far the archive is, for lag displays."""
        self._log = log
        self._commit = commit
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, "archive")
        self._next: dict[tuple[str, int], int] = {}
        self._waiting = 0
        self._awaited = asyncio.Event()  # set while anybody waits: then nothing is gathered
        self._moved = asyncio.Condition()
        self.trouble = ""  # why nothing can be archived at the moment

    async def start(self, partitions: Collection[TopicPartition] | None = None) -> None:
        """Find where to resume, by default all; raises AheadOfLog for the history of another log."""
        await self._call(self._writer.forget)
        for topic in TOPICS:
            for partition, end in enumerate(await self._log.end_offsets(topic)):
                if partitions is not None and (topic, partition) not in partitions:
                    continue
                offset = await self._call(self._writer.resume, topic, partition)
                if offset > end:
                    raise AheadOfLog(
                        f"the history has {topic}/{partition} up to {offset:,}, but the log ends at {end:,}: "
                        "it is another log's, so name another database in HEADWATER_HISTORY_URL, or drop "
                        "that one (without the variable it is the folder history in the data directory)"
                    )
                self._next[topic, partition] = offset

    async def start_patiently(self, partitions: Collection[TopicPartition]) -> None:
        """Start, once the history and the log answer; raises AheadOfLog."""
        while True:
            try:
                await self.start(partitions)
            except AheadOfLog:
                raise
            except Exception as error:  # noqa: BLE001  # as in run
                await self._wait(error)
            else:
                self.trouble = ""
                return

    async def _wait(self, error: Exception) -> None:
        self.trouble = f"the log cannot be brought into the history: {error}"
        logger.error("archive_waits", reason=self.trouble)
        await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Let a write that is under way end."""
        await asyncio.to_thread(self._thread.shutdown)

    async def run(self) -> None:
        """Archive for ever; where the history or the log fails, say so and try the same again."""
        while True:
            try:
                await self._log.wait(self._next, timeout_s=60.0)
                if await self.lag() < GATHER_RECORDS:
                    await self._gather()
                await self.step()
            except Exception as error:  # noqa: BLE001  # whatever it is, the projections must go on
                await self._wait(error)
            else:
                self.trouble = ""

    async def _gather(self) -> None:
        """Let a second's records come together, unless somebody waits for them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                await self._awaited.wait()

    async def settled(self) -> None:
        """Return once `run` has archived all that is on the log now; meanwhile it does not gather."""
        ends = {topic: await self._log.end_offsets(topic) for topic in TOPICS}
        self._waiting += 1
        self._awaited.set()
        try:
            async with self._moved:
                await self._moved.wait_for(lambda: all(at >= ends[t][p] for (t, p), at in self._next.items()))
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._awaited.clear()

    async def lag(self) -> int:
        """Records not yet archived."""
        return sum((await self.lags()).values())

    async def lags(self) -> dict[str, int]:
        """Records not yet archived, by topic/partition."""
        ends = {topic: await self._log.end_offsets(topic) for topic in TOPICS}
        return {f"{t}/{p}": ends[t][p] - offset for (t, p), offset in self._next.items()}

    async def caught_up(self) -> None:
        """Archive until nothing is left."""
        while await self.lag():
            await self.step()

    async def step(self) -> None:
        """Archive what is there, at most 400,000 records a topic."""
        for topic in TOPICS:
            runs, upto = {}, {}
            partitions = self._log.partitions(topic)
            for partition in (p for t, p in self._next if t == topic):
                records, end = await self._read(topic, partition, partitions)
                if end > self._next[topic, partition]:
                    runs[partition], upto[partition] = records, end
            if runs:
                await self._reject(topic, runs, await self._call(self._writer.write, topic, runs))
                await self._call(self._writer.note, topic, upto)
                noted = {(topic, partition): offset for partition, offset in upto.items()}
                self._next |= noted
                if self._commit is not None:
                    await self._commit(noted)
                async with self._moved:
                    self._moved.notify_all()

    async def _call(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """The call's result; who is cancelled meanwhile leaves once the call has ended."""
        call = asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *args, **options))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.wait({call})
            raise

    async def _read(self, topic: str, partition: int, partitions: int) -> Chunk:
        """The partition's share of what is gathered."""
        records: list[Record] = []
        offset, size = self._next[topic, partition], 0
        while len(records) < AT_ONCE // partitions and size < GATHER_BYTES // partitions:
            chunk = await self._log.read(topic, partition, offset, READ_RECORDS)
            records += chunk.records
            size += sum(len(record.value or b"") for record in chunk.records)
            offset = chunk.end
            if not chunk.records:
                break
        return Chunk(records, offset)

    async def _reject(
        self, topic: str, runs: Mapping[int, Sequence[Record]], refused: Sequence[Refused]
    ) -> None:
        """What the history refused goes to headwater.failed; after a crash once more, with the same event_id.

        Events that do not decode are the lane's to report, and failures are not reported again.
        """
        batch = []
        by_offset = (
            {(p, record.offset): record for p, records in runs.items() for record in records}
            if refused
            else {}
        )
        for refusal in refused:
            record = by_offset[refusal.partition, refusal.offset]
            if topic == EVENTS and not _decodes(record):
                continue
            reason = f"The history refused it: {refusal.reason}"
            failure = processing_failed(topic, refusal.partition, record, "archive", reason)
            batch.append(Append(FAILED, refusal.partition, record.key, encode(failure)))
            logger.warning("archive_refused", topic=topic, partition=refusal.partition, offset=refusal.offset)
        if batch and topic != FAILED:
            await self._log.append(batch)


def _decodes(record: Record) -> bool:
    try:
        decode(record.value or b"")
    except Undecodable:
        return False
    return True
