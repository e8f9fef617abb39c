"""Which questions are asked of a dataset's customers, and what was the answer?

The same projections, targets and features as the engine's, folded in order of time.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bench.models.datasets import Dataset
from projections import customer
from projections.compact import hash64
from projections.customer import Customer
from projections.parameters import Scoring
from projections.scoring import features
from projections.scoring.features import Values
from projections.scoring.prequential import Example
from projections.scoring.target import Asked, Target
from projections.times import DAY_MS


class Row(NamedTuple):
    """A customer at a cut, with what came of it; or a send after it."""

    customer_id: str
    asked: Asked
    values: Values
    label: bool


def examples(dataset: Dataset, target: Target, until: int) -> Iterator[Example]:
    """The target's examples whose horizons end by `until`, in order of these ends."""
    found = [
        Example(row.customer_id, row.asked.at, row.asked.until, row.values, row.label)
        for customer_id, history in dataset.by_customer.items()
        for row in _rows(customer_id, history, _moments(dataset, target, customer_id, until), target, until)
    ]
    return iter(sorted(found, key=lambda each: (each.until, each.asked_at, each.customer_id)))


def at_the_cut(dataset: Dataset, target: Target, cut: int) -> list[Row]:
    """Each eligible customer at the cut; for a target of sends, each in the 90 days after it."""
    first, last = (cut, cut) if target.asked_at is None else (cut + 1, cut + 90 * DAY_MS)
    return [
        row
        for customer_id, history in dataset.by_customer.items()
        for row in _rows(customer_id, history, [cut], target, dataset.end_ms)
        if first <= row.asked.at <= last
    ]


def _moments(dataset: Dataset, target: Target, customer_id: str, until: int) -> list[int]:
    """When the target is asked of the customer: on a cadence that is its own, so that the work is spread."""
    if target.asked_at is not None:
        return []
    every = Scoring().every_days * DAY_MS
    first = dataset.start_ms // every * every + hash64(customer_id) % every
    return list(range(first, until - target.horizon_days * DAY_MS + 1, every))


def _rows(customer_id: str, history: list, moments: list[int], target: Target, until: int) -> Iterator[Row]:
    """Fold the history, ask at each moment or event, and answer as of the end of each horizon."""
    asked = list(_asked(history, moments, target))
    state, place = customer.ZERO, 0
    for question, values in sorted(asked, key=lambda each: each[0].until):
        if question.until > until:
            break
        while place < len(history) and history[place].occurred_at <= question.until:
            state = customer.evolve(state, history[place])
            place += 1
        yield Row(customer_id, question, values, target.happened(state, question))


def _asked(history: list, moments: list[int], target: Target) -> Iterator[tuple[Asked, Values]]:
    state, place = customer.ZERO, 0

    def question(state: Customer, asked: Asked) -> Iterator[tuple[Asked, Values]]:
        if target.eligible(state, asked.at):
            yield asked, features.of(state, asked.at)

    if target.asked_at is None:
        for moment in moments:
            while place < len(history) and history[place].occurred_at <= moment:
                state = customer.evolve(state, history[place])
                place += 1
            if place:
                yield from question(state, Asked(moment, moment + target.horizon_days * DAY_MS))
        return
    for event in history:
        state = customer.evolve(state, event)
        if (asked := target.asked_at(event)) is not None:
            yield from question(state, asked)
