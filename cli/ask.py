"""How do I ask from the shell: SQL over the history, one customer?"""

import csv
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from cli.client import get, post
from cli.errors import Refused
from cli.options import DATA_DIR, DataDir
from cli.run import run
from history.report_values import nearest


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One read-only statement, or - to read it from standard input.")
    ] = None,
    saved: Annotated[str | None, typer.Option(help="Run the statement that was saved as this.")] = None,
    save: Annotated[
        str | None, typer.Option(help="Save the statement under this name, in place of an earlier one.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print the answer.")] = Format.table,
    max_rows: Annotated[int, typer.Option(help="Rows to answer at most.", min=1, max=100_000)] = 10_000,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Run one SQL statement over the history.

    The views are events, orders, order_lines, transitions, stages, customers, customer_months, scores,
    campaign_responses, tickets, surveys, reviews, opportunities and more, each also as of a moment:
    orders_at(as_of = '2026-01-31'). Beside them are failed, and one table an event type, such as OrderPlaced.
    "headwater schema" lists them and says what each column means; amounts are in minor units. A statement is
    stopped at 10 s or 1 GiB of memory, or 64 MiB of answer.

    Examples: headwater sql "select type, count() from events group by type"

    headwater sql --save by-type "select type, count() from events group by type"

    headwater sql --saved by-type
    """
    text = _statement(data_dir, query, saved)
    if save is not None:
        run(post(data_dir, "/sql/saved", {"name": save, "query": text}))
    answer = run(post(data_dir, "/sql", {"query": text, "max_rows": max_rows}))
    _print_answer(answer, form)
    if answer["truncated"]:
        print(f"Only the first {max_rows} rows: ask for more with --max-rows.", file=sys.stderr)


def _statement(data_dir: Path, query: str | None, saved: str | None) -> str:
    """The statement that is given, or that was saved; raises Refused."""
    if (query is None) == (saved is None):
        raise Refused("Give a statement, or the name of a saved one with --saved.")
    if saved is None:
        return sys.stdin.read() if query == "-" else str(query)
    known = {each["name"]: each["query"] for each in run(get(data_dir, "/sql/saved"))["items"]}
    if saved not in known:
        raise Refused(f"No statement is saved as {saved!r}: {nearest(saved, known)}.")
    return str(known[saved])


def customer(
    customer_id: Annotated[str, typer.Argument(help="Whose profile, orders, stage and scores to print.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print one customer as JSON, as GET /customers/{customer_id} answers."""
    Console().print_json(data=run(get(data_dir, f"/customers/{quote(customer_id, safe='')}")))


def explain(
    customer_id: Annotated[str, typer.Argument(help="Whose prediction to explain.")],
    target: Annotated[str, typer.Option(help="What was predicted: churn, order_30d, order_7d or redeem.")],
    at: Annotated[
        str | None, typer.Option(help="Before this time (RFC 3339); by default the last one.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="About this campaign, for redeem; by default any.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print the last prediction before a moment, why it was made, and what came of it, as JSON.

    With the features, the snapshot that predicted, whether it says the same today to the bit, and the events
    that were known then.

    Examples: headwater explain 00004 --target churn --at 1998-01-01T00:00:00Z

    headwater explain 1029 --target redeem --campaign 18
    """
    path = f"/customers/{quote(customer_id, safe='')}/explanation"
    Console().print_json(data=run(get(data_dir, path, target=target, at=at, campaign=campaign)))


def _print_answer(answer: Any, form: Format) -> None:
    names = [column["name"] for column in answer["columns"]]
    if form is Format.json:
        Console().print_json(data=answer)
    elif form is Format.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(answer["rows"])
    else:
        table = Table(*names)
        for row in answer["rows"]:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        Console().print(table)
