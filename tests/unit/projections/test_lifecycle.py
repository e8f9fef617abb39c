"""Does the stage follow the rules, at every boundary?"""

from typing import Any

import pytest
from msgspec.structs import replace

from projections import lifecycle, orders
from projections.parameters import Parameters, Rules
from schemas.events import Event
from tests.unit.projections.histories import cancel, day, fold, order, refund

DEFAULT = Parameters()
RHYTHM = Parameters(rules=Rules(rhythm=True))


def view(events: list[Event], at: int, parameters: Parameters = DEFAULT) -> lifecycle.LifecycleView:
    return lifecycle.view(fold(orders, events), at, parameters)


def stage(events: list[Event], at: int, parameters: Parameters = DEFAULT) -> str:
    return view(events, at, parameters).stage


ONE = [order(day(0))]
TWO = [order(day(-30)), order(day(0))]
RETURNED = [order(day(-181)), order(day(0))]


def test_who_never_ordered_is_a_prospect() -> None:
    """No order: prospect, and silence changes nothing."""
    assert view([], day(9)) == lifecycle.LifecycleView("prospect", "no order yet", None, None)


@pytest.mark.parametrize(
    ("events", "silence", "expected"),
    [
        (ONE, 0, "new"),
        (ONE, 60, "new"),
        (ONE, 61, "at_risk"),
        (TWO, 0, "active"),
        (TWO, 90, "active"),
        (TWO, 91, "at_risk"),
        (RETURNED, 0, "won_back"),
        (RETURNED, 90, "won_back"),
        (RETURNED, 91, "at_risk"),
        (TWO, 180, "at_risk"),
        (TWO, 181, "dormant"),
        (TWO, 365, "dormant"),
        (TWO, 366, "churned"),
        (ONE, 5_000, "churned"),
    ],
)
def test_each_stage_ends_with_the_last_day_of_its_silence(
    events: list[Event], silence: int, expected: str
) -> None:
    """60/61, 90/91, 180/181 and 365/366 days of silence are the boundaries, and only whole days count."""
    assert stage(events, day(silence)) == expected
    assert stage(events, day(silence + 1) - 1) == expected


@pytest.mark.parametrize("events", [ONE, TWO, RETURNED])
def test_the_next_change_is_the_first_moment_of_another_stage(events: list[Event]) -> None:
    """At next_change_at the stage differs, one ms before it does not; entered_at is the same moment."""
    now = view(events, day(0))
    while now.next_change_at is not None:
        before, then = view(events, now.next_change_at - 1), view(events, now.next_change_at)
        assert before.stage == now.stage
        assert then.stage != now.stage
        assert then.entered_at == now.next_change_at
        now = then
    assert now.stage == "churned"


def test_a_stage_that_an_order_brought_was_entered_with_it() -> None:
    """New, active and won_back begin with the last order."""
    assert [view(events, day(9)).entered_at for events in (ONE, TWO, RETURNED)] == [day(0)] * 3


@pytest.mark.parametrize(("gap", "expected"), [(180, "active"), (181, "won_back")])
def test_won_back_needs_more_than_180_days_of_silence_before_the_last_order(gap: int, expected: str) -> None:
    """A silence of 180 days and a bit is 180 whole days; the 181st makes a return."""
    assert stage([order(day(0)), order(day(gap + 1) - 1)], day(gap + 1)) == expected


def test_two_orders_at_one_instant_have_no_silence_between() -> None:
    """After a long silence, a second order in the same instant ends no silence: active, not won back."""
    assert stage([order(day(-300)), order(day(0)), order(day(0))], day(1)) == "active"


def test_a_cancelled_order_never_happened() -> None:
    """Without the last order, the stage is that of the order before it."""
    events = [order(day(0)), order(day(200), order_id="gone"), cancel(day(201), "gone")]
    assert stage(events[:2], day(201)) == "won_back"
    assert view(events, day(201)) == view(events[:1], day(201))
    assert stage(events[1:], day(201)) == "prospect"


def test_a_cancelled_order_between_breaks_no_silence() -> None:
    """The silence before the last order reaches back over a cancelled one."""
    events = [order(day(0)), order(day(100), order_id="gone"), order(day(190)), cancel(day(101), "gone")]
    assert stage(events, day(191)) == "won_back"


