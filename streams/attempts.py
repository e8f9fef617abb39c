"""What happens at one attempt? The checks, the call, and what is said of it."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from projections.triggers import attempting
from projections.triggers.attempting import Ended, PutOff
from projections.triggers.expressions import Failed
from projections.triggers.facts import Facts
from projections.triggers.files import in_force
from projections.triggers.message import message
from projections.triggers.rules import Action, Trigger
from streams import receipts
from streams.delivery_queue import Entry
from streams.endpoints import Forbidden
from streams.log import Append
from streams.rows import CustomerRow, PartitionRow
from streams.sending import Answer, Message

LOOK_AGAIN_MS = 60_000  # at what waits for an event of the customer's, or for their clock


class Found(Protocol):
    """A customer, as a read model has it."""

    @property
    def row(self) -> CustomerRow: ...


class Customers(Protocol):
    """A read model of the customers: api.read_model.ReadModel is one."""

    @property
    def partitions(self) -> Mapping[int, PartitionRow]: ...

    def customer(self, customer_id: str) -> Found | None: ...


class Sends(Protocol):
    """streams.sending.Sender is one."""

    async def send(self, action: Action, message: Message) -> Answer: ...


class Ready(NamedTuple):
    """A message that passed all checks."""

    trigger: Trigger
    facts: Facts
    body: bytes
    is_on_wall: bool  # whether quiet hours are of the wall clock


class Outcome(NamedTuple):
    """What is recorded of an attempt, or else when (ms, wall clock) it is looked at again."""

    receipts: tuple[Append, ...] = ()
    put_off_to: int = 0
    failed: bool | None = None  # None where nothing was called


class Attempts:
    """Makes attempts; `outcomes` counts what became of them."""

    def __init__(
        self,
        customers: Customers,
        sender: Sends,
        now_ms: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`now_ms` is the wall clock; `chance` is in [0, 1)."""
        self._customers = customers
        self._sender = sender
        self._now_ms = now_ms
        self._chance = chance
        self.ends: Mapping[int, int] = {}  # of headwater.events, when we began
        self.outcomes: Counter[str] = Counter()

    def is_known(self, entry: Entry) -> bool:
        """Whether the read model is as new as the decision, and as the log was when we began.

        Else a consent that was withdrawn while nobody folded, or that is being folded again, would count.
        """
        partition, offset = entry.decided.cause_partition, entry.decided.cause_offset
        row = self._customers.partitions.get(partition)
        return row is not None and row.position >= max(
            offset + 1, row.outputs_from, self.ends.get(partition, 0)
        )

    async def make(self, entry: Entry, *, is_trial: bool) -> Outcome:
        """Try it once, if it still may be sent, where the read model is as new as the decision.

        `is_trial` of an endpoint that is left alone: what is overdue is not worth one.
        """
        checked = self._checked(entry, is_trial=is_trial)
        if isinstance(checked, Outcome):
            return checked
        action = checked.trigger.action
        message = Message(entry.decision_id, entry.decided.customer_id, entry.partition, checked.body)
        began_ms, began = self._now_ms(), time.perf_counter()
        try:
            answer = await self._sender.send(action, message)
        except Forbidden as error:
            return self._ended(entry, action.endpoint, Ended("refused", str(error)))
        elapsed_ms = round((time.perf_counter() - began) * 1000)
        return Outcome(self._tried(entry, checked, answer, began_ms, elapsed_ms), failed=not answer.succeeded)

    def _checked(self, entry: Entry, *, is_trial: bool) -> Ready | Outcome:
        decided, now_ms = entry.decided, self._now_ms()
        if not self.is_known(entry):
            return Outcome(put_off_to=now_ms + LOOK_AGAIN_MS)
        partition = self._customers.partitions[decided.cause_partition]
        marketing = partition.parameters.marketing
        trigger = in_force(marketing).trigger(decided.trigger)
        if trigger is None:
            reason = f"no trigger {decided.trigger} is in force any more"
            return self._ended(entry, "", Ended("no_trigger", reason))
        endpoint = trigger.action.endpoint
        if is_trial and _is_over(entry, now_ms):
            return self._ended(entry, endpoint, Ended("parked", "nobody has answered there for three days"))
        found = self._customers.customer(decided.customer_id)
        if found is None:  # customers are being folded again, and this one is still to come
            return Outcome(put_off_to=now_ms + LOOK_AGAIN_MS)
        scores = {
            target: (score.probability, score.band) for target, score in found.row.scored.scores.items()
        }
        facts = Facts(
            decided.customer_id,
            found.row.state,
            partition.stream_time_ms,
            partition.parameters,
            scores,
            found.row.segments,
        )
        is_on_wall = marketing.clock == "wall"
        clock_ms = now_ms if is_on_wall else partition.stream_time_ms
        taken_at = entry.taken_at if is_on_wall else None
        match attempting.check(trigger, decided, facts, clock_ms, taken_at):
            case Ended() as ended:
                return self._ended(entry, endpoint, ended)
            case PutOff(until):
                return Outcome(put_off_to=until if is_on_wall else now_ms + LOOK_AGAIN_MS)
        try:
            return Ready(trigger, facts, message(decided, trigger, facts), is_on_wall)
        except Failed as error:
            return self._ended(entry, endpoint, Ended("condition_error", str(error)))

    def _ended(self, entry: Entry, endpoint: str, ended: Ended) -> Outcome:
        self.outcomes[ended.why] += 1
        return Outcome((receipts.abandoned(entry, endpoint, entry.attempts, *ended, self._now_ms()),))

    def _tried(
        self, entry: Entry, sent: Ready, answer: Answer, began_ms: int, elapsed_ms: int
    ) -> tuple[Append, ...]:
        """The receipts of an attempt: with its end, or with when it is tried again."""
        self.outcomes["succeeded" if answer.succeeded else "failed"] += 1
        endpoint, now_ms = sent.trigger.action.endpoint, self._now_ms()
        if answer.succeeded:
            tried = receipts.attempted(entry, endpoint, answer, began_ms, elapsed_ms, None)
            return *answer.appends, tried, receipts.succeeded(entry, endpoint, now_ms)
        again_at = None if answer.is_gone else self._again_at(entry, sent, answer, began_ms)
        tried = receipts.attempted(entry, endpoint, answer, began_ms, elapsed_ms, again_at)
        if again_at is not None:
            return (tried,)
        self.outcomes["parked"] += 1
        reason = f"the last attempt failed: {answer.error}"
        return tried, receipts.abandoned(entry, endpoint, entry.attempts + 1, "parked", reason, now_ms)

    def _again_at(self, entry: Entry, sent: Ready, answer: Answer, began_ms: int) -> int | None:
        first_at = began_ms if entry.first_attempt_at is None else entry.first_attempt_at
        at = attempting.next_attempt_at(
            first_at, self._now_ms(), entry.tries + 1, self._chance(), answer.retry_after_ms
        )
        if at is None or not sent.is_on_wall:
            return at
        return attempting.after_quiet_hours(sent.trigger, entry.decided, sent.facts, at)


def _is_over(entry: Entry, now_ms: int) -> bool:
    """Whether the days of trying are over, though its last attempt could not be made in time."""
    first_at = entry.first_attempt_at
    return first_at is not None and now_ms > first_at + attempting.TRIED_FOR_MS
