"""Is a customer's answer the contract's?"""

from typing import Any

from msgspec.structs import replace

from projections import customer
from projections.parameters import Boundaries, Parameters
from schemas.events import (
    CampaignSent,
    ClockTicked,
    CustomerRegistered,
    ReviewPosted,
    TicketOpened,
)
from tests.unit.projections.histories import common, fold, on, order

PARAMETERS = Parameters(
    boundaries=Boundaries(0, (141, 432, 485, 512), (1, 1, 2, 4), (15_36, 31_35, 59_92, 133_95), "USD", 23_570)
)
AS_OF = on(1998, 6, 30)
ORDERS = [  # customer 00004 of CDNOW
    order(on(1997, 1, 1), 29_33, channel="web"),
    order(on(1997, 1, 18), 29_73, channel="web"),
    order(on(1997, 8, 2), 14_96, channel="web"),
    order(on(1997, 12, 12), 26_48, channel="web"),
]


def body(events: list[Any], parameters: Parameters = PARAMETERS) -> dict[str, Any]:
    return customer.to_json(customer.view(fold(customer, events), AS_OF, parameters))


def test_the_body_is_the_contracts() -> None:
    """Customer 00004 of CDNOW, as API.md shows it."""
    assert body(ORDERS) == {
        "profile": {
            "traits": {},
            "first_seen_at": "1997-01-01T00:00:00Z",
            "last_seen_at": "1997-12-12T00:00:00Z",
            "channels": {"web": 4},
        },
        "orders": {
            "count": 4,
            "net": "100.50",
            "currency": "USD",
            "first_at": "1997-01-01T00:00:00Z",
            "last_at": "1997-12-12T00:00:00Z",
            "mean_gap_days": 115.0,
        },
        "lifecycle": {
            "stage": "dormant",
            "entered_at": "1998-06-11T00:00:00Z",
            "reason": "no order for 200 days, more than 180",
            "next_change_at": "1998-12-13T00:00:00Z",
        },
        "rfm": {"recency_days": 200, "frequency": 4, "monetary": "100.50", "r": 4, "f": 4, "m": 4},
    }


def test_a_prospect_has_been_one_since_it_was_first_seen() -> None:
    """Without an order there is no recency, and the stage began with the first event."""
    seen = body([CustomerRegistered(**common(on(1998, 1, 2)), traits={"email": "a@example.com"})])
    assert seen["profile"]["registered_at"] == "1998-01-02T00:00:00Z"
    assert seen["profile"]["traits"] == {"email": "a@example.com"}
    assert seen["lifecycle"] == {
        "stage": "prospect",
        "entered_at": "1998-01-02T00:00:00Z",
        "reason": "no order yet",
        "next_change_at": None,
    }
    assert seen["rfm"] == {
        "recency_days": None,
        "frequency": 0,
        "monetary": "0.00",
        "r": None,
        "f": None,
        "m": None,
    }


def test_a_currency_without_a_rate_is_shown_apart() -> None:
    """It is in orders.unconverted, in its own digits, and only when there is one."""
    seen = body([order(on(1998, 1, 1), 1_000, currency="JPY")])
    assert (seen["orders"]["net"], seen["orders"]["unconverted"]) == ("0.00", {"JPY": "1000"})
    assert (seen["rfm"]["monetary"], seen["rfm"]["m"], seen["rfm"]["f"]) == (None, None, 1)


def test_money_is_written_in_the_base_currency() -> None:
    """With a base currency of no digits there is no decimal point."""
    parameters = replace(Parameters(), base_currency="JPY", rates={"USD/JPY": "150"})
    seen = body(ORDERS, parameters)
    assert (seen["orders"]["net"], seen["orders"]["currency"]) == ("15075", "JPY")


def test_service_feedback_and_campaigns_come_where_there_are_any() -> None:
    """A section is there after its first event."""
    own = common(on(1998, 1, 1))
    seen = body(
        [
            TicketOpened(**own, ticket_id="t"),
            ReviewPosted(**own, review_id="r", rating=4),
            CampaignSent(**own, campaign_id="c"),
        ]
    )
    assert seen["service"]["open_tickets"] == 1
    assert seen["feedback"]["mean_rating"] == 0.8
    assert seen["campaigns"]["counts"] == {"sent": 1}


def test_an_event_decodes_only_what_it_touches() -> None:
    """A page view, or a tick, leaves the bytes of the orders where they are."""
    packed = customer.pack(fold(customer, ORDERS))
    ticked = ClockTicked(event_id="e", occurred_at=1, received_at=1)
    sent = customer.evolve_packed(packed, CampaignSent(**common(AS_OF), campaign_id="c"))
    assert customer.evolve_packed(packed, ticked) is packed
    assert sent.orders is packed.orders
    assert sent.engagement != packed.engagement


def test_a_stage_is_told_from_the_packed_orders_alone() -> None:
    """lifecycle_of is the lifecycle of the whole view."""
    state = fold(customer, ORDERS)
    seen = customer.lifecycle_of(customer.pack(state), AS_OF, PARAMETERS)
    assert seen == customer.view(state, AS_OF, PARAMETERS).lifecycle
    assert customer.lifecycle_of(customer.Packed(), AS_OF, PARAMETERS).stage == "prospect"
