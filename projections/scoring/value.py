"""What is a customer worth: so far, and in the twelve months to come?

The expected orders are those of MBG/NBD (Batislam, Denizel, Filiztekin 2007): who buys does so at a rate of
their own, and may drop out after any order, the first one too. It ranks customers well, and where it has not
seen the end of the dropping out it takes it for endless. So where the orders of all customers together
fall with their age, the sum is held to that fall, a power of the age. Times the customer's mean basket,
shrunk to everybody's. docs/models.md says by what this was chosen, and how good it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, hyp2f1

from projections import money, orders
from projections.orders import Orders
from projections.parameters import Buying, Parameters, Valuation
from projections.times import DAY_MS

YEAR_DAYS = 365
TIERS = (0.95, 0.8)  # shares of the expected value of all: tier B ends at the one, A at the other
BASKET_ORDERS = 1.0  # so many orders of everybody's basket are added to the customer's own
CUSTOMERS_AT_LEAST = 100
ORDERS_AT_LEAST = 30  # after the first, of all customers; and in a bin of ages
BIN_DAYS = 14
BINS_AT_LEAST = 3
SLOWEST = -0.99  # of the exponents: at -1 the sum no longer grows as a power
STARTS = ((-0.4, 3.0, -0.2, 0.3), (-1.0, 2.0, -1.0, 0.0))  # of the search, in logarithms
BOUNDS = ((-8.0, 4.0), (-8.0, 8.0), (-8.0, 4.0), (-8.0, 4.0))  # beyond, all are alike and numbers overflow

Floats = NDArray[np.float64]


class History(NamedTuple):
    """What the model needs of one customer with an order. Orders of one day (UTC) are one."""

    repeats: int  # days with an order, after the first such day
    last_day: float  # from the first to the last
    age_days: float  # from the first to now
    repeat_days: tuple[int, ...]  # those of the latest 32 orders, counted from the first
    basket_minor: float  # mean contribution of a day with an order

    @property
    def known_since(self) -> int:
        """From the day on, counted from the first order, of which each order is known."""
        return self.repeat_days[0] if self.repeats > len(self.repeat_days) > 0 else 0


class ValueView(Struct, frozen=True, gc=False):
    """Minor units of `currency`. None: no amount can be converted, no order yet, or nothing fitted yet."""

    historic_minor: int | None
    expected_minor: int | None
    tier: str | None
    currency: str


def view(state: Orders, as_of: int, parameters: Parameters) -> ValueView:
    """What came in so far, and what is expected of the 365 days after `as_of` (ms)."""
    currency, known = parameters.base_currency, parameters.valuation
    historic_minor = contribution_minor(state, parameters)
    bought = history(state, as_of, historic_minor)
    if bought is None or known is None or known.currency != currency:
        return ValueView(historic_minor, None, None, currency)
    expected_minor = int(expected(known.buying, [bought], known.discount_rate)[0])
    return ValueView(historic_minor, expected_minor, tier(expected_minor, known), currency)


def contribution_minor(state: Orders, parameters: Parameters) -> int | None:
    """Net less cost, where known, in the base currency; None where no amount can be converted."""
    brought = money.converted(orders.contribution(state), parameters)
    return None if brought.nothing_left else brought.minor


def history(state: Orders, as_of: int, contribution_minor: int | None) -> History | None:
    """None before an order, and without a contribution."""
    when, kept = orders.moments(state), orders.kept(state)
    if when.first_at is None or when.last_at is None or not kept or contribution_minor is None:
        return None
    first = when.first_at // DAY_MS
    days = sorted({order[0] // DAY_MS - first for order in kept})
    repeats = len(days) + when.count - len(kept) - 1  # each order beyond the latest 32 has a day of its own
    return History(
        repeats,
        float(when.last_at // DAY_MS - first),
        max(0.0, as_of / DAY_MS - first),
        tuple(day for day in days if day),
        contribution_minor / (repeats + 1),
    )


def fit(histories: Sequence[History], days: int = YEAR_DAYS) -> Buying | None:
    """The population's parameters, by maximum likelihood; None where it is too small to tell.

    The fall with age is that of the next `days`.
    """
    x, last, age, basket = _columns(histories)
    if len(x) < CUSTOMERS_AT_LEAST or x.sum() < ORDERS_AT_LEAST:
        return None
    distinct, weights = np.unique(np.stack([x, last, age], axis=1), axis=0, return_counts=True)

    def loss(logs: Floats) -> float:
        return -float((_log_likelihood(np.exp(logs), *distinct.T) * weights).sum() / weights.sum())

    tried = (minimize(loss, start, method="L-BFGS-B", bounds=BOUNDS) for start in STARTS)
    r, alpha, a, b = map(float, np.exp(min(tried, key=lambda each: each.fun).x))
    everybodys = float((basket * (x + 1)).sum() / (x + 1).sum())
    alone = Buying(r, alpha, a, b, 1.0, everybodys)
    scale = _expected_by_age(histories, days) / float(expected_orders(alone, histories, days).sum())
    return replace(alone, scale=scale) if np.isfinite(scale) else alone


def expected(buying: Buying, histories: Sequence[History], discount_rate: float = 0.0) -> Floats:
    """What each customer is expected to bring in the next 365 days, in whole minor units.

    `discount_rate` is a year's. What comes in is taken to come in the middle of the year.
    """
    x, _, _, basket = _columns(histories)
    shrunk = (BASKET_ORDERS * buying.basket_minor + (x + 1) * basket) / (BASKET_ORDERS + x + 1)
    whole: Floats = np.rint(expected_orders(buying, histories) * shrunk / (1 + discount_rate) ** 0.5)
    return whole


def expected_orders(buying: Buying, histories: Sequence[History], days: int = YEAR_DAYS) -> Floats:
    """Days with an order among the next `days`: the paper's conditional expectation, times the scale.

    Its hypergeometric function in Euler's other form, which is stable for who ordered a thousand times.
    """
    x, last, age, _ = _columns(histories)
    r, alpha, a, b = buying.r, buying.alpha, buying.a, buying.b
    until = alpha + age + days
    series = hyp2f1(a + b - r, a - 1, a + b + x, days / until)
    if_active = (a + b + x) / (a - 1) * (1 - ((alpha + age) / until) ** (a - 1) * series)
    odds_of_gone = np.log(a / (b + x)) + (r + x) * np.log((alpha + age) / (alpha + last))
    found: Floats = buying.scale * if_active * expit(-odds_of_gone)
    return found


def valuation(
    histories: Sequence[History], as_of: int, currency: str, discount_rate: float
) -> Valuation | None:
    """The parameters and the tiers of a population as of a moment (ms); None where it is too small."""
    buying = fit(histories)
    if buying is None:
        return None
    tiers = tier_boundaries(expected(buying, histories, discount_rate))
    return Valuation(as_of, buying, tiers, len(histories), currency, discount_rate)


def tier_boundaries(values: Floats) -> tuple[float, float]:
    """The least values of tier B, whose customers bring 95 % of all with A's, and of A, who bring 80 %."""
    ordered = np.sort(values)[::-1]
    cumulative = np.cumsum(np.maximum(ordered, 0.0))
    b, a = ordered[np.searchsorted(cumulative, np.array(TIERS) * cumulative[-1])]
    return float(b), float(a)


