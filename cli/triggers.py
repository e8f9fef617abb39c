"""Which segments and triggers are in force, how are they changed, and what do triggers bring?"""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from cli.client import get, post
from cli.errors import Refused
from cli.options import DATA_DIR, AsJson, DataDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Who is told when a customer's stage, segment or score changes.")

Segments = Annotated[
    Path | None, typer.Option(help="The segments; by default DATA_DIR/segments.toml, if it is there.")
]
Triggers = Annotated[
    Path | None, typer.Option(help="The triggers; by default DATA_DIR/triggers.toml, if it is there.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only check the files.")]


@app.command()
def apply(
    data_dir: DataDir = DATA_DIR,
    segments: Segments = None,
    triggers: Triggers = None,
    dry_run: DryRun = False,
) -> None:
    """Check both files and put them in force, without a restart.

    Where a line is wrong it is named, and the rules in force are unchanged. What waits for quiet hours or a
    person is decided by the new rules. Customers who are in a new segment already enter it now.
    """
    texts = {
        "segments": _text(segments, data_dir / "segments.toml"),
        "triggers": _text(triggers, data_dir / "triggers.toml"),
    }
    if segments is triggers is None and not any(texts.values()):
        raise Refused(
            f"There is neither {data_dir / 'segments.toml'} nor {data_dir / 'triggers.toml'}: write one, or "
            "name a file with --segments or --triggers."
        )
    answer = run(post(data_dir, f"/triggers?dry_run={str(dry_run).lower()}", texts))
    said = "These can be put in force" if dry_run else "In force"
    console = Console(highlight=False)
    console.print(f"{said}, version {answer['version']}:")
    console.print(f"  segments: {', '.join(answer['segments']) or 'none'}")
    console.print(f"  triggers: {', '.join(answer['triggers']) or 'none'}")


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = DATA_DIR) -> None:
    """Print the triggers in force, with the last day's decisions and the messages on their way."""
    body = run(get(data_dir, "/triggers"))
    if as_json:
        Console().print_json(data=body)
        return
    table = Table("trigger", "on", "to", "consent", "holdout", "decisions of 24 h", "pending", "parked")
    for each in body["items"]:
        decisions = ", ".join(f"{verdict} {count:,}" for verdict, count in each["decisions"].items())
        table.add_row(
            each["name"],
            _change(each["on"]),
            each["action"]["endpoint"],
            each["consent"],
            f"{each['holdout']:.0%}",
            decisions or "none",
            f"{each['pending']:,}",
            f"{each['parked']:,}",
        )
    Console().print(table)


@app.command()
def uplift(
    name: Annotated[str, typer.Argument(help="The trigger.")],
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print what a trigger brings: who was told against who was held out, with the interval."""
    found = run(get(data_dir, f"/triggers/{quote(name, safe='')}/uplift"))
    if as_json:
        Console().print_json(data=found)
    else:
        print(found["words"])


def _text(named: Path | None, default: Path) -> str:
    path = named or default
    if named is None and not path.exists():
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read ({error}): correct the path.") from error


def _change(on: Any) -> str:
    """What a trigger waits for, in words."""
    what = " ".join(filter(None, (on["change"], on["segment"], on["target"])))
    before, after = (", ".join([said] if isinstance(said, str) else said) for said in (on["from"], on["to"]))
    return f"{what} {before or 'any'} → {after or 'any'}"
