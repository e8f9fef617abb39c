"""Is a shift told, and noise not?"""

import random

import pytest

from projections.scoring.drift import PREDICTION, WARM_DAYS, Drift

DAYS, SHIFT_AT = 300, 150


def told(shift: float, seed: int = 1) -> dict[str, list[int]]:
    """Days on which inputs were told to drift, where `spend` and the predictions shift at SHIFT_AT."""
    chance, drift = random.Random(seed), Drift()
    found: dict[str, list[int]] = {}
    for day in range(DAYS):
        moved = shift if day >= SHIFT_AT else 0.0
        for _ in range(20):
            x = {"spend": chance.gauss(moved, 1), "steady": chance.gauss(5, 2)}
            predicted = min(max(0.3 + 0.2 * moved + chance.gauss(0, 0.05), 0.0), 1.0)
            for name in drift.add(day, x, predicted):
                found.setdefault(name, []).append(day)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_is_told_within_days(seed: int) -> None:
    found = told(1.0, seed)
    assert SHIFT_AT < found["spend"][0] < SHIFT_AT + 15
    assert SHIFT_AT < found[PREDICTION][0] < SHIFT_AT + 15
    assert "steady" not in found


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_told(seed: int) -> None:
    assert told(0.0, seed) == {}


def test_nothing_is_unusual_before_there_is_something_usual() -> None:
    drift = Drift()
    for day in range(WARM_DAYS):
        assert drift.add(day, {"spend": float(day % 2 * 100)}, None) == []
