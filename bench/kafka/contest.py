"""What must every contestant do and tell? Fold all events from the topic's start, and print one JSON object.

`python -m bench.kafka.CONTESTANT whole|three URL [tuned]`, on a topic that `bench.kafka.source` filled. The
clock runs from the first event handed to the fold until the state of the last one is as durable as the
contestant makes it: starting up, joining a group and recovering are left out for all alike. CPU is of the
whole process with its threads. Afterwards the durable state is read back and added up.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.data import PARTITIONS
from bench.folds import FOLDS, Fold
from bench.kafka.source import Totals, count, make, read
from streams.kafka_client import servers
from streams.log import TopicSpec
from streams.rows import PARTITION_KEY
from streams.runtime import tune
from streams.settings import Settings


class Meter:
    """Wall clock and CPU of this process, between the first event and the end."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._ended = (0.0, 0.0)

    def start(self) -> None:
        """Call it before each event: the first counts."""
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """The last call counts."""
        self._ended = time.perf_counter(), time.process_time()

    def rates(self, events: int) -> dict[str, float]:
        assert self._began is not None, "no event was folded"
        wall, cpu = (end - begin for begin, end in zip(self._began, self._ended, strict=True))
        return {"events_per_s": events / wall, "cpu_us_per_event": cpu / events * 1e6}


class Contest(NamedTuple):
    """What a contestant is given."""

    what: str
    url: str
    events: int
    path: Path  # for its state
    name: str  # of its group and topics, never used before
    meter: Meter

    @property
    def fold(self) -> Fold:
        return FOLDS[self.what]

    @property
    def broker(self) -> str:
        """host:port"""
        return servers(Settings(log_url=self.url))[0]

    @property
    def transitions(self) -> str:
        """The topic of its outputs."""
        return f"{self.name}-transitions"


def totals(fold: Fold, states: list[bytes], transitions: int) -> Totals:
    return Totals(len(states), sum(fold.spent(fold.decode(state)) for state in states), transitions)


async def durable(contest: Contest, changelog: str, transitions: str) -> Totals:
    """The totals of what the contestant has on Kafka."""
    latest = dict(await read(contest.url, changelog))
    latest.pop(PARTITION_KEY, None)
    announced = len(await read(contest.url, transitions)) if contest.what == "whole" else 0
    return totals(contest.fold, list(latest.values()), announced)


def main(run: Callable[[Contest], Totals]) -> None:
    """Run a contestant as the command line says."""
    what, url, *tuned = sys.argv[1:]
    if tuned:
        tune()
    events = asyncio.run(count(url))
    with TemporaryDirectory(prefix="headwater-bench-") as path:
        contest = Contest(what, url, events, Path(path), f"bench-{uuid.uuid4().hex[:8]}", Meter())
        asyncio.run(make(url, [TopicSpec(contest.transitions, PARTITIONS)]))
        found = run(contest)
        print(json.dumps(contest.meter.rates(events) | found._asdict()))
