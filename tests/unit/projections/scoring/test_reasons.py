"""Does a score say why, in words that a marketer would use?"""

import pytest

from projections import customer
from projections.scoring import features
from projections.scoring.models import INPUTS, Inputs
from projections.scoring.reasons import FLAG_WORDS, OPPOSITES, Reason, reasons
from schemas.events import Event
from tests.unit.projections.histories import day, fold, order


class Explained:
    """A model that explains itself with what it is told."""

    def __init__(self, **contributions: float) -> None:
        self.contributions = contributions

    def explain_one(self, x: Inputs) -> dict[str, float]:
        return self.contributions

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
        raise NotImplementedError

    def learn_one(self, x: Inputs, y: bool) -> None:
        raise NotImplementedError


def why(events: list[Event], on: float, **contributions: float) -> list[Reason]:
    return reasons(Explained(**contributions), features.of(fold(customer, events), day(on)))


TWICE = [order(day(0), 10_00), order(day(20), 30_00)]


def test_what_counts_most_comes_first_whichever_way() -> None:
    """Three at most."""
    found = why(TWICE, 81, orders=-0.5, tenure_days=0.1, mean_basket=0.2, recency_days=2.0)
    assert [reason.feature for reason in found] == ["recency_days", "orders", "mean_basket"]
    assert [reason.contribution for reason in found] == [2.0, -0.5, 0.2]


def test_a_long_silence_is_told_against_the_customers_own_rhythm() -> None:
    (reason,) = why(TWICE, 81, recency_days=1.0)
    assert reason == Reason("recency_days", 61, 1.0, "hasn't ordered for 61 days; usually every 20")


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("orders", "2 orders so far"),
        ("orders_90d", "2 orders in 90 days"),
        ("mean_basket", "spends 20 an order"),
        ("refund_share", "0% refunded"),
        ("tenure_days", "first ordered 81 days ago"),
        ("no_gap", "has ordered again"),
        ("no_campaigns", "was sent no campaign"),
    ],
)
def test_a_feature_is_said_with_its_value_and_unit(feature: str, words: str) -> None:
    (reason,) = why(TWICE, 81, **{feature: 1.0})
    assert reason.words == words


def test_who_ordered_once_has_no_rhythm() -> None:
    recency, gap = why([order(day(0))], 1, recency_days=2.0, no_gap=1.0)
    assert recency.words == "hasn't ordered for 1 day"
    assert (gap.feature, gap.value, gap.words) == ("mean_gap_days", None, "has ordered once")


def test_what_adds_nothing_is_no_reason() -> None:
    assert why(TWICE, 81, orders=0.0) == []


def test_every_input_can_be_said() -> None:
    """None of the templates lacks its value, and each flag has words for both."""
    assert all(feature.words.count("{}") == 1 for feature in features.FEATURES)
    assert set(INPUTS) == set(features.NAMES) | FLAG_WORDS.keys()
    assert FLAG_WORDS.keys() == OPPOSITES.keys()


def test_who_orders_more_than_is_kept_is_said_to_have_ordered_so_often_or_more() -> None:
    """The latest 32 orders are kept one by one: of 40, a window may have more than it can count."""
    [reason] = why([order(day(n)) for n in range(40)], 41, orders_180d=1.0)
    assert reason.words == "32 or more orders in 180 days"
