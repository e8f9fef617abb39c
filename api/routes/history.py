"""POST /sql, GET /sql/schema: what does the whole history say, and what is there to ask?"""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import answers
from api.asked import Asked, Told, noted
from api.bodies import read_as
from api.openapi import described, json_body
from api.problems import FieldError, Problem
from api.services import Used
from history.catalogue import Schema
from history.guard import QueryRefused
from history.sql import MAX_ROWS, Answer, QueryStopped

DEFAULT_ROWS = 10_000

router = APIRouter(tags=["history"])


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One read-only statement; `parameters` are the values of its `{name:Type}`."""

    query: str
    parameters: dict[str, Any] = {}
    max_rows: int = DEFAULT_ROWS


EXAMPLE = '{"query": "SELECT …"}, with parameters and max_rows if need be'
BODY = json_body(
    {
        "type": "object",
        "description": "One read-only statement.",
        "properties": {
            "query": {"type": "string", "description": "A SELECT over the tables that SHOW TABLES lists."},
            "parameters": {"type": "object", "description": "The values of the query's {name:Type}."},
            "max_rows": {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": DEFAULT_ROWS},
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    {
        "count": {
            "summary": "Events by type",
            "value": {
                "query": "SELECT type, count() AS events FROM events GROUP BY type ORDER BY events DESC"
            },
        },
        "parameters": {
            "summary": "One customer's stages",
            "value": {
                "query": "SELECT occurred_at, to_stage FROM transitions WHERE customer_id = {id:String}",
                "parameters": {"id": "00004"},
            },
        },
    },
)


@router.post(
    "/sql",
    summary="Ask the history in SQL",
    responses=described((200, "The answer, cut at `max_rows`.", Answer), 400, 413, 415, 422, 503),
    openapi_extra=BODY,
)
async def post_sql(request: Request, services: Used) -> Response:
    """One read-only ClickHouse statement over the views and event tables that `GET /sql/schema` lists.

    Stopped at 10 s or 1 GiB of memory, or 64 MiB of answer. `truncated` says that there were more rows. Who
    asked what, and how that went, is an event, `SqlAsked`.
    """
    question = await read_as(request, Question, EXAMPLE)
    asked = Asked(question.query, question.parameters)
    answer = services.history.sql(question.query, question.parameters, question.max_rows)
    try:
        found = await noted(request, services, asked, answer, lambda found: Told(len(found.rows)))
    except (QueryRefused, QueryStopped) as refused:
        field = refused.field if isinstance(refused, QueryRefused) else "query"
        raise Problem(422, str(refused), errors=[FieldError(0, field, str(refused))]) from refused
    return answers.answer(found)


@router.get(
    "/sql/schema",
    summary="What there is to ask in SQL",
    responses=described((200, "The tables and views with their columns.", Schema), 503),
)
async def get_schema(services: Used) -> Response:
    """Views first, then each event's table. One with `parameters` is read with `name(parameter = value)`."""
    return answers.answer(await services.history.schema())
