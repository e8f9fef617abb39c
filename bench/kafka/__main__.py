"""Does Headwater on Kafka reach its bars? `make bench-kafka`, or with ARGS='--events 20000' for a look.

One broker in one run. Each contestant folds the same events, in a process of its own with one core for
itself; the broker has the other cores. Headwater and the peers take turns, seven times (idiomatic Faust,
being slow, once), and a ratio is the median of those of each turn: a machine that slows down for some minutes
slows all of a turn. A full run also writes what it prints to bench/results/kafka.json.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer

from bench.kafka.source import Totals, fill
from bench.report import Row, show, write
from bench.running import measured, pin
from tests.kafka.broker import VERSION, Broker

RESULTS = Path(__file__).parents[1] / "results" / "kafka.json"
PACKAGES = (
    *("faust-streaming", "aiokafka", "rocksdict", "msgspec", "fastavro", "uvloop"),
    *("quixstreams", "bytewax", "confluent-kafka"),
)
FULL = 1_000_000
RATE = 4_000  # of the producer with which two workers keep up

OURS, FAUST, TUNED = "headwater", "idiomatic_faust", "idiomatic_faust tuned"
PEERS = {
    OURS: "Headwater",
    FAUST: "Faust",
    TUNED: "Faust with our interpreter settings",
    "quix": "Quix Streams",
    "bytewax_flow": "Bytewax",
    "bare": "bare loop",
}
FAST = (OURS, "quix", "bytewax_flow", "bare")
ROUNDS = ((*FAST, FAUST), (*FAST, TUNED), *(FAST,) * 5)
BARS = {  # Headwater's rate over a peer's: with the whole fold, with three fields
    FAUST: (5, 20),
    TUNED: (None, None),
    "quix": (1.2, 2),
    "bytewax_flow": (None, 1),
    "bare": (0.25, None),
}
FOLDS = {"whole": "whole fold", "three": "three-field fold"}


class Rates(NamedTuple):
    """Medians of what one contestant did with one fold; `ahead`: our rate over its own, in that round."""

    events_per_s: float
    cpu_us_per_event: float
    ahead: float


class Machine:
    """The broker, and which cores it and the contestants have."""

    def __init__(self, broker: Broker) -> None:
        self.url = broker.url
        self._pid = broker.pid
        self._all = os.sched_getaffinity(0)
        self._one = {min(self._all)}

    def contest(self, contestant: str, what: str, expected: Totals) -> dict[str, float]:
        """What a contestant did on a core of its own; exits if its state is not right."""
        pin(self._pid, self._all - self._one or self._all)
        module, *tuned = contestant.split()
        result = measured(f"kafka.{module}", what, self.url, *tuned, cores=self._one)
        found = Totals(*(int(result.pop(name)) for name in Totals._fields))
        announced = found.transitions if what == "whole" else expected.transitions
        right = announced >= expected.transitions if module == OURS else announced == expected.transitions
        if not right or found[:2] != expected[:2]:
            sys.exit(f"{contestant} folded {found}, and the events give {expected}")
        return result

    def alone(self, module: str, *arguments: object) -> dict[str, float]:
        """A measurement that shares all cores with the broker."""
        pin(self._pid, self._all)
        return measured(module, self.url, *arguments)


def against_each_other(machine: Machine, what: str, expected: Totals) -> dict[str, Rates]:
    runs: dict[str, list[Rates]] = {}
    for contestants in ROUNDS:
        ours = 0.0
        for contestant in contestants:
            done = machine.contest(contestant, what, expected)
            rate, cpu_us = done["events_per_s"], done["cpu_us_per_event"]
            ours = ours or rate
            runs.setdefault(contestant, []).append(Rates(rate, cpu_us, ours / rate))
    return {peer: Rates(*map(median, zip(*done, strict=True))) for peer, done in runs.items()}


def compared(rates: dict[str, dict[str, Rates]]) -> Iterator[Row]:
    for peer, bars in BARS.items():
        for (what, name), bar in zip(FOLDS.items(), bars, strict=True):
            yield Row(f"{name} ÷ {PEERS[peer]}", bar, rates[what][peer].ahead, "×")
    for contestant, name in PEERS.items():
        for what, fold in FOLDS.items():
            yield Row(f"{fold}, {name}", None, rates[what][contestant].events_per_s, "events/s")
            yield Row(f"CPU an event, {fold}, {name}", None, rates[what][contestant].cpu_us_per_event, "µs")


def main(
    events: Annotated[int, typer.Option(help="Events of the large topic; a tenth as many customers.")] = FULL,
    peer_events: Annotated[int, typer.Option(help="Events that every contestant gets.")] = 200_000,
    customers: Annotated[int, typer.Option(help="Customers to recover.")] = 500_000,
    seconds: Annotated[int, typer.Option(help="How long two workers are to keep up.")] = 60,
) -> None:
    """Measure every bar on Kafka; exit 1 if one does not hold."""
    full = events == FULL
    peer_events, customers = min(events, peer_events), customers if full else min(events, customers)
    with TemporaryDirectory(prefix="headwater-bench-") as path:
        broker = Broker(Path(path), jvm=())
        broker.start()
        try:
            machine = Machine(broker)
            expected = asyncio.run(fill(machine.url, peer_events, peer_events // 10))
            rates = {what: against_each_other(machine, what, expected) for what in FOLDS}
            expected = asyncio.run(fill(machine.url, events, events // 10))
            large = machine.contest(OURS, "whole", expected)
            recovery = machine.alone("kafka.recovery", customers)
            keeping = machine.alone("kafka.keeping_up", RATE, seconds)
        finally:
            broker.stop()
    rows = [
        Row("whole customer fold, one core", 8_000, large["events_per_s"], "events/s"),
        Row("the same, what is aimed at", None, large["events_per_s"] / 15_000, "× 15,000 events/s"),
        Row("CPU an event", None, large["cpu_us_per_event"], "µs"),
        *compared(rates),
        Row(f"ready with {customers:,} customers, local store", 10, recovery["store_s"], "s", "at most"),
        Row("the same after kill -9", None, recovery["killed_s"], "s"),
        Row("the same from the changelog alone", 60, recovery["none_s"], "s", "at most"),
        Row("memory when ready", None, recovery["memory_gib"], "GiB"),
        Row("changelog, a customer", None, recovery["row_bytes"], "bytes"),
        Row("local store, a customer", None, recovery["store_bytes"], "bytes"),
        Row(f"two workers, {RATE:,} events/s: event to row, p99", 1_000, keeping["p99_ms"], "ms", "at most"),
        Row("event to row, p50", None, keeping["p50_ms"], "ms"),
        Row("event to row, at most", None, keeping["max_ms"], "ms"),
        Row("producer's rate, kept", 0.99 * RATE, keeping["rate"], "events/s"),
        Row("all visible after the last event", 1_000, keeping["behind_ms"], "ms", "at most"),
        Row("CPU an event, of both workers", None, keeping["cpu_us_per_event"], "µs"),
    ]
    show(rows)
    if full:
        write(RESULTS, rows, PACKAGES, {"kafka": VERSION})
    sys.exit(any(row.holds is False for row in rows))


if __name__ == "__main__":
    typer.run(main)
