"""What is the engine to a process that only serves? Kafka to append to, and projections that others keep."""

import asyncio
from collections.abc import Sequence

from projections.parameters import Boundaries, Marketing
from schemas.events import Event
from streams.appending import appends
from streams.clock import BoundarySource
from streams.folding import Status
from streams.holder import Request, ask
from streams.log import Log, LogUnavailable, Position
from streams.projected import Projected, ReadModel
from streams.settings import Settings

ANSWERED_S = 30.0
BEHIND_AT_MOST = 5_000  # records


class Cluster:
    """The engine of API processes on Kafka; the embedded one's is streams.engine.Engine."""

    def __init__(self, settings: Settings, log: Log, read_model: ReadModel) -> None:
        self._log = log
        self._projected = Projected(settings, log, read_model)

    def now_ms(self) -> int:
        return self._projected.now_ms()

    async def append_events(self, events: Sequence[Event]) -> Sequence[Position]:
        """Append events to their customers' partitions; all are durable when it returns.

        Raises LogUnavailable, which says which ones are there all the same.
        """
        return await self._log.append(appends(events, self._log))

    async def status(self) -> Status:
        """Ready is: Kafka answers, and the workers are no more than BEHIND_AT_MOST records behind."""
        try:
            lag = await self._projected.lag()
        except LogUnavailable as error:
            return Status(False, False, {}, str(error))
        behind = sum(lag.values())
        reason = f"{behind:,} records are still to be folded; wait, or start more workers"
        return Status(behind <= BEHIND_AT_MOST, False, lag, "" if behind <= BEHIND_AT_MOST else reason)

    async def calibrate(self, source: BoundarySource) -> Boundaries | None:  # noqa: ARG002  # the holder's own
        """Have the holder of the clock put new RFM boundaries in force. Raises LogUnavailable."""
        if (await ask(self._log, Request(), ANSWERED_S)).customers is None:
            return None
        await self._folded("boundaries")
        return self._projected.parameters()[0].boundaries

    async def set_marketing(self, marketing: Marketing) -> None:
        """Have the holder of the clock put segments and triggers in force. Raises LogUnavailable."""
        await ask(self._log, Request(marketing), ANSWERED_S)
        await self._folded("triggers")

    async def _folded(self, what: str) -> None:
        try:
            async with asyncio.timeout(ANSWERED_S):
                await self._projected.caught_up()
        except TimeoutError:
            raise LogUnavailable(
                f"The {what} are told, and the workers do not fold them: see that they run."
            ) from None

    async def end_load(self, source: BoundarySource) -> Boundaries | None:  # noqa: ARG002
        """The holder of the clock sees for itself that a load has ended."""
        return None
