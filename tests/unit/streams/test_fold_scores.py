"""Are customers asked about and scored by what was known, and by nothing that came later?"""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from projections import customer
from projections.scoring import features
from projections.scoring.models import Logistic, inputs
from projections.scoring.questions import decode, next_ask
from projections.scoring.snapshots import Scorer, dump
from projections.scoring.targets import TARGETS
from schemas.codec import decode as decode_event
from schemas.events import (
    CampaignSent,
    CouponRedeemed,
    Event,
    ExampleMatured,
    ModelInForce,
    ScoreBoundariesSet,
    ScoresChanged,
    ScoringSet,
)
from streams.rows import CustomerRow, encode_row
from streams.topics import TRANSITIONS
from tests.unit.streams.partition import Partition, day, event_id, order, tick

EVERY_DAYS = 7
ALL = ("churn", "order_30d", "order_7d", "redeem")


def scoring(*targets: str, at: int = 0, every_days: int = EVERY_DAYS) -> ScoringSet:
    return ScoringSet(
        event_id=event_id(("scoring", at)),
        occurred_at=at,
        received_at=at,
        targets=targets,
        every_days=every_days,
    )


def sampled(target: str, percent: int) -> ScoringSet:
    return replace(scoring(target), percent=percent)


def in_force(target: str, offset: int, at: int = 0) -> ModelInForce:
    return ModelInForce(
        event_id=event_id(("model", target, offset)),
        occurred_at=at,
        received_at=at,
        target=target,
        model="logistic",
        as_of=at,
        model_offset=offset,
    )


def boundaries(target: str, medium: float, high: float) -> ScoreBoundariesSet:
    return ScoreBoundariesSet(
        event_id=event_id(("boundaries", target)),
        occurred_at=0,
        received_at=0,
        target=target,
        as_of=0,
        percentiles=tuple(n / 20 for n in range(1, 20)),
        bands=(medium, high),
        customers=9,
    )


def sent(customer_id: str, at: int, campaign: str = "spring") -> CampaignSent:
    return CampaignSent(
        event_id=event_id((customer_id, "sent", at)),
        customer_id=customer_id,
        occurred_at=at,
        received_at=at,
        campaign_id=campaign,
    )


def redeemed(customer_id: str, at: int, campaign: str = "spring") -> CouponRedeemed:
    return CouponRedeemed(
        event_id=event_id((customer_id, "redeemed", at)),
        customer_id=customer_id,
        occurred_at=at,
        received_at=at,
        coupon="c",
        campaign_id=campaign,
    )


def scorer(seed: int = 1) -> Scorer:
    """Of a model that has learned that who ordered lately orders again."""
    model, chance = Logistic(), random.Random(seed)
    for _ in range(300):
        recency = chance.uniform(0, 100)
        state = customer.evolve(customer.ZERO, order("x", day(0)))
        values = features.of(state, day(recency))
        model.learn_one(inputs(values), recency < chance.uniform(20, 40))
    return Scorer("logistic", dump(model))


SCORERS = {5: scorer(), 6: scorer(2)}


def lived(*events: Event, run_size: int = 1_000) -> Partition:
    return Partition(scorers=SCORERS).log(*events).fold(run_size)


def row_of(partition: Partition, customer_id: str) -> CustomerRow:
    return partition.table.stored[customer_id.encode()]


def test_without_a_target_nobody_is_asked_about() -> None:
    partition = lived(order("a", day(0)), tick(day(400)))
    assert partition.examples() == []
    assert row_of(partition, "a").scored.ask_ms is None


def test_a_question_is_asked_on_a_cadence_of_the_customers_own() -> None:
    """The first one comes within a week of the order, at a moment that only the id decides."""
    for name in ("a", "b", "c"):
        row = row_of(lived(scoring("churn"), order(name, day(10))), name)
        assert row.scored.ask_ms == next_ask(name, day(10), EVERY_DAYS) == row.next_due_ms
        assert day(10) < row.scored.ask_ms <= day(17)
    assert len({next_ask(str(n), day(10), EVERY_DAYS) for n in range(50)}) == 50


def test_an_example_waits_until_its_horizon_has_passed_also_when_its_answer_is_known() -> None:
    """An order the day after the question answers it; for 30 days nobody is told."""
    first = next_ask("a", day(0), EVERY_DAYS)
    known = [scoring("order_30d"), order("a", day(0)), order("a", first + day(1))]
    told_at = next_ask("a", first + day(30), EVERY_DAYS)
    assert lived(*known, tick(told_at - 1)).examples() == []
    (example,) = lived(*known, tick(told_at)).examples()
    assert example.label
    assert (example.ends_at, example.probability, example.asked_offset) == (first + day(30), None, 2)


