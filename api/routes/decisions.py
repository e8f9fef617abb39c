"""GET /decisions…, /reviews: what was decided of whom and why, and which decisions wait for a person?"""

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from msgspec import Struct
from msgspec.structs import asdict, replace
from starlette.responses import Response

from api import answers
from api.bodies import read_as
from api.cursor import from_cursor, to_cursor
from api.marketing import DecisionBody, decision_body
from api.openapi import described, json_body
from api.parameters import MAX_ID, Cursor, Limit, moment, refuse_unknown
from api.problems import Problem
from api.routes.events import append, parse_events
from api.services import Services, Used
from history.decisions import Decision, Wanted
from projections.triggers.deciding import Verdict

Shown = Literal[Verdict, "waiting"]

router = APIRouter(tags=["triggers"])


class Review(Struct, frozen=True, forbid_unknown_fields=True):
    """A person's yes or no."""

    approved: bool
    reviewer: str | None = None
    comment: str | None = None


REVIEW = json_body(
    {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean", "description": "Whether it may be sent."},
            "reviewer": {"type": ["string", "null"], "maxLength": 128, "description": "Who says so."},
            "comment": {"type": ["string", "null"], "description": "Why."},
        },
        "required": ["approved"],
        "additionalProperties": False,
    },
    {"yes": {"value": {"approved": True, "reviewer": "Ada"}}},
)


@router.get(
    "/decisions",
    summary="What the triggers decided, newest first",
    responses=described((200, "One page of decisions.", answers.Page[DecisionBody]), 422, 503),
)
async def list_decisions(
    request: Request,
    services: Used,
    customer_id: Annotated[str | None, Query(max_length=MAX_ID, description="Only this customer's.")] = None,
    trigger: Annotated[str | None, Query(max_length=64, description="Only this trigger's.")] = None,
    verdict: Annotated[
        Shown | None, Query(description="Only with this verdict; waiting: without one yet.")
    ] = None,
    since: Annotated[
        str | None,
        Query(
            description="Only decided at or after this time (RFC 3339).",
            examples=["1998-06-01T00:00:00Z"],
            json_schema_extra={"format": "date-time"},
        ),
    ] = None,
    steps: Annotated[bool, Query(description="With deferrals, review, attempts and end of each.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Each change that a trigger waits for gives one decision: sent, or why not; and what became of it.

    The archive follows the log by about a second.
    """
    refuse_unknown(request, {"customer_id", "trigger", "verdict", "since", "steps", "limit", "cursor"})
    since_ms = None if since is None else moment("since", since)
    wanted = Wanted(customer_id=customer_id, trigger=trigger, verdict=verdict, since_ms=since_ms)
    return await _listed(services, wanted, limit, cursor, steps=steps)


@router.get(
    "/reviews",
    summary="Decisions that wait for a person's yes or no",
    responses=described((200, "One page of decisions.", answers.Page[DecisionBody]), 422, 503),
)
async def list_reviews(
    request: Request, services: Used, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Newest first; each is declined by itself at its `until_at`."""
    refuse_unknown(request, {"limit", "cursor"})
    return await _listed(services, Wanted(verdict="waiting", waits_for="review"), limit, cursor)


@router.get(
    "/decisions/{decision_id}",
    summary="One decision, with everything that happened with it",
    responses=described((200, "The decision, with `steps`.", DecisionBody), 404, 503),
)
async def get_decision(decision_id: str, services: Used) -> Response:
    """The deferrals, the review, the verdict, each attempt and the end, in order."""
    found = await _found(services, decision_id)
    return answers.answer(decision_body(found, (await services.history.steps([found]))[found.decision_id]))


@router.post(
    "/decisions/{decision_id}/review",
    status_code=202,
    summary="Say yes or no to a decision that waits for it",
    responses=described(
        (202, "The review is durably on the log.", answers.Accepted), 400, 404, 409, 413, 415, 422, 503
    ),
    openapi_extra=REVIEW,
)
async def post_review(request: Request, decision_id: str, services: Used) -> Response:
    """Appended as the event DecisionReviewed; the decision follows at once.

    A yes is not yet a message: consent, quiet hours and the condition are checked again.
    """
    said = await read_as(request, Review, '{"approved": true}, with reviewer and comment if need be')
    found = await _found(services, decision_id)
    if found.waits_for != "review":
        state = "waits for quiet hours to end" if found.waits_for else f"ended with {found.verdict}"
        raise Problem(409, f"The decision {state}: GET /reviews lists those that wait for a person.")
    about = {
        "type": "DecisionReviewed",
        "customer_id": found.customer_id,
        "decision_id": found.decision_id,
        "trigger": found.trigger,
    }
    review = about | asdict(said)
    accepted = await append(parse_events([review], services), services)
    return answers.answer(accepted, 202)


async def _listed(
    services: Services, wanted: Wanted, limit: int, cursor: str | None, *, steps: bool = False
) -> Response:
    if cursor is not None:
        wanted = replace(wanted, after=from_cursor(cursor, tuple[int, int, int]))
    found = await services.history.decisions(wanted, limit + 1)
    shown = found[:limit]
    following = to_cursor(shown[-1].place) if len(found) > limit else None
    if steps:
        happened = await services.history.steps(shown)
        items = [decision_body(each, happened[each.decision_id]) for each in shown]
    else:
        items = [decision_body(each) for each in shown]
    return answers.answer(answers.Page(items, following))


async def _found(services: Services, decision_id: str) -> Decision:
    try:
        wanted = Wanted(decision_id=str(uuid.UUID(decision_id)))
    except ValueError:
        found = []
    else:
        found = await services.history.decisions(wanted, 1)
    if not found:
        raise Problem(404, f"There is no decision {decision_id[:80]!r}: GET /decisions lists them.")
    return found[0]
