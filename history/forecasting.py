"""What comes next in many series at once, and how often would the intervals have held so far?

Additive Holt-Winters smoothing with a damped trend (Gardner and McKenzie 1985; ETS(A,Ad,A) in Hyndman and
Athanasopoulos, Forecasting: Principles and Practice, chapter 8), the smoothing weights being those of a small
grid whose forecasts one step ahead have erred least so far.

The back-test has rolling origins: at each, weights and intervals come only from what was known then. An
interval is the forecast plus order statistics of the errors that forecasts as far ahead have made (split
conformal; Vovk, Gammerman and Shafer 2005). What is answered for the future is made in the same way.
"""

from itertools import product
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL, TREND, SEASON = (0.05, 0.1, 0.2, 0.4, 0.7), (0.0, 0.1, 0.3), (0.0, 0.1, 0.3)  # smoothing weights
DAMPING = 0.9
WARM_UP = 4  # values before the first forecast that counts; with a season, two of them
ERRORS = 104  # the latest so many errors make an interval
ORIGINS = 30  # the latest so many origins test the intervals
TINY = 1e-9

Floats = NDArray[np.float64]


class Forecast(NamedTuple):
    """Each of shape (series, horizon), but for coverage and tested."""

    mean: Floats
    low: Floats
    high: Floats
    coverage: Floats  # (series,): of the tested values, the share that lay within their intervals
    tested: int  # values of each series


def errors_needed(interval: float) -> int:
    """The fewest errors of which two bound such an interval."""
    return ceil(2 / (1 - interval) - TINY) - 1


def values_needed(horizon: int, interval: float, season: int = 1) -> int:
    """The fewest values that give an interval at each step, and a value to test it."""
    return warm_up(season) + 2 * horizon + errors_needed(interval) - 1


def warm_up(season: int) -> int:
    return 2 * season if season > 1 else WARM_UP


def forecast(values: Floats, horizon: int, season: int, interval: float) -> Forecast:
    """The next `horizon` values of each series, never below 0.

    `values` is (series, times), the same times in each, without gaps; at least `values_needed` of them.
    """
    seen = values.shape[1]
    ahead = _rolling(values, horizon, season)  # (origins, series, horizon); the last one is now
    first = warm_up(season)
    origins = np.arange(first, seen + 1)  # how many values were known
    errors = np.full(ahead.shape, np.nan)
    for step in range(horizon):
        known = origins + step < seen
        errors[known, :, step] = values.T[origins[known] + step] - ahead[known, :, step]
    inside = np.zeros(values.shape[0])
    tested = 0
    for count in range(max(first, seen - ORIGINS - horizon + 1), seen):
        for step in range(min(horizon, seen - count)):
            bounds = _bounds(errors, count - first, step, interval)
            if bounds is not None:
                error = errors[count - first, :, step]
                inside += (bounds[0] <= error) & (error <= bounds[1])
                tested += 1
    spread = [_bounds(errors, seen - first, step, interval) for step in range(horizon)]
    low, high = np.array([each for each in spread if each is not None]).transpose(1, 2, 0)
    mean = ahead[-1]
    return Forecast(mean, np.maximum(mean + low, 0), np.maximum(mean + high, 0), inside / tested, tested)


def _rolling(values: Floats, horizon: int, season: int) -> Floats:
    """The forecasts from each origin after the warm-up, with the weights that had erred least by then."""
    series, seen = values.shape
    alpha, beta, gamma = np.array(list(product(LEVEL, TREND, SEASON if season > 1 else (0.0,)))).T
    first = warm_up(season)
    start = values[:, : season if season > 1 else WARM_UP].mean(axis=1)
    level = np.repeat(start[:, None], len(alpha), axis=1)  # (series, weights)
    trend = np.zeros_like(level)
    seasonal = np.zeros((season, series, len(alpha)))
    if season > 1:
        seasonal[:] = (values[:, :season] - start[:, None]).T[:, :, None]
    squares = np.zeros_like(level)
    damped = np.cumsum(DAMPING ** np.arange(1, horizon + 1))
    rows = np.arange(series)
    ahead = []
    for at in range(seen + 1):
        if at >= first:
            best = squares.argmin(axis=1)
            turns = seasonal[(at + np.arange(horizon)) % season][:, rows, best].T
            expected = level[rows, best, None] + trend[rows, best, None] * damped + turns
            ahead.append(np.maximum(expected, 0))
        if at < seen:
            turn = at % season
            before = level + DAMPING * trend
            error = values[:, at, None] - before - seasonal[turn]
            if at >= first:
                squares += error**2
            level = before + alpha * error
            trend = DAMPING * trend + alpha * beta * error
            seasonal[turn] += gamma * error
    return np.array(ahead)


def _bounds(errors: Floats, origin: int, step: int, interval: float) -> tuple[Floats, Floats] | None:
    """Of the errors so many steps ahead that are known at the origin; None where they are too few."""
    until = origin - step  # an error of an earlier origin, whose value has been seen
    found = np.sort(errors[max(0, until - ERRORS) : max(0, until), :, step], axis=0)
    if len(found) < errors_needed(interval):
        return None
    tail = (1 - interval) / 2
    lowest = floor((len(found) + 1) * tail + TINY)
    highest = ceil((len(found) + 1) * (1 - tail) - TINY)
    return found[lowest - 1], found[highest - 1]
