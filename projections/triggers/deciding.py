"""Does a trigger tell of this change? The checks, in their one order, each giving the verdict it ends with.

expired, condition, consent, cap, holdout; then timing: a person's review, and quiet hours. Who is held out
uses up the cap as if told, so that both arms are comparable; so does what waits, as long as it waits.
"""

from hashlib import blake2b
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from projections import permission
from projections.times import MAX_AT, rfc3339
from projections.triggers import timing
from projections.triggers.expressions import Failed, compiled
from projections.triggers.facts import Facts
from projections.triggers.rules import Cap, Rules, Trigger, values

Verdict = Literal[
    "send",
    "holdout",
    "expired",
    "condition_false",
    "condition_error",
    "no_consent",
    "capped",
    "quiet",
    "declined",
]
WAITING_AT_MOST = 32  # decisions of one customer; the next one is capped
TICK_LAG_MS = 5 * 60_000  # how far stream time may be ahead of the wall clock


class Change(Struct, frozen=True, array_like=True, gc=False):
    """A transition that triggers may tell of. `after` and `before` are stages, bands, or in and out."""

    kind: str  # stage, segment, score, correction
    about: str  # the segment or target; empty for the stage
    before: str | None
    after: str | None
    id: str  # of the event that tells it
    at: int  # ms


class Waiting(Struct, frozen=True, array_like=True, gc=False):
    """A decision that waits, and has its place under the caps."""

    decision_id: str
    trigger: str
    change: Change
    waits_for: Literal["review", "quiet_hours"]
    until: int  # ms on the engine's clock
    due_ms: int  # stream time
    inputs: dict[str, str] = {}  # what had decided so far


class Memory(Struct, frozen=True, array_like=True, gc=False):
    """What triggers have to remember of a customer."""

    sends: bytes = b""  # timing.SENDS
    waiting: tuple[Waiting, ...] = ()


class Moment(NamedTuple):
    """Two clocks, in ms: stream time, and the engine's, which is the wall's where that ticks."""

    stream: int
    clock: int
    ticks: bool  # whether the wall clock moves stream time


class Case(NamedTuple):
    """A change that a trigger concerns, and what is known of the customer now."""

    rules: Rules
    trigger: Trigger
    change: Change
    decision_id: str
    facts: Facts
    now: Moment


class Decision(NamedTuple):
    """What became of a change and a trigger: a verdict, or what it waits for."""

    trigger: str
    change: Change
    verdict: Verdict | None
    reason: str
    inputs: dict[str, str]
    waits: Waiting | None = None
    retracts_id: str | None = None


class Refusal(NamedTuple):
    """A check that failed, with its verdict."""

    verdict: Verdict
    reason: str


def concerns(trigger: Trigger, change: Change) -> bool:
    """Whether the trigger waits for such a change."""
    on = trigger.on
    if change.kind == "correction":
        return trigger.retract
    return (
        (on.change, on.about) == (change.kind, change.about)
        and (not values(on.from_) or change.before in values(on.from_))
        and (not values(on.to) or change.after in values(on.to))
    )


def is_held_out(trigger: Trigger, customer_id: str) -> bool:
    """Whether the customer is in the trigger's holdout: raising the share keeps its members."""
    text = f"{trigger.salt or trigger.name}\x1f{customer_id}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) < trigger.holdout * 2**64


def decide(case: Case, memory: Memory) -> tuple[Decision, Memory]:
    """Decide for the first time."""
    rules, trigger, change, decision_id, facts, now = case
    inputs = {"age_ms": str(now.clock - change.at)}

    def ended(verdict: Verdict, reason: str) -> tuple[Decision, Memory]:
        return Decision(trigger.name, change, verdict, reason, inputs), memory

    if (age := expired(trigger, change.at, now.clock)) is not None:
        return ended(*age)
    if (refusal := recheck(trigger, facts, inputs)) is not None:
        return ended(*refusal)
    names = [each.trigger for each in memory.waiting]
    caps = [(rules.cap, None), (trigger.cap, trigger.name)]
    for cap, name in caps:
        if cap is not None:
            used = timing.used(memory.sends, names, cap, name, now.stream)
            inputs[f"cap of {'all triggers' if name is None else 'the trigger'}"] = f"{used} of {cap.count}"
            if used >= cap.count:
                return ended("capped", f"{_times(used)} told already {_window(cap, name)}")
    if len(memory.waiting) >= WAITING_AT_MOST:
        return ended("capped", f"{WAITING_AT_MOST} messages wait for this customer already")
    held_out = is_held_out(trigger, facts.customer_id)
    inputs["holdout"] = f"{trigger.holdout:g}"
    if held_out:
        decision, _ = ended("holdout", f"one of the {trigger.holdout:.0%} who are not told, to compare with")
        return decision, replace(memory, sends=timing.noted(memory.sends, rules, trigger, now.stream))
    if trigger.review:
        until = now.stream + trigger.review_within_ms
        waits = Waiting(decision_id, trigger.name, change, "review", until, min(until, MAX_AT), inputs)
        return _deferred(trigger, f"waits for a person's yes up to {rfc3339(until)}", waits, inputs, memory)
    return _timed(case, memory, inputs)