def test_a_refunded_order_did_happen() -> None:
    """A refund in full changes no stage."""
    assert stage([*ONE, refund(day(1), 10_00, ONE[0].order_id)], day(2)) == "new"


@pytest.mark.parametrize(
    ("silence", "reason"),
    [
        (0, "2 orders, the last less than a day ago, active up to 90 days"),
        (1, "2 orders, the last 1 day ago, active up to 90 days"),
        (91, "no order for 91 days, more than 90"),
        (200, "no order for 200 days, more than 180"),
        (400, "no order for 400 days, more than 365"),
    ],
)
def test_the_reason_tells_the_days_and_the_limit(silence: int, reason: str) -> None:
    """The reason names the silence and the threshold that it crossed or may grow to."""
    assert view(TWO, day(silence)).reason == reason


def test_the_reason_of_a_first_order_and_of_a_return() -> None:
    """A new customer's reason tells of one order, a returned one's of the silence it ended."""
    assert view(ONE, day(3)).reason == "first order 3 days ago, new up to 60 days"
    assert view(RETURNED, day(3)).reason == "ordered 3 days ago, after a silence of 181 days"


def test_rules_in_force_move_the_thresholds() -> None:
    """Every threshold is a parameter."""
    rules = Rules(new_days=1, active_days=2, at_risk_days=3, dormant_days=4, win_back_days=10)
    stages = [stage(TWO, day(silence), Parameters(rules=rules)) for silence in (2, 3, 4, 5)]
    assert stages == ["won_back", "at_risk", "dormant", "churned"]
    assert stage(ONE, day(2), Parameters(rules=rules)) == "at_risk"


def test_a_stage_whose_limit_is_no_greater_than_the_one_before_is_skipped() -> None:
    """With at_risk ending before active does, dormant follows active."""
    parameters = Parameters(rules=Rules(active_days=90, at_risk_days=60))
    now = view(TWO, day(0), parameters)
    assert now.next_change_at == day(91)
    then = view(TWO, day(91), parameters)
    assert (then.stage, then.entered_at) == ("dormant", day(91))


def weekly(count: int, gap_days: float = 7) -> list[Any]:
    """Orders at a regular gap, the last on day 0."""
    return [order(day(-gap_days * n)) for n in range(count)]


def test_rhythm_scales_the_thresholds_by_the_own_gap() -> None:
    """A gap of 20 days against 60 makes a third: at risk after 30 days, dormant after 60."""
    events = weekly(4, 20)
    stages = [stage(events, day(silence), RHYTHM) for silence in (30, 31, 60, 61, 121, 122)]
    assert stages == ["active", "at_risk", "at_risk", "dormant", "dormant", "churned"]
    assert (
        view(events, day(31), RHYTHM).reason
        == "no order for 31 days, more than 30, by the customer's own rhythm"
    )


def test_rhythm_is_off_by_default_and_below_three_orders() -> None:
    """The default rules and a customer of two orders keep the thresholds as told."""
    assert stage(weekly(4), day(90)) == "active"
    assert stage(weekly(2), day(90), RHYTHM) == "active"
    assert stage(weekly(3), day(90), RHYTHM) != "active"


def test_rhythm_stays_within_a_quarter_and_four_times() -> None:
    """Ordering daily gives a quarter of 90 days (22 whole days), ordering yearly four times it."""
    daily, yearly = weekly(9, 1), weekly(3, 365)
    assert [stage(daily, day(d), RHYTHM) for d in (22, 23)] == ["active", "at_risk"]
    assert [stage(yearly, day(d), RHYTHM) for d in (360, 361)] == ["active", "at_risk"]


def test_rhythm_scales_the_silence_that_makes_a_return() -> None:
    """All thresholds together: a yearly buyer's usual gap is no return."""
    assert stage(weekly(3, 365), day(1)) == "won_back"
    assert stage(weekly(3, 365), day(1), RHYTHM) == "active"


def test_a_reference_gap_of_zero_days_does_not_divide_by_zero() -> None:
    """Nonsense in the rules gives a stage all the same: the factor is at its greatest."""
    parameters = Parameters(rules=replace(Rules(), rhythm=True, reference_gap_days=0))
    assert stage(weekly(3), day(360), parameters) == "active"
