"""What does a batch of changelog records do to the read model? One transaction: rows, totals and offsets."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from api import bulk
from api.columns import NAMES, Columns, basis_of, derive, search_text
from api.store_file import open_store
from api.totals import Totals
from projections.customer import FOLD_VERSION
from projections.parameters import Parameters
from schemas.codec import Undecodable, decode
from schemas.events import LifecycleChanged
from streams.log import Chunk, Record, TopicPartition
from streams.rows import (
    PARTITION_KEY,
    CustomerRow,
    FoldVersionMismatch,
    PartitionRow,
    decode_partition,
    decode_row,
    encode_partition,
    new_partition,
)
from streams.sqlite import transaction
from streams.topics import CUSTOMERS, TRANSITIONS

logger = structlog.get_logger(__name__)

REDERIVE_ROWS = 500

KNOWN = (  # one row of JSON, for the reason that bulk.py gives
    f"SELECT json_group_array(json_array(c.customer_id, c.n, {', '.join('c.' + name for name in NAMES)})) "  # noqa: S608
    "FROM json_each(?) AS j JOIN customers AS c ON c.customer_id = j.value"
)
UPDATE = f"ON CONFLICT (n) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in NAMES)}"
STALE = (
    f"SELECT c.customer_id, c.n, {', '.join('c.' + name for name in NAMES)}, s.row "  # noqa: S608
    "FROM customers AS c JOIN states AS s USING (n) "
    "WHERE c.n > ? AND c.partition = ? AND (c.mixed OR ?) ORDER BY c.n LIMIT ?"
)

Batch = Mapping[TopicPartition, Chunk]


class Arrived(NamedTuple):
    """A lifecycle transition as it lies on the log."""

    partition: int
    offset: int
    event: LifecycleChanged


class Change(NamedTuple):
    """What a batch changed: customers by id, transitions in the order of each partition."""

    customers: frozenset[str]
    transitions: Sequence[Arrived]


class Known(NamedTuple):
    n: int
    columns: Columns


class Stale(NamedTuple):
    """Parameters changed: rows up to `n` are derived again so far; `everyone`, or only mixed rows."""

    n: int
    everyone: bool


FRESH = Stale(0, everyone=False)


class Store:
    """The writer's side. Every method runs in the one writer thread, but for reading the attributes.

    `partitions`, `totals` and `next_offsets` are replaced, never changed, after each commit.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_store(path)
        self.partitions: dict[int, PartitionRow] = {}
        self.totals: dict[int, Totals] = {}
        self._stale: dict[int, Stale] = {}
        for partition, row, totals, rederived_to in self._db.execute(
            "SELECT partition, row, totals, rederived_to FROM partitions"
        ):
            self.partitions[partition] = decode_partition(row)
            self.totals[partition] = Totals.from_json(totals)
            if rederived_to is not None:
                self._stale[partition] = Stale(rederived_to, everyone=True)
        self.next_offsets: dict[TopicPartition, int] = {
            (topic, partition): offset
            for topic, partition, offset in self._db.execute(
                "SELECT topic, partition, next_offset FROM offsets"
            )
        }
        self._next_n: int = self._db.execute("SELECT coalesce(max(n), 0) + 1 FROM customers").fetchone()[0]

    def close(self) -> None:
        self._db.close()

    @property
    def is_stale(self) -> bool:
        """Whether parameters changed and some rows are not yet derived again."""
        return bool(self._stale)

    def apply(self, batch: Batch) -> Change:
        """Take in a batch of records, all or nothing."""
        write = _Write(self)
        with transaction(self._db):
            for (topic, partition), (records, end) in batch.items():
                if topic == CUSTOMERS and records:
                    write.customers(partition, records)
                elif topic == TRANSITIONS:
                    write.transitions(partition, records)
                write.next_offsets[topic, partition] = end
            write.finish()
        return write.publish()

    def rederive(self) -> Change:
        """Derive some more rows of one partition again, after a change of parameters."""
        write = _Write(self)
        partition, stale = next(iter(self._stale.items()))
        with transaction(self._db):
            write.rederive(partition, stale)
            write.finish()
        return write.publish()


