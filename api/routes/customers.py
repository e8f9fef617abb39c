"""GET /customers…: one customer, lists of them, and what one has done."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import answers
from api.lists import SORTS, CustomerQuery, Found
from api.openapi import described, path_parameter
from api.parameters import MAX_ID, Cursor, CustomerId, Limit, refuse_unknown
from api.problems import FieldError, Problem
from api.services import Used, services_of
from api.shapes import CustomerBody, TimelineEvent
from history.timeline import BadCursor
from projections.lifecycle import Stage

SCORE_FILTER = "min_score."

router = APIRouter(tags=["customers"])


@router.get(
    "/customers",
    summary="List, filter, sort and search customers",
    responses=described((200, "One page of customers.", answers.Page[CustomerBody]), 422),
)
async def list_customers(
    request: Request,
    services: Used,
    stage: Annotated[Stage | None, Query(description="Only customers in this lifecycle stage.")] = None,
    segment: Annotated[str | None, Query(description="Only customers in this segment.")] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Only customers with an id or trait that has a word beginning with each of these.",
            examples=["ada example"],
        ),
    ] = None,
    sort: Annotated[
        str,
        Query(
            description="last_seen_at, orders.net, orders.count, scores.<target>; - in front: descending.",
            examples=["-orders.net"],
        ),
    ] = "-last_seen_at",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Customers as `GET /customers/{customer_id}` shows them, a page at a time.

    `min_score.<target>=0.7` keeps those whose score for that target is at least so high.
    """
    refuse_unknown(request, {"stage", "segment", "q", "sort", "limit", "cursor"}, SCORE_FILTER)
    for name in request.query_params:
        if name.startswith(SCORE_FILTER):  # no model scores customers yet
            raise _unknown(name, f"no model scores {name.removeprefix(SCORE_FILTER)!r}: leave it out")
    if segment is not None:
        raise _unknown("segment", f"there is no segment {segment!r}: leave it out")
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise _unknown("sort", f"{sort!r} is unknown: use one of {', '.join(SORTS)}, with - for descending")
    words = q if q and not q.isspace() else None
    query = CustomerQuery(stage, words, name, sort.startswith("-"), limit, cursor)
    found, following = await services.read_model.customers(query)
    return await asyncio.to_thread(_page, found, following)


@router.get(
    "/customers/{customer_id:path}/timeline",
    summary="One customer's events, newest first",
    responses=described((200, "One page of events.", answers.Page[TimelineEvent]), 404, 422, 503),
)
async def timeline(
    request: Request, services: Used, customer_id: CustomerId, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What the history has of a customer: each event in its JSON form, with its place on the log.

    The archive follows the log by about a second.
    """
    refuse_unknown(request, {"limit", "cursor"})
    if services.read_model.customer(customer_id) is None:
        raise _nobody(customer_id)
    try:
        return answers.answer(await services.history.timeline(customer_id, limit, cursor))
    except BadCursor as bad:
        raise _unknown("cursor", str(bad)) from bad


@router.get(
    "/customers/{customer_id:path}",
    summary="One customer",
    responses=described((200, "The customer as of its stream time.", CustomerBody), 404),
    openapi_extra=path_parameter(
        "customer_id", {"type": "string", "maxLength": MAX_ID}, "The customer's id."
    ),
)
async def get_customer(request: Request) -> Response:
    """Profile, orders, lifecycle stage with its reason, RFM and scores, as of the customer's stream time."""
    customer_id = request.path_params["customer_id"]
    found = services_of(request).read_model.customer(customer_id)
    if found is None:
        raise _nobody(customer_id)
    return answers.answer(answers.customer_body(found))


def _page(found: list[Found], following: str | None) -> Response:
    """In a thread: 500 bodies would hold up the event loop for some 30 ms."""
    return answers.answer(answers.Page([answers.customer_body(each) for each in found], following))


def _nobody(customer_id: str) -> Problem:
    return Problem(
        404, f"No event names the customer {customer_id[:MAX_ID]!r}: check the id, or post an event."
    )


def _unknown(field: str, detail: str) -> Problem:
    return Problem(422, f"{field}: {detail}.", errors=[FieldError(0, field, detail)])
