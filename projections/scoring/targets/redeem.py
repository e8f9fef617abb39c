"""Will the customer redeem a coupon of the campaign that was just sent, within 30 days of its start?"""

from projections.campaigns import REDEMPTIONS
from projections.compact import hash64
from projections.customer import Customer
from projections.scoring.target import Asked, Target
from projections.times import DAY_MS
from schemas.events import CampaignSent, CustomerEvent

HORIZON_DAYS = 30


def anyone(state: Customer, as_of: int) -> bool:  # noqa: ARG001
    return True


def at_a_send(event: CustomerEvent) -> Asked | None:
    """The campaign starts when it says; where it does not, with the message."""
    if not isinstance(event, CampaignSent):
        return None
    starts_at = event.occurred_at if event.starts_on is None else event.starts_on * DAY_MS
    return Asked(event.occurred_at, starts_at + HORIZON_DAYS * DAY_MS, hash64(event.campaign_id))


def redeemed(state: Customer, asked: Asked) -> bool:
    """Of the latest 16 redemptions."""
    return any(
        asked.at < at <= asked.until and campaign == asked.subject
        for at, campaign in REDEMPTIONS.items(state.campaigns.redemptions)
    )


TARGET = Target(
    name="redeem",
    meaning="redeems a coupon of the campaign within 30 days of its start",
    horizon_days=HORIZON_DAYS,
    eligible=anyone,
    happened=redeemed,
    asked_at=at_a_send,
)
