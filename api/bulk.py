"""How do many rows get into SQLite beside a busy fold? Many in one statement.

Python's sqlite3 gives up the GIL at each step of a statement and must then wait for it again: a row a
statement takes 150 µs beside a busy thread, 50 rows a statement 15 µs each.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

PARAMETERS = 900  # of one statement: older SQLite takes 999


def insert(db: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]], then: str = "") -> None:
    """`INSERT … INTO table`, its VALUES the rows, which are of one width; then a conflict clause, if any."""
    if not rows:
        return
    width = len(rows[0])
    most = PARAMETERS // width
    for start in range(0, len(rows), most):
        part = rows[start : start + most]
        db.execute(f"{into} VALUES {_values(width, len(part))} {then}", list(chain.from_iterable(part)))


@lru_cache
def _values(width: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * rows)
