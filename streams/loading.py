"""How does a source of events enter the log exactly once, however often its load is interrupted?

Each batch is appended in one transaction with the load's own progress record, so that the log always says
which row comes next. A load is known by its source's name and digest.
"""

from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec

from schemas.codec import encode
from schemas.events import ClockTicked, Event
from streams.keys import key_of
from streams.log import Append, Log, Producer
from streams.topics import EVENTS, LOADS, partition_for

BATCH_ROWS = 2_000
DAY_MS = 86_400_000


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a load is: what the newest record of its name in headwater.loads says."""

    digest: str  # SHA-256 of the source, hex
    rows: int  # rows of the whole source
    shift_days: int = 0  # days added to the source's dates
    row: int = 0  # rows that are on the log
    ticked_at: int = 0  # ms; the last day boundary that was ticked, 0 before any
    latest_at: int = 0  # ms; the latest event time on the log
    done: bool = False


class LoadRefused(Exception):
    """The rows cannot be appended to this load; the message says why and what to do."""


async def loads(log: Log) -> dict[str, Progress]:
    """Every load that the log knows, by the name of its source."""
    found: dict[str, Progress] = {}
    offset = (await log.start_offsets(LOADS))[0]
    while records := await log.read(LOADS, 0, offset, 1_000):
        for record in records:
            if record.key is not None and record.value is not None:
                found[record.key.decode()] = msgspec.json.decode(record.value, type=Progress)
        offset = records[-1].offset + 1
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

    def __init__(self, log: Log, producer: Producer, name: str, progress: Progress, *, ticks: bool) -> None:
        self.name = name
        self.progress = progress
        self._producer = producer
        self._partitions = log.partitions(EVENTS)
        self._ticks = ticks

    @classmethod
    async def begin(
        cls, log: Log, name: str, *, digest: str, rows: int, shift_days: int = 0, ticks: bool = False
    ) -> "Load":
        """Start or resume the load of `name`, stopping any other that is under way.

        `ticks`: each day that has events begins with a ClockTicked on every partition, and one ends the load.
        Raises LoadRefused where `name` was begun with another content or shift.
        """
        producer = await log.producer(f"load/{name}")
        progress = (await loads(log)).get(name, Progress(digest=digest, rows=rows, shift_days=shift_days))
        if progress.digest != digest:
            raise LoadRefused(
                f"{name!r} was loaded up to row {progress.row} from other content, of SHA-256 "
                f"{progress.digest[:12]}…: restore the file, or load this one under another name."
            )
        if progress.shift_days != shift_days:
            raise LoadRefused(
                f"{name!r} was loaded {progress.shift_days} days shifted, not {shift_days}: keep that shift."
            )
        return cls(log, producer, name, progress, ticks=ticks)

    async def announce(self) -> None:
        """Put the load on the log before its first row, so that the holder of the clock waits for it."""
        if not self.progress.row:
            await self._producer.transact([_record(self.name, self.progress)])

    async def append(self, events: Sequence[Event], *, first_row: int) -> None:
        """Append the next rows, one event each, and the progress, or nothing.

        Raises LoadRefused if `first_row` is not the next row, ProducerFenced, or LogUnavailable.
        """
        before = self.progress
        if first_row != before.row:
            raise LoadRefused(f"The load of {self.name!r} goes on at row {before.row}, not {first_row}.")
        batch: list[Append] = []
        ticked_at, latest_at = before.ticked_at, before.latest_at
        for event in events:
            day = event.occurred_at - event.occurred_at % DAY_MS
            if self._ticks and day > ticked_at:
                batch.extend(self._tick(day, event.received_at))
                ticked_at = day
            latest_at = max(latest_at, event.occurred_at)
            key = key_of(event)
            batch.append(Append(EVENTS, partition_for(key, self._partitions), key, encode(event)))
        row = before.row + len(events)
        done = row >= before.rows
        if done and self._ticks and latest_at > ticked_at:
            batch.extend(self._tick(latest_at, events[-1].received_at))
            ticked_at = latest_at
        progress = msgspec.structs.replace(
            before, row=row, ticked_at=ticked_at, latest_at=latest_at, done=done
        )
        batch.append(_record(self.name, progress))
        await self._producer.transact(batch)
        self.progress = progress

    def _tick(self, at: int, received_at: int) -> Iterator[Append]:
        for partition in range(self._partitions):
            event_id = str(uuid5(NAMESPACE_URL, f"headwater:tick/{at}/{partition}"))
            tick = ClockTicked(event_id=event_id, occurred_at=at, received_at=received_at)
            yield Append(EVENTS, partition, None, encode(tick))


def _record(name: str, progress: Progress) -> Append:
    return Append(LOADS, 0, name.encode(), msgspec.json.encode(progress))
