"""What does a trigger bring? The difference between who was told and who was held out, with its interval.

The 95 % interval is Newcombe's hybrid score interval without continuity correction, from the Wilson interval
of each arm. Source: R. G. Newcombe, Interval estimation for the difference between independent proportions:
comparison of eleven methods, Statistics in Medicine 17 (1998) 873-890, method 10.
"""

from math import hypot, sqrt
from typing import NamedTuple

ENOUGH = 100  # customers an arm
Z = 1.959963984540054  # the normal distribution's 97.5th percentile


class Arm(NamedTuple):
    """Customers who are compared, and how many of them reached the goal."""

    customers: int
    reached: int

    @property
    def rate(self) -> float | None:
        """The share that reached it; None of nobody."""
        return self.reached / self.customers if self.customers else None


class Uplift(NamedTuple):
    """The rate of the told less that of the held out, and between which values it is, at 95 %."""

    difference: float
    low: float
    high: float


def uplift(told: Arm, held_out: Arm) -> Uplift | None:
    """None below ENOUGH customers in either arm: too few to say."""
    return difference(told, held_out) if min(told.customers, held_out.customers) >= ENOUGH else None


def difference(a: Arm, b: Arm) -> Uplift:
    """The rate of `a` less that of `b`; neither may be empty."""
    p, q = a.reached / a.customers, b.reached / b.customers
    (a_low, a_high), (b_low, b_high) = wilson(a), wilson(b)
    low, high = p - q - hypot(p - a_low, b_high - q), p - q + hypot(a_high - p, q - b_low)
    return Uplift(p - q, max(-1.0, low), min(1.0, high))  # floats may round beyond


def wilson(arm: Arm) -> tuple[float, float]:
    """The score interval of an arm's rate, without continuity correction."""
    n, p = arm.customers, arm.reached / arm.customers
    middle = p + Z * Z / (2 * n)
    half = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + Z * Z / n)), min(1.0, (middle + half) / (1 + Z * Z / n))


def words(told: Arm, held_out: Arm, goal: str, outcome_days: int) -> str:
    """What the comparison says, in a sentence or two."""
    found = uplift(told, held_out)
    if found is None:
        return (
            f"Not enough yet: {told.customers:,} told and {held_out.customers:,} held out, each with "
            f"{outcome_days} days behind them; it takes {ENOUGH} of either."
        )
    points = [f"{100 * each:+.1f}" for each in found]
    leaves_out = "" if found.low <= 0 <= found.high else " The interval leaves out 0."
    return (
        f"{_share(told)} told and {_share(held_out)} held out had {goal} within {outcome_days} days: a "
        f"difference of {points[0]} points (95 % interval {points[1]} to {points[2]}).{leaves_out}"
    )


def _share(arm: Arm) -> str:
    return f"{100 * arm.reached / arm.customers:.1f} % of {arm.customers:,}"
