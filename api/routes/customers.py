"""GET /customers…: one customer, lists of them, and what one has done."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import answers
from api.lists import SCORES, SORTS, CustomerQuery, Found
from api.models import Models, open_prediction
from api.openapi import described, path_parameter
from api.parameters import MAX_ID, Cursor, CustomerId, Limit, moment, refuse_unknown
from api.problems import FieldError, Problem
from api.services import Services, Used, services_of
from api.shapes import CustomerBody, ExplanationBody, TimelineEvent
from history.predictions import order_of
from history.timeline import BadCursor
from projections.compact import hash64
from projections.lifecycle import Stage
from projections.scoring.questions import is_on_cadence
from projections.scoring.targets import TARGETS
from projections.triggers.files import in_force
from streams.topics import EVENTS, partition_for

SCORE_FILTER = "min_score."
LATEST_MS = 10_413_791_999_999  # of an event: 2299

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
    least: dict[str, float] = {}
    for name in request.query_params:
        if name.startswith(SCORE_FILTER):
            least[_target(name, name.removeprefix(SCORE_FILTER))] = _probability(
                name, request.query_params[name]
            )
    if segment is not None:
        _known_segment(segment, services)
    name = sort.removeprefix("-")
    if name.startswith(SCORES):
        _target("sort", name.removeprefix(SCORES))
    elif name not in SORTS:
        known = f"{', '.join(SORTS)}, {SCORES}<target>"
        raise _unknown("sort", f"{sort!r} is unknown: use one of {known}, with - for descending")
    words = q if q and not q.isspace() else None
    query = CustomerQuery(stage, segment, words, name, sort.startswith("-"), limit, cursor, least)
    found, following = await services.read_model.customers(query)
    await services.models.have(found)
    return await asyncio.to_thread(_page, found, following, services.models)


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
    "/customers/{customer_id:path}/explanation",
    summary="What was predicted of a customer before a moment, and why",
    responses=described((200, "The last prediction before it.", ExplanationBody), 404, 422, 503),
)
async def explanation(
    request: Request,
    services: Used,
    customer_id: CustomerId,
    target: Annotated[str, Query(max_length=MAX_ID, description="What was predicted.", examples=["churn"])],
    at: Annotated[
        str | None,
        Query(
            description="Before this time (RFC 3339); by default the last one.",
            examples=["1998-01-01T00:00:00Z"],
        ),
    ] = None,
    campaign: Annotated[
        str | None,
        Query(
            max_length=MAX_ID, description="About this campaign, for redeem; by default any.", examples=["22"]
        ),
    ] = None,
) -> Response:
    """The last prediction that was kept to learn from: features, snapshot, reasons, and what came of it.

    `is_reproduced` says whether the snapshot gives the same probability today, to the bit. `events` are the
    customer's that were known then, newest first.
    """
    refuse_unknown(request, {"target", "at", "campaign"})
    _target("target", target)
    if campaign is not None and is_on_cadence(target):
        raise _unknown("campaign", f"{target} is asked about no campaign: leave it out, or ask for redeem")
    found = services.read_model.customer(customer_id)
    if found is None:
        raise _nobody(customer_id)
    before_ms = LATEST_MS if at is None else moment("at", at)
    about = "" if campaign is None else str(hash64(campaign))
    partition = partition_for(customer_id.encode(), services.log.partitions(EVENTS))
    still_open = open_prediction(found.row, partition, target, about, before_ms)
    ended = await services.history.prediction(customer_id, target, about, before_ms)
    prediction = max(filter(None, (still_open, ended)), key=order_of, default=None)
    if prediction is None:
        of_what = target if campaign is None else f"{target} of the campaign {campaign!r}"
        detail = f"Nothing was asked of {customer_id[:MAX_ID]!r} for {of_what} before then"
        raise Problem(404, f"{detail}: ask for a later time, or wait for the next question.")
    body = await services.models.explained(prediction)
    known = await services.history.known_at(customer_id, prediction.asked_at, prediction.asked_offset)
    return answers.answer({"customer_id": customer_id, **body, "events": known.items})


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
    models = services_of(request).models
    await models.have([found])
    return answers.answer(answers.customer_body(found, models))


def _page(found: list[Found], following: str | None, models: Models) -> Response:
    """In a thread: 500 bodies would hold up the event loop for some 30 ms."""
    return answers.answer(answers.Page([answers.customer_body(each, models) for each in found], following))


def _nobody(customer_id: str) -> Problem:
    return Problem(
        404, f"No event names the customer {customer_id[:MAX_ID]!r}: check the id, or post an event."
    )


def _known_segment(name: str, services: Services) -> None:
    known = [each.name for each in in_force(services.read_model.parameters().marketing).segments]
    if name not in known:
        remedy = f"use one of {', '.join(sorted(known))}" if known else "none is defined, so leave it out"
        raise _unknown("segment", f"there is no segment {name[:80]!r}: {remedy}")


def _target(parameter: str, name: str) -> str:
    if name not in TARGETS:
        raise _unknown(parameter, f"no model scores {name[:80]!r}: use one of {', '.join(sorted(TARGETS))}")
    return name


def _probability(parameter: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise _unknown(parameter, f"{text[:80]!r} is no probability: give a number from 0 to 1")
    return value


def _unknown(field: str, detail: str) -> Problem:
    return Problem(422, f"{field}: {detail}.", errors=[FieldError(0, field, detail)])
