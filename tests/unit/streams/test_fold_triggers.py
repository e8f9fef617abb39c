"""Does a fold decide once on each change, for each trigger, in the order of the checks?"""

import pytest

from schemas.events import (
    CampaignUnsubscribed,
    CustomerErased,
    DecisionReviewed,
    Event,
    LifecycleCorrected,
    SegmentChanged,
    TraitsUpdated,
    TriggersSet,
)
from streams.topics import TRANSITIONS
from tests.unit.streams.partition import DAY_MS, Partition, day, event_id, order, tick
from tests.unit.streams.told import (
    HOUR_MS,
    NIGHT,
    about,
    consented,
    decided,
    deferred,
    log,
    rules,
    segment,
    silence,
    told,
    trigger,
    unsubscribed,
    verdicts,
)


def test_a_change_is_told_once_with_what_decided_it() -> None:
    """Silence makes at risk; the trigger decides to send, and says of what, when and why."""
    [decision] = decided(log(*silence(rules(trigger(rest='where = "orders.count == 2"')))))
    assert (decision.verdict, decision.kind, decision.before, decision.after) == (
        "send",
        "stage",
        "active",
        "at_risk",
    )
    assert decision.occurred_at == decision.transition_at == day(92)
    assert decision.inputs == {"age_ms": "0", "holdout": "0", "where": "true"}
    assert decision.event_id == decision.decision_id


def test_without_rules_nothing_is_decided() -> None:
    """No trigger in force, no decision."""
    assert told(log(*silence())) == []


@pytest.mark.parametrize(
    ("text", "before", "verdict"),
    [
        (trigger(rest='where = "orders.count > 2"'), [], "condition_false"),
        (trigger(rest='where = "traits.ltv > 2"'), [], "condition_error"),
        (trigger(rest='where = "orders.count"'), [], "condition_error"),
        (trigger(consent="email/marketing"), [], "no_consent"),
        (trigger(consent="email/marketing"), [consented("ada", day(0))], "send"),
        (trigger(consent="email/marketing"), [consented("ada", day(0), channel="*")], "send"),
        (trigger(consent="email/marketing"), [consented("ada", day(0), channel="sms")], "no_consent"),
        (
            trigger(consent="email/marketing"),
            [consented("ada", day(0)), consented("ada", day(0) + 1, "withdrawn")],
            "no_consent",
        ),
        (
            trigger(consent="email/marketing"),
            [
                consented("ada", day(0)),
                about("ada", CampaignUnsubscribed, day(0) + 1, campaign_id="c", channel="email"),
            ],
            "no_consent",
        ),
        (trigger(consent="email/marketing"), [consented("ada", day(0)), unsubscribed("web")], "no_consent"),
        (trigger(consent="email/marketing"), [consented("ada", day(0)), unsubscribed("EMAIL")], "no_consent"),
        (trigger(consent="email/marketing"), [consented("ada", day(0)), unsubscribed("sms")], "send"),
        (trigger(), [about("ada", CustomerErased, day(0))], "no_consent"),
        (trigger(holdout=1), [], "holdout"),
    ],
)
def test_each_check_has_its_verdict(text: str, before: list[Event], verdict: str) -> None:
    """What stands in the way is the verdict."""
    assert verdicts(log(*silence(rules(text), *before))) == [verdict]


def test_the_order_of_the_checks_is_fixed() -> None:
    """Of a condition that fails and a consent that is missing, the condition is the verdict."""
    both = trigger(consent="email/marketing", holdout=1, rest='where = "orders.count > 9"')
    assert verdicts(log(*silence(rules(both)))) == ["condition_false"]
    assert verdicts(log(*silence(rules(trigger(consent="email/marketing", holdout=1))))) == ["no_consent"]


def test_an_old_change_is_expired_on_the_wall_clock() -> None:
    """Ten years of history, loaded now, message nobody; with max_age off they do."""
    assert verdicts(log(*silence(rules(trigger(), clock="wall")))) == ["expired"]
    assert verdicts(log(*silence(rules(trigger(rest='max_age = "off"'), clock="wall")))) == ["send"]
    assert verdicts(log(*silence(rules(trigger(), clock="events")))) == ["send"]


