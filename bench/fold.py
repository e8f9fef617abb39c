"""How fast does the embedded engine fold? The whole customer, or three fields, from a filled log.

`python -m bench.fold whole|three|everything EVENTS CUSTOMERS SPREAD` prints one JSON object. `everything`
has the archive and the read model keep up beside it, and ends when both have everything.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import msgspec

from bench.data import data_dir, settings
from bench.events import Spread
from bench.folds import Three, decode_three, encode_three
from schemas.codec import decode
from streams import folding
from streams.engine import Engine
from streams.lane import Lane, changelog
from streams.rows import encode_partition
from streams.runs import Run
from streams.runtime import tune
from streams.topics import EVENTS

HOT_STATES = 50_000  # a partition


class ThreeFieldLane(Lane):
    """The same lane, transaction, changelog and store, around the smallest useful fold.

    It keeps the states that it wrote last decoded at hand, as CustomerTable keeps whole rows.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._hot: dict[int, dict[bytes, Three]] = {}

    async def take_over(self, partition: int) -> int:
        self._hot[partition] = {}
        return await super().take_over(partition)

    async def apply(self, run: Run) -> None:
        before, hot = self._partitions[run.partition], self._hot[run.partition]
        states: dict[bytes, Three] = {}
        if missing := list({record.key or b"" for record in run.records} - hot.keys()):
            stored = self._table.values(run.partition, missing)
            for key, value in zip(missing, stored, strict=True):
                states[key] = Three() if value is None else decode_three(value)
        for _, key, value, _ in run.records:
            state = states.get(key) or hot[key]
            states[key] = state.evolve(decode(value))
        encoded = {key: encode_three(state) for key, state in states.items()}
        row = msgspec.structs.replace(before, position=run.end, events=before.events + len(run.records))
        partition_row = encode_partition(row)
        batch = changelog(run.partition, encoded, partition_row)
        positions = await self._producers[run.partition].transact(batch)
        self._table.write(run.partition, encoded, [], partition_row, positions[-1].offset + 1)
        self._partitions[run.partition] = row
        hot.update(states)
        if len(hot) > HOT_STATES:
            hot.clear()


async def fold(path: Path) -> dict[str, float]:
    """Open the engine on a filled log and wait until it is folded."""
    async with Engine.open(settings(path)) as engine:
        events = sum(await engine.log.end_offsets(EVENTS)) - _folded(engine)
        started, cpu = time.perf_counter(), time.process_time()
        await engine.caught_up()
        return _rates(events, started, cpu)


async def everything(path: Path) -> dict[str, float]:
    """The same with the archive and the read model beside it, until both have all of it."""
    from cli.compose import running

    async with running(path, clock="events") as parts:
        events = sum(await parts.engine.log.end_offsets(EVENTS)) - _folded(parts.engine)
        started, cpu = time.perf_counter(), time.process_time()
        await parts.settled()
        return _rates(events, started, cpu)


def _folded(engine: Engine) -> int:
    return sum(row.position for row in engine.lane.partitions.values())


def _rates(events: int, started: float, cpu: float) -> dict[str, float]:
    return {
        "events_per_s": events / (time.perf_counter() - started),
        "cpu_us_per_event": (time.process_time() - cpu) / events * 1e6,
    }


def main() -> None:
    tune()
    what, events, customers, spread = sys.argv[1:]
    with data_dir(int(events), int(customers), cast(Spread, spread)) as path:
        if what == "three":
            vars(folding)["Lane"] = ThreeFieldLane
        print(json.dumps(asyncio.run(everything(path) if what == "everything" else fold(path))))


if __name__ == "__main__":
    main()
