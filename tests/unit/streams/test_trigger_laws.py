"""What holds of decisions, whatever happens, wherever runs end, and on either clock?"""

import random
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.triggers import timing
from projections.triggers.rules import Cap, zone
from schemas.codec import encode
from schemas.events import (
    CustomerEvent,
    Event,
    TraitsUpdated,
    TriggerDecided,
)
from streams.log import Record
from streams.rows import encode_row
from tests.unit.streams.partition import DAY_MS, Partition, order, tick
from tests.unit.streams.told import (
    HOUR_MS,
    NIGHT,
    about,
    consented,
    decided,
    deferred,
    rules,
    segment,
    told,
    trigger,
)

COUNTED = ("send", "holdout")
CUSTOMERS = ("ada", "bob", "cyd")
TEXT = (
    'cap = { count = 3, per = "month" }\n'
    + trigger("risk", consent="email/marketing", rest=NIGHT + "\ncap = { count = 2, days = 200 }")
    + trigger("seen", 'on = { change = "segment", segment = "gold" }', holdout=0.4, rest="priority = 2")
    + trigger(
        "back", 'on = { change = "stage", to = ["active", "won_back"] }', rest=NIGHT + "\nretract = true"
    )
    + trigger("asked", 'on = { change = "stage" }', rest='review = true\nreview_within = "5d"')
)
SEGMENTS = segment("gold", "orders.count > 2 && lifecycle.silence_days < 30")


def appended(seed: int, number: int, clock: str = "events") -> list[tuple[Event, int]]:
    """Orders, consents and traits of three customers, and ticks, each with when it was appended (ms).

    A tenth of them is 40 days late, and another is some minutes ahead, as a sender's clock may be.
    """
    chance, now = random.Random(seed), 0
    made: list[tuple[Event, int]] = [(rules(TEXT, segments=SEGMENTS, clock=clock), 0)]
    for n in range(number):
        now += chance.choice((0, HOUR_MS, 5 * HOUR_MS, DAY_MS, 20 * DAY_MS, 95 * DAY_MS))
        at = max(0, now + chance.choice((0,) * 8 + (-40 * DAY_MS, 4 * 60_000)))
        who = chance.choice(CUSTOMERS)
        match chance.randrange(6):
            case 0:
                made.append((tick(now), now))
            case 1:
                status = chance.choice(("granted", "granted", "withdrawn"))
                made.append((consented(who, at + n, status), now))
            case 2:
                zones = ("Asia/Tokyo", "Pacific/Auckland", "America/New_York")
                trait = about(who, TraitsUpdated, at + n, traits={"timezone": chance.choice(zones)})
                made.append((trait, now))
            case _:
                made.append((order(who, at + n), now))
    ends = [now + 400 * DAY_MS + hours * HOUR_MS for hours in range(48)]  # in which every night ends
    return [*made, *((tick(end), end) for end in ends)]


def history(seed: int, number: int) -> list[Event]:
    return [event for event, _ in appended(seed, number)]


def recorded(seed: int, number: int) -> list[Record]:
    """The same on the wall clock, as records that say when they were appended."""
    found = []
    for event, now in appended(seed, number, "wall"):
        key = event.customer_id.encode() if isinstance(event, CustomerEvent) else None
        found.append(Record(0, key, encode(event), now))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 9))
def test_each_id_has_one_final_verdict_wherever_runs_end(seed: int, number: int, size: int) -> None:
    """Runs of any size give the same decisions in the same order, each id one verdict, and the same rows."""
    whole = Partition().log(*history(seed, number)).fold()
    parts = Partition().log(*history(seed, number)).fold(size)
    assert told(parts) == told(whole)
    assert {k: encode_row(r) for k, r in parts.table.stored.items()} == {
        k: encode_row(r) for k, r in whole.table.stored.items()
    }
    ids = [each.decision_id for each in decided(whole)]
    assert len(ids) == len(set(ids))
    waited = {each.decision_id for each in deferred(whole)}
    assert waited <= set(ids)  # more than a year after the last event, nothing waits


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80))
def test_no_cap_is_exceeded_and_nothing_is_sent_at_night_or_without_consent(seed: int, number: int) -> None:
    """Of what is sent: caps hold in every window, local time is day, and consent was granted just then."""
    events = history(seed, number)
    partition = Partition().log(*events).fold()
    counted = [each for each in decided(partition) if each.verdict in COUNTED and not each.retracts_id]
    for customer in CUSTOMERS:
        mine = [each for each in counted if each.customer_id == customer]
        for each in mine:
            monthly = timing.counted_since(Cap(count=3, per="month"), each.occurred_at)
            within = [other for other in mine if monthly <= other.occurred_at <= each.occurred_at]
            assert len(within) <= 3
            if each.trigger == "risk":
                rolling = each.occurred_at - 200 * DAY_MS
                own = [o for o in mine if o.trigger == "risk" and rolling < o.occurred_at <= each.occurred_at]
                assert len(own) <= 2
                assert each.inputs["consent"] == "email/marketing granted"
            if each.trigger in ("risk", "back") and each.verdict == "send":
                assert 7 <= local_hour(events, each) < 23


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 9))
def test_on_the_wall_clock_too(seed: int, number: int, size: int) -> None:
    """Wherever runs end; by day on the clock of the append, and of nothing that is older than a day."""
    records, events = recorded(seed, number), history(seed, number)
    whole = Partition().log(*records).fold()
    assert told(Partition().log(*records).fold(size)) == told(whole)
    made, waited = decided(whole), {each.decision_id for each in deferred(whole)}
    assert len({each.decision_id for each in made}) == len(made)
    assert waited <= {each.decision_id for each in made}
    for each in made:
        if each.verdict == "send" and not each.retracts_id:
            assert each.trigger in ("seen", "asked") or 7 <= wall_hour(events, each) < 23
            assert each.decision_id in waited or each.received_at - each.transition_at <= DAY_MS


def wall_hour(events: list[Event], decision: TriggerDecided) -> int:
    """The hour on the customer's wall when the record that caused the decision was appended."""
    return local_hour(events, replace(decision, occurred_at=decision.received_at))


def local_hour(events: list[Event], decision: TriggerDecided) -> int:
    """The hour on the customer's wall, by the traits that were told before the record that caused it."""
    traits = [
        (each.occurred_at, each.event_id, each.traits["timezone"])
        for offset, each in enumerate(events)
        if isinstance(each, TraitsUpdated)
        and each.customer_id == decision.customer_id
        and offset < decision.cause_offset
    ]
    zone_info = zone(max(traits)[2]) if traits else UTC
    return datetime.fromtimestamp(decision.occurred_at / 1000, zone_info).hour
