"""What runs in an engine? A log, the Faust app that folds it, and the clock, opened and closed in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

import structlog

from projections.parameters import Boundaries, Marketing, Parameters
from projections.times import DAY_MS
from schemas.events import Event
from streams import kafka
from streams import wanted as wanted_by
from streams.appending import appends
from streams.clock import (
    BoundarySource,
    Clock,
    keep_time,
    lacks_score_boundaries,
    unfinished_loads,
)
from streams.folding import Folding, Status
from streams.lane import forget
from streams.log import Log, LogUnavailable, Position
from streams.rows import as_of_ms, now_ms
from streams.schema_ids import check
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.sqlite_transport import Transport
from streams.table import CustomerTable
from streams.topics import EVENTS, topic_specs
from streams.wanted import Wanted

logger = structlog.get_logger(__name__)

CALIBRATE_EVERY_S = 60.0
IDLE_LOOK_S = 0.5


class Engine:
    """The embedded engine while it runs. Open it with `async with Engine.open(settings)`."""

    def __init__(self, settings: Settings, log: Log, table: CustomerTable) -> None:
        self.settings = settings
        self.log = log
        self.folding = Folding(
            settings, log, table, lambda app, lane: Transport(app, log, lane, settings.records_a_run)
        )
        self.lane = self.folding.lane
        self.clock = Clock(log, self.now_ms, self.parameters, log.append, settings)

    @property
    def failed(self) -> "asyncio.Future[BaseException]":
        return self.folding.failed

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, sets_scoring: bool = True) -> AsyncIterator["Engine"]:
        """Start folding; on the way out drain, commit and close. `failed` is set if the projections died.

        What is predicted is as the settings say if it `sets_scoring`; else it stays what it was.
        Raises LogUnavailable, OtherIds, RegistryUnavailable, FoldVersionMismatch, BadRules, BadTargets, or
        ValueError for settings that cannot be used.
        """
        wanted = wanted_by.load(settings)
        if not sets_scoring:
            wanted = wanted._replace(scoring=None)
        async with _opened(settings) as log, _table(settings) as table:
            engine = cls(settings, log, table)
            for partition in range(log.partitions(EVENTS)):
                await engine.lane.take_over(partition)
            folded = not await engine._backlog()
            await engine.clock.set_currency(settings.currency)
            if folded:  # else they are told once the log's own rules are
                await engine.clock.set(wanted)
            async with engine.folding.running(engine._keep_time(wanted)):
                logger.info("engine_started", log=str(settings.log_path), clock=settings.clock)
                try:
                    yield engine
                finally:
                    logger.info("engine_stopping")

    async def _keep_time(self, wanted: Wanted) -> None:
        """Tell what is wanted once the log's own are folded, then tick, where the clock is the wall's."""
        await self.caught_up()
        await self.clock.set(wanted)
        if self.settings.clock == "wall":
            await keep_time(self.clock, self.log, self.settings.tick_seconds)

    def now_ms(self) -> int:
        """As streams.rows.now_ms."""
        return now_ms(self.settings, self.lane.partitions.values())

    def as_of_ms(self) -> int:
        """As streams.rows.as_of_ms."""
        return as_of_ms(self.lane.partitions.values())

    def parameters(self) -> Sequence[Parameters]:
        """What is in force, a partition."""
        return [row.parameters for _, row in sorted(self.lane.partitions.items())]

    async def append_events(self, events: Sequence[Event]) -> Sequence[Position]:
        """Append events to their customers' partitions: all or none, durable when it returns.

        Raises LogUnavailable.
        """
        return await self.log.append(appends(events, self.log))

    async def status(self) -> Status:
        """Whether all is folded."""
        return await self.folding.status()

    async def _backlog(self) -> int:
        """Records on the log that are not folded."""
        ends = await self.log.end_offsets(EVENTS)
        return sum(ends[partition] - row.position for partition, row in self.lane.partitions.items())

    async def caught_up(self) -> None:
        """Return once everything that is on the log now is folded; raises what made the projections fail."""
        await self.folding.caught_up()

    async def idle(self) -> None:
        """Return once no load is under way, and everything is folded."""
        while await unfinished_loads(self.log):  # noqa: ASYNC110
            await asyncio.sleep(IDLE_LOOK_S)
        await self.caught_up()

    async def set_marketing(self, marketing: Marketing) -> None:
        """Put segments and triggers in force, which were checked."""
        await self.caught_up()
        await self.clock.set_marketing(marketing)
        await self.caught_up()

    async def calibrate(self, source: BoundarySource) -> Boundaries | None:
        """Put RFM boundaries in force that are computed at the moment every partition has reached."""
        await self.caught_up()
        boundaries = await self.clock.calibrate(source, self.as_of_ms())
        await self.caught_up()
        return boundaries

    async def end_load(self, source: BoundarySource) -> Boundaries | None:
        """What follows a load's last row: the wall clock goes on, and boundaries are computed anew."""
        if self.settings.clock == "wall" and not await unfinished_loads(self.log):
            await self.clock.tick()
        return await self.calibrate(source)

    async def calibrate_daily(self, source: BoundarySource) -> None:
        """For ever: new boundaries on each new stream day, at most once a minute."""
        while True:
            await asyncio.sleep(CALIBRATE_EVERY_S)
            parameters = self.parameters()
            in_force = [p.boundaries.as_of if p.boundaries else 0 for p in parameters]
            is_new_day = min(in_force, default=0) // DAY_MS < self.as_of_ms() // DAY_MS
            if is_new_day or lacks_score_boundaries(parameters):
                try:
                    await self.calibrate(source)
                except LogUnavailable as error:
                    logger.error("calibration_waits", reason=str(error))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Log]:
    log = await SqliteLog.open(settings.log_path, topic_specs(settings.partitions))
    try:
        await check(log)
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def _table(settings: Settings) -> AsyncIterator[CustomerTable]:
    with closing(CustomerTable(settings.data_dir / "table")) as table:
        yield table


async def forget_projections(settings: Settings) -> int:
    """The first half of a rebuild: drop every customer row, so that the log is folded again.

    Returns the number of records to fold. Announces nothing that was announced before. Workers on Kafka are
    fenced, and fold it when they are started again.
    """
    async with kafka.opened(settings) if settings.distributed else _opened(settings) as log:
        return await forget(log)
