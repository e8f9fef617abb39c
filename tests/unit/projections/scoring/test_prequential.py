"""Is every prediction made before its lesson, by what was known when the question was asked?"""

import math
from random import Random

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from projections.scoring import features
from projections.scoring.models import Inputs, Logistic
from projections.scoring.prequential import LEARNED_AT_LEAST, STRAGGLE_MS, Example, Prequential
from projections.times import DAY_MS
from tests.unit.projections.histories import day

HORIZON_DAYS = 30
NOTHING: features.Values = (None,) * len(features.NAMES)


class Noted:
    """Says how many lessons it had when it was asked, and notes each of them: (x, y)."""

    def __init__(self) -> None:
        self.lessons = 0

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
        happens = self.lessons / 1_000
        return {False: 1 - happens, True: happens}

    def learn_one(self, x: Inputs, y: bool) -> None:
        self.lessons += 1

    def explain_one(self, x: Inputs) -> dict[str, float]:
        return {}


def example(asked: float, label: bool = True, values: features.Values = NOTHING) -> Example:
    return Example("c", day(asked), day(asked + HORIZON_DAYS), values, label)


def lessons_known(examples: list[Example]) -> list[int]:
    """How many lessons the model had that predicted each example."""
    learning, found = Prequential({"noted": Noted}, "noted", least=1), []
    for one in examples:
        contestant = learning.contestants["noted"]
        before = sum(contestant.all_time.predicted)
        learning.learn(one)
        found.append(round((sum(contestant.all_time.predicted) - before) * 1_000))
    return found


def test_a_prediction_is_of_before_the_question_and_not_of_before_the_answer() -> None:
    """Asked daily: what ends after a question, whatever its label, is not known to who answers it."""
    known = lessons_known([example(asked) for asked in range(100)])
    assert known[:31] == [0] * 31
    assert known[31:] == [asked - HORIZON_DAYS for asked in range(31, 100)]


def test_a_model_that_has_learned_too_little_is_not_asked() -> None:
    """Of fifty examples a model says what it would of anybody: it is neither judged nor kept."""
    learning = Prequential({"noted": Noted}, champion="noted")
    for asked in range(LEARNED_AT_LEAST):
        learning.learn(example(asked))
    assert learning.kept is None
    learning.learn(example(LEARNED_AT_LEAST))
    assert learning.kept is not None
    assert learning.contestants["noted"].all_time.quality().examples == 0


def history(number: int, seed: int) -> list[Example]:
    random = Random(seed)
    examples = []
    for n in range(number):
        values: list[float | None] = [random.uniform(0, 5) for _ in features.NAMES]
        asked = n * 0.2 + random.random()
        examples.append(Example("c", day(asked), day(asked + HORIZON_DAYS), tuple(values), values[0] < 2.5))
    return sorted(examples, key=lambda each: each.until)


@settings(deadline=None, max_examples=10)
@generated(st.integers(0, 2**32), st.integers(150, 400))
def test_what_comes_later_changes_no_prediction_made_before(seed: int, number: int) -> None:
    """Two futures, one past: its predictions are equal, to the bit."""
    past = history(number, seed)
    end = past[-1].until
    predictions = []
    for future in (seed + 1, seed + 2):
        learning = Prequential({"logistic": Logistic})
        for one in past:
            learning.learn(one)
        made = learning.contestants["logistic"].all_time.log_losses
        for one in history(50, future):
            learning.learn(one._replace(asked_at=one.asked_at + end, until=one.until + end))
        predictions.append(made)
    assert predictions[0] == predictions[1]


def test_the_same_examples_give_the_same_snapshots() -> None:
    """Byte for byte."""
    once, again = (Prequential({"logistic": Logistic}) for _ in range(2))
    for one in history(600, 3):
        once.learn(one)
        again.learn(one)
    first, second = (list(each.contestants["logistic"]._known) for each in (once, again))
    assert len(first) > 30
    assert first == second


