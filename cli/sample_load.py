"""How does the sample get into an engine, and what does its user hear of it?"""

import asyncio
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli import directory
from cli.client import in_process
from cli.compose import Parts, Source, begin, running, settings_of
from cli.errors import Refused
from cli.options import DATA_DIR
from cli.sample import Sample
from cli.sample.encoding import encoding
from cli.serving import bind, serving

logger = structlog.get_logger(__name__)

SHOW_EVERY_S = 0.1
QUERY = (
    "select toStartOfQuarter(placed_at) as quarter, count() as orders, sum(net_minor) / 100 as net "
    "from orders group by quarter order by quarter"
)


async def load_only(
    sample: Sample, data_dir: Path, clock: directory.Clock, shift_days: int, *, as_json: bool
) -> None:
    async with running(data_dir, clock=clock, shift_days=shift_days, load=_source(sample)) as parts:
        await _load(parts, sample)
        if as_json:
            async with in_process(parts.api) as engine:
                print(msgspec.json.encode(await engine.get("/summary")).decode())


async def load_and_serve(
    sample: Sample, data_dir: Path, clock: directory.Clock, shift_days: int, port: int
) -> None:
    with bind(settings_of(data_dir).host, port) as listening:
        async with (
            running(
                data_dir, clock=clock, shift_days=shift_days, load=_source(sample), learns=True, delivers=True
            ) as parts,
            serving(parts.api, parts.settings, listening, parts.stop) as address,
        ):
            await _load(parts, sample)
            await _invite(parts, address)
            await asyncio.Event().wait()


def _source(sample: Sample) -> Source:
    return Source(sample.name, sample.digest, sample.rows, shifted=True)


async def _load(parts: Parts, sample: Sample) -> None:
    """Append what is missing of the sample; return when all of it shows in every answer."""
    fixed = directory.fixed(parts.settings.data_dir)
    shift_days = (fixed.shift_days if fixed else None) or 0
    settings = parts.services.settings
    load = await begin(parts.engine.log, _source(sample), settings, shift_days)
    logger.info("load_started", source=sample.name, row=load.progress.row, rows=load.progress.rows)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        shown = asyncio.create_task(
            _show(parts, progress, progress.add_task(f"Loading {sample.title}", total=sample.rows))
        )
        try:
            if (row := load.progress.row) < sample.rows:
                received_at = time.time_ns() // 1_000_000
                async with encoding(
                    sample.name, row, shift_days=shift_days, received_at=received_at
                ) as batches:
                    async for rows in batches:
                        await load.append_encoded(rows, first_row=load.progress.row)
                if load.progress.row < sample.rows:
                    raise Refused(
                        f"Encoding the sample ended at row {load.progress.row}: the reason is above; "
                        "remove it and start again, which goes on from there."
                    )
            if settings.clock == "wall":
                await parts.engine.clock.tick()
            await parts.settled()
            if any(parameters.boundaries is None for parameters in parts.engine.parameters()):
                await parts.engine.calibrate(parts.read_model)
                await parts.settled()
        finally:
            shown.cancel()
        progress.update(TaskID(0), completed=sample.rows)
    logger.info("load_finished", source=sample.name, rows=load.progress.row)


async def _show(parts: Parts, progress: Progress, task: TaskID) -> None:
    """Keep the bar at what a reader sees, not at what is appended."""
    while True:
        progress.update(task, completed=sum(row.events for row in parts.read_model.partitions.values()))
        await asyncio.sleep(SHOW_EVERY_S)


async def _invite(parts: Parts, address: str) -> None:
    """Say where it is and what to try; every line can be pasted into a shell as it is."""
    async with in_process(parts.api) as engine:
        dormant = (await engine.get("/customers", stage="dormant", limit=1))["items"]
        [customer, *_] = dormant or (await engine.get("/customers", limit=1))["items"]
    customer_id = customer["customer_id"]
    order = {
        "type": "OrderPlaced",
        "customer_id": customer_id,
        "order_id": f"mine-{datetime.now(UTC):%H%M%S}",
        "amount": "25.00",
        "currency": parts.settings.currency,
    }
    key = "" if parts.api.state.key is None else ' -H "authorization: Bearer $HEADWATER_API_KEY"'
    elsewhere = [] if parts.settings.data_dir == DATA_DIR else ["--data-dir", str(parts.settings.data_dir)]
    query = shlex.join([*_command(), "sql", *elsewhere, QUERY])
    print(
        f"""
Headwater is at {address}

Three things to try, each in another terminal of this folder:

1. One customer, live
   curl{key} {address}/customers/{customer_id}

2. SQL over the whole history
   {query}

3. Open {address}/ui/customers/{customer_id} and watch an order bring that customer back
   curl{key} -H 'content-type: application/json' {address}/events -d '{msgspec.json.encode(order).decode()}'

Ctrl-C stops it; starting again goes on where it stopped.
""",
        file=sys.stderr,
        flush=True,
    )


def _command() -> list[str]:
    """The words that ran this program; a module that Python was given with -m cannot be run by its file."""
    module = sys.modules["__main__"].__spec__
    return [sys.argv[0]] if module is None else [sys.executable, "-m", module.name]
