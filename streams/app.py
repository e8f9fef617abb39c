"""Which agents are there? The Faust app of the embedded engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from faust.tables import TableManager

from streams.batch import RunSchema
from streams.lane import Lane
from streams.log import Log
from streams.sqlite_transport import Transport
from streams.topics import EVENTS

RUNS_BUFFERED = 4


class NoTables(TableManager):
    """Faust's own tables, of which there are none: without its second of waiting for their declaration."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


def create_app(
    log: Log, lane: Lane, data_dir: Path, run_records: int, on_failure: Callable[[BaseException], None]
) -> faust.App:
    """The app over `log`. `on_failure` is told of an agent that raised: the process must then end.

    Faust acknowledges the event of an agent that raised and goes on to the next; the lane refuses that one
    (LostPlace), so nothing is folded out of order in the meantime.
    """
    app = faust.App(
        "headwater",
        broker="sqlite://",
        store="memory://",
        datadir=data_dir / "faust",
        stream_buffer_maxsize=RUNS_BUFFERED,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        TableManager=NoTables,
    )
    app.transport = Transport(app, log, lane, run_records)
    events = app.topic(EVENTS, schema=RunSchema())

    @app.agent(events, isolated_partitions=True)
    async def project_customers(runs: Any) -> None:
        """Keep one row a customer; what the rows mean is in projections/customer.py."""
        try:
            async for run in runs:
                await lane.apply(run)
        except Exception as error:
            on_failure(error)
            raise

    return app
