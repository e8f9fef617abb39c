"""Where does a worker keep its customers? In RocksDB, written in one atomic batch a run.

Keys start with the partition (2 bytes): `r` customer rows, `d` the due index (when, 8 bytes, then customer;
ordered, so that the next to change come first), `p` the partition row and the changelog offset that the
store reflects. The store is a cache of the changelog: it can be deleted at any time. So RocksDB keeps no log
of its own: a killed process loses its newest writes, offset and all, and recovers them from the changelog.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

from msgspec import ValidationError
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from projections.customer import FOLD_VERSION
from streams.log import Chunk
from streams.rows import (
    PARTITION_KEY,
    CustomerRow,
    PartitionRow,
    decode_partition,
    decode_row,
)

BLOCK_CACHE_BYTES = 128 << 20
MEMTABLE_BYTES = 32 << 20
HOT_BYTES = 64 << 20  # as encoded; decoded they take about three times that


class DueChange(NamedTuple):
    """A customer's next due moment (ms) moved; None is never."""

    customer: bytes
    before: int | None
    after: int | None


def _row_key(partition: int, customer: bytes) -> bytes:
    return struct.pack(">H", partition) + b"r" + customer


def _due_key(partition: int, due_ms: int, customer: bytes) -> bytes:
    return struct.pack(">HcQ", partition, b"d", due_ms) + customer


def _partition_key(partition: int) -> bytes:
    return struct.pack(">H", partition) + b"p"


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(MEMTABLE_BYTES)
    options.set_max_write_buffer_number(3)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_max_background_jobs(2)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(BLOCK_CACHE_BYTES))
    blocks.set_bloom_filter(10, False)
    blocks.set_cache_index_and_filter_blocks(True)
    options.set_block_based_table_factory(blocks)
    return options


