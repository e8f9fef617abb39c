"""What does a message say? Ids and the change; and, where the trigger's template asks for it, facts."""

from typing import Any

import msgspec

from projections.times import rfc3339
from projections.triggers.expressions import Failed, compiled
from projections.triggers.facts import Facts
from projections.triggers.rules import Trigger
from schemas.events import TriggerDecided

TYPES = {
    "stage": "stage.changed",
    "segment": "segment.changed",
    "score": "score.changed",
    "correction": "trigger.retracted",
}


def message(decided: TriggerDecided, trigger: Trigger, facts: Facts) -> bytes:
    """The JSON that is sent, the same for every receiver; raises Failed for a field without a value."""
    change = {
        "kind": decided.kind,
        "about": decided.about,
        "from": decided.before,
        "to": decided.after,
        "at": rfc3339(decided.transition_at),
        "id": decided.transition_id,
    }
    data: dict[str, Any] = {
        "decision_id": decided.decision_id,
        "trigger": decided.trigger,
        "customer_id": decided.customer_id,
        "change": change,
    }
    if decided.retracts_id is not None:
        data["retracts"] = decided.retracts_id
    if trigger.template:
        data["fields"] = {name: compiled(source).value(facts) for name, source in trigger.template.items()}
    try:
        return msgspec.json.encode(
            {"type": TYPES[decided.kind], "timestamp": rfc3339(decided.transition_at), "data": data}
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise Failed(f"a field of the template is nothing that JSON can say: {error}") from error
