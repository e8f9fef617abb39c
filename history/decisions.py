"""What did the triggers decide, and what became of it? One decision, pages of them, and sums over them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from history.timeline import placed
from schemas import form
from schemas.events import DecisionDeferred, Event

# times in ms, also where a condition below names them: an alias goes before a column of its name
DECISIONS = """
SELECT decision_id, customer_id, trigger, rules_version, kind, about, before, after, transition_id,
  toUnixTimestamp64Milli(transition_at) AS transition_at, toUnixTimestamp64Milli(decided_at) AS decided_at,
  verdict, reason, inputs, waits_for, toUnixTimestamp64Milli(until_at) AS until_at, retracts_id, delivery,
  attempts, toUnixTimestamp64Milli(delivered_at) AS delivered_at,
  toUnixTimestamp64Milli(abandoned_at) AS abandoned_at, abandoned_why, abandoned_reason, partition, offset
FROM decisions
"""
CONDITIONS = {
    "decision_id": "decision_id = {decision_id:UUID}",
    "customer_id": "customer_id = {customer_id:String}",
    "trigger": "trigger = {trigger:String}",
    "verdict": "verdict = {verdict:String}",
    "waits_for": "waits_for = {waits_for:String}",
    "since_ms": "decided_at >= {since_ms:Int64}",
    "after": "(decided_at, partition, offset) < {after:Tuple(Int64, Int64, Int64)}",
}
NEWEST_FIRST = "ORDER BY decided_at DESC, partition DESC, offset DESC LIMIT {limit:UInt32}"

STEPS = (
    "DecisionDeferred",
    "TriggerDecided",
    "DeliveryAttempted",
    "DeliverySucceeded",
    "DeliveryAbandoned",
    "DeliveryRedriven",
    "DecisionReviewed",
)
OF_DECISIONS = "customer_id IN {customers:Array(String)} AND decision_id IN {decisions:Array(UUID)}"

VERDICTS = """
SELECT trigger, verdict, count() FROM decisions
WHERE decided_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
GROUP BY trigger, verdict
"""
DELIVERIES = """
SELECT trigger, delivery, count() FROM decisions
WHERE delivery IN ('pending', 'parked')
GROUP BY trigger, delivery
"""
FAILING = """
SELECT endpoint, count(), countIf(NOT succeeded) AS failed,
  argMaxIf(coalesce(error, concat('HTTP ', toString(status)), 'no answer'), occurred_at, NOT succeeded)
FROM DeliveryAttempted FINAL
WHERE occurred_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
GROUP BY endpoint HAVING failed > 0
ORDER BY failed DESC, endpoint LIMIT 50
"""


class Decision(Struct, frozen=True):
    """A row of the view `decisions`, whose columns say what each is. Times in ms."""

    decision_id: str
    customer_id: str
    trigger: str
    rules_version: str
    kind: str
    about: str
    before: str | None
    after: str | None
    transition_id: str
    transition_at: int
    decided_at: int
    verdict: str
    reason: str
    inputs: dict[str, str]
    waits_for: str | None
    until_at: int | None
    retracts_id: str | None
    delivery: str | None
    attempts: int
    delivered_at: int | None
    abandoned_at: int | None
    abandoned_why: str | None
    abandoned_reason: str | None
    partition: int
    offset: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it is in a list."""
        return self.decided_at, self.partition, self.offset


class Wanted(Struct, frozen=True, omit_defaults=True):
    """Which decisions: filters are None where not asked for; `after` is the place of the last one shown."""

    decision_id: str | None = None
    customer_id: str | None = None
    trigger: str | None = None
    verdict: str | None = None
    waits_for: str | None = None
    since_ms: int | None = None
    after: tuple[int, int, int] | None = None


class Endpoint(NamedTuple):
    """A receiver that failed."""

    endpoint: str
    attempts: int
    failed: int
    latest_error: str


class Activity(NamedTuple):
    """How the triggers are doing, each count by trigger and verdict, or by trigger and state."""

    verdicts: Mapping[tuple[str, str], int]
    deliveries: Mapping[tuple[str, str], int]  # pending and parked
    failing: list[Endpoint]


def decisions(client: Client, wanted: Wanted, limit: int) -> list[Decision]:
    """At most `limit` decisions, newest first."""
    asked: dict[str, Any] = msgspec.structs.asdict(wanted)
    asked = {name: value for name, value in asked.items() if value is not None}
    conditions = " AND ".join(CONDITIONS[name] for name in asked)
    query = " ".join((DECISIONS, f"WHERE {conditions}" if conditions else "", NEWEST_FIRST))
    lines = client.raw_query(query, parameters={**asked, "limit": limit}, fmt="JSONEachRow")
    return msgspec.json.Decoder(Decision).decode_lines(lines)


def steps(client: Client, of: Sequence[Decision]) -> dict[str, list[dict[str, object]]]:
    """What happened with each decision, by its id: the JSON forms of its events, in order."""
    asked = {"customers": [each.customer_id for each in of], "decisions": [each.decision_id for each in of]}
    found: dict[str, list[tuple[float, Event]]] = defaultdict(list)
    reviewed_at: dict[str, float] = {}  # a review is on another topic: it comes after the wait for it
    for kind in STEPS:
        for offset, event in placed(client, kind, OF_DECISIONS, asked):
            decision_id: str = getattr(event, "decision_id")  # noqa: B009  # all of STEPS have one
            if isinstance(event, DecisionDeferred) and event.waits_for == "review":
                reviewed_at[decision_id] = offset + 0.5
            place = reviewed_at.get(decision_id, 0.0) if kind == "DecisionReviewed" else offset
            found[decision_id].append((place, event))
    return {
        decision_id: [form.render(event) for _, event in sorted(events, key=lambda each: each[0])]
        for decision_id, events in found.items()
    }


def activity(client: Client, verdicts_since_ms: int, failing_since_ms: int) -> Activity:
    """Verdicts and failing endpoints since their moments, and what is on its way now."""
    verdicts = client.query(VERDICTS, parameters={"since_ms": verdicts_since_ms}).result_rows
    failing = client.query(FAILING, parameters={"since_ms": failing_since_ms}).result_rows
    return Activity(
        {(trigger, verdict): count for trigger, verdict, count in verdicts},
        {(trigger, state): count for trigger, state, count in client.query(DELIVERIES).result_rows},
        [Endpoint(*row) for row in failing],
    )
