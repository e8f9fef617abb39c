"""What do we know of a customer at a moment, as numbers that a model can learn from?

A pure function of (state, as_of). What happened after `as_of` is not in it as long as the state has no such
event, which is the lane's to see to. What is not known is None, never a number that stands for it.
"""

import math
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from projections import campaigns, engagement, feedback, money, orders, service
from projections.campaigns import Campaigns
from projections.customer import Customer
from projections.engagement import Engagement
from projections.feedback import WHOLE, Feedback
from projections.orders import Orders
from projections.service import Service
from projections.times import DAY_MS, month_of
from schemas.currency import DIGITS

VERSION = 1  # of the features' order and meaning: what one version recorded, no other model reads

WINDOWS_DAYS = (7, 14, 30, 60, 90, 180)
SPEND_WINDOWS_DAYS = (30, 90, 180)
MONTH_DAYS = 30.44
WINDOWS_MS = tuple(days * DAY_MS for days in WINDOWS_DAYS)
SPEND_WINDOWS = tuple(WINDOWS_DAYS.index(days) for days in SPEND_WINDOWS_DAYS)

Value = float | None
Values = tuple[Value, ...]


class Feature(NamedTuple):
    """What a number means; its unit is in its name. `words` say it of a customer, {} being the value.

    A `wide` one spans orders of magnitude, and models take it as log(1 + x).
    """

    name: str
    meaning: str
    words: str
    wide: bool = False


class Part(NamedTuple):
    """The features of one sub-state: as many values as features."""

    features: tuple[Feature, ...]
    values: Callable[[Any, int], Values]


def of(state: Customer, as_of: int) -> Values:
    """The values at `as_of` (ms), in the order of FEATURES; None where a value is not known."""
    return of_orders(state.orders, as_of) + of_engagement(state.engagement, as_of) + of_others(state, as_of)


def of_others(state: Customer, as_of: int) -> Values:
    """All but those of orders and engagement."""
    return (
        of_campaigns(state.campaigns, as_of)
        + of_service(state.service, as_of)
        + of_feedback(state.feedback, as_of)
    )


ORDERS = (
    Feature("recency_days", "days since the last order", "hasn't ordered for {}", wide=True),
    Feature("tenure_days", "days since the first order", "first ordered {} ago", wide=True),
    Feature("orders", "orders so far", "{} orders so far", wide=True),
    Feature(
        "orders_a_month",
        "orders in 30.44 days since the first, the first left out",
        "orders {} times a month",
    ),
    Feature("mean_gap_days", "mean days between orders", "orders every {}", wide=True),
    Feature("last_gap_days", "days between the last two orders", "{} between the last two orders", wide=True),
    Feature(
        "recency_over_gap",
        "recency ÷ the mean gap: over 1, later than usual",
        "{} times the usual gap since the last order",
        wide=True,
    ),
    *(
        Feature(
            f"orders_{days}d", f"orders of the last {days} days", f"{{}} orders in {days} days", wide=True
        )
        for days in WINDOWS_DAYS
    ),
    *(
        Feature(
            f"spend_{days}d",
            f"spend of the last {days} days, in the last order's currency",
            f"spent {{}} in {days} days",
            wide=True,
        )
        for days in SPEND_WINDOWS_DAYS
    ),
    Feature(
        "mean_basket",
        "mean amount of the latest 32 orders, in the last one's currency",
        "spends {} an order",
        wide=True,
    ),
    Feature("last_basket", "amount of the last order", "spent {} the last time", wide=True),
    Feature("refund_share", "refunded ÷ paid, over all orders", "{} refunded"),
    Feature("cancelled_share", "cancelled ÷ placed orders", "{} of the orders cancelled"),
)
_NO_ORDERS: Values = (None,) * len(ORDERS)


def of_orders(state: Orders, as_of: int) -> Values:
    when = orders.moments(state)
    times, amounts, currencies = orders.kept_columns(state)
    if when.last_at is None or when.first_at is None or not times:
        return _NO_ORDERS
    recency = max(0, as_of - when.last_at) / DAY_MS
    tenure = max(0, as_of - when.first_at) / DAY_MS
    gap = last_gap = over_gap = None
    if when.count > 1 and when.previous_at is not None:
        gap = (when.last_at - when.first_at) / DAY_MS / (when.count - 1)
        last_gap = (when.last_at - when.previous_at) / DAY_MS
        over_gap = recency / max(gap, 1.0)
    number, currency = len(times), currencies[-1]
    if currencies.count(currency) < number:
        amounts = [a if code == currency else 0 for a, code in zip(amounts, currencies, strict=True)]
    unit = unit_of(currency)
    starts = [bisect_right(times, as_of - window) for window in WINDOWS_MS]
    return (
        recency,
        tenure,
        float(when.count),
        (when.count - 1) / max(tenure, MONTH_DAYS) * MONTH_DAYS,
        gap,
        last_gap,
        over_gap,
        *[float(number - start) for start in starts],
        *[sum(amounts[starts[window] :]) / unit for window in SPEND_WINDOWS],
        sum(amounts) / number / unit,
        amounts[-1] / unit,
        *shares(state),
    )


@cache
def unit_of(currency: bytes) -> float:
    """How many minor units are one of the currency."""
    return 10.0 ** DIGITS.get(money.currency(currency), 2)


def shares(state: Orders) -> tuple[float, float]:
    if not state.refunds and not state.cancelled:
        return 0.0, 0.0
    placed = back = 0
    for _, (paid, refunded) in orders.SUMS.items(state.sums):
        placed += paid
        back += refunded
    return back / max(placed, 1), state.cancelled / max(state.count, 1)