def returning(customer: str, times: int) -> list[Event]:
    """At risk again and again: an order each 100 days."""
    return [order(customer, day(n * 100 + lag)) for n in range(times) for lag in (0, 1)]


def test_a_cap_of_the_trigger_ends_what_is_above_it() -> None:
    """Two in 300 days: the third within them is capped, and the fourth is not."""
    capped = trigger(rest="cap = { count = 2, days = 300 }")
    found = verdicts(log(rules(capped), *returning("ada", 4), tick(day(401))))
    assert found == ["send", "send", "capped", "send"]


def test_the_cap_of_all_triggers_goes_by_priority() -> None:
    """One message a year, and two triggers on one change: the one with the greater priority."""
    text = "cap = { count = 1, days = 365 }\n" + trigger("a") + trigger("b", rest="priority = 1")
    [first, second] = decided(log(*silence(rules(text))))
    assert (first.trigger, first.verdict, second.trigger, second.verdict) == ("b", "send", "a", "capped")


def test_who_is_held_out_uses_up_the_cap() -> None:
    """Both arms are capped alike."""
    capped = trigger(holdout=1, rest="cap = { count = 1, days = 300 }")
    assert verdicts(log(rules(capped), *returning("ada", 2), tick(day(201)))) == ["holdout", "capped"]


def test_in_quiet_hours_a_message_waits_for_their_end() -> None:
    """At midnight it is night up to seven: deferred, and then sent at seven, under the same id."""
    partition = log(*silence(rules(trigger(rest=NIGHT))))
    [wait], [decision] = deferred(partition), decided(partition)
    assert (wait.waits_for, wait.occurred_at, wait.until_at) == (
        "quiet_hours",
        day(92),
        day(92) + 7 * HOUR_MS,
    )
    assert (decision.verdict, decision.occurred_at) == ("send", day(92) + 7 * HOUR_MS)
    assert wait.decision_id == decision.decision_id
    assert decision.inputs.keys() == {"age_ms", "holdout", "quiet_hours"}


def test_in_quiet_hours_a_message_can_be_dropped() -> None:
    """With the policy drop, the night ends it."""
    dropped = NIGHT.replace('"07:00"', '"07:00", policy = "drop"')
    assert verdicts(log(*silence(rules(trigger(rest=dropped))))) == ["quiet"]


def test_quiet_hours_are_the_customers() -> None:
    """Midnight in UTC is morning in Tokyo, which the trait says; nonsense in the trait leaves the default."""
    for zone_name, verdict_count in (("Asia/Tokyo", 0), ("nonsense", 1)):
        trait = about("ada", TraitsUpdated, day(0), traits={"timezone": zone_name})
        assert len(deferred(log(*silence(rules(trigger(rest=NIGHT)), trait)))) == verdict_count


def test_what_waited_is_checked_again() -> None:
    """Consent withdrawn in the night: not sent in the morning."""
    text = trigger(consent="email/marketing", rest=NIGHT)
    withdrawn = consented("ada", day(92) + HOUR_MS, "withdrawn")
    events = [
        rules(text),
        consented("ada", day(0)),
        order("ada", day(0)),
        order("ada", day(1)),
        tick(day(92)),
    ]
    assert verdicts(log(*events, withdrawn, tick(day(93)))) == ["no_consent"]


def reviewed(partition: Partition, at: int, *, approved: bool) -> Event:
    [wait] = deferred(partition)
    fields = {"decision_id": wait.decision_id, "trigger": wait.trigger, "approved": approved}
    return about("ada", DecisionReviewed, at, **fields)


@pytest.mark.parametrize(("approved", "verdict"), [(True, "send"), (False, "declined"), (None, "declined")])
def test_a_person_decides_within_the_time_limit(approved: bool | None, verdict: str) -> None:
    """Yes sends, no declines, and so does the end of the time limit; what comes later changes nothing."""
    partition = log(*silence(rules(trigger(rest='review = true\nreview_within = "10d"'))))
    assert verdicts(partition) == []
    if approved is not None:
        partition.log(reviewed(partition, day(101), approved=approved)).fold()
    partition.log(tick(day(103)), reviewed(partition, day(103), approved=True)).fold()
    assert verdicts(partition) == [verdict]


