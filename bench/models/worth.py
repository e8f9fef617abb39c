"""Is the expected 12-month value right? CDNOW as of 1997-06-30, over the 365 days that followed.

The model was chosen by what it said of the orders up to that day, as of earlier ones.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
from msgspec.structs import replace
from numpy.typing import NDArray

from bench.models.datasets import Dataset, cdnow, ms
from bench.report import Row
from projections import orders
from projections.parameters import Parameters
from projections.scoring import value
from projections.scoring.value import YEAR_DAYS, History
from projections.times import DAY_MS
from schemas.events import OrderPlaced

CUT = "1997-06-30"  # at its end, as all days here
EARLIER = ("1997-02-28", "1997-03-31", "1997-04-30")  # up to the cut
OURS, ALONE = "ours", "MBG/NBD alone"
THEIRS = "BG/NBD with Gamma-Gamma"
MINOR = 100

Floats = NDArray[np.float64]


class Known(NamedTuple):
    """The customers with an order at a moment, and what they did in the `days` after it."""

    histories: list[History]
    days: int
    ordered: Floats  # days with an order
    spent: Floats  # dollars


class Worth(NamedTuple):
    known: Known
    expected: dict[str, Floats]  # dollars, of each customer
    in_tier_a: float  # share of the customers
    backtests: dict[str, dict[str, float]]  # by day and model: expected days with an order ÷ actual

    def share(self, name: str) -> float:
        """Expected of all, as a share of what they brought."""
        return float(self.expected[name].sum() / self.known.spent.sum())


def worth() -> Worth:
    dataset = cdnow()
    cut = _end_of(CUT)
    known = _known(dataset, cut, YEAR_DAYS)
    fitted = value.valuation(known.histories, cut, "USD", discount_rate=0.0)
    assert fitted is not None
    ours = value.expected(fitted.buying, known.histories)
    return Worth(
        known,
        {OURS: ours / MINOR, THEIRS: _bg_nbd_orders(known) * _gamma_gamma_baskets(known)},
        float((ours >= fitted.tiers[1]).mean()),
        {day: _backtest(_known(dataset, (at := _end_of(day)), (cut - at) // DAY_MS)) for day in EARLIER},
    )


def _end_of(day: str) -> int:
    return ms(day) + DAY_MS


def _known(dataset: Dataset, at: int, days: int) -> Known:
    histories, ordered, spent = [], [], []
    for bought in dataset.by_customer.values():
        state, after = orders.zero(), []
        for event in bought:
            assert isinstance(event, OrderPlaced)
            if event.occurred_at < at:
                state = orders.evolve(state, event)
            elif event.occurred_at < at + days * DAY_MS:
                after.append(event)
        known = value.history(state, at, value.contribution_minor(state, Parameters()))
        if known is not None:
            histories.append(known)
            ordered.append(len({event.occurred_at // DAY_MS for event in after}))
            spent.append(sum(event.amount_minor for event in after) / MINOR)
    return Known(histories, days, np.array(ordered, np.float64), np.array(spent, np.float64))


def _backtest(known: Known) -> dict[str, float]:
    buying = value.fit(known.histories, known.days)
    assert buying is not None
    expected = {
        OURS: value.expected_orders(buying, known.histories, known.days),
        ALONE: value.expected_orders(replace(buying, scale=1.0), known.histories, known.days),
        THEIRS: _bg_nbd_orders(known),
    }
    return {name: float(each.sum() / known.ordered.sum()) for name, each in expected.items()}


def _bg_nbd_orders(known: Known) -> Floats:
    """Fader, Hardie, Lee 2005."""
    table = _table(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buying = BetaGeoFitter()
        buying.fit(table["x"], table["last"], table["age"])
        expected: pd.Series = buying.conditional_expected_number_of_purchases_up_to_time(
            known.days, table["x"], table["last"], table["age"]
        )
    return expected.to_numpy(np.float64)


def _gamma_gamma_baskets(known: Known) -> Floats:
    """Fader, Hardie 2013, in dollars: the baskets of those who never came back are everybody's."""
    table = _table(known)
    again = table[(table["x"] > 0) & (table["basket"] > 0)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spending = GammaGammaFitter()
        spending.fit(again["x"], again["basket"])
        profit: pd.Series = spending.conditional_expected_average_profit(table["x"], table["basket"])
    return profit.to_numpy(np.float64)


def _table(known: Known) -> pd.DataFrame:
    rows = [(*each[:3], each.basket_minor / MINOR) for each in known.histories]
    return pd.DataFrame(rows, columns=["x", "last", "age", "basket"])


def bars(found: Worth) -> list[Row]:
    bar, share = "CDNOW, expected 12-month value of all ÷ actual", found.share(OURS)
    return [Row(bar, 0.8, share, "×"), Row(bar, 1.2, share, "×", "at most")]


def written(found: Worth) -> str:
    """The totals, the deciles by what we expect, and the back-tests, in Markdown."""
    actual = found.known.spent
    lines = [
        f"#### CDNOW, value of the {found.known.days} days after {CUT}",
        f"{len(actual):,} customers, {found.in_tier_a:.0%} of them in tier A. Dollars.",
        "",
        "| | total | ÷ actual | mean absolute error |",
        "|---|---|---|---|",
        f"| actual | {actual.sum():,.0f} | | |",
    ]
    for name, expected in found.expected.items():
        error = np.abs(expected - actual).mean()
        lines.append(f"| {name} | {expected.sum():,.0f} | {found.share(name):.2f} | {error:.2f} |")
    lines += [
        "",
        f"| decile, by what we expect | actual | {' | '.join(found.expected)} |",
        "|---|---|---|---|",
    ]
    by_ours = np.array_split(np.argsort(-found.expected[OURS], kind="stable"), 10)
    for number, customers in enumerate(by_ours, 1):
        means = (each[customers].mean() for each in (actual, *found.expected.values()))
        lines.append(f"| {number} | {' | '.join(f'{mean:,.2f}' for mean in means)} |")
    lines += ["", f"Days with an order up to {CUT}, ÷ actual:", ""]
    lines += [f"| as of | {OURS} | {ALONE} | BG/NBD |", "|---|---|---|---|"]
    for day, shares in found.backtests.items():
        lines.append(f"| {day} | {' | '.join(f'{share:.2f}' for share in shares.values())} |")
    return "\n".join([*lines, "", ""])
