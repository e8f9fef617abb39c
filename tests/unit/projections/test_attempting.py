"""May a message be sent now, what does it say, and when is it tried again?"""

import json
import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from projections import customer
from projections.parameters import Parameters
from projections.triggers import attempting
from projections.triggers.attempting import LONGEST_MS, SHORTEST_MS, TRIED_FOR_MS, Ended, PutOff
from projections.triggers.expressions import Failed
from projections.triggers.facts import Facts
from projections.triggers.message import message
from projections.triggers.rules import Trigger
from schemas.events import (
    CampaignUnsubscribed,
    ConsentChanged,
    CustomerErased,
    Event,
    TraitsUpdated,
    TriggerDecided,
)
from tests.unit.streams.partition import event_id, order

NOON = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp() * 1000)
NIGHT = int(datetime(2026, 3, 10, 23, tzinfo=UTC).timestamp() * 1000)
MORNING = int(datetime(2026, 3, 11, 8, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
QUIET = {"quiet_hours": {"from": "21:00", "to": "08:00"}, "default_timezone": "UTC"}


def trigger(**fields: Any) -> Trigger:
    told = {
        "name": "back",
        "on": {"change": "stage"},
        "action": {"file": "sink.jsonl"},
        "consent": "none",
        "holdout": 0,
    }
    return msgspec.convert(told | fields, Trigger)


def happened(kind: type[Event], at: int = NOON, **fields: Any) -> Event:
    common = {"customer_id": "ada", "occurred_at": at, "received_at": at}
    return kind(event_id=event_id((kind.__name__, at, fields)), **common, **fields)


def facts(*events: Event, as_of: int = NOON) -> Facts:
    state = customer.Packed()
    for event in (order("ada", NOON), *events):
        state = customer.evolve_packed(state, event)
    return Facts("ada", state, as_of, Parameters(), {}, ("vip",))


def decided(**fields: Any) -> TriggerDecided:
    told = TriggerDecided(
        event_id=event_id(1),
        customer_id="ada",
        occurred_at=NOON,
        received_at=NOON,
        decision_id=event_id(1),
        trigger="back",
        rules_version="1",
        kind="stage",
        before="active",
        after="at_risk",
        transition_id=event_id(2),
        transition_at=NOON,
        verdict="send",
        reason="all checks passed",
        inputs={},
        cause_topic="headwater.events",
        cause_partition=0,
        cause_offset=1,
    )
    return replace(told, **fields)


def check(
    trigger: Trigger, *events: Event, at: int = NOON, taken_at: int | None = NOON, **told: Any
) -> Ended | PutOff | None:
    return attempting.check(trigger, decided(**told), facts(*events), at, taken_at)


def why(found: Ended | PutOff | None) -> str | None:
    assert not isinstance(found, PutOff)
    return None if found is None else found.why


def test_what_nothing_stands_in_the_way_of_may_be_sent() -> None:
    """As it was decided."""
    assert check(trigger(where="orders.count == 1", **QUIET)) is None


@pytest.mark.parametrize(
    ("fields", "events", "ends"),
    [
        ({"where": "orders.count == 2"}, (), "condition_false"),
        ({"where": "traits.city == 'Rome'"}, (), "condition_error"),
        ({"consent": "email/marketing"}, (), "no_consent"),
        ({}, (happened(CustomerErased),), "no_consent"),
    ],
)
def test_what_no_longer_holds_ends_it(fields: dict[str, Any], events: tuple[Event, ...], ends: str) -> None:
    """At any attempt."""
    assert why(check(trigger(**fields), *events)) == ends


def test_consent_that_was_withdrawn_since_ends_it() -> None:
    """Though it was granted when it was decided."""
    granted, withdrawn = (
        happened(ConsentChanged, NOON + n, consent_channel="email", purpose="marketing", status=status)
        for n, status in enumerate(("granted", "withdrawn"))
    )
    mail = trigger(consent="email/marketing")
    assert check(mail, granted) is None
    assert why(check(mail, granted, withdrawn)) == "no_consent"


def test_age_counts_up_to_where_the_decision_was_written() -> None:
    """An engine that was away writes it too late; what then waits for its receiver does not get too old."""
    late = NOON + 25 * HOUR_MS
    assert why(check(trigger(), at=late, taken_at=late)) == "expired"
    assert check(trigger(), at=late) is None
    assert check(trigger(), at=late, taken_at=None) is None
    assert check(trigger(max_age="off"), at=late, taken_at=late) is None


HAPPENINGS = ("granted", "withdrawn", "unsubscribed", "erased", "attempt")
STEPS = st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 9))  # and hours since the last


