"""Which questions about a customer are open, when is the next one asked, and what became of the oldest?

Kept in the customer's row: until a horizon has passed nobody may know the answer, so nobody looks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from projections.compact import hash64
from projections.customer import NOTHING, Customer
from projections.scoring.target import Asked, AskedAt, Eligible, Target
from projections.scoring.targets import TARGETS
from projections.times import DAY_MS
from schemas.events import CustomerEvent

LOOKED_AFTER_DAYS = 7
OPEN_AT_MOST = 16  # moments with open questions; what is asked beyond them is scored, but not kept
FARTHEST_MS = 400 * DAY_MS  # a campaign that starts later is not asked about


class Question(Struct, frozen=True, array_like=True, gc=False):
    """One target, asked at a moment. The probability is what was answered, if a model was in force."""

    target: str
    until: int
    subject: int
    probability: float | None = None
    model_offset: int | None = None  # of the snapshot, in headwater.models


class Moment(Struct, frozen=True, array_like=True, gc=False):
    """What was known of the customer when questions were asked, and those that are still open."""

    asked_at: int
    features: bytes  # features.packed
    offset: int  # of the record whose processing asked
    open: tuple[Question, ...]


class Ended(NamedTuple):
    """A question whose horizon has passed, with its answer."""

    moment: Moment
    question: Question
    label: bool


_hash64 = lru_cache(maxsize=1_024)(hash64)  # of a customer who is asked about, more than once in a row
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Moment, ...] | None).decode
_split = msgspec.msgpack.Decoder(list[Raw] | None).decode


def decode(kept: Raw) -> tuple[Moment, ...]:
    return _decode(kept) or ()


def encode(moments: Sequence[Moment]) -> Raw:
    return Raw(_encode(moments)) if moments else NOTHING


def added(kept: Raw, moment: Moment) -> Raw:
    """With one more, if there is room for it."""
    moments = _split(kept) or []
    return Raw(_encode([*moments, Raw(_encode(moment))])) if len(moments) < OPEN_AT_MOST else kept


def next_ask(customer_id: str, after: int, every_days: int) -> int:
    """The first moment after `after` (ms) at which the customer is asked about: a cadence of its own."""
    every = every_days * DAY_MS
    place = _hash64(customer_id) % every
    return (after - place) // every * every + every + place


def is_asked_about(customer_id: str, percent: int) -> bool:
    """Whether the customer is of the share that is learned from; the others are scored alone."""
    return percent >= 100 or (hash64(customer_id) >> 32) % 100 < percent


def on_cadence(targets: tuple[str, ...], state: Customer, at: int) -> list[Target]:
    """Which of the targets are asked of the customer at `at`, if it is a moment of its cadence."""
    return [target for eligible, its in _by_eligibility(targets) if eligible(state, at) for target in its]


def asked_of(
    targets: tuple[str, ...], states: Sequence[Customer], moments: Sequence[int]
) -> dict[str, list[int]]:
    """By target, the places of the states of which it is asked on the calendar, each at its moment."""
    found: dict[str, list[int]] = defaultdict(list)
    for eligible, its in _by_eligibility(targets):
        places = [n for n, (state, at) in enumerate(zip(states, moments, strict=True)) if eligible(state, at)]
        for target in its:
            found[target.name] = list(places)
    return found


@lru_cache
def _by_eligibility(targets: tuple[str, ...]) -> list[tuple[Eligible, list[Target]]]:
    """The targets of the calendar, those together that ask the same people."""
    found: dict[Eligible, list[Target]] = {}
    for target in _known(targets):
        if target.asked_at is None:
            found.setdefault(target.eligible, []).append(target)
    return list(found.items())


def at_event(targets: tuple[str, ...], event: CustomerEvent, now: int) -> list[tuple[Target, Asked]]:
    """What an event has asked, of whom is eligible once it is folded.

    An event behind stream time (`now`, ms) asks nothing: the state already knows what came after it.
    """
    return [
        (target, asked)
        for target, asked_at in _asked_at_events(targets)
        if (asked := asked_at(event)) is not None
        and asked.at >= now
        and asked.at < asked.until <= asked.at + FARTHEST_MS
    ]


@lru_cache
def _asked_at_events(targets: tuple[str, ...]) -> list[tuple[Target, AskedAt]]:
    return [(target, target.asked_at) for target in _known(targets) if target.asked_at is not None]


def ended(moments: Sequence[Moment], state: Customer, now: int) -> tuple[list[Ended], list[Moment]]:
    """The questions that ended before `now` (ms), with their answers, and what is still open."""
    done, left = [], []
    for moment in moments:
        still = []
        for question in moment.open:
            if question.until < now:
                asked = Asked(moment.asked_at, question.until, question.subject)
                target = TARGETS.get(question.target)  # None: of a version that had it
                if target is not None:
                    done.append(Ended(moment, question, target.happened(state, asked)))
            else:
                still.append(question)
        if len(still) == len(moment.open):
            left.append(moment)
        elif still:
            left.append(msgspec.structs.replace(moment, open=tuple(still)))
    return done, left


def next_end(customer_id: str, moments: Sequence[Moment], every_days: int) -> int | None:
    """When another horizon has ended, and is looked at (ms)."""
    first = min((question.until for moment in moments for question in moment.open), default=None)
    return None if first is None else looked_at(customer_id, first, every_days)


def looked_at(customer_id: str, end: int, every_days: int) -> int:
    """When a horizon that ends at `end` (ms) is looked at: with the next questions, but within a week."""
    return min(next_ask(customer_id, end, days) for days in {every_days, LOOKED_AFTER_DAYS})


def is_on_cadence(target: str) -> bool:
    """Whether the target is asked on the calendar, and not at events."""
    return target in TARGETS and TARGETS[target].asked_at is None


def _known(targets: Iterable[str]) -> Iterable[Target]:
    return (TARGETS[name] for name in targets if name in TARGETS)
