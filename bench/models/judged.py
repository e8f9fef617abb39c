"""How good are scores on the rows of a cut, and how sure is that?"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.models.baselines import Scores

RESAMPLES = 200
ECE_BINS = 10
LEAST = 1e-6

Labels = NDArray[np.bool_]


class Interval(NamedTuple):
    """A measure, with the 2.5 and 97.5 percentiles of what resampled customers give."""

    value: float
    low: float
    high: float


class Judged(NamedTuple):
    auc: Interval
    average_precision: Interval
    log_loss: Interval | None  # of probabilities only
    ece: float | None


class Contest(NamedTuple):
    """What each contestant did on the rows of one cut; `recent`: on those silent for 180 days at most."""

    dataset: str
    target: str
    cut: str
    rows: int
    base_rate: float
    examples: int
    results: Mapping[str, Judged]
    recent: Mapping[str, Judged]

    @property
    def rarer(self) -> float:
        return self.rows * min(self.base_rate, 1 - self.base_rate)


def auc(labels: Labels, scores: Scores) -> float:
    """The share of pairs in the right order, ties as a half."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.bincount(inverse, ranks) / counts)[inverse]
    positives = int(labels.sum())
    below = ranks[labels].sum() - positives * (positives + 1) / 2
    return float(below / (positives * (len(labels) - positives)))


def average_precision(labels: Labels, scores: Scores) -> float:
    """The area under the steps of the precision-recall curve, equal scores as one step."""
    order = np.argsort(-scores, kind="stable")
    hits, ordered = np.cumsum(labels[order]), scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    steps = np.diff(np.append(0, hits[ends]))
    return float((hits[ends] / (ends + 1) * steps).sum() / hits[-1])


def log_loss(labels: Labels, probabilities: Scores) -> float:
    held = np.clip(probabilities, LEAST, 1 - LEAST)
    return float(-np.log(np.where(labels, held, 1 - held)).mean())


def ece(labels: Labels, probabilities: Scores) -> float:
    """The expected calibration error over ten bins of equal width."""
    places = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(places, probabilities - labels, ECE_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def judged(customers: NDArray[np.str_], labels: Labels, scores: Scores, *, probabilities: bool) -> Judged:
    """The measures, with intervals from customers drawn with replacement, each with all its rows."""
    names, of_customer = np.unique(customers, return_inverse=True)
    by_customer = np.split(np.argsort(of_customer, kind="stable"), np.cumsum(np.bincount(of_customer))[:-1])
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([by_customer[one] for one in rng.integers(0, len(names), len(names))])
        if 0 < labels[rows].sum() < len(rows):
            drawn.append(rows)

    def interval(measure: Callable[[Labels, Scores], float]) -> Interval:
        resampled = [measure(labels[rows], scores[rows]) for rows in drawn]
        low, high = np.percentile(resampled, [2.5, 97.5])
        return Interval(measure(labels, scores), float(low), float(high))

    return Judged(
        interval(auc),
        interval(average_precision),
        interval(log_loss) if probabilities else None,
        ece(labels, scores) if probabilities else None,
    )
