"""What does the engine say of a record: which id has an output, and how is a failure told?"""

from hashlib import blake2b
from typing import Any

from projections.triggers.deciding import Decision
from schemas.events import DecisionDeferred, ProcessingFailed, TriggerDecided
from streams.log import Record

KEPT_BYTES = 1_500_000


def output_id(*cause: object) -> str:
    """The id of an output, from its cause: the same cause gives the same id, whatever run it was in.

    A version 8 UUID (RFC 9562) over BLAKE2b, which takes a quarter of uuid5's time.
    """
    text = blake2b("\x1f".join(map(str, cause)).encode(), digest_size=15).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[12:15]}-8{text[15:18]}-{text[18:]}"


def processing_failed(topic: str, partition: int, record: Record, kind: str, reason: str) -> ProcessingFailed:
    """What headwater.failed keeps of a record: origin, reason and bytes; `kind` is who refused it.

    Of more than KEPT_BYTES the first are kept, so that a failure fits where the record did.
    """
    return ProcessingFailed(
        event_id=output_id(topic, partition, record.offset, kind),
        occurred_at=record.timestamp_ms,
        received_at=record.timestamp_ms,
        topic=topic,
        partition=partition,
        offset=record.offset,
        reason=reason,
        key=record.key,
        value=None if record.value is None else record.value[:KEPT_BYTES],
    )


def receipt(
    decided: Decision,
    decision_id: str,
    customer_id: str,
    rules_version: str,
    at: int,
    topic: str,
    partition: int,
    record: Record,
) -> TriggerDecided | DecisionDeferred:
    """What headwater.decisions keeps of a decision at `at` (ms, stream time), which the record caused."""
    change, waits = decided.change, decided.waits
    common: dict[str, Any] = {
        "occurred_at": at,
        "received_at": record.timestamp_ms,
        "customer_id": customer_id,
        "decision_id": decision_id,
        "trigger": decided.trigger,
        "rules_version": rules_version,
        "kind": change.kind,
        "about": change.about,
        "before": change.before,
        "after": change.after,
        "transition_id": change.id,
        "transition_at": change.at,
        "reason": decided.reason,
        "cause_topic": topic,
        "cause_partition": partition,
        "cause_offset": record.offset,
    }
    if waits is not None:
        cause = output_id(decision_id, waits.waits_for, waits.until)
        return DecisionDeferred(event_id=cause, waits_for=waits.waits_for, until_at=waits.until, **common)
    assert decided.verdict is not None
    return TriggerDecided(
        event_id=decision_id,
        verdict=decided.verdict,
        inputs=decided.inputs,
        retracts_id=decided.retracts_id,
        **common,
    )
