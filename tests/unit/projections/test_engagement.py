"""Is every event of a customer seen, and counted where it belongs?"""

from projections import engagement
from projections.engagement import EngagementView
from projections.parameters import Parameters
from schemas.events import EVENT_TYPES, CampaignPlanned, CustomerEvent, PageViewed
from tests.unit.projections.histories import common, day, fold, on, order


def test_first_and_last_seen_are_event_times() -> None:
    """A late event moves first_seen_at back and nothing forward; months are counted since January 1970."""
    events = [order(on(2026, 3, 1), channel="web"), PageViewed(**common(on(2026, 1, 1)), url="/")]
    assert engagement.view(fold(engagement, events), day(0), Parameters()) == EngagementView(
        first_seen_at=on(2026, 1, 1),
        last_seen_at=on(2026, 3, 1),
        channels={"web": 1},
        events={"OrderPlaced": 1, "PageViewed": 1},
        months={56 * 12: 1, 56 * 12 + 2: 1},
    )


def test_every_type_of_customer_event_is_handled() -> None:
    """What happens with a customer is seen, whatever it is."""
    assert {kind for kind in EVENT_TYPES.values() if issubclass(kind, CustomerEvent)} == engagement.HANDLES


def test_a_planned_campaign_is_no_sight_of_a_customer() -> None:
    """An event without a customer changes nothing."""
    planned = CampaignPlanned(
        event_id="e", occurred_at=1, received_at=1, campaign_id="c", name="n", starts_on=1
    )
    assert engagement.evolve(engagement.ZERO, planned) is engagement.ZERO


def test_channels_beyond_the_bound_count_as_other() -> None:
    """Twelve channels by name."""
    events = [order(day(0), channel=f"channel-{n:02}") for n in range(15)]
    seen = fold(engagement, events).channels
    assert (len(seen), seen["channel-11"], seen["other"]) == (13, 1, 3)
