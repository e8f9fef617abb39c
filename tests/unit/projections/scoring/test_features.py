"""Do the features say what their names and units promise, and nothing of what came later?"""

from dataclasses import dataclass

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from projections import customer
from projections.scoring import features
from schemas.events import CampaignClicked, CampaignSent, CouponRedeemed, Event, TicketOpened, TicketResolved
from tests.unit.projections.histories import (
    any_events,
    cancel,
    common,
    day,
    fold,
    histories,
    order,
    refund,
)


def at(number: float, events: list[Event]) -> dict[str, float | None]:
    """The features on a day, by name."""
    return dict(zip(features.NAMES, features.of(fold(customer, events), day(number)), strict=True))


def test_each_feature_has_a_name_of_its_own_and_a_meaning() -> None:
    assert len(set(features.NAMES)) == len(features.FEATURES)
    assert all(feature.meaning for feature in features.FEATURES)


def test_of_nobody_nothing_is_known() -> None:
    assert set(at(0, []).values()) == {None}


def test_orders_are_told_in_days_counts_and_amounts() -> None:
    """Three orders, on days 0, 20 and 50, seen on day 60."""
    known = at(60, [order(day(0), 10_00), order(day(20), 20_00), order(day(50), 60_00)])
    assert known["recency_days"] == 10
    assert known["tenure_days"] == 60
    assert known["orders"] == 3
    assert (known["mean_gap_days"], known["last_gap_days"]) == (25, 30)
    assert known["recency_over_gap"] == pytest.approx(0.4)
    assert [known[f"orders_{days}d"] for days in (7, 14, 30, 60, 90, 180)] == [0, 1, 1, 2, 3, 3]
    assert [known[f"spend_{days}d"] for days in (30, 90, 180)] == [60.0, 90.0, 90.0]
    assert (known["mean_basket"], known["last_basket"]) == (30.0, 60.0)
    assert known["orders_a_month"] == pytest.approx(2 / 60 * 30.44)


def test_a_window_reaches_back_so_many_days_and_not_to_its_start() -> None:
    """As a horizon has its end within, and not its beginning."""
    assert at(7, [order(day(0))])["orders_7d"] == 0
    assert at(7, [order(day(0) + 1)])["orders_7d"] == 1


def test_one_order_has_no_gap() -> None:
    known = at(5, [order(day(0))])
    assert (known["mean_gap_days"], known["last_gap_days"], known["recency_over_gap"]) == (None, None, None)


def test_a_cancelled_order_is_in_no_feature_but_the_share_of_them() -> None:
    known = at(9, [order(day(0), 5_00), order(day(8), 99_00, "gone"), cancel(day(8), "gone")])
    assert (known["recency_days"], known["orders"], known["mean_basket"]) == (9, 1, 5.0)
    assert known["cancelled_share"] == 0.5


def test_refunds_are_a_share_of_what_was_paid() -> None:
    assert at(9, [order(day(0), 50_00, "o"), refund(day(1), 20_00, "o")])["refund_share"] == 0.4


def test_amounts_are_in_the_currency_of_the_last_order() -> None:
    """Others are left out: there is no rate without parameters. A yen has no cents."""
    known = at(9, [order(day(0), 50_00, "a", "USD"), order(day(1), 700, "b", "JPY")])
    assert (known["last_basket"], known["spend_30d"]) == (700.0, 700.0)


def test_customers_all_of_whose_latest_orders_were_cancelled_have_no_order_features() -> None:
    """Of the older ones no moment is kept."""
    orders = [order(day(n), order_id=f"o{n}") for n in range(33)]
    known = at(60, [*orders, *(cancel(day(40), f"o{n}") for n in range(1, 33))])
    assert known["recency_days"] is None
    assert known["seen_days"] == 20


def test_less_activity_than_usual_is_a_trend_below_one() -> None:
    busy = [order(day(n)) for n in range(0, 300, 3)]
    assert at(300, busy)["engagement_trend"] == pytest.approx(1, abs=0.5)
    assert at(380, busy)["engagement_trend"] == 0


def test_campaigns_are_answered_or_not() -> None:
    """Two sends, one clicked, the coupon of one redeemed."""
    known = at(
        20,
        [
            CampaignSent(**common(day(0)), campaign_id="a"),
            CampaignSent(**common(day(10)), campaign_id="b"),
            CampaignClicked(**common(day(11)), campaign_id="b"),
            CouponRedeemed(**common(day(12)), coupon="c", campaign_id="b"),
            CouponRedeemed(**common(day(13)), coupon="d"),
        ],
    )
    assert (known["sends"], known["sent_days"], known["clicks_a_send"]) == (2, 10, 0.5)
    assert (known["redemptions"], known["redeemed_days"], known["redeemed_share"]) == (2, 7, 0.5)
    assert known["is_unsubscribed"] == 0


def test_tickets_are_open_until_resolved() -> None:
    opened = [TicketOpened(**common(day(n)), ticket_id=f"t{n}") for n in range(3)]
    known = at(9, [*opened, TicketResolved(**common(day(5)), ticket_id="t1")])
    assert (known["tickets"], known["open_tickets"], known["ticket_days"]) == (3, 2, 7)


@dataclass
class Checked:
    values: features.Values

    def are_numbers(self) -> bool:
        return all(
            v is None or (isinstance(v, float) and v == v and abs(v) < float("inf")) for v in self.values
        )


@settings(deadline=None)
@generated(histories(), st.integers(0, 2_000))
def test_every_value_is_a_finite_number_or_not_known(events: list[Event], number: int) -> None:
    """Also where some events are of later: their own moments are held at `as_of`."""
    assert Checked(features.of(fold(customer, events), day(number))).are_numbers()


@settings(deadline=None, max_examples=50)
@generated(st.lists(any_events(), max_size=8), st.integers(0, 253_402_300_799_999))
def test_the_wildest_events_have_features_too(events: list[Event], as_of: int) -> None:
    assert Checked(features.of(fold(customer, events), as_of)).are_numbers()


@settings(deadline=None)
@generated(histories(), st.randoms(use_true_random=False))
def test_features_do_not_depend_on_the_order_in_which_events_came(events: list[Event], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(events)
    random.shuffle(shuffled)
    assert features.of(fold(customer, events), day(900)) == features.of(fold(customer, shuffled), day(900))
