"""What does a plan change of topics that are there already?"""

import pytest

from streams.kafka_topics import Found, faults, planned, wanted
from streams.log import TopicSpec
from streams.topics import CLOCK, CUSTOMERS, EVENTS, TRANSITIONS, topic_specs

SPECS = {spec.name: spec for spec in topic_specs(4)}


def found(name: str, *, partitions: int | None = None, replicas: int = 3, **config: str) -> Found:
    """A topic as `apply` makes it, but for what is given (a dot in a name is two underscores)."""
    spec = SPECS[name]
    own = wanted(spec, replicas) | {key.replace("__", "."): value for key, value in config.items()}
    return Found(partitions or spec.partitions, replicas, own, own)


def change(spec: TopicSpec, topic: Found, replicas: int = 3) -> dict[str, str]:
    plan = planned([spec], {spec.name: topic}, replicas)
    return dict(plan.changes[0].config) if plan.changes else {}


def test_a_topic_as_it_should_be_is_left_alone() -> None:
    """A plan after apply is empty."""
    for name, spec in SPECS.items():
        assert change(spec, found(name)) == {}


@pytest.mark.parametrize(
    ("now", "then"),
    [("604800000", {"retention.ms": "-1"}), ("-1", {})],
)
def test_retention_is_raised_to_for_ever(now: str, then: dict[str, str]) -> None:
    """Events are kept for ever."""
    assert change(SPECS[EVENTS], found(EVENTS, retention__ms=now)) == then


@pytest.mark.parametrize(("now", "then"), [("1", {"delete.retention.ms": "2592000000"}), ("9999999999", {})])
def test_retention_is_never_lowered(now: str, then: dict[str, str]) -> None:
    """What is longer than asked for stays."""
    assert change(SPECS[CUSTOMERS], found(CUSTOMERS, delete__retention__ms=now)) == then


def test_a_broker_that_is_away_lowers_nothing() -> None:
    """min.insync.replicas follows the topic's replicas, not the brokers that answer today."""
    assert change(SPECS[EVENTS], found(EVENTS, replicas=3), replicas=2) == {}
    assert change(SPECS[EVENTS], found(EVENTS, min__insync__replicas="1")) == {"min.insync.replicas": "2"}


def test_fewer_replicas_than_wanted_are_told() -> None:
    """Kafka moves replicas, not we; what can be in sync is asked of those that are there."""
    plan = planned([SPECS[EVENTS]], {EVENTS: found(EVENTS, replicas=1)}, 3)
    assert plan.changes == []
    assert "has 1 replicas, not 3" in plan.refusals[0]


@pytest.mark.parametrize(
    ("name", "topic", "told"),
    [
        (EVENTS, found(EVENTS, retention__ms="604800000"), "retention.ms=604800000"),
        (EVENTS, found(EVENTS, message__timestamp__type="CreateTime"), "message.timestamp.type=CreateTime"),
        (EVENTS, found(EVENTS, cleanup__policy="compact"), "cleanup.policy=compact"),
        (CUSTOMERS, found(CUSTOMERS, cleanup__policy="delete"), "forget customers"),
        (CUSTOMERS, found(CUSTOMERS, cleanup__policy="compact,delete"), "forget customers"),
        (TRANSITIONS, found(TRANSITIONS, partitions=2), f"has 2 partitions and {EVENTS} has 4"),
        (CLOCK, found(CLOCK, partitions=3), "has 3 partitions, not 1: delete it"),
    ],
)
def test_what_would_lose_something_is_a_fault(name: str, topic: Found, told: str) -> None:
    """One sentence with the remedy, before anything is consumed."""
    topics = {each: found(each) for each in SPECS}
    assert faults(list(SPECS.values()), topics) == []
    (fault,) = faults(list(SPECS.values()), topics | {name: topic})
    assert told in fault
    assert "headwater topics apply" in fault


def test_missing_topics_are_one_sentence() -> None:
    """However many there are."""
    (fault,) = faults(list(SPECS.values()), {})
    assert fault.startswith(f"Kafka has no topic {EVENTS}, {CUSTOMERS}")


def test_one_partition_is_a_count_like_any_other() -> None:
    """Keyed topics must agree then, too."""
    specs = topic_specs(1)
    topics = {spec.name: Found(spec.partitions, 1, wanted(spec, 1), {}) for spec in specs}
    topics[TRANSITIONS] = topics[TRANSITIONS]._replace(partitions=2)
    assert len(faults(specs, topics)) == 1