def tier(expected_minor: int, known: Valuation) -> str:
    b, a = known.tiers
    return "A" if expected_minor >= a else "B" if expected_minor >= b else "C"


def _columns(histories: Sequence[History]) -> tuple[Floats, Floats, Floats, Floats]:
    table = [(each.repeats, each.last_day, each.age_days, each.basket_minor) for each in histories]
    x, last, age, basket = np.array(table, np.float64).reshape(len(table), 4).T
    return x, last, age, basket


def _log_likelihood(parameters: Floats, x: Floats, last: Floats, age: Floats) -> Floats:
    """Of each history (the paper's equation 9)."""
    r, alpha, a, b = parameters
    buys = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    active = betaln(a, b + x + 1) - (r + x) * np.log(alpha + age)
    gone = betaln(a + 1, b + x) - (r + x) * np.log(alpha + last)
    likelihood: Floats = buys + np.logaddexp(active, gone)
    return likelihood


def _expected_by_age(histories: Sequence[History], days_ahead: int) -> float:
    """The orders of all in so many days, by how their rate falls with age; NaN where it doesn't.

    A line through the logarithms of rate and age, in bins of two weeks, which count the same: what comes
    follows from the last ones, not from the many orders of the first. The first two weeks are left out, being
    unlike the others. Whose orders go back farther than the latest 32 counts from the first of these on.
    """
    ages = np.array([each.age_days for each in histories])
    since = np.array([each.known_since for each in histories])
    days = np.array([day for each in histories for day in each.repeat_days], np.float64)
    whose = np.repeat(np.arange(len(histories)), [len(each.repeat_days) for each in histories])
    bins = []
    for start in np.arange(1 + BIN_DAYS, ages.max() - BIN_DAYS + 1, BIN_DAYS):
        counts = (ages >= start + BIN_DAYS) & (since <= start)
        found = int(((days >= start) & (days < start + BIN_DAYS) & counts[whose]).sum())
        if found >= ORDERS_AT_LEAST:
            bins.append((start + BIN_DAYS / 2, found / (BIN_DAYS * int(counts.sum()))))
    if len(bins) < BINS_AT_LEAST:
        return float("nan")
    log_ages, log_rates = np.log(np.array(bins).T)
    exponent, level = np.polyfit(log_ages, log_rates, 1)
    if exponent >= 0:
        return float("nan")
    power = max(float(exponent), SLOWEST) + 1
    grown = (ages + days_ahead) ** power - np.maximum(ages, 1.0) ** power
    return float(np.exp(level) / power * grown.sum())