def resume(
    rules: Rules, waiting: Waiting, approved: bool | None, facts: Facts, memory: Memory, now: Moment
) -> tuple[Decision, Memory]:
    """Decide what waited: a person has said yes or no (`approved`), or its time has come (None)."""
    memory = without(memory, waiting)
    trigger, change, inputs = rules.trigger(waiting.trigger), waiting.change, dict(waiting.inputs)
    if trigger is None:
        return Decision(waiting.trigger, change, "declined", "the trigger is no more", inputs), memory
    if waiting.waits_for == "review":
        inputs["review"] = {True: "yes", False: "no", None: "nobody answered"}[approved]
        if approved is None:
            reason = f"nobody said yes up to {rfc3339(waiting.until)}"
            return Decision(trigger.name, change, "declined", reason, inputs), memory
        if not approved:
            return Decision(trigger.name, change, "declined", "a person said no", inputs), memory
    if (refusal := recheck(trigger, facts, inputs)) is not None:
        return Decision(trigger.name, change, *refusal, inputs), memory
    return _timed(Case(rules, trigger, change, waiting.decision_id, facts, now), memory, inputs)


def without(memory: Memory, waiting: Waiting) -> Memory:
    """The memory once a decision waits no longer."""
    return replace(memory, waiting=tuple(each for each in memory.waiting if each != waiting))


def retract(trigger: Trigger, change: Change, original_id: str, facts: Facts, now: Moment) -> Decision:
    """Decide on taking back what was told of a transition that turned out wrong.

    Whoever was told wrongly is told so: neither cap, holdout, condition nor quiet hours stand in the way.
    """
    inputs = {"age_ms": str(now.clock - change.at)}
    refusal = expired(trigger, change.at, now.clock) or _no_consent(trigger, facts, inputs)
    said: Refusal = refusal or Refusal("send", f"takes back {original_id}")
    return Decision(trigger.name, change, *said, inputs, retracts_id=original_id)


def expired(trigger: Trigger, at_ms: int, clock_ms: int) -> Refusal | None:
    """Whether a change of `at_ms` is too old to tell."""
    if trigger.max_age_ms is None or clock_ms - at_ms <= trigger.max_age_ms:
        return None
    return Refusal("expired", f"it happened on {rfc3339(at_ms)}, more than {trigger.max_age} ago")


def recheck(trigger: Trigger, facts: Facts, inputs: dict[str, str] | None = None) -> Refusal | None:
    """The checks that are made again before every attempt: condition, consent, suppression, erasure.

    Quiet hours too: `in_quiet_hours`.
    """
    inputs = {} if inputs is None else inputs
    if trigger.where:
        try:
            holds = compiled(trigger.where).holds(facts)
        except Failed as failed:
            return Refusal("condition_error", str(failed))
        inputs["where"] = str(holds).lower()
        if not holds:
            return Refusal("condition_false", f"{trigger.where} is not true of the customer")
    return _no_consent(trigger, facts, inputs)


def in_quiet_hours(trigger: Trigger, facts: Facts, clock_ms: int) -> int | None:
    """When the quiet hours end that the customer is in at `clock_ms`; None in none."""
    quiet = trigger.quiet_hours
    where = timing.timezone(_timezone_trait(facts), trigger.default_timezone)
    return None if quiet is None or where is None else timing.quiet_until(quiet, where, clock_ms)


def _no_consent(trigger: Trigger, facts: Facts, inputs: dict[str, str]) -> Refusal | None:
    needed, state = trigger.channel_and_purpose, facts.state
    if state.permission.erased_at is not None:
        return Refusal("no_consent", f"erased on {rfc3339(state.permission.erased_at)}")
    if needed is None:
        return None
    why = permission.refusal(state.profile, state.permission, *needed)
    inputs["consent"] = why or f"{trigger.consent} granted"
    return None if why is None else Refusal("no_consent", why)


def _timed(case: Case, memory: Memory, inputs: dict[str, str]) -> tuple[Decision, Memory]:
    """Send, unless the customer's night keeps it."""
    rules, trigger, change, decision_id, facts, now = case
    until = in_quiet_hours(trigger, facts, now.clock)
    quiet = trigger.quiet_hours
    if until is None or quiet is None:
        sends = timing.noted(memory.sends, rules, trigger, now.stream)
        return Decision(trigger.name, change, "send", "all checks passed", inputs), replace(
            memory, sends=sends
        )
    reason = f"it is night ({quiet.from_} to {quiet.to}) up to {rfc3339(until)}"
    inputs["quiet_hours"] = f"{quiet.from_}-{quiet.to} {_timezone_trait(facts) or trigger.default_timezone}"
    if quiet.policy == "drop":
        return Decision(trigger.name, change, "quiet", reason, inputs), memory
    # an event may be TICK_LAG_MS ahead of its append, and move stream time before the night is over
    due_ms = max(until + TICK_LAG_MS if now.ticks else until, now.stream + 1)
    waits = Waiting(decision_id, trigger.name, change, "quiet_hours", until, min(due_ms, MAX_AT), inputs)
    return _deferred(trigger, reason, waits, inputs, memory)


def _deferred(
    trigger: Trigger, reason: str, waits: Waiting, inputs: dict[str, str], memory: Memory
) -> tuple[Decision, Memory]:
    decision = Decision(trigger.name, waits.change, None, reason, inputs, waits)
    return decision, replace(memory, waiting=(*memory.waiting, waits))


def _timezone_trait(facts: Facts) -> str | None:
    trait = facts.state.profile.traits.get("timezone")
    return trait.value if trait is not None and trait.present else None


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _window(cap: Cap, name: str | None) -> str:
    by = "by all triggers" if name is None else "by this trigger"
    return f"in {cap.days} days {by}" if cap.days is not None else f"this {cap.per} {by}"