class CustomerTable:
    """The local store of one worker. Not durable by itself: the changelog is (DESIGN: ordered effects, 4)."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._db = Rdict(str(path), _options(), access_type=AccessType.read_write())
        self._write_options = WriteOptions()
        cast(Any, self._write_options).disable_wal = True  # which the stubs call a method
        self._recent: dict[bytes, CustomerRow] = {}  # by key, the rows of the last writes
        self._earlier: dict[bytes, CustomerRow] = {}  # and of those before them
        self._recent_bytes = 0

    def close(self) -> None:
        self._db.close()

    def rows(self, partition: int, customers: Sequence[bytes]) -> list[CustomerRow | None]:
        """The rows of `customers`, in their order; None for a customer without one."""
        prefix = struct.pack(">H", partition) + b"r"
        keys = [prefix + customer for customer in customers]
        recent, earlier = self._recent, self._earlier
        rows = [recent.get(key) or earlier.get(key) for key in keys]
        if missing := [place for place, row in enumerate(rows) if row is None]:
            stored = cast(list[bytes | None], self._db.get([keys[place] for place in missing]))
            for place, data in zip(missing, stored, strict=True):
                rows[place] = None if data is None else decode_row(data)
        return rows

    def values(self, partition: int, customers: Sequence[bytes]) -> list[bytes | None]:
        """The encoded rows of `customers`, in their order."""
        prefix = struct.pack(">H", partition) + b"r"
        return cast(list[bytes | None], self._db.get([prefix + customer for customer in customers]))

    def partition(self, partition: int) -> tuple[PartitionRow | None, int]:
        """The partition row, None before the first run, and the changelog offset to recover from."""
        data = self._db.get(_partition_key(partition))
        if data is None:
            return None, 0
        (offset,) = struct.unpack_from(">Q", data)
        return (decode_partition(data[8:]) if len(data) > 8 else None), offset

    def due(self, partition: int, from_ms: int, upto_ms: int) -> Iterator[tuple[int, bytes]]:
        """(due, customer) in that order, as the store is now, for from_ms ≤ due ≤ upto_ms."""
        start = _due_key(partition, from_ms, b"")
        options = ReadOptions()
        options.set_iterate_upper_bound(_due_key(partition, upto_ms + 1, b""))
        for key in self._keys(start, options):
            yield int.from_bytes(key[3:11], "big"), key[11:]

    def customers(self, partition: int, after: bytes, limit: int) -> list[bytes]:
        """Up to `limit` customers of the partition that come after `after`, in order."""
        prefix = struct.pack(">H", partition) + b"r"
        options = ReadOptions()
        options.set_iterate_upper_bound(struct.pack(">H", partition) + b"s")
        return [key[3:] for key in islice(self._keys(prefix + after + b"\x00", options), limit)]

    def _keys(self, start: bytes, options: ReadOptions) -> Iterator[bytes]:
        return cast(Iterator[bytes], self._db.keys(from_key=start, read_opt=options))

    def write(
        self,
        partition: int,
        rows: Mapping[bytes, bytes | None],
        due: Iterable[DueChange],
        partition_row: bytes,
        changelog_offset: int,
        decoded: Mapping[bytes, CustomerRow] | None = None,
    ) -> None:
        """Write a run's rows (None deletes), due index, partition row and changelog offset: all or none.

        `decoded` are the same rows in the same order, kept at hand: the last 32 to 64 MiB written.
        """
        batch = WriteBatch(raw_mode=True)
        prefix = struct.pack(">H", partition) + b"r"
        keys = [prefix + customer for customer in rows]
        for key, data in zip(keys, rows.values(), strict=True):
            if data is None:
                batch.delete(key)
            else:
                batch.put(key, data)
        for customer, before, after in due:
            if before is not None:
                batch.delete(_due_key(partition, before, customer))
            if after is not None:
                batch.put(_due_key(partition, after, customer), b"")
        batch.put(_partition_key(partition), struct.pack(">Q", changelog_offset) + partition_row)
        self._db.write(batch, self._write_options)
        if decoded is None:
            for key in keys if self._recent or self._earlier else ():
                self._recent.pop(key, None)
                self._earlier.pop(key, None)
            return
        self._recent.update(zip(keys, decoded.values(), strict=True))
        self._recent_bytes += sum(map(len, filter(None, rows.values())))
        if self._recent_bytes > HOT_BYTES // 2:
            self._recent, self._earlier, self._recent_bytes = {}, self._recent, 0

    def recover(self, partition: int, chunk: Chunk) -> None:
        """Write changelog records, as `write` did or would have; repeating it changes nothing.

        A tombstone deletes its customer, and so does a row of another fold version: a rebuild forgets it
        further on, or else the partition row, which comes after all rows, is of that version too.
        """
        latest = {record.key: record.value for record in chunk.records if record.key is not None}
        partition_row = latest.pop(PARTITION_KEY, None)
        if partition_row is None:
            stored = self._db.get(_partition_key(partition))
            partition_row = b"" if stored is None else stored[8:]
        decoded = {customer: _current(data) for customer, data in latest.items()}
        due = [
            DueChange(
                customer,
                None if before is None else before.next_due_ms,
                None if (after := decoded[customer]) is None else after.next_due_ms,
            )
            for customer, before in zip(decoded, self.rows(partition, list(decoded)), strict=True)
        ]
        rows = {customer: None if decoded[customer] is None else data for customer, data in latest.items()}
        self.write(partition, rows, due, partition_row, chunk.end)

    def wipe(self, partition: int) -> None:
        """Forget a partition, so that it is recovered from the changelog's start."""
        self._recent, self._earlier, self._recent_bytes = {}, {}, 0
        self._db.delete_range(struct.pack(">H", partition), struct.pack(">H", partition + 1))
        self._db.flush()


def _current(data: bytes | None) -> CustomerRow | None:
    """The row, if it is of this fold version."""
    if data is None:
        return None
    try:
        row = decode_row(data)
    except ValidationError:
        return None
    return row if row.fold_version == FOLD_VERSION else None
