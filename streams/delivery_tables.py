"""How are the messages that are to be delivered kept in SQLite, and what does each change do to the rows?"""

import sqlite3
from pathlib import Path

LAYOUT = 2
CACHE_KIB = 16_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS routes (trigger TEXT PRIMARY KEY, endpoint TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failing (
  endpoint TEXT PRIMARY KEY, failures INTEGER NOT NULL, at INTEGER NOT NULL, error TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  decision_id BLOB NOT NULL UNIQUE, partition INTEGER NOT NULL, customer_id TEXT NOT NULL,
  trigger TEXT NOT NULL, endpoint TEXT NOT NULL,
  taken_at INTEGER NOT NULL,   -- when the decision was written
  place INTEGER NOT NULL,      -- offset of what made it pending: the order of one customer's messages
  attempts INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0, first_attempt_at INTEGER,  -- since it was decided or redriven
  next_attempt_at INTEGER NOT NULL, is_next INTEGER NOT NULL, is_held INTEGER NOT NULL,
  why TEXT, ended_at INTEGER,  -- why it was abandoned, and when; NULL while it is pending
  decided BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS due ON deliveries (endpoint, next_attempt_at)
  WHERE is_next AND is_held AND why IS NULL;
CREATE INDEX IF NOT EXISTS of_customer ON deliveries (customer_id, endpoint, place) WHERE why IS NULL;
CREATE INDEX IF NOT EXISTS abandoned ON deliveries (why, ended_at) WHERE why IS NOT NULL;
"""

ADD = """INSERT OR IGNORE INTO deliveries
(decision_id, partition, customer_id, trigger, endpoint, taken_at, place, next_attempt_at, is_next, is_held,
  decided)
SELECT :id, :partition, :customer_id, :trigger, :endpoint, :at, :place, :at,
  NOT EXISTS (SELECT 1 FROM deliveries
    WHERE customer_id = :customer_id AND endpoint = :endpoint AND why IS NULL),
  :is_held, :decided
RETURNING 1"""

ATTEMPTED = """UPDATE deliveries
SET attempts = :attempt, tries = tries + 1, first_attempt_at = coalesce(first_attempt_at, :at),
  next_attempt_at = coalesce(:next_attempt_at, next_attempt_at)
WHERE decision_id = :id AND why IS NULL AND attempts < :attempt RETURNING endpoint"""

SUCCEEDED = "DELETE FROM deliveries WHERE decision_id = :id RETURNING trigger, why, customer_id, endpoint"

ABANDONED = """UPDATE deliveries SET why = :why, ended_at = :at WHERE decision_id = :id AND why IS NULL
RETURNING trigger, NULL, customer_id, endpoint"""

FIND = "SELECT trigger, why FROM deliveries WHERE decision_id = :id AND why IS NOT NULL"
REDRIVEN = """UPDATE deliveries
SET why = NULL, ended_at = NULL, tries = 0, first_attempt_at = NULL, place = :place, next_attempt_at = :at,
  endpoint = :endpoint, is_next = 0
WHERE decision_id = :id RETURNING customer_id, endpoint"""

PROMOTE = """UPDATE deliveries SET is_next = 1 WHERE rowid = (SELECT rowid FROM deliveries
  WHERE customer_id = ? AND endpoint = ? AND why IS NULL ORDER BY place LIMIT 1)"""

FAILING = "INSERT OR REPLACE INTO failing VALUES (?, ?, ?, ?)"

HOLD = "UPDATE deliveries SET is_held = partition IN (SELECT value FROM json_each(?))"

REROUTE = (
    "UPDATE deliveries SET endpoint = coalesce("
    "(SELECT endpoint FROM routes WHERE routes.trigger = deliveries.trigger), '') WHERE why IS NULL",
    """UPDATE deliveries SET is_next = place = (
  SELECT min(place) FROM deliveries AS other WHERE other.customer_id = deliveries.customer_id
  AND other.endpoint = deliveries.endpoint AND other.why IS NULL) WHERE why IS NULL""",
)

PUT_OFF = "UPDATE deliveries SET next_attempt_at = :until WHERE decision_id = :id AND why IS NULL"

DUE = """SELECT decision_id, partition, attempts, tries, first_attempt_at, next_attempt_at, taken_at, place,
  decided
FROM deliveries WHERE endpoint = ? AND is_next AND is_held AND why IS NULL ORDER BY next_attempt_at"""

GIVEN_UP = """FROM deliveries WHERE why IN ('parked', 'refused') AND ended_at BETWEEN :since AND :until
AND (:trigger IS NULL OR trigger = :trigger)"""
UNDELIVERED = f"""SELECT decision_id, partition, customer_id, trigger, place {GIVEN_UP}
ORDER BY ended_at LIMIT :limit"""  # of the line above
COUNT_UNDELIVERED = f"SELECT count(*) {GIVEN_UP}"


def opened(path: Path) -> sqlite3.Connection:
    """The file at `path`, made new where it is missing, damaged, or of other code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        db = _connected(path)
        if db.execute("PRAGMA user_version").fetchone() == (LAYOUT,):
            return db
        db.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # of the disk, and not of the file
            raise
    discard(path)
    db = _connected(path)
    db.executescript(SCHEMA)
    db.execute(f"PRAGMA user_version = {LAYOUT}")
    return db


def discard(path: Path) -> None:
    """Forget all: it is read from the log again."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")  # a commit lost to a power cut is read from the log again
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return db
