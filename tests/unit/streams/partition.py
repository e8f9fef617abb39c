"""given / when / then for one partition: records in, effects applied to a table in memory."""

import asyncio
import uuid
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from projections.parameters import Parameters
from schemas.codec import decode, encode
from schemas.events import (
    ClockTicked,
    CustomerEvent,
    Event,
    ExampleMatured,
    LifecycleChanged,
    OrderPlaced,
    ProcessingFailed,
)
from streams.fold import fold
from streams.log import Append, Record
from streams.rows import CustomerRow, PartitionRow, decode_row, encode_row, new_partition
from streams.runs import Effects, Run
from streams.scores import Scorers
from streams.topics import EVENTS, EXAMPLES, FAILED, TRANSITIONS

DAY_MS = 86_400_000
APPENDED_MS = 4_000_000_000_000


def day(n: float) -> int:
    """Midnight of day `n`, in ms."""
    return int(n * DAY_MS)


def event_id(n: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(n)))


def order(customer: str, at: int, *, order_id: str | None = None, amount_minor: int = 10_00) -> OrderPlaced:
    name = order_id or f"{customer}@{at}"
    return OrderPlaced(
        event_id=event_id(name),
        customer_id=customer,
        occurred_at=at,
        received_at=at,
        order_id=name,
        amount_minor=amount_minor,
        currency="USD",
    )


def tick(at: int) -> ClockTicked:
    return ClockTicked(event_id=event_id(at), occurred_at=at, received_at=at)


@dataclass
class Table:
    """The Rows protocol in memory."""

    stored: dict[bytes, CustomerRow] = field(default_factory=dict)
    index: list[tuple[int, bytes]] = field(default_factory=list)

    def rows(self, partition: int, customers: Sequence[bytes]) -> list[CustomerRow | None]:
        return [self.stored.get(customer) for customer in customers]

    def due(self, partition: int, from_ms: int, upto_ms: int) -> Iterator[tuple[int, bytes]]:
        return iter([entry for entry in self.index if from_ms <= entry[0] <= upto_ms])

    def customers(self, partition: int, after: bytes, limit: int) -> list[bytes]:
        return sorted(customer for customer in self.stored if customer > after)[:limit]

    def write(self, effects: Effects) -> None:
        self.stored |= {key: decode_row(encode_row(row)) for key, row in effects.rows.items()}
        for customer, before, after in effects.due:
            if before is not None:
                self.index.remove((before, customer))
            if after is not None:
                insort(self.index, (after, customer))


@dataclass
class Partition:
    """One partition of one, folded run by run; `outputs` are decoded, in order."""

    table: Table = field(default_factory=Table)
    row: PartitionRow = field(default_factory=lambda: new_partition(Parameters()))
    records: list[Record] = field(default_factory=list)
    outputs: list[Append] = field(default_factory=list)
    transactions: int = 0
    scorers: Scorers = field(default_factory=dict)

    def log(self, *events: Event | Record | bytes) -> "Partition":
        """Append to the log without folding."""
        for event in events:
            offset = len(self.records)
            if isinstance(event, Record):
                self.records.append(event._replace(offset=offset))
            elif isinstance(event, bytes):
                self.records.append(Record(offset, b"k", event, APPENDED_MS))
            else:
                key = event.customer_id.encode() if isinstance(event, CustomerEvent) else None
                self.records.append(Record(offset, key, encode(event), APPENDED_MS))
        return self

    def fold(self, run_size: int = 1_000, *, crash_after: int | None = None) -> "Partition":
        """Fold what is on the log; `crash_after` that many transactions in all, stop in the middle of it."""
        asyncio.run(self._fold(run_size, crash_after))
        return self

    async def _fold(self, run_size: int, crash_after: int | None) -> None:
        while self.row.position < len(self.records):
            start = self.row.position
            records = self.records[start : start + run_size]
            run = Run(EVENTS, 0, start, start + len(records), records)
            async for effects in fold(run, self.row, self.table, 1, self.scorers):
                if crash_after is not None and self.transactions == crash_after:
                    return
                self.transactions += 1
                self.outputs += effects.outputs
                self.table.write(effects)
                self.row = effects.partition

    def transitions(self) -> list[LifecycleChanged]:
        events = [decode(a.value or b"") for a in self.outputs if a.topic == TRANSITIONS]
        return [event for event in events if isinstance(event, LifecycleChanged)]

    def stages(self, customer: str) -> list[tuple[str, int]]:
        """(stage, when) announced for a customer, in order."""
        return [(t.to_stage, t.occurred_at) for t in self.transitions() if t.customer_id == customer]

    def examples(self) -> list[ExampleMatured]:
        events = [decode(a.value or b"") for a in self.outputs if a.topic == EXAMPLES]
        return [event for event in events if isinstance(event, ExampleMatured)]

    def failures(self) -> list[ProcessingFailed]:
        events = [decode(a.value or b"") for a in self.outputs if a.topic == FAILED]
        return [event for event in events if isinstance(event, ProcessingFailed)]


def folded(*events: Event | Record | bytes) -> Partition:
    """A partition whose log is `events`, folded."""
    return Partition().log(*events).fold()
