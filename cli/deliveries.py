"""What is on its way to whoever triggers tell, and how is what was given up tried once more?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.client import connect
from cli.options import DATA_DIR, DataDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Messages of triggers: on their way, given up, tried once more.")


@app.command(name="list")
def list_(data_dir: DataDir = DATA_DIR) -> None:
    """Print what each trigger has still to deliver or has given up, by endpoint."""
    table = Table("trigger", "endpoint", "pending", "parked", "refused", "failures in a row", "last error")
    for each in run(_list(data_dir)):
        numbers = [f"{each[name]:,}" for name in ("pending", "parked", "refused", "failures")]
        table.add_row(each["trigger"], each["endpoint"] or "in force no more", *numbers, each["last_error"])
    Console().print(table)


async def _list(data_dir: Path) -> list[dict[str, Any]]:
    async with connect(data_dir) as engine:
        items: list[dict[str, Any]] = (await engine.get("/deliveries"))["items"]
        return items


@app.command()
def redrive(
    trigger: Annotated[str | None, typer.Option(help="Only the messages of this trigger.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was given up since then (RFC 3339).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Try once more what was given up: parked after the last try, or refused for its address.

    The schedule begins anew; ids stay, so that a receiver can tell what it has already.
    """
    messages = run(_redrive(data_dir, {"trigger": trigger, "since": since, "dry_run": dry_run}))
    print(f"{messages:,} messages {'would be' if dry_run else 'are'} tried once more.")


async def _redrive(data_dir: Path, asked: dict[str, object]) -> int:
    messages, more = 0, True
    async with connect(data_dir) as engine:
        while more:
            answer = await engine.post("/deliveries/redrive", asked)
            messages, more = messages + answer["messages"], answer["more"]
            asked = {**asked, "until": answer["until"]}  # what ends again meanwhile is not tried for ever
    return messages
