"""What do processes without partitions know of the projections? The partition rows, from the changelog."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from projections.parameters import Parameters
from streams.clock import BoundarySource
from streams.log import Log
from streams.rows import PartitionRow, as_of_ms, now_ms
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
        """As streams.rows.now_ms."""
        return now_ms(self._settings, self._read_model.partitions.values())

    def as_of_ms(self) -> int:
        """As streams.rows.as_of_ms."""
        return as_of_ms(self._read_model.partitions.values())

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
