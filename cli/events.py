"""How do events get in and out from the shell: follow the log, load a file?"""

import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli import jsonl
from cli.client import connect
from cli.errors import Refused
from cli.options import DATA_DIR, DataDir
from cli.run import run, run_until_stopped

FOLLOW_EVERY_S = 0.5

app = typer.Typer(no_args_is_help=True, help="Follow the log, or load a file of your own events.")


@app.command()
def tail(
    limit: Annotated[int, typer.Option("--lines", "-n", help="Events to begin with.", min=0, max=500)] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C stops.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the engine's own events, such as ticks of the clock.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print the newest events of customers, one JSON object a line, oldest first."""
    work = _tail(data_dir, limit, everything, follow)
    run_until_stopped(work) if follow else run(work)


async def _tail(data_dir: Path, limit: int, everything: bool, follow: bool) -> None:
    kinds = {"engine": "true"} if everything else {}
    async with connect(data_dir) as engine:
        page = await engine.get("/events", limit=limit, **kinds)
        while True:
            for event in page["items"]:
                print(json.dumps(event, ensure_ascii=False), flush=True)
            if not follow:
                return
            if not page["items"]:
                await asyncio.sleep(FOLLOW_EVERY_S)
            page = await engine.get("/events", limit=500, cursor=page["next_cursor"], **kinds)


@app.command()
def load(
    file: Annotated[
        Path | None,
        typer.Argument(help="One event a line, each as POST /events takes it.", exists=True, dir_okay=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call this load; by default the file's name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Validate every line and append nothing.")
    ] = False,
    give_up: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Instead: expect no more of this load, so that the clock goes on."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="With a new --name: load rows once more. Each without an event_id of its own counts again.",
        ),
    ] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Load a file of events: all of it or, if a line is invalid, nothing. Run it again to resume.

    A file to whose end lines were added goes on at the first that is new.
    """
    if (file is None) == (give_up is None):
        raise Refused("events load takes a file of events, or --give-up with the name of a load: give one.")
    if give_up is not None:
        told = run(_give_up(data_dir, give_up))
        print(f"{give_up} is given up: {told['row']} of {told['rows']} events are loaded.", file=sys.stderr)
    elif file is not None:
        if again and name is None:
            raise Refused("--again loads the rows of a file once more: name that load with --name.")
        _load_file(file, name or file.name, again, dry_run, data_dir)


async def _give_up(data_dir: Path, name: str) -> Any:
    async with connect(data_dir) as engine:
        return await engine.delete(_path(name))


def _load_file(file: Path, name: str, again: bool, dry_run: bool, data_dir: Path) -> None:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        checked = _check(file, progress)
        if checked.faults:
            raise Refused("\n".join([f"{file}: nothing was loaded; correct these lines:", *checked.faults]))
        if not checked.rows:
            raise Refused(f"{file} has no events: write one JSON object a line.")
        if dry_run:
            print(f"{checked.rows} events, all valid; nothing was appended.", file=sys.stderr)
            return
        loaded = run(_load(data_dir, file, name, again, checked, progress))
    already = checked.rows - loaded
    print(
        f"{loaded} events loaded" + (f", {already} were loaded before." if already else "."), file=sys.stderr
    )


def _check(file: Path, progress: Progress) -> jsonl.Checked:
    task = progress.add_task("Validating (bytes)", total=file.stat().st_size)
    for step in jsonl.check(file, time.time_ns() // 1_000_000):
        if isinstance(step, jsonl.Checked):
            progress.remove_task(task)
            return step
        progress.update(task, completed=step)
    raise AssertionError("a check ends with its result")


async def _load(
    data_dir: Path, file: Path, name: str, again: bool, checked: jsonl.Checked, progress: Progress
) -> int:
    """Append what is not on the log yet; the number of events appended."""
    from cli.compose import Source  # the whole engine: not for headwater --help

    digest_of_first = partial(jsonl.digest_of_first, file)
    source = Source(name, checked.digest, checked.rows, digest_of_first=digest_of_first, again=again)
    async with connect(data_dir, load=source) as engine:
        body = {"digest": checked.digest, "rows": checked.rows, "again": again}
        known = await engine.find(_path(name))
        if known is not None:
            body["digest_before"] = digest_of_first(known["rows"])
        before = row = (await engine.post(_path(name), body | {"first_row": 0, "events": []}))["row"]
        task = progress.add_task("Loading (events)", total=checked.rows, completed=row)
        for chunk in jsonl.chunks(file, name=name, after_row=row):
            row = (await engine.post(_path(name), body | {"first_row": row, "events": chunk}))["row"]
            progress.update(task, completed=row)
        return checked.rows - int(before)


def _path(name: str) -> str:
    return f"/loads/{quote(name, safe='')}"
