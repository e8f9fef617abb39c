"""When is a partition of a compacted topic cleaned, and what goes?"""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from streams.batches import stored
from streams.log import Record

CLEAN_RECORDS = 2_000


class Clean(NamedTuple):
    """How far a partition is compacted: up to offset `to`, where `kept` records were left."""

    to: int
    kept: int

    def is_due(self, end: int, after: int) -> bool:
        """Whether at least half of the records may be superseded (Kafka's min.cleanable.dirty.ratio)."""
        return end - self.to >= max(after, self.kept)


class Part(NamedTuple):
    """Some consecutive batches: the offset of their last record, and what is left of them."""

    last: int
    size: int  # records as they lie there
    kept: list[Record]


def newest_offsets(db: sqlite3.Connection, table: str, end: int) -> dict[bytes | None, int]:
    """The offset of the newest record of each key, among the records below `end`."""
    newest: dict[bytes | None, int] = {}
    for _, records in stored(db, table, 0):
        if records[0].offset >= end:
            break
        newest.update((record.key, record.offset) for record in records)
    return newest


def clean(
    db: sqlite3.Connection, table: str, offset: int, newest: Mapping[bytes | None, int], end: int
) -> Part | None:
    """The next batches from `offset`, about 2,000 records of them; None at `end`."""
    records: list[Record] = []
    for _, batch in stored(db, table, offset):
        if batch[0].offset >= end or len(records) >= CLEAN_RECORDS:
            break
        records += batch
    if not records:
        return None
    kept = [record for record in records if newest[record.key] == record.offset]
    return Part(records[-1].offset, len(records), kept)
