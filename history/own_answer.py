"""What does an own report answer? The rows of its query; for a pivot, one dimension turned into columns."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from msgspec import Struct

from history import report_tables, reporting, sql
from history.client import no_answer
from history.guard import Guard
from history.own import BadForm, Form
from history.own_columns import Column
from history.own_fields import Catalogue
from history.own_sql import MAX_CELLS, OTHERS, Compiled, compile_form
from history.report_files import Chart, Report, ReportColumn
from history.sql import QueryStopped

NONE = "none"  # what the column of rows without a value is called
MAX_LINES = 12  # of a chart


class Own(NamedTuple):
    """An own report: a form, with a name and a title where it was saved."""

    form: Form
    name: str = "own"
    title: str = "Your own report"


class Read(Struct, frozen=True):
    """A table of the history that a query reads."""

    table: str
    rows: int  # at most, by the index


class Explanation(Struct, frozen=True):
    """What a form would ask; nothing of it has run."""

    query: str
    parameters: dict[str, Any]
    tables: list[Read]
    rows: int  # to read, at most


def run(
    client: Client, guard: Guard, catalogue: Catalogue, own: Own, as_of_ms: int, timezone: str
) -> reporting.Answer:
    """Answer an own report; raises BadForm, BadParameter, QueryRefused or QueryStopped."""
    compiled = compile_form(own.form, catalogue)
    head = _report(own, compiled.columns, None)
    is_cut = False

    def told(ask: reporting.Ask) -> tuple[Report, pa.Table]:
        nonlocal is_cut
        table = report_tables.whole_numbers(ask(compiled.query, **compiled.parameters))
        columns, chart = compiled.columns, _chart(compiled)
        if compiled.pivot is not None:
            columns, table = _pivoted(compiled, compiled.pivot, table)
            chart = _chart_of_pivot(compiled, columns)
        is_cut = table.num_rows > own.form.limit
        named = table.rename_columns([column.name for column in columns])
        return _report(own, columns, chart), named.slice(0, own.form.limit)

    try:
        answer = reporting.answered(client, guard, head, {}, as_of_ms, timezone, told)
        return answer._replace(truncated=answer.truncated or is_cut)
    except QueryStopped as stopped:
        what, _, _ = str(stopped).partition(":")
        narrower = f"{what}: filter, take a shorter period, or leave out a dimension."
        raise QueryStopped(narrower) from stopped.__cause__  # which tells that a query was cut off


def explain(
    client: Client, guard: Guard, catalogue: Catalogue, form: Form, as_of_ms: int, timezone: str
) -> Explanation:
    """What the form would ask, and how much that reads; raises as `run` does."""
    reporting.check(as_of_ms, timezone)
    compiled = compile_form(form, catalogue)
    always = {"as_of": reporting.clickhouse_time(as_of_ms), "timezone": timezone}
    try:
        guarded = sql.checked(client, guard, compiled.query)
        named = {name: value for name, value in always.items() if name in guarded.parameters}
        given = sql.given(guarded.parameters, named | compiled.parameters)
        estimate = client.query(f"EXPLAIN ESTIMATE {guarded.query}", parameters=given).result_rows
    except DatabaseError as error:
        if no_answer(error):
            raise
        raise sql.told(error, reporting.STOPPED) from error
    rows: dict[str, int] = {}
    for _, table, _, number, _ in estimate:
        rows[table] = rows.get(table, 0) + number
    reads = [Read(table, number) for table, number in sorted(rows.items(), key=lambda each: -each[1])]
    return Explanation(compiled.query, given, reads, sum(rows.values()))


def _report(own: Own, columns: Sequence[Column], chart: Chart | None) -> Report:
    told = tuple(ReportColumn(*column) for column in columns)
    return Report(own.name, own.title, question(own.form), "own", (), told, chart, None)


def question(form: Form) -> str:
    """The form as a question, for who reads the answer."""
    measures = [each.name or " of ".join(filter(None, (each.measure, each.field))) for each in form.measures]
    by = [each.name or each.field for each in form.dimensions]
    return f"What is the {_listed(measures)} of {form.module}{f' by {_listed(by)}' if by else ''}?"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _chart(compiled: Compiled) -> Chart | None:
    """Lines over time, else bars; None where there is nothing to draw, or too much."""
    names = [column.name for column in compiled.columns]
    drawn = names[compiled.dimensions]
    if not 1 <= compiled.dimensions <= 2:
        return None
    x = next((at for at in range(compiled.dimensions) if _is_time(compiled.columns[at])), 0)
    series = names[1 - x] if compiled.dimensions == 2 else None
    return Chart(_kind(compiled.columns[x]), names[x], drawn, series)


def _chart_of_pivot(compiled: Compiled, columns: Sequence[Column]) -> Chart | None:
    if compiled.dimensions != 2:
        return None
    x = columns[0]
    unit = compiled.columns[compiled.dimensions].unit
    drawn = [column.name for column in columns[1:] if column.unit == unit][:MAX_LINES]
    return Chart(_kind(x), x.name, drawn) if drawn else None


def _kind(x: Column) -> Literal["line", "bar"]:
    return "line" if _is_time(x) else "bar"


def _is_time(column: Column) -> bool:
    return column.unit in ("date", "week", "month", "quarter", "year", "time")


def _pivoted(compiled: Compiled, pivot: int, table: pa.Table) -> tuple[list[Column], pa.Table]:
    """A row for each combination of the other dimensions, a column for each value of the pivot's."""
    if table.num_rows > MAX_CELLS:
        raise BadForm(f"The pivot has more than {MAX_CELLS:,} cells: leave out a dimension.", "pivot")
    kept = [at for at in range(compiled.dimensions) if at != pivot]
    told = range(compiled.dimensions, len(compiled.columns))
    data = [column.to_pylist() for column in table.columns]
    rows: dict[tuple[Any, ...], dict[tuple[bool, Any], int]] = {}
    for at in range(table.num_rows):
        key = tuple(data[dimension][at] for dimension in kept)
        rows.setdefault(key, {})[bool(data[-1][at]), data[pivot][at]] = at
    places = sorted({place for row in rows.values() for place in row}, key=_order)
    columns = [compiled.columns[at] for at in kept]
    arrays = [_array([key[at] for key in rows], table, kept[at]) for at in range(len(kept))]
    taken = {column.name for column in columns}
    for place in places:
        label = OTHERS if place[0] else NONE if place[1] is None else str(place[1])
        for at in told:
            column = compiled.columns[at]
            name = _free(label if len(told) == 1 else f"{label}: {column.name}", taken)
            means = f"{column.means.removesuffix('.')}, where {compiled.columns[pivot].name} is {label}."
            columns.append(Column(name, column.unit, means))
            nothing = compiled.of_nothing[at]
            cells = [data[at][row[place]] if place in row else nothing for row in rows.values()]
            arrays.append(_array(cells, table, at))
    return columns, pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def _array(cells: Sequence[Any], table: pa.Table, at: int) -> pa.Array:
    return pa.array(cells, type=table.schema.field(at).type)


def _order(place: tuple[bool, Any]) -> tuple[bool, bool, float, str]:
    """Numbers by size, then texts, then what has no value, then the others."""
    is_others, value = place
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.inf
    return is_others, value is None, number if math.isfinite(number) else math.inf, str(value)


def _free(name: str, taken: set[str]) -> str:
    """The name, or one like it that no column has yet: a value may be called like another column."""
    while name in taken:
        name += "*"
    taken.add(name)
    return name
