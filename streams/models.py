"""Which snapshots score customers here? Those that are in force, read from headwater.models."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import structlog

from projections.scoring.snapshots import OtherFeatures, Scorer
from schemas.codec import Undecodable, decode, kind
from schemas.events import ModelInForce, ModelPublished
from streams.log import Log, Record
from streams.rows import PartitionRow
from streams.runs import Run
from streams.topics import MODELS

logger = structlog.get_logger(__name__)


class Models:
    """The scorers of snapshots, by their offset in headwater.models: some kB each, so all that were in force.

    None is a snapshot of other features than ours; where there is no snapshot, there is no entry.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._scorers: dict[int, Scorer | None] = {}
        self._missing: set[int] = set()

    @property
    def scorers(self) -> Mapping[int, Scorer | None]:
        return self._scorers

    async def load(self, offsets: Iterable[int]) -> None:
        """Have the scorers of `offsets` at hand. Raises LogUnavailable."""
        for offset in set(offsets) - self._scorers.keys() - self._missing:
            chunk = await self._log.read(MODELS, 0, offset, 1)
            found = snapshot(chunk.records[0]) if chunk.records else None
            if found is None or chunk.records[0].offset != offset:
                logger.error("snapshot_missing", topic=MODELS, offset=offset)
                self._missing.add(offset)
                continue
            try:
                self._scorers[offset] = Scorer(found.model, found.snapshot)
            except OtherFeatures as error:
                logger.warning("snapshot_unreadable", topic=MODELS, offset=offset, reason=str(error))
                self._scorers[offset] = None


def snapshot(record: Record) -> ModelPublished | None:
    """The snapshot that a record of headwater.models is; None for what is none."""
    try:
        event = decode(record.value or b"")
    except Undecodable:
        return None
    return event if isinstance(event, ModelPublished) else None


def models_of(run: Run, before: PartitionRow) -> set[int]:
    """The snapshots, by offset, that folding the run may score with."""
    offsets = {model.offset for model in before.parameters.models.values()}
    for record in run.records:
        if record.key is None and record.value is not None and kind(record.value) is ModelInForce:
            with suppress(Undecodable):  # as the fold will say
                event = decode(record.value)
                assert isinstance(event, ModelInForce)
                offsets.add(event.model_offset)
    return offsets
