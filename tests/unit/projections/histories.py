"""What may a customer's history look like? Events for tests, by hand, at random, and adversarial."""

import uuid
from datetime import UTC, date, datetime
from random import Random
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct

from projections.times import DAY_MS
from schemas.events import (
    EVENT_TYPES,
    CampaignBounced,
    CampaignOpened,
    CampaignSent,
    ConsentChanged,
    ContactLinked,
    ContactLogged,
    CustomerEvent,
    CustomerRegistered,
    Event,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
    OwnerAssigned,
    PageViewed,
    ReviewPosted,
    SurveyAnswered,
    TicketOpened,
    TicketResolved,
    TraitsUpdated,
    WarrantyClaimed,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
CUSTOMER_EVENTS = [kind for kind in EVENT_TYPES.values() if issubclass(kind, CustomerEvent)]
NOON_ON_DAY_0 = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)


def day(number: float) -> int:
    """Noon of a day, counted from 1 January 2026, in ms."""
    return NOON_ON_DAY_0 + int(number * DAY_MS)


def on(year: int, month: int, day_of_month: int) -> int:
    """Midnight of a date, in ms."""
    return (date(year, month, day_of_month).toordinal() - date(1970, 1, 1).toordinal()) * DAY_MS


def common(at: int, event_id: str | None = None) -> dict[str, Any]:
    return {
        "event_id": event_id or str(uuid.uuid4()),
        "customer_id": "c",
        "occurred_at": at,
        "received_at": at,
    }


def order(
    at: int, amount_minor: int = 10_00, order_id: str = "", currency: str = "USD", channel: str | None = None
) -> OrderPlaced:
    """An order; its id is of its own unless given."""
    own = common(at)
    return OrderPlaced(
        **own,
        order_id=order_id or own["event_id"],
        amount_minor=amount_minor,
        currency=currency,
        channel=channel,
    )


def cancel(at: int, order_id: str) -> OrderCancelled:
    return OrderCancelled(**common(at), order_id=order_id)


def refund(at: int, amount_minor: int, order_id: str, currency: str = "USD") -> OrderRefunded:
    return OrderRefunded(**common(at), order_id=order_id, amount_minor=amount_minor, currency=currency)


def fold(module: Any, events: list[Event]) -> Any:
    """The state of a projection after the events."""
    state = module.zero()
    for event in events:
        state = module.evolve(state, event)
    return state


@st.composite
def histories(draw: st.DrawFn, max_size: int = 70) -> list[Event]:
    """Dense histories: few ids, moments, currencies and keys, and more of each than the bounds keep."""
    random, size = Random(draw(st.integers(0, 2**32))), draw(st.integers(0, max_size))
    dense = draw(st.sampled_from([_commerce, _anything_kept]))
    return [dense(random) for _ in range(size)]


def any_events() -> st.SearchStrategy[CustomerEvent]:
    """Any event of a customer with any values that its Avro record could hold."""
    return st.sampled_from(CUSTOMER_EVENTS).flatmap(_any)


def _any(kind: type[Struct]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: _values(hint) for name, hint in get_type_hints(kind).items()})


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if hint is int:
        return st.sampled_from([0, 1, day(0), day(40), 2**63 - 1, -1]) | INT64
    if hint is str:
        return st.text(max_size=60)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _any(hint)
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([st.none() if part is type(None) else _values(part) for part in arguments])
    if arguments and hint.__origin__ is tuple:
        return st.lists(_values(arguments[0]), max_size=3).map(tuple)
    if arguments and hint.__origin__ is dict:
        return st.dictionaries(st.text(max_size=50), st.text(max_size=150), max_size=5)
    return st.from_type(hint)


def _commerce(random: Random) -> Event:
    """Orders, refunds and cancellations of few orders, at few moments."""
    at, order_id = day(random.randrange(0, 1200, 7)), f"o{random.randrange(70)}"
    amount, currency = random.randrange(0, 500_00), random.choice(["USD", "EUR", "JPY"])
    kind = random.random()
    if kind < 0.7:
        return order(at, amount, order_id, currency)
    return refund(at, amount, order_id, currency) if kind < 0.85 else cancel(at, order_id)


def _anything_kept(random: Random) -> Event:
    """Every kind of event that some projection keeps, with more keys than it has room for."""
    own = common(day(random.randrange(0, 900))) | {"channel": f"channel-{random.randrange(30)}"}
    one_of_many = str(random.randrange(40))
    return random.choice(
        [
            lambda: PageViewed(**own, url="/"),
            lambda: order(own["occurred_at"], random.randrange(10**15), currency=f"C{one_of_many}"),
            lambda: TraitsUpdated(**own, traits={f"k{one_of_many}": one_of_many}, removed=("k1", "k2")),
            lambda: CustomerRegistered(**own, traits={"k1": one_of_many}),
            lambda: ConsentChanged(**own, consent_channel=one_of_many, purpose="p", status="granted"),
            lambda: OwnerAssigned(**own, owner_id=one_of_many),
            lambda: ContactLinked(**own, contact_id=one_of_many),
            lambda: TicketOpened(**own, ticket_id=one_of_many),
            lambda: TicketResolved(**own, ticket_id=one_of_many),
            lambda: ContactLogged(**own, kind=one_of_many),
            lambda: WarrantyClaimed(**own, claim_id="c", sku="s", cost_minor=7, currency=f"C{one_of_many}"),
            lambda: SurveyAnswered(
                **own, survey="s", question="q", kind=one_of_many, score=random.randrange(11)
            ),
            lambda: ReviewPosted(**own, review_id="r", rating=random.randrange(6)),
            lambda: CampaignSent(**own, campaign_id=one_of_many),
            lambda: CampaignOpened(**own, campaign_id=one_of_many, is_automatic=random.random() < 0.5),
        ]
    )()


def adversarial(number: int) -> list[Event]:
    """What makes the largest row: every key new, every text as long as can be, every number the greatest."""

    def text(name: str, index: int) -> str:
        return f"{index:06}{name}" + "\N{PILE OF POO}" * 1_000

    events: list[Event] = []
    for index in range(number):
        at = day(index * 31)
        for kind in CUSTOMER_EVENTS:
            fields: dict[str, Any] = {}
            for name, hint in get_type_hints(kind).items():
                if hint is str or hint == str | None:
                    fields[name] = text(name, index)
                elif hint is int or hint == int | None:
                    fields[name] = 2**63 - 1 - index
                elif hint is bool:
                    fields[name] = True
                elif hint is float:
                    fields[name] = 1.0
                elif hint == dict[str, str]:
                    fields[name] = {text(f"{key}", index): text("", index) for key in range(64)}
            fields |= common(at) | {"channel": text("", index)}
            if "currency" in fields:
                fields["currency"] = f"{999 - index:03}"
            if kind is SurveyAnswered:
                fields |= {"scale_min": 0, "scale_max": 10, "kind": text("", 999_999 - index)}
            if kind is CampaignBounced:
                fields["kind"] = "hard"
            events.append(kind(**fields))
    return events
