"""Why did a customer get a message, or why not? Every decision on them, in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from cli.client import connect
from cli.options import DATA_DIR, AsJson, DataDir
from cli.run import run

REDRIVE = "headwater deliveries redrive tries it again"


def why(
    customer_id: Annotated[str, typer.Argument(help="Whose messages to explain.")],
    trigger: Annotated[str | None, typer.Option(help="Only this trigger's.")] = None,
    limit: Annotated[int, typer.Option(help="Decisions at most.", min=1, max=500)] = 20,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print every decision on a customer, newest first: of which change, why, and what came of it.

    Example: headwater why 00004 --trigger win-back
    """
    page = run(_decisions(data_dir, customer_id, trigger, limit))
    if as_json:
        Console().print_json(data=page)
        return
    if not page["items"]:
        of = "No trigger" if trigger is None else trigger
        print(f"{of} decided nothing on {customer_id}: no change of theirs is one that a trigger waits for.")
    for decision in page["items"]:
        print("\n".join(in_words(decision)))
    if page["next_cursor"]:
        print(f"There are older ones: ask for more than {limit} with --limit.")


async def _decisions(data_dir: Path, customer_id: str, trigger: str | None, limit: int) -> Any:
    asked: dict[str, str | int] = {"customer_id": customer_id, "steps": "true", "limit": limit}
    if trigger is not None:
        asked["trigger"] = trigger
    async with connect(data_dir) as engine:
        page = await engine.get("/decisions", **asked)
        if not page["items"]:  # because there is no such customer, or no such trigger?
            await engine.get(f"/customers/{quote(customer_id, safe='')}")
            if trigger is not None:
                await engine.get(f"/triggers/{quote(trigger, safe='')}")
        return page


def in_words(decision: Any) -> Iterator[str]:
    """A decision, a line each: what was decided of what, its inputs, and what happened."""
    what = " ".join(filter(None, (decision["kind"], decision["about"])))
    yield f"{decision['decided_at']}  {decision['trigger']}: {what} {change(decision)}"
    yield f"  {outcome(decision)}"
    if inputs := ", ".join(f"{name} {value}" for name, value in sorted(decision["inputs"].items())):
        yield f"  inputs: {inputs}"
    for step in decision["steps"]:
        if (said := step_in_words(step)) is not None:
            yield f"    {step['occurred_at']}  {said}"
    yield f"  id {decision['decision_id']}"


def change(decision: Any) -> str:
    """From what to what; only to what, where there was nothing before."""
    return " → ".join(filter(None, (decision["before"], decision["after"])))


def outcome(decision: Any) -> str:
    """What became of it so far, in a sentence."""
    verdict, reason = decision["verdict"], decision["reason"]
    match decision["delivery"]:
        case "delivered":
            return f"delivered ({reason})"
        case "pending":
            return f"to be sent ({reason}), {_attempts(decision['attempts'])} so far"
        case "parked":
            return f"not delivered: parked after {_attempts(decision['attempts'])}; {REDRIVE}"
        case "abandoned":
            return f"not sent after all ({decision['abandoned_why']}): {decision['abandoned_reason']}"
    if verdict == "waiting":
        return f"not sent yet: {reason}"
    return f"not sent ({verdict}): {reason}"


def step_in_words(step: Any) -> str | None:
    """What happened, of an event in its JSON form; None of the verdict, which is told already."""
    match step["type"]:
        case "DecisionDeferred":
            return f"put off to {step['until_at']}: {step['reason']}"
        case "DecisionReviewed":
            comment = f": {step['comment']}" if "comment" in step else ""
            return f"{step.get('reviewer', 'somebody')} said {'yes' if step['approved'] else 'no'}{comment}"
        case "DeliveryAttempted":
            status = f"HTTP {step['status']}" if "status" in step else "no answer"
            again = f", again at {step['next_attempt_at']}" if "next_attempt_at" in step else ""
            result = "taken" if step["succeeded"] else f"failed ({step.get('error', status)}){again}"
            return f"attempt {step['attempt']} at {step['endpoint']}: {result} in {step['elapsed_ms']} ms"
        case "DeliverySucceeded":
            return f"delivered after {_attempts(step['attempts'])}"
        case "DeliveryAbandoned":
            return f"given up ({step['why']}): {step['reason']}"
        case "DeliveryRedriven":
            return f"redriven by {step.get('requested_by', 'somebody')}"
    return None


def _attempts(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"
