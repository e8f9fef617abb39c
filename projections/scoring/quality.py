"""How good are predictions: who is above whom, how surprised are we, do the numbers mean what they say?

All of it is read from counts of predictions by label, which add up: over a week, over all time.
"""

import math
import operator
from typing import NamedTuple, TypeVar

import numpy as np

BINS = 1_024  # of the log-odds, on each side of which STEEPEST is the end: 0.99966
STEEPEST = 8.0
TENTHS = 10
LEAST = 1e-6  # a probability of 0 or 1 that was wrong is not infinitely wrong
NEGATIVE, POSITIVE = 0, 1

N = TypeVar("N", int, float)


class CalibrationBin(NamedTuple):
    """Of the predictions within a tenth: how many, their mean, and the share that came true."""

    number: int
    predicted: float
    actual: float


class Quality(NamedTuple):
    """Measures of a binary classifier; None where no label, or only one of the two, was seen.

    `ece` is the expected calibration error over ten bins of equal width (Naeini et al. 2015); `lift` is the
    rate of positives in the tenth with the highest predictions over the base rate.
    """

    examples: int
    base_rate: float | None
    roc_auc: float | None
    average_precision: float | None
    log_loss: float | None
    brier: float | None
    ece: float | None
    lift: float | None
    calibration: tuple[CalibrationBin, ...]


class Tally:
    """Predictions with their labels, counted. Ranks within a bin of 1/64 of log-odds count as equal."""

    def __init__(self) -> None:
        self.ranked = [[0] * BINS, [0] * BINS]  # by label
        self.counts = [0] * TENTHS
        self.predicted, self.actual = [0.0] * TENTHS, [0] * TENTHS  # sums by tenth
        self.log_losses = self.squared_errors = 0.0  # sums

    def add(self, probability: float, label: bool) -> None:
        held = min(max(probability, LEAST), 1 - LEAST)
        place = int((math.log(held / (1 - held)) + STEEPEST) / (2 * STEEPEST) * BINS)
        self.ranked[label][min(max(place, 0), BINS - 1)] += 1
        tenth = min(int(probability * TENTHS), TENTHS - 1)
        self.counts[tenth] += 1
        self.predicted[tenth] += probability
        self.actual[tenth] += label
        self.log_losses -= math.log(held if label else 1 - held)
        self.squared_errors += (probability - label) ** 2

    def __iadd__(self, other: "Tally") -> "Tally":
        self.ranked = [_sums(*each) for each in zip(self.ranked, other.ranked, strict=True)]
        self.counts = _sums(self.counts, other.counts)
        self.predicted = _sums(self.predicted, other.predicted)
        self.actual = _sums(self.actual, other.actual)
        self.log_losses += other.log_losses
        self.squared_errors += other.squared_errors
        return self

    def quality(self) -> Quality:
        count, positives = sum(self.counts), sum(self.ranked[POSITIVE])
        bins = tuple(
            CalibrationBin(n, predicted / n, actual / n)
            for n, predicted, actual in zip(self.counts, self.predicted, self.actual, strict=True)
            if n
        )
        if not count:
            return Quality(0, None, None, None, None, None, None, None, bins)
        both = 0 < positives < count
        return Quality(
            count,
            positives / count,
            self._roc_auc() if both else None,
            self._average_precision() if positives else None,
            self.log_losses / count,
            self.squared_errors / count,
            sum(each.number * abs(each.predicted - each.actual) for each in bins) / count,
            self._lift() if positives else None,
            bins,
        )

    def _roc_auc(self) -> float:
        """The probability that a positive is above a negative, ties as a half."""
        negatives, positives = np.array(self.ranked)
        below = np.cumsum(negatives) - negatives
        pairs = float((positives * (below + negatives / 2)).sum())
        return pairs / (float(negatives.sum()) * float(positives.sum()))

    def _average_precision(self) -> float:
        """The mean, over the positives, of the precision at their threshold."""
        negatives, positives = np.array(self.ranked)[:, ::-1]
        taken = np.cumsum(negatives + positives)
        precision = np.cumsum(positives) / np.maximum(taken, 1)
        return float((precision * positives).sum() / positives.sum())

    def _lift(self) -> float:
        """Where the tenth ends within a bin, that bin counts in part."""
        negatives, positives = np.array(self.ranked)[:, ::-1]
        sizes = negatives + positives
        wanted = sizes.sum() / 10
        before = np.cumsum(sizes) - sizes
        share = np.clip((wanted - before) / np.maximum(sizes, 1), 0, 1)
        return float((positives * share).sum() / wanted / (positives.sum() / sizes.sum()))


def _sums(a: list[N], b: list[N]) -> list[N]:
    return list(map(operator.add, a, b))
