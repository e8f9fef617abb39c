"""Are the measures of quality those that the field has, and do they add up?"""

from random import Random

import numpy as np
import pytest
from sklearn import metrics

from projections.scoring.quality import Quality, Tally


def predictions(number: int, seed: int = 1) -> list[tuple[float, bool]]:
    random = Random(seed)
    return [(p := random.betavariate(1, 4), random.random() < p) for _ in range(number)]


def tallied(judged: list[tuple[float, bool]]) -> Tally:
    tally = Tally()
    for each in judged:
        tally.add(*each)
    return tally


def test_the_measures_are_those_of_scikit_learn() -> None:
    """To the resolution of the bins where ranks count, and exactly where they do not."""
    judged = predictions(20_000)
    found, (p, y) = tallied(judged).quality(), map(np.array, zip(*judged, strict=True))
    assert found.examples == 20_000
    assert found.base_rate == pytest.approx(y.mean())
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(y, p), abs=0.001)
    assert found.average_precision == pytest.approx(metrics.average_precision_score(y, p), abs=0.003)
    assert found.log_loss == pytest.approx(metrics.log_loss(y, p))
    assert found.brier == pytest.approx(metrics.brier_score_loss(y, p))
    top = np.argsort(-p)[:2_000]
    assert found.lift == pytest.approx(y[top].mean() / y.mean(), abs=0.02)


def test_probabilities_that_mean_what_they_say_are_calibrated() -> None:
    """And those that say twice as much are not."""
    judged = predictions(50_000)
    assert tallied(judged).quality().ece == pytest.approx(0, abs=0.01)
    assert tallied([(min(1.0, 2 * p), y) for p, y in judged]).quality().ece > 0.1  # type: ignore[operator]


def test_a_calibration_bin_tells_what_was_predicted_and_what_came() -> None:
    tally = tallied([(0.25, True), (0.21, False), (0.91, True), (1.0, True)])
    low, high = tally.quality().calibration
    assert (low.number, low.predicted, low.actual) == (2, pytest.approx(0.23), 0.5)
    assert (high.number, high.predicted, high.actual) == (2, pytest.approx(0.955), 1.0)


def test_tallies_add_up() -> None:
    """Two halves together are the whole."""
    judged = predictions(1_000)
    halves = tallied(judged[:300])
    halves += tallied(judged[300:])
    whole = tallied(judged)
    assert halves.ranked == whole.ranked
    assert halves.quality().log_loss == pytest.approx(whole.quality().log_loss)


def test_a_probability_of_one_that_was_wrong_is_finitely_wrong() -> None:
    found = tallied([(1.0, False), (0.0, True)]).quality()
    assert found.log_loss == pytest.approx(13.8, abs=0.1)
    assert found.roc_auc == 0.0


@pytest.mark.parametrize("labels", [[], [True, True], [False]])
def test_what_cannot_be_measured_is_none(labels: list[bool]) -> None:
    """Nothing of nothing, and no ranking of one class."""
    found = tallied([(0.3, label) for label in labels]).quality()
    assert isinstance(found, Quality)
    assert found.roc_auc is None
    assert (found.log_loss is None) == (not labels)
    assert (found.lift is None) == (True not in labels)
