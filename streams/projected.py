"""What do processes without partitions know of the projections? The partition rows, from the changelog."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from projections.parameters import Parameters
from streams.clock import BoundarySource
from streams.log import Log
from streams.rows import PartitionRow
from streams.settings import Settings
from streams.topics import EVENTS

LOOK_EVERY_S = 0.05


class ReadModel(BoundarySource, Protocol):
    """Follows the changelog: api.read_model.ReadModel does."""

    @property
    def partitions(self) -> Mapping[int, PartitionRow]: ...


class Projected:
    """The projections of a Kafka log, as a read model has them."""

    def __init__(self, settings: Settings, log: Log, read_model: ReadModel) -> None:
        self._settings = settings
        self._log = log
        self._read_model = read_model

    def now_ms(self) -> int:
        """The engine's clock: the wall's, or the greatest stream time where only events move time."""
        if self._settings.clock == "wall":
            return time.time_ns() // 1_000_000
        return max((row.stream_time_ms for row in self._read_model.partitions.values()), default=0)

    def as_of_ms(self) -> int:
        """The moment that every partition with any event or tick has reached; 0 before any."""
        times = [row.stream_time_ms for row in self._read_model.partitions.values() if row.stream_time_ms]
        return min(times, default=0)

    def parameters(self) -> Sequence[Parameters]:
        """What is in force, a partition."""
        rows = self._read_model.partitions
        partitions = range(self._log.partitions(EVENTS))
        return [rows[p].parameters if p in rows else Parameters() for p in partitions]

    async def lag(self) -> dict[str, int]:
        """Records that are not folded, as far as the read model has heard, by topic/partition."""
        rows = self._read_model.partitions
        ends = await self._log.end_offsets(EVENTS)
        return {f"{EVENTS}/{p}": end - (rows[p].position if p in rows else 0) for p, end in enumerate(ends)}

    async def caught_up(self) -> None:
        """Return once everything that is on the log now is folded, and the read model has heard of it."""
        ends = await self._log.end_offsets(EVENTS)
        for p, end in enumerate(ends):
            while end and not self._is_folded(p, end):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)

    def _is_folded(self, partition: int, end: int) -> bool:
        row = self._read_model.partitions.get(partition)
        return row is not None and row.position >= end
