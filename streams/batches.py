"""How do records lie in the embedded log? In batches, as Kafka's do: a SQLite row holds up to 1,000 of them.

SQLite takes microseconds a row, and Python's module gives up the GIL at each, to wait for it again while the
fold is busy. A batch is one row: its last offset, and in msgpack [[offset, key, value, timestamp_ms], …].
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from streams.log import Record

BATCH_RECORDS = 1_000
BATCH_BYTES = 1 << 20

Stored: TypeAlias = tuple[int, bytes | None, bytes | None, int]  # a Record, or its fields

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


def create(db: sqlite3.Connection, table: str) -> None:
    db.execute(f"CREATE TABLE IF NOT EXISTS {table} (last_offset INTEGER PRIMARY KEY, records BLOB NOT NULL)")


def insert(table: str) -> str:
    """The statement that stores what `pack` gives."""
    return f"INSERT INTO {table} VALUES (?, ?)"  # noqa: S608


def pack(records: Iterable[Stored]) -> Iterator[tuple[int, bytes]]:
    """Batches of records that are in order of offset; a record that fills a batch ends it."""
    batch: list[Stored] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record[2] or b"")
        if len(batch) == BATCH_RECORDS or size >= BATCH_BYTES:
            yield record[0], _encode(batch)
            batch, size = [], 0
    if batch:
        yield batch[-1][0], _encode(batch)


def stored(db: sqlite3.Connection, table: str, offset: int) -> Iterator[tuple[int, list[Record]]]:
    """(bytes, records) of each batch from the one that has `offset`, or the next record after it."""
    found = db.execute(
        f"SELECT records FROM {table} WHERE last_offset >= ? ORDER BY last_offset",  # noqa: S608
        (offset,),
    )
    try:
        for (data,) in found:
            yield len(data), _decode(data)
    finally:
        found.close()
