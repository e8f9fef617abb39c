"""What is said of a delivery? Its events, on headwater.decisions; their ids come from their causes."""

from typing import Any

from schemas.codec import encode
from schemas.events import (
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliveryRedriven,
    DeliverySucceeded,
    EngineEvent,
)
from streams.delivery_queue import Entry, Undelivered
from streams.log import Append
from streams.outputs import output_id
from streams.sending import Answer
from streams.topics import DECISIONS

ENDPOINT_LENGTH = 512  # of a file's path, which may be longer


def attempted(
    entry: Entry, endpoint: str, answer: Answer, now_ms: int, elapsed_ms: int, next_attempt_at: int | None
) -> Append:
    """An attempt that began at `now_ms`; without a `next_attempt_at` it was the last one."""
    attempt = entry.attempts + 1
    event = DeliveryAttempted(
        event_id=output_id("attempted", entry.decision_id, attempt),
        **_common(entry.decided.customer_id, entry.decision_id, entry.decided.trigger, now_ms),
        attempt=attempt,
        endpoint=endpoint[:ENDPOINT_LENGTH],
        succeeded=answer.succeeded,
        status=answer.status,
        error=answer.error,
        response=answer.response,
        elapsed_ms=elapsed_ms,
        next_attempt_at=next_attempt_at,
    )
    return _append(entry, event, event.customer_id)


def succeeded(entry: Entry, endpoint: str, now_ms: int) -> Append:
    """The receiver took it, at the next attempt of `entry`."""
    attempts = entry.attempts + 1
    event = DeliverySucceeded(
        event_id=output_id("succeeded", entry.decision_id, attempts),
        **_common(entry.decided.customer_id, entry.decision_id, entry.decided.trigger, now_ms),
        attempts=attempts,
        endpoint=endpoint[:ENDPOINT_LENGTH],
    )
    return _append(entry, event, event.customer_id)


def abandoned(entry: Entry, endpoint: str, attempts: int, why: str, reason: str, now_ms: int) -> Append:
    """It is not sent, or no longer; once for each time that it is decided or redriven."""
    event = DeliveryAbandoned(
        event_id=output_id("abandoned", entry.decision_id, entry.place),
        **_common(entry.decided.customer_id, entry.decision_id, entry.decided.trigger, now_ms),
        attempts=attempts,
        endpoint=endpoint[:ENDPOINT_LENGTH],
        why=why,
        reason=reason,
    )
    return _append(entry, event, event.customer_id)


def redriven(found: Undelivered, requested_by: str | None, now_ms: int) -> Append:
    """Somebody wants it tried again; asked for twice, it is the same event."""
    event = DeliveryRedriven(
        event_id=output_id("redriven", found.decision_id, found.place),
        **_common(found.customer_id, found.decision_id, found.trigger, now_ms),
        requested_by=requested_by,
    )
    return _append(found, event, found.customer_id)


def _common(customer_id: str, decision_id: str, trigger: str, now_ms: int) -> dict[str, Any]:
    """What each of them has."""
    return {
        "customer_id": customer_id,
        "occurred_at": now_ms,
        "received_at": now_ms,
        "decision_id": decision_id,
        "trigger": trigger,
    }


def _append(of: Entry | Undelivered, event: EngineEvent, customer_id: str) -> Append:
    return Append(DECISIONS, of.partition, customer_id.encode(), encode(event))
