"""How much will come in over the next days, weeks or months?
---
title = "Sales forecast"
group = "prospecting"
chart = { kind = "line", x = "period", y = ["net", "forecast", "low", "high"] }
[parameters]
grain = { kind = "choice", choices = ["day", "week", "month"], default = "day", means = "Length of a period. The one that is not over is the first that is forecast." }
horizon = { kind = "integer", default = 30, minimum = 1, maximum = 90, means = "So many periods are forecast." }
interval = { kind = "number", default = 0.8, minimum = 0.5, maximum = 0.95, means = "Share of the values to come that low and high are to hold." }
past = { kind = "integer", default = 90, minimum = 0, maximum = 1100, means = "So many periods before are shown." }
[columns]
period = { unit = "date", means = "First day of the period." }
net = { unit = "money", means = "Paid for the orders placed in it less refunds; null in the future." }
forecast = { unit = "money", means = "By Holt-Winters' additive smoothing with a damped trend: weights on a grid, by the error one step ahead; never below 0. A season of 7 days; of 12 months or 52 weeks where there is history for it." }
low = { unit = "money", means = "Lower end of the interval: forecast plus a low one of the errors that forecasts as far ahead have made." }
high = { unit = "money", means = "Its upper end." }
method = { unit = "text", means = "What was done, with the season." }
coverage = { unit = "share", means = "Back-tested on rolling origins: of the tested values, those that lay within the intervals of what was known then." }
tested = { unit = "count", means = "So many values were tested." }
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from history.forecasting import forecast, values_needed
from history.reporting import Ask, CannotAnswer

SEASONS = {"day": 7, "week": 52, "month": 12}
LONGEST = {"day": 1_100, "week": 260, "month": 180}  # periods that are looked back on

NET = """
SELECT dateDiff({grain:String}, toDate(placed_at, {timezone:String}), toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String})) AS back,
       toFloat64(sum(toInt128(coalesce(base_minor, 0)))) AS net
FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
WHERE NOT cancelled AND back BETWEEN 1 AND {longest:UInt32}
GROUP BY back
"""


def report(
    ask: Ask, *, grain: str, horizon: int, interval: float, past: int, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    found = ask(NET, grain=grain, longest=LONGEST[grain])
    if not found.num_rows:
        return {
            name: [] for name in ("period", "net", "forecast", "low", "high", "method", "coverage", "tested")
        }
    back = found.column("back").to_numpy().astype(np.int64)
    values = np.zeros(back.max())
    values[back.max() - back] = found.column("net").to_numpy()
    season = SEASONS[grain]
    if len(values) < values_needed(horizon, interval, season):
        season = 1
    if len(values) < (needed := values_needed(horizon, interval, season)):
        raise CannotAnswer(
            f"needs {needed} {grain}s that are over, from the first order on, to forecast and test {horizon}: "
            f"there are {len(values)}. Ask for a shorter horizon or grain."
        )
    told = forecast(values[None, :], horizon, season, interval)
    running = _first_day(as_of.astimezone(ZoneInfo(timezone)).date(), grain)
    shown = values[len(values) - min(past, len(values)) :]
    nothing, after = [None] * len(shown), [None] * horizon
    rows = len(shown) + horizon
    seasonal = f", season of {season} {grain}s" if season > 1 else ", no season"
    return {
        "period": [_later(running, grain, step) for step in range(-len(shown), horizon)],
        "net": [*map(int, shown), *after],
        "forecast": [*nothing, *_whole(told.mean)],
        "low": [*nothing, *_whole(told.low)],
        "high": [*nothing, *_whole(told.high)],
        "method": [f"Holt-Winters, additive, damped trend{seasonal}"] * rows,
        "coverage": [float(told.coverage[0])] * rows,
        "tested": [told.tested] * rows,
    }


def _whole(amounts: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[int]:
    return [int(amount) for amount in np.rint(amounts[0])]


def _first_day(day: date, grain: str) -> date:
    if grain == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if grain == "week" else day


def _later(day: date, grain: str, steps: int) -> date:
    if grain == "month":
        years, month = divmod(day.month - 1 + steps, 12)
        return date(day.year + years, month + 1, 1)
    return day + timedelta(days=steps * (7 if grain == "week" else 1))
