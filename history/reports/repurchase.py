"""How likely has a customer ordered again so many days after an order, also if some had little time yet?
---
title = "Repurchase over time (Kaplan-Meier)"
group = "persistency"
chart = { kind = "line", x = "days", y = ["share", "low", "high"] }
[parameters]
after_order = { kind = "integer", default = 1, minimum = 1, maximum = 1000, means = "After which order of a customer: 1 is the first." }
max_days = { kind = "integer", default = 365, minimum = 1, maximum = 3650, means = "How many days to follow the customers." }
confidence = { kind = "number", default = 0.95, minimum = 0.5, maximum = 0.999, means = "How sure the interval is, 0 to 1." }
[columns]
days = { unit = "days", means = "Whole days since the order; cancelled orders never happened." }
waiting = { unit = "customers", means = "Customers who had not ordered again by then and were watched so long: the rest had ordered, or as_of came first." }
repurchases = { unit = "customers", means = "Those of them who ordered again on that day." }
share = { unit = "share", means = "Who had ordered again by the end of that day, 0 to 1: one less the Kaplan-Meier estimate, in which who is still waiting at as_of counts as long as that; null once nobody was watched so long. Where it passes 0.5 is the median interval." }
low = { unit = "share", means = "Lower end of its interval (log-log, with Greenwood's variance); null before the first repurchase, and where the share is 1." }
high = { unit = "share", means = "Upper end of its interval." }
"""

import warnings
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from scipy import stats

from history.reporting import Ask, CannotAnswer

WAITS = """
SELECT
    intDiv(until - since, 86400000) AS days,
    countIf(again) AS repurchases,
    countIf(NOT again) AS censored
FROM (
    SELECT
        arraySort(groupArray(toUnixTimestamp64Milli(placed_at))) AS times,
        times[{after_order:UInt32}] AS since,
        length(times) > {after_order:UInt32} AS again,
        if(again, times[{after_order:UInt32} + 1], toUnixTimestamp64Milli({as_of:DateTime64(3, 'UTC')})) AS until
    FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE NOT cancelled
    GROUP BY customer_id
    HAVING length(times) >= {after_order:UInt32}
)
GROUP BY days
ORDER BY days
"""


def report(
    ask: Ask, *, after_order: int, max_days: int, confidence: float, **_: object
) -> Mapping[str, Sequence[object]]:
    waits = ask(WAITS, after_order=after_order)
    if waits.num_rows == 0:
        raise CannotAnswer(f"needs a customer with order number {after_order}: there is none.")
    days, again, censored = (waits.column(name).to_numpy().astype(np.int64) for name in waits.column_names)
    sample = stats.CensoredData(uncensored=np.repeat(days, again), right=np.repeat(days, censored))
    survival = stats.ecdf(sample).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of places that have no interval
        interval = survival.confidence_interval(confidence, method="log-log")
    asked = np.arange(max_days + 1)
    share = 1 - survival.evaluate(asked)
    seen = asked <= days[-1]
    waiting = np.array([(again + censored)[days >= day].sum() for day in asked])
    repurchases = np.zeros(max_days + 1, dtype=np.int64)
    within = days <= max_days
    repurchases[days[within]] = again[within]
    return {
        "days": asked.tolist(),
        "waiting": waiting.tolist(),
        "repurchases": repurchases.tolist(),
        "share": _known(share, seen),
        "low": _known(1 - interval.high.evaluate(asked), seen & (share > 0)),
        "high": _known(1 - interval.low.evaluate(asked), seen & (share > 0)),
    }


def _known(values: np.ndarray, seen: np.ndarray) -> list[float | None]:
    return [
        float(value) if known and isfinite(value) else None for value, known in zip(values, seen, strict=True)
    ]