ENGAGEMENT = (
    Feature("seen_days", "days since any event", "not seen for {}", wide=True),
    Feature("events_a_month", "events in 30.44 days, since the first", "{} events a month", wide=True),
    Feature(
        "events_2_months",
        "events of this calendar month and the last",
        "{} events this month and last",
        wide=True,
    ),
    Feature(
        "engagement_trend",
        "events a month of those two months ÷ of all: under 1, less than usual",
        "{} times the usual activity of late",
    ),
    Feature("channels", "channels used", "{} channels used"),
)


def of_engagement(state: Engagement, as_of: int) -> Values:
    if state.first_seen_at is None or state.last_seen_at is None:
        return (None,) * len(ENGAGEMENT)
    months = max(1.0, (as_of - state.first_seen_at) / DAY_MS / MONTH_DAYS)
    since = month_of(as_of) - 1
    total = sum(state.events.values())
    recent = 0
    for (month,), (events,) in engagement.MONTHS.items(state.months[-3 * engagement.MONTHS.width :]):
        if month >= since:
            recent += events
    rate = total / months
    return (
        max(0, as_of - state.last_seen_at) / DAY_MS,
        rate,
        float(recent),
        recent / min(months, 1.5) / rate,
        float(len(state.channels)),
    )


CAMPAIGNS = (
    Feature("sends", "campaign messages sent", "{} campaign messages", wide=True),
    Feature("sent_days", "days since the last one", "last message {} ago", wide=True),
    Feature("opens_a_send", "messages opened ÷ sent", "opens {} of each message"),
    Feature("clicks_a_send", "messages clicked ÷ sent", "clicks {} times a message"),
    Feature("redemptions", "coupons redeemed", "{} coupons redeemed", wide=True),
    Feature("redeemed_days", "days since the last coupon was redeemed", "last coupon {} ago", wide=True),
    Feature(
        "redeemed_share",
        "campaigns of which a coupon was redeemed ÷ messages sent, of the latest 16",
        "redeems in {} of the campaigns",
    ),
    Feature(
        "is_unsubscribed",
        "1 if the customer ever unsubscribed or complained",
        "unsubscribed or complained: {}",
    ),
)


def of_campaigns(state: Campaigns, as_of: int) -> Values:
    if state == campaigns.ZERO:
        return (None,) * len(CAMPAIGNS)
    counts = state.counts
    sent, redeemed = counts.get("sent", 0), counts.get("redeemed", 0)
    sends = [campaign for _, campaign in campaigns.SENDS.items(state.sends)]
    used = {campaign for _, campaign in campaigns.REDEMPTIONS.items(state.redemptions)}
    return (
        float(sent),
        max(0, as_of - state.last["sent"]) / DAY_MS if sent else None,
        counts.get("opened", 0) / sent if sent else None,
        counts.get("clicked", 0) / sent if sent else None,
        float(redeemed),
        max(0, as_of - state.last["redeemed"]) / DAY_MS if redeemed else None,
        sum(campaign in used for campaign in sends) / len(sends) if sends else None,
        float("unsubscribed" in counts or "complained" in counts),
    )


SERVICE = (
    Feature("tickets", "support tickets opened", "{} tickets", wide=True),
    Feature("open_tickets", "of the latest 16, those not resolved", "{} open tickets"),
    Feature("ticket_days", "days since the last ticket was opened", "last ticket {} ago", wide=True),
    Feature("contacts", "calls, visits, messages logged", "{} calls and messages", wide=True),
    Feature("claims", "warranty claims", "{} warranty claims", wide=True),
)


def of_service(state: Service, as_of: int) -> Values:
    if state == service.ZERO:
        return (None,) * len(SERVICE)
    opened = service.TICKETS.items(state.latest_opened)
    resolved = {ticket for _, ticket in service.TICKETS.items(state.latest_resolved)}
    return (
        float(state.opened),
        float(sum(ticket not in resolved for _, ticket in opened)),
        max(0, as_of - opened[-1][0]) / DAY_MS if opened else None,
        float(sum(state.contacts.values())),
        float(state.claims),
    )


FEEDBACK = (
    Feature("satisfaction", "mean of all survey answers, 0 to 1 of their scales", "{} satisfied"),
    Feature(
        "latest_satisfaction", "the latest survey answer, 0 to 1 of its scale", "{} satisfied, the last time"
    ),
    Feature("mean_rating", "mean of all review ratings, 0 to 1 of the most stars", "rates us {}"),
)


def of_feedback(state: Feedback, as_of: int) -> Values:  # noqa: ARG001  # what was said does not age
    if state == feedback.ZERO:
        return (None,) * len(FEEDBACK)
    answers = total = 0
    for _, (number, scores, _, _) in feedback.SURVEYS.items(state.surveys):
        answers += number
        total += scores
    return (
        total / answers / WHOLE if answers else None,
        max(state.latest.values()).score / WHOLE if state.latest else None,
        state.ratings / state.reviews / WHOLE if state.reviews else None,
    )


FEATURES = ORDERS + ENGAGEMENT + CAMPAIGNS + SERVICE + FEEDBACK
NAMES = tuple(feature.name for feature in FEATURES)


_PACKED = struct.Struct(f"<{len(FEATURES)}f")


def packed(values: Values) -> bytes:
    """The values as 32-bit floats, little endian, NaN for what is not known: as they are kept."""
    return _PACKED.pack(*(math.nan if value is None else value for value in values))


def unpacked(data: bytes) -> Values:
    """The values that were kept; raises struct.error for another number of them."""
    return tuple(None if value != value else value for value in _PACKED.unpack(data))  # NaN


def present(values: Values) -> Iterator[tuple[str, float]]:
    """The known values by name."""
    return ((name, value) for name, value in zip(NAMES, values, strict=True) if value is not None)
