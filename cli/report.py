"""How do I ask a report from the shell, and find out what there is to ask?"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.client import connect, get
from cli.errors import Refused
from cli.options import DATA_DIR, DataDir
from cli.run import run
from history.report_values import nearest


class Form(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"
    arrow = "arrow"


BINARY = {Form.parquet, Form.arrow}


def report(
    name: Annotated[str | None, typer.Argument(help="Which report; without one, all are listed.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="A parameter as NAME=VALUE; as often as needed.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Only what happened until then counts (RFC 3339); by default until now."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Where a day begins, such as Asia/Tokyo; by default HEADWATER_TIMEZONE."),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option("--format", "-f", help="By default the ending of --output, or else a table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write into this file.", dir_okay=False)
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Answer a report, or list all of them with their questions and parameters.

    Each of its queries is stopped at 10 s or 1.5 GiB of memory, or 256 MiB of answer.

    Examples:

    headwater report

    headwater report data_volume --as-of 1998-01-01T00:00:00Z

    headwater report cohort_retention -p months=6 --timezone Europe/Berlin -o cohorts.parquet

    CSV has text as it is: a spreadsheet may take one that begins with = + - @ for a formula.
    """
    if name is None:
        _print_list(run(get(data_dir, "/reports")))
        return
    form = form or _form_of(output)
    if form is Form.table and output is not None:
        raise Refused("A table is for the screen: choose another --format for a file.")
    if form in BINARY and output is None:
        raise Refused(f"{form.value} is not for a screen: name a file with --output.")
    given = {"as_of": as_of, "timezone": timezone, "format": "json" if form is Form.table else form.value}
    query = _parameters(param or []) | {name: value for name, value in given.items() if value is not None}
    content = run(_download(data_dir, f"/reports/{quote(name, safe='')}?{urlencode(query)}"))
    if form is Form.table:
        _print_answer(msgspec.json.decode(content))
    elif output is not None:
        _write(output, content)
    elif form is Form.json:
        Console().print_json(content.decode())
    else:
        sys.stdout.write(content.decode().replace("\r\n", "\n"))


def schema(
    table: Annotated[
        str | None, typer.Argument(help="Print this one's columns; without it, all tables and views.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """List the tables and views of the history, or the columns of one, each with its meaning.

    Examples: headwater schema

    headwater schema orders
    """
    found = run(get(data_dir, "/sql/schema"))["tables"]
    if table is None:
        _print(Table("name", "what it holds"), ([_called(each), each["comment"]] for each in found))
        return
    for each in found:
        if each["name"] == table:
            print(f"{_called(each)}: {each['comment']}")
            columns = ([column[key] for key in ("name", "type", "comment")] for column in each["columns"])
            _print(Table("column", "type", "meaning"), columns)
            return
    known = nearest(table, [each["name"] for each in found])
    raise Refused(f"There is no table {table!r}: {known}.")


async def _download(data_dir: Path, path: str) -> bytes:
    async with connect(data_dir) as engine:
        return await engine.download(path)


def _form_of(output: Path | None) -> Form:
    if output is None:
        return Form.table
    try:
        return Form(output.suffix.removeprefix("."))
    except ValueError:
        endings = ", ".join(f".{form.value}" for form in Form if form is not Form.table)
        raise Refused(f"{output} has none of the endings {endings}: name the format with --format.") from None


def _parameters(told: list[str]) -> dict[str, str]:
    parameters = {}
    for each in told:
        name, equals, value = each.partition("=")
        if not equals or name in {"as_of", "timezone", "format"}:
            raise Refused(f"--param {each!r} is no parameter: write NAME=VALUE; the others are options.")
        parameters[name] = value
    return parameters


def _write(output: Path, content: bytes) -> None:
    try:
        output.write_bytes(content)
    except OSError as error:
        raise Refused(
            f"{output} cannot be written ({error.strerror}): name another with --output."
        ) from error
    print(f"Written: {output} ({len(content):,} bytes)", file=sys.stderr)


def _print_list(listed: Any) -> None:
    table = Table("name", "what it answers", "parameters")
    for item in listed["items"]:
        own = [f"{each['name']}={_shown(each['default'])}" for each in item["parameters"]]
        table.add_row(escape(item["name"]), escape(item["question"]), escape(" ".join(own)))
    Console().print(table)
    for broken in listed["broken"]:
        print(f"{broken['name']} is no report. {broken['error']}", file=sys.stderr)


def _print_answer(answer: Any) -> None:
    heads = [
        f"{column['name']} ({answer['currency']})" if column["unit"] == "money" else column["name"]
        for column in answer["columns"]
    ]
    _print(Table(*heads, title=escape(answer["question"]), title_justify="left"), answer["rows"])
    told = [answer["note"], "There are more rows than these." if answer["truncated"] else None]
    for sentence in filter(None, told):
        print(sentence, file=sys.stderr)


def _print(table: Table, rows: Any) -> None:
    for row in rows:
        table.add_row(*(escape(_shown(cell)) for cell in row))
    Console().print(table)


def _shown(cell: object) -> str:
    match cell:
        case None:
            return ""
        case str():
            return cell
        case float():
            return f"{cell:.6g}"
        case _:
            return msgspec.json.encode(cell).decode()


def _called(table: Any) -> str:
    """A view with parameters as it is written after FROM."""
    taken = ", ".join(f"{each['name']} = …" for each in table["parameters"])
    return f"{table['name']}({taken})" if taken else str(table["name"])
