"""Which messages are still to be delivered, and which could not be? A projection of headwater.decisions.

A message is pending from its TriggerDecided on, until it has succeeded, which deletes it, or was abandoned,
which keeps it with the reason, so that it can be redriven. Of the messages to a customer at an endpoint only
the earliest is next; the others wait until it has ended. Messages and the next offset of each partition are
written in one transaction; without the file, the topic is read again from its beginning.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

from schemas.codec import Undecodable, decode
from schemas.events import (
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliveryRedriven,
    DeliverySucceeded,
    Event,
    TriggerDecided,
)
from streams import delivery_tables as sql
from streams.log import Chunk, Record
from streams.sqlite import transaction

logger = structlog.get_logger(__name__)

UNROUTED = ""  # endpoint of a trigger that is not in force, as far as we know
PENDING = "pending"


class Entry(NamedTuple):
    """A message to be sent. Times in ms on the wall clock."""

    decision_id: str
    partition: int
    attempts: int  # all that there were
    tries: int  # of them, since it was decided or redriven
    first_attempt_at: int | None  # of these
    next_attempt_at: int
    taken_at: int  # when the decision was written
    place: int  # offset of what made it pending
    decided: TriggerDecided


class Undelivered(NamedTuple):
    """A message that should have been sent and was given up: parked or refused."""

    decision_id: str
    partition: int
    customer_id: str
    trigger: str
    place: int


class GivenUp(NamedTuple):
    """Which messages that were given up: of a trigger, or of any, between two moments (ms, both included)."""

    trigger: str | None
    since: int
    until: int


class Failing(NamedTuple):
    """How many attempts at an endpoint failed since the last that did not, when it was tried, and why."""

    failures: int
    at: int
    error: str | None


class Told(NamedTuple):
    """What a part of the log told: decisions with another receipt, endpoints where more may be due now."""

    decisions: list[str]
    endpoints: set[str]


class DeliveryQueue:
    """The file at `path`. One thread makes all calls; the attributes are replaced, never changed."""

    def __init__(self, path: Path) -> None:
        self._db = sql.opened(path)
        self._held: frozenset[int] = frozenset()
        self.routes: Mapping[str, str] = dict(self._db.execute("SELECT trigger, endpoint FROM routes"))
        self.positions: Mapping[int, int] = dict(
            self._db.execute("SELECT partition, next_offset FROM positions")
        )
        self.failing: Mapping[str, Failing] = {
            endpoint: Failing(*rest) for endpoint, *rest in self._db.execute("SELECT * FROM failing")
        }
        counted = self._db.execute("SELECT trigger, why, count(*) FROM deliveries GROUP BY trigger, why")
        self.counts: Mapping[tuple[str, str], int] = {  # trigger, and pending or why it was abandoned
            (trigger, why or PENDING): number for trigger, why, number in counted
        }

    def close(self) -> None:
        self._db.close()

    def apply(self, chunks: Mapping[int, Chunk]) -> Told:
        """Take in a chunk of each partition, all or nothing."""
        change = _Change(self)
        with transaction(self._db):
            for partition, chunk in chunks.items():
                for record in chunk.records:
                    change.take(partition, record)
            change.finish({partition: chunk.end for partition, chunk in chunks.items()})
        change.publish()
        return Told(change.decisions, change.endpoints)

    # What the log does not say: all of it can be found out again

    def hold(self, partitions: Collection[int]) -> None:
        """Only messages of these partitions are due: they are ours."""
        self._held = frozenset(partitions)
        with transaction(self._db):
            self._db.execute(sql.HOLD, (msgspec.json.encode(sorted(partitions)).decode(),))

    def route(self, endpoints: Mapping[str, str]) -> None:
        """Each trigger's messages go to that endpoint now, those of other triggers nowhere."""
        with transaction(self._db):
            self._db.execute("DELETE FROM routes")
            self._db.executemany("INSERT INTO routes VALUES (?, ?)", endpoints.items())
            for statement in sql.REROUTE:
                self._db.execute(statement)
        self.routes = dict(endpoints)

    def put_off(self, decision_id: str, until_ms: int) -> None:
        """Try it no earlier."""
        self._db.execute(sql.PUT_OFF, {"id": _key(decision_id), "until": until_ms})

    # What is there

    def due(self, endpoint: str, claimed: Set[str], limit: int) -> list[Entry]:
        """The next messages to an endpoint that are not claimed, by when they are to be tried."""
        found = ((_id(key), *rest) for key, *rest in self._db.execute(sql.DUE, (endpoint,)))
        wanted = islice((row for row in found if row[0] not in claimed), limit)
        return [Entry._make((*columns, decode(decided))) for *columns, decided in wanted]

    def undelivered(self, which: GivenUp, limit: int) -> list[Undelivered]:
        """Messages that were given up, the earliest first."""
        found = self._db.execute(sql.UNDELIVERED, which._asdict() | {"limit": limit})
        return [Undelivered(_id(key), *rest) for key, *rest in found]

    def count_undelivered(self, which: GivenUp) -> int:
        (number,) = self._db.execute(sql.COUNT_UNDELIVERED, which._asdict()).fetchone()
        return int(number)


