"""GET /deliveries, POST /deliveries/redrive: what is on its way, what was given up, and once more, please."""

import time
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from api import answers
from api.bodies import read_json
from api.openapi import described, json_body
from api.parameters import moment, refuse_unknown
from api.problems import Problem
from api.services import Used
from api.shapes import Time
from projections.times import rfc3339
from streams.deliveries import QueueUnavailable
from streams.delivery_queue import PENDING, DeliveryQueue, GivenUp
from streams.log import LogUnavailable
from streams.receipts import redriven

AT_ONCE = 10_000

router = APIRouter(tags=["triggers"])


class Delivering(Struct):
    """The messages of a trigger that have not been taken. `endpoint` is null where it is in force no more."""

    trigger: str
    endpoint: str | None
    pending: int
    parked: Annotated[int, Meta(description="Given up after the last try; they can be redriven.")]
    refused: Annotated[int, Meta(description="Given up, as the address may not be called.")]
    failures: Annotated[int, Meta(description="Attempts at the endpoint in a row that failed, up to now.")]
    last_tried_at: Time | None
    last_error: str | None


class Deliveries(Struct):
    items: list[Delivering]


class Redrive(Struct, forbid_unknown_fields=True):
    """Of which trigger, and given up since when; without both, all."""

    trigger: str | None = None
    since: str | None = None
    until: str | None = None
    dry_run: bool = False


class Redriven(Struct):
    """How many messages are pending again, or would be (`dry_run`).

    `more` are left: ask once more, with this `until`, so that what ends again meanwhile is left out.
    """

    messages: int
    more: bool
    until: str
    dry_run: bool


@router.get(
    "/deliveries",
    summary="Messages on their way, and given up",
    responses=described((200, "By trigger and endpoint.", Deliveries), 422, 503),
)
async def get_deliveries(request: Request, services: Used) -> Response:
    """What each trigger has still to deliver or has given up, and how its endpoint does."""
    refuse_unknown(request, frozenset())
    queue, items = services.deliveries.queue, []
    for trigger in sorted({*queue.routes, *(name for name, _ in queue.counts)}):
        endpoint = queue.routes.get(trigger)
        failing = None if endpoint is None else queue.failing.get(endpoint)
        number = {state: queue.counts.get((trigger, state), 0) for state in (PENDING, "parked", "refused")}
        items.append(
            Delivering(
                trigger,
                endpoint,
                **number,
                failures=0 if failing is None else failing.failures,
                last_tried_at=None if failing is None else rfc3339(failing.at),
                last_error=None if failing is None else failing.error,
            )
        )
    return answers.answer(Deliveries(items))


@router.post(
    "/deliveries/redrive",
    summary="Try once more what was given up",
    responses=described((200, "They are pending again.", Redriven), 400, 413, 415, 422, 503),
    openapi_extra=json_body(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "trigger": {"type": ["string", "null"]},
                "since": {"type": ["string", "null"], "format": "date-time"},
                "until": {"type": ["string", "null"], "format": "date-time"},
                "dry_run": {"type": "boolean"},
            },
        },
        {"one trigger": {"value": {"trigger": "win-back", "since": "2026-01-01T00:00:00Z"}}},
    ),
)
async def redrive(request: Request, services: Used) -> Response:
    """Parked and refused messages begin anew, under the same ids; all checks are made again."""
    refuse_unknown(request, frozenset())
    try:
        asked = msgspec.convert(await read_json(request), Redrive)
    except msgspec.ValidationError as error:
        raise Problem(422, f"{error}: send trigger, since and dry_run, or an empty object.") from error
    now_ms = time.time_ns() // 1_000_000
    since = 0 if asked.since is None else moment("since", asked.since)
    until = now_ms if asked.until is None else moment("until", asked.until)
    which, deliveries = GivenUp(asked.trigger, since, until), services.deliveries
    try:
        await deliveries.caught_up()
        if asked.dry_run:
            count = await deliveries.ask(partial(DeliveryQueue.count_undelivered, which=which))
            return answers.answer(Redriven(count, False, rfc3339(until), True))
        found = await deliveries.ask(partial(DeliveryQueue.undelivered, which=which, limit=AT_ONCE))
        await services.log.append([redriven(each, None, now_ms) for each in found])
        await deliveries.caught_up()
    except (LogUnavailable, QueueUnavailable) as error:
        raise Problem(503, f"{error} Ask again.", headers={"Retry-After": "1"}) from error
    return answers.answer(Redriven(len(found), len(found) == AT_ONCE, rfc3339(until), False))
