"""How does a file of events enter an engine that runs? In chunks, each atomic with the load's progress.

`headwater events load` is the caller; a load is resumed at the row that `GET /loads/{name}` tells.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import structlog
from fastapi import APIRouter, Path, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from api import answers
from api.bodies import read_json
from api.openapi import described
from api.problems import Problem
from api.routes.events import MAX_EVENTS, parse_events
from api.services import Services, Used
from schemas.events import Event
from streams.loading import Load, LoadRefused, Progress, give_up, loads
from streams.log import LogUnavailable, ProducerFenced

logger = structlog.get_logger(__name__)

router = APIRouter(tags=["loads"])

Name = Annotated[str, Path(min_length=1, max_length=128, description="What the load is called.")]


Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Chunk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next rows of a source; without events it begins the load, so that a wall clock waits for its rows.

    `digest` and `rows` are of the whole source, and the same in every chunk. `digest_before` is of as many of
    its first rows as `GET /loads/{name}` tells: a source that grew goes on by it. `again` loads rows once
    more that were loaded under another name.
    """

    digest: Digest
    rows: Annotated[int, msgspec.Meta(ge=1)]
    first_row: Annotated[int, msgspec.Meta(ge=0)]
    events: Annotated[list[object], msgspec.Meta(max_length=MAX_EVENTS)]
    digest_before: Digest | None = None
    again: bool = False


class Loaded(msgspec.Struct, frozen=True):
    """How far a load is: `row` of `rows` are on the log."""

    digest: str
    rows: int
    row: int
    done: bool


@router.get(
    "/loads/{name:path}",
    summary="How far a load is",
    responses=described((200, "Its rows, and how many are on the log.", Loaded), 404),
)
async def get_load(name: Name, services: Used) -> Response:
    """The progress of a load; 404 if none of that name was begun."""
    progress = (await loads(services.log)).get(name)
    if progress is None:
        raise _unknown(name)
    return answers.answer(_loaded(progress))


@router.post(
    "/loads/{name:path}",
    summary="Append the next rows of a load",
    responses=described((200, "How far the load is now.", Loaded), 400, 404, 409, 413, 415, 422, 503),
)
async def post_load(request: Request, name: Name, services: Used) -> Response:
    """Append a chunk and the load's progress, or nothing; 409 if other rows are next, or another source's.

    409 too where the same rows are loaded under another name.
    """
    try:
        chunk = msgspec.convert(await read_json(request), Chunk)
    except msgspec.ValidationError as error:
        raise Problem(422, f"Nothing was appended: {error}.") from error
    events = parse_events(chunk.events, services)
    if chunk.first_row + len(events) > chunk.rows:
        raise Problem(422, f"Nothing was appended: the chunk ends after the last of {chunk.rows} rows.")
    progress = await _append(name, chunk, events, services)
    request.app.state.metrics.accepted.inc(len(events))
    response = answers.answer(_loaded(progress))
    if progress.done and events:
        response.background = BackgroundTask(_calibrate, services)
    return response


@router.delete(
    "/loads/{name:path}",
    summary="Give up a load",
    responses=described((200, "How far it came; it counts as done.", Loaded), 404, 503),
)
async def delete_load(name: Name, services: Used) -> Response:
    """Expect no more rows, so that the wall clock ticks again; those appended stay. Loading on undoes it."""
    try:
        progress = await give_up(services.log, name)
    except (LogUnavailable, ProducerFenced) as error:
        raise Problem(503, f"The load is as it was: {error} Give it up again.") from error
    if progress is None:
        raise _unknown(name)
    return answers.answer(_loaded(progress))


async def _calibrate(services: Services) -> None:
    """Bring the boundaries up to date; the answer is sent already, and the next stream day does the same."""
    try:
        await services.engine.end_load(services.read_model)
    except LogUnavailable as error:
        logger.error("calibration_failed", reason=str(error), remedy="headwater rfm calibrate")


async def _append(name: str, chunk: Chunk, events: Sequence[Event], services: Services) -> Progress:
    ticks = services.settings.clock == "events"
    try:
        load = await Load.begin(
            services.log,
            name,
            digest=chunk.digest,
            rows=chunk.rows,
            digest_of_first=lambda _: chunk.digest_before,
            again=chunk.again,
            ticks=ticks,
        )
        if events:
            await load.append(events, first_row=chunk.first_row)
        else:
            await load.announce()
    except LoadRefused as refused:
        raise Problem(409, str(refused)) from refused
    except (LogUnavailable, ProducerFenced) as error:
        raise Problem(503, f"Nothing was appended: {error} Run the load again.") from error
    return load.progress


def _unknown(name: str) -> Problem:
    return Problem(404, f"No load is called {name!r}: begin it at row 0.")


def _loaded(progress: Progress) -> Loaded:
    return Loaded(progress.digest, progress.rows, progress.row, progress.done)
