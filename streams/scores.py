"""What do the models in force say of customers, and what does that change in their rows?

Many at once: a fold notes who is to be scored and their state then (Waiting), and the models answer for
all of them together, before anything that depends on it goes on. When they answer changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from projections import customer as customers
from projections.customer import Customer, Packed
from projections.parameters import Parameters
from projections.scoring import bands, columns, features, questions
from projections.scoring.questions import Ended, Moment, Question
from projections.scoring.snapshots import Scorer, inputs_of
from projections.scoring.target import Asked, Target
from schemas.events import ExampleMatured, ScoresChanged
from streams.log import Record, quick
from streams.outputs import output_id
from streams.rows import CustomerRow, Score, Scored, due_of

Scorers = Mapping[int, Scorer | None]
Questions = Sequence[tuple[Target, Asked]]
NO_SCORERS: Scorers = {}


class Waiting(NamedTuple):
    """A customer who is to be scored, as it was at `at` (ms)."""

    key: bytes
    at: int
    state: Packed
    kept: Questions  # those that are learned from once their horizons have ended
    record: Record  # whose processing asked
    place: int  # of the outputs that come before


class Answer(NamedTuple):
    """What the models in force say of a customer who waits."""

    scores: dict[str, Score]  # by target
    unanswered: tuple[str, ...]  # targets that were asked
    features: bytes  # of questions that are kept


class Change(NamedTuple):
    """A score moved to another band, or is no more. The first band of a score is no change."""

    target: str
    before: Score
    after: Score | None


def answers(waiting: Sequence[Waiting], parameters: Parameters, scorers: Scorers) -> list[Answer]:
    """What the models in force answer to each."""
    states, moments = [customers.unpack(each.state) for each in waiting], [each.at for each in waiting]
    known = columns.of(states, moments)
    packed = columns.packed(known)
    asked = questions.asked_of(parameters.scoring.targets, states, moments)
    features = [b""] * len(waiting)
    for place, each in enumerate(waiting):
        if each.kept:  # what is kept is what is scored
            known[:, place] = packed[place]
            features[place] = packed[place].tobytes()
            for its, _ in each.kept:
                if its.asked_at is not None:
                    asked[its.name].append(place)
    inputs = inputs_of(known)
    scores: list[dict[str, Score]] = [{} for _ in waiting]
    unanswered: list[tuple[str, ...]] = [()] * len(waiting)
    for target, model in parameters.models.items():
        offset = model.offset
        if (scorer := scorers.get(offset)) is not None and (places := asked.pop(target, [])):
            said = scorer.of(inputs[:, places])
            told = bands.of_many(said, parameters.scores.get(target))
            for place, probability, band in zip(places, said, told, strict=True):
                scores[place][target] = Score(probability, offset, moments[place], band)
    for target, places in asked.items():
        for place in places:
            unanswered[place] += (target,)
    return [quick(Answer, each) for each in zip(scores, unanswered, features, strict=True)]


def rescored(row: CustomerRow, each: Waiting, answer: Answer) -> tuple[CustomerRow, list[Change]]:
    """The row with its new scores and open questions, and the scores that moved to another band.

    A target that is no longer asked has no score any more; one that is asked at events keeps its last.
    """
    was, scores, changes = row.scored, dict(answer.scores), []
    for target, score in was.scores.items():
        after = scores.get(target)
        if after is None and (target in answer.unanswered or not questions.is_on_cadence(target)):
            scores[target] = after = score
        if score.band is not None and score.band != _band(after):
            changes.append(Change(target, score, after))
    still_open = questions.added(was.open, _moment(each, answer)) if each.kept else was.open
    scored = Scored(was.ask_ms, was.end_ms, still_open, scores)
    return replace(row, scored=scored), sorted(changes)


def ended(
    customer_id: str, row: CustomerRow, state: Customer, now: int, every_days: int
) -> tuple[CustomerRow, list[Ended]]:
    """The row without the questions whose horizons have ended before `now`, and those."""
    done, left = questions.ended(questions.decode(row.scored.open), state, now)
    end_ms = questions.next_end(customer_id, left, every_days)
    scored = replace(row.scored, open=questions.encode(left), end_ms=end_ms)
    return replace(row, scored=scored, next_due_ms=due_of(row.change_ms, scored, row.told)), done


def example(customer_id: str, partition: int, ended: Ended, now: int, received_at: int) -> ExampleMatured:
    moment, question = ended.moment, ended.question
    return ExampleMatured(
        event_id=output_id(customer_id, moment.asked_at, "example", question.target, question.subject),
        occurred_at=now,
        received_at=received_at,
        customer_id=customer_id,
        target=question.target,
        about=str(question.subject) if question.subject else "",
        asked_at=moment.asked_at,
        ends_at=question.until,
        features_version=features.VERSION,
        features=moment.features,
        probability=question.probability,
        model_offset=question.model_offset,
        label=ended.label,
        asked_partition=partition,
        asked_offset=moment.offset,
    )


def changed(customer_id: str, topic: str, partition: int, each: Waiting, change: Change) -> ScoresChanged:
    after = change.after
    cause = output_id(topic, partition, each.record.offset, customer_id, each.at, "score", change.target)
    return ScoresChanged(
        event_id=cause,
        occurred_at=each.at,
        received_at=each.record.timestamp_ms,
        customer_id=customer_id,
        target=change.target,
        from_band=change.before.band,
        to_band=_band(after),
        probability=None if after is None else after.probability,
        model_offset=None if after is None else after.model_offset,
        cause_topic=topic,
        cause_partition=partition,
        cause_offset=each.record.offset,
    )


def _moment(each: Waiting, answer: Answer) -> Moment:
    kept = []
    for target, asked in each.kept:
        found = answer.scores.get(target.name)
        probability, offset = (None, None) if found is None else (found.probability, found.model_offset)
        kept.append(Question(target.name, asked.until, asked.subject, probability, offset))
    return Moment(each.at, answer.features, each.record.offset, tuple(kept))


def _band(score: Score | None) -> str | None:
    return None if score is None else score.band
