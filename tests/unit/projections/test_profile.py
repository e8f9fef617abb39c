"""Does the profile tell the latest known values, whenever they came?"""

from typing import Any

from projections import profile
from projections.parameters import Parameters
from schemas.events import ConsentChanged, ContactLinked, CustomerRegistered, OwnerAssigned, TraitsUpdated
from tests.unit.projections.histories import common, day, fold

LOW, HIGH = "00000000-0000-7000-8000-000000000000", "ffffffff-0000-7000-8000-000000000000"


def view(*events: Any) -> profile.ProfileView:
    return profile.view(fold(profile, list(events)), day(0), Parameters())


def traits(
    at: int, event_id: str | None = None, removed: tuple[str, ...] = (), **values: str
) -> TraitsUpdated:
    return TraitsUpdated(**common(at, event_id), traits=values, removed=removed)


def test_a_trait_is_the_one_that_occurred_last() -> None:
    """A late event with an older trait changes nothing."""
    assert view(traits(day(2), city="Utrecht"), traits(day(1), city="Delft")).traits == {"city": "Utrecht"}


def test_at_one_instant_the_greater_event_id_wins() -> None:
    """All traits of that event win together."""
    low, high = traits(day(0), LOW, a="z", b="z"), traits(day(0), HIGH, a="a", b="a")
    assert view(low, high).traits == view(high, low).traits == {"a": "a", "b": "a"}


def test_a_removed_trait_does_not_come_back_with_an_older_event() -> None:
    """Removal is a value too; a newer one sets the trait again."""
    removal, old, new = (
        traits(day(2), removed=("city",)),
        traits(day(1), city="Delft"),
        traits(day(3), city="Utrecht"),
    )
    assert view(removal, old).traits == {}
    assert view(removal, old, new).traits == {"city": "Utrecht"}


def test_a_trait_that_one_event_sets_and_removes_is_set() -> None:
    """Setting wins within one event."""
    assert view(traits(day(0), removed=("city",), city="Delft")).traits == {"city": "Delft"}


def test_traits_beyond_the_bound_are_those_set_longest_ago() -> None:
    """The 24 traits written last stay."""
    seen = view(*(traits(day(n), **{f"k{n:02}": "v"}) for n in range(30))).traits
    assert list(seen) == [f"k{n:02}" for n in range(6, 30)]


def test_traits_that_are_one_once_cut_are_the_same_in_any_order() -> None:
    """Names are cut to 40 bytes; the order within the event's map says nothing."""
    cut = "k" * 40
    one = traits(day(0), LOW, **{f"{cut}a": "1", f"{cut}b": "2"})
    turned = traits(day(0), LOW, **{f"{cut}b": "2", f"{cut}a": "1"})
    assert view(one).traits == view(turned).traits == {cut: "2"}


def test_registration_is_the_first_and_brings_traits() -> None:
    """Registered twice is registered once, at the earlier moment."""
    events = [CustomerRegistered(**common(day(n)), traits={"email": f"{n}@example.com"}) for n in (1, 0)]
    seen = view(*events)
    assert (seen.registered_at, seen.traits) == (day(0), {"email": "1@example.com"})


def test_consent_is_kept_for_each_channel_and_purpose() -> None:
    """A withdrawal for one purpose leaves the other purposes as they are."""

    def consent(at: int, purpose: str, status: str) -> ConsentChanged:
        return ConsentChanged(**common(at), consent_channel="email", purpose=purpose, status=status)

    seen = view(
        consent(day(2), "news", "withdrawn"),
        consent(day(1), "news", "granted"),
        consent(day(1), "offers", "granted"),
    ).consents
    assert {key: one.status for key, one in seen.items()} == {
        "email/news": "withdrawn",
        "email/offers": "granted",
    }


def test_the_owner_is_the_last_assigned() -> None:
    """One owner at a time."""
    seen = view(*(OwnerAssigned(**common(day(n)), owner_id=f"u{n}", team="north") for n in (2, 1)))
    assert seen.owner is not None
    assert (seen.owner.owner_id, seen.owner.name, seen.owner.team) == ("u2", "", "north")


def test_contacts_are_kept_by_person() -> None:
    """A later link of the same person replaces the earlier."""
    seen = view(
        ContactLinked(**common(day(1)), contact_id="p", role="buyer"),
        ContactLinked(**common(day(2)), contact_id="p", role="director", is_primary=True),
        ContactLinked(**common(day(1)), contact_id="q"),
    ).contacts
    assert {key: (one.role, one.is_primary) for key, one in seen.items()} == {
        "p": ("director", True),
        "q": ("", False),
    }
