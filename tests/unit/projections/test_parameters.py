"""Are the parameters in force those that the log told last?"""

from decimal import Decimal

import pytest

from projections import parameters
from projections.parameters import Boundaries, Parameters, Rules
from schemas.events import BaseCurrencySet, Event, ExchangeRateSet, LifecycleRulesSet, RfmBoundariesSet
from tests.unit.projections.histories import day, order

OWN = {"event_id": "e", "occurred_at": day(0), "received_at": day(0)}


def after(*events: Event) -> Parameters:
    known = Parameters()
    for event in events:
        known = parameters.evolve(known, event)
    return known


def test_the_defaults_are_the_rules_of_the_contract() -> None:
    """An event with nothing but a version tells the same rules as no event."""
    assert after().rules == Rules("default", 60, 90, 180, 365, 180, False, 60, None)
    assert after(LifecycleRulesSet(**OWN, version="default")) == after()


def test_the_rules_told_last_are_in_force() -> None:
    """Each rule event replaces all rules."""
    told = after(
        LifecycleRulesSet(**OWN, version="a", new_days=7, rhythm=True),
        LifecycleRulesSet(**OWN, version="b", active_days=8, rfm_window_days=30),
    )
    assert told.rules == Rules(version="b", active_days=8, rfm_window_days=30)


def test_boundaries_are_taken_whole() -> None:
    """Every field of the event is kept."""
    told = after(
        RfmBoundariesSet(
            **OWN, as_of=5, r=(1, 2, 3, 4), f=(1,), m_minor=(9,), currency="EUR", customers=3, window_days=7
        )
    )
    assert told.boundaries == Boundaries(5, (1, 2, 3, 4), (1,), (9,), "EUR", 3, 7)


def test_a_rate_belongs_to_its_base_currency() -> None:
    """It may be told before the base currency that it is for."""
    told = after(
        ExchangeRateSet(**OWN, currency="USD", base_currency="EUR", rate="0.9"),
        BaseCurrencySet(**OWN, currency="EUR"),
    )
    assert (told.rate("USD"), told.rate("GBP")) == (Decimal("0.9"), None)
    assert after().rate("USD") is None


@pytest.mark.parametrize("rate", ["", "abc", "0", "-1", "NaN", "Infinity", "1e-99", "1e99"])
def test_a_rate_that_is_none_changes_nothing(rate: str) -> None:
    """A fold never fails: nonsense leaves the rate in force."""
    assert after(ExchangeRateSet(**OWN, currency="EUR", base_currency="USD", rate=rate)) == after()


def test_an_event_of_a_customer_is_no_parameter() -> None:
    """Orders change no parameter."""
    assert after(order(day(0))) == Parameters()
