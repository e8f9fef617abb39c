"""Does the history reach its bars? `make bench-history`, which also writes bench/results/history.json.

`ARGS='--events 200000'` is a look, and writes nothing; `--directory PATH` keeps what was archived, and asks
it again where it is there.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bench.report import Row, show, write
from bench.running import measured

RESULTS = Path(__file__).parent / "results" / "history.json"
PACKAGES = (
    "chdb",
    "clickhouse-connect",
    "duckdb",
    "pyarrow",
    "mlxtend",
    "prefixspan",
    "scikit-learn",
    "scipy",
)
EVENTS = 10_000_000
MINED = {"association_rules", "sequences"}  # whole algorithms over all baskets: 15 s


def main(
    events: Annotated[int, typer.Option(help="Events to archive, 20 a customer.")] = EVENTS,
    directory: Annotated[Path | None, typer.Option(help="Where the archive is, or is to be.")] = None,
) -> None:
    """Measure every bar of the history; exit 1 if one does not hold."""
    with TemporaryDirectory(prefix="headwater-history-") as temporary:
        where = (directory or Path(temporary) / "history").absolute()
        rows = [] if where.exists() else _archive(events, where)
        for name, seconds in measured("historical", "reports", where).items():
            rows.append(Row(f"report {name}, warm", 15 if name in MINED else 3, seconds, "s", "at most"))
        rows += _beside(measured("historical", "beside", where))
    show(rows)
    if events == EVENTS and directory is None:
        write(RESULTS, rows, PACKAGES)
    sys.exit(any(row.holds is False for row in rows))


def _archive(events: int, where: Path) -> list[Row]:
    archive = measured("historical", "archive", events, where)
    return [
        Row("rows archived", 150_000, archive["rows_per_s"], "/s"),
        Row("CPU a row, with the merges behind", None, archive["cpu_us_per_row"], "µs"),
        Row("on disk an event", 120, archive["bytes_per_event"], "bytes", "at most"),
    ]


def _beside(seconds: dict[str, float]) -> list[Row]:
    rows = []
    for name in sorted({key.rpartition(": ")[0] for key in seconds}):
        ours, theirs = seconds[f"{name}: ClickHouse"], seconds[f"{name}: DuckDB"]
        rows += [
            Row(f"{name}: ClickHouse's tables ÷ DuckDB on Parquet", 1.5, ours / theirs, "×", "at most"),
            Row(f"{name}: DuckDB", None, 1_000 * theirs, "ms"),
        ]
    return rows


if __name__ == "__main__":
    typer.run(main)
