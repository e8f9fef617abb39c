"""What does a fold do about scores? It asks, waits, has the models answer, and tells who learns.

The part of streams/fold.py that concerns them. Whatever is asked or scored is of the customer as it was at
that moment: it is noted with that state (Waiting), and answered before anything depends on it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from msgspec.structs import replace

from projections import customer as customers
from projections.parameters import Parameters
from projections.scoring import questions
from projections.scoring.target import Target
from schemas.events import CustomerEvent, Event, ScoresChanged
from streams import scores
from streams.log import Append, Record, quick
from streams.rows import CustomerRow, due_of
from streams.runs import Run
from streams.scores import Questions, Scorers, Waiting
from streams.topics import EXAMPLES, TRANSITIONS

SCORED_TOGETHER = 300  # customers: 3 ms


class Asking(ABC):
    """The customers who wait to be scored, in a fold that has the rows."""

    _run: Run
    _parameters: Parameters
    _stream_time: int
    _rows: dict[bytes, CustomerRow | None]
    _changed: dict[bytes, CustomerRow]
    _outputs: list[Append]

    def __init__(self, scorers: Scorers) -> None:
        self._scorers = scorers
        self._waiting: list[Waiting] = []
        self._scored_together = SCORED_TOGETHER
        self._unkept: set[bytes] = set()  # of those who wait, whose questions are to be kept

    @abstractmethod
    def _change(self, key: bytes, row: CustomerRow) -> None: ...

    @abstractmethod
    def _output(self, topic: str, record: Record, key: bytes | None, event: Event) -> None: ...

    @abstractmethod
    def _tell_scores(self, record: Record, key: bytes, at: int, moved: Sequence[ScoresChanged]) -> None: ...

    def _score_many(self) -> None:
        """Score, once it is worth it."""
        if len(self._waiting) >= self._scored_together:
            self._score()

    def _end_horizons(self, record: Record, key: bytes, now: int) -> CustomerRow:
        """Send the questions that have their answer to who learns from them."""
        if key in self._unkept:
            self._score()
        row = self._rows[key]
        assert row is not None
        every_days = self._parameters.scoring.every_days
        row, done = scores.ended(key.decode(), row, customers.unpack(row.state), now, every_days)
        for each in done:
            told = scores.example(key.decode(), self._run.partition, each, now, record.timestamp_ms)
            self._output(EXAMPLES, record, key, told)
        self._change(key, row)
        return row

    def _ask(self, record: Record, key: bytes, row: CustomerRow) -> None:
        """Ask what is asked on the calendar; where nothing is, until an event changes that."""
        standing = self._standing(row)
        is_kept = questions.is_asked_about(key.decode(), self._parameters.scoring.percent)
        kept = [(target, target.asked_on(self._stream_time)) for target in standing] if is_kept else []
        self._await_scores(record, key, row, self._next_ask(key, standing), kept)

    def _score_at_event(self, record: Record, key: bytes, row: CustomerRow, event: CustomerEvent) -> None:
        """An event changes the customer's scores, and may have a question of its own."""
        scoring, now, ask_ms = self._parameters.scoring, self._stream_time, row.scored.ask_ms
        own = questions.at_event(scoring.targets, event, now)
        is_unplanned = ask_ms is None and questions.is_asked_about(event.customer_id, scoring.percent)
        if self._parameters.models or own or row.scored.scores or is_unplanned:
            if ask_ms is None or ask_ms <= now:
                ask_ms = self._next_ask(key, self._standing(row))
            if own:
                state = customers.unpack(row.state)
                own = [(target, asked) for target, asked in own if target.eligible(state, asked.at)]
            self._await_scores(record, key, row, ask_ms, own)

    def _score_again(self, record: Record, key: bytes, row: CustomerRow) -> None:
        """Score, and ask from now on, as often as is in force now."""
        scored = replace(row.scored, ask_ms=None)
        unasked = replace(row, scored=scored, next_due_ms=due_of(row.change_ms, scored, row.told))
        self._change(key, unasked)
        self._await_scores(record, key, unasked, self._next_ask(key, self._standing(row)), ())

    def _standing(self, row: CustomerRow) -> Sequence[Target]:
        """What is asked of the customer on the calendar."""
        state = customers.unpack(row.state)
        return questions.on_cadence(self._parameters.scoring.targets, state, self._stream_time)

    def _next_ask(self, key: bytes, standing: Sequence[Target]) -> int | None:
        scoring, customer_id = self._parameters.scoring, key.decode()
        is_of_use = self._parameters.models or questions.is_asked_about(customer_id, scoring.percent)
        if not (standing and is_of_use):
            return None
        return questions.next_ask(customer_id, self._stream_time, scoring.every_days)

    def _await_scores(
        self, record: Record, key: bytes, row: CustomerRow, ask_ms: int | None, kept: Questions
    ) -> None:
        """Note who is to be scored, and when the next questions and the next end of a horizon are."""
        end_ms = row.scored.end_ms
        if kept:  # mostly, the end is looked at when the customer is asked about: one change of the row
            first = min(asked.until for _, asked in kept)
            ends = questions.looked_at(key.decode(), first, self._parameters.scoring.every_days)
            end_ms = ends if end_ms is None else min(end_ms, ends)
            self._unkept.add(key)
        if (ask_ms, end_ms) != (row.scored.ask_ms, row.scored.end_ms):
            scored = replace(row.scored, ask_ms=ask_ms, end_ms=end_ms)
            row = replace(row, scored=scored, next_due_ms=due_of(row.change_ms, scored, row.told))
            self._change(key, row)
        if kept or row.scored.scores or self._parameters.models:
            place = len(self._outputs)
            self._waiting.append(quick(Waiting, (key, self._stream_time, row.state, kept, record, place)))

    def _score(self) -> None:
        """Have the models answer for all who wait, each as it was when it began to."""
        waiting, outputs = self._waiting, self._outputs
        if not waiting:
            return
        self._waiting, self._outputs, taken = [], [], 0
        self._unkept.clear()
        answers = scores.answers(waiting, self._parameters, self._scorers)
        for each, answer in zip(waiting, answers, strict=True):
            self._outputs += outputs[taken : each.place]
            taken = each.place
            row = self._rows[each.key]
            assert row is not None
            row, changes = scores.rescored(row, each, answer)
            self._rows[each.key] = self._changed[each.key] = row
            moved = [
                scores.changed(each.key.decode(), self._run.topic, self._run.partition, each, change)
                for change in changes
            ]
            for told in moved:
                self._output(TRANSITIONS, each.record, each.key, told)
            self._tell_scores(each.record, each.key, each.at, moved)
        self._outputs += outputs[taken:]
