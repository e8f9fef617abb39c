"""Does the queue have what the log says is pending, in any order of things, and after any restart?"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import (
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliveryRedriven,
    DeliverySucceeded,
    EngineEvent,
    TriggerDecided,
)
from streams.delivery_queue import UNROUTED, DeliveryQueue, Entry, GivenUp
from streams.log import Chunk, Record
from tests.unit.streams.partition import event_id

ROUTES = {"a": "https://one.example", "b": "https://one.example", "c": "https://two.example"}
APPENDED_MS = 1_000
LATER = 1_000_000


class Subject(NamedTuple):
    """A decision, by its number; a few customers have several at an endpoint."""

    number: int

    @property
    def id(self) -> str:
        return event_id(("decision", self.number))

    @property
    def customer(self) -> str:
        return "xyz"[self.number % 3]

    @property
    def trigger(self) -> str:
        return "abcd"[self.number % 4]


def event(kind: type[EngineEvent], subject: Subject, at: int = 0, /, **fields: Any) -> EngineEvent:
    return kind(
        event_id=event_id((kind.__name__, subject, at, str(fields))),
        customer_id=subject.customer,
        occurred_at=at,
        received_at=at,
        decision_id=subject.id,
        trigger=subject.trigger,
        **fields,
    )


def decided(subject: Subject, verdict: str = "send") -> EngineEvent:
    return event(
        TriggerDecided,
        subject,
        rules_version="1",
        kind="stage",
        transition_id=event_id(0),
        transition_at=0,
        verdict=verdict,
        reason="",
        inputs={},
        cause_topic="headwater.events",
        cause_partition=0,
        cause_offset=0,
    )


def attempted(subject: Subject, attempt: int, at: int, next_attempt_at: int | None) -> EngineEvent:
    return event(
        DeliveryAttempted,
        subject,
        at,
        attempt=attempt,
        endpoint=ROUTES.get(subject.trigger, ""),
        succeeded=False,
        elapsed_ms=1,
        next_attempt_at=next_attempt_at,
    )


def succeeded(subject: Subject) -> EngineEvent:
    return event(DeliverySucceeded, subject, attempts=1, endpoint="")


def abandoned(subject: Subject, why: str = "parked", at: int = 0) -> EngineEvent:
    return event(DeliveryAbandoned, subject, at, attempts=1, endpoint="", why=why, reason="")


def redriven(subject: Subject) -> EngineEvent:
    return event(DeliveryRedriven, subject)


def records(events: Iterable[EngineEvent]) -> list[Record]:
    return [
        Record(offset, each.customer_id.encode(), encode(each), APPENDED_MS + offset)  # type: ignore[attr-defined]
        for offset, each in enumerate(events)
    ]


def opened(path: Path, *events: EngineEvent) -> DeliveryQueue:
    queue = DeliveryQueue(path / "queue.db")
    queue.hold([0])
    queue.route(ROUTES)
    queue.apply({0: Chunk(records(events), len(events))})
    return queue


def due(queue: DeliveryQueue) -> list[Entry]:
    """What may be tried, at any endpoint."""
    endpoints = {UNROUTED, *queue.routes.values()}
    return [entry for endpoint in sorted(endpoints) for entry in queue.due(endpoint, frozenset(), 1_000)]


class Model:
    """What the log says, said once more and without SQL."""

    def __init__(self) -> None:
        self.pending: dict[Subject, list[Any]] = {}  # place, attempts, tries, first and next attempt
        self.ended: dict[Subject, tuple[str, int]] = {}
        self.attempts: dict[Subject, int] = {}
        self.known: set[Subject] = set()

    def take(self, offset: int, event: EngineEvent, subject: Subject) -> None:
        now = APPENDED_MS + offset
        match event:
            case TriggerDecided(verdict="send") if subject not in {*self.pending, *self.ended}:
                self.pending[subject] = [offset, 0, 0, None, now]
            case DeliveryAttempted() if (found := self.pending.get(subject)) and event.attempt > found[1]:
                found[1:3] = [event.attempt, found[2] + 1]
                found[3] = event.occurred_at if found[3] is None else found[3]
                found[4] = found[4] if event.next_attempt_at is None else event.next_attempt_at
            case DeliverySucceeded():
                self.pending.pop(subject, None)
                self.ended.pop(subject, None)
            case DeliveryAbandoned(why=why) if subject in self.pending:
                self.ended[subject] = why, self.pending.pop(subject)[1]
            case DeliveryRedriven() if subject in self.ended:
                _, attempts = self.ended.pop(subject)
                self.pending[subject] = [offset, attempts, 0, None, now]

    def due(self) -> list[tuple[Any, ...]]:
        first: dict[tuple[str, str], Subject] = {}
        for subject, (place, *_) in self.pending.items():
            where = ROUTES.get(subject.trigger, UNROUTED), subject.customer
            if where not in first or place < self.pending[first[where]][0]:
                first[where] = subject
        return sorted((each.id, *self.pending[each]) for each in first.values())


subjects = st.builds(Subject, st.integers(0, 11))
happenings = st.one_of(
    st.tuples(st.just(decided), subjects),
    st.tuples(
        st.just(attempted), subjects, st.integers(1, 4), st.integers(0, 9), st.none() | st.integers(0, 9)
    ),
    st.tuples(st.just(succeeded), subjects),
    st.tuples(st.just(abandoned), subjects, st.sampled_from(["parked", "no_consent"])),
    st.tuples(st.just(redriven), subjects),
)


@given(st.lists(st.tuples(happenings, st.booleans(), st.booleans()), max_size=60))
def test_any_history_leaves_what_it_says(history: list[tuple[tuple[Any, ...], bool, bool]]) -> None:
    """However it is cut into chunks, and whenever the queue is closed and opened again."""
    told = [(make(*arguments), arguments[0]) for (make, *arguments), _, _ in history]
    model = Model()
    for offset, (each, subject) in enumerate(told):
        model.take(offset, each, subject)
    with TemporaryDirectory() as path:
        queue = opened(Path(path))
        chunk: list[Record] = []
        for record, (_, cut, restart) in zip(records(each for each, _ in told), history, strict=True):
            chunk.append(record)
            if cut:
                queue.apply({0: Chunk(chunk, record.offset + 1)})
                chunk = []
            if restart:  # what was read and not applied is read again
                queue.close()
                queue = DeliveryQueue(Path(path) / "queue.db")
                queue.hold([0])
                chunk = [
                    each for each in records(e for e, _ in told) if queue.positions.get(0, 0) <= each.offset
                ]
                chunk = [each for each in chunk if each.offset <= record.offset]
        queue.apply({0: Chunk(chunk, len(told))})
        found = sorted(
            (e.decision_id, e.place, e.attempts, e.tries, e.first_attempt_at, e.next_attempt_at)
            for e in due(queue)
        )
        assert found == model.due()
        states = [*("pending" for _ in model.pending), *(why for why, _ in model.ended.values())]
        assert sum(queue.counts.values()) == len(states)
        assert {state for _, state in queue.counts} == set(states)
        queue.close()


def test_only_what_was_decided_to_be_sent_is_pending(tmp_path: Path) -> None:
    """A holdout is a decision, and no message."""
    queue = opened(tmp_path, decided(Subject(0), "holdout"), decided(Subject(1)))
    assert [entry.decision_id for entry in due(queue)] == [Subject(1).id]


def test_a_customers_next_message_waits_for_the_one_before(tmp_path: Path) -> None:
    """At the same endpoint, also of another trigger; at another endpoint it does not."""
    first, second, elsewhere = Subject(0), Subject(9), Subject(6)
    assert {each.customer for each in (first, second, elsewhere)} == {"x"}
    queue = opened(tmp_path, decided(first), decided(second), decided(elsewhere))
    assert {entry.decision_id for entry in due(queue)} == {first.id, elsewhere.id}
    queue.apply({0: Chunk([Record(3, b"x", encode(succeeded(first)), 0)], 4)})
    assert {entry.decision_id for entry in due(queue)} == {second.id, elsewhere.id}


def test_messages_are_due_by_their_next_attempt(tmp_path: Path) -> None:
    """Of those that are not claimed, as many as are wanted."""
    one, two, three = Subject(0), Subject(4), Subject(8)
    queue = opened(
        tmp_path,
        *(decided(each) for each in (one, two, three)),
        attempted(one, 1, 5, LATER),
        attempted(two, 1, 5, LATER - 1),
    )
    endpoint = ROUTES["a"]
    found = queue.due(endpoint, frozenset(), 10)
    assert [entry.decision_id for entry in found] == [three.id, two.id, one.id]
    assert [entry.decision_id for entry in queue.due(endpoint, {three.id}, 1)] == [two.id]


def test_only_our_partitions_are_due(tmp_path: Path) -> None:
    """What another process has is left to it, and is due again once the partition is ours."""
    queue = opened(tmp_path, decided(Subject(0)))
    queue.apply({1: Chunk([Record(0, b"y", encode(decided(Subject(1))), 0)], 1)})
    assert [entry.partition for entry in due(queue)] == [0]
    queue.hold([1])
    assert [entry.partition for entry in due(queue)] == [1]
    queue.hold([0, 1])
    assert {entry.partition for entry in due(queue)} == {0, 1}


def test_rules_that_change_take_messages_along(tmp_path: Path) -> None:
    """To the endpoint of their trigger now, where the order of each customer is kept."""
    one, two = Subject(0), Subject(6)
    queue = opened(tmp_path, decided(one), decided(two))
    assert len(due(queue)) == 2
    queue.route({"a": "https://new.example", "c": "https://new.example"})
    assert [entry.decision_id for entry in queue.due("https://new.example", frozenset(), 9)] == [one.id]
    queue.route({})
    assert [entry.decision_id for entry in queue.due(UNROUTED, frozenset(), 9)] == [one.id]


def test_what_was_given_up_can_be_found(tmp_path: Path) -> None:
    """What should have been sent, and not what a check ended; by trigger and time."""
    queue = opened(
        tmp_path,
        *(decided(Subject(n)) for n in range(4)),
        abandoned(Subject(0), "parked", 10),
        abandoned(Subject(1), "refused", 20),
        abandoned(Subject(2), "no_consent", 30),
    )

    def found(trigger: str | None = None, since_ms: int = 0) -> list[str]:
        which = GivenUp(trigger, since_ms, 20)
        told = [each.trigger for each in queue.undelivered(which, 10)]
        assert queue.count_undelivered(which) == len(told)
        return told

    assert found() == ["a", "b"]
    assert found(since_ms=11) == ["b"]
    assert found("a") == ["a"]
    assert queue.counts == {
        ("a", "parked"): 1,
        ("b", "refused"): 1,
        ("c", "no_consent"): 1,
        ("d", "pending"): 1,
    }


def test_it_says_what_fails(tmp_path: Path) -> None:
    """How often in a row at each endpoint, which a restart does not forget."""
    queue = opened(tmp_path, decided(Subject(0)), *(attempted(Subject(0), n, n, LATER) for n in (1, 2, 3)))
    assert queue.failing[ROUTES["a"]].failures == 3
    queue.close()
    assert DeliveryQueue(tmp_path / "queue.db").failing[ROUTES["a"]].failures == 3


@pytest.mark.parametrize("damage", [b"", b"this is no database, and long enough to be read as one" * 100])
def test_a_damaged_file_is_made_new(tmp_path: Path, damage: bytes) -> None:
    """It is read from the log again."""
    opened(tmp_path, decided(Subject(0))).close()
    (tmp_path / "queue.db").write_bytes(damage)
    queue = DeliveryQueue(tmp_path / "queue.db")
    assert queue.positions == {}
    assert queue.counts == {}
