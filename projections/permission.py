"""May we write to the customer? What stands in the way: unsubscriptions, complaints, bounces, erasure.

Consents are in projections/profile.py; `refusal` reads both. A later grant of the same channel and purpose
lifts what stood in the way before it.
"""

from typing import NamedTuple

from msgspec import Struct

from projections.compact import clip, id64, later
from projections.parameters import Parameters
from projections.profile import CODE_BYTES, KEY_BYTES, Consent, Profile
from projections.times import earliest, moment, rfc3339
from schemas.events import CampaignBounced, CampaignComplained, CampaignUnsubscribed, CustomerErased, Event

HANDLES = frozenset({CampaignBounced, CampaignComplained, CampaignUnsubscribed, CustomerErased})

EVERY = "*"
# what consents are given to; any other channel says where the customer was, so it is taken for every one
CHANNELS = frozenset({"email", "sms", "phone", "post", "push", "whatsapp"})
SUPPRESSIONS = 12  # the alphabetically first; the others count for every channel and purpose


class Suppression(NamedTuple):
    at: int
    event: int
    why: str


class Permission(Struct, frozen=True, array_like=True, gc=False):
    suppressions: dict[str, Suppression] = {}  # by "channel/purpose", * for every one
    erased_at: int | None = None  # ms, the first time


class PermissionView(Struct, frozen=True, gc=False):
    suppressions: dict[str, Suppression]
    erased_at: int | None


ZERO = Permission()


def zero() -> Permission:
    return ZERO


def evolve(state: Permission, event: Event) -> Permission:
    match event:
        case CampaignUnsubscribed():
            return _with(state, event, event.channel, event.purpose, "unsubscribed")
        case CampaignComplained():
            return _with(state, event, event.channel, None, "complained")
        case CampaignBounced(kind="hard"):
            return _with(state, event, event.channel, None, "bounced")
        case CustomerErased():
            return Permission(state.suppressions, earliest(state.erased_at, moment(event.occurred_at)))
        case _:
            return state


def combine(a: Permission, b: Permission) -> Permission:
    return Permission(_put(a.suppressions, b.suppressions), earliest(a.erased_at, b.erased_at))


def view(state: Permission, as_of: int, parameters: Parameters) -> PermissionView:
    del as_of, parameters
    return PermissionView(state.suppressions, state.erased_at)


def refusal(profile: Profile, state: Permission, channel: str, purpose: str) -> str | None:
    """Why nobody may write on this channel for this purpose, in words; None if they may.

    Of the consents that cover both, the one written last counts: unknown is not granted.
    """
    if state.erased_at is not None:
        return f"erased on {rfc3339(state.erased_at)}"
    wanted = _key(channel, purpose)
    consent: Consent | None = None
    for key, told in profile.consents.items():
        if _covers(key, wanted):
            consent = later(consent, told)
    if consent is None:
        return f"no consent to {wanted} is known"
    if consent.status != "granted":
        return f"consent to {wanted} was {consent.status} on {rfc3339(consent.at)}"
    own = profile.consents.get(wanted)
    lifted = (0, 0) if own is None or own.status != "granted" else own[:2]
    for key, each in state.suppressions.items():
        if _covers(key, wanted) and lifted < each[:2]:
            return f"{each.why} on {rfc3339(each.at)}"
    return None


def _with(state: Permission, event: Event, channel: str | None, purpose: str | None, why: str) -> Permission:
    written = Suppression(moment(event.occurred_at), id64(event.event_id), why)
    told = (channel or EVERY).casefold()
    key = _key(told if told in CHANNELS else EVERY, purpose or EVERY)
    return Permission(_put(state.suppressions, {key: written}), state.erased_at)


def _put(kept: dict[str, Suppression], written: dict[str, Suppression]) -> dict[str, Suppression]:
    """The last of each key; of too many keys, the alphabetically last stand for every one."""
    merged = dict(kept)
    for key, value in written.items():
        merged[key] = later(merged.get(key), value) or value
    named = sorted(merged.keys() - {_ALL})
    for surplus in named[SUPPRESSIONS:]:
        value = merged.pop(surplus)
        merged[_ALL] = later(merged.get(_ALL), value) or value
    return merged


def _key(channel: str, purpose: str) -> str:
    return f"{clip(channel, CODE_BYTES)}/{clip(purpose, KEY_BYTES)}"


def _covers(key: str, wanted: str) -> bool:
    """Whether a consent or suppression of `key` is about what is wanted."""
    of_key, of_wanted = key.casefold().split("/", 1), wanted.casefold().split("/", 1)
    return all(mine in (EVERY, theirs) for mine, theirs in zip(of_key, of_wanted, strict=True))


_ALL = _key(EVERY, EVERY)
