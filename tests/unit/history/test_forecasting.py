"""Does a forecast follow what repeats, hold what it says, and know only what was known?"""

import numpy as np
import pytest

from history.forecasting import errors_needed, forecast, values_needed


def test_what_repeats_every_week_is_forecast_as_it_is() -> None:
    """Without noise there is no error, so that the interval is a point."""
    week = np.array([3.0, 5, 8, 2, 9, 20, 1])
    told = forecast(np.tile(week, 10)[None, :], horizon=10, season=7, interval=0.8)
    assert told.mean[0] == pytest.approx(np.tile(week, 2)[:10])
    assert told.high - told.low == pytest.approx(np.zeros((1, 10)), abs=1e-9)


def test_intervals_of_noise_hold_as_often_as_they_say() -> None:
    """Forty series of a constant and noise: within three points of the interval."""
    noise = np.random.default_rng(1).normal(100, 10, (40, 200))
    told = forecast(noise, horizon=5, season=1, interval=0.8)
    assert told.coverage.mean() == pytest.approx(0.8, abs=0.03)


def test_each_series_is_forecast_by_itself() -> None:
    """Together or alone makes no difference."""
    values = np.random.default_rng(2).poisson(7, (3, 90)).astype(float)
    together = forecast(values, 4, 7, 0.8)
    for row in range(3):
        alone = forecast(values[row : row + 1], 4, 7, 0.8)
        assert together.low[row] == pytest.approx(alone.low[0])
        assert together.coverage[row] == alone.coverage[0]


def test_nothing_is_forecast_below_zero() -> None:
    """What falls steadily ends there."""
    values = np.linspace(200, 2, 60)[None, :]
    told = forecast(values, 8, 1, 0.8)
    assert (told.mean.min(), told.low.min()) == (0, 0)


@pytest.mark.parametrize(("interval", "errors"), [(0.5, 3), (0.8, 9), (0.9, 19), (0.95, 39)])
def test_an_interval_needs_so_many_errors(interval: float, errors: int) -> None:
    """The least and the greatest of them bound it."""
    assert errors_needed(interval) == errors


@pytest.mark.parametrize("season", [1, 7])
def test_the_fewest_values_test_each_step(season: int) -> None:
    """One less leaves the last step without a test."""
    needed = values_needed(4, 0.8, season)
    values = np.random.default_rng(3).normal(50, 5, (1, needed))
    assert forecast(values, 4, season, 0.8).tested == 7 + 5 + 3 + 1
    assert forecast(values[:, 1:], 4, season, 0.8).tested == 6 + 4 + 2
