"""What can an expression say of a customer, and what does it say where it has no answer?"""

from collections.abc import Sequence

import pytest

from projections import customer
from projections.parameters import Parameters
from projections.triggers.expressions import MAX_LENGTH, BadExpression, Failed, compiled
from projections.triggers.facts import NAMES, Facts
from schemas.events import Event, TraitsUpdated
from tests.unit.projections.histories import common, day, order

NOW = day(100)


def facts(*events: Event, segments: Sequence[str] = ()) -> Facts:
    state = customer.zero()
    for event in events:
        state = customer.evolve(state, event)
    return Facts("ada", customer.pack(state), NOW, Parameters(), {"churn": (0.8, "high")}, segments)


TIER = TraitsUpdated(**common(day(41)), traits={"tier": "gold"})
ADA = facts(order(day(10), 1250), order(day(40), 750), TIER, segments=("vip",))


@pytest.mark.parametrize(
    "source",
    [
        "customer_id == 'ada'",
        "orders.count == 2 && orders.net == 20.0 && orders.currency == 'USD'",
        "orders.last_at < now && now - orders.last_at >= duration('1440h')",
        "lifecycle.stage == 'active' && lifecycle.silence_days == 60",
        "rfm.frequency == 2 && rfm.recency_days == 60 && rfm.monetary == 20.0 && rfm.r == null",
        "traits.tier == 'gold' && !has(traits.age)",
        "scores.churn.band == 'high' && scores.churn.probability > 0.5",
        "'vip' in segments",
        "engagement.events.OrderPlaced == 2",
        "service.tickets == 0 && feedback.reviews == 0 && campaigns.open_rate == null",
        "consents == {}",
        "[1, 2].exists(x, x == orders.count)",
    ],
)
def test_an_expression_reads_what_the_projections_say(source: str) -> None:
    """Each variable, as docs/triggers.md names it."""
    assert compiled(source).holds(ADA)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("traits.age > 3", "traits.age > 3: no key 'age'"),
        ("orders.count", "the answer is 2, neither true nor false"),
        ("orders.mean_gap_days > 'a'", "orders.mean_gap_days > 'a': "),
        ("int(traits.tier) > 3", "int"),
        ("orders.count / 0 > 1", "orders.count / 0 > 1: "),
    ],
)
def test_where_there_is_no_answer_it_says_why(source: str, why: str) -> None:
    """A failure names the expression and the reason."""
    with pytest.raises(Failed) as failed:
        compiled(source).holds(ADA)
    assert why in str(failed.value)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("1 +", "is no CEL expression"),
        ("nope > 1", "'nope' is not known of a customer: use campaigns"),
        ("open('/etc/passwd') == ''", "'open' is no function"),
        (".".join(["[1]", *["map(x, x)"] * 4]) + " == []", "goes through 4 lists"),
        ("'x'" + " + 'x'" * MAX_LENGTH, "characters: write at most"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused(source: str, why: str) -> None:
    """Before it is in force."""
    with pytest.raises(BadExpression) as bad:
        compiled(source)
    assert why in str(bad.value)


def test_what_reads_time_or_scores_is_known() -> None:
    """By the variables that it names."""
    assert compiled("lifecycle.silence_days > 3").reads_time
    assert compiled("now > orders.last_at").reads_time
    assert not compiled("orders.count > 3 && traits.now == 'rfm'").reads_time
    assert compiled("scores.churn.band == 'high'").reads_scores
    assert not compiled("orders.count > 3").reads_scores


def test_every_variable_has_a_value_for_a_customer_of_whom_nothing_is_known() -> None:
    """No variable fails by itself."""
    nobody = Facts("x", customer.Packed(), 0, Parameters(), {}, ())
    assert nobody.variables(NAMES).keys() == NAMES.keys()
