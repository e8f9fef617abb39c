"""How do the agents run? A lane and the Faust app around it, until one of them fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import faust
import msgspec
import structlog
from faust.contrib.asgi import faust_app_running
from faust.transport.base import Transport

from streams.app import create_app
from streams.lane import Lane
from streams.log import Log, LogUnavailable
from streams.settings import Settings
from streams.table import CustomerTable
from streams.topics import EVENTS

logger = structlog.get_logger(__name__)


class Status(msgspec.Struct, frozen=True):
    """Whether the projections are caught up; `lag` is records not yet folded, by topic/partition."""

    ready: bool
    rebalancing: bool
    lag: dict[str, int]
    reason: str


class Folding:
    """The projections of one process; once `failed` is set they have died, and the process must end."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        table: CustomerTable,
        transport: Callable[[faust.App, Lane], Transport],
    ) -> None:
        self._log = log
        self._records_a_run = settings.records_a_run
        self.lane = Lane(log, table)
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._app = create_app(settings, self.lane, lambda app: transport(app, self.lane), self._on_failure)

    @asynccontextmanager
    async def running(self, *beside: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Fold, and do what is `beside` it; on the way out drain and commit."""
        tasks = [asyncio.create_task(each) for each in (self._watch(), *beside)]
        for task in tasks:
            task.add_done_callback(self._on_task_done)
        try:
            async with faust_app_running(self._app):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        """Faust's own services can crash too, and then nothing is folded any more."""
        await self._app._crashed.wait()
        self._on_failure(self._app._crash_reason or RuntimeError("Faust crashed"))

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    def _on_failure(self, error: BaseException) -> None:
        if not self.failed.done():
            logger.critical("folding_failed", error=repr(error), exc_info=error)
            self.failed.set_result(error)

    async def status(self) -> Status:
        """Ready is: recovered, not rebalancing, and no more than one run behind on any partition of ours."""
        try:
            ends = await self._log.end_offsets(EVENTS)
        except LogUnavailable as error:
            return Status(False, bool(self._app.rebalancing), {}, str(error))
        lag = {f"{EVENTS}/{p}": ends[p] - row.position for p, row in self.lane.partitions.items()}
        if self.failed.done():
            reason = f"the projections stopped: {self.failed.result()!r}; restart the process"
        elif self.lane.trouble:
            reason = self.lane.trouble
        elif self._app.rebalancing or not self._app.tables.actives_ready:
            reason = "partitions are being assigned; wait"
        elif max(lag.values(), default=0) > self._records_a_run:
            reason = f"{sum(lag.values())} records are still to be folded; wait"
        else:
            reason = ""
        return Status(not reason, bool(self._app.rebalancing), lag, reason)

    async def caught_up(self) -> None:
        """Return once everything that is on the log now is folded; raises what made the projections fail."""
        for partition, end in enumerate(await self._log.end_offsets(EVENTS)):
            while (row := self.lane.partitions.get(partition)) is None or row.position < end:
                if self.failed.done():
                    raise self.failed.result()
                await asyncio.sleep(0.01)
