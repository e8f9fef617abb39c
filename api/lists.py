"""Which customers and transitions match, in which order? The list queries over the read model's file."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from api.cursor import from_cursor, to_cursor
from api.problems import Problem
from projections import customer
from projections.parameters import Boundaries, Parameters
from projections.rfm import RfmView
from projections.scoring.value import History, contribution_minor, history
from projections.times import DAY_MS
from schemas.codec import decode
from schemas.events import LifecycleChanged
from streams.rows import CustomerRow, PartitionRow, decode_partition, decode_row

SORTS = {"last_seen_at": "last_seen_at", "orders.net": "net_minor", "orders.count": "order_count"}
SCORES = "scores."  # and a target
FITTED_ON = 25_000  # customers at most
LARGE = 1 << 32  # sums are taken in two halves, because SQLite's stop at 64 bits


class Found(NamedTuple):
    """One customer as of one moment of the read model: its row and its partition's."""

    customer_id: str
    row: CustomerRow
    partition: PartitionRow


class CustomerQuery(NamedTuple):
    """Filters are None where not asked for; `sort` is a key of SORTS, or SCORES and a target."""

    stage: str | None = None
    segment: str | None = None
    q: str | None = None
    sort: str = "last_seen_at"
    descending: bool = True
    limit: int = 50
    cursor: str | None = None
    min_scores: Mapping[str, float] = {}  # by target


class TransitionQuery(NamedTuple):
    customer_id: str | None = None
    from_stage: str | None = None
    to_stage: str | None = None
    since_ms: int | None = None
    limit: int = 50
    cursor: str | None = None


class Cell(NamedTuple):
    """Customers with one recency and one frequency score; net in minor units of the base currency."""

    r: int
    f: int
    customers: int
    net_minor: int


class _CustomerPlace(NamedTuple):
    sort: str
    value: float
    customer_id: str


class _TransitionPlace(NamedTuple):
    occurred_at: int
    partition: int
    offset: int


def find_customer(db: sqlite3.Connection, customer_id: str) -> Found | None:
    found = db.execute(
        "SELECT c.customer_id, s.row, p.row FROM customers AS c JOIN states AS s USING (n) "
        "JOIN partitions AS p USING (partition) WHERE c.customer_id = ?",
        (customer_id,),
    ).fetchone()
    return None if found is None else _found(*found)


def list_customers(db: sqlite3.Connection, query: CustomerQuery) -> tuple[list[Found], str | None]:
    """One page and the next one's cursor; ties are in order of the id."""
    target = query.sort.removeprefix(SCORES)
    column = _score(target) if query.sort.startswith(SCORES) else SORTS[query.sort]
    order, beyond = ("DESC", "<") if query.descending else ("ASC", ">")
    sort = f"{'-' if query.descending else ''}{query.sort}"
    conditions: list[str] = []
    values: list[object] = []
    if query.stage is not None:
        conditions.append("stage = ?")
        values.append(query.stage)
    if query.segment is not None:
        conditions.append("EXISTS (SELECT 1 FROM json_each(segments) WHERE value = ?)")
        values.append(query.segment)
    least = query.min_scores
    if query.sort.startswith(SCORES):  # who has no score is in no order
        least = {target: 0.0, **least}
    for name, probability in least.items():
        conditions.append(f"{_score(name)} >= ?")
        values.append(probability)
    if query.q is not None:
        conditions.append("n IN (SELECT rowid FROM search WHERE search MATCH ?)")
        values.append(_match(query.q))
    if query.cursor is not None:
        place = from_cursor(query.cursor, _CustomerPlace)
        if place.sort != sort:
            raise Problem(
                422, f"cursor belongs to sort={place.sort}, not {sort}: leave it out to begin anew."
            )
        conditions.append(f"({column}, customer_id) {beyond} (?, ?)")
        values += [place.value, place.customer_id]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    page = (
        f"SELECT n, customer_id, partition, {column} AS value FROM customers {where} "  # noqa: S608
        f"ORDER BY {column} {order}, customer_id {order} LIMIT ?"
    )
    rows = db.execute(
        f"SELECT c.customer_id, s.row, p.row, c.value FROM ({page}) AS c JOIN states AS s USING (n) "  # noqa: S608
        f"JOIN partitions AS p USING (partition) ORDER BY c.value {order}, c.customer_id {order}",
        (*values, query.limit + 1),
    ).fetchall()
    shown = rows[: query.limit]
    last = shown[-1] if len(rows) > query.limit else None
    following = None if last is None else to_cursor(_CustomerPlace(sort, last[3], last[0]))
    partitions: dict[bytes, PartitionRow] = {}
    return [
        _found(customer_id, row, partition, partitions) for customer_id, row, partition, _ in shown
    ], following


