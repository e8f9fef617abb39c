"""Why is the score what it is? What counted most, in words."""

from collections.abc import Mapping
from typing import NamedTuple

from projections.orders import ORDERS
from projections.scoring.features import FEATURES, NAMES, Values
from projections.scoring.models import FLAGS, Model, inputs

REASONS = 3

FLAG_WORDS = {
    "no_gap": "has ordered once",
    "no_engagement": "was never seen",
    "no_campaigns": "was sent no campaign",
    "no_service": "never asked for help",
    "no_feedback": "never said how satisfied",
}
OPPOSITES = {
    "no_gap": "has ordered again",
    "no_engagement": "was seen",
    "no_campaigns": "was sent campaigns",
    "no_service": "asked for help",
    "no_feedback": "said how satisfied",
}
_WORDS = {feature.name: feature.words for feature in FEATURES}


class Reason(NamedTuple):
    """What one feature adds to the log-odds, and how one would say it; `value` is None if not known."""

    feature: str
    value: float | None
    contribution: float
    words: str


def reasons(model: Model, values: Values, most: int = REASONS) -> list[Reason]:
    """The features that count most, whichever way, the greatest first."""
    known = dict(zip(NAMES, values, strict=True))
    explained = model.explain_one(inputs(values))
    greatest = sorted(explained.items(), key=lambda each: (-abs(each[1]), each[0]))
    return [_reason(name, contribution, known) for name, contribution in greatest[:most] if contribution]


def _reason(name: str, contribution: float, known: Mapping[str, float | None]) -> Reason:
    if name in FLAGS:
        is_missing = known[FLAGS[name]] is None
        words = (FLAG_WORDS if is_missing else OPPOSITES)[name]
        return Reason(FLAGS[name], known[FLAGS[name]], contribution, words)
    value, gap = known[name], known["mean_gap_days"]
    assert value is not None
    words = _WORDS[name].format(_said(name, value))
    if name in ("recency_days", "recency_over_gap") and gap is not None:
        silence = _said("recency_days", known["recency_days"] or 0.0)
        words = f"hasn't ordered for {silence}; usually every {gap:.0f}"
    return Reason(name, value, contribution, words)


def _said(name: str, value: float) -> str:
    if name.endswith("_days"):
        return "1 day" if round(value) == 1 else f"{value:.0f} days"
    if name.endswith("_share") or name in ("satisfaction", "latest_satisfaction", "mean_rating"):
        return f"{value:.0%}"
    if (
        name.startswith("orders_") and name != "orders_a_month" and value >= ORDERS.limit
    ):  # so many are kept one by one
        return f"{value:.0f} or more"
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"
