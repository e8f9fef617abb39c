"""What do all the events of one customer, taken together, say?

Two forms of one state: `Customer` holds the sub-states, `Packed` their encoded bytes. A row is packed; an
event decodes only the sub-states that it touches (docs/adr/0003-the-customer-row.md).
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from projections import (
    campaigns,
    engagement,
    feedback,
    lifecycle,
    orders,
    permission,
    profile,
    render,
    rfm,
    service,
)
from projections.campaigns import Campaigns, CampaignsView
from projections.engagement import Engagement, EngagementView
from projections.feedback import Feedback, FeedbackView
from projections.lifecycle import LifecycleView
from projections.orders import Orders, OrdersView
from projections.parameters import Parameters
from projections.permission import Permission, PermissionView
from projections.profile import Profile, ProfileView
from projections.rfm import RfmView
from projections.service import Service, ServiceView
from schemas.events import EVENT_TYPES, CustomerEvent, Event

FOLD_VERSION = 5  # of the states' meaning and layout: raise it, and rows are rebuilt from the log

ROW_BYTES = 15_000  # no packed customer is larger; a row has its envelope besides, some KiB
NOTHING = Raw(b"\xc0")  # a sub-state that no event has touched: msgpack's nil


class Customer(Struct, frozen=True, gc=False):
    profile: Profile = Profile()
    orders: Orders = Orders()
    engagement: Engagement = Engagement()
    service: Service = Service()
    feedback: Feedback = Feedback()
    campaigns: Campaigns = Campaigns()
    permission: Permission = Permission()


class Packed(Struct, frozen=True, array_like=True, gc=False):
    profile: Raw = NOTHING
    orders: Raw = NOTHING
    engagement: Raw = NOTHING
    service: Raw = NOTHING
    feedback: Raw = NOTHING
    campaigns: Raw = NOTHING
    permission: Raw = NOTHING


class CustomerView(Struct, frozen=True, gc=False):
    profile: ProfileView
    orders: OrdersView
    engagement: EngagementView
    lifecycle: LifecycleView
    rfm: RfmView
    service: ServiceView | None  # these four: None where there has been none
    feedback: FeedbackView | None
    campaigns: CampaignsView | None
    permission: PermissionView | None


ZERO = Customer()
PARTS: tuple[ModuleType, ...] = (
    profile,
    orders,
    engagement,
    service,
    feedback,
    campaigns,
    permission,
)  # as Packed's fields

_Evolve = Callable[[Any, Event], Any]
_Decode = Callable[[Raw], Any]
_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode


def _decoder(state: Struct) -> _Decode:
    kind: Any = type(state)
    return msgspec.msgpack.Decoder(kind | None).decode


_DECODE = tuple(_decoder(part.ZERO) for part in PARTS)
_profile, _orders, _engagement, _service, _feedback, _campaigns, _permission = _DECODE
_TOUCHES: dict[type[Event], tuple[tuple[int, _Decode, _Evolve, Any], ...]] = {
    kind: tuple(
        (place, _DECODE[place], part.evolve, part.ZERO)
        for place, part in enumerate(PARTS)
        if kind in part.HANDLES
    )
    for kind in EVENT_TYPES.values()
    if issubclass(kind, CustomerEvent)
}


def zero() -> Customer:
    return ZERO


def evolve(state: Customer, event: Event) -> Customer:
    return Customer(
        profile.evolve(state.profile, event),
        orders.evolve(state.orders, event),
        engagement.evolve(state.engagement, event),
        service.evolve(state.service, event),
        feedback.evolve(state.feedback, event),
        campaigns.evolve(state.campaigns, event),
        permission.evolve(state.permission, event),
    )


def combine(a: Customer, b: Customer) -> Customer:
    return Customer(
        profile.combine(a.profile, b.profile),
        orders.combine(a.orders, b.orders),
        engagement.combine(a.engagement, b.engagement),
        service.combine(a.service, b.service),
        feedback.combine(a.feedback, b.feedback),
        campaigns.combine(a.campaigns, b.campaigns),
        permission.combine(a.permission, b.permission),
    )


def view(state: Customer, as_of: int, parameters: Parameters) -> CustomerView:
    return CustomerView(
        profile.view(state.profile, as_of, parameters),
        orders.view(state.orders, as_of, parameters),
        engagement.view(state.engagement, as_of, parameters),
        lifecycle.view(state.orders, as_of, parameters),
        rfm.view(state.orders, as_of, parameters),
        None if state.service == service.ZERO else service.view(state.service, as_of, parameters),
        None if state.feedback == feedback.ZERO else feedback.view(state.feedback, as_of, parameters),
        None if state.campaigns == campaigns.ZERO else campaigns.view(state.campaigns, as_of, parameters),
        None if state.permission == permission.ZERO else permission.view(state.permission, as_of, parameters),
    )


def pack(state: Customer) -> Packed:
    return Packed(*(_raw(sub, part.ZERO) for sub, part in zip(astuple(state), PARTS, strict=True)))


def unpack(packed: Packed) -> Customer:
    return Customer(
        _profile(packed.profile) or profile.ZERO,
        _orders(packed.orders) or orders.ZERO,
        _engagement(packed.engagement) or engagement.ZERO,
        _service(packed.service) or service.ZERO,
        _feedback(packed.feedback) or feedback.ZERO,
        _campaigns(packed.campaigns) or campaigns.ZERO,
        _permission(packed.permission) or permission.ZERO,
    )


def evolve_packed(packed: Packed, event: Event) -> Packed:
    """As `evolve`, decoding only what the event touches.

    unpack(evolve_packed(pack(state), event)) == evolve(state, event)
    """
    touched = _TOUCHES.get(type(event))
    if touched is None:
        return packed
    parts = list(astuple(packed))
    for place, decode, step, empty in touched:
        parts[place] = _raw(step(decode(parts[place]) or empty, event), empty)
    return Packed(*parts)


def orders_of(packed: Packed) -> Orders:
    """The orders alone."""
    state: Orders = _orders(packed.orders) or orders.ZERO
    return state


def lifecycle_of(packed: Packed, as_of: int, parameters: Parameters) -> LifecycleView:
    """As `lifecycle.view`, decoding the orders alone. Only events that orders.HANDLES change it."""
    return lifecycle.view(orders_of(packed), as_of, parameters)


def to_json(view: CustomerView) -> dict[str, Any]:
    """The body of GET /customers/{customer_id} but for its id, as_of and scores.

    Service, feedback, campaigns and permission are sections of it where the customer has had any.
    """
    currency = view.orders.currency
    body: dict[str, Any] = {
        "profile": render.profile_json(view.profile, view.engagement),
        "orders": render.orders_json(view.orders),
        "lifecycle": render.lifecycle_json(view.lifecycle, view.engagement.first_seen_at),
        "rfm": render.rfm_json(view.rfm, currency),
    }
    if view.service is not None:
        body["service"] = render.service_json(view.service, currency)
    if view.feedback is not None:
        body["feedback"] = render.feedback_json(view.feedback)
    if view.campaigns is not None:
        body["campaigns"] = render.campaigns_json(view.campaigns)
    if view.permission is not None:
        body["permission"] = render.permission_json(view.permission)
    return body


def _raw(state: Struct, empty: Struct) -> Raw:
    return NOTHING if state == empty else Raw(_ENCODE(state))
