"""What runs in an engine? A log, the Faust app that folds it, and the clock, opened and closed in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog
from faust.contrib.asgi import faust_app_running

from projections.parameters import Boundaries, Parameters
from schemas.codec import encode
from schemas.events import CampaignPlanned, CustomerEvent, Event
from streams.app import create_app
from streams.clock import BoundarySource, Clock, keep_time, load_rules
from streams.lane import Lane, reset
from streams.log import Append, Log, Position
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.table import CustomerTable
from streams.topics import EVENTS, partition_for, topic_specs

logger = structlog.get_logger(__name__)

DAY_MS = 86_400_000
CALIBRATE_EVERY_S = 60.0


class Status(msgspec.Struct, frozen=True):
    """Whether the projections are caught up; `lag` is records not yet folded, by topic/partition."""

    ready: bool
    rebalancing: bool
    lag: dict[str, int]
    reason: str


class Engine:
    """The embedded engine while it runs. Open it with `async with Engine.open(settings)`."""

    def __init__(self, settings: Settings, log: Log, table: CustomerTable) -> None:
        self.settings = settings
        self.log = log
        self.lane = Lane(log, table)
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.clock = Clock(log, self.now_ms, self.parameters)
        self._app = create_app(log, self.lane, settings.data_dir, settings.run_records, self._on_failure)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Engine"]:
        """Start folding; on the way out drain, commit and close. `failed` is set if the projections died.

        Raises LogUnavailable, FoldVersionMismatch, BadRules, or ValueError for settings that cannot be used.
        """
        rules = load_rules(settings.lifecycle)
        async with _opened(settings) as (log, table):
            engine = cls(settings, log, table)
            for partition in range(log.partitions(EVENTS)):
                await engine.lane.take_over(partition)
            await engine.clock.set_up(settings.currency, rules)
            async with faust_app_running(engine._app), engine._timekeeping():
                logger.info("engine_started", log=str(settings.log_path), clock=settings.clock)
                yield engine
                logger.info("engine_stopping")

    @asynccontextmanager
    async def _timekeeping(self) -> AsyncIterator[None]:
        if self.settings.clock == "events":
            yield
            return
        task = asyncio.create_task(keep_time(self.clock, self.log, self.settings.tick_seconds))
        task.add_done_callback(self._on_task_done)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    def _on_failure(self, error: BaseException) -> None:
        if not self.failed.done():
            logger.critical("engine_failed", error=repr(error), exc_info=error)
            self.failed.set_result(error)

    def now_ms(self) -> int:
        """The engine's clock: the wall's, or the greatest stream time where only events move time."""
        if self.settings.clock == "wall":
            return time.time_ns() // 1_000_000
        return max((row.stream_time_ms for row in self.lane.partitions.values()), default=0)

    def as_of_ms(self) -> int:
        """The moment that every partition has reached."""
        return min((row.stream_time_ms for row in self.lane.partitions.values()), default=0)

    def parameters(self) -> Sequence[Parameters]:
        """What is in force, a partition."""
        return [row.parameters for _, row in sorted(self.lane.partitions.items())]

    async def append_events(self, events: Sequence[Event]) -> Sequence[Position]:
        """Append events to their customers' partitions: all or none, durable when it returns.

        Raises LogUnavailable.
        """
        partitions = self.log.partitions(EVENTS)
        batch = []
        for event in events:
            key = _key(event)
            batch.append(Append(EVENTS, partition_for(key, partitions), key, encode(event)))
        return await self.log.append(batch)

    async def status(self) -> Status:
        """Ready is: recovered, not rebalancing, and no more than one run behind on any partition."""
        ends = await self.log.end_offsets(EVENTS)
        lag = {f"{EVENTS}/{p}": ends[p] - row.position for p, row in self.lane.partitions.items()}
        if self.failed.done():
            reason = f"the projections stopped: {self.failed.result()!r}; restart the engine"
        elif self._app.rebalancing or not self._app.tables.actives_ready:
            reason = "partitions are being assigned; wait"
        elif max(lag.values(), default=0) > self.settings.run_records:
            reason = f"{sum(lag.values())} records are still to be folded; wait"
        else:
            reason = ""
        return Status(not reason, bool(self._app.rebalancing), lag, reason)

    async def caught_up(self) -> None:
        """Return once everything that is on the log now is folded; raises what made the projections fail."""
        for partition, end in enumerate(await self.log.end_offsets(EVENTS)):
            while self.lane.partitions[partition].position < end:
                if self.failed.done():
                    raise self.failed.result()
                await asyncio.sleep(0.01)

    async def calibrate(self, source: BoundarySource) -> Boundaries | None:
        """Put RFM boundaries in force that are computed at the moment every partition has reached."""
        await self.caught_up()
        boundaries = await self.clock.calibrate(source, self.as_of_ms())
        await self.caught_up()
        return boundaries

    async def calibrate_daily(self, source: BoundarySource) -> None:
        """For ever: new boundaries on each new stream day, at most once a minute."""
        while True:
            await asyncio.sleep(CALIBRATE_EVERY_S)
            in_force = [p.boundaries.as_of if p.boundaries else 0 for p in self.parameters()]
            if min(in_force, default=0) // DAY_MS < self.as_of_ms() // DAY_MS:
                await self.calibrate(source)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Log, CustomerTable]]:
    log = await SqliteLog.open(settings.log_path, topic_specs(settings.partitions))
    try:
        table = CustomerTable(settings.data_dir / "table")
        try:
            yield log, table
        finally:
            table.close()
    finally:
        await log.close()


async def forget_projections(settings: Settings) -> int:
    """The first half of a rebuild: drop every customer row, so that the next start folds the log again.

    Returns the number of records to fold. Announces nothing that was announced before.
    """
    async with _opened(settings) as (log, table):
        return sum([await reset(log, table, p) for p in range(log.partitions(EVENTS))])


def _key(event: Event) -> bytes:
    if isinstance(event, CustomerEvent):
        return event.customer_id.encode()
    if isinstance(event, CampaignPlanned):
        return event.campaign_id.encode()
    raise ValueError(f"{type(event).__name__} is the engine's own event: it cannot be appended from outside.")
