"""What does the history cost? Each command prints one JSON object.

`python -m bench.historical archive EVENTS DIRECTORY` makes events of all kinds (bench/crm.py), 20 a
customer, with the transitions that the default rules announce, and has the archive take them in: rows a
second, CPU time, and bytes an event on disk. `reports DIRECTORY` asks each standard report three times.
`beside DIRECTORY`, in the environment of `make bench-history`, exports tables as Parquet and asks DuckDB and
ClickHouse the same.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import crm
from bench.data import END_MS, PARTITIONS
from history.report_files import names
from history.store import History
from schemas.codec import encode
from schemas.events import BaseCurrencySet, Event, OrderPlaced
from streams.archive import AT_ONCE
from streams.outputs import output_id
from streams.runtime import tune
from streams.topics import EVENTS, TRANSITIONS, partition_for

EVENTS_A_CUSTOMER = 20
ASKED = 3  # times: the first is cold, the median of the others counts


class Record(NamedTuple):
    offset: int
    value: bytes


Runs = dict[int, list[Record]]


class Log:
    """Records of a topic in batches as the archive takes them, all there before it begins."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.batches: list[Runs] = []
        self._ends = [0] * PARTITIONS

    def append(self, events: Iterator[Event]) -> None:
        while batch := list(islice(events, AT_ONCE)):
            runs: Runs = {}
            for event in batch:
                partition = partition_for(getattr(event, "customer_id", "").encode(), PARTITIONS)
                runs.setdefault(partition, []).append(Record(self._ends[partition], encode(event)))
                self._ends[partition] += 1
            self.batches.append(runs)
            print(f"{sum(self._ends):,} records of {self.topic}", file=sys.stderr, flush=True)

    def archived(self, history: History) -> tuple[int, float, float]:
        """Have it archived without a pause; rows, seconds and CPU seconds, those of merges behind it too."""
        rows, started, cpu = 0, time.perf_counter(), time.process_time()
        for runs in self.batches:
            refused = history.writer.write(self.topic, runs)
            if refused:
                sys.exit(f"refused: {refused[0]}")
            history.writer.note(self.topic, {p: run[-1].offset + 1 for p, run in runs.items()})
            rows += sum(map(len, runs.values()))
            each = rows / (time.perf_counter() - started)
            print(f"{rows:,} archived, {each:,.0f}/s", file=sys.stderr, flush=True)
        return rows, time.perf_counter() - started, time.process_time() - cpu


