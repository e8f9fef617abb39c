"""What does the customer say of us, in surveys and in reviews?

Scores are kept as parts of 10,000 of their scale: whole numbers add up the same in every order, floats do
not.
"""

from math import isfinite
from typing import NamedTuple

from msgspec import Struct

from projections.compact import Tally, clip, id64, later, put
from projections.parameters import Parameters
from projections.times import moment
from schemas.events import Event, ReviewPosted, SurveyAnswered

HANDLES = frozenset({SurveyAnswered, ReviewPosted})

WHOLE = 10_000
KINDS, KIND_BYTES = 8, 16
SURVEYS = Tally(f"{KIND_BYTES}s", counters=4, limit=KINDS, keep_greatest=False)
# kind: answers, sum of scores, promoters (9 and 10 of 10), detractors (0 to 6 of 10)
PROMOTER, DETRACTOR = 9, 6  # Reichheld, "The One Number You Need to Grow", 2003


class Score(NamedTuple):
    at: int
    event: int
    score: int  # of WHOLE


class Feedback(Struct, frozen=True, array_like=True, gc=False):
    surveys: bytes = b""  # SURVEYS
    latest: dict[str, Score] = {}  # by kind, those answered last
    reviews: int = 0
    ratings: int = 0  # sum, of WHOLE each
    latest_review: Score | None = None


class SurveyView(Struct, frozen=True, gc=False):
    answers: int
    mean: float  # 0 to 1 of the scale
    latest: float | None
    net_promoter: float | None  # -100 to 100; only of kind nps


class FeedbackView(Struct, frozen=True, gc=False):
    surveys: dict[str, SurveyView]  # by kind
    reviews: int
    mean_rating: float | None  # 0 to 1 of the most stars
    latest_rating: float | None


ZERO = Feedback()


def zero() -> Feedback:
    return ZERO


def evolve(state: Feedback, event: Event) -> Feedback:
    match event:
        case SurveyAnswered():
            part = _of_scale(event.score, event.scale_min, event.scale_max)
            if part is None:
                return state
            kind = clip(event.kind, KIND_BYTES)
            promoter, detractor = event.score >= PROMOTER, event.score <= DETRACTOR
            return Feedback(
                SURVEYS.add(state.surveys, (kind.encode(),), 1, part, promoter, detractor),
                put(state.latest, {kind: _stamped(event, part)}, KINDS),
                state.reviews,
                state.ratings,
                state.latest_review,
            )
        case ReviewPosted():
            part = _of_scale(event.rating, 0, event.rating_max)
            if part is None:
                return state
            return Feedback(
                state.surveys,
                state.latest,
                state.reviews + 1,
                state.ratings + part,
                later(state.latest_review, _stamped(event, part)),
            )
        case _:
            return state


def combine(a: Feedback, b: Feedback) -> Feedback:
    return Feedback(
        SURVEYS.merge(a.surveys, b.surveys),
        put(a.latest, b.latest, KINDS),
        a.reviews + b.reviews,
        a.ratings + b.ratings,
        later(a.latest_review, b.latest_review),
    )


def view(state: Feedback, as_of: int, parameters: Parameters) -> FeedbackView:
    del as_of, parameters
    surveys = {}
    for (raw_kind,), (answers, total, promoters, detractors) in SURVEYS.items(state.surveys):
        kind = raw_kind.rstrip(b"\0").decode()
        last = state.latest.get(kind)
        surveys[kind] = SurveyView(
            answers,
            round(total / answers / WHOLE, 4),
            None if last is None else last.score / WHOLE,
            round(100 * (promoters - detractors) / answers, 1) if kind == "nps" else None,
        )
    return FeedbackView(
        surveys,
        state.reviews,
        round(state.ratings / state.reviews / WHOLE, 4) if state.reviews else None,
        None if state.latest_review is None else state.latest_review.score / WHOLE,
    )


def _of_scale(score: float, least: int, most: int) -> int | None:
    """The score as a part of WHOLE; None for what is no score on that scale's line."""
    if not isfinite(score) or most <= least:
        return None
    return round(max(0.0, min((score - least) / (most - least), 1.0)) * WHOLE)


def _stamped(event: Event, part: int) -> Score:
    return Score(moment(event.occurred_at), id64(event.event_id), part)
