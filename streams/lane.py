"""In which order do the effects of a run happen, and what does a crash between them leave?

The answer is `Lane.apply`, and nothing else writes a projection.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import structlog

from projections.customer import FOLD_VERSION
from projections.parameters import Parameters
from schemas import codec
from schemas.registry import RegistryUnavailable
from streams.fold import fold
from streams.log import Append, Log, LogUnavailable, OutcomeUnknown, Position, Producer, quick
from streams.models import Models, models_of
from streams.rows import (
    NOT_FOLDED,
    PARTITION_KEY,
    FoldVersionMismatch,
    PartitionRow,
    encode_partition,
    encode_row,
    folded_to,
    new_partition,
)
from streams.runs import Run
from streams.table import CustomerTable
from streams.topics import CUSTOMERS, EVENTS

logger = structlog.get_logger(__name__)

RECOVER_RECORDS = 5_000
FORGET_ROWS = 10_000
RETRY_S = 1.0


class LostPlace(Exception):
    """A run does not begin where its partition row ends: events would be lost. The process must end."""


class Lane:
    """The partitions that this worker folds: their rows in `table`, their place in the log."""

    def __init__(self, log: Log, table: CustomerTable) -> None:
        self._log = log
        self._table = table
        self._models = Models(log)
        self._producers: dict[int, Producer] = {}
        self._partitions: dict[int, PartitionRow] = {}
        self._folding = asyncio.Lock()
        self._owned: set[int] = set()
        self._busy: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._troubles: dict[int, str] = {}

    @property
    def trouble(self) -> str:
        """Why a partition cannot be folded at the moment."""
        return next(iter(self._troubles.values()), "")

    @property
    def partitions(self) -> Mapping[int, PartitionRow]:
        """The partition rows as last committed."""
        return self._partitions

    @property
    def held(self) -> frozenset[int]:
        """The partitions that are owned, or were about to be: each has a producer."""
        return frozenset(self._producers) | self._partitions.keys()

    async def take_over(self, partition: int) -> int:
        """Own a partition: fence its former owner, recover its rows; returns the next record to fold.

        Raises LogUnavailable, or LostPlace where the log does not have what comes next.
        """
        await self._take_over(partition)
        self._owned.add(partition)
        return self._partitions[partition].position

    async def _take_over(self, partition: int) -> None:
        if (former := self._producers.pop(partition, None)) is not None:
            await former.close()
        await self._recover(partition)
        self._table.partition(partition)  # which may refuse: a rebuild under way is not to be fenced
        self._producers[partition] = await self._log.producer(f"headwater-{partition}")
        await self._recover(partition)
        row, _ = self._table.partition(partition)
        row = new_partition(Parameters()) if row is None else row
        start = (await self._log.start_offsets(EVENTS))[partition]
        end = (await self._log.end_offsets(EVENTS))[partition]
        if not start <= row.position <= end:
            raise LostPlace(
                f"{EVENTS}/{partition} has the records from {start} to {end} and is folded up to "
                f"{row.position}: the log lost records; restore it, or run `headwater rebuild` to fold what "
                "is left."
            )
        self._partitions[partition] = row

    async def take_over_patiently(self, partition: int) -> None:
        """Take over, for as long as it takes until the log can be asked."""
        while True:
            try:
                await self.take_over(partition)
            except LogUnavailable as error:
                await self._wait(partition, error)
            else:
                self._troubles.pop(partition, None)
                return

    async def release(self, partition: int) -> None:
        """Own a partition no longer, once the run that is being folded is done or refused."""
        self._owned.discard(partition)
        async with self._busy[partition]:
            self._partitions.pop(partition, None)
            if (producer := self._producers.pop(partition, None)) is not None:
                await producer.close()

    async def fold(self, run: Run) -> None:
        """Apply a run, for as long as its partition is owned: it is dropped otherwise, its owner reads it.

        Where it is not known whether the run's transaction happened, the partition is taken over once more,
        which decides the transaction; where a schema cannot be looked up, until it can. What the partition
        row then tells of the run is skipped.
        """
        async with self._busy[run.partition]:
            while run.partition in self._owned:
                try:
                    await self.apply(run)
                except OutcomeUnknown as error:
                    await self._until(run.partition, error, partial(self._take_over, run.partition))
                except RegistryUnavailable as error:
                    await self._until(run.partition, error, partial(_resolved, error.schema_id))
                except LogUnavailable as error:  # of a snapshot
                    await self._wait(run.partition, error)
                else:
                    return

    async def _until(
        self, partition: int, error: Exception, done: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        """Try for as long as what it takes is away, and the partition is ours."""
        while partition in self._owned:
            await self._wait(partition, error)
            try:
                await done()
            except (LogUnavailable, RegistryUnavailable) as still:
                error = still
            else:
                self._troubles.pop(partition, None)
                return

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
        """
        row = self._partitions[run.partition]
        if run.end <= row.position:
            return  # of before the partition was taken over: it is folded
        if run.start > row.position:
            raise LostPlace(
                f"{run.topic}/{run.partition} is folded up to {row.position}, a run begins at {run.start}."
            )
        partitions = self._log.partitions(run.topic)
        await self._models.load(models_of(run, row))
        folding = fold(run, row, self._table, partitions, self._models.scorers)
        while True:
            async with self._folding:
                effects = await anext(folding, None)
            if effects is None:
                return
            outputs, rows, due, partition_row = effects
            encoded = {key: encode_row(changed) for key, changed in rows.items()}
            partition_bytes = encode_partition(partition_row)
            batch = outputs + changelog(run.partition, encoded, partition_bytes)
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

    async def _wait(self, partition: int, error: Exception) -> None:
        if not self._troubles:
            logger.error("folding_waits", reason=str(error))
        self._troubles[partition] = str(error)
        await asyncio.sleep(RETRY_S)

    async def _recover(self, partition: int) -> None:
        """Bring the local store up to the changelog's end; one that is not of this log is wiped first."""
        end = (await self._log.end_offsets(CUSTOMERS))[partition]
        offset = self._recovered_to(partition)
        if offset is None or offset > end:
            self._table.wipe(partition)
            offset = 0
        while (chunk := await self._log.read(CUSTOMERS, partition, offset, RECOVER_RECORDS)).records:
            self._table.recover(partition, chunk)
            offset = chunk.end

    def _recovered_to(self, partition: int) -> int | None:
        """The changelog offset that the local store reflects; None if other projections wrote it."""
        try:
            return self._table.partition(partition)[1]
        except FoldVersionMismatch:
            return None


