"""Where is the read model kept? In a SQLite file that can be deleted at any time: it is a cache of the log.

Two narrow structures serve two kinds of question: `customers` has the columns that lists filter and sort on
(small enough to scan, so that no index has to be kept at each event), `states` the rows themselves.
"""

import contextlib
import sqlite3
from pathlib import Path

from api.columns import NAMES
from projections.customer import FOLD_VERSION

SCHEMA_VERSION = 4
CACHE_KIB = 32_000
CHECKPOINT_PAGES = 8_000

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS versions (schema INTEGER NOT NULL, fold INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (
  topic TEXT, partition INTEGER, next_offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
  partition INTEGER PRIMARY KEY, row BLOB NOT NULL, stream_time_ms INTEGER NOT NULL, totals TEXT NOT NULL,
  rederived_to INTEGER);
CREATE TABLE IF NOT EXISTS customers (
  n INTEGER PRIMARY KEY, customer_id TEXT NOT NULL UNIQUE, {", ".join(NAMES)});
CREATE TABLE IF NOT EXISTS states (n INTEGER PRIMARY KEY, row BLOB NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(text, tokenize = "unicode61 remove_diacritics 2");
CREATE TABLE IF NOT EXISTS transitions (
  occurred_at INTEGER, partition INTEGER, "offset" INTEGER, customer_id TEXT NOT NULL, from_stage TEXT,
  to_stage TEXT NOT NULL, event BLOB NOT NULL, PRIMARY KEY (occurred_at, partition, "offset")) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS transitions_of_customer ON transitions (customer_id);
"""


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "PRAGMA synchronous = NORMAL"
    )  # a commit lost to a power cut is read from the log again
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return connection


def open_store(path: Path) -> sqlite3.Connection:
    """The file at `path`, made new where it is missing, damaged, or written by other code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(sqlite3.DatabaseError):
        connection = connect(path)
        if _versions(connection) in ([], [(SCHEMA_VERSION, FOLD_VERSION)]):
            return _created(connection)
        connection.close()
    discard(path)
    return _created(connect(path))


def discard(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _versions(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        return []
    return connection.execute("SELECT schema, fold FROM versions").fetchall()


def _created(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.executescript(SCHEMA)
    if not _versions(connection):
        connection.execute("INSERT INTO versions VALUES (?, ?)", (SCHEMA_VERSION, FOLD_VERSION))
    return connection
