"""Lifecycle: which stage is the customer in, since when, why, and when would silence change it?

Derived from the orders alone: their state is its state.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from projections.orders import Moments, Orders, moments, moments_at
from projections.orders import combine as combine
from projections.orders import evolve as evolve
from projections.orders import zero as zero
from projections.parameters import Parameters, Rules
from projections.times import DAY_MS, MAX_AT

Stage = Literal["prospect", "new", "active", "at_risk", "dormant", "churned", "won_back"]
STAGES: tuple[Stage, ...] = ("prospect", "new", "active", "at_risk", "dormant", "churned", "won_back")


class LifecycleView(Struct, frozen=True, gc=False):
    stage: Stage
    reason: str
    next_change_at: int | None  # ms; None where silence alone changes nothing any more
    entered_at: int | None  # ms, as the orders tell it; None before any order


class Limits(NamedTuple):
    """The rules for one customer, in whole days of silence."""

    new: int
    active: int
    at_risk: int
    dormant: int
    win_back: int


def view(state: Orders, as_of: int, parameters: Parameters) -> LifecycleView:
    return _of(moments(state), as_of, parameters)


def view_at(state: Orders, at: int, parameters: Parameters) -> LifecycleView | None:
    """The view of a moment of the past, by what is known now; None where that is forgotten."""
    when = moments_at(state, at)
    return None if when is None else _of(when, at, parameters)


def _of(when: Moments, as_of: int, parameters: Parameters) -> LifecycleView:
    if when.last_at is None or when.first_at is None:
        return LifecycleView("prospect", "no order yet", None, None)
    limits = _limits(when, parameters.rules)
    silence = max(0, (as_of - when.last_at) // DAY_MS)
    first = _first_stage(when, limits)
    stage, over, until = _standing(first, silence, limits)
    return LifecycleView(
        stage,
        _reason(stage, silence, over, until, when, parameters.rules.rhythm and when.count >= 3),
        None if until is None else _within_time(when.last_at + (until + 1) * DAY_MS),
        when.last_at if over is None else when.last_at + (over + 1) * DAY_MS,
    )


def _within_time(at: int) -> int | None:
    """A moment that can come; rules of millions of years set none."""
    return at if at <= MAX_AT else None


def _first_stage(when: Moments, limits: Limits) -> Stage:
    """The stage that the last order brought."""
    if when.count == 1 or when.last_at is None or when.previous_at is None:
        return "new"
    returned = (when.last_at - when.previous_at) // DAY_MS > limits.win_back
    return "won_back" if returned else "active"


def _standing(first: Stage, silence: int, limits: Limits) -> tuple[Stage, int | None, int | None]:
    """(stage, the limit that silence is over, the limit it may grow to); first match wins.

    A limit no greater than one before it ends no stage, so a stage may be skipped.
    """
    over = None
    ladder: tuple[tuple[Stage, int], ...] = (
        (first, limits.new if first == "new" else limits.active),
        ("at_risk", limits.at_risk),
        ("dormant", limits.dormant),
    )
    for stage, limit in ladder:
        if silence <= limit:
            return stage, over, limit
        over = limit if over is None else max(over, limit)
    return "churned", over, None


def _limits(when: Moments, rules: Rules) -> Limits:
    """The thresholds; with rhythm on and 3 orders, times own mean gap ÷ reference gap, within ¼ to 4."""
    limits = Limits(
        rules.new_days, rules.active_days, rules.at_risk_days, rules.dormant_days, rules.win_back_days
    )
    if not rules.rhythm or when.count < 3 or when.first_at is None or when.last_at is None:
        return limits
    span = when.last_at - when.first_at
    reference = max(1, rules.reference_gap_days) * (when.count - 1) * DAY_MS
    # silence is whole days, so comparing with the floor of the product is comparing with the product
    return Limits(*(max(days // 4, min(days * span // reference, days * 4)) for days in limits))


def _reason(
    stage: Stage, silence: int, over: int | None, until: int | None, when: Moments, rhythm: bool
) -> str:
    own = ", by the customer's own rhythm" if rhythm else ""
    if over is not None:
        return f"no order for {_days(silence)}, more than {over}{own}"
    ago = f"{_days(silence)} ago" if silence else "less than a day ago"
    if stage == "new":
        return f"first order {ago}, new up to {until} days{own}"
    if stage == "won_back" and when.last_at is not None and when.previous_at is not None:
        gap = (when.last_at - when.previous_at) // DAY_MS
        return f"ordered {ago}, after a silence of {_days(gap)}{own}"
    return f"{when.count} orders, the last {ago}, active up to {until} days{own}"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
