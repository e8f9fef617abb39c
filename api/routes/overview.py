"""GET /summary, /rfm, /transitions, /live: how are all customers doing, and how does that change?"""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import EventSourceResponse
from starlette.responses import Response

from api import answers
from api.lists import TransitionQuery
from api.openapi import described
from api.parameters import MAX_ID, Cursor, Limit, moment, refuse_unknown
from api.services import Used
from projections.lifecycle import Stage

router = APIRouter(tags=["overview"])


@router.get(
    "/summary",
    summary="All customers at a glance",
    responses=described((200, "Counts and revenue now.", answers.Summary)),
)
async def get_summary(services: Used) -> Response:
    """Events (of customers, not the engine's), customers, orders, revenue and customers by stage."""
    return answers.answer(answers.summary(services.read_model))


@router.get(
    "/rfm",
    summary="Customers by recency and frequency score",
    responses=described((200, "The grid under the boundaries in force.", answers.Rfm)),
)
async def get_rfm(services: Used) -> Response:
    """25 cells with the number of customers and their net spend.

    Before the first boundaries are in force, `boundaries` is null and `grid` is empty: they come with the
    end of a load, with `headwater rfm calibrate`, or within a day of the first order.
    """
    read_model = services.read_model
    parameters = read_model.parameters()
    boundaries = parameters.boundaries
    cells = [] if boundaries is None else await read_model.rfm_grid(boundaries)
    return answers.answer(answers.rfm(read_model.as_of_ms(), boundaries, cells, parameters.base_currency))


@router.get(
    "/transitions",
    summary="The latest lifecycle transitions, newest first",
    responses=described((200, "One page of transitions.", answers.Page[answers.Transition]), 422),
)
async def list_transitions(
    request: Request,
    services: Used,
    customer_id: Annotated[str | None, Query(max_length=MAX_ID, description="Only this customer's.")] = None,
    from_stage: Annotated[Stage | None, Query(alias="from", description="Only out of this stage.")] = None,
    to_stage: Annotated[Stage | None, Query(alias="to", description="Only into this stage.")] = None,
    since: Annotated[
        str | None,
        Query(
            description="Only at or after this time (RFC 3339).",
            examples=["1998-06-01T00:00:00Z"],
            json_schema_extra={"format": "date-time"},
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Who moved from one stage to another, when and why; `late` marks a cause that came behind the clock."""
    refuse_unknown(request, {"customer_id", "from", "to", "since", "limit", "cursor"})
    since_ms = None if since is None else moment("since", since)
    query = TransitionQuery(customer_id, from_stage, to_stage, since_ms, limit, cursor)
    found, following = await services.read_model.transitions(query)
    return answers.answer(answers.Page([answers.transition(each) for each in found], following))


@router.get(
    "/live",
    summary="Everything that changes, as it changes",
    response_class=Response,  # EventSourceResponse would encode again what is encoded once for all
    responses=described((200, "Server-sent events, for ever.", "text/event-stream"), 422, 503),
)
async def live(
    request: Request,
    services: Used,
    customer_id: Annotated[
        str | None, Query(max_length=MAX_ID, description="Also send this customer's state.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=10_000, description="Resume transitions after this event's id.")
    ] = None,
) -> Response:
    """`event: summary` (a few a second at most), `event: transition`, with `customer_id` `event: customer`.

    Their data are as `/summary`, `/transitions` and `/customers/{customer_id}` have them. A comment is sent
    each 15 s. A follower that falls far behind is disconnected; `Last-Event-ID` resumes and loses nothing.
    """
    refuse_unknown(request, {"customer_id"})
    return EventSourceResponse(
        services.live.follow(customer_id, last_event_id),
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )
