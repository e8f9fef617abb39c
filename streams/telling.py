"""What does a fold do about triggers? It looks at segments, decides on changes, and remembers both.

The part of streams/fold.py that concerns them. Changes of a customer are gathered while one event, one due
moment or one score is folded, and then decided together, so that a trigger's priority counts among them.
"""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from msgspec.structs import replace

from projections import customer as customers
from projections import lifecycle
from projections.lifecycle import STAGES
from projections.times import DAY_MS
from projections.triggers import deciding, files
from projections.triggers.deciding import Case, Change, Decision, Memory, Moment, Waiting
from projections.triggers.expressions import Expression, Failed
from projections.triggers.facts import Facts
from projections.triggers.rules import Rules
from schemas.events import (
    CustomerEvent,
    DecisionReviewed,
    LifecycleCorrected,
    ScoresChanged,
    SegmentChanged,
)
from streams.asking import SCORED_TOGETHER, Asking
from streams.log import Record
from streams.outputs import output_id, receipt
from streams.rows import MOVED, NOT_TOLD, CustomerRow, Told, due_of
from streams.scores import Scorers
from streams.topics import DECISIONS, TRANSITIONS

RETRACTABLE_AT_MOST = 16


_PLACE: dict[str, int] = {stage: place for place, stage in enumerate(STAGES)}


class Telling(Asking):
    """The changes that are to be decided on, in a fold that has the rows."""

    def __init__(self, scorers: Scorers) -> None:
        super().__init__(scorers)
        self._rules = Rules()
        self._tells = False  # whether anybody is to be told of anything
        self._segments: list[tuple[str, Expression]] = []
        self._reads_time = False
        self._reads_scores = False
        self._changes: list[Change] = []  # of the customer who is being folded

    @abstractmethod
    def _row(self, key: bytes) -> CustomerRow | None: ...

    def _known(self, key: bytes) -> CustomerRow:
        row = self._row(key)
        assert row is not None
        return row

    def _told(self, key: bytes) -> Told:
        return self._known(key).told or NOT_TOLD

    def _take_rules(self) -> None:
        """Use the rules that are in force now; where they read scores, nothing waits to be scored."""
        self._rules = files.in_force(self._parameters.marketing)
        self._tells = bool(self._rules.triggers or self._rules.segments)
        self._segments = [(each.name, each.expression) for each in self._rules.segments]
        self._reads_time = any(expression.reads_time for _, expression in self._segments)
        self._reads_scores = self._rules.reads_scores
        self._scored_together = 1 if self._reads_scores else SCORED_TOGETHER

    def _moved(self, moved: bytes, transition_id: str, before: str | None, after: str) -> bytes:
        """Note an announced stage, for who is told of it, and in case it turns out wrong."""
        if self._tells:
            self._changes.append(Change("stage", "", before, after, transition_id, self._stream_time))
        id_bytes = bytes.fromhex(transition_id.replace("-", ""))
        return MOVED.add(moved, self._stream_time, id_bytes, _PLACE[after])

    def _tell(self, record: Record, key: bytes, *, late: bool = False) -> None:
        """Look at the segments of a customer to whom something happened, and decide on all that changed."""
        if self._tells:
            self._look(record, key, self._stream_time, late=late)
            self._decide(record, key, self._stream_time)

    def _tell_scores(self, record: Record, key: bytes, at: int, moved: Sequence[ScoresChanged]) -> None:
        """The same after the customer was scored."""
        if self._reads_scores:
            for each in moved:
                before, after = each.from_band, each.to_band
                self._changes.append(Change("score", each.target, before, after, each.event_id, at))
            self._look(record, key, at, late=False)
            self._decide(record, key, at)

    def _tell_due(self, record: Record, key: bytes, now: int) -> None:
        """What is due of a customer now: midnight, or the end of a decision's wait."""
        told = self._told(key)
        for waiting in told.memory.waiting:
            if waiting.due_ms <= now:
                self._resume(record, key, waiting, approved=None)
        if told.look_ms is not None and told.look_ms <= now:
            self._look(record, key, now, late=False)
        self._decide(record, key, now)

    def _review(self, record: Record, key: bytes, event: CustomerEvent) -> None:
        """A person has said yes or no to a decision that waits for it; to any other it changes nothing."""
        if isinstance(event, DecisionReviewed):
            for waiting in self._told(key).memory.waiting:
                if (waiting.decision_id, waiting.waits_for) == (event.decision_id, "review"):
                    self._resume(record, key, waiting, approved=event.approved)

    def _look(self, record: Record, key: bytes, at: int, *, late: bool) -> None:
        """Which segments is the customer in? One whose expression fails on the customer, they are not in."""
        row = self._known(key)
        if not self._segments and row.told is None:
            return
        facts, inside = self._facts(key, row, at), []
        for name, expression in self._segments:
            with suppress(Failed):
                if expression.holds(facts):
                    inside.append(name)
        look_ms = (at // DAY_MS + 1) * DAY_MS if self._reads_time else None
        for name, _ in self._segments:
            if (name in inside) != (name in row.segments):
                self._enter(record, key, name, at, entered=name in inside, late=late)
        self._change_told(key, row, replace(row.told or NOT_TOLD, segments=tuple(inside), look_ms=look_ms))

    def _enter(self, record: Record, key: bytes, segment: str, at: int, *, entered: bool, late: bool) -> None:
        run = self._run
        sides = ("out", "in") if entered else ("in", "out")
        cause = output_id(run.topic, run.partition, record.offset, key.decode(), at, segment, *sides)
        told = SegmentChanged(
            event_id=cause,
            occurred_at=at,
            received_at=record.timestamp_ms,
            customer_id=key.decode(),
            segment=segment,
            entered=entered,
            late=late,
            rules_version=self._parameters.marketing.version,
            cause_topic=run.topic,
            cause_partition=run.partition,
            cause_offset=record.offset,
        )
        self._output(TRANSITIONS, record, key, told)
        self._changes.append(Change("segment", segment, *sides, cause, at))

    def _decide(self, record: Record, key: bytes, at: int) -> None:
        """Decide on the changes gathered, by the priority of triggers."""
        changes, self._changes = self._changes, []
        if not changes or not self._rules.triggers:
            return
        row = self._known(key)
        facts, now = self._facts(key, row, at), self._moment(record, at)
        for trigger in self._rules.triggers:
            for change in changes:
                if deciding.concerns(trigger, change):
                    decision_id = output_id(change.id, trigger.name)
                    memory = (row.told or NOT_TOLD).memory
                    case = Case(self._rules, trigger, change, decision_id, facts, now)
                    decided, memory = deciding.decide(case, memory)
                    row = self._decided(record, key, row, decision_id, decided, memory, at)

    def _resume(self, record: Record, key: bytes, waiting: Waiting, *, approved: bool | None) -> None:
        row, now = self._known(key), self._moment(record, self._stream_time)
        facts = self._facts(key, row, self._stream_time)
        decided, memory = deciding.resume(self._rules, waiting, approved, facts, self._told(key).memory, now)
        self._decided(record, key, row, waiting.decision_id, decided, memory, self._stream_time)

    def _correct(self, record: Record, key: bytes, since: int) -> CustomerRow:
        """Say which of the stages announced last an event of `since`, behind stream time, shows wrong."""
        row = self._known(key)
        for entry in MOVED.items(row.moved):
            at, event_id, place = entry
            state = customers.orders_of(row.state)
            seen = lifecycle.view_at(state, at, self._parameters) if at >= since else None
            if seen is not None and seen.stage != STAGES[place]:
                kept = b""
                for each in MOVED.items(row.moved):
                    kept = kept if each == entry else MOVED.add(kept, *each)
                self._change(key, replace(row, moved=kept))
                self._retract(record, key, str(UUID(bytes=event_id)), at, STAGES[place], seen)
                row = self._known(key)
        return row

    def _retract(
        self,
        record: Record,
        key: bytes,
        transition_id: str,
        transition_at: int,
        announced: lifecycle.Stage,
        seen: lifecycle.LifecycleView,
    ) -> None:
        """Tell that a transition was wrong, and take back what triggers told of it."""
        run, now = self._run, self._moment(record, self._stream_time)
        corrected = LifecycleCorrected(
            event_id=output_id(transition_id, "corrected"),
            occurred_at=self._stream_time,
            received_at=record.timestamp_ms,
            customer_id=key.decode(),
            corrects_id=transition_id,
            transition_at=transition_at,
            announced_stage=announced,
            stage=seen.stage,
            reason=seen.reason,
            rules_version=self._parameters.rules.version,
            cause_topic=run.topic,
            cause_partition=run.partition,
            cause_offset=record.offset,
        )
        self._output(TRANSITIONS, record, key, corrected)
        row = self._known(key)
        change = Change("correction", "", announced, seen.stage, corrected.event_id, self._stream_time)
        facts = self._facts(key, row, self._stream_time)
        told = [name for sent, name in self._told(key).retractable if sent == transition_id]
        for trigger in self._rules.triggers:
            if trigger.name in told and deciding.concerns(trigger, change):
                original = output_id(transition_id, trigger.name)
                decided = deciding.retract(trigger, change, original, facts, now)
                decision_id = output_id(change.id, trigger.name)
                row = self._decided(
                    record, key, row, decision_id, decided, self._told(key).memory, self._stream_time
                )
        for waiting in self._told(key).memory.waiting:
            if waiting.change.id == transition_id:
                memory = deciding.without(self._told(key).memory, waiting)
                wrong = Decision(
                    waiting.trigger,
                    waiting.change,
                    "declined",
                    "a late event showed the change wrong",
                    dict(waiting.inputs),
                )
                row = self._decided(record, key, row, waiting.decision_id, wrong, memory, self._stream_time)

    def _decided(
        self,
        record: Record,
        key: bytes,
        row: CustomerRow,
        decision_id: str,
        decided: Decision,
        memory: Memory,
        at: int,
    ) -> CustomerRow:
        """Write what was decided, and remember it."""
        cause = (self._run.topic, self._run.partition, record)
        version = self._parameters.marketing.version
        told_of = receipt(decided, decision_id, key.decode(), version, at, *cause)
        self._output(DECISIONS, record, key, told_of)
        told, trigger = replace(row.told or NOT_TOLD, memory=memory), self._rules.trigger(decided.trigger)
        if decided.verdict == "send" and trigger is not None and trigger.retract:
            sent = (*told.retractable, (decided.change.id, trigger.name))
            told = replace(told, retractable=sent[-RETRACTABLE_AT_MOST:])
        return self._change_told(key, row, told)

    def _change_told(self, key: bytes, row: CustomerRow, told: Told) -> CustomerRow:
        if told == (row.told or NOT_TOLD):
            return row
        row = replace(row, told=told, next_due_ms=due_of(row.change_ms, row.scored, told))
        self._change(key, row)
        return row

    def _look_again(self, record: Record, key: bytes, row: CustomerRow) -> None:  # noqa: ARG002
        """Look at the segments as they are defined now."""
        self._look(record, key, self._stream_time, late=False)
        self._decide(record, key, self._stream_time)

    def _facts(self, key: bytes, row: CustomerRow, at: int) -> Facts:
        scores = {target: (each.probability, each.band) for target, each in row.scored.scores.items()}
        return Facts(key.decode(), row.state, at, self._parameters, scores, row.segments)

    def _moment(self, record: Record, at: int) -> Moment:
        ticks = self._parameters.marketing.clock == "wall"
        return Moment(at, record.timestamp_ms if ticks else at, ticks)