def test_a_removed_trigger_ends_what_waits() -> None:
    """The morning after, the trigger is no more: declined."""
    partition = log(rules(trigger(rest=NIGHT)), order("ada", day(0)), order("ada", day(1)), tick(day(92)))
    assert verdicts(partition.log(rules(at=day(92)), tick(day(93))).fold()) == ["declined"]


def test_rules_that_cannot_be_used_are_refused() -> None:
    """The rules in force stay, and headwater.failed says why."""
    bad = TriggersSet(
        event_id=event_id("bad"),
        occurred_at=0,
        received_at=0,
        version="x",
        segments="",
        triggers="[",
        clock="events",
    )
    partition = log(*silence(rules(trigger()), bad))
    assert verdicts(partition) == ["send"]
    [failure] = partition.failures()
    assert "The rules in force stay as they are: triggers.toml" in failure.reason


def members(partition: Partition) -> list[tuple[str, bool, int]]:
    changes = [each for each in told(partition, TRANSITIONS) if isinstance(each, SegmentChanged)]
    return [(each.segment, each.entered, each.occurred_at // DAY_MS) for each in changes]


def test_a_segment_is_entered_and_left() -> None:
    """Entering and leaving are transitions, and a trigger tells of them."""
    spenders = segment("spenders", "orders.net > 15.0 && traits.tier == 'gold'")
    on = 'on = { change = "segment", segment = "spenders" }'
    partition = log(
        rules(trigger(on=on), segments=spenders),
        order("ada", day(0)),
        order("ada", day(1)),
        about("ada", TraitsUpdated, day(2), traits={"tier": "gold"}),
        about("ada", TraitsUpdated, day(3), traits={"tier": "none"}),
    )
    assert members(partition) == [("spenders", True, 2), ("spenders", False, 3)]
    assert [(each.before, each.after) for each in decided(partition)] == [("out", "in"), ("in", "out")]


def test_a_segment_that_reads_time_is_looked_at_each_midnight() -> None:
    """Silent for 10 days, at the midnight after; without time in it, nothing happens at midnight."""
    silent = segment("silent", "orders.count > 0 && lifecycle.silence_days >= 10")
    partition = log(rules(segments=silent), order("ada", day(0.5)), tick(day(20)), order("ada", day(20.5)))
    assert members(partition) == [("silent", True, 11), ("silent", False, 20)]


def test_segments_defined_later_are_looked_at_for_everyone() -> None:
    """A new definition makes members of who is there, and one that is gone leaves without a word."""
    partition = log(
        order("ada", day(0)), order("bob", day(0)), rules(segments=segment("all", "true"), at=day(1))
    )
    assert members(partition) == [("all", True, 0), ("all", True, 0)]
    partition.log(rules(at=day(2)), tick(day(3))).fold()
    assert len(members(partition)) == 2
    assert all(row.told.segments == () for row in partition.table.stored.values())


def test_a_late_order_corrects_a_transition_and_takes_back_what_was_told() -> None:
    """An order of day 50 arrives on day 100: she was not at risk on day 92, and the receiver hears so."""
    partition = log(*silence(rules(trigger(rest="retract = true"))), order("ada", day(50)))
    [corrected] = [each for each in told(partition, TRANSITIONS) if isinstance(each, LifecycleCorrected)]
    first, second = decided(partition)
    assert (corrected.announced_stage, corrected.stage) == ("at_risk", "active")
    assert corrected.corrects_id == first.transition_id
    assert (second.kind, second.verdict, second.retracts_id) == ("correction", "send", first.decision_id)
    assert second.transition_id == corrected.event_id


def test_a_late_order_that_changes_nothing_of_the_past_corrects_nothing() -> None:
    """An order of day 93, told on day 100, was after she had become at risk."""
    partition = log(*silence(rules(trigger(rest="retract = true"))), order("ada", day(93)))
    assert not [each for each in told(partition, TRANSITIONS) if isinstance(each, LifecycleCorrected)]


def test_a_correction_ends_what_waits() -> None:
    """What is not sent yet of a transition that was wrong is not sent."""
    partition = log(
        *silence(rules(trigger(rest='review = true\nreview_within = "30d"'))), order("ada", day(50))
    )
    [decision] = decided(partition)
    assert (decision.verdict, decision.reason) == ("declined", "a late event showed the change wrong")