class _Write:
    """One transaction under way: the store's attributes as they will be once it is committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store._db
        self._next_n = store._next_n
        self._partitions = dict(store.partitions)
        self._totals = {partition: totals.copy() for partition, totals in store.totals.items()}
        self._stale = dict(store._stale)
        self.next_offsets = dict(store.next_offsets)
        self._changed: set[str] = set()
        self._arrived: list[Arrived] = []

    def customers(self, partition: int, records: Sequence[Record]) -> None:
        latest = {record.key: record.value for record in records if record.key is not None}
        self._take_partition(partition, latest.pop(PARTITION_KEY, None))
        basis = basis_of(partition, self._partitions[partition])
        totals = self._totals[partition]
        known = self._known([key.decode() for key in latest])
        columns, states, texts = [], [], []
        for key, value in latest.items():
            customer_id = key.decode()
            before = known.get(customer_id)
            if value is None:
                if before is not None:
                    self._forget(before, totals)
                continue
            row_now = _current(value)
            if row_now is None:
                continue
            after = derive(row_now, basis, None if before is None else before.columns)
            totals.move(None if before is None else before.columns, after)
            if before is None:
                n = self._next_n
                self._next_n += 1
            else:
                n = before.n
            columns.append((n, customer_id, *after))
            if before is None or before.columns.text_key != after.text_key:
                texts.append((n, search_text(customer_id, row_now)))
            states.append((n, value))
        columns.sort()  # neighbours share pages
        states.sort()
        bulk.insert(self._db, "INSERT INTO customers", columns, UPDATE)
        bulk.insert(self._db, "INSERT OR REPLACE INTO states", states)
        bulk.insert(self._db, "INSERT OR REPLACE INTO search (rowid, text)", texts)
        self._changed.update(key.decode() for key in latest)

    def _take_partition(self, partition: int, data: bytes | None) -> None:
        """The partition row of this batch: where the parameters changed, earlier rows are stale."""
        before = self._partitions.get(partition)
        after = before or new_partition(Parameters())
        if data is not None:
            with contextlib.suppress(FoldVersionMismatch):  # from before a rebuild, which writes it again
                after = decode_partition(data)
        self._partitions[partition] = after
        self._totals.setdefault(partition, Totals())
        if before is None:
            return
        was, now = basis_of(partition, before), basis_of(partition, after)
        if was.digest != now.digest:
            everyone = was.everyone != now.everyone or self._stale.get(partition, FRESH).everyone
            self._stale[partition] = Stale(0, everyone)

    def _known(self, customer_ids: Sequence[str]) -> dict[str, Known]:
        (found,) = self._db.execute(KNOWN, (msgspec.json.encode(customer_ids).decode(),)).fetchone()
        return {
            customer_id: Known(n, Columns._make(columns))
            for customer_id, n, *columns in msgspec.json.decode(found)
        }

    def _forget(self, known: Known, totals: Totals) -> None:
        totals.move(known.columns, None)
        for table, place in (("customers", "n"), ("states", "n"), ("search", "rowid")):
            self._db.execute(f"DELETE FROM {table} WHERE {place} = ?", (known.n,))  # noqa: S608

    def transitions(self, partition: int, records: Sequence[Record]) -> None:
        rows = []
        for record in records:
            event = transition_of(record)
            if event is not None:
                self._arrived.append(Arrived(partition, record.offset, event))
                place = (event.occurred_at, partition, record.offset)
                rows.append((*place, event.customer_id, event.from_stage, event.to_stage, record.value))
        bulk.insert(self._db, "INSERT OR REPLACE INTO transitions", rows)

    def rederive(self, partition: int, stale: Stale) -> None:
        basis = basis_of(partition, self._partitions[partition])
        totals = self._totals[partition]
        rows = self._db.execute(STALE, (stale.n, partition, stale.everyone, REDERIVE_ROWS)).fetchall()
        updates = []
        for customer_id, n, *columns, row in rows:
            was = Columns._make(columns)
            now = derive(decode_row(row), basis, was)
            totals.move(was, now)
            updates.append((n, customer_id, *now))
            self._changed.add(customer_id)
        bulk.insert(self._db, "INSERT INTO customers", updates, UPDATE)
        if len(rows) < REDERIVE_ROWS:
            del self._stale[partition]
        else:
            self._stale[partition] = Stale(rows[-1][1], stale.everyone)

    def finish(self) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
            [(topic, partition, offset) for (topic, partition), offset in self.next_offsets.items()],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO partitions VALUES (?, ?, ?, ?, ?)",
            [
                (
                    partition,
                    encode_partition(row),
                    row.stream_time_ms,
                    self._totals[partition].to_json(),
                    self._stale[partition].n if partition in self._stale else None,
                )
                for partition, row in self._partitions.items()
            ],
        )

    def publish(self) -> Change:
        self._store._next_n = self._next_n
        self._store.partitions = self._partitions
        self._store.totals = self._totals
        self._store._stale = self._stale
        self._store.next_offsets = self.next_offsets
        return Change(frozenset(self._changed), self._arrived)


def transition_of(record: Record) -> LifecycleChanged | None:
    """The lifecycle transition that a record is; other changes share the topic."""
    try:
        event = None if record.value is None else decode(record.value)
    except Undecodable as error:
        logger.warning("transition_undecodable", offset=record.offset, reason=str(error))
        return None
    return event if isinstance(event, LifecycleChanged) else None


def _current(data: bytes) -> CustomerRow | None:
    """The row, or None where it is left from before a rebuild, which writes that customer again."""
    try:
        row = decode_row(data)
    except msgspec.ValidationError:
        if msgspec.msgpack.decode(data)[0] == FOLD_VERSION:
            raise
        return None
    return row if row.fold_version == FOLD_VERSION else None
