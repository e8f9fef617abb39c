"""Which models learn, and how is one asked, taught, explained and kept?

A model is a River estimator of what `inputs` makes of the features: those that are known, by name, and a flag
for each group that is not. A missing input counts as its mean.
"""

import math
from collections.abc import Callable
from typing import Protocol, TypeAlias

from river import base, drift, forest, linear_model, optim, preprocessing
from river.utils import VectorDict

from projections.scoring.features import FEATURES, NAMES, Values

Inputs: TypeAlias = dict[str, float]

WIDE = tuple(feature.wide for feature in FEATURES)
FLAGS = {  # flag: the feature whose group it is about
    "no_gap": "mean_gap_days",
    "no_engagement": "seen_days",
    "no_campaigns": "sends",
    "no_service": "tickets",
    "no_feedback": "satisfaction",
}
INPUTS = NAMES + tuple(FLAGS)
_FLAG_PLACES = tuple((flag, NAMES.index(feature)) for flag, feature in FLAGS.items())


class Model(Protocol):
    """A River classifier of one target, which also says why."""

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]: ...

    def learn_one(self, x: Inputs, y: bool) -> None: ...

    def explain_one(self, x: Inputs) -> dict[str, float]:
        """What each input adds to the log-odds."""
        ...


CLIPPED_AT = 4.0  # standard deviations: one outlier must not decide


def inputs(values: Values) -> Inputs:
    """The known features, those that span orders of magnitude as log(1 + x), and the flags."""
    known = {
        name: math.log1p(value) if wide and value > 0 else value
        for name, wide, value in zip(NAMES, WIDE, values, strict=True)
        if value is not None
    }
    for flag, place in _FLAG_PLACES:
        known[flag] = float(values[place] is None)
    return known


class Scaler(preprocessing.StandardScaler):  # type: ignore[misc]  # seen as of no type
    """To mean 0 and deviation 1, as far as CLIPPED_AT of them: River's to the bit, with fewer look-ups."""

    def learn_one(self, x: Inputs) -> None:
        counts, means, variances = self.counts, self.means, self.vars
        for name, value in x.items():
            counts[name] = count = counts[name] + 1
            before, variance = means[name], variances[name]
            means[name] = mean = before + (value - before) / count
            variances[name] = variance + ((value - before) * (value - mean) - variance) / count

    def transform_one(self, x: Inputs) -> Inputs:
        means, variances, scaled = self.means, self.vars, {}
        for name, value in x.items():
            variance = variances[name]
            found = (value - means[name]) / variance**0.5 if variance else 0.0
            scaled[name] = CLIPPED_AT if found > CLIPPED_AT else -CLIPPED_AT if found < -CLIPPED_AT else found
        return scaled


class AdaGrad(optim.AdaGrad):  # type: ignore[misc]
    """River's, to the bit, with a step size that is looked up once an example and not once an input."""

    def _step_with_dict(self, w: VectorDict, g: VectorDict) -> VectorDict:
        rate, squares, eps = self.learning_rate, self.g2, self.eps
        for name, gradient in g.items():
            squares[name] = total = squares[name] + gradient**2
            w[name] -= rate / (total + eps) ** 0.5 * gradient
        return w


class Logistic(base.Classifier):  # type: ignore[misc]
    """Logistic regression with a step size of its own for each input (AdaGrad: Duchi, Hazan, Singer 2011)."""

    def __init__(self) -> None:
        self.scaler = Scaler()
        self.regression = linear_model.LogisticRegression(AdaGrad(0.03), l2=0.02, intercept_lr=0.005)
        self.pipeline = self.scaler | self.regression

    def learn_one(self, x: Inputs, y: bool) -> None:
        self.pipeline.learn_one(x, y)

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
        answer: dict[bool, float] = self.pipeline.predict_proba_one(x)
        return answer

    def explain_one(self, x: Inputs) -> dict[str, float]:
        """Against a customer of whom all is average: with the intercept, these are the log-odds."""
        weights = self.regression.weights
        scaled = self.scaler.transform_one(x)
        return {name: weights.get(name, 0.0) * value for name, value in scaled.items()}


class Cohorts(base.Classifier):  # type: ignore[misc]
    """A logistic regression for each cohort: who has one order, and who has a rhythm."""

    def __init__(self) -> None:
        self.by_cohort: dict[bool, Logistic] = {}

    def _of(self, x: Inputs) -> Logistic:
        cohort = bool(x.get("no_gap", 0.0))
        if cohort not in self.by_cohort:
            self.by_cohort[cohort] = Logistic()
        return self.by_cohort[cohort]

    def learn_one(self, x: Inputs, y: bool) -> None:
        self._of(x).learn_one(x, y)

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
        return self._of(x).predict_proba_one(x)

    def explain_one(self, x: Inputs) -> dict[str, float]:
        return self._of(x).explain_one(x)


class Trees(base.Classifier):  # type: ignore[misc]
    """A random forest of three trees that grow as examples come (Gomes et al. 2017).

    Without its detectors of drift, which take ten times as long as the trees.
    """

    def __init__(self) -> None:
        self.scaler = preprocessing.StandardScaler(with_std=False)  # for its means
        quiet = drift.NoDrift()
        self.forest = forest.ARFClassifier(
            n_models=3,
            lambda_value=2,
            grace_period=500,
            leaf_prediction="mc",
            drift_detector=quiet,
            warning_detector=quiet,
            seed=1,
        )

    def learn_one(self, x: Inputs, y: bool) -> None:
        self.scaler.learn_one(x)
        self.forest.learn_one(x, y)

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
        answer: dict[bool, float] = self.forest.predict_proba_one(x)
        happens = answer.get(True, 0.0 if answer else 0.5)
        return {False: 1 - happens, True: happens}

    def explain_one(self, x: Inputs) -> dict[str, float]:
        """Against a customer of whom that one input is average."""
        log_odds, means = _log_odds(probability(self, x)), self.scaler.means
        return {
            name: log_odds - _log_odds(probability(self, x | {name: means.get(name, value)}))
            for name, value in x.items()
        }


def _log_odds(happens: float) -> float:
    held = min(max(happens, 1e-6), 1 - 1e-6)
    return math.log(held / (1 - held))


MODELS: dict[str, Callable[[], Model]] = {
    "logistic": Logistic,
    "cohorts": Cohorts,
    "trees": Trees,
}
CHAMPION = "logistic"


class BadModel(Exception):
    """A model answered with what is no probability."""


def probability(model: Model, x: Inputs) -> float:
    """That it happens. Raises BadModel."""
    happens = model.predict_proba_one(x)[True]
    if not 0.0 <= happens <= 1.0:
        raise BadModel(f"{type(model).__name__} gave a probability of {happens}.")
    return happens
