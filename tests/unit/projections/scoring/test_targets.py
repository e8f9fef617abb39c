"""Is each target asked of whom it should be, and answered by what happened within its horizon?"""

import pytest

from projections import customer
from projections.scoring.target import Asked
from projections.scoring.targets import TARGETS
from projections.times import DAY_MS
from schemas.events import CampaignSent, CouponRedeemed, Event
from tests.unit.projections.histories import cancel, common, day, fold, on, order


def happened(target: str, events: list[Event], asked: Asked) -> bool:
    return TARGETS[target].happened(fold(customer, events), asked)


def test_each_file_of_the_folder_is_a_target() -> None:
    assert list(TARGETS) == ["churn", "order_30d", "order_7d", "redeem"]
    assert {name: target.horizon_days for name, target in TARGETS.items()} == {
        "churn": 90,
        "order_30d": 30,
        "order_7d": 7,
        "redeem": 30,
    }


@pytest.mark.parametrize("target", ["churn", "order_30d", "order_7d"])
@pytest.mark.parametrize(("silence", "is_eligible"), [(0, True), (365, True), (366, False)])
def test_who_has_ordered_within_a_year_is_asked_about(target: str, silence: int, is_eligible: bool) -> None:
    state = fold(customer, [order(day(0))])
    assert TARGETS[target].eligible(state, day(silence)) == is_eligible


def test_nobody_is_asked_about_before_an_order() -> None:
    """A cancelled one never was."""
    assert not TARGETS["churn"].eligible(customer.zero(), day(0))
    assert not TARGETS["churn"].eligible(fold(customer, [order(day(0), 1, "o"), cancel(day(1), "o")]), day(2))


@pytest.mark.parametrize("after_ms", [1, 7 * DAY_MS])
def test_an_order_within_the_horizon_counts_its_end_included(after_ms: int) -> None:
    asked = Asked(day(0), day(7))
    assert happened("order_7d", [order(day(0) + after_ms)], asked)
    assert not happened("churn", [order(day(0) + after_ms)], Asked(day(0), day(90)))


@pytest.mark.parametrize("after_ms", [0, 7 * DAY_MS + 1])
def test_an_order_outside_the_horizon_does_not_count(after_ms: int) -> None:
    """The one at the moment of the question was known."""
    assert not happened("order_7d", [order(day(0) + after_ms)], Asked(day(0), day(7)))


def send(at: int, campaign: str, starts_on: int | None = None) -> CampaignSent:
    return CampaignSent(**common(at), campaign_id=campaign, starts_on=starts_on)


def redeem(at: int, campaign: str | None) -> CouponRedeemed:
    return CouponRedeemed(**common(at), coupon="c", campaign_id=campaign)


def test_a_send_asks_about_its_campaign_until_30_days_after_its_start() -> None:
    asked_at = TARGETS["redeem"].asked_at
    assert asked_at is not None
    own, first = asked_at(send(day(0), "a")), on(2026, 1, 3)
    assert own is not None
    assert (own.at, own.until) == (day(0), day(30))
    later = asked_at(send(day(0), "a", first // DAY_MS))
    assert later is not None
    assert (later.at, later.until, later.subject) == (day(0), first + 30 * DAY_MS, own.subject)
    assert asked_at(order(day(0))) is None  # type: ignore[arg-type]


def test_only_a_coupon_of_that_campaign_is_its_redemption() -> None:
    asked_at = TARGETS["redeem"].asked_at
    assert asked_at is not None
    asked = asked_at(send(day(0), "a"))
    assert asked is not None
    assert happened("redeem", [send(day(0), "a"), redeem(day(3), "a")], asked)
    for other in (redeem(day(3), "b"), redeem(day(3), None), redeem(day(31), "a")):
        assert not happened("redeem", [send(day(0), "a"), other], asked)