@given(st.lists(STEPS, max_size=20), st.booleans())
def test_no_attempt_is_made_without_consent_or_at_night(steps: list[tuple[str, int]], drop: bool) -> None:
    """However consents, unsubscriptions, erasure and attempts follow one another, hours apart."""
    policy = {"policy": "drop"} if drop else {}
    quiet = QUIET | {"quiet_hours": QUIET["quiet_hours"] | policy}
    mail = trigger(consent="email/marketing", **quiet)
    events: list[Event] = []
    now, granted, erased = NOON, False, False
    for n, (step, hours) in enumerate(steps):
        now += hours * HOUR_MS + n + 1
        match step:
            case "granted" | "withdrawn":
                granted = step == "granted"
                fields = {"consent_channel": "email", "purpose": "marketing", "status": step}
                events.append(happened(ConsentChanged, now, **fields))
            case "unsubscribed":
                granted = False
                events.append(happened(CampaignUnsubscribed, now, campaign_id="c", channel="email"))
            case "erased":
                erased = True
                events.append(happened(CustomerErased, now))
            case _:
                found = attempting.check(mail, decided(), facts(*events), now, NOON)
                by_day = 8 <= datetime.fromtimestamp(now / 1000, UTC).hour < 21
                allowed = granted and not erased
                assert (found is None) == (allowed and by_day)
                assert isinstance(found, PutOff) == (allowed and not by_day and not drop)


def test_at_night_it_waits_or_ends() -> None:
    """As the trigger says; by the customer's clock."""
    assert check(trigger(**QUIET), at=NIGHT) == PutOff(MORNING)
    drop = QUIET | {"quiet_hours": {"from": "21:00", "to": "08:00", "policy": "drop"}}
    assert why(check(trigger(**drop), at=NIGHT)) == "quiet"
    in_tokyo = happened(TraitsUpdated, traits={"timezone": "Asia/Tokyo"})
    assert check(trigger(**QUIET), in_tokyo, at=MORNING - 1) is None


def test_a_retraction_asks_for_consent_alone() -> None:
    """Neither the condition nor the night stands in its way."""
    strict = trigger(where="false", **QUIET)
    assert check(strict, at=NIGHT, kind="correction") is None
    assert attempting.after_quiet_hours(strict, decided(kind="correction"), facts(), NIGHT) == NIGHT
    assert why(check(strict, happened(CustomerErased), kind="correction")) == "no_consent"


def test_another_attempt_is_not_planned_for_the_night() -> None:
    """Unless what falls into it is dropped."""
    assert attempting.after_quiet_hours(trigger(**QUIET), decided(), facts(), NIGHT) == MORNING
    assert attempting.after_quiet_hours(trigger(**QUIET), decided(), facts(), NOON) == NOON
    drop = QUIET | {"quiet_hours": {"from": "21:00", "to": "08:00", "policy": "drop"}}
    assert attempting.after_quiet_hours(trigger(**drop), decided(), facts(), NIGHT) == NIGHT


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_delays_are_between_a_second_and_an_hour(tries: int, chance: float) -> None:
    """And at most twice the longest one of before."""
    assert SHORTEST_MS <= attempting.delay_ms(tries, chance) <= min(LONGEST_MS, SHORTEST_MS * 2**tries)


@given(st.integers())
def test_attempts_end_after_three_days(seed: int) -> None:
    """The last is at most so long after the first, and no more than an hour before that."""
    now_ms, tries, chances = NOON, 1, random.Random(seed)
    while (at := attempting.next_attempt_at(NOON, now_ms, tries, chances.random(), None)) is not None:
        assert now_ms + SHORTEST_MS <= at <= NOON + TRIED_FOR_MS
        now_ms, tries = at, tries + 1
    assert tries > TRIED_FOR_MS / LONGEST_MS
    assert now_ms > NOON + TRIED_FOR_MS - LONGEST_MS


def test_a_receiver_may_say_when_to_come_back() -> None:
    """No earlier than that; not beyond the end."""
    later = attempting.next_attempt_at(NOON, NOON, 1, 0.5, 7 * HOUR_MS)
    assert later == NOON + 7 * HOUR_MS
    assert attempting.next_attempt_at(NOON, NOON, 1, 0.5, TRIED_FOR_MS + 1) is None


def test_a_message_says_ids_and_the_change() -> None:
    """And nothing else about the customer."""
    assert json.loads(message(decided(), trigger(), facts())) == {
        "type": "stage.changed",
        "timestamp": "2026-03-10T12:00:00Z",
        "data": {
            "decision_id": event_id(1),
            "trigger": "back",
            "customer_id": "ada",
            "change": {
                "kind": "stage",
                "about": "",
                "from": "active",
                "to": "at_risk",
                "at": "2026-03-10T12:00:00Z",
                "id": event_id(2),
            },
        },
    }


def test_a_template_adds_fields() -> None:
    """Of any kind that JSON can say, as they are at the attempt."""
    template = {
        "count": "orders.count",
        "last": "orders.last_at",
        "gap": "orders.mean_gap_days",
        "all": "{'in': segments}",
        "hello": "'Hello, ' + customer_id",
    }
    said = json.loads(message(decided(), trigger(template=template), facts()))["data"]["fields"]
    assert said == {
        "count": 1,
        "last": "2026-03-10T12:00:00Z",
        "gap": None,
        "all": {"in": ["vip"]},
        "hello": "Hello, ada",
    }


@pytest.mark.parametrize("source", ["traits.city", "1 / (orders.count - 1)"])
def test_a_field_without_a_value_fails(source: str) -> None:
    """In words."""
    with pytest.raises(Failed):
        message(decided(), trigger(template={"it": source}), facts())


def test_a_retraction_names_what_it_takes_back() -> None:
    """By the id that its message had."""
    said = json.loads(message(decided(kind="correction", retracts_id=event_id(3)), trigger(), facts()))
    assert said["type"] == "trigger.retracted"
    assert said["data"]["retracts"] == event_id(3)
