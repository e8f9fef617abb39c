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

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from history.reporting import Ask
from projections.scoring import value
from projections.scoring.value import History

SAMPLED = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GROUPS = {
    "cohort": "toYYYYMM(toDate(first_at, {timezone:String}))",
    # 1 and the number of the 20, 40, 60 and 80 percentiles (inverted CDF) below the value
    "tier": "1 + arrayCount(fifths -> below >= intDiv(fifths * everybody + 4, 5), [1, 2, 3, 4])",
}
CUSTOMERS = f"""
SELECT @group AS label, count() AS customers, sum(orders) AS placed,
       accurateCastOrNull(sum(toInt128(net)), 'Int64') AS historic, sum(toInt128(net)) / count() AS historic_each,
       groupArrayIf(net, is_drawn) AS nets, groupArrayIf(days, is_drawn) AS histories
FROM (
    SELECT first_at, orders, net, row_number() OVER (ORDER BY lot) <= {SAMPLED} AS is_drawn, if(is_drawn, bought, []) AS days,
           rank() OVER (ORDER BY net) - 1 AS below, count() OVER () AS everybody
    FROM (
        SELECT min(placed_at) AS first_at, count() AS orders,
               assumeNotNull(accurateCastOrNull(sum(toInt128(base_minor)) AS brought, 'Int64')) AS net,
               arraySort(groupUniqArray(toInt32(toDate32(placed_at, {{timezone:String}})))) AS bought,
               (cityHash64(customer_id), customer_id) AS lot
        FROM orders_at(as_of = {{as_of:DateTime64(3, 'UTC')}})
        WHERE NOT cancelled AND base_minor IS NOT NULL
        GROUP BY customer_id
        HAVING brought <= 9223372036854775807
    )
)
GROUP BY label
ORDER BY label
"""


def report(
    ask: Ask, *, by: str, discount_rate: float, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    found = ask(CUSTOMERS.replace("@group", GROUPS[by]))
    groups = found.column("label").to_pylist()
    customers = found.column("customers").to_numpy()
    nets = [each.values.to_numpy() for each in found.column("nets")]
    which = np.repeat(np.arange(len(groups)), [len(each) for each in nets])
    local = as_of.astimezone(ZoneInfo(timezone)).replace(tzinfo=UTC)
    histories = _histories(
        chain.from_iterable(found.column("histories").to_pylist()), chain.from_iterable(nets), local
    )
    answer = {
        "label": [f"{group // 100}-{group % 100:02}" if by == "cohort" else str(group) for group in groups],
        "customers": customers.tolist(),
        "orders": found.column("placed").to_pylist(),
        "historic": found.column("historic").to_pylist(),
        "historic_each": _whole(found.column("historic_each").to_numpy()),
        **dict.fromkeys(("predicted", "predicted_each", "expected_order_days"), [None] * len(groups)),
    }
    buying = value.fit(histories)
    if buying is not None:
        asked = np.bincount(which, minlength=len(groups))
        each = _means(which, value.expected(buying, histories, discount_rate), asked)
        days = _means(which, value.expected_orders(buying, histories), asked)
        answer |= {
            "predicted": _whole(each * customers),
            "predicted_each": _whole(each),
            "expected_order_days": days,
        }
    return answer if by == "cohort" else {name: cells[::-1] for name, cells in answer.items()}


def _means(
    which: NDArray[np.int64], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of each group; NaN where nobody was drawn."""
    sums = np.bincount(which, weights=values, minlength=len(counts))
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def _whole(amounts: NDArray[np.float64]) -> list[int | None]:
    """None where it is not known or 64 bits do not hold it."""
    return [round(amount) if abs(amount) < 2**63 else None for amount in amounts.tolist()]


def _histories(days: Iterable[list[int]], nets: Iterable[int], local: datetime) -> list[History]:
    """What the model asks of each customer: their local days with an order, and the local time."""
    now = (local - EPOCH).total_seconds() / 86_400
    return [
        History(
            len(each) - 1,
            float(each[-1] - each[0]),
            now - each[0],
            tuple(day - each[0] for day in each[1:]),
            float(net) / len(each),
        )
        for each, net in zip(days, nets, strict=True)
    ]
