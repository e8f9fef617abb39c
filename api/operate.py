"""What else does the shell ask of a running engine? The newest events, new RFM boundaries."""

import heapq
from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import answers
from api.bodies import require_json
from api.cursor import from_cursor, to_cursor
from api.openapi import described, json_body
from api.parameters import Cursor, refuse_unknown
from api.problems import Problem
from api.services import Used
from api.shapes import TimelineEvent
from schemas import form
from schemas.codec import Undecodable, decode, kind
from schemas.events import EngineEvent, Event
from schemas.registry import RegistryUnavailable
from streams.log import Log, LogUnavailable, Record
from streams.topics import EVENTS

MOST_AT_ONCE = 5_000  # records of one read

router = APIRouter(tags=["operation"])


@router.get(
    "/events",
    summary="The newest events of the log",
    responses=described((200, "One page of events.", answers.Page[TimelineEvent]), 422),
)
async def get_events(
    request: Request,
    services: Used,
    limit: Annotated[int, Query(ge=0, le=500, description="Events at most.")] = 20,
    cursor: Cursor = None,
    engine: Annotated[
        bool, Query(description="Also the engine's own: ticks, rules, boundaries, exchange rates.")
    ] = False,
) -> Response:
    """The newest events by time of append; with `cursor`, what came since."""
    refuse_unknown(request, {"limit", "cursor", "engine"})
    log = services.log
    ends = list(await log.end_offsets(EVENTS))
    if cursor is None:
        after = ends
        found = [await _newest(log, partition, end, limit, engine) for partition, end in enumerate(ends)]
        chosen = _merged(found)[-limit:] if limit else []
    else:
        after = from_cursor(cursor, list[int])
        if len(after) != len(ends):
            raise Problem(422, "cursor is of another log: leave it out.")
        read = [
            (await log.read(EVENTS, partition, offset, limit)).records
            for partition, offset in enumerate(after)
        ]
        chosen = _merged(read)[:limit]
    for partition, record in chosen:
        after[partition] = max(after[partition], record.offset + 1)
    items = [_shown(partition, record) for partition, record in chosen if engine or not _is_engines(record)]
    return answers.answer({"items": items, "next_cursor": to_cursor(after)})


async def _newest(log: Log, partition: int, end: int, limit: int, engine: bool) -> list[Record]:
    """The last `limit` records before `end` that were asked for; looks further back each time."""
    newest: list[Record] = []
    step = limit
    while end > 0 and len(newest) < limit:
        start = max(0, end - step)
        read = await _between(log, partition, start, end)
        newest = [record for record in read if engine or not _is_engines(record)] + newest
        end, step = start, min(2 * step, MOST_AT_ONCE)
    return newest[-limit:]


async def _between(log: Log, partition: int, start: int, end: int) -> list[Record]:
    found: list[Record] = []
    while start < end and (chunk := await log.read(EVENTS, partition, start, end - start)).records:
        found += [record for record in chunk.records if record.offset < end]
        start = chunk.end
    return found


def _is_engines(record: Record) -> bool:
    return issubclass(kind(record.value or b"") or Event, EngineEvent)


def _merged(partitions: Iterable[Sequence[Record]]) -> list[tuple[int, Record]]:
    """Records with their partition, by append time, those of one partition in their order."""
    found = [[(partition, record) for record in records] for partition, records in enumerate(partitions)]
    return list(heapq.merge(*found, key=lambda each: each[1].timestamp_ms))


def _shown(partition: int, record: Record) -> dict[str, object]:
    place: dict[str, object] = {"partition": partition, "offset": record.offset}
    try:
        return {**place, **form.render(decode(record.value or b""))}
    except (Undecodable, RegistryUnavailable) as error:
        return {**place, "undecodable": str(error)}


@router.post(
    "/rfm/calibrate",
    summary="Put new RFM boundaries in force",
    responses=described((200, "How many customers they were computed from.", dict[str, int]), 409, 415, 503),
    openapi_extra=json_body({"type": "object", "maxProperties": 0}, {"now": {"value": {}}}),
)
async def calibrate(request: Request, services: Used) -> Response:
    """Compute the boundaries from the customers as they are now; 409 while nobody has ordered."""
    require_json(request)
    try:
        boundaries = await services.engine.calibrate(services.read_model)
    except LogUnavailable as unavailable:
        raise Problem(
            503, f"The boundaries stay as they are: {unavailable} Ask again.", headers={"Retry-After": "1"}
        ) from unavailable
    if boundaries is None:
        raise Problem(409, "No customer has an order yet: boundaries need at least one.")
    return answers.answer({"customers": boundaries.customers})
