"""In which order do the effects of a run happen, and what does a crash between them leave?

The answer is `Lane.apply`, and nothing else writes a projection.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from projections.parameters import Parameters
from schemas import codec
from schemas.registry import RegistryUnavailable
from streams.fold import Run, fold
from streams.log import Append, Log, LogUnavailable, Position, Producer
from streams.rows import (
    PARTITION_KEY,
    PartitionRow,
    encode_partition,
    encode_row,
    folded_to,
    new_partition,
)
from streams.table import CustomerTable
from streams.topics import CUSTOMERS

logger = structlog.get_logger(__name__)

RECOVER_RECORDS = 5_000
RETRY_S = 1.0


class LostPlace(Exception):
    """A run does not begin where its partition row ends: events would be lost. The process must end."""


class Lane:
    """The partitions that this worker folds: their rows in `table`, their place in the log."""

    def __init__(self, log: Log, table: CustomerTable) -> None:
        self._log = log
        self._table = table
        self._producers: dict[int, Producer] = {}
        self._partitions: dict[int, PartitionRow] = {}
        self._folding = asyncio.Lock()
        self._troubles: dict[int, str] = {}

    @property
    def trouble(self) -> str:
        """Why a partition cannot be folded at the moment."""
        return next(iter(self._troubles.values()), "")

    @property
    def partitions(self) -> Mapping[int, PartitionRow]:
        """The partition rows as last committed."""
        return self._partitions

    async def take_over(self, partition: int) -> int:
        """Own a partition: fence its former owner, recover its rows; returns the next record to fold."""
        self._producers[partition] = await self._log.producer(f"headwater-{partition}")
        await self._recover(partition)
        row, _ = self._table.partition(partition)
        self._partitions[partition] = new_partition(Parameters()) if row is None else row
        return self._partitions[partition].position

    async def apply(self, run: Run) -> None:
        """Fold a run and make its effects happen, in this order (1 decode and 2 fold are in `fold`):

        3. one fenced transaction appends the outputs, the changed rows and the partition row to the log;
        4. the same rows go to the local store, in one atomic batch with the changelog offset;
        5. returning acknowledges the run to Faust.

        Before 3 nothing happened: the run is read again. After 3 everything did: a restart recovers 4 from
        the changelog and resumes after the run, because the partition row says so. 3 is refused to a worker
        that was fenced. Outputs repeat their ids, which come from their causes and never from the run.

        One partition is folded at a time, while transactions of others are on their way to disk: taking turns
        within runs, all would be folded at once, and then all wait for the disk.

        Where a schema cannot be looked up, what is left of the run is read again once it can: nothing of it
        happened yet.
        """
        while True:
            try:
                return await self._apply(run)
            except RegistryUnavailable as unavailable:
                await self._resolved(run.partition, unavailable)

    async def _apply(self, run: Run) -> None:
        row = self._partitions[run.partition]
        if run.start > row.position:
            raise LostPlace(
                f"{run.topic}/{run.partition} is folded up to {row.position}, a run begins at {run.start}."
            )
        partitions = self._log.partitions(run.topic)
        folding = fold(run, row, self._table, partitions)
        while True:
            async with self._folding:
                effects = await anext(folding, None)
            if effects is None:
                return
            outputs, rows, due, partition_row = effects
            encoded = {key: encode_row(changed) for key, changed in rows.items()}
            partition_bytes = encode_partition(partition_row)
            batch = outputs + [Append(CUSTOMERS, run.partition, key, value) for key, value in encoded.items()]
            batch.append(Append(CUSTOMERS, run.partition, PARTITION_KEY, partition_bytes))
            positions = await self._transact(run.partition, batch)
            self._table.write(run.partition, encoded, due, partition_bytes, positions[-1].offset + 1, rows)
            self._partitions[run.partition] = partition_row

    async def _transact(self, partition: int, batch: Sequence[Append]) -> Sequence[Position]:
        """Retry while the log cannot append, as on a full disk: nothing happened yet, so that is safe."""
        while True:
            try:
                positions = await self._producers[partition].transact(batch)
            except LogUnavailable as error:
                await self._wait(partition, error)
            else:
                self._troubles.pop(partition, None)
                return positions

    async def _resolved(self, partition: int, unavailable: RegistryUnavailable) -> None:
        """Return once the registry said what the schema is, or that it knows none of that id."""
        while True:
            await self._wait(partition, unavailable)
            try:
                await asyncio.to_thread(codec.resolve, unavailable.schema_id)
            except RegistryUnavailable as still:
                unavailable = still
                continue
            except codec.Undecodable:
                pass  # as the fold will find, for that is remembered
            self._troubles.pop(partition, None)
            return

    async def _wait(self, partition: int, error: Exception) -> None:
        if not self._troubles:
            logger.error("folding_waits", reason=str(error))
        self._troubles[partition] = str(error)
        await asyncio.sleep(RETRY_S)

    async def _recover(self, partition: int) -> None:
        """Bring the local store up to the changelog's end; a store that is ahead of it is wiped first."""
        end = (await self._log.end_offsets(CUSTOMERS))[partition]
        _, offset = self._table.partition(partition)
        if offset > end:
            self._table.wipe(partition)
            offset = 0
        while records := await self._log.read(CUSTOMERS, partition, offset, RECOVER_RECORDS):
            self._table.recover(partition, records)
            offset = records[-1].offset + 1


async def reset(log: Log, table: CustomerTable, partition: int) -> int:
    """Forget a partition's customers so that the log is folded again, announcing nothing up to where it was.

    One transaction appends a tombstone for each customer and an empty partition row: before it nothing
    happened, after it any start folds from the beginning. Returns the number of records to fold.
    """
    producer = await log.producer(f"headwater-{partition}")
    keys: dict[bytes, None] = {}
    position = offset = 0
    while records := await log.read(CUSTOMERS, partition, offset, RECOVER_RECORDS):
        for record in records:
            if record.key == PARTITION_KEY and record.value is not None:
                position = folded_to(record.value)
            elif record.key is not None:
                keys[record.key] = None
        offset = records[-1].offset + 1
    empty = new_partition(Parameters(), outputs_from=position)
    batch = [Append(CUSTOMERS, partition, key, None) for key in keys]
    batch.append(Append(CUSTOMERS, partition, PARTITION_KEY, encode_partition(empty)))
    positions = await producer.transact(batch)
    table.wipe(partition)
    table.write(partition, {}, [], encode_partition(empty), positions[-1].offset + 1)
    return position
