"""What does a report's answer look like: as JSON, CSV, Parquet and Arrow?"""

import csv
import io
import math
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

import msgspec
import pyarrow as pa
from msgspec import UNSET, Struct, UnsetType
from pyarrow import parquet
from starlette.requests import Request
from starlette.responses import Response

from history.report_files import Broken, Chart, Report, ReportColumn
from history.report_values import Parameter
from history.reporting import Answer
from projections.times import rfc3339

Form = Literal["json", "csv", "parquet", "arrow"]
MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
}


class ReportBody(Struct, frozen=True):
    """A report that can be asked; of an own one also who saved which form, as which version."""

    name: str
    title: str
    question: str
    group: str
    own: bool  # whether it was saved here, rather than coming with Headwater
    parameters: tuple[Parameter, ...]
    columns: tuple[ReportColumn, ...]  # of an own one, what it answers tells them
    chart: Chart | None
    version: int | UnsetType = UNSET
    who: str | UnsetType = UNSET
    saved_at: str | UnsetType = UNSET
    form: dict[str, Any] | UnsetType = UNSET


class ReportList(Struct, frozen=True):
    """Every report; `broken` are files that are none."""

    items: list[ReportBody]
    broken: list[Broken]


class AnswerColumn(Struct, frozen=True):
    """A column of the answer; `type` is Arrow's."""

    name: str
    unit: str
    means: str
    type: str


class AskedQuery(Struct, frozen=True):
    """SQL as it was asked, for POST /sql."""

    query: str
    parameters: dict[str, Any]


class AnswerBody(Struct, frozen=True):
    """Times are RFC 3339, dates like 2026-01-31, money a decimal string in `currency`, the base currency."""

    name: str
    title: str
    question: str
    as_of: str
    timezone: str
    currency: str
    parameters: dict[str, Any]
    columns: list[AnswerColumn]
    rows: list[list[Any]]
    chart: Chart | None
    note: str | None  # why there is nothing, or what is left out
    queries: list[AskedQuery]
    elapsed_ms: float
    truncated: bool


def report_body(report: Report) -> ReportBody:
    told = (report.name, report.title, report.question, report.group)
    return ReportBody(*told, False, report.parameters, report.columns, report.chart)


def form_of(request: Request, given: Form | None) -> Form:
    """What is asked for by `format`, else the first known media type that is accepted, else JSON."""
    accepted = request.headers.get("accept", "").lower()
    places = {form: accepted.find(media) for form, media in MEDIA_TYPES.items()}
    known = sorted((place, form) for form, place in places.items() if place >= 0)
    return given or (known[0][1] if known else "json")


def response(answer: Answer, form: Form) -> Response:
    """The answer in that form; takes a while where it is long."""
    content = WRITERS[form](answer)
    headers = {}
    if form != "json":
        file = f"{answer.report.name}-{rfc3339(answer.as_of_ms)[:10]}.{form}"
        headers["Content-Disposition"] = f'attachment; filename="{quote(file)}"'
    charset = "; charset=utf-8; header=present" if form == "csv" else ""
    return Response(content, media_type=MEDIA_TYPES[form] + charset, headers=headers)


def body(answer: Answer, rows: list[list[Any]]) -> AnswerBody:
    report, types = answer.report, answer.table.schema.types
    return AnswerBody(
        report.name,
        report.title,
        report.question,
        rfc3339(answer.as_of_ms),
        answer.timezone,
        answer.currency,
        answer.parameters,
        [
            AnswerColumn(column.name, column.unit, column.means, str(kind))
            for column, kind in zip(report.columns, types, strict=True)
        ],
        rows,
        report.chart,
        answer.note,
        [AskedQuery(query, parameters) for query, parameters in answer.queries],
        answer.elapsed_ms,
        answer.truncated,
    )


def _json(answer: Answer) -> bytes:
    return msgspec.json.encode(body(answer, [list(row) for row in _rows(answer.table)]))


def _csv(answer: Answer) -> bytes:
    """RFC 4180, in UTF-8: what is null is empty, and text is as it is, even where it looks like a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(answer.table.column_names)
    writer.writerows([_cell(value) for value in row] for row in _rows(answer.table))
    return out.getvalue().encode()


def _parquet(answer: Answer) -> bytes:
    out = io.BytesIO()
    parquet.write_table(_explained(answer), out)
    return out.getvalue()


def _arrow(answer: Answer) -> bytes:
    table = _explained(answer)
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


WRITERS: dict[Form, Callable[[Answer], bytes]] = {
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
}


def _explained(answer: Answer) -> pa.Table:
    """The table with what the JSON says beside the rows in the schema's metadata."""
    fields = [
        answer.table.schema.field(at).with_metadata({"unit": column.unit, "means": column.means})
        for at, column in enumerate(answer.report.columns)
    ]
    about = msgspec.json.encode(body(answer, []))
    return answer.table.cast(pa.schema(fields, metadata={"headwater": about}))


def _rows(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    columns = [map(_plain, column.to_pylist(maps_as_pydicts="strict")) for column in table.columns]
    return zip(*columns, strict=True)


def _plain(value: Any) -> Any:
    """A value that JSON can carry: what is no number is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case datetime() | date() | bool() | list() | dict():
            return msgspec.json.encode(value).decode().strip('"')
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)
