"""Is what is expected of customers right for all of them together, and in the right order?"""

from random import Random

import numpy as np
import pytest
from msgspec.structs import astuple, replace

from projections import orders, parameters
from projections.parameters import Buying, Parameters, Valuation
from projections.scoring import value
from projections.scoring.value import History, ValueView
from schemas.codec import decode, encode
from schemas.events import OrderLine, ScoreBoundariesSet
from tests.unit.projections.histories import cancel, day, fold, order, refund

PAST_DAYS, FUTURE_DAYS = 250, 365
BUYING = Buying(r=0.7, alpha=45.0, a=0.9, b=1.2, scale=1.0, basket_minor=20_00.0)
KNOWN = Valuation(day(0), BUYING, (10_00.0, 50_00.0), 1_000, "USD", 0.0)


def lives(number: int, slowing: float = 1.0) -> tuple[list[History], np.ndarray]:
    """Customers as the model has them, and what each spent afterwards; below 1, orders come ever slower."""
    random, histories, spent = Random(1), [], []
    for _ in range(number):
        rate, drop = random.gammavariate(0.7, 1 / 30), random.betavariate(0.9, 2.5)
        basket, days, clock = random.lognormvariate(8, 0.5), [0], 0.0
        age = random.uniform(150, PAST_DAYS)
        while random.random() > drop:
            clock += random.expovariate(rate) + 1e-9
            if clock ** (1 / slowing) > age + FUTURE_DAYS:
                break
            days.append(int(clock ** (1 / slowing)))
        past = sorted({each for each in days if 0 < each <= age})
        histories.append(History(len(past), float(max(past, default=0)), age, tuple(past[-32:]), basket))
        spent.append(basket * len({each for each in days if each > age}))
    return histories, np.array(spent)


@pytest.mark.parametrize("slowing", [1.0, 0.8])
def test_all_together_spend_about_what_is_expected(slowing: float) -> None:
    """And who is expected to spend most, does: the first tenth far more than the last."""
    histories, spent = lives(6_000, slowing)
    buying = value.fit(histories)
    assert buying is not None
    expected = value.expected(buying, histories)
    assert expected.sum() == pytest.approx(spent.sum(), rel=0.2)
    ranked = spent[np.argsort(-expected)]
    assert ranked[:600].mean() > 10 * ranked[-600:].mean()


def test_the_likeliest_parameters_are_those_that_made_the_orders() -> None:
    """As far as 6,000 customers can tell."""
    buying = value.fit(lives(6_000)[0])
    assert buying is not None
    assert buying.r == pytest.approx(0.7, rel=0.2)
    assert buying.alpha == pytest.approx(30, rel=0.2)
    assert buying.a / (buying.a + buying.b) == pytest.approx(0.9 / 3.4, rel=0.2)


@pytest.mark.parametrize(
    "buying", [BUYING, replace(BUYING, r=40.0, a=50.0, b=0.01), replace(BUYING, a=0.001)]
)
@pytest.mark.parametrize(("repeats", "age"), [(0, 3.0), (3, 200.0), (1_000, 1_500.0)])
def test_expected_orders_are_those_of_the_model(buying: Buying, repeats: int, age: float) -> None:
    """As drawn from it, for who has just ordered: rates and drop-outs given what is known of the customer."""
    random = np.random.default_rng(1)
    rate = random.gamma(buying.r + repeats, 1 / (buying.alpha + age), 400_000)
    drop = np.maximum(random.beta(buying.a, buying.b + repeats + 1, 400_000), 1e-12)
    drawn = -np.expm1(-rate * drop * 365) / drop
    gone = buying.a / (buying.a + buying.b + repeats)  # after the last order
    found = value.expected_orders(buying, [History(repeats, age, age, (), 0.0)])[0]
    assert found == pytest.approx(drawn.mean() * (1 - gone), rel=0.02)


def expected(*histories: History) -> list[float]:
    return list(value.expected(BUYING, histories))


def test_who_ordered_lately_is_worth_more_than_who_did_long_ago() -> None:
    lately, long_ago = expected(
        History(5, 200.0, 210.0, (20, 60, 100, 150, 200), 20_00.0),
        History(5, 50.0, 210.0, (10, 20, 30, 40, 50), 20_00.0),
    )
    assert lately > 3 * long_ago


def test_one_basket_says_less_than_many() -> None:
    """The first is shrunk half the way to everybody's, the other hardly."""
    often = tuple(range(10, 100, 10))
    once, plain, many, usual = expected(
        History(0, 0.0, 100.0, (), 100_00.0),
        History(0, 0.0, 100.0, (), 20_00.0),
        History(9, 90.0, 100.0, often, 100_00.0),
        History(9, 90.0, 100.0, often, 20_00.0),
    )
    assert once / plain == pytest.approx(3.0, rel=1e-3)
    assert many / usual == pytest.approx((20 + 10 * 100) / (20 + 10 * 20), rel=1e-3)


def test_who_orders_every_day_for_years_is_expected_to_go_on() -> None:
    """The formulas hold for thousands of orders; and for who then stopped."""
    active, gone = expected(
        History(2_000, 2_000.0, 2_001.0, (), 20_00.0), History(2_000, 2_000.0, 2_400.0, (), 20_00.0)
    )
    assert active == pytest.approx(365 * 20_00, rel=0.1)
    assert gone == 0