@pytest.mark.parametrize("every_days", [10, 91])
def test_who_is_asked_rarely_is_learned_from_within_a_week(every_days: int) -> None:
    """Else a model would learn of April what happened in January."""
    first = next_ask("a", day(0), every_days)
    events = [scoring("order_7d", every_days=every_days), order("a", day(0)), tick(first + day(14))]
    assert lived(*events).examples()[0].asked_at == first


@pytest.mark.parametrize("models", [[], [in_force("churn", 5)]])
def test_stages_go_on_when_nothing_is_predicted_any_more(models: list[Event]) -> None:
    """The customer's next moment was its next question: now it is its next stage."""
    ordered = [order("a", day(0)), *models]
    stages = [
        [each.to_stage for each in lived(*events, tick(day(500))).transitions()]
        for events in (ordered, [scoring("churn"), *ordered, scoring(at=day(10))])
    ]
    assert stages[0] == stages[1]
    assert len(stages[0]) > 2


def test_who_buys_nothing_is_a_negative_and_who_lapsed_a_year_ago_is_not_asked() -> None:
    partition = lived(scoring("order_30d"), order("a", day(0)), tick(day(500)))
    examples = partition.examples()
    assert not any(each.label for each in examples)
    assert len(examples) == 365 // EVERY_DAYS or len(examples) == 365 // EVERY_DAYS + 1
    assert max(each.asked_at for each in examples) < day(366)
    assert row_of(partition, "a").scored.ask_ms is None


def test_features_are_those_of_the_moment_of_the_question_in_one_run_with_what_came_after() -> None:
    """A run holds events on both sides of the due moment: what came after it is not in the features."""
    first = next_ask("a", day(0), EVERY_DAYS)
    events = [scoring("order_7d"), order("a", day(0)), order("a", first + 1), tick(first + day(14))]
    state = customer.evolve(customer.ZERO, events[1])
    for size in (1, 2, 1_000):
        (example, *_) = lived(*events, run_size=size).examples()
        assert example.features == features.packed(features.of(state, first))
        assert example.label


def test_a_redemption_is_asked_at_the_send_and_answered_by_that_campaigns_coupon() -> None:
    partition = lived(
        scoring("redeem"),
        sent("a", day(1)),
        sent("a", day(2), "autumn"),
        redeemed("a", day(5), "autumn"),
        tick(day(40)),
    )
    assert [(each.asked_at, each.label) for each in partition.examples()] == [
        (day(1), False),
        (day(2), True),
    ]


def test_a_share_of_the_customers_is_learned_from_and_all_are_scored() -> None:
    """Who is not asked about has no moment of its own before a model scores."""
    names = [f"c{n}" for n in range(60)]
    partition = lived(sampled("churn", 20), *(order(name, day(0)) for name in names))
    asked_about = {name for name in names if row_of(partition, name).scored.ask_ms is not None}
    assert 3 <= len(asked_about) <= 25
    partition.log(in_force("churn", 5), tick(day(120))).fold()
    assert {each.customer_id for each in partition.examples()} == asked_about
    assert all(row_of(partition, name).scored.scores["churn"].scored_at > day(100) for name in names)


def test_a_late_send_is_not_asked_about() -> None:
    """The state already knows what came after it."""
    partition = lived(scoring("redeem"), order("a", day(5)), sent("a", day(1)), tick(day(60)))
    assert partition.examples() == []


def test_scores_come_with_a_model_with_events_and_with_time() -> None:
    """At once for everybody when the first model comes, then at each event and question."""
    first = next_ask("a", day(0), EVERY_DAYS)
    partition = lived(scoring("order_30d"), order("a", day(0)), in_force("order_30d", 5))
    score = row_of(partition, "a").scored.scores["order_30d"]
    assert (score.model_offset, score.scored_at) == (5, day(0))
    partition.log(tick(first + day(42))).fold()
    later = row_of(partition, "a").scored.scores["order_30d"]
    assert later.scored_at == first + day(42)
    assert later.probability < score.probability
    partition.log(order("a", first + day(43))).fold()
    assert row_of(partition, "a").scored.scores["order_30d"].scored_at == first + day(43)
    partition.log(tick(day(500))).fold()
    assert row_of(partition, "a").scored.scores == {}


def test_a_prediction_that_is_kept_is_what_its_snapshot_says_of_its_features() -> None:
    """To the bit: lineage."""
    events = [order(name, day(n)) for n, name in enumerate("abcdef")]
    partition = lived(scoring(*ALL), in_force("churn", 5), *events, in_force("churn", 6), tick(day(200)))
    kept = [each for each in partition.examples() if each.model_offset is not None]
    assert {each.target for each in kept} == {"churn"}
    assert {each.model_offset for each in kept} == {5, 6}
    for each in kept:
        scorer = SCORERS[each.model_offset or 0]
        assert scorer.many([features.unpacked(each.features)]) == [each.probability]


