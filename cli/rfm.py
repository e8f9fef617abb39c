"""How are the RFM scores brought up to date by hand?"""

from pathlib import Path

import typer
from rich.console import Console

from cli.client import connect
from cli.options import DATA_DIR, DataDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Recency, frequency, monetary: the boundaries of the scores.")


@app.callback()
def _group() -> None:
    """Keeps `calibrate` a command of its own, though it is the only one."""


@app.command()
def calibrate(data_dir: DataDir = DATA_DIR) -> None:
    """Compute the boundaries from the customers as they are now, put them in force, and print them."""
    Console().print_json(data=run(_calibrate(data_dir)))


async def _calibrate(data_dir: Path) -> object:
    async with connect(data_dir) as engine:
        await engine.post("/rfm/calibrate", {})
        return (await engine.get("/rfm"))["boundaries"]
