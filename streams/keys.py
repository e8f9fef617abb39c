"""Which key does an event's record have on headwater.events?"""

from schemas.events import CampaignPlanned, CustomerEvent, Event


def key_of(event: Event) -> bytes:
    """The customer's id, or a campaign's; raises ValueError for the engine's own events, which have none."""
    if isinstance(event, CustomerEvent):
        return event.customer_id.encode()
    if isinstance(event, CampaignPlanned):
        return event.campaign_id.encode()
    raise ValueError(f"{type(event).__name__} is the engine's own event: it cannot be appended from outside.")
