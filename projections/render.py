"""How is a customer's view written as JSON? Times in RFC 3339, money as decimal strings."""

from typing import Any

from projections.campaigns import CampaignsView
from projections.engagement import EngagementView
from projections.feedback import FeedbackView
from projections.lifecycle import LifecycleView
from projections.orders import OrdersView
from projections.permission import PermissionView
from projections.profile import ProfileView
from projections.rfm import RfmView
from projections.service import ServiceView
from projections.times import rfc3339
from schemas.currency import decimal

Json = dict[str, Any]


def profile_json(profile: ProfileView, engagement: EngagementView) -> Json:
    """Consents, owner, contacts and the registration are there only where there are any."""
    body: Json = {
        "traits": profile.traits,
        "first_seen_at": _time(engagement.first_seen_at),
        "last_seen_at": _time(engagement.last_seen_at),
        "channels": engagement.channels,
    }
    if profile.registered_at is not None:
        body["registered_at"] = rfc3339(profile.registered_at)
    if profile.consents:
        body["consents"] = {
            key: {"status": consent.status, "since": rfc3339(consent.at)}
            for key, consent in sorted(profile.consents.items())
        }
    if profile.owner is not None:
        body["owner"] = {
            "owner_id": profile.owner.owner_id,
            "name": profile.owner.name or None,
            "team": profile.owner.team or None,
        }
    if profile.contacts:
        body["contacts"] = {
            key: {
                "name": contact.name or None,
                "role": contact.role or None,
                "is_primary": contact.is_primary,
            }
            for key, contact in sorted(profile.contacts.items())
        }
    return body


def orders_json(orders: OrdersView) -> Json:
    body: Json = {
        "count": orders.count,
        "net": decimal(orders.net_minor, orders.currency),
        "currency": orders.currency,
        "first_at": _time(orders.first_at),
        "last_at": _time(orders.last_at),
        "mean_gap_days": orders.mean_gap_days,
    }
    return body | _unconverted(orders.unconverted)


def lifecycle_json(lifecycle: LifecycleView, first_seen_at: int | None) -> Json:
    """A prospect has been one since it was first seen."""
    entered_at = first_seen_at if lifecycle.entered_at is None else lifecycle.entered_at
    return {
        "stage": lifecycle.stage,
        "entered_at": _time(entered_at),
        "reason": lifecycle.reason,
        "next_change_at": _time(lifecycle.next_change_at),
    }


def rfm_json(rfm: RfmView, currency: str) -> Json:
    return {
        "recency_days": rfm.recency_days,
        "frequency": rfm.frequency,
        "monetary": None if rfm.monetary_minor is None else decimal(rfm.monetary_minor, currency),
        "r": rfm.r,
        "f": rfm.f,
        "m": rfm.m,
    }


def service_json(service: ServiceView, currency: str) -> Json:
    body: Json = {
        "tickets": service.tickets,
        "open_tickets": service.open_tickets,
        "mean_hours_to_resolve": service.mean_hours_to_resolve,
        "contacts": service.contacts,
        "last_contact_at": _time(service.last_contact_at),
        "warranty_claims": service.warranty_claims,
        "warranty_cost": decimal(service.warranty_cost_minor, currency),
        "currency": currency,
    }
    return body | _unconverted(service.unconverted)


def feedback_json(feedback: FeedbackView) -> Json:
    return {
        "surveys": {
            kind: {
                "answers": survey.answers,
                "mean": survey.mean,
                "latest": survey.latest,
                "net_promoter": survey.net_promoter,
            }
            for kind, survey in feedback.surveys.items()
        },
        "reviews": feedback.reviews,
        "mean_rating": feedback.mean_rating,
        "latest_rating": feedback.latest_rating,
    }


def campaigns_json(campaigns: CampaignsView) -> Json:
    return {
        "counts": campaigns.counts,
        "last_at": {action: rfc3339(at) for action, at in campaigns.last_at.items()},
        "open_rate": campaigns.open_rate,
        "click_rate": campaigns.click_rate,
    }


def permission_json(permission: PermissionView) -> Json:
    return {
        "suppressed": {
            key: {"why": each.why, "since": rfc3339(each.at)}
            for key, each in sorted(permission.suppressions.items())
        },
        "erased_at": _time(permission.erased_at),
    }


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _unconverted(amounts_minor: dict[str, int]) -> Json:
    """Currencies without a rate, apart: only where there are any."""
    if not amounts_minor:
        return {}
    return {"unconverted": {code: decimal(amount, code) for code, amount in amounts_minor.items()}}
