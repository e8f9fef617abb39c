"""May a message be sent now, and if it was not taken, when is it tried again?

What was decided is checked once more before each attempt, for the customer has gone on since. Attempts that
fail are repeated for three days, at random moments further and further apart ("full jitter": Brooker,
Exponential Backoff and Jitter, 2015), so that receivers which come back are not met by all senders at once.
"""

from typing import NamedTuple

from msgspec.structs import replace

from projections.times import rfc3339
from projections.triggers import deciding
from projections.triggers.facts import Facts
from projections.triggers.rules import Trigger
from schemas.events import TriggerDecided

SHORTEST_MS = 1_000
LONGEST_MS = 3_600_000
TRIED_FOR_MS = 3 * 86_400_000  # from the first attempt on


class Ended(NamedTuple):
    """The message is not to be sent any more. `why` is a word of DeliveryAbandoned."""

    why: str
    reason: str


class PutOff(NamedTuple):
    """The message waits for the end of quiet hours: `until`, in ms on the engine's clock."""

    until: int


def check(
    trigger: Trigger, decided: TriggerDecided, facts: Facts, clock_ms: int, taken_at: int | None
) -> Ended | PutOff | None:
    """What stands in the way of an attempt at `clock_ms`; None if nothing does.

    `taken_at` is when the decision was written, on the wall clock: an engine that was away may have written
    it too late. What then waits for its receiver does not get too old. None where events move time.
    A retraction asks for consent alone: whoever was told wrongly is told so.
    """
    trigger = _as_asked(trigger, decided)
    since = max(decided.transition_at, decided.occurred_at)  # a person may have taken days to say yes
    if taken_at is not None and (refusal := deciding.expired(trigger, since, taken_at)) is not None:
        return Ended(*refusal)
    if (refusal := deciding.recheck(trigger, facts)) is not None:
        return Ended(*refusal)
    until = deciding.in_quiet_hours(trigger, facts, clock_ms)
    if until is None or trigger.quiet_hours is None:
        return None
    if trigger.quiet_hours.policy == "requeue":
        return PutOff(until)
    return Ended("quiet", f"it is night for the customer up to {rfc3339(until)}")


def delay_ms(tries: int, chance: float) -> int:
    """How long to wait after so many tries (from 1) that failed; `chance` is in [0, 1)."""
    most = min(LONGEST_MS, SHORTEST_MS << min(tries, 32))
    return SHORTEST_MS + int(chance * (most - SHORTEST_MS))


def next_attempt_at(
    first_attempt_at: int, now_ms: int, tries: int, chance: float, retry_after_ms: int | None
) -> int | None:
    """When a message is tried again that was not taken at `now_ms`; None if that was its last try.

    `retry_after_ms` is how long the receiver wants to be left alone.
    """
    at = now_ms + max(delay_ms(tries, chance), retry_after_ms or 0)
    return at if at <= first_attempt_at + TRIED_FOR_MS else None


def after_quiet_hours(trigger: Trigger, decided: TriggerDecided, facts: Facts, at_ms: int) -> int:
    """`at_ms`, or the end of the quiet hours that it lies in, where a message waits for that."""
    quiet = _as_asked(trigger, decided).quiet_hours
    if quiet is None or quiet.policy == "drop":
        return at_ms
    return deciding.in_quiet_hours(trigger, facts, at_ms) or at_ms


def _as_asked(trigger: Trigger, decided: TriggerDecided) -> Trigger:
    return replace(trigger, where="", quiet_hours=None) if decided.kind == "correction" else trigger
