"""How is a model kept on the log, and how does one that was kept score many customers at once?

A snapshot of a logistic regression is its numbers, which are the same bytes for the same lessons, in any
process; one of cohorts has those of each. It scores column by column, in one order: so that a customer
scored alone has the same probability, to the bit, as among a thousand others.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from river.utils import VectorDict

from projections.scoring import features
from projections.scoring.columns import Columns
from projections.scoring.features import NAMES, Values
from projections.scoring.models import CLIPPED_AT, FLAGS, INPUTS, WIDE, Cohorts, Logistic

_NO_GAP = INPUTS.index("no_gap")
_WIDE = np.flatnonzero(WIDE)
_LOG1P = np.array([math.log1p(count) for count in range(1_024)])  # not numpy's, which differs by machine
_FLAGGED = [NAMES.index(feature) for feature in FLAGS.values()]


class Input(Struct, frozen=True, array_like=True):
    """What was learned of one input: its distribution, its weight, and AdaGrad's sum of squared gradients."""

    count: int
    mean: float
    variance: float
    weight: float
    squares: float


class Numbers(Struct, frozen=True, array_like=True):
    """A logistic regression, with all that it needs to learn on."""

    features_version: int
    lessons: int
    intercept: float
    inputs: dict[str, Input]


class ByCohort(Struct, frozen=True, array_like=True):
    """The regressions of those who ordered once, and of those with a rhythm; None where nobody was seen."""

    features_version: int
    once: Numbers | None
    rhythm: Numbers | None


class OtherFeatures(ValueError):
    """A snapshot of a model of other features, or of another kind; the message says what to do."""


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE: dict[str, Callable[[bytes], Any]] = {
    "logistic": msgspec.msgpack.Decoder(Numbers).decode,
    "cohorts": msgspec.msgpack.Decoder(ByCohort).decode,
}


def dump(model: Logistic | Cohorts) -> bytes:
    if isinstance(model, Logistic):
        return _encode(_numbers(model))
    once, rhythm = (model.by_cohort.get(cohort) for cohort in (True, False))
    return _encode(ByCohort(features.VERSION, once and _numbers(once), rhythm and _numbers(rhythm)))


def load(name: str, data: bytes) -> Logistic | Cohorts:
    """The model of that name that was kept, which learns on as it would have. Raises OtherFeatures."""
    kept = _read(name, data)
    if isinstance(kept, Numbers):
        return _logistic(kept)
    model = Cohorts()
    parts = {True: kept.once, False: kept.rhythm}
    model.by_cohort = {cohort: _logistic(each) for cohort, each in parts.items() if each is not None}
    return model


def _numbers(model: Logistic) -> Numbers:
    scaler, regression = model.scaler, model.regression
    weights = regression.weights
    return Numbers(
        features.VERSION,
        regression.optimizer.n_iterations,
        float(regression.intercept),
        {
            name: Input(
                count,
                scaler.means[name],
                scaler.vars[name],
                weights.get(name, 0.0),
                regression.optimizer.g2.get(name, 0.0),
            )
            for name, count in scaler.counts.items()
        },
    )


def _logistic(numbers: Numbers) -> Logistic:
    model = Logistic()
    scaler, regression = model.scaler, model.regression
    scaler.counts = Counter({name: each.count for name, each in numbers.inputs.items()})
    scaler.means = defaultdict(float, {name: each.mean for name, each in numbers.inputs.items()})
    scaler.vars = defaultdict(float, {name: each.variance for name, each in numbers.inputs.items()})
    regression._weights = VectorDict({name: each.weight for name, each in numbers.inputs.items()})
    regression.optimizer.g2 = defaultdict(
        float, {name: each.squares for name, each in numbers.inputs.items()}
    )
    regression.optimizer.n_iterations = numbers.lessons
    regression.intercept = numbers.intercept
    return model


def _read(name: str, data: bytes) -> Numbers | ByCohort:
    if name not in _DECODE:
        raise OtherFeatures(f"The snapshot is of a model that this version has not, {name}: learn again.")
    kept: Numbers | ByCohort = _DECODE[name](data)
    if kept.features_version != features.VERSION:
        raise OtherFeatures(
            f"The snapshot is of version {kept.features_version} of the features, and this is version "
            f"{features.VERSION}: let the models learn again from the log."
        )
    return kept


def inputs_of(known: Columns) -> Columns:
    """The inputs, in the order of INPUTS, of many customers whose features are `known`."""
    inputs = np.concatenate((known, np.isnan(known[_FLAGGED])))
    spread = inputs[_WIDE]
    positive = spread > 0
    whole = positive & (spread < len(_LOG1P)) & (spread == np.trunc(spread))
    others = positive & ~whole
    spread[whole] = _LOG1P[spread[whole].astype(np.intp)]
    spread[others] = list(map(math.log1p, spread[others].tolist()))
    inputs[_WIDE] = spread
    return inputs


class Scorer:
    """A snapshot that scores."""

    def __init__(self, name: str, data: bytes) -> None:
        """`name` is the model's. Raises OtherFeatures."""
        kept = _read(name, data)
        by_cohort = (kept, kept) if isinstance(kept, Numbers) else (kept.rhythm, kept.once)
        self._by_cohort = [None if each is None else _Linear(each) for each in by_cohort]
        self._has_cohorts = isinstance(kept, ByCohort)

    def of(self, inputs: Columns) -> list[float]:
        """The probability of each customer of `inputs_of`."""
        if not self._has_cohorts:
            return self._of(0, inputs)
        ordered_once = inputs[_NO_GAP] == 1.0
        found = np.empty(inputs.shape[1])
        for cohort, whose in enumerate((~ordered_once, ordered_once)):
            found[whose] = self._of(cohort, inputs[:, whose])
        return found.tolist()

    def many(self, customers: Sequence[Values]) -> list[float]:
        known = np.array(customers, np.float64).reshape(len(customers), len(NAMES))
        return self.of(inputs_of(known.T))

    def _of(self, cohort: int, inputs: Columns) -> list[float]:
        linear = self._by_cohort[cohort]
        return [0.5] * inputs.shape[1] if linear is None else linear.of(inputs)


class _Linear:
    """A logistic regression that scores."""

    def __init__(self, numbers: Numbers) -> None:
        known = [(place, numbers.inputs[name]) for place, name in enumerate(INPUTS) if name in numbers.inputs]
        learned = [(place, each) for place, each in known if each.variance > 0]
        self._intercept = numbers.intercept
        self._places = np.array([place for place, _ in learned], np.intp)
        self._means = np.array([[each.mean] for _, each in learned])
        self._deviations = np.array([[math.sqrt(each.variance)] for _, each in learned])
        self._weights = np.array([[each.weight] for _, each in learned])

    def of(self, inputs: Columns) -> list[float]:
        """Inputs are added up one after the other: numpy's own sum of one goes another way than of many."""
        log_odds = np.full(inputs.shape[1], self._intercept)
        if len(self._places):
            scaled = np.clip((inputs[self._places] - self._means) / self._deviations, -CLIPPED_AT, CLIPPED_AT)
            for each in np.where(np.isnan(scaled), 0.0, scaled * self._weights):
                log_odds += each
        return [1 / (1 + math.exp(-each)) if each > -700 else 0.0 for each in log_odds.tolist()]
