"""What does a run of records do to a partition? Record by record, in stream time, without touching anything.

For each record: fire every due moment up to the record's time, in (due, customer) order, on the state before
it; then fold it. So where a run begins or ends cannot be seen in the results.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from msgspec.structs import replace

from projections import customer as customers
from projections import orders, parameters
from projections.customer import FOLD_VERSION
from projections.parameters import Parameters
from schemas.codec import encode
from schemas.events import (
    ClockTicked,
    CustomerEvent,
    Event,
    LifecycleChanged,
)
from streams import admission
from streams.admission import Rejected
from streams.log import Append, Record
from streams.outputs import output_id, processing_failed
from streams.rows import ID_BYTES, SEEN_IDS, CustomerRow, PartitionRow, due_of, has_seen
from streams.runs import Effects, Rows, Run
from streams.scores import NO_SCORERS, Scorers
from streams.table import DueChange
from streams.telling import Telling
from streams.topics import FAILED, ONE_PARTITION, TRANSITIONS, partition_for

SLICE = 40  # records between two places to give way: some 3 ms
EFFECTS_AT_MOST = 1_000  # rows and outputs of one transaction
EFFECTS_A_RECORD = (
    2  # of a longer run: a row and an output, so that one transaction has all that events cause
)


async def fold(
    run: Run, before: PartitionRow, table: Rows, partitions: int, scorers: Scorers = NO_SCORERS
) -> AsyncIterator[Effects]:
    """Fold `run` onto `before`; mostly one Effects, more where time passing changes many customers.

    Each Effects is complete: its partition row says where the next one begins. Records before
    `before.position` are skipped. `scorers` has those of streams.models.models_of. Gives way to the event
    loop at least every 5 ms or so.
    """
    folding = _Fold(run, before, table, partitions, scorers)
    records = [record for record in run.records if record.offset >= before.position]
    for start in range(0, len(records), SLICE):
        part = records[start : start + SLICE]
        folding.load({record.key for record in part if record.key is not None})
        for record in part:
            for effects in folding.step(record):
                if effects is not None:
                    yield effects
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    yield folding.take(run.end)


class _Fold(Telling):
    """The run under way: its rows in memory, its due moments, its outputs so far."""

    def __init__(
        self, run: Run, before: PartitionRow, table: Rows, partitions: int, scorers: Scorers
    ) -> None:
        super().__init__(scorers)
        self._run = run
        self._table = table
        self._partitions = partitions
        self._before = before
        self._effects_at_most = max(EFFECTS_AT_MOST, EFFECTS_A_RECORD * len(run.records))
        self._stream_time = before.stream_time_ms
        self._events = before.events
        self._customers = before.customers
        self._failed = before.failed
        self._parameters: Parameters = before.parameters
        self._swept_to = before.swept_to
        self._changed: dict[bytes, CustomerRow] = {}
        self._due_before: dict[bytes, int | None] = {}
        self._outputs: list[Append] = []
        self._take_rules()
        self._horizon = max((r.timestamp_ms for r in run.records), default=0) + admission.AHEAD_AT_MOST_MS
        self._start_over()

    def _start_over(self) -> None:
        """Read rows and due moments from the table again, which by now has all that was taken."""
        self._rows: dict[bytes, CustomerRow | None] = {}
        self._stored_due = self._table.due(self._run.partition, self._stream_time, self._horizon)
        self._next_due = next(self._stored_due, None)
        self._due: list[tuple[int, bytes]] = []

    def take(self, position: int) -> Effects:
        """The effects so far, with `position` as the next record to fold."""
        self._score()
        partition = PartitionRow(
            self._before.fold_version,
            position,
            self._before.outputs_from,
            self._stream_time,
            self._events,
            self._customers,
            self._failed,
            self._parameters,
            self._swept_to,
        )
        due = [
            DueChange(key, was, row.next_due_ms)
            for key, row in self._changed.items()
            if (was := self._due_before[key]) != row.next_due_ms
        ]
        effects = Effects(self._outputs, self._changed, due, partition)
        self._outputs, self._changed, self._due_before = [], {}, {}
        return effects

    def load(self, keys: Iterable[bytes]) -> None:
        """Have the rows of `keys` at hand."""
        missing = [key for key in keys if key not in self._rows]
        found = self._table.rows(self._run.partition, missing)
        self._rows.update(zip(missing, found, strict=True))

    def step(self, record: Record) -> Iterator[Effects | None]:
        """Fold one record; None is a place to give way to others."""
        try:
            event = admission.decoded(record)
            if isinstance(event, CustomerEvent):
                key, event_id = self._admit(record, event)
                yield from self._advance(record, event.occurred_at)
                self._fold(record, event, key, event_id)
            elif isinstance(event, ClockTicked):
                admission.check_time(record, event)
                yield from self._advance(record, event.occurred_at)
            else:
                yield from self._set_parameters(record, event)
        except Rejected as rejected:
            self._failed += 1
            self._reject(record, str(rejected))
        self._score_many()
        if len(self._changed) + len(self._outputs) >= self._effects_at_most:
            yield self.take(record.offset + 1)

    def _admit(self, record: Record, event: CustomerEvent) -> tuple[bytes, bytes]:
        """The customer's key and the event's id (16 bytes) of an event that belongs here; raises Rejected."""
        admission.check_time(record, event)
        key = event.customer_id.encode()
        if record.key != key:
            raise Rejected(f"The record's key must be its customer_id, {event.customer_id!r}.")
        if self._row(key) is None and (home := partition_for(key, self._partitions)) != self._run.partition:
            raise Rejected(f"Customer {event.customer_id!r} belongs to partition {home}: append it there.")
        return key, bytes.fromhex(event.event_id.replace("-", ""))

    def _advance(self, record: Record, to_ms: int) -> Iterator[Effects | None]:
        """Fire every due moment up to `to_ms`, then let stream time reach it."""
        fired = 0
        while (due := self._pop_due(to_ms)) is not None:
            due_ms, key = due
            row = self._row(key)
            if row is None or row.next_due_ms != due_ms:
                continue  # rescheduled within this run
            self._stream_time = max(self._stream_time, due_ms)
            self._fire(record, key, row, due_ms)
            fired += 1
            if len(self._changed) + len(self._outputs) >= self._effects_at_most:
                yield self.take(record.offset)
                self._start_over()
            elif fired % SLICE == 0:
                yield None
            self._score_many()
        self._stream_time = max(self._stream_time, to_ms)

    def _fire(self, record: Record, key: bytes, row: CustomerRow, now: int) -> None:
        """What is due of a customer now: horizons that have ended, another stage, the next questions."""
        if row.scored.end_ms is not None and row.scored.end_ms <= now:
            row = self._end_horizons(record, key, now)
        if row.change_ms is not None and row.change_ms <= now:
            cause = output_id(key.decode(), now, "lifecycle", self._parameters.rules.version)
            row = self._announce(record, key, row, cause, late=False)
        if row.scored.ask_ms is not None and row.scored.ask_ms <= now:
            self._ask(record, key, row)
        if row.told is not None or self._changes:
            self._tell_due(record, key, now)

    def _pop_due(self, upto_ms: int) -> tuple[int, bytes] | None:
        """The next due moment of the partition, if it is not after `upto_ms`: stored, or of this run."""
        stored = self._next_due
        if stored is not None and stored[0] <= upto_ms and (not self._due or stored <= self._due[0]):
            self._take_stored_due(upto_ms)
        return heapq.heappop(self._due) if self._due and self._due[0][0] <= upto_ms else None

    def _take_stored_due(self, upto_ms: int) -> None:
        """Bring the next stored due moments up to `upto_ms`, some at a time, together with their rows."""
        keys: list[bytes] = []
        while (stored := self._next_due) is not None and stored[0] <= upto_ms and len(keys) < SLICE:
            heapq.heappush(self._due, stored)
            keys.append(stored[1])
            self._next_due = next(self._stored_due, None)
        self.load(keys)

    def _fold(self, record: Record, event: CustomerEvent, key: bytes, event_id: bytes) -> None:
        row = self._row(key)
        if row is None:
            row = CustomerRow(FOLD_VERSION, record.offset, b"", None, 0, "", None, customers.Packed())
            self._customers += 1
        elif has_seen(row, event_id):
            return
        self._events += 1
        folded = CustomerRow(
            FOLD_VERSION,
            record.offset,
            (row.seen + event_id)[-SEEN_IDS * ID_BYTES :],
            row.stage,
            row.stage_since_ms,
            row.reason,
            row.next_due_ms,
            customers.evolve_packed(row.state, event),
            row.change_ms,
            row.scored,
            row.moved,
            row.told,
        )
        late = event.occurred_at < self._stream_time
        if row.stage is None or type(event) in orders.HANDLES:
            cause = output_id(
                self._run.topic, self._run.partition, record.offset, event.customer_id, "lifecycle"
            )
            if late and row.moved:
                self._change(key, folded)
                folded = self._correct(record, key, event.occurred_at)
            folded = self._announce(record, key, folded, cause, late=late)
        else:
            self._change(key, folded)
        if self._tells:
            self._review(record, key, event)
            self._tell(record, key, late=late)
            folded = self._known(key)
        if self._parameters.scoring.targets:
            self._score_at_event(record, key, folded, event)

    def _announce(
        self, record: Record, key: bytes, row: CustomerRow, cause: str, *, late: bool
    ) -> CustomerRow:
        """Write what the row means at stream time, and a transition if that is another stage."""
        view = customers.lifecycle_of(row.state, self._stream_time, self._parameters)
        since_ms, moved = row.stage_since_ms, row.moved
        if view.stage != row.stage:
            since_ms = self._stream_time
            moved = self._moved(moved, cause, row.stage, view.stage)
            self._output(
                TRANSITIONS,
                record,
                key,
                LifecycleChanged(
                    event_id=cause,
                    occurred_at=self._stream_time,
                    received_at=record.timestamp_ms,
                    customer_id=key.decode(),
                    from_stage=row.stage,
                    to_stage=view.stage,
                    reason=view.reason,
                    late=late,
                    rules_version=self._parameters.rules.version,
                    cause_topic=self._run.topic,
                    cause_partition=self._run.partition,
                    cause_offset=record.offset,
                ),
            )
        announced = CustomerRow(
            row.fold_version,
            row.position,
            row.seen,
            view.stage,
            since_ms,
            view.reason,
            due_of(view.next_change_at, row.scored, row.told),
            row.state,
            view.next_change_at,
            row.scored,
            moved,
            row.told,
        )
        self._change(key, announced)
        return announced

    def _change(self, key: bytes, row: CustomerRow) -> None:
        before = self._row(key)
        was, due = None if before is None else before.next_due_ms, row.next_due_ms
        if key not in self._changed:
            self._due_before[key] = was
        self._rows[key] = self._changed[key] = row
        if due is not None and due != was and due <= self._horizon:  # else it is stored, or in the heap
            heapq.heappush(self._due, (due, key))

    def _set_parameters(self, record: Record, event: Event) -> Iterator[Effects | None]:
        """Put parameters in force; some are applied to every customer of the partition, in chunks.

        A crash between two chunks resumes after `swept_to`, since the record is then still to be folded.
        """
        admission.check_parameters(event, self._scorers)
        changed = parameters.evolve(self._parameters, event)
        if (sweep := self._sweep(changed)) is not None:
            yield self.take(record.offset)
            before, self._parameters = self._parameters, changed
            self._take_rules()
            after = (self._swept_to or "").encode()
            while keys := self._table.customers(self._run.partition, after, SLICE):
                self.load(keys)
                for key in keys:
                    if (row := self._rows[key]) is not None:
                        sweep(record, key, row)
                after = keys[-1]
                self._swept_to = after.decode()
                if len(self._changed) + len(self._outputs) >= self._effects_at_most:
                    yield self._take_under(before, record)
                    self._rows = {}
                else:
                    yield None
            yield self._take_under(before, record)
            self._start_over()
            self._swept_to = None
        self._score()  # by what was in force when they began to wait
        self._parameters = changed
        self._take_rules()

    def _sweep(self, changed: Parameters) -> Callable[[Record, bytes, CustomerRow], None] | None:
        """What other parameters change for every customer, at once; None for those that are only views."""
        if changed.rules != self._parameters.rules:
            return self._announce_again
        before = self._parameters
        new = changed.models.keys() - before.models.keys() or changed.scores.keys() - before.scores.keys()
        if changed.scoring != before.scoring or new:
            return self._score_again
        if changed.marketing.segments != before.marketing.segments:
            return self._look_again
        return None

    def _announce_again(self, record: Record, key: bytes, row: CustomerRow) -> None:
        cause = output_id(self._run.topic, self._run.partition, record.offset, key.decode(), "lifecycle")
        self._announce(record, key, row, cause, late=False)
        self._tell(record, key)

    def _take_under(self, before: Parameters, record: Record) -> Effects:
        """The effects of a sweep so far: until it ends, what was in force before is."""
        effects = self.take(record.offset)
        return effects._replace(partition=replace(effects.partition, parameters=before))

    def _reject(self, record: Record, reason: str) -> None:
        failure = processing_failed(self._run.topic, self._run.partition, record, "failed", reason)
        self._output(FAILED, record, record.key, failure)

    def _output(self, topic: str, record: Record, key: bytes | None, event: Event) -> None:
        if record.offset >= self._before.outputs_from:
            partition = 0 if topic in ONE_PARTITION else self._run.partition
            self._outputs.append(Append(topic, partition, key, encode(event)))

    def _row(self, key: bytes) -> CustomerRow | None:
        if key not in self._rows:
            self.load([key])
        return self._rows[key]
