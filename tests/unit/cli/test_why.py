"""Does `headwater why` say in words what was decided and what became of it?"""

from typing import Any

import pytest

from cli.why import in_words, outcome
from schemas import form
from tests.decisions import Decided


def decision(**said: object) -> dict[str, Any]:
    """As GET /decisions?steps=true has it."""
    known: dict[str, Any] = {
        "decision_id": "d-1",
        "trigger": "win-back",
        "kind": "stage",
        "about": "",
        "before": "active",
        "after": "at_risk",
        "decided_at": "2023-11-14T22:13:20Z",
        "verdict": "send",
        "reason": "all checks passed",
        "inputs": {},
        "delivery": "pending",
        "attempts": 0,
        "abandoned_why": None,
        "abandoned_reason": None,
        "steps": [],
    }
    return known | said


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"delivery": "delivered"}, "delivered (all checks passed)"),
        ({}, "to be sent (all checks passed), 0 attempts so far"),
        (
            {"delivery": "parked", "attempts": 1},
            "not delivered: parked after 1 attempt; headwater deliveries redrive tries it again",
        ),
        (
            {"delivery": "abandoned", "abandoned_why": "no_consent", "abandoned_reason": "withdrawn"},
            "not sent after all (no_consent): withdrawn",
        ),
        ({"verdict": "waiting", "delivery": None, "reason": "it is night"}, "not sent yet: it is night"),
        (
            {"verdict": "capped", "delivery": None, "reason": "told twice already"},
            "not sent (capped): told twice already",
        ),
    ],
)
def test_the_outcome_is_one_sentence(said: dict[str, object], words: str) -> None:
    """Sent, still to be sent, or why not."""
    assert outcome(decision(**said)) == words


def test_everything_that_happened_is_told_in_order() -> None:
    """What changed, the outcome, the inputs, then each step with its time."""
    of = Decided()
    events = [
        of.waits(),
        of.reviewed(),
        of.ends(),
        of.attempted(1, 503),
        of.attempted(2),
        of.succeeded(2),
        of.abandoned("parked", 2),
        of.redriven(),
    ]
    steps = [form.render(event) for event in events]
    told = decision(delivery="delivered", inputs={"holdout": "0.1", "age_ms": "7"}, steps=steps)
    at, later = "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"
    assert list(in_words(told)) == [
        f"{at}  win-back: stage active → at_risk",
        "  delivered (all checks passed)",
        "  inputs: age_ms 7, holdout 0.1",
        f"    {at}  put off to 2023-11-15T22:13:20Z: waits for review",
        "    2023-11-14T22:13:20.500Z  Zoe said yes",
        f"    {later}  attempt 1 at https://crm.example.org: failed (HTTP 503) in 12 ms",
        f"    {later}  attempt 2 at https://crm.example.org: taken in 12 ms",
        f"    {later}  delivered after 2 attempts",
        "    2023-11-14T22:13:22Z  given up (parked): given up: parked",
        "    2023-11-14T22:13:23Z  redriven by somebody",
        "  id d-1",
    ]
