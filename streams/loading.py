"""How does a source of events enter the log exactly once, however often its load is interrupted?

Each batch is appended in one transaction with the load's own progress record, so that the log always says
which row comes next. A load is known by its source's rows: under its own name it goes on, also when rows were
added at its end, and under another name the same rows are refused.
"""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

import msgspec

from schemas.codec import encode
from schemas.events import ClockTicked, Event
from streams.keys import key_of
from streams.log import Append, Log, Producer
from streams.topics import EVENTS, LOADS, partition_for

BATCH_ROWS = 1_000
DAY_MS = 86_400_000


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a load is: what the newest record of its name in headwater.loads says."""

    digest: str  # SHA-256 of the source's first `rows` rows, hex
    rows: int  # rows of the source, as far as it was when the load last began
    shift_days: int = 0  # days added to the source's dates
    row: int = 0  # rows that are on the log
    ticked_at: int = 0  # ms; the last day boundary that was ticked, 0 before any
    latest_at: int = 0  # ms; the latest event time on the log
    done: bool = False


class Encoded(NamedTuple):
    """An event as a load appends it."""

    key: bytes
    occurred_at: int  # ms
    value: bytes


def encoded(event: Event) -> Encoded:
    """Raises ValueError for the engine's own events."""
    return Encoded(key_of(event), event.occurred_at, encode(event))


class LoadRefused(Exception):
    """The rows cannot be appended to this load; the message says why and what to do."""


async def loads(log: Log) -> dict[str, Progress]:
    """Every load that the log knows, by the name of its source."""
    found: dict[str, Progress] = {}
    offset = (await log.start_offsets(LOADS))[0]
    while (chunk := await log.read(LOADS, 0, offset, 1_000)).records:
        for record in chunk.records:
            if record.key is not None and record.value is not None:
                found[record.key.decode()] = msgspec.json.decode(record.value, type=Progress)
        offset = chunk.end
    return found


async def give_up(log: Log, name: str) -> Progress | None:
    """Count a load as done, at the row where it is; a run of it that is under way is fenced.

    None where the log knows no load of that name. Raises ProducerFenced or LogUnavailable.
    """
    if name not in await loads(log):
        return None
    producer = await log.producer(f"load/{name}")
    progress = msgspec.structs.replace((await loads(log))[name], done=True)
    await producer.transact([_record(name, progress)])
    return progress


class Load:
    """One source on its way into the log. Open it with `await Load.begin(…)`."""

    def __init__(
        self,
        log: Log,
        producer: Producer,
        name: str,
        progress: Progress,
        *,
        recorded: Progress | None,
        ticks: bool,
    ) -> None:
        self.name = name
        self.progress = progress
        self._producer = producer
        self._partitions = log.partitions(EVENTS)
        self._ticks = ticks
        self._recorded = recorded

    @classmethod
    async def begin(
        cls,
        log: Log,
        name: str,
        *,
        digest: str,
        rows: int,
        digest_of_first: Callable[[int], str | None] = lambda _: None,
        again: bool = False,
        shift_days: int = 0,
        ticks: bool = False,
    ) -> "Load":
        """Start or resume the load of `name`, stopping any other that is under way.

        `digest_of_first(n)` is the digest of the source's first n rows: a source that grew goes on by it.
        `again`: the same rows may be on the log under another name, and are appended once more.
        `ticks`: each day that has events begins with a ClockTicked on every partition, and one ends the load.
        Raises LoadRefused where `name` was begun with other rows or another shift, or the rows under another
        name.
        """
        producer = await log.producer(f"load/{name}")
        known = await loads(log)
        recorded = known.get(name)
        if recorded is None or not recorded.row:
            if not again:
                _refuse_repeat(known, digest)
            progress = Progress(digest=digest, rows=rows, shift_days=shift_days)
        elif recorded.digest == digest:
            progress = recorded
        elif rows > recorded.rows and digest_of_first(recorded.rows) == recorded.digest:
            progress = msgspec.structs.replace(recorded, digest=digest, rows=rows, done=False)
        else:
            raise LoadRefused(
                f"{name!r} was loaded up to row {recorded.row} from other rows (SHA-256 "
                f"{recorded.digest[:12]}…): restore that file, to which rows may be added at its end, or "
                "load this one under another name, where each row without an event_id of its own counts "
                "again."
            )
        if progress.shift_days != shift_days:
            raise LoadRefused(
                f"{name!r} was loaded {progress.shift_days} days shifted, not {shift_days}: keep that shift."
            )
        return cls(log, producer, name, progress, recorded=recorded, ticks=ticks)

    async def announce(self) -> None:
        """Put the load on the log before its next row, so that the holder of the clock waits for it."""
        if self.progress != self._recorded:
            await self._producer.transact([_record(self.name, self.progress)])
            self._recorded = self.progress

    async def append(self, events: Sequence[Event], *, first_row: int) -> None:
        """As `append_encoded`, with the events as they are."""
        await self.append_encoded([encoded(event) for event in events], first_row=first_row)

    async def append_encoded(self, rows: Sequence["Encoded"], *, first_row: int) -> None:
        """Append the next rows, one event each, and the progress, or nothing.

        Raises LoadRefused if `first_row` is not the next row, ProducerFenced, or LogUnavailable.
        """
        before = self.progress
        if first_row != before.row:
            raise LoadRefused(f"The load of {self.name!r} goes on at row {before.row}, not {first_row}.")
        batch: list[Append] = []
        ticked_at, latest_at = before.ticked_at, before.latest_at
        for key, occurred_at, value in rows:
            day = occurred_at - occurred_at % DAY_MS
            if self._ticks and day > ticked_at:
                batch.extend(self._tick(day))
                ticked_at = day
            latest_at = max(latest_at, occurred_at)
            batch.append(Append(EVENTS, partition_for(key, self._partitions), key, value))
        row = before.row + len(rows)
        done = row >= before.rows
        if done and self._ticks and latest_at > ticked_at:
            batch.extend(self._tick(latest_at))
            ticked_at = latest_at
        progress = msgspec.structs.replace(
            before, row=row, ticked_at=ticked_at, latest_at=latest_at, done=done
        )
        batch.append(_record(self.name, progress))
        await self._producer.transact(batch)
        self.progress = self._recorded = progress

    def _tick(self, at: int) -> Iterator[Append]:
        received_at = time.time_ns() // 1_000_000
        for partition in range(self._partitions):
            event_id = str(uuid5(NAMESPACE_URL, f"headwater:tick/{at}/{partition}"))
            tick = ClockTicked(event_id=event_id, occurred_at=at, received_at=received_at)
            yield Append(EVENTS, partition, None, encode(tick))


def _refuse_repeat(known: Mapping[str, Progress], digest: str) -> None:
    for name, progress in known.items():
        if progress.digest == digest and progress.row:
            raise LoadRefused(
                f"These rows are loaded as {name!r} already, {progress.row} of {progress.rows}: load the "
                f"rest, if any, with --name {shlex.quote(name)}, or all of them once more with a new "
                "--name and --again, which counts each row without an event_id of its own again."
            )


def _record(name: str, progress: Progress) -> Append:
    return Append(LOADS, 0, name.encode(), msgspec.json.encode(progress))
