"""POST /reports…: what does a report of one's own answer, what would it ask, and how is it kept?"""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from api import answers, own_reports, report_answers
from api.access import refuse_other_sites
from api.asked import stamp
from api.bodies import read_as, read_json
from api.keys import caller
from api.openapi import described, json_body
from api.own_reports import Versions
from api.parameters import refuse_unknown
from api.problems import Problem, refusal
from api.report_answers import AnswerBody, ReportBody
from api.report_answers import Form as Format
from api.saving import checked_name, refused, save
from api.services import Services, Used
from history import own, report_files
from history.guard import QueryRefused
from history.own_answer import Explanation, Own
from history.report_values import BadParameter
from history.saved import SavedReport
from history.sql import QueryStopped
from schemas.events import ReportSaved

RESERVED = frozenset({"ask", "explain", "new", "own"})  # what addresses beside /reports/{name} are called
MAX_TITLE = 256

router = APIRouter(tags=["history"])

EXAMPLE = {
    "from": "orders",
    "measures": [{"measure": "sum", "field": "base_minor", "name": "revenue"}],
    "dimensions": [{"field": "placed_at", "grain": "month"}],
    "filters": [{"field": "cancelled", "value": False}],
}
FORM = {
    "type": "object",
    "description": "docs/own-reports.md says what each member means.",
    "required": ["from"],
}
FORM_BODY = json_body(FORM, {"revenue": {"summary": "Revenue by month", "value": EXAMPLE}})


class SaveBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A form to save; with `expected_version` only if the last version has that number, 0 for none."""

    name: str
    title: str
    form: dict[str, Any]
    expected_version: int | UnsetType = UNSET


@router.post(
    "/reports/ask",
    summary="Answer a report of your own",
    responses=described((200, "The answer.", AnswerBody), 400, 413, 415, 422, 503),
    openapi_extra=FORM_BODY,
)
async def ask_report(
    request: Request,
    services: Used,
    form: Annotated[
        Format | None, Query(alias="format", description="By default what Accept names, else JSON.")
    ] = None,
) -> Response:
    """Measures of a module, by dimensions, of what filters let through; docs/own-reports.md has the members.

    Answered as `GET /reports/{name}` does, and stopped at 10 s or 1.5 GiB of memory, or 256 MiB of answer.
    """
    refuse_unknown(request, {"format"})
    asked = Own(own_reports.read_form(await read_json(request)))
    answer = await own_reports.answer(request, services, asked)
    return await asyncio.to_thread(report_answers.response, answer, report_answers.form_of(request, form))


@router.post(
    "/reports/explain",
    summary="What a report of your own would ask",
    responses=described((200, "The query; nothing of it has run.", Explanation), 400, 413, 415, 422, 503),
    openapi_extra=FORM_BODY,
)
async def explain_report(request: Request, services: Used) -> Response:
    """The query with its parameters, and how many rows of which tables it reads at most."""
    refuse_unknown(request, set())
    return answers.answer(await _explained(services, own_reports.read_form(await read_json(request))))


@router.post(
    "/reports",
    status_code=201,
    summary="Save a report of your own",
    responses=described((201, "It is saved.", ReportBody), 400, 409, 413, 415, 422, 503),
    openapi_extra=json_body(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$", "description": "Its name."},
                "title": {"type": "string", "maxLength": MAX_TITLE, "description": "What it is called."},
                "form": FORM,
                "expected_version": {"type": "integer", "description": "Its last version; 0 for a new one."},
            },
            "required": ["name", "title", "form"],
            "additionalProperties": False,
        },
        {"revenue": {"value": {"name": "revenue", "title": "Revenue by month", "form": EXAMPLE}}},
    ),
)
async def save_report(request: Request, services: Used) -> Response:
    """Under a name that no standard report has; `GET /reports/{name}` then answers it. Each is a version.

    An event on the log, `ReportSaved`: answered once the archive has it, about a second later. 409 where
    `expected_version` is given, and somebody has saved another since.
    """
    body = await read_as(request, SaveBody, '{"name": "…", "title": "…", "form": {"from": "orders"}}')
    name = checked_name(body.name)
    if name in RESERVED or name in report_files.names():
        raise refused("name", f"The name {name!r} is taken by Headwater: choose another.")
    if not body.title.strip() or len(body.title) > MAX_TITLE:
        raise refused("title", f"The title is empty, or over {MAX_TITLE} characters: write a short one.")
    await _explained(services, own_reports.read_form(body.form))
    async with request.app.state.saving:
        return answers.answer(await _saved(request, services, body), 201)


@router.get(
    "/reports/{name}/versions",
    summary="Every version of a report of your own",
    responses=described((200, "The last one first.", Versions), 403, 404, 503),
    dependencies=[Depends(refuse_other_sites)],
)
async def list_versions(
    services: Used,
    name: Annotated[str, Path(max_length=64, description="The report's name.", examples=["revenue"])],
) -> Response:
    """`GET /reports/{name}?version=N` answers one of them."""
    found = await own_reports.versions(services, name)
    return answers.answer(Versions([own_reports.saved_body(each) for each in found]))


async def _explained(services: Services, form: own.Form) -> Explanation:
    as_of_ms = own_reports.as_of_ms(services, form.as_of)
    try:
        return await services.history.explain(form, as_of_ms, form.timezone or services.settings.timezone)
    except (BadParameter, QueryRefused, QueryStopped) as error:
        raise refusal(error) from error


async def _saved(request: Request, services: Services, body: SaveBody) -> ReportBody:
    """The version after the last one, once the history has it; raises a Problem (409)."""

    async def versions() -> list[SavedReport]:
        return [each for each in await services.history.saved_reports() if each.name == body.name]

    last = max((each.version for each in await versions()), default=0)
    if body.expected_version not in (UNSET, last):
        raise Problem(
            409,
            f"{body.name} is at version {last}, not {body.expected_version}: read that one, then save again.",
            version=last,
        )
    event = ReportSaved(
        **stamp(services),
        who=caller(request),
        name=body.name,
        version=last + 1,
        title=body.title,
        form=msgspec.json.encode(body.form).decode(),
    )
    return own_reports.saved_body(await save(services, event, versions))
