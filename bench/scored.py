"""What do scores cost? The same events folded with three models in force and weekly questions, and without.

`python -m bench.scored on|off|everything-on|everything-off EVENTS` prints one JSON object: events of a month,
twenty a customer. `everything` has the archive and the read model keep up beside the fold.
`python -m bench.scored learn EXAMPLES` prints how many examples a second are judged and learned, by the
champion and by all models, and how large a snapshot is.
"""

import asyncio
import json
import os
import random
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.data import END_MS, PARTITIONS
from bench.events import generate
from bench.fold import everything, fold
from projections import customer
from projections.scoring import features
from projections.scoring.models import CHAMPION, MODELS, inputs
from projections.scoring.prequential import Example, Prequential
from projections.scoring.snapshots import dump
from projections.times import DAY_MS
from schemas.codec import encode
from schemas.events import CustomerEvent, EngineEvent, ModelInForce, ModelPublished, ScoringSet
from streams.log import Append, Log
from streams.outputs import output_id
from streams.runtime import tune
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, partition_for, topic_specs
from streams.topics import MODELS as SNAPSHOTS

TARGETS = ("churn", "order_30d", "order_7d")
DAYS, EVENTS_A_CUSTOMER = 30, 20
HORIZON_MS = 7 * DAY_MS


def events_of(count: int) -> list[CustomerEvent]:
    return list(generate(count, count // EVENTS_A_CUSTOMER, end_ms=END_MS, days=DAYS))


def examples_of(count: int) -> list[Example]:
    """What a customer was at each of its events, and whether there was another within a week."""
    last: dict[str, Example] = {}
    states: dict[str, customer.Customer] = {}
    found = []
    for event in events_of(count):
        name, at = event.customer_id, event.occurred_at
        if name in last:
            asked = last[name]
            found.append(asked._replace(label=at <= asked.until))
        states[name] = state = customer.evolve(states.get(name, customer.ZERO), event)
        last[name] = Example(name, at, at + HORIZON_MS, features.of(state, at), False)
    return sorted(found, key=lambda each: each.until)


def snapshot() -> bytes:
    model = MODELS[CHAMPION]()
    for each in examples_of(5_000):
        model.learn_one(inputs(each.values), each.label)
    return dump(model)  # type: ignore[arg-type]  # the champion's


async def _fill(path: Path, count: int, *, scored: bool) -> None:
    log = await SqliteLog.open(path / "log.db", topic_specs(PARTITIONS))
    try:
        if scored:
            await _put_in_force(log)
        appended_ms = time.time_ns() // 1_000_000
        events = iter(events_of(count))
        while part := list(islice(events, 5_000)):
            keyed = [(event.customer_id.encode(), event) for event in part]
            await log.append(
                [Append(EVENTS, partition_for(k, PARTITIONS), k, encode(e), appended_ms) for k, e in keyed]
            )
    finally:
        await log.close()


async def _put_in_force(log: Log) -> None:
    chance, data = random.Random(1), snapshot()
    for target in TARGETS:
        common = {"occurred_at": 0, "received_at": 0, "target": target, "model": CHAMPION, "as_of": 0}
        identity = output_id(target, chance.random())
        published = ModelPublished(event_id=identity, lessons=5_000, snapshot=data, **common)  # type: ignore[arg-type]
        (place,) = await log.append([Append(SNAPSHOTS, 0, None, encode(published))])
        await _broadcast(log, ModelInForce(event_id=identity, model_offset=place.offset, **common))  # type: ignore[arg-type]
    asked = ScoringSet(
        event_id=output_id("scoring"), occurred_at=0, received_at=0, targets=TARGETS, every_days=7
    )
    await _broadcast(log, asked)


async def _broadcast(log: Log, event: EngineEvent) -> None:
    await log.append([Append(EVENTS, p, None, encode(event)) for p in range(PARTITIONS)])


def folded(count: int, what: str) -> dict[str, float]:
    os.environ["HEADWATER_TARGETS"] = ",".join(TARGETS) if what.endswith("on") else ""
    with TemporaryDirectory(prefix="headwater-bench-") as temporary:
        path = Path(temporary)
        asyncio.run(_fill(path, count, scored=what.endswith("on")))
        return asyncio.run(everything(path) if what.startswith("everything") else fold(path))


def learned(count: int) -> dict[str, float]:
    examples = examples_of(count)
    rates = {}
    for name, models in (("champion", {CHAMPION: MODELS[CHAMPION]}), ("all_models", MODELS)):
        learning, started = Prequential(models), time.perf_counter()
        for each in examples:
            learning.learn(each)
        rates[f"{name}_examples_per_s"] = len(examples) / (time.perf_counter() - started)
    return {**rates, "snapshot_bytes": float(len(snapshot()))}


def main() -> None:
    tune()
    what, count = sys.argv[1], int(sys.argv[2])
    print(json.dumps(learned(count) if what == "learn" else folded(count, what)))


if __name__ == "__main__":
    main()
