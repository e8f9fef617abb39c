"""What is predicted: of whom, when, and by what is it judged?"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

from projections import orders
from projections.customer import Customer
from projections.times import DAY_MS
from schemas.events import CustomerEvent

LONGEST_DAYS = 366


class BadTargets(ValueError):
    """A target cannot be learned; the message says what to change."""


class Asked(NamedTuple):
    """One question: will it happen after `at` and up to `until` (ms)? `subject`: the campaign, or 0."""

    at: int
    until: int
    subject: int = 0


Eligible: TypeAlias = Callable[[Customer, int], bool]
AskedAt: TypeAlias = Callable[[CustomerEvent], Asked | None]


class Target(NamedTuple):
    """A target. It is asked on the calendar, or at each event for which `asked_at` has a question.

    `eligible` and `happened` are pure functions of a customer's state: the one as of the moment it is asked,
    the other as of any moment from `until` on.
    """

    name: str
    meaning: str  # goes on from "the customer …"
    horizon_days: int
    eligible: Eligible
    happened: Callable[[Customer, Asked], bool]
    asked_at: AskedAt | None = None

    def asked_on(self, at: int) -> Asked:
        """The question of the calendar at `at` (ms)."""
        return Asked(at, at + self.horizon_days * DAY_MS)


def check(target: Target) -> None:
    """Raises BadTargets."""
    if not 1 <= target.horizon_days <= LONGEST_DAYS:
        raise BadTargets(
            f"The target {target.name} has a horizon of {target.horizon_days} days: give it 1 to "
            f"{LONGEST_DAYS}."
        )


@cache
def has_ordered_within(days: int) -> Eligible:
    """Eligible is who has an order that is not cancelled, the last one at most so many whole days ago."""

    def eligible(state: Customer, as_of: int) -> bool:
        last_at = orders.last_at(state.orders)
        return last_at is not None and (as_of - last_at) // DAY_MS <= days

    return eligible


def ordered(state: Customer, asked: Asked) -> bool:
    """Whether an order, not cancelled by now, is after `at` and up to `until`; of the latest 32."""
    return any(asked.at < order[0] <= asked.until for order in orders.kept(state.orders))


def not_ordered(state: Customer, asked: Asked) -> bool:
    return not ordered(state, asked)
