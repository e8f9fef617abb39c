"""Is the engine's data in order, and how is it put in order?"""

import asyncio
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli import directory
from cli.client import connect
from cli.errors import Refused
from cli.options import DATA_DIR, DataDir
from cli.run import run

SHOW_EVERY_S = 0.1


def doctor(data_dir: DataDir = DATA_DIR) -> None:
    """Check that the log, the table, the read model and the history agree; exit 1 if they do not."""
    findings = run(_diagnose(data_dir))
    for check in findings["checks"]:
        print(f"{'ok  ' if check['ok'] else 'BAD '} {check['what']}: {check['found']}")
        if not check["ok"]:
            print(f"     {check['remedy']}")
    if not all(check["ok"] for check in findings["checks"]):
        raise typer.Exit(1)


async def _diagnose(data_dir: Path) -> dict[str, list[dict[str, object]]]:
    async with connect(data_dir) as engine:
        findings: dict[str, list[dict[str, object]]] = await engine.get("/doctor")
        return findings


def rebuild(data_dir: DataDir = DATA_DIR) -> None:
    """Fold the whole log again, announcing nothing twice; needed after an upgrade that folds differently."""
    run(_rebuild(data_dir))


async def _rebuild(data_dir: Path) -> None:
    from cli.compose import CANNOT_START, running, settings_of
    from streams.engine import forget_projections
    from streams.schema_ids import adopt

    settings = settings_of(data_dir)
    if not settings.distributed and directory.fixed(data_dir) is None:
        raise Refused(f"There is no engine in {data_dir}: name its directory with --data-dir.")
    with directory.held(data_dir):
        try:
            await asyncio.to_thread(adopt, settings)
            records = await forget_projections(settings)
        except CANNOT_START as error:
            raise Refused(str(error)) from error
    if settings.distributed:
        print(
            f"{records:,} records are to be folded again: restart the workers, whose place this took. "
            "GET /readyz of an API says how far they are."
        )
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("Folding the log again", total=records)
        async with running(data_dir) as parts:
            settled = asyncio.create_task(parts.settled())
            while not settled.done():
                folded = sum(row.position for row in parts.engine.lane.partitions.values())
                progress.update(task, completed=min(folded, records))
                await asyncio.wait([settled], timeout=SHOW_EVERY_S)
            await settled
        progress.update(task, completed=records)
