"""When is a partition of a compacted topic cleaned, and what goes?"""

import sqlite3
from typing import NamedTuple

COMPACT_CHUNK = 2_000


class Clean(NamedTuple):
    """How far a partition is compacted: up to offset `to`, where `kept` records were left."""

    to: int
    kept: int

    def is_due(self, end: int, after: int) -> bool:
        """Whether at least half of the records may be superseded (Kafka's min.cleanable.dirty.ratio)."""
        return end - self.to >= max(after, self.kept)


def superseded_offsets(db: sqlite3.Connection, table: str, end: int) -> list[tuple[int]]:
    """Offsets below `end` whose key occurs again below `end`: the newest of each key stays."""
    return db.execute(
        f'SELECT "offset" FROM (SELECT "offset", lead("offset") OVER '  # noqa: S608
        f'(PARTITION BY key ORDER BY "offset") AS later FROM {table} WHERE "offset" < ?) '
        "WHERE later IS NOT NULL",
        (end,),
    ).fetchall()