def test_a_model_that_was_never_published_is_quarantined() -> None:
    partition = lived(scoring("churn"), in_force("churn", 99), order("a", day(0)))
    (failure,) = partition.failures()
    assert "publish it before" in failure.reason
    assert row_of(partition, "a").scored.scores == {}


def test_a_change_of_band_is_told_and_the_first_band_is_none() -> None:
    first = next_ask("a", day(0), EVERY_DAYS)
    partition = lived(
        scoring("order_30d"),
        order("a", day(0)),
        in_force("order_30d", 5),
        boundaries("order_30d", 0.2, 0.5),
        tick(first + day(100)),
    )
    told = [decode_event(each.value or b"") for each in partition.outputs if each.topic == TRANSITIONS]
    changes = [event for event in told if isinstance(event, ScoresChanged)]
    assert [(each.from_band, each.to_band) for each in changes][:2] == [("high", "medium"), ("medium", "low")]
    assert all(day(0) < each.occurred_at <= first + day(100) for each in changes)


MOMENTS = st.integers(0, 200).map(lambda n: day(n / 2))
EVENTS = st.lists(
    st.one_of(
        st.builds(order, st.sampled_from("abc"), MOMENTS),
        st.builds(sent, st.sampled_from("abc"), MOMENTS, st.sampled_from(["spring", "autumn"])),
        st.builds(redeemed, st.sampled_from("abc"), MOMENTS, st.sampled_from(["spring", "autumn"])),
    ),
    max_size=25,
    unique_by=lambda event: event.event_id,
)


def history(events: Sequence[Event], models: Sequence[int]) -> list[Event]:
    """Scoring from the start, `events`, and models that come in force between them."""
    log: list[Event] = [scoring(*ALL), boundaries("order_30d", 0.3, 0.6), *events]
    for n, place in enumerate(sorted(models)):
        target = ("churn", "order_30d", "order_7d", "redeem")[n % 4]
        log.insert(1 + place % len(log), in_force(target, 5 + n % 2))
    return [*log, tick(day(120))]


@settings(max_examples=60)
@given(EVENTS, st.lists(st.integers(0, 30), max_size=5, unique=True), st.integers(1, 9))
def test_where_a_run_ends_changes_nothing(events: list[Event], models: list[int], size: int) -> None:
    """Rows and examples are the same to the byte, and so is what is told, in its order."""
    whole, parts = (lived(*history(events, models), run_size=n) for n in (1_000, size))
    assert whole.outputs == parts.outputs
    rows = [{key: encode_row(row) for key, row in each.table.stored.items()} for each in (whole, parts)]
    assert rows[0] == rows[1]


@settings(max_examples=60)
@given(EVENTS, EVENTS, st.lists(st.integers(0, 20), max_size=4, unique=True))
def test_what_comes_later_changes_no_prediction_made_before(
    past: list[Event], future: list[Event], models: list[int]
) -> None:
    """Whatever is appended after it, a question has the features and the probability that it had."""
    before = history(past, models)
    later = [event for event in future if event not in past]
    partition = lived(*before)
    told = asked(partition)
    partition.log(*later, tick(day(400))).fold()
    assert told.items() <= asked(partition).items()


def asked(partition: Partition) -> dict[tuple[object, ...], tuple[bytes, float | None]]:
    """Every prediction that was kept, ended or not."""
    found: dict[tuple[object, ...], tuple[bytes, float | None]] = {
        (each.customer_id, each.target, each.asked_at, each.about): (each.features, each.probability)
        for each in partition.examples()
    }
    for key, row in partition.table.stored.items():
        for moment in decode(row.scored.open):
            for question in moment.open:
                about = str(question.subject) if question.subject else ""
                name = key.decode(), question.target, moment.asked_at, about
                found[name] = moment.features, question.probability
    return found


@given(EVENTS)
def test_an_example_is_told_once(events: list[Event]) -> None:
    examples = lived(*history(events, [])).examples()
    assert len({each.event_id for each in examples}) == len(examples)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_questions_end_after_their_horizon(name: str) -> None:
    events = [order("a", day(0)), sent("a", day(1)), tick(day(150))]
    examples = [each for each in lived(scoring(name), *events).examples() if each.target == name]
    assert examples
    for each in examples:
        assert isinstance(each, ExampleMatured)
        assert each.ends_at - each.asked_at == day(TARGETS[name].horizon_days)
