"""What would people use instead? Each gives a score a row, the higher the likelier the positive class."""

import warnings
from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter
from lifetimes.utils import summary_data_from_transaction_data
from numpy.typing import NDArray

from bench.models.datasets import Dataset
from bench.models.examples import Row
from projections.scoring.features import NAMES, Values
from projections.scoring.prequential import Example
from projections.scoring.target import Target, not_ordered
from schemas.events import OrderPlaced

Scores = NDArray[np.float64]


def likelier_if_it_orders(target: Target) -> int:
    """1 where who orders is the positive class, -1 where it is the negative one."""
    return -1 if target.happened is not_ordered else 1


def column(rows: Sequence[Row], name: str, missing: float) -> Scores:
    place = NAMES.index(name)
    values = [row.values[place] for row in rows]
    return np.array([missing if value is None else value for value in values], np.float64)


def recency(rows: Sequence[Row], target: Target) -> Scores:
    return -likelier_if_it_orders(target) * column(rows, "recency_days", 10_000.0)


def frequency(rows: Sequence[Row], target: Target) -> Scores:
    return likelier_if_it_orders(target) * column(rows, "orders", 0.0)


def redemption_rate(rows: Sequence[Row], target: Target) -> Scores:  # noqa: ARG001
    """The customer's own, of the latest 16 sends."""
    return column(rows, "redeemed_share", 0.0)


def bg_nbd(dataset: Dataset, rows: Sequence[Row], target: Target, cut: int) -> Scores:
    """Expected orders within the horizon (Fader, Hardie, Lee 2005), fitted on the orders up to the cut."""
    bought = [
        (customer_id, event.occurred_at)
        for customer_id, history in dataset.by_customer.items()
        for event in history
        if isinstance(event, OrderPlaced) and event.occurred_at <= cut
    ]
    orders = pd.DataFrame(bought, columns=["customer", "at"])
    orders["at"] = pd.to_datetime(orders["at"], unit="ms")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = summary_data_from_transaction_data(
            orders, "customer", "at", observation_period_end=pd.Timestamp(cut, unit="ms")
        )
        fitted = BetaGeoFitter(penalizer_coef=0.001)
        fitted.fit(summary["frequency"], summary["recency"], summary["T"])
        known = summary.loc[[row.customer_id for row in rows]]
        expected = fitted.conditional_expected_number_of_purchases_up_to_time(
            target.horizon_days, known["frequency"], known["recency"], known["T"]
        )
    return likelier_if_it_orders(target) * expected.to_numpy(np.float64)


def matrix(values: Sequence[Values]) -> NDArray[np.float64]:
    return np.array([[np.nan if v is None else v for v in each] for each in values], np.float64)


def offline(examples: Sequence[Example], rows: Sequence[Row]) -> Scores:
    """LightGBM on the same features and the same examples, all at once: the practical ceiling."""
    labels = np.array([each.label for each in examples], np.float64)
    data = lightgbm.Dataset(matrix([each.values for each in examples]), labels)
    settings: dict[str, Any] = {
        "objective": "binary",
        "learning_rate": 0.03,
        "num_leaves": 15,
        "min_data_in_leaf": 100,
        "deterministic": True,
        "num_threads": 1,
        "seed": 1,
        "verbose": -1,
    }
    model = lightgbm.train(settings, data, num_boost_round=300)
    probabilities: Scores = model.predict(matrix([row.values for row in rows]))
    return probabilities
