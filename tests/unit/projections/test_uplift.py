"""Is the interval of an uplift the published one?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from projections.triggers.uplift import ENOUGH, Arm, Z, difference, uplift, wilson, words

# Newcombe (1998), table II, method 10
PUBLISHED = [
    (Arm(70, 56), Arm(80, 48), 0.0524, 0.3339),
    (Arm(10, 9), Arm(10, 3), 0.1705, 0.8090),
    (Arm(7, 6), Arm(7, 2), 0.0582, 0.8062),
    (Arm(56, 5), Arm(29, 0), -0.0381, 0.1926),
    (Arm(10, 0), Arm(20, 0), -0.1611, 0.2775),
    (Arm(10, 0), Arm(10, 0), -0.2775, 0.2775),
    (Arm(10, 10), Arm(20, 0), 0.6791, 1.0),
    (Arm(10, 10), Arm(10, 0), 0.6075, 1.0),
]


@st.composite
def arms(draw: st.DrawFn) -> Arm:
    customers = draw(st.integers(1, 100_000))
    return Arm(customers, draw(st.integers(0, customers)))


@pytest.mark.parametrize(("told", "held_out", "low", "high"), PUBLISHED)
def test_the_interval_is_the_published_one(told: Arm, held_out: Arm, low: float, high: float) -> None:
    """Eight contrasts of the paper that compares the methods, to its four digits."""
    found = difference(told, held_out)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.difference == pytest.approx(
        told.reached / told.customers - held_out.reached / held_out.customers
    )


@given(arms())
def test_an_arms_interval_is_scipys(arm: Arm) -> None:
    """The Wilson interval as another library has it."""
    theirs = binomtest(arm.reached, arm.customers).proportion_ci(method="wilson")
    assert wilson(arm) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert pytest.approx(norm.ppf(0.975)) == Z


@given(arms(), arms())
def test_the_other_way_round_is_the_mirror_image(a: Arm, b: Arm) -> None:
    """The interval holds the difference, lies within -1 and 1, and changes sign with the arms."""
    there, back = difference(a, b), difference(b, a)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert -1.0 <= there.low <= there.difference <= there.high <= 1.0


def test_of_too_few_nothing_is_said() -> None:
    """Under a hundred customers in either arm there is no number that could mislead."""
    assert uplift(Arm(ENOUGH - 1, 50), Arm(ENOUGH, 50)) is None
    assert uplift(Arm(ENOUGH, 50), Arm(ENOUGH - 1, 50)) is None
    assert uplift(Arm(ENOUGH, 50), Arm(ENOUGH, 50)) is not None


def test_it_is_said_in_words() -> None:
    """What was counted, the difference with its interval, and whether that leaves out no effect at all."""
    assert words(Arm(100, 30), Arm(200, 20), "OrderPlaced", 30) == (
        "30.0 % of 100 told and 10.0 % of 200 held out had OrderPlaced within 30 days: a difference of +20.0 "
        "points (95 % interval +10.5 to +30.2). The interval leaves out 0."
    )
    assert words(Arm(100, 10), Arm(100, 10), "OrderPlaced", 30).endswith("(95 % interval -8.7 to +8.7).")
    assert words(Arm(99, 30), Arm(200, 20), "OrderPlaced", 30).startswith("Not enough yet: 99 told and 200")