class _Change:
    """One transaction under way: the queue's attributes as they will be once it is committed."""

    def __init__(self, queue: DeliveryQueue) -> None:
        self.decisions: list[str] = []
        self.endpoints: set[str] = set()
        self._queue = queue
        self._db = queue._db
        self._positions = dict(queue.positions)
        self._counts = Counter(queue.counts)
        self._failing = dict(queue.failing)

    def take(self, partition: int, record: Record) -> None:
        event = _event(record)
        match event:
            case TriggerDecided(verdict="send"):
                self._add(partition, record, event)
            case DeliveryAttempted(decision_id=decision_id):
                self._note(event)
                told = {
                    "attempt": event.attempt,
                    "at": event.occurred_at,
                    "next_attempt_at": event.next_attempt_at,
                }
                changed = self._db.execute(sql.ATTEMPTED, {"id": _key(decision_id), **told}).fetchall()
                self.endpoints.update(endpoint for (endpoint,) in changed)
            case DeliverySucceeded(decision_id=decision_id):
                self._end(sql.SUCCEEDED, None, {"id": _key(decision_id)})
            case DeliveryAbandoned(decision_id=decision_id, why=why):
                self._end(sql.ABANDONED, why, {"id": _key(decision_id), "why": why, "at": event.occurred_at})
            case DeliveryRedriven(decision_id=decision_id):
                self._redrive(record, {"id": _key(decision_id)})
        if isinstance(event, DeliveryAttempted | DeliverySucceeded | DeliveryAbandoned):
            self.decisions.append(event.decision_id)

    def _note(self, event: DeliveryAttempted) -> None:
        """Partitions are read one after the other: what is older than what was noted is no news."""
        before = self._failing.get(event.endpoint, Failing(0, 0, None))
        if event.occurred_at >= before.at:
            failures = 0 if event.succeeded else before.failures + 1
            self._failing[event.endpoint] = Failing(failures, event.occurred_at, event.error)

    def _add(self, partition: int, record: Record, decided: TriggerDecided) -> None:
        endpoint = self._queue.routes.get(decided.trigger, UNROUTED)
        added = {
            "id": _key(decided.decision_id),
            "partition": partition,
            "customer_id": decided.customer_id,
            "trigger": decided.trigger,
            "endpoint": endpoint,
            "place": record.offset,
            "at": record.timestamp_ms,
            "is_held": partition in self._queue._held,
            "decided": record.value,
        }
        if self._db.execute(sql.ADD, added).fetchall():
            self._counts[decided.trigger, PENDING] += 1
            self.endpoints.add(endpoint)

    def _end(self, statement: str, why: str | None, told: Mapping[str, object]) -> None:
        """It is deleted or kept with the reason; who waited for it is next."""
        for trigger, before, *place in self._db.execute(statement, told).fetchall():
            self._counts[trigger, before or PENDING] -= 1
            if why is not None:
                self._counts[trigger, why] += 1
            self._promote(place)

    def _promote(self, place: Sequence[str]) -> None:
        """Who is first of those that wait for a customer and an endpoint is next."""
        self._db.execute(sql.PROMOTE, place)
        self.endpoints.add(place[1])

    def _redrive(self, record: Record, told: Mapping[str, object]) -> None:
        """It is pending again, behind all others."""
        for trigger, why in self._db.execute(sql.FIND, told).fetchall():
            endpoint = self._queue.routes.get(trigger, UNROUTED)
            again = {"place": record.offset, "at": record.timestamp_ms, "endpoint": endpoint}
            for place in self._db.execute(sql.REDRIVEN, {**told, **again}).fetchall():
                self._promote(place)
            self._counts[trigger, why] -= 1
            self._counts[trigger, PENDING] += 1

    def finish(self, ends: Mapping[int, int]) -> None:
        self._positions |= ends
        self._db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", ends.items())
        changed = [(k, *v) for k, v in self._failing.items() if v != self._queue.failing.get(k)]
        self._db.executemany(sql.FAILING, changed)

    def publish(self) -> None:
        self._queue.positions = self._positions
        self._queue.counts = {key: number for key, number in self._counts.items() if number}
        self._queue.failing = self._failing


def _event(record: Record) -> Event | None:
    try:
        return decode(record.value or b"")
    except Undecodable as error:
        logger.warning("decision_undecodable", offset=record.offset, reason=str(error))
        return None


def _key(decision_id: str) -> bytes:
    return UUID(decision_id).bytes


def _id(key: bytes) -> str:
    return str(UUID(bytes=key))
