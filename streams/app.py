"""Which agents are there? The Faust app, the same over either log."""

from collections.abc import Callable
from typing import Any

import faust
from faust.tables import TableManager
from faust.transport.base import Transport

from streams.batch import RunSchema
from streams.lane import Lane
from streams.settings import Settings
from streams.topics import EVENTS

RUNS_BUFFERED = 4
RECOVERED_S = 2_000_000.0  # Faust gives a rebalance as long as a request; in it all rows are recovered


class NoTables(TableManager):
    """Faust's own tables, of which there are none: without its second of waiting for their declaration."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


def create_app(
    settings: Settings,
    lane: Lane,
    transport: Callable[[faust.App], Transport],
    on_failure: Callable[[BaseException], None],
) -> faust.App:
    """The app. `on_failure` is told of an agent that raised: the process must then end.

    Faust acknowledges the event of an agent that raised and goes on to the next; the lane refuses that one
    (LostPlace), so nothing is folded out of order in the meantime.
    """
    app = faust.App(
        "headwater",
        broker="kafka://",  # not asked: the transport knows where
        broker_session_timeout=settings.session_seconds,
        broker_request_timeout=RECOVERED_S,
        broker_max_poll_interval=RECOVERED_S,
        consumer_group_instance_id=settings.worker_id,
        store="memory://",
        datadir=settings.data_dir / "faust",
        stream_buffer_maxsize=RUNS_BUFFERED,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        TableManager=NoTables,
    )
    app.transport = transport(app)
    events = app.topic(EVENTS, schema=RunSchema())

    @app.agent(events, isolated_partitions=True)
    async def project_customers(runs: Any) -> None:
        """Keep one row a customer; what the rows mean is in projections/customer.py."""
        try:
            async for run in runs:
                await lane.fold(run)
        except Exception as error:
            on_failure(error)
            raise

    return app