def list_transitions(
    db: sqlite3.Connection, query: TransitionQuery
) -> tuple[list[LifecycleChanged], str | None]:
    """One page, newest first, and the next one's cursor."""
    conditions: list[str] = []
    values: list[object] = []
    for condition, value in (
        ("customer_id = ?", query.customer_id),
        ("from_stage = ?", query.from_stage),
        ("to_stage = ?", query.to_stage),
        ("occurred_at >= ?", query.since_ms),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if query.cursor is not None:
        conditions.append('(occurred_at, partition, "offset") < (?, ?, ?)')
        values += from_cursor(query.cursor, _TransitionPlace)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = db.execute(
        f'SELECT event, occurred_at, partition, "offset" FROM transitions {where} '  # noqa: S608
        'ORDER BY occurred_at DESC, partition DESC, "offset" DESC LIMIT ?',
        (*values, query.limit + 1),
    ).fetchall()
    shown = rows[: query.limit]
    following = to_cursor(_TransitionPlace(*shown[-1][1:])) if len(rows) > query.limit else None
    events = [decode(row[0]) for row in shown]
    return [event for event in events if isinstance(event, LifecycleChanged)], following


def rfm_grid(db: sqlite3.Connection, boundaries: Boundaries) -> list[Cell]:
    """All 25 cells, the empty ones too, each customer at its partition's stream time."""
    recency = f"max(0, (p.stream_time_ms - c.last_order_at) / {DAY_MS})"
    r = " - ".join(["5", *(f"({bound} < {recency})" for bound in boundaries.r)])
    f = " + ".join(["1", *(f"({bound} < c.frequency)" for bound in boundaries.f)])
    rows = db.execute(
        f"SELECT {r} AS r, {f} AS f, count(*), {_exact_sum('c.net_minor')} "  # noqa: S608
        "FROM customers AS c JOIN partitions AS p USING (partition) "
        "WHERE c.last_order_at IS NOT NULL GROUP BY 1, 2"
    )
    cells = {(r, f): Cell(r, f, customers, high * LARGE + low) for r, f, customers, high, low in rows}
    return [cells.get((r, f), Cell(r, f, 0, 0)) for r in range(1, 6) for f in range(1, 6)]


def rfm_values(db: sqlite3.Connection, as_of_ms: int) -> list[RfmView]:
    """What the boundaries are the percentiles of: the customers with an order, in no order."""
    rows = db.execute(
        "SELECT max(0, (? - last_order_at) / ?), frequency, monetary_minor "
        "FROM customers WHERE last_order_at IS NOT NULL",
        (as_of_ms, DAY_MS),
    )
    return [RfmView(days, frequency, minor, None, None, None) for days, frequency, minor in rows]


def score_values(db: sqlite3.Connection) -> dict[str, list[float]]:
    """The probabilities of each target's scores, in no order."""
    found: dict[str, list[float]] = defaultdict(list)
    for (scores,) in db.execute("SELECT scores FROM customers WHERE scores IS NOT NULL"):
        for target, probability in msgspec.json.decode(scores).items():
            found[target].append(probability)
    return found


def order_histories(db: sqlite3.Connection, as_of_ms: int, parameters: Parameters) -> list[History]:
    """What the value of customers is fitted on: those with an order, or one in so many of them."""
    (buyers,) = db.execute("SELECT count(*) FROM customers WHERE last_order_at IS NOT NULL").fetchone()
    rows = db.execute(
        "SELECT row FROM customers JOIN states USING (n) WHERE last_order_at IS NOT NULL AND n % ? = 0",
        (-(-buyers // FITTED_ON) or 1,),
    )
    states = (customer.orders_of(decode_row(row).state) for (row,) in rows)
    found = (history(each, as_of_ms, contribution_minor(each, parameters)) for each in states)
    return [each for each in found if each is not None]


def _score(target: str) -> str:
    """The column of a target's score; the target is one of TARGETS."""
    return f"(scores ->> '$.{target}')"


def _exact_sum(column: str) -> str:
    return f"sum({column} >> 32), sum({column} & {LARGE - 1})"


def _match(q: str) -> str:
    """Each word must begin a word of the id or of a trait; what FTS5 would read as syntax is quoted."""
    return " ".join(f'"{word.replace(chr(34), chr(34) * 2)}"*' for word in q.replace("\x00", " ").split())


def _found(
    customer_id: str, row: bytes, partition: bytes, partitions: dict[bytes, PartitionRow] | None = None
) -> Found:
    known = {} if partitions is None else partitions
    if partition not in known:
        known[partition] = decode_partition(partition)
    return Found(customer_id, decode_row(row), known[partition])
