"""Does every model keep to one contract, and to River's?"""

import math
import pickle
from random import Random

import pytest
from river import checks, optim, preprocessing
from river.utils import VectorDict

from projections.scoring import features
from projections.scoring.models import (
    CLIPPED_AT,
    INPUTS,
    MODELS,
    AdaGrad,
    BadModel,
    Inputs,
    Model,
    Scaler,
    inputs,
    probability,
)

EXAMPLES = 600
models = pytest.mark.parametrize("name", MODELS)


def lesson(random: Random) -> tuple[Inputs, bool]:
    """A customer who orders the likelier, the more orders of the last 30 days there are."""
    values: list[float | None] = [random.uniform(0, 5) for _ in features.NAMES]
    if random.random() < 0.4:
        values[features.NAMES.index("mean_gap_days")] = None
    orders = random.randrange(6)
    values[features.NAMES.index("orders_30d")] = float(orders)
    return inputs(tuple(values)), random.random() < 0.05 + 0.17 * orders


def taught(name: str, seed: int = 1, examples: int = EXAMPLES) -> Model:
    random, model = Random(seed), MODELS[name]()
    for _ in range(examples):
        model.learn_one(*lesson(random))
    return model


@models
def test_a_model_keeps_to_the_conventions_of_river(name: str) -> None:
    """River's own checks: pure predictions, clones, pickles, missing and new inputs."""
    checks.check_estimator(MODELS[name]())


@models
def test_a_model_that_learned_nothing_says_a_half(name: str) -> None:
    assert probability(MODELS[name](), inputs((None,) * len(features.NAMES))) == 0.5


@models
def test_a_model_learns_what_there_is_to_learn(name: str) -> None:
    """Of new customers, those who order are mostly above those who do not."""
    model, random = taught(name, examples=3_000), Random(2)
    judged = [lesson(random) for _ in range(1_000)]
    ordered = [probability(model, x) for x, y in judged if y]
    others = [probability(model, x) for x, y in judged if not y]
    above = sum((a > b) + (a == b) / 2 for a in ordered for b in others) / len(ordered) / len(others)
    assert above > 0.7


@models
def test_the_same_lessons_give_the_same_model(name: str) -> None:
    """To the bit, in the same order; and one that was pickled on the way learns on like the other."""
    x, _ = lesson(Random(3))
    once, again = taught(name), taught(name)
    assert probability(once, x) == probability(again, x)
    kept: Model = pickle.loads(pickle.dumps(once))
    random = Random(4)
    for _ in range(200):
        each = lesson(random)
        once.learn_one(*each)
        kept.learn_one(*each)
    assert probability(once, x) == probability(kept, x)


@models
def test_an_explanation_says_what_it_was(name: str) -> None:
    """The one input that matters adds most to the log-odds, where it is at its end."""
    x = lesson(Random(3))[0] | {"orders_30d": math.log1p(5)}
    explained = taught(name, examples=10_000).explain_one(x)
    assert set(explained) <= set(INPUTS)
    assert all(map(math.isfinite, explained.values()))
    assert max(explained, key=lambda each: explained[each]) == "orders_30d"


def test_the_explanation_of_a_linear_model_adds_up() -> None:
    """To the log-odds, with the intercept."""
    model, (x, _) = taught("logistic"), lesson(Random(3))
    odds = math.log(probability(model, x) / (1 - probability(model, x)))
    assert sum(model.explain_one(x).values()) + model.regression.intercept == pytest.approx(odds)  # type: ignore[attr-defined]


def test_an_outlier_does_not_decide() -> None:
    """What is a thousand deviations away counts like what is four away."""
    model, (x, _) = taught("logistic"), lesson(Random(3))
    far, farther = (probability(model, x | {"orders_30d": value}) for value in (1e3, 1e6))
    assert far == farther < 1


def test_what_is_no_probability_is_refused() -> None:
    class Mad:
        def predict_proba_one(self, x: Inputs) -> dict[bool, float]:
            return {False: 0.0, True: math.nan}

    with pytest.raises(BadModel, match="nan"):
        probability(Mad(), {})  # type: ignore[arg-type]


def test_an_input_that_is_missing_is_not_there_and_its_group_is_flagged() -> None:
    """And what spans orders of magnitude is a logarithm."""
    values = dict.fromkeys(features.NAMES) | {"recency_days": math.e - 1, "channels": 3.0, "seen_days": 0.0}
    flags = {"no_gap": 1.0, "no_engagement": 0.0, "no_campaigns": 1.0, "no_service": 1.0, "no_feedback": 1.0}
    assert (
        inputs(tuple(values.values()))
        == {
            "recency_days": pytest.approx(1.0),
            "channels": 3.0,
            "seen_days": 0.0,
        }
        | flags
    )


def test_our_adagrad_steps_as_that_of_river() -> None:
    """To the bit."""
    random, ours, rivers = Random(4), AdaGrad(0.03), optim.AdaGrad(0.03)
    weights = [VectorDict(None, optim.initializers.Zeros()) for _ in range(2)]
    for _ in range(200):
        gradient = {name: random.gauss(0, 1) for name in random.sample(INPUTS, 20)}
        for optimizer, learned in zip((ours, rivers), weights, strict=True):
            optimizer.step(learned, VectorDict(gradient))
    assert weights[0].to_dict() == weights[1].to_dict()
    assert (ours.g2, ours.n_iterations) == (rivers.g2, rivers.n_iterations)


def test_our_scaler_scales_as_that_of_river() -> None:
    """To the bit, but for what is beyond four deviations."""
    random, ours, rivers = Random(5), Scaler(), preprocessing.StandardScaler()
    for _ in range(200):
        x = {name: random.lognormvariate(0, 2) for name in random.sample(INPUTS, 20)}
        ours.learn_one(x)
        rivers.learn_one(x)
        scaled = rivers.transform_one(x)
        clipped = {name: max(-CLIPPED_AT, min(each, CLIPPED_AT)) for name, each in scaled.items()}
        assert ours.transform_one(x) == clipped
    assert (ours.counts, ours.means, ours.vars) == (rivers.counts, rivers.means, rivers.vars)
