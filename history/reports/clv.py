"""What have customers brought, and what will they bring in the next 365 days, by cohort or value tier?
---
title = "Customer lifetime value"
group = "profitability"
chart = { kind = "bar", x = "label", y = ["historic_each", "predicted_each"] }
[parameters]
by = { kind = "choice", choices = ["cohort", "tier"], default = "cohort", means = "Month of the first order; or fifth of the customers by net, 5 the highest." }
discount_rate = { kind = "number", default = 0, minimum = 0, maximum = 1, means = "A year's, by which what is predicted is discounted, as if all came in half a year." }
[columns]
label = { unit = "text", means = "The month, as 2026-01, or the tier." }
customers = { unit = "customers", means = "Customers with an order that has an exchange rate." }
orders = { unit = "orders", means = "Their orders, without cancelled ones." }
historic = { unit = "money", means = "What they paid so far, less refunds." }
historic_each = { unit = "money", means = "The mean of a customer." }
predicted = { unit = "money", means = "What they are expected to pay in the next 365 days: days with an order by MBG/NBD (Batislam, Denizel, Filiztekin 2007), held to the fall of orders with age, times the mean basket, as docs/models.md says under Value. Fitted on, and taken from, at most 10,000 customers drawn by a hash of their id. Null below 100 customers or 30 repeated orders." }
predicted_each = { unit = "money", means = "The mean of a customer." }
expected_order_days = { unit = "days", means = "Days with an order in the next 365, mean of a customer." }
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from history.reporting import Ask
from projections.scoring import value
from projections.scoring.value import History

SAMPLED = 10_000
Amounts = NDArray[np.int64]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CUSTOMERS = """
SELECT toYYYYMM(toDate(min(placed_at), {timezone:String})) AS cohort,
       count() AS orders,
       assumeNotNull(sum(base_minor)) AS net,
       arraySort(groupUniqArray(toInt32(toDate32(placed_at, {timezone:String})))) AS days,
       cityHash64(customer_id) AS lot
FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
WHERE NOT cancelled AND base_minor IS NOT NULL
GROUP BY customer_id
"""


def report(
    ask: Ask, *, by: str, discount_rate: float, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    found = ask(CUSTOMERS)
    orders, net = (found.column(name).to_numpy() for name in ("orders", "net"))
    groups, which = np.unique(
        found.column("cohort").to_numpy() if by == "cohort" else _tiers(net), return_inverse=True
    )
    customers = np.bincount(which)
    historic = _sums(which, net)
    drawn = np.argsort(found.column("lot").to_numpy(), kind="stable")[:SAMPLED]
    local = as_of.astimezone(ZoneInfo(timezone)).replace(tzinfo=UTC)
    histories = _histories(found.column("days").take(pa.array(drawn)), net[drawn], local)
    answer = {
        "label": [f"{group // 100}-{group % 100:02}" if by == "cohort" else str(group) for group in groups],
        "customers": customers.tolist(),
        "orders": _sums(which, orders).tolist(),
        "historic": historic.tolist(),
        "historic_each": _whole(historic / customers),
        **dict.fromkeys(("predicted", "predicted_each", "expected_order_days"), [None] * len(groups)),
    }
    buying = value.fit(histories)
    if buying is not None:
        asked = np.bincount(which[drawn], minlength=len(groups))
        each = _means(which[drawn], value.expected(buying, histories, discount_rate), asked)
        days = _means(which[drawn], value.expected_orders(buying, histories), asked)
        answer |= {
            "predicted": _whole(each * customers),
            "predicted_each": _whole(each),
            "expected_order_days": days,
        }
    return answer if by == "cohort" else {name: cells[::-1] for name, cells in answer.items()}


def _tiers(net: Amounts) -> NDArray[np.int64]:
    """1 and the number of the 20, 40, 60 and 80 percentiles (inverted CDF) below the value."""
    if not len(net):
        return np.array([], np.int64)
    limits = np.quantile(net, [0.2, 0.4, 0.6, 0.8], method="inverted_cdf")
    return 1 + np.searchsorted(limits, net, side="left")


def _sums(which: NDArray[np.int64], amounts: Amounts) -> Amounts:
    """Of each group; whole numbers, which a float would round."""
    sums = np.zeros(which.max(initial=-1) + 1, np.int64)
    np.add.at(sums, which, amounts.astype(np.int64))
    return sums


def _means(
    which: NDArray[np.int64], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of each group; NaN where nobody was drawn."""
    sums = np.bincount(which, weights=values, minlength=len(counts))
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def _whole(amounts: NDArray[np.float64]) -> list[int | None]:
    return [None if np.isnan(amount) else int(np.rint(amount)) for amount in amounts]


def _histories(days: pa.ChunkedArray, net: Amounts, local: datetime) -> list[History]:
    """What the model asks of each customer: their local days with an order, and the local time."""
    now = (local - EPOCH).total_seconds() / 86_400
    return [
        History(
            len(each) - 1,
            float(each[-1] - each[0]),
            now - each[0],
            tuple(day - each[0] for day in each[1:]),
            float(minor) / len(each),
        )
        for each, minor in zip(days.to_pylist(), net, strict=True)
    ]
