"""Does the embedded engine reach its bars? `make bench`, or `make bench ARGS='--events 20000'` for a look.

Each measurement runs in a process of its own; the contestants of one comparison run one after the other on
the same log. A full run also writes what it prints to bench/results/embedded.json.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.report import Row, show, write
from bench.running import measured

RESULTS = Path(__file__).parent / "results" / "embedded.json"
FULL = 1_000_000


def against_faust(what: str, events: int) -> tuple[float, float]:
    """Our rate over idiomatic Faust's, and over its rate with our interpreter settings.

    Ours is the median of three, before, between and after theirs: a machine that slows down slows both.
    """
    log = (what, events, events // 10, "uniform")
    first, faust = measured("fold", *log), measured("idiomatic_faust", *log)
    second, tuned = measured("fold", *log), measured("idiomatic_faust", *log, "tuned")
    ours = sorted(each["events_per_s"] for each in (first, second, measured("fold", *log)))[1]
    return ours / faust["events_per_s"], ours / tuned["events_per_s"]


def main(
    events: Annotated[int, typer.Option(help="Events of the large log; a tenth as many customers.")] = FULL,
    peer_events: Annotated[int, typer.Option(help="Events that idiomatic Faust gets, being slow.")] = 100_000,
    seconds: Annotated[int, typer.Option(help="Length of each HTTP measurement.")] = 30,
) -> None:
    """Measure every bar of the embedded engine; exit 1 if one does not hold."""
    peer_events = min(events, peer_events)
    http = measured("server", "http", seconds)
    cdnow = measured("server", "cdnow")
    whole, whole_tuned = against_faust("whole", peer_events)
    three, three_tuned = against_faust("three", peer_events)
    uniform = measured("fold", "whole", events, events // 10, "uniform")
    zipf = measured("fold", "whole", events, events // 10, "zipf")
    few = measured("fold", "whole", events // 4, events // 100, "uniform")
    many = measured("fold", "whole", events, events, "uniform")
    start = measured("server", "start", events, events // 10)
    rows = [
        Row("whole customer fold, uniform", 10_000, uniform["events_per_s"], "events/s"),
        Row("whole customer fold, Zipf 1.0", 10_000, zipf["events_per_s"], "events/s"),
        Row("the same, archive and read model keeping up", 4_000, start["events_per_s"], "events/s"),
        Row("CPU an event, uniform", None, uniform["cpu_us_per_event"], "µs"),
        Row(
            "CPU an event, 100 × the customers",
            2.5,
            many["cpu_us_per_event"] / few["cpu_us_per_event"],
            "×",
            "at most",
        ),
        Row("whole fold ÷ idiomatic Faust", 5, whole, "×"),
        Row("the same, Faust with our interpreter settings", None, whole_tuned, "×"),
        Row("three-field fold ÷ idiomatic Faust", 20, three, "×"),
        Row("the same, Faust with our interpreter settings", None, three_tuned, "×"),
        Row("POST to visible, 200/s, p99", 250, http["visible_p99_ms"], "ms", "at most"),
        Row("POST to visible, 200/s, p50", None, http["visible_p50_ms"], "ms"),
        Row("GET a customer, 500/s, p99", 10, http["read_p99_ms"], "ms", "at most"),
        Row("GET a customer, 500/s, p50", None, http["read_p50_ms"], "ms"),
        Row("serve to ready", 5, start["ready_s"], "s", "at most"),
        Row("memory when ready", 1.5, start["memory_gib"], "GiB", "at most"),
        Row("CDNOW loaded and live", 20, cdnow["live_s"], "s", "at most"),
    ]
    show(rows)
    if events == FULL:
        write(RESULTS, rows)
    sys.exit(any(row.holds is False for row in rows))


if __name__ == "__main__":
    typer.run(main)
