"""How many units of each product will be asked for over the next weeks?
---
title = "Demand by product"
group = "prospecting"
chart = { kind = "line", x = "week", y = "units", series = "product" }
[parameters]
top = { kind = "integer", default = 10, minimum = 1, maximum = 100, means = "Products with the most units in the latest 26 weeks that are over." }
weeks = { kind = "integer", default = 8, minimum = 1, maximum = 26, means = "So many weeks are forecast; the first is the one that is not over." }
interval = { kind = "number", default = 0.8, minimum = 0.5, maximum = 0.95, means = "Share of the values to come that low and high are to hold." }
[columns]
product = { unit = "text", means = "Product (stock keeping unit)." }
week = { unit = "date", means = "Monday of the week." }
units = { unit = "count", means = "By Holt-Winters' additive smoothing with a damped trend: weights on a grid, by the error one week ahead; never below 0; of at most 156 weeks. A season of 52 weeks where there is history for it." }
low = { unit = "count", means = "Lower end of the interval: units plus a low one of the errors that forecasts of this product as far ahead have made." }
high = { unit = "count", means = "Its upper end." }
method = { unit = "text", means = "What was done for this product, with the season." }
coverage = { unit = "share", means = "Back-tested on rolling origins: of the tested weeks of this product, those that lay within the intervals of what was known then." }
tested = { unit = "count", means = "So many values of the product were tested." }
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from history.forecasting import forecast, values_needed
from history.reporting import Ask, CannotAnswer

SEASON = 52

UNITS = """
SELECT sku, sumIf(bought, back <= 26) AS latest, groupArray(back) AS weeks_back, groupArray(bought) AS units, max(max(back)) OVER () AS longest
FROM (
    SELECT sku,
           dateDiff('week', toDate(placed_at, {timezone:String}), toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String})) AS back,
           sum(quantity) AS bought
    FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE NOT cancelled AND back BETWEEN 1 AND 156
    GROUP BY sku, back
)
GROUP BY sku
ORDER BY latest DESC, sku
LIMIT {top:UInt32}
"""


def report(
    ask: Ask, *, top: int, weeks: int, interval: float, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    found = ask(UNITS, top=top)
    names = ("product", "week", "units", "low", "high", "method", "coverage", "tested")
    if not found.num_rows:
        return {name: [] for name in names}
    seen = found.column("longest")[0].as_py()
    season = SEASON if seen >= values_needed(weeks, interval, SEASON) else 1
    if seen < (needed := values_needed(weeks, interval, season)):
        raise CannotAnswer(
            f"needs {needed} weeks that are over, from the first order on, to forecast and test {weeks}: "
            f"there are {seen}. Ask for fewer weeks."
        )
    values = np.zeros((found.num_rows, seen))
    for row, (back, units) in enumerate(zip(found.column("weeks_back"), found.column("units"), strict=True)):
        values[row, seen - np.array(back.as_py())] = units.as_py()
    told = forecast(values, weeks, season, interval)
    today = as_of.astimezone(ZoneInfo(timezone)).date()
    monday = today - timedelta(days=today.weekday())
    products = found.column("sku").to_pylist()
    seasonal = f", season of {season} weeks" if season > 1 else ", no season"
    return {
        "product": [product for product in products for _ in range(weeks)],
        "week": [monday + timedelta(weeks=week) for _ in products for week in range(weeks)],
        "units": told.mean.ravel().tolist(),
        "low": told.low.ravel().tolist(),
        "high": told.high.ravel().tolist(),
        "method": [f"Holt-Winters, additive, damped trend{seasonal}"] * len(products) * weeks,
        "coverage": np.repeat(told.coverage, weeks).tolist(),
        "tested": [told.tested] * len(products) * weeks,
    }