def test_rolling_quality_forgets_and_all_time_does_not() -> None:
    learning = Prequential({"noted": Noted}, "noted", least=1)
    for asked in range(400):
        learning.learn(example(asked, label=asked < 200))
    contestant = learning.contestants["noted"]
    recent = contestant.rolling(day(400 + HORIZON_DAYS))
    assert recent.base_rate == 0
    assert 80 < recent.examples <= 97
    assert contestant.all_time.quality().base_rate == pytest.approx(170 / 370, abs=0.01)


def test_snapshots_that_no_question_needs_are_dropped() -> None:
    """Some weeks more than the horizon are kept; of a shadow each seventh day."""
    learning = Prequential({"noted": Noted, "shadow": Noted}, champion="noted")
    for asked in range(300):
        learning.learn(example(asked))
    kept, weekly = (learning.contestants[name]._known for name in ("noted", "shadow"))
    days = HORIZON_DAYS + STRAGGLE_MS // DAY_MS
    assert days <= len(kept) <= days + 2
    assert kept[-1].upto - kept[0].upto <= (days + 1) * DAY_MS
    assert days // 7 <= len(weekly) <= days // 7 + 2


def test_an_example_that_straggles_is_judged_by_what_was_known_when_it_was_asked() -> None:
    """Partitions go through the past apart from each other."""
    examples = [example(asked) for asked in range(100)]
    known = lessons_known([*examples, example(70)])
    assert known[-1] == known[70] > 0


def test_a_model_is_not_kept_as_of_a_day_before_what_it_learned() -> None:
    """The example that makes enough of them straggles by four weeks."""
    learning = Prequential({"noted": Noted}, champion="noted")
    for _ in range(LEARNED_AT_LEAST):
        learning.learn(example(40))
    learning.learn(example(12))
    assert learning.kept is None
    learning.learn(example(41))
    assert learning.kept_at == day(41 + HORIZON_DAYS) // DAY_MS * DAY_MS


def test_all_models_are_judged_by_the_same_examples() -> None:
    """Of what straggles beyond the snapshots of the champion, the shadows say nothing either."""
    learning = Prequential({"noted": Noted, "shadow": Noted}, "noted", least=1)
    dropped = 200 - STRAGGLE_MS // DAY_MS
    for asked in [*range(200), *range(dropped - 20, dropped + 20)]:
        learning.learn(example(asked))
    noted, shadow = (each.all_time.quality().examples for each in learning.contestants.values())
    assert noted == shadow
    assert 200 - HORIZON_DAYS < noted < 200 - HORIZON_DAYS + 39


class Fails(Noted):
    """Answers with no probability from its fortieth lesson on."""

    def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
        return {False: 0.0, True: math.nan if self.lessons >= 40 else 0.5}


class Raises(Noted):
    def learn_one(self, x: Inputs, y: bool) -> None:
        super().learn_one(x, y)
        if self.lessons == 40:
            raise ZeroDivisionError("a lesson too much")


@pytest.mark.parametrize("kind", [Fails, Raises])
def test_a_shadow_that_fails_is_switched_off_and_the_others_go_on(kind: type[Noted]) -> None:
    """Once told, with its reason."""
    learning = Prequential({"noted": Noted, "shadow": kind}, "noted", least=1)
    incidents = [each for asked in range(80) for each in learning.learn(example(asked))]
    assert [(each.model, each.is_off) for each in incidents] == [("shadow", True)]
    assert "nan" in incidents[0].reason or "a lesson too much" in incidents[0].reason
    assert learning.contestants["noted"].all_time.quality().examples == 80 - HORIZON_DAYS - 1


def test_a_champion_that_fails_goes_on_as_it_was_when_last_kept() -> None:
    """It loses the lessons since, and learns on."""
    learning = Prequential({"champion": Raises}, "champion", least=1)
    incidents = [each for asked in range(60) for each in learning.learn(example(asked))]
    assert all(not each.is_off for each in incidents)
    assert incidents
    model = learning.contestants["champion"].model
    assert isinstance(model, Noted)
    assert model.lessons == 39