def test_a_discount_takes_half_a_year_off() -> None:
    bought = [History(1, 50.0, 60.0, (50,), 20_00.0)]
    plain, discounted = (value.expected(BUYING, bought, rate)[0] for rate in (0.0, 0.21))
    assert discounted == pytest.approx(plain / 1.1, abs=1)


def test_a_history_is_read_from_the_orders() -> None:
    """Two orders of one day are one day; a cancelled one is none; the basket is a day's."""
    state = fold(
        orders,
        [order(day(0)), order(day(0)), order(day(10)), order(day(30), order_id="x"), cancel(day(31), "x")],
    )
    assert value.history(state, day(40), 90_00) == History(1, 10.0, 40.5, (10,), 45_00.0)
    assert value.history(state, day(40), None) is None
    assert value.history(orders.zero(), day(40), 0) is None


def test_more_orders_than_are_kept_still_count() -> None:
    """From the first that is kept on, it is known when they were."""
    found = value.history(fold(orders, [order(day(n)) for n in range(50)]), day(60), 500_00)
    assert found is not None
    assert (found.repeats, len(found.repeat_days), found.known_since) == (49, 32, 18)


def test_tiers_end_at_80_and_95_percent_of_the_value() -> None:
    values = np.array([400.0, 400.0, *[20.0] * 7, 15.0, 15.0, 10.0, 10.0, 10.0, -50.0])
    b, a = value.tier_boundaries(np.random.default_rng(1).permutation(values))
    assert (b, a) == (15.0, 400.0)
    known = replace(KNOWN, tiers=(b, a))
    assert [value.tier(each, known) for each in (400, 399, 15, 14)] == ["A", "B", "B", "C"]


@pytest.mark.parametrize("customers", [0, 99, 300])
def test_too_few_tell_nothing(customers: int) -> None:
    """Neither a handful of customers, nor many who never ordered again."""
    histories = [History(0, 0.0, 50.0, (), 20_00.0)] * customers
    assert value.fit(histories) is None
    assert value.valuation(histories, day(0), "USD", 0.0) is None


def test_a_population_too_young_to_tell_is_left_to_the_model() -> None:
    """Its orders are held to no fall with age, and are finite."""
    histories = [History(n % 3, float(n % 3), 20.0, tuple(range(1, 1 + n % 3)), 5_00.0) for n in range(150)]
    buying = value.fit(histories)
    assert buying is not None
    assert buying.scale == 1.0
    assert np.isfinite(value.expected(buying, histories)).all()


def test_before_anything_is_known_only_the_past_has_a_value() -> None:
    """A refund lowers it; an amount without a rate has none; a fit in another currency says nothing."""
    state = fold(orders, [order(day(0), 50_00, "x"), refund(day(1), 20_00, "x")])
    assert value.view(state, day(9), Parameters()) == ValueView(30_00, None, None, "USD")
    abroad = fold(orders, [order(day(0), 50_00, currency="EUR")])
    assert value.view(abroad, day(9), Parameters(valuation=KNOWN)) == ValueView(None, None, None, "USD")
    euro = Parameters(base_currency="EUR", rates={"USD/EUR": "0.5"}, valuation=KNOWN)
    assert value.view(state, day(9), euro) == ValueView(15_00, None, None, "EUR")
    nobody = value.view(orders.zero(), day(9), Parameters(valuation=KNOWN))
    assert nobody == ValueView(0, None, None, "USD")


def test_cost_lowers_what_came_in_and_what_is_expected() -> None:
    """By the share of the customer's own orders that it took, shrunk as the basket is."""
    plain = order(day(0), 50_00)
    line = OrderLine(sku="s", quantity=3, unit_price_minor=16_00, cost_minor=10_00)
    known = Parameters(valuation=KNOWN)
    before, after = (
        value.view(fold(orders, [each]), day(9), known) for each in (plain, replace(plain, lines=(line,)))
    )
    assert (before.historic_minor, after.historic_minor) == (50_00, 20_00)
    assert after.expected_minor == pytest.approx((before.expected_minor or 0) * (20 + 20) / (20 + 50), abs=1)


def test_a_customer_is_worth_what_the_parameters_in_force_say() -> None:
    """Those of the event, as they came over the wire."""
    told = ScoreBoundariesSet(
        event_id="00000000-0000-4000-8000-000000000000",
        occurred_at=day(0),
        received_at=day(0),
        target="value",
        as_of=day(0),
        percentiles=(),
        bands=KNOWN.tiers,
        customers=1_000,
        coefficients=astuple(BUYING),
        currency="USD",
    )
    known = parameters.evolve(Parameters(), decode(encode(told)))
    assert known == Parameters(valuation=KNOWN)
    assert parameters.evolve(known, replace(told, coefficients=())) == known  # nonsense changes nothing
    state = fold(orders, [order(day(0), 50_00), order(day(30), 70_00)])
    seen = value.view(state, day(40), known)
    bought = value.history(state, day(40), 120_00)
    assert bought is not None
    assert seen == ValueView(120_00, int(value.expected(BUYING, [bought])[0]), "A", "USD")
