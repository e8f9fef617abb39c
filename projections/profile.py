"""Who is the customer: traits, consents, owner, contacts?

Each value is the last writer's, by (occurred_at, event id). A removed trait stays as a mark, so that an older
value that comes late does not bring it back.
"""

from typing import NamedTuple

from msgspec import Struct

from projections.compact import clip, id64, later, put
from projections.parameters import Parameters
from projections.times import earliest, moment
from schemas.events import (
    ConsentChanged,
    ContactLinked,
    CustomerRegistered,
    Event,
    OwnerAssigned,
    TraitsUpdated,
)

HANDLES = frozenset({CustomerRegistered, TraitsUpdated, ConsentChanged, OwnerAssigned, ContactLinked})

TRAITS, CONSENTS, CONTACTS = 24, 8, 4  # how many keys stay: those written last
KEY_BYTES, VALUE_BYTES, NAME_BYTES, CODE_BYTES = 40, 128, 64, 32


class Trait(NamedTuple):
    at: int
    event: int
    present: bool
    value: str


class Consent(NamedTuple):
    at: int
    event: int
    status: str
    legal_basis: str  # these two: "" where not told
    policy_version: str


class Owner(NamedTuple):
    at: int
    event: int
    owner_id: str
    name: str  # "" where not told
    team: str


class Contact(NamedTuple):
    at: int
    event: int
    role: str  # these two: "" where not told
    name: str
    is_primary: bool
    until_on: int  # days since 1970; 0 for no end


class Profile(Struct, frozen=True, array_like=True, gc=False):
    registered_at: int | None = None  # ms
    traits: dict[str, Trait] = {}
    consents: dict[str, Consent] = {}  # by "channel/purpose"
    owner: Owner | None = None
    contacts: dict[str, Contact] = {}  # by contact id


class ProfileView(Struct, frozen=True, gc=False):
    registered_at: int | None
    traits: dict[str, str]
    consents: dict[str, Consent]
    owner: Owner | None
    contacts: dict[str, Contact]


ZERO = Profile()


def zero() -> Profile:
    return ZERO


def evolve(state: Profile, event: Event) -> Profile:
    at, tie = moment(event.occurred_at), id64(event.event_id)
    match event:
        case TraitsUpdated(traits=traits, removed=removed):
            return _with(state, traits=_traits(at, tie, traits) | _removed(at, tie, removed, traits))
        case CustomerRegistered(traits=traits):
            return _with(state, registered_at=at, traits=_traits(at, tie, traits))
        case ConsentChanged():
            key = f"{clip(event.consent_channel, CODE_BYTES)}/{clip(event.purpose, KEY_BYTES)}"
            consent = Consent(
                at,
                tie,
                clip(event.status, CODE_BYTES),
                clip(event.legal_basis or "", CODE_BYTES),
                clip(event.policy_version or "", CODE_BYTES),
            )
            return _with(state, consents={key: consent})
        case OwnerAssigned():
            owner = Owner(
                at,
                tie,
                clip(event.owner_id, NAME_BYTES),
                clip(event.owner_name or "", NAME_BYTES),
                clip(event.team or "", NAME_BYTES),
            )
            return _with(state, owner=owner)
        case ContactLinked():
            contact = Contact(
                at,
                tie,
                clip(event.role or "", CODE_BYTES),
                clip(event.name or "", NAME_BYTES),
                event.is_primary,
                event.until_on or 0,
            )
            return _with(state, contacts={clip(event.contact_id, NAME_BYTES): contact})
        case _:
            return state


def combine(a: Profile, b: Profile) -> Profile:
    return _with(a, b.registered_at, b.traits, b.consents, b.owner, b.contacts)


def view(state: Profile, as_of: int, parameters: Parameters) -> ProfileView:
    del as_of, parameters
    return ProfileView(
        state.registered_at,
        {key: trait.value for key, trait in sorted(state.traits.items()) if trait.present},
        state.consents,
        state.owner,
        state.contacts,
    )


def _with(
    state: Profile,
    registered_at: int | None = None,
    traits: dict[str, Trait] | None = None,
    consents: dict[str, Consent] | None = None,
    owner: Owner | None = None,
    contacts: dict[str, Contact] | None = None,
) -> Profile:
    return Profile(
        earliest(state.registered_at, registered_at),
        put(state.traits, traits, TRAITS) if traits else state.traits,
        put(state.consents, consents, CONSENTS) if consents else state.consents,
        later(state.owner, owner),
        put(state.contacts, contacts, CONTACTS) if contacts else state.contacts,
    )


def _traits(at: int, tie: int, traits: dict[str, str]) -> dict[str, Trait]:
    """The traits as written; of keys that are one once cut, the greatest value, whatever their order."""
    written: dict[str, Trait] = {}
    for name, value in traits.items():
        key, trait = clip(name, KEY_BYTES), Trait(at, tie, True, clip(value, VALUE_BYTES))
        written[key] = max(trait, written.get(key, trait))
    return written


def _removed(at: int, tie: int, removed: tuple[str, ...], traits: dict[str, str]) -> dict[str, Trait]:
    """Marks of the traits removed; one that the same event also sets, is set."""
    set_keys = {clip(name, KEY_BYTES) for name in traits}
    keys = {clip(name, KEY_BYTES) for name in removed}
    return {key: Trait(at, tie, False, "") for key in keys - set_keys}
