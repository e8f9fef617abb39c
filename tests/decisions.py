"""What do tests put on headwater.decisions? Events as the fold and the reactor append them."""

import uuid

from schemas.events import (
    DecisionDeferred,
    DecisionReviewed,
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliveryRedriven,
    DeliverySucceeded,
    TriggerDecided,
)

NOON = 1_700_000_000_000
ENDPOINT = "https://crm.example.org"


class Decided:
    """One decision, and what happens with it."""

    def __init__(
        self, customer_id: str = "ann", trigger: str = "win-back", at: int = NOON, kind: str = "stage"
    ) -> None:
        self.at = at
        self.known: dict[str, object] = {
            "customer_id": customer_id,
            "decision_id": str(uuid.uuid4()),
            "trigger": trigger,
        }
        self.change: dict[str, object] = {
            "rules_version": "v1",
            "kind": kind,
            "before": "active",
            "after": "at_risk",
            "transition_id": str(uuid.uuid4()),
            "transition_at": at,
            "cause_topic": "headwater.events",
            "cause_partition": 0,
            "cause_offset": 0,
        }

    @property
    def id(self) -> str:
        return str(self.known["decision_id"])

    def _told(self, later_ms: int, **given: object) -> dict[str, object]:
        at = self.at + later_ms
        return {"event_id": str(uuid.uuid4()), "occurred_at": at, "received_at": at} | self.known | given

    def waits(self, waits_for: str = "review", until_ms: int = 86_400_000) -> DecisionDeferred:
        told = {"waits_for": waits_for, "until_at": self.at + until_ms, "reason": f"waits for {waits_for}"}
        return DecisionDeferred(**self._told(0, **self.change, **told))

    def ends(
        self, verdict: str = "send", later_ms: int = 0, reason: str = "all checks passed"
    ) -> TriggerDecided:
        told = {"verdict": verdict, "reason": reason, "inputs": {"age_ms": "1000", "holdout": "0.1"}}
        return TriggerDecided(**self._told(later_ms, **self.change, **told))

    def reviewed(self, approved: bool = True, later_ms: int = 500) -> DecisionReviewed:
        return DecisionReviewed(**self._told(later_ms, approved=approved, reviewer="Zoe"))

    def attempted(self, attempt: int = 1, status: int = 200, later_ms: int = 1_000) -> DeliveryAttempted:
        told = {"attempt": attempt, "endpoint": ENDPOINT, "succeeded": status < 300, "status": status}
        return DeliveryAttempted(**self._told(later_ms, elapsed_ms=12, **told))

    def succeeded(self, attempts: int = 1, later_ms: int = 1_000) -> DeliverySucceeded:
        return DeliverySucceeded(**self._told(later_ms, attempts=attempts, endpoint=ENDPOINT))

    def abandoned(self, why: str = "parked", attempts: int = 1, later_ms: int = 2_000) -> DeliveryAbandoned:
        told = {"attempts": attempts, "endpoint": ENDPOINT, "why": why, "reason": f"given up: {why}"}
        return DeliveryAbandoned(**self._told(later_ms, **told))

    def redriven(self, later_ms: int = 3_000) -> DeliveryRedriven:
        return DeliveryRedriven(**self._told(later_ms))
