"""Are recency, frequency and monetary scored as the percentiles say?"""

import numpy as np
import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from projections import orders, rfm
from projections.parameters import Boundaries, Parameters, Rules
from projections.rfm import RfmView
from schemas.events import Event
from tests.unit.projections.histories import cancel, day, fold, order

KNOWN = Boundaries(0, (10, 20, 30, 40), (1, 1, 2, 4), (10_00, 20_00, 30_00, 40_00), "USD", 100)
PARAMETERS = Parameters(boundaries=KNOWN)


def view(events: list[Event], at: int = day(0), parameters: Parameters = PARAMETERS) -> RfmView:
    return rfm.view(fold(orders, events), at, parameters)


def test_nobody_scores_before_an_order() -> None:
    """A prospect has no recency and no score; a cancelled order is none."""
    assert view([]) == RfmView(None, 0, 0, None, None, None)
    assert view([order(day(0), order_id="o"), cancel(day(0), "o")]) == view([])


def test_values_come_before_boundaries_do() -> None:
    """Without boundaries there are values and no scores."""
    assert view([order(day(-3), 5_00)], parameters=Parameters()) == RfmView(3, 1, 5_00, None, None, None)


@pytest.mark.parametrize(("days", "r"), [(0, 5), (10, 5), (11, 4), (20, 4), (40, 2), (41, 1), (999, 1)])
def test_r_is_five_less_the_boundaries_strictly_below_the_recency(days: int, r: int) -> None:
    """A recency on a boundary keeps the better score."""
    assert view([order(day(-days))]).r == r


@pytest.mark.parametrize(("count", "f"), [(1, 1), (2, 3), (3, 4), (4, 4), (5, 5)])
def test_ties_leave_a_frequency_score_empty(count: int, f: int) -> None:
    """With two boundaries at 1, nobody scores 2."""
    assert view([order(day(0))] * count).f == f


@pytest.mark.parametrize(("amount", "m"), [(0, 1), (10_00, 1), (10_01, 2), (40_00, 4), (40_01, 5)])
def test_m_is_one_more_than_the_boundaries_strictly_below_the_spend(amount: int, m: int) -> None:
    """A spend on a boundary keeps the lower score."""
    assert view([order(day(0), amount)]).m == m


def test_monetary_is_null_if_nothing_can_be_converted() -> None:
    """Only currencies without a rate: no monetary value and no score for it."""
    seen = view([order(day(0), 5_00, currency="EUR")])
    assert (seen.frequency, seen.monetary_minor, seen.m, seen.f) == (1, None, None, 1)


def test_monetary_is_what_can_be_converted() -> None:
    """Beside a currency without a rate, the rest still counts."""
    assert view([order(day(0), 5_00, currency="EUR"), order(day(0), 30_00)]).monetary_minor == 30_00


def test_the_window_bounds_frequency_and_monetary_but_not_recency() -> None:
    """An order 30 days ago is out of a window of 30 days; its recency stays."""
    parameters = Parameters(rules=Rules(rfm_window_days=30))
    events = [order(day(-30), 5_00), order(day(-40), 7_00)]
    assert view(events, day(0) - 1, parameters) == RfmView(29, 1, 5_00, None, None, None)
    assert view(events, day(0), parameters) == RfmView(30, 0, 0, None, None, None)


def test_boundaries_of_another_window_or_currency_score_nothing() -> None:
    """f and m wait for boundaries of the window in force, m for those in the base currency."""
    other_window = Parameters(boundaries=KNOWN, rules=Rules(rfm_window_days=30))
    other_money = Parameters(boundaries=KNOWN, base_currency="EUR", rates={"USD/EUR": "1"})
    seen, paid = view([order(day(0))], parameters=other_window), view([order(day(0))], parameters=other_money)
    assert (seen.r, seen.f, seen.m) == (5, None, None)
    assert (paid.r, paid.f, paid.m) == (5, 1, None)


def test_boundaries_are_over_the_customers_with_an_order() -> None:
    """Prospects are left out, and so are amounts that cannot be converted."""
    views = [view([order(day(-n), n * 1_00)]) for n in range(1, 11)]
    views += [view([]), view([order(day(-1), 9_00, currency="EUR")])]
    assert rfm.boundaries(views, day(0), Parameters()) == Boundaries(
        as_of=day(0),
        r=(2, 4, 6, 8),
        f=(1, 1, 1, 1),
        m_minor=(2_00, 4_00, 6_00, 8_00),
        currency="USD",
        customers=11,
    )


def test_without_customers_there_are_no_boundaries() -> None:
    """Nobody with an order: nothing to set."""
    assert rfm.boundaries([view([])], day(0), Parameters()) is None


@generated(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60))
def test_percentiles_are_numpys_inverted_cdf(values: list[int]) -> None:
    """The same four numbers as numpy.percentile(method="inverted_cdf")."""
    expected = np.percentile(values, [20, 40, 60, 80], method="inverted_cdf")
    assert rfm.percentiles(values) == tuple(int(value) for value in expected)
