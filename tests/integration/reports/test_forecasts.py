"""Are the forecasts those of statsmodels, and their intervals and coverage what a plain loop counts?"""

from itertools import product
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from cli.sample import cdnow
from schemas.events import OrderLine
from tests.integration.reports.shop import bought, lines, made_up, orders, plain
from tests.reporting import answer, history_of, told

WEIGHTS = list(product((0.05, 0.1, 0.2, 0.4, 0.7), (0.0, 0.1, 0.3)))
SEASONAL = (0.0, 0.1, 0.3)


class Peer:
    """statsmodels on one series; level and season start as the mean of the first values and what differs."""

    def __init__(self, values: Any, horizon: int, season: int) -> None:
        self.values, self.horizon, self.season = np.asarray(values, float), horizon, season
        self.first = 2 * season if season > 1 else 4
        gammas = SEASONAL if season > 1 else (0.0,)
        self.grid = [(a, b, g) for (a, b), g in product(WEIGHTS, gammas)]
        squares = [(self.values - self._fit(self.values, *w).fittedvalues) ** 2 for w in self.grid]
        self.squares = np.array(squares)[:, self.first :].cumsum(axis=1)

    def _fit(self, values: Any, alpha: float, beta: float, gamma: float) -> Any:
        """ETS(A,Ad,A), whose weight of the trend is the product of two of Holt-Winters' weights."""
        start = self.values[: self.season if self.season > 1 else 4].mean()
        given = {"initialization_method": "known", "initial_level": start, "initial_trend": 0.0}
        weights = [alpha, alpha * beta, 0.9]
        if self.season > 1:
            given |= {"seasonal": "add", "seasonal_periods": self.season}
            given["initial_seasonal"] = self.values[: self.season] - start
            weights = [alpha, alpha * beta, gamma, 0.9]
        return ETSModel(values, error="add", trend="add", damped_trend=True, **given).smooth(weights)

    def ahead(self, count: int) -> Any:
        """From the first `count` values, with the weights whose steps had erred least by then."""
        best = int(self.squares[:, count - self.first - 1].argmin()) if count > self.first else 0
        return np.maximum(self._fit(self.values[:count], *self.grid[best]).forecast(self.horizon), 0)

    def expected(self, interval: float) -> tuple[Any, Any, Any, float, int]:
        """Forecast, low, high, coverage, tested."""
        seen = len(self.values)
        ahead = {count: self.ahead(count) for count in range(self.first, seen + 1)}

        def bounds(count: int, step: int) -> tuple[float, float] | None:
            """Of the errors whose value had been seen."""
            origins = range(self.first, count - step)
            errors = sorted([self.values[c + step] - ahead[c][step] for c in origins][-104:])
            low = floor((len(errors) + 1) * (1 - interval) / 2 + 1e-9)
            high = ceil((len(errors) + 1) * (1 + interval) / 2 - 1e-9)
            return (errors[low - 1], errors[high - 1]) if low >= 1 and high <= len(errors) else None

        inside = []
        for count in range(max(self.first, seen - 30 - self.horizon + 1), seen):
            for step in range(min(self.horizon, seen - count)):
                if (limits := bounds(count, step)) is not None:
                    error = self.values[count + step] - ahead[count][step]
                    inside.append(limits[0] <= error <= limits[1])
        last = [bounds(seen, step) for step in range(self.horizon)]
        low, high = np.array(last).T
        mean = ahead[seen]
        return (
            mean,
            np.maximum(mean + low, 0),
            np.maximum(mean + high, 0),
            float(np.mean(inside)),
            len(inside),
        )


