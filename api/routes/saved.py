"""POST /sql/saved, GET /sql/saved: which SQL is worth asking again?"""

import msgspec
from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from api import answers
from api.asked import stamp
from api.bodies import read_as
from api.keys import caller
from api.openapi import described, json_body
from api.saving import checked_name, refused, save
from api.services import Used
from history.guard import QueryRefused
from history.saved import SavedQuery
from history.sql import MAX_CHARACTERS
from projections.times import rfc3339
from schemas.events import QuerySaved

router = APIRouter(tags=["history"])


class QueryBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A statement to save."""

    name: str
    query: str


class SavedQueryBody(Struct, frozen=True):
    """A saved statement: who saved it, and when."""

    name: str
    query: str
    who: str
    saved_at: str


class SavedQueries(Struct, frozen=True):
    items: list[SavedQueryBody]


EXAMPLE = {"name": "events-by-type", "query": "SELECT type, count() FROM events GROUP BY type"}
BODY = json_body(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$", "description": "Its name."},
            "query": {"type": "string", "maxLength": MAX_CHARACTERS, "description": "As POST /sql takes it."},
        },
        "required": ["name", "query"],
        "additionalProperties": False,
    },
    {"count": {"summary": "Events by type", "value": EXAMPLE}},
)


@router.get(
    "/sql/saved",
    summary="The saved statements",
    responses=described((200, "Each as it was saved last, by name.", SavedQueries), 503),
)
async def list_saved(services: Used) -> Response:
    """Every statement that was saved under a name."""
    found = await services.history.saved_queries()
    return answers.answer(SavedQueries([_body(each) for each in found]))


@router.post(
    "/sql/saved",
    status_code=201,
    summary="Save a statement under a name",
    responses=described((201, "It is saved.", SavedQueryBody), 400, 413, 415, 422, 503),
    openapi_extra=BODY,
)
async def save_query(request: Request, services: Used) -> Response:
    """One that POST /sql would run, which is checked and not run. It takes the place of an earlier one.

    An event on the log, `QuerySaved`: answered once the archive has it, about a second later.
    """
    body = await read_as(request, QueryBody, msgspec.json.encode(EXAMPLE).decode())
    name = checked_name(body.name)
    try:
        await services.history.checked(body.query)
    except QueryRefused as error:
        raise refused("query", str(error)) from error
    event = QuerySaved(**stamp(services), who=caller(request), name=name, query=body.query)
    return answers.answer(_body(await save(services, event, services.history.saved_queries)), 201)


def _body(found: SavedQuery) -> SavedQueryBody:
    return SavedQueryBody(found.name, found.query, found.who, rfc3339(found.saved_at))
