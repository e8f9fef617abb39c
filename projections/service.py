"""How much help did the customer need, and what is still open?

Tickets are told open by the latest 16 opened and the latest 16 resolved, in whatever order these came.
"""

from msgspec import Struct

from projections import money
from projections.compact import Latest, Tally, clip, count, hash64, merge_counts
from projections.parameters import Parameters
from projections.times import latest, moment
from schemas.events import ContactLogged, Event, TicketOpened, TicketResolved, WarrantyClaimed

HANDLES = frozenset({TicketOpened, TicketResolved, ContactLogged, WarrantyClaimed})

TICKETS = Latest("QQ", limit=16)  # time, hash of the ticket id
COSTS = Tally("3s", counters=1, limit=8, keep_greatest=False)  # currency: cost in minor units
KINDS, KIND_BYTES = 8, 24  # kinds of contact, the alphabetically first
HOUR_MS = 3_600_000


class Service(Struct, frozen=True, array_like=True, gc=False):
    opened: int = 0
    resolved: int = 0
    latest_opened: bytes = b""  # TICKETS
    latest_resolved: bytes = b""  # TICKETS
    contacts: dict[str, int] = {}  # by kind
    last_contact_at: int | None = None  # ms
    claims: int = 0
    costs: bytes = b""  # COSTS


class ServiceView(Struct, frozen=True, gc=False):
    tickets: int
    open_tickets: int  # of the latest 16
    mean_hours_to_resolve: float | None  # over the latest tickets whose both ends are known
    contacts: dict[str, int]
    last_contact_at: int | None
    warranty_claims: int
    warranty_cost_minor: int  # in the base currency
    unconverted: dict[str, int]


ZERO = Service()


def zero() -> Service:
    return ZERO


def evolve(state: Service, event: Event) -> Service:
    at = moment(event.occurred_at)
    match event:
        case TicketOpened(ticket_id=ticket):
            return combine(state, Service(opened=1, latest_opened=TICKETS.add(b"", at, hash64(ticket))))
        case TicketResolved(ticket_id=ticket):
            return combine(state, Service(resolved=1, latest_resolved=TICKETS.add(b"", at, hash64(ticket))))
        case ContactLogged(kind=kind):
            contacts = count({}, clip(kind, KIND_BYTES), KINDS)
            return combine(state, Service(contacts=contacts, last_contact_at=at))
        case WarrantyClaimed(cost_minor=cost, currency=currency):
            if cost is None or currency is None:
                return combine(state, Service(claims=1))
            costs = COSTS.add(b"", (money.code(currency),), money.held(cost))
            return combine(state, Service(claims=1, costs=costs))
        case _:
            return state


def combine(a: Service, b: Service) -> Service:
    return Service(
        a.opened + b.opened,
        a.resolved + b.resolved,
        TICKETS.merge(a.latest_opened, b.latest_opened),
        TICKETS.merge(a.latest_resolved, b.latest_resolved),
        merge_counts(a.contacts, b.contacts, KINDS),
        latest(a.last_contact_at, b.last_contact_at),
        a.claims + b.claims,
        COSTS.merge(a.costs, b.costs),
    )


def view(state: Service, as_of: int, parameters: Parameters) -> ServiceView:
    del as_of
    opened = {ticket: at for at, ticket in TICKETS.items(state.latest_opened)}
    resolved = {ticket: at for at, ticket in TICKETS.items(state.latest_resolved)}
    hours = [
        (resolved[ticket] - at) / HOUR_MS for ticket, at in opened.items() if resolved.get(ticket, -1) >= at
    ]
    costs = {money.currency(code): cost for (code,), (cost,) in COSTS.items(state.costs)}
    cost = money.converted(costs, parameters)
    return ServiceView(
        state.opened,
        len(opened) - len(hours),
        round(sum(hours) / len(hours), 1) if hours else None,
        state.contacts,
        state.last_contact_at,
        state.claims,
        cost.minor,
        cost.unconverted,
    )
