"""When and where did we hear of the customer, and of what kind?

Every event of a customer touches this state, so it is kept small.
"""

from msgspec import Struct

from projections.compact import Tally, clip, count, merge_counts
from projections.parameters import Parameters
from projections.times import earliest, latest, moment, month_of
from schemas.events import EVENT_TYPES, CustomerEvent, Event

HANDLES = frozenset(kind for kind in EVENT_TYPES.values() if issubclass(kind, CustomerEvent))

CHANNELS = 12  # the alphabetically first; the others count as "other"
CHANNEL_BYTES = 32
MONTHS = Tally("H", counters=1, limit=24, keep_greatest=True)  # month: events


class Engagement(Struct, frozen=True, array_like=True, gc=False):
    first_seen_at: int | None = None  # ms
    last_seen_at: int | None = None  # ms
    channels: dict[str, int] = {}
    events: dict[str, int] = {}  # by type
    months: bytes = b""  # MONTHS


class EngagementView(Struct, frozen=True, gc=False):
    first_seen_at: int | None
    last_seen_at: int | None
    channels: dict[str, int]
    events: dict[str, int]  # by type
    months: dict[int, int]  # by months since January 1970


ZERO = Engagement()


def zero() -> Engagement:
    return ZERO


def evolve(state: Engagement, event: Event) -> Engagement:
    if not isinstance(event, CustomerEvent):
        return state
    at, kind, channel = moment(event.occurred_at), type(event).__name__, event.channel
    return Engagement(
        earliest(state.first_seen_at, at),
        latest(state.last_seen_at, at),
        state.channels if channel is None else count(state.channels, clip(channel, CHANNEL_BYTES), CHANNELS),
        {**state.events, kind: state.events.get(kind, 0) + 1},
        MONTHS.add(state.months, (month_of(at),), 1),
    )


def combine(a: Engagement, b: Engagement) -> Engagement:
    return Engagement(
        earliest(a.first_seen_at, b.first_seen_at),
        latest(a.last_seen_at, b.last_seen_at),
        merge_counts(a.channels, b.channels, CHANNELS),
        merge_counts(a.events, b.events, len(HANDLES)),
        MONTHS.merge(a.months, b.months),
    )


def view(state: Engagement, as_of: int, parameters: Parameters) -> EngagementView:
    del as_of, parameters
    return EngagementView(
        state.first_seen_at,
        state.last_seen_at,
        state.channels,
        state.events,
        {month: events for (month,), (events,) in MONTHS.items(state.months)},
    )
