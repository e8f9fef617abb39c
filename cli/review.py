"""What waits for a person's yes or no?"""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from cli.client import get, post
from cli.options import DATA_DIR, AsJson, DataDir
from cli.run import run
from cli.why import change

app = typer.Typer(no_args_is_help=True, help="Messages that wait for a person's yes or no.")

DecisionId = Annotated[str, typer.Argument(metavar="DECISION_ID", help="As headwater review list has it.")]
Reviewer = Annotated[str | None, typer.Option(help="Who says so.")]
Comment = Annotated[str | None, typer.Option(help="Why.")]


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = DATA_DIR) -> None:
    """Print the decisions that wait for a person, newest first."""
    page = run(get(data_dir, "/reviews", limit=500))
    if as_json:
        Console().print_json(data=page)
        return
    if not page["items"]:
        print("Nothing waits for a person.")
        return
    table = Table("decision", "customer", "trigger", "change", "up to")
    for each in page["items"]:
        of = each["decision_id"], each["customer_id"], each["trigger"]
        table.add_row(*of, change(each), each["until_at"])
    Console().print(table)


@app.command()
def yes(
    decision_id: DecisionId,
    reviewer: Reviewer = None,
    comment: Comment = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Let a message go; consent and quiet hours are checked again."""
    _answer(data_dir, decision_id, reviewer, comment, approved=True)


@app.command()
def no(
    decision_id: DecisionId,
    reviewer: Reviewer = None,
    comment: Comment = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Keep a message from being sent."""
    _answer(data_dir, decision_id, reviewer, comment, approved=False)


def _answer(
    data_dir: Path, decision_id: str, reviewer: str | None, comment: str | None, *, approved: bool
) -> None:
    said = {"approved": approved, "reviewer": reviewer, "comment": comment}
    run(post(data_dir, f"/decisions/{quote(decision_id, safe='')}/review", said))
    print(f"{'Yes' if approved else 'No'} to {decision_id} is on the log.")
