"""How do I see it work? With the sample's orders, loaded once, then served."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import directory
from cli.errors import Refused
from cli.options import DATA_DIR, PORT, DataDir, Port
from cli.run import run, run_until_stopped


def demo(
    original_dates: Annotated[
        bool,
        typer.Option(
            "--original-dates", help="Keep 1997–98 and let only events move time; else the last day is today."
        ),
    ] = False,
    until_loaded: Annotated[
        bool, typer.Option("--until-loaded", help="Stop when everything is loaded.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --until-loaded: print the summary as one JSON object.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
    port: Port = PORT,
) -> None:
    """Load 69,659 real orders of 23,570 customers (CDNOW, 1997–98) and serve them until Ctrl-C.

    Starting again resumes, and loads nothing twice.
    """
    if as_json and not until_loaded:
        raise Refused("--json prints the summary once all is loaded: add --until-loaded.")
    clock: directory.Clock = "events" if original_dates else "wall"
    if original_dates and (fixed := directory.fixed(data_dir)) is not None and fixed.clock == "wall":
        raise Refused(
            f"{data_dir} runs on the wall clock since {fixed.created_at}: for --original-dates name another "
            "--data-dir, or forget this one (make clean-data)."
        )
    from cli import sample, sample_load  # the whole engine: not for headwater --help

    shift_days = 0 if original_dates else sample.shift_to(datetime.now(UTC))
    if until_loaded:
        run(sample_load.load_only(data_dir, clock, shift_days, as_json=as_json))
    else:
        run_until_stopped(sample_load.load_and_serve(data_dir, clock, shift_days, port))