def changelog(partition: int, rows: Mapping[bytes, bytes], partition_row: bytes) -> list[Append]:
    """The records that keep the rows of a run, its partition row last."""
    batch = [quick(Append, (CUSTOMERS, partition, key, value, None)) for key, value in rows.items()]
    return [*batch, Append(CUSTOMERS, partition, PARTITION_KEY, partition_row)]


async def _resolved(schema_id: int) -> None:
    """Return once the registry said what the schema is, or that it knows none of that id."""
    with suppress(codec.Undecodable):  # as the fold will find, for that is remembered
        await asyncio.to_thread(codec.resolve, schema_id)


async def forget(log: Log) -> int:
    """Forget all customers so that the log is folded again, announcing nothing up to where it was.

    In this order: a partition row of no fold version for each partition, with which no worker starts or
    fences us; a tombstone for each customer, in transactions that Kafka has time for; an empty partition row.
    Before its first one nothing happened to a partition; up to its last one only another rebuild goes on;
    after it any start folds from the beginning, for local stores recover from the changelog. Returns the
    records to fold.
    """
    changelogs = [_Changelog(log, partition) for partition in range(log.partitions(EVENTS))]
    for changelog in changelogs:  # most of it, while the workers still fold
        await changelog.read_on()
    for changelog in changelogs:
        await changelog.begin()
    for changelog in changelogs:
        await changelog.forget()
    return sum(changelog.position for changelog in changelogs)


class _Changelog:
    """A partition's customers, to be forgotten."""

    def __init__(self, log: Log, partition: int) -> None:
        self.position = 0  # how far it is folded and announced
        self._log = log
        self._partition = partition
        self._producer: Producer | None = None
        self._keys: dict[bytes, None] = {}
        self._offset = 0

    async def read_on(self) -> None:
        while (
            chunk := await self._log.read(CUSTOMERS, self._partition, self._offset, RECOVER_RECORDS)
        ).records:
            for record in chunk.records:
                if record.key == PARTITION_KEY and record.value is not None:
                    self.position = folded_to(record.value)
                elif record.key is not None:
                    self._keys[record.key] = None
            self._offset = chunk.end

    async def begin(self) -> None:
        """Fence the owner, and keep others from starting."""
        self._producer = await self._log.producer(f"headwater-{self._partition}")
        await self.read_on()
        await self._append([Append(CUSTOMERS, self._partition, PARTITION_KEY, self._row(NOT_FOLDED))])

    async def forget(self) -> None:
        tombstones = (Append(CUSTOMERS, self._partition, key, None) for key in self._keys)
        while batch := list(islice(tombstones, FORGET_ROWS)):
            await self._append(batch)
        await self._append([Append(CUSTOMERS, self._partition, PARTITION_KEY, self._row(FOLD_VERSION))])

    def _row(self, fold_version: int) -> bytes:
        empty = new_partition(Parameters(), outputs_from=self.position)
        return encode_partition(msgspec.structs.replace(empty, fold_version=fold_version))

    async def _append(self, batch: Sequence[Append]) -> None:
        assert self._producer is not None
        await self._producer.transact(batch)
