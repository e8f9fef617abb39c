"""For whom would an expression be true? Tried on every customer of the read model, within a time limit."""

import sqlite3
import time
from typing import Any

from msgspec import Struct

from projections.triggers.expressions import Expression, Failed
from projections.triggers.facts import Facts
from streams.rows import CustomerRow, PartitionRow, decode_partition, decode_row

SAMPLE = 10
LIMIT_S = 10.0
LOOK_EVERY = 500  # customers
EVERYBODY = "SELECT customer_id, partition, row FROM customers JOIN states USING (n) ORDER BY n"


class Preview(Struct, frozen=True):
    """Of how many customers it is true, and for how many it has no answer; a sample of the former."""

    customers: int
    of: int
    failed: int
    first_error: str | None
    sample: list[str]


class PreviewStopped(Exception):
    """It took longer than LIMIT_S; the message says what to do."""


def preview(db: sqlite3.Connection, expression: Expression, limit_s: float = LIMIT_S) -> Preview:
    """Each customer as of its partition's stream time; raises PreviewStopped."""
    deadline = time.monotonic() + limit_s
    partitions = {n: decode_partition(row) for n, row in db.execute("SELECT partition, row FROM partitions")}
    customers = tried = failed = 0
    first_error, sample = None, list[str]()
    for customer_id, partition, row in db.execute(EVERYBODY):
        if tried % LOOK_EVERY == 0 and time.monotonic() > deadline:
            raise PreviewStopped(
                f"only {tried:,} customers were tried in {limit_s:g} s: write it with fewer variables, or "
                "save it as a segment, which is looked at customer by customer"
            )
        tried += 1
        try:
            holds = expression.holds(facts(customer_id, decode_row(row), partitions[partition]))
        except Failed as error:
            failed += 1
            first_error = first_error or f"{customer_id}: {error}"
            continue
        customers += holds
        if holds and len(sample) < SAMPLE:
            sample.append(customer_id)
    return Preview(customers, tried, failed, first_error, sample)


def facts(customer_id: str, row: CustomerRow, partition: PartitionRow) -> Facts:
    """What can be said of the customer now."""
    scores: dict[str, Any] = {t: (score.probability, score.band) for t, score in row.scored.scores.items()}
    as_of = partition.stream_time_ms
    return Facts(customer_id, row.state, as_of, partition.parameters, scores, row.segments)