@pytest.mark.parametrize(
    ("grain", "horizon", "frequency", "season", "as_of", "timezone"),
    [
        ("day", 7, "D", 7, "1997-06-10T02:00:00Z", "America/New_York"),
        ("week", 4, "W-SUN", 1, "1998-06-30T12:00:00Z", "UTC"),
        ("month", 2, "M", 1, "1998-07-01T00:00:00Z", "UTC"),
    ],
)
async def test_sales_forecast_of_cdnow(
    tmp_path: Path, grain: str, horizon: int, frequency: str, season: int, as_of: str, timezone: str
) -> None:
    """Only local periods that are over are known; the running one is the first that is forecast."""
    events = list(cdnow.events(0, shift_days=0, received_at=0))
    history = await history_of(tmp_path, events)
    asked = {"grain": grain, "horizon": horizon, "interval": 0.75, "past": 20}
    found = await answer(history, "sales_forecast", as_of=as_of, timezone=timezone, **asked)
    frame = orders(events, as_of, timezone)
    running = pd.Timestamp(as_of).tz_convert(timezone).tz_localize(None).to_period(frequency)
    periods = pd.period_range(frame["at"].min().to_period(frequency), running - 1, freq=frequency)
    values = frame.groupby(frame["at"].dt.to_period(frequency))["net"].sum().reindex(periods, fill_value=0)
    mean, low, high, coverage, tested = Peer(values, horizon, season).expected(0.75)
    past = min(20, len(values))
    shown = pd.period_range(running - past, running + horizon - 1, freq=frequency)
    assert list(found["period"]) == [period.start_time.date() for period in shown]
    assert [plain(net) for net in found["net"]] == [*values[-past:], *[None] * horizon]
    for name, expected in (("forecast", mean), ("low", low), ("high", high)):
        column = [plain(cell) for cell in found[name]]
        assert column[:past] == [None] * past
        assert column[past:] == pytest.approx(list(expected), abs=0.51), name
    assert list(found["coverage"]) == pytest.approx([coverage] * len(found))
    assert set(found["tested"]) == {tested}
    seasonal = "season of 7 days" if season > 1 else "no season"
    assert set(found["method"]) == {f"Holt-Winters, additive, damped trend, {seasonal}"}


async def test_the_intervals_of_cdnow_hold_about_as_often_as_they_say(tmp_path: Path) -> None:
    """Thirty days ahead, tested at thirty origins after eighteen months."""
    history = await history_of(tmp_path, cdnow.events(0, shift_days=0, received_at=0))
    found = await answer(history, "sales_forecast", as_of="1998-07-01T00:00:00Z")
    assert found["tested"][0] > 1_000
    assert found["coverage"][0] == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize(
    ("as_of", "timezone", "season"),
    [("2025-06-21T00:00:00Z", "UTC", 52), ("2024-12-01T16:00:00Z", "Asia/Tokyo", 1)],
)
async def test_demand(tmp_path: Path, as_of: str, timezone: str, season: int) -> None:
    """The two products that were bought most of late, week by week, each tested by itself."""
    events = made_up()
    history = await history_of(tmp_path, events)
    asked = {"top": 2, "weeks": 3, "interval": 0.8}
    found = await answer(history, "demand", as_of=as_of, timezone=timezone, **asked)
    frame = lines(events, as_of).merge(orders(events, as_of, timezone)[["order", "at"]], on="order")
    frame["week"] = frame["at"].dt.to_period("W-SUN")
    running = pd.Timestamp(as_of).tz_convert(timezone).tz_localize(None).to_period("W-SUN")
    frame = frame[frame["week"] < running]
    weeks = pd.period_range(frame["week"].min(), running - 1, freq="W-SUN")
    late = frame[frame["week"] >= running - 26].groupby("sku")["units"].sum()
    best = sorted(late.index, key=lambda sku: (-late[sku], sku))[:2]
    seasonal = "season of 52 weeks" if season > 1 else "no season"
    method = f"Holt-Winters, additive, damped trend, {seasonal}"
    rows = []
    for sku in best:
        units = frame[frame["sku"] == sku].groupby("week")["units"].sum().reindex(weeks, fill_value=0)
        mean, low, high, coverage, tested = Peer(units, 3, season).expected(0.8)
        starts = [(running + step).start_time.date() for step in range(3)]
        rows += [(sku, *each, method, coverage, tested) for each in zip(starts, mean, low, high, strict=True)]
    expected = pd.DataFrame(rows, columns=found.columns)
    exact = ["product", "week", "method", "tested"]
    assert found[exact].values.tolist() == expected[exact].values.tolist()
    for name in ("units", "low", "high", "coverage"):
        assert list(found[name]) == pytest.approx(list(expected[name])), name


@pytest.mark.parametrize(
    ("name", "note"), [("sales_forecast", "needs 72 days"), ("demand", "needs 28 weeks")]
)
async def test_too_short_a_history_says_how_much_is_needed(tmp_path: Path, name: str, note: str) -> None:
    """Nothing is forecast that could not be tested."""
    line = (OrderLine(sku="tea", quantity=1, unit_price_minor=1),)
    events = [bought("a", "2025-12-01", 100, lines=line), bought("a", "2025-12-20", 100, lines=line)]
    history = await history_of(tmp_path, events)
    whole = await told(history, name, as_of="2026-01-01T00:00:00Z")
    assert whole.table.num_rows == 0
    assert whole.note is not None
    assert note in whole.note


@pytest.mark.parametrize("name", ["sales_forecast", "demand"])
async def test_without_an_order_there_is_no_data_yet(tmp_path: Path, name: str) -> None:
    """The answer has no rows, and says so."""
    whole = await told(await history_of(tmp_path, []), name)
    assert whole.note is not None
    assert whole.note.startswith("No data yet")
