"""What do answers about triggers and their decisions look like? The shapes, and how each is made."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.shapes import Time, TimelineEvent
from history.decisions import Activity, Decision
from projections.times import rfc3339
from projections.triggers import uplift
from projections.triggers.rules import Action, Cap, On, QuietHours, Rules, Segment, Trigger
from projections.triggers.uplift import Arm

Rate = Annotated[float, Meta(ge=0, le=1)]


class ActionBody(Struct, frozen=True):
    """Where messages go: never a path or a query, which may hold a secret; of the secret, its name."""

    endpoint: str
    secret: str | None


class TriggerBody(Struct, frozen=True):
    """A trigger as triggers.toml has it, without what is secret, and how it is doing."""

    name: str
    on: On
    action: ActionBody
    consent: Annotated[str, Meta(description="channel/purpose, or none.")]
    holdout: Rate
    where: str
    template: dict[str, str]
    priority: int
    review: bool
    review_within: str
    cap: Cap | None
    quiet_hours: QuietHours | None
    default_timezone: str | None
    max_age: str
    salt: str
    outcome_days: int
    goal: str
    retract: bool
    decisions: Annotated[dict[str, int], Meta(description="Of the last 24 h, by verdict.")]
    pending: Annotated[int, Meta(description="Messages on their way.")]
    parked: Annotated[int, Meta(description="Messages without an attempt left: a redrive tries them again.")]


class EndpointBody(Struct, frozen=True):
    """A receiver with failed attempts in the last hour."""

    endpoint: str
    attempts: int
    failed: int
    latest_error: str


class TriggersBody(Struct, frozen=True):
    """The rules in force; `version` is empty while none were told. `cap` is across all triggers."""

    version: str
    clock: Annotated[str, Meta(description="What ages and quiet hours are measured on: wall or events.")]
    cap: Cap | None
    items: list[TriggerBody]
    failing: list[EndpointBody]


class SegmentBody(Struct, frozen=True):
    """A segment as segments.toml has it, and how many customers are in it."""

    name: str
    where: str
    description: str
    reads_time: Annotated[bool, Meta(description="Whether it can change though nothing happens.")]
    customers: int


class SegmentsBody(Struct, frozen=True):
    items: list[SegmentBody]


class DecisionBody(Struct, frozen=True):
    """What a trigger decided of a change, and what became of its message.

    `verdict` is `waiting` before there is one. `delivery`, of what is sent: pending, delivered, abandoned (a
    check failed) or parked (no attempt is left).
    """

    decision_id: str
    customer_id: str
    trigger: str
    rules_version: str
    kind: Annotated[str, Meta(description="stage, segment, score or correction.")]
    about: Annotated[str, Meta(description="Which segment or which target; empty for the stage.")]
    before: str | None
    after: str | None
    transition_id: str
    transition_at: Time
    decided_at: Time
    verdict: str
    reason: str
    inputs: dict[str, str]
    waits_for: str | None
    until_at: Time | None
    retracts_id: str | None
    delivery: str | None
    attempts: int
    delivered_at: Time | None
    abandoned_at: Time | None
    abandoned_why: str | None
    abandoned_reason: str | None
    steps: Annotated[
        list[TimelineEvent] | UnsetType, Meta(description="What happened with it, in order: events.")
    ] = UNSET


class ArmBody(Struct, frozen=True):
    """`rate` is null of nobody."""

    customers: int
    reached: int
    rate: Rate | None


class UpliftBody(Struct, frozen=True):
    """By intention to treat; difference and interval (95 %) are null while either arm has under 100."""

    trigger: str
    goal: str
    outcome_days: int
    as_of: Time
    told: ArmBody
    held_out: ArmBody
    difference: float | None
    low: float | None
    high: float | None
    words: str


def triggers_body(version: str, clock: str, rules: Rules, activity: Activity) -> TriggersBody:
    items = [trigger_body(each, activity) for each in rules.triggers]
    failing = [EndpointBody(*each) for each in activity.failing]
    return TriggersBody(version, clock, rules.cap, items, failing)


def trigger_body(trigger: Trigger, activity: Activity) -> TriggerBody:
    said = {name: getattr(trigger, name) for name in Trigger.__struct_fields__}
    name = trigger.name
    verdicts = {verdict: count for (each, verdict), count in activity.verdicts.items() if each == name}
    return TriggerBody(
        **said | {"action": _action(trigger.action)},
        decisions=dict(sorted(verdicts.items())),
        pending=activity.deliveries.get((name, "pending"), 0),
        parked=activity.deliveries.get((name, "parked"), 0),
    )


def segment_body(segment: Segment, customers: int) -> SegmentBody:
    reads_time = segment.expression.reads_time
    return SegmentBody(segment.name, segment.where, segment.description, reads_time, customers)


def decision_body(decision: Decision, steps: list[dict[str, object]] | UnsetType = UNSET) -> DecisionBody:
    said: dict[str, Any] = {
        name: rfc3339(value) if name.endswith("_at") and value is not None else value
        for name, value in msgspec.structs.asdict(decision).items()
        if name in DecisionBody.__struct_fields__
    }
    return DecisionBody(**said, steps=steps)


def uplift_body(trigger: Trigger, as_of_ms: int, told: Arm, held_out: Arm) -> UpliftBody:
    found = uplift.uplift(told, held_out)
    difference, low, high = (None, None, None) if found is None else found
    return UpliftBody(
        trigger.name,
        trigger.goal,
        trigger.outcome_days,
        rfc3339(as_of_ms),
        ArmBody(*told, told.rate),
        ArmBody(*held_out, held_out.rate),
        difference,
        low,
        high,
        uplift.words(told, held_out, trigger.goal, trigger.outcome_days),
    )


def _action(action: Action) -> ActionBody:
    return ActionBody(action.endpoint, action.secret if action.webhook else None)
