"""Do customers, or what is predicted of them, change? River's Page-Hinkley test of each day's mean.

Each input of the models, and the log-odds of the champion's predictions, against what was usual so far: in
standard deviations, so that one threshold fits all.
"""

import math
from collections import defaultdict

from river import drift, stats

from projections.scoring.models import Inputs

PREDICTION = "prediction"
WARM_DAYS = 30  # before it is known what is usual
TOLERATED = 0.5  # of the standard deviations between days: smaller shifts do not add up
ALARM = 12.0  # a shift by two deviations is told after eight days; noise, once in many years
HELD = 1e-6  # no log-odds beyond those of this


class Drift:
    """The means of a day under way, and a detector for each input; a new day tells which of them drifted."""

    def __init__(self) -> None:
        self._day = 0
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._usual: dict[str, tuple[stats.Mean, stats.Var]] = {}
        self._detectors: dict[str, drift.PageHinkley] = {}

    def add(self, day: int, x: Inputs, predicted: float | None) -> list[str]:
        """Take in one example of a day (days count up from anywhere); the names of what drifted by then."""
        drifted = self._end_day() if day > self._day and self._counts else []
        self._day = max(self._day, day)
        for name, value in x.items():
            self._sums[name] += value
            self._counts[name] += 1
        if predicted is not None:
            held = min(max(predicted, HELD), 1 - HELD)
            self._sums[PREDICTION] += math.log(held / (1 - held))
            self._counts[PREDICTION] += 1
        return drifted

    def _end_day(self) -> list[str]:
        drifted = []
        for name, count in sorted(self._counts.items()):
            if self._is_unusual(name, self._sums[name] / count):
                drifted.append(name)
        self._sums.clear()
        self._counts.clear()
        return drifted

    def _is_unusual(self, name: str, mean: float) -> bool:
        if name not in self._usual:
            self._usual[name] = stats.Mean(), stats.Var()
            self._detectors[name] = drift.PageHinkley(
                min_instances=1, delta=TOLERATED, threshold=ALARM, alpha=1.0
            )
        usual, spread = self._usual[name]
        deviation = math.sqrt(spread.get()) if spread.get() > 0 else 0.0
        scaled = (mean - usual.get()) / deviation if deviation else 0.0
        usual.update(mean)
        spread.update(mean)
        if usual.n <= WARM_DAYS:
            return False
        detector = self._detectors[name]
        detector.update(max(-4.0, min(4.0, scaled)))
        return bool(detector.drift_detected)
