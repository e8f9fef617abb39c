"""POST /events: what happened, appended before it is acknowledged."""

import time
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import answers
from api.bodies import read_json
from api.openapi import described, event_body
from api.problems import FieldError, Problem
from api.services import Services, Used
from schemas import form
from schemas.events import Event
from streams.log import LogUnavailable

MAX_EVENTS = 1_000

router = APIRouter(tags=["events"])


@router.post(
    "/events",
    status_code=202,
    summary="Append one event or a list of events",
    responses=described(
        (202, "Every event is durably on the log.", answers.Accepted), 400, 413, 415, 422, 503
    ),
    openapi_extra=event_body(),
)
async def post_events(request: Request, services: Used) -> Response:
    """Append events: at most 1,000 of them and 1 MiB, every one valid or none appended.

    Answered only after the append is durable. `event_id` (a UUID) and `occurred_at` may be left out: they
    are generated, from the engine's clock. An `event_id` repeated among that customer's latest 64 events is
    accepted and changes nothing, so that a request can be sent again with the same ids.
    """
    body = await read_json(request)
    documents = body if isinstance(body, list) else [body]
    if len(documents) > MAX_EVENTS:
        raise Problem(413, f"The list has {len(documents):,} events: send at most {MAX_EVENTS:,} at a time.")
    events = parse_events(documents, services)
    accepted = await append(events, services)
    request.app.state.metrics.accepted.inc(accepted.accepted)
    return answers.answer(accepted, 202)


def parse_events(documents: Sequence[object], services: Services) -> list[Event]:
    """The events of JSON documents; raises a Problem (422) with every fault of every one."""
    now_ms, wall_ms = services.engine.now_ms(), time.time_ns() // 1_000_000
    events: list[Event] = []
    faults: list[FieldError] = []
    for index, document in enumerate(documents):
        try:
            events.append(form.parse(document, now_ms=now_ms, wall_ms=wall_ms))
        except form.Invalid as invalid:
            faults += [FieldError(index, fault.field, fault.detail) for fault in invalid.faults]
    if faults:
        first = faults[0]
        where = f"event {first.index}: {first.field} {first.detail}".replace("  ", " ")
        count = "1 fault" if len(faults) == 1 else f"{len(faults):,} faults"
        raise Problem(422, f"Nothing was appended, because of {count}; {where}.", errors=faults)
    return events


def _how_many(unavailable: LogUnavailable) -> str:
    there = sum(position is not None for position in unavailable.appended or ())
    return f"Only {there:,} were appended" if there else "Nothing was appended"


def _told(events: Sequence[Event], unavailable: LogUnavailable) -> list[dict[str, object]]:
    """Of each event, whether it is known to be on the log; it may be there all the same."""
    positions = unavailable.appended or [None] * len(events)
    return [
        {"event_id": event.event_id, "appended": position is not None}
        for event, position in zip(events, positions, strict=True)
    ]


async def append(events: Sequence[Event], services: Services) -> answers.Accepted:
    """The events durably on the log; raises a Problem (503) that tells which are, where not all are."""
    try:
        positions = await services.engine.append_events(events) if events else []
    except LogUnavailable as unavailable:
        raise Problem(
            503,
            f"{_how_many(unavailable)}: {unavailable} Send the same events again with these ids.",
            headers={"Retry-After": "1"},
            events=_told(events, unavailable),
        ) from unavailable
    appended = [
        answers.Appended(event.event_id, position.partition, position.offset)
        for event, position in zip(events, positions, strict=True)
    ]
    return answers.Accepted(len(appended), appended)
