"""What do 1 M, 100 M and 1 B customers need? Worked out from bench/results/kafka.json.

`python -m bench.kafka.scaling` writes the table into docs/scaling.md, which says what the lines assume.
"""

import json
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path

from bench.data import END_MS
from bench.events import generate
from schemas.codec import encode

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "kafka.json"
DOCUMENT = ROOT / "docs" / "scaling.md"
BEGIN, END = "<!-- from bench/results/kafka.json -->\n", "<!-- end -->"

SIZES = {"1 M": 1e6, "100 M": 1e8, "1 B": 1e9}
EVENTS_A_DAY = 1.0  # a customer
PEAK = 3  # times the mean
FILLED = 0.5  # of a worker's core, at the peak
RECOVERED_S = 600  # a worker that lost its disk
PARTITIONS_A_WORKER = 4
PARTITIONS_AT_MOST = 512
REPLICAS = 3
ROOM = 2  # local disk while RocksDB compacts
DIRTY = 1.25  # changelog between two cleanings, at min.cleanable.dirty.ratio 0.2
READ_MODEL_US = 45  # a row, docs/adr/0006-the-read-model.md
LIST_US = 0.1  # a customer and list, the same
DAY_S = 86_400
SAMPLE = 2_000


class Measured:
    """What the newest run measured, in the units of its rows."""

    def __init__(self, document: Mapping[str, list[Mapping[str, float]]]) -> None:
        rows = {str(row["bar"]): float(row["measured"]) for row in document["rows"]}
        (recovered,) = [bar for bar in rows if bar.startswith("ready with")]
        self.customers = float(recovered.split()[2].replace(",", ""))
        self.events_per_s = rows["whole customer fold, one core"]
        self.event_us = rows["CPU an event, of both workers"]
        self.row_bytes = rows["changelog, a customer"]
        self.store_bytes = rows["local store, a customer"]
        self.memory_gib = rows["memory when ready"]
        self.start_s = rows[recovered]
        self.recovered_per_s = self.customers / (rows["the same from the changelog alone"] - self.start_s)
        events = [encode(event) for event in generate(SAMPLE, SAMPLE, end_ms=END_MS)]
        self.event_bytes = sum(map(len, events)) / len(events)


class Size:
    """One column of the table."""

    def __init__(self, customers: float, measured: Measured) -> None:
        self.customers = customers
        self.at = measured
        self.peak = customers * EVENTS_A_DAY / DAY_S * PEAK
        self.for_events = ceil(self.peak * measured.event_us / 1e6 / FILLED)
        self.for_recovery = ceil(customers / (measured.recovered_per_s * RECOVERED_S))
        self.workers = max(2, self.for_events, self.for_recovery)
        self.partitions = 1 << ceil(self.workers * PARTITIONS_A_WORKER - 1).bit_length()

    def recovered_s(self) -> float:
        return self.at.start_s + self.customers / self.workers / self.at.recovered_per_s


LINES: dict[str, Callable[[Size], str]] = {
    "events/s, mean · peak": lambda s: f"{s.peak / PEAK:,.0f} · {s.peak:,.0f}",
    "workers for the peak": lambda s: f"{s.for_events:,}",
    "workers for recovery in 10 minutes": lambda s: f"{s.for_recovery:,}",
    "**workers** (a core each)": lambda s: f"**{s.workers:,}**",
    "partitions": lambda s: f"{s.partitions:,}" + (" (!)" if s.partitions > PARTITIONS_AT_MOST else ""),
    "customers a worker": lambda s: f"{s.customers / s.workers / 1e6:,.1f} M",
    "memory a worker": lambda s: f"{s.at.memory_gib:.1f} GiB",
    "local disk a worker": lambda s: _bytes(s.at.store_bytes * s.customers / s.workers * ROOM),
    "a worker's restart, with its store": lambda s: _time(s.at.start_s),
    "a worker's recovery, without": lambda s: _time(s.recovered_s()),
    "changelog, on the brokers": lambda s: _bytes(s.at.row_bytes * s.customers * DIRTY * REPLICAS),
    "events of a year, on the brokers": lambda s: _bytes(
        s.at.event_bytes * s.customers * EVENTS_A_DAY * 365 * REPLICAS
    ),
    "a year folded again (`rebuild`)": lambda s: _time(
        s.customers * EVENTS_A_DAY * 365 / (s.workers * s.at.events_per_s)
    ),
    "an API's read model: file": lambda s: _bytes(s.at.row_bytes * s.customers),
    "… filled from nothing": lambda s: _time(s.customers * READ_MODEL_US / 1e6),
    "… its core at the peak": lambda s: f"{s.peak * READ_MODEL_US / 1e4:,.0f} %",
    "… a filtered list": lambda s: _time(s.customers * LIST_US / 1e6),
}


def table(measured: Measured) -> str:
    sizes = {name: Size(customers, measured) for name, customers in SIZES.items()}
    lines = ["| customers | " + " | ".join(sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for name, value in LINES.items():
        lines.append(f"| {name} | " + " | ".join(value(size) for size in sizes.values()) + " |")
    inputs = (
        f"Measured: {measured.events_per_s:,.0f} events/s a worker that catches up; "
        f"{measured.event_us:.0f} µs of CPU an event where it keeps up; "
        f"{measured.recovered_per_s:,.0f} rows/s recovered; {measured.row_bytes:.0f} bytes a row on the "
        f"changelog, {measured.store_bytes:.0f} in the store; {measured.event_bytes:.0f} bytes an event."
    )
    return "\n".join([inputs, "", *lines, ""])


def written(document: str, measured: Measured) -> str:
    """The document with the table of what was measured."""
    before, rest = document.split(BEGIN)
    return before + BEGIN + table(measured) + END + rest.split(END)[1]


def _bytes(size: float) -> str:
    for unit in ("MB", "GB", "TB"):
        size /= 1e6 if unit == "MB" else 1e3
        if size < 1_000:
            return f"{size:,.1f} {unit}"
    return f"{size / 1e3:,.1f} PB"


def _time(seconds: float) -> str:
    for unit, length in (("d", DAY_S), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.1f} s"


def main() -> None:
    measured = Measured(json.loads(RESULTS.read_text("utf-8")))
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), measured), "utf-8")


if __name__ == "__main__":
    main()
