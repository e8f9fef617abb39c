"""Do deliveries reach their bars? `make bench-deliveries`, which also writes bench/results/deliveries.json.

`ARGS='--messages 2000 --pending 10000 --seconds 5'` is a look, and writes nothing.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.report import Row, show, write
from bench.running import measured

RESULTS = Path(__file__).parent / "results" / "deliveries.json"
PACKAGES = ("aiohttp", "uvloop", "msgspec", "fastavro", "common-expression-language", "faust-streaming")
PENDING = 1_000_000


def main(
    messages: Annotated[int, typer.Option(help="Messages of the rate.")] = 20_000,
    seconds: Annotated[int, typer.Option(help="Length of the latency.")] = 30,
    pending: Annotated[int, typer.Option(help="Messages that wait for another attempt.")] = PENDING,
) -> None:
    """Measure every bar of deliveries; exit 1 if one does not hold."""
    rate = measured("delivering", "rate", messages)
    latency = measured("delivering", "latency", seconds)
    memory = measured("delivering", "pending", pending)
    waiting = f"{pending:,} pending retries"
    rows = [
        Row("deliveries to a local receiver, one process", 1_000, rate["deliveries_per_s"], "/s"),
        Row("CPU a delivery", None, rate["cpu_us_per_delivery"], "µs"),
        Row("event to first attempt at 200 transitions/s, p99", 2_000, latency["p99_ms"], "ms", "at most"),
        Row("event to first attempt at 200 transitions/s, p50", None, latency["p50_ms"], "ms"),
        Row(f"memory of {waiting}, over none", 200, memory["memory_mib"], "MiB", "at most"),
        Row("the same, most of it while log and archive take them in", None, memory["taking_in_mib"], "MiB"),
        Row(f"{waiting} taken in from the log", None, memory["caught_up_s"], "s"),
        Row(f"start with {waiting}", None, memory["restarted_s"], "s"),
    ]
    show(rows)
    if pending == PENDING:
        write(RESULTS, rows, PACKAGES)
    sys.exit(any(row.holds is False for row in rows))


if __name__ == "__main__":
    typer.run(main)
