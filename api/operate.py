"""What else does the shell ask of a running engine? The newest events, new RFM boundaries."""

import heapq
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api import answers
from api.cursor import from_cursor, to_cursor
from api.openapi import described
from api.parameters import Cursor
from api.problems import Problem
from api.services import Used
from api.shapes import TimelineEvent
from schemas import form
from schemas.codec import Undecodable, decode
from streams.log import Log, LogUnavailable, Record
from streams.topics import EVENTS

router = APIRouter(tags=["operation"])


@router.get(
    "/events",
    summary="The newest events of the log",
    responses=described((200, "One page of events.", answers.Page[TimelineEvent]), 422),
)
async def get_events(
    services: Used,
    limit: Annotated[int, Query(ge=0, le=500, description="Events at most.")] = 20,
    cursor: Cursor = None,
) -> Response:
    """The newest events by time of append, the engine's own included; with `cursor`, what came since."""
    log = services.log
    ends = list(await log.end_offsets(EVENTS))
    if cursor is None:
        after = ends
        chosen = (await _read(log, [max(0, end - limit) for end in ends], limit))[-limit:]
    else:
        after = from_cursor(cursor, list[int])
        if len(after) != len(ends):
            raise Problem(422, "cursor is of another log: leave it out.")
        chosen = (await _read(log, after, limit))[:limit]
    for partition, record in chosen:
        after[partition] = max(after[partition], record.offset + 1)
    items = [_shown(partition, record) for partition, record in chosen]
    return answers.answer({"items": items, "next_cursor": to_cursor(after)})


async def _read(log: Log, after: list[int], limit: int) -> list[tuple[int, Record]]:
    """Up to `limit` records of each partition, by append time, those of one partition in their order."""
    found = [
        [(partition, record) for record in await log.read(EVENTS, partition, offset, limit)]
        for partition, offset in enumerate(after)
    ]
    return list(heapq.merge(*found, key=lambda each: each[1].timestamp_ms))


def _shown(partition: int, record: Record) -> dict[str, object]:
    place: dict[str, object] = {"partition": partition, "offset": record.offset}
    try:
        return {**place, **form.render(decode(record.value or b""))}
    except Undecodable as error:
        return {**place, "undecodable": str(error)}


@router.post(
    "/rfm/calibrate",
    summary="Put new RFM boundaries in force",
    responses=described((200, "How many customers they were computed from.", dict[str, int]), 409, 503),
)
async def calibrate(services: Used) -> Response:
    """Compute the boundaries from the customers as they are now; 409 while nobody has ordered."""
    try:
        boundaries = await services.engine.calibrate(services.read_model)
    except LogUnavailable as unavailable:
        raise Problem(
            503, f"The boundaries stay as they are: {unavailable} Ask again.", headers={"Retry-After": "1"}
        ) from unavailable
    if boundaries is None:
        raise Problem(409, "No customer has an order yet: boundaries need at least one.")
    return answers.answer({"customers": boundaries.customers})
