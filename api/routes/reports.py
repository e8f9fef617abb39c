"""GET /reports…: which questions have a report, and what does each answer?"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from api import answers, own_reports, report_answers
from api.access import refuse_other_sites
from api.asked import Asked, noted
from api.openapi import described
from api.parameters import refuse_unknown
from api.problems import Problem, refusal
from api.report_answers import MEDIA_TYPES, AnswerBody, Form, ReportList
from api.services import Services, Used
from history import report_files
from history.guard import QueryRefused
from history.report_files import BadReport
from history.report_values import BadParameter
from history.reporting import Answer
from history.sql import QueryStopped

ANSWERS = described((200, "The answer.", AnswerBody), 403, 404, 409, 422, 503)
ANSWERS[200]["content"] |= {media: {} for form, media in MEDIA_TYPES.items() if form != "json"}

router = APIRouter(tags=["history"], dependencies=[Depends(refuse_other_sites)])


@router.get(
    "/reports",
    summary="Every report",
    responses=described((200, "The reports, and the files that are none.", ReportList), 403),
)
async def list_reports(services: Used) -> Response:
    """What each answers, with its parameters, the meaning of its columns, and its chart; then your own."""
    found = await services.history.reports()
    items = [report_answers.report_body(report) for report in found.reports]
    own, broken = own_reports.listed(await services.history.saved_reports())
    return answers.answer(ReportList([*items, *own], [*found.broken, *broken]))


@router.get(
    "/reports/{name}",
    summary="Answer a report",
    responses=ANSWERS,
)
async def get_report(
    request: Request,
    services: Used,
    name: Annotated[str, Path(max_length=64, description="The report's name.", examples=["data_volume"])],
    as_of: Annotated[
        str | None,
        Query(
            description="Only what happened until then counts (RFC 3339); by default until now.",
            examples=["1998-06-01T00:00:00Z"],
            json_schema_extra={"format": "date-time"},
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        Query(
            max_length=64,
            description="Where a day begins, such as Asia/Tokyo; by default `HEADWATER_TIMEZONE`.",
        ),
    ] = None,
    form: Annotated[
        Form | None, Query(alias="format", description="By default what Accept names, else JSON.")
    ] = None,
) -> Response:
    """The report's own parameters, which `GET /reports` lists, are given in the query by their names.

    Each of its queries is stopped at 10 s or 1.5 GiB of memory, or 256 MiB of answer. At most 100,000 rows
    are answered, of an own report its `limit`; `truncated` says that there were more.

    CSV (RFC 4180, UTF-8), Parquet and Arrow are files to download. Parquet and Arrow have `note`, `queries`
    and all else in the metadata `headwater` of their schema. CSV has text as it is: a spreadsheet may take
    one that begins with `=`, `+`, `-` or `@` for a formula, so import such columns as text.
    """
    refuse_unknown(request, set(request.query_params))  # only what is given twice: the report knows its own
    given = {
        name: value
        for name, value in request.query_params.items()
        if name not in {"as_of", "timezone", "format"} and value  # a form sends its empty fields too
    }
    if name in report_files.names():
        answer = await _standard(request, services, name, given, as_of, timezone)
    else:
        answer = await own_reports.answer_saved(request, services, name, given, as_of, timezone)
    return await asyncio.to_thread(report_answers.response, answer, report_answers.form_of(request, form))


async def _standard(
    request: Request,
    services: Services,
    name: str,
    given: dict[str, str],
    as_of: str | None,
    timezone: str | None,
) -> Answer:
    """What a standard report answers, once it is noted; raises a Problem."""
    as_of_ms = own_reports.as_of_ms(services, as_of)
    told = services.history.report(name, given, as_of_ms, timezone or services.settings.timezone)
    try:
        return await noted(request, services, Asked("", given, name), told, own_reports.of_answer)
    except BadReport as bad:
        raise Problem(409, f"The report {name} is broken. {bad}") from bad
    except (BadParameter, QueryRefused, QueryStopped) as refused:
        raise refusal(refused) from refused
