"""Is a model that was kept the same one, and does it score many as it scores one?"""

import subprocess
import sys
from random import Random
from typing import get_args

import msgspec
import numpy as np
import pytest

from projections.scoring import features, snapshots
from projections.scoring.features import Values
from projections.scoring.models import INPUTS, MODELS, Cohorts, Logistic, inputs, probability
from projections.scoring.snapshots import OtherFeatures, Scorer
from streams.settings import Settings

LARGEST = 1 << 20


def customers(number: int, seed: int = 1) -> list[Values]:
    """Features as wild as they come, some of them missing."""
    random = Random(seed)
    return [
        tuple(None if random.random() < 0.2 else random.lognormvariate(0, 2) for _ in features.NAMES)
        for _ in range(number)
    ]


KINDS: dict[str, type[Logistic] | type[Cohorts]] = {"logistic": Logistic, "cohorts": Cohorts}
every_champion = pytest.mark.parametrize("name", KINDS)


def taught(name: str, lessons: int = 800) -> Logistic | Cohorts:
    model, random = KINDS[name](), Random(2)
    for values in customers(lessons, 2):
        model.learn_one(inputs(values), random.random() < 0.3)
    return model


def test_each_model_that_can_be_kept_is_one() -> None:
    assert set(KINDS) <= MODELS.keys()
    assert set(get_args(Settings.model_fields["champion"].annotation)) == set(KINDS)


@every_champion
def test_a_model_that_was_kept_learns_on_as_it_would_have(name: str) -> None:
    """To the bit."""
    whole, kept = taught(name), snapshots.load(name, snapshots.dump(taught(name)))
    assert snapshots.dump(kept) == snapshots.dump(whole)
    for model in (whole, kept):
        for values in customers(300, 3):
            model.learn_one(inputs(values), values[0] is None)
    assert snapshots.dump(kept) == snapshots.dump(whole)


def test_a_snapshot_is_the_same_bytes_in_any_process() -> None:
    """Whatever the seed of its hashes is."""
    command = (
        "import sys; from tests.unit.projections.scoring.test_snapshots import *; "
        "sys.stdout.buffer.write(snapshots.dump(taught('logistic')))"
    )
    elsewhere = [
        subprocess.run(
            [sys.executable, "-c", command], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert elsewhere == [snapshots.dump(taught("logistic"))] * 2


@every_champion
def test_a_snapshot_is_small(name: str) -> None:
    assert len(snapshots.dump(taught(name))) < LARGEST


def test_the_inputs_by_column_are_those_of_each_customer() -> None:
    """To the bit: counts, and what is beyond those that are looked up."""
    asked = [*customers(50), tuple(float(n) for n in range(1_000, 1_000 + len(features.NAMES)))]
    for found, values in zip(snapshots.inputs_of(np.array(asked, np.float64).T).T, asked, strict=True):
        known = {name: value for name, value in zip(INPUTS, found.tolist(), strict=True) if value == value}
        assert known == inputs(values)


@every_champion
def test_a_scorer_says_what_its_model_says(name: str) -> None:
    model, asked = taught(name), customers(200, 5)
    scores = Scorer(name, snapshots.dump(model)).many(asked)
    assert scores == pytest.approx([probability(model, inputs(values)) for values in asked], abs=1e-12)


@every_champion
def test_a_customer_scored_alone_has_the_same_score_as_among_others(name: str) -> None:
    """To the bit, so that a score can be told again."""
    scorer, asked = Scorer(name, snapshots.dump(taught(name))), customers(777, 5)
    together = scorer.many(asked)
    assert together == [scorer.many([values])[0] for values in asked]
    assert together == [p for start in range(0, 777, 100) for p in scorer.many(asked[start : start + 100])]
    assert scorer.many([]) == []


@every_champion
def test_a_scorer_of_a_model_without_lessons_says_a_half(name: str) -> None:
    assert Scorer(name, snapshots.dump(KINDS[name]())).many(customers(3)) == [0.5] * 3


@every_champion
def test_a_snapshot_of_other_features_is_refused(name: str) -> None:
    kept = msgspec.msgpack.decode(snapshots.dump(taught(name, 5)))
    other = msgspec.msgpack.encode([features.VERSION + 1, *kept[1:]])
    with pytest.raises(OtherFeatures, match="learn again"):
        Scorer(name, other)


def test_a_snapshot_of_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(OtherFeatures, match="oracle"):
        Scorer("oracle", b"")
