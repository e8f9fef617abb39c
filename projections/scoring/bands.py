"""How high is a score, among those of all customers?"""

from bisect import bisect_left
from collections.abc import Sequence

from projections.parameters import ScoreBoundaries

BANDS = ("low", "medium", "high")
STEP = 5  # percent
MEDIUM_FROM, HIGH_FROM = 50, 90  # percent of the customers are below


def boundaries(probabilities: Sequence[float], as_of: int) -> ScoreBoundaries | None:
    """The percentiles (inverted CDF) of the scores, in any order; None where there is none."""
    if not probabilities:
        return None
    ranked = sorted(probabilities)

    def at(percent: int) -> float:
        return ranked[-(-percent * len(ranked) // 100) - 1]

    percentiles = tuple(at(percent) for percent in range(STEP, 100, STEP))
    return ScoreBoundaries(as_of, percentiles, (at(MEDIUM_FROM), at(HIGH_FROM)), len(ranked))


def band(probability: float, boundaries: ScoreBoundaries | None) -> str | None:
    return None if boundaries is None else BANDS[bisect_left(boundaries.bands, probability)]


def of_many(probabilities: Sequence[float], boundaries: ScoreBoundaries | None) -> list[str | None]:
    """The band of each."""
    if boundaries is None:
        return [None] * len(probabilities)
    return [band(probability, boundaries) for probability in probabilities]


def percentile(probability: float, boundaries: ScoreBoundaries | None) -> int | None:
    """How many percent of the customers have a lower score, in steps of 5."""
    return None if boundaries is None else STEP * bisect_left(boundaries.percentiles, probability)