def archive(count: int, directory: Path) -> dict[str, float]:
    events, transitions = Log(EVENTS), Log(TRANSITIONS)
    told = {"occurred_at": END_MS - 731 * crm.DAY_MS, "received_at": END_MS}
    events.append(iter([BaseCurrencySet(event_id=output_id("base", 0), currency="USD", **told)]))
    orders: list[tuple[str, int]] = []

    def made() -> Iterator[Event]:
        for event in crm.generate(count, count // EVENTS_A_CUSTOMER, end_ms=END_MS):
            if isinstance(event, OrderPlaced):
                orders.append((event.customer_id, event.occurred_at))
            yield event

    events.append(made())
    transitions.append(crm.stages(iter(orders)))
    gc.freeze()  # the log's records: a log that is read would not keep them
    history = History.open(f"chdb://{directory}")
    rows, seconds, cpu_seconds = events.archived(history)
    moves, moves_seconds, _ = transitions.archived(history)
    client = history._client  # of the process that owns it
    for (table,) in client.query(
        "SELECT name FROM system.tables "
        "WHERE engine LIKE '%MergeTree' AND total_rows > 0 AND database = currentDatabase()"
    ).result_rows:
        client.command(f"OPTIMIZE TABLE `{table}` FINAL")
    (size,) = client.query(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() "
        "AND table IN (SELECT _table FROM records WHERE topic = {topic:String} GROUP BY _table)",
        parameters={"topic": EVENTS},
    ).result_rows[0]
    history.close()
    return {
        "rows_per_s": rows / seconds,
        "cpu_us_per_row": 1e6 * cpu_seconds / rows,
        "transitions_per_s": moves / moves_seconds,
        "transitions": moves,
        "bytes_per_event": size / rows,
    }


def reports(directory: Path) -> dict[str, float]:
    """Seconds of each standard report with its defaults: the median of the second and the third time."""
    history = History.open(f"chdb://{directory}")

    async def ask() -> dict[str, float]:
        found = {}
        for name in names():
            times = []
            for _ in range(ASKED):
                started = time.perf_counter()
                answer = await history.report(name, {}, END_MS, "UTC")
                times.append(time.perf_counter() - started)
            found[name] = median(times[1:])
            said = f"{found[name]:6.2f} s  {answer.table.num_rows:7,} rows  {name}  {answer.note or ''}"
            print(said, file=sys.stderr, flush=True)
        return found

    try:
        return asyncio.run(ask())
    finally:
        history.close()


# the same in both: tables of events, of which ClickHouse also leaves repeats out
BOTH = {
    "events by type": "SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY type",
    "orders and revenue by month": (
        "SELECT date_trunc('month', occurred_at) AS month, count(*) AS n, sum(amount_minor) AS paid "
        "FROM OrderPlaced GROUP BY month ORDER BY month"
    ),
    "revenue by store and channel": (
        "SELECT store, channel, count(*) AS n, sum(amount_minor) AS paid FROM OrderPlaced "
        "GROUP BY store, channel ORDER BY store, channel"
    ),
    "best customers": (
        "SELECT customer_id, count(*) AS n, sum(amount_minor) AS paid, max(occurred_at) AS latest "
        "FROM OrderPlaced GROUP BY customer_id ORDER BY paid DESC, customer_id LIMIT 100"
    ),
    "customers active by month": (
        "SELECT date_trunc('month', occurred_at) AS month, count(DISTINCT customer_id) AS n FROM OrderPlaced "
        "GROUP BY month ORDER BY month"
    ),
    "pages by views": (
        "SELECT url, count(*) AS n, count(DISTINCT customer_id) AS visitors FROM PageViewed "
        "GROUP BY url ORDER BY n DESC, url LIMIT 20"
    ),
    "messages by campaign": (
        "SELECT campaign_id, variant, count(*) AS n, sum(cost_minor) AS cost FROM CampaignSent "
        "GROUP BY campaign_id, variant ORDER BY campaign_id, variant"
    ),
}
UNNESTED = {
    "clickhouse": (
        "SELECT line.category AS category, sum(line.quantity) AS units, "
        "sum(line.quantity * line.unit_price_minor) AS value "
        "FROM OrderPlaced ARRAY JOIN lines AS line GROUP BY category ORDER BY category"
    ),
    "duckdb": (
        "SELECT line.category AS category, sum(line.quantity) AS units, "
        "sum(line.quantity * line.unit_price_minor) AS value "
        "FROM (SELECT unnest(lines) AS line FROM OrderPlaced) GROUP BY category ORDER BY category"
    ),
}
EXPORTED = {
    "events": "SELECT type, customer_id, occurred_at, source, channel FROM events",
    **{
        table: f"SELECT * EXCEPT (event_id, topic, partition, offset) FROM {table}"
        for table in ("OrderPlaced", "PageViewed", "CampaignSent")
    },
}


def beside(directory: Path) -> dict[str, float]:
    """Seconds of each aggregate, by ClickHouse over its tables and by DuckDB over Parquet, in turn."""
    import duckdb  # of the environment of the benchmarks alone

    history = History.open(f"chdb://{directory}")
    client = history._reports._client  # the connection of reports, with their settings
    folder = directory.with_suffix(".parquet")
    folder.mkdir(exist_ok=True)
    duck = duckdb.connect(config={"threads": os.cpu_count() or 1})
    for name, query in EXPORTED.items():
        (folder / f"{name}.parquet").write_bytes(history._client.raw_query(query, fmt="Parquet"))
        duck.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / name}.parquet')")
    found: dict[str, float] = {}
    queries = {name: (query, query) for name, query in BOTH.items()}
    queries["products by category"] = UNNESTED["clickhouse"], UNNESTED["duckdb"]
    for name, (ours, theirs) in queries.items():
        asked: dict[str, Callable[[], list[tuple[object, ...]]]] = {
            "ClickHouse": lambda ours=ours: client.query(ours).result_rows,
            "DuckDB": lambda theirs=theirs: duck.execute(theirs).fetchall(),
        }
        answers = {who: ask() for who, ask in asked.items()}
        if [_plain(row) for row in answers["ClickHouse"]] != [_plain(row) for row in answers["DuckDB"]]:
            sys.exit(f"{name}: the answers differ")
        times: dict[str, list[float]] = {who: [] for who in asked}
        for _ in range(5):
            for who, ask in asked.items():
                started = time.perf_counter()
                ask()
                times[who].append(time.perf_counter() - started)
        found |= {f"{name}: {who}": median(each) for who, each in times.items()}
    history.close()
    return found


def _plain(row: tuple[object, ...]) -> tuple[str, ...]:
    """A row that can be compared: moments of both as their day, numbers as text."""
    return tuple(str(cell)[:10] if hasattr(cell, "isoformat") else str(cell) for cell in row)


if __name__ == "__main__":
    tune()
    match sys.argv[1:]:
        case ["archive", count, where]:
            done = archive(int(count), Path(where))
        case ["reports", where]:
            done = reports(Path(where))
        case ["beside", where]:
            done = beside(Path(where))
        case _:
            sys.exit(__doc__)
    print(json.dumps(done))
