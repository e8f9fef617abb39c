"""What did marketing send the customer, and how did the customer respond?"""

from msgspec import Struct

from projections.compact import Latest, hash64
from projections.parameters import Parameters
from projections.times import moment
from schemas.events import (
    CampaignBounced,
    CampaignClicked,
    CampaignComplained,
    CampaignOpened,
    CampaignSent,
    CampaignUnsubscribed,
    CouponRedeemed,
    Event,
    ReferralMade,
)

ACTIONS: dict[type[Event], str] = {
    CampaignSent: "sent",
    CampaignOpened: "opened",
    CampaignClicked: "clicked",
    CampaignBounced: "bounced",
    CampaignComplained: "complained",
    CampaignUnsubscribed: "unsubscribed",
    CouponRedeemed: "redeemed",
    ReferralMade: "referred",
}
HANDLES = frozenset(ACTIONS)
BY_MACHINE = "opened_by_machine"  # a mail program that opens everything says nothing about the customer

SENDS = Latest("QQ", limit=16)  # time, hash of the campaign id
REDEMPTIONS = Latest("QQ", limit=16)  # as sends, where the coupon names its campaign


class Campaigns(Struct, frozen=True, array_like=True, gc=False):
    counts: dict[str, int] = {}  # by action
    last: dict[str, int] = {}  # by action, when last, ms
    sends: bytes = b""  # SENDS
    redemptions: bytes = b""  # REDEMPTIONS


class CampaignsView(Struct, frozen=True, gc=False):
    counts: dict[str, int]
    last_at: dict[str, int]  # by action, ms
    open_rate: float | None  # opened ÷ sent; None before the first message
    click_rate: float | None
    sent_at: tuple[int, ...]  # the latest 16, the earliest first, ms


ZERO = Campaigns()


def zero() -> Campaigns:
    return ZERO


def evolve(state: Campaigns, event: Event) -> Campaigns:
    action = ACTIONS.get(type(event))
    if action is None:
        return state
    at = moment(event.occurred_at)
    sends, redemptions = state.sends, state.redemptions
    match event:
        case CampaignOpened(is_automatic=True):
            action = BY_MACHINE
        case CampaignSent(campaign_id=campaign):
            sends = SENDS.add(sends, at, hash64(campaign))
        case CouponRedeemed(campaign_id=str(campaign)):
            redemptions = REDEMPTIONS.add(redemptions, at, hash64(campaign))
    return Campaigns(
        {**state.counts, action: state.counts.get(action, 0) + 1},
        {**state.last, action: max(at, state.last.get(action, 0))},
        sends,
        redemptions,
    )


def combine(a: Campaigns, b: Campaigns) -> Campaigns:
    actions = a.counts.keys() | b.counts.keys()
    return Campaigns(
        {action: a.counts.get(action, 0) + b.counts.get(action, 0) for action in actions},
        {action: max(a.last.get(action, 0), b.last.get(action, 0)) for action in actions},
        SENDS.merge(a.sends, b.sends),
        REDEMPTIONS.merge(a.redemptions, b.redemptions),
    )


def view(state: Campaigns, as_of: int, parameters: Parameters) -> CampaignsView:
    del as_of, parameters
    sent = state.counts.get("sent", 0)
    return CampaignsView(
        state.counts,
        state.last,
        round(state.counts.get("opened", 0) / sent, 4) if sent else None,
        round(state.counts.get("clicked", 0) / sent, 4) if sent else None,
        tuple(at for at, _ in SENDS.items(state.sends)),
    )
