"""How fast is Faust as its manual has it? An agent that takes events one by one and writes a key for each.

`python -m bench.idiomatic_faust whole|three EVENTS CUSTOMERS SPREAD [tuned]` prints one JSON object. With
`tuned` the interpreter is set up as ours is, else it is as Python and Faust leave it. Same embedded log,
same events, same codec; the state is in a Faust Table of bytes on Faust's own RocksDB store (rocksdict), its
changelog on the log. The whole fold does a customer's row as Headwater's does (repeats, state, stage,
transition) but for due moments, which Faust has nothing for: that work is left out in its favour.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import faust
from faust.contrib.asgi import faust_app_running
from faust.transport import base
from faust.types import TP, ConsumerMessage

from bench.data import PARTITIONS, data_dir
from bench.events import Spread
from bench.folds import Three, decode_three, encode_three, whole
from schemas.codec import decode, encode
from schemas.events import CustomerEvent
from streams import sqlite_transport
from streams.log import Record, TopicSpec
from streams.rows import decode_row, encode_row
from streams.runtime import tune
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, TRANSITIONS, topic_specs

TABLE = TopicSpec("headwater-customers-changelog", PARTITIONS, compacted=True)


class Consumer(sqlite_transport.Consumer):
    """Hands Faust one message a record, and resumes where Faust committed."""

    _new_offset = base.Consumer._new_offset
    _add_gap = base.Consumer._add_gap

    async def seek_to_committed(self) -> Mapping[TP, int]:
        for tp in self._assigned:
            committed = await self.transport.log.committed(self.app.conf.id, tp.topic)
            self._positions[tp] = committed.get(tp.partition, 0)
        return dict(self._positions)

    async def _read(self, wanted: Mapping[TP, int]) -> dict[TP, list[Any]]:
        return {tp: list(run.records) for tp, runs in (await super()._read(wanted)).items() for run in runs}

    def _to_message(self, tp: TP, record: Record) -> ConsumerMessage:  # type: ignore[override]
        at = record.timestamp_ms / 1000
        key, value = record.key, record.value
        generation = self.app.consumer_generation_id
        return ConsumerMessage(
            *tp, record.offset, at, 1, None, key, value, None, tp=tp, generation_id=generation
        )


class Transport(sqlite_transport.Transport):
    Consumer = Consumer


async def run(path: Path, what: str) -> dict[str, float]:
    log = await SqliteLog.open(path / "log.db", topic_specs(PARTITIONS))
    app = faust.App(
        "headwater",
        broker="sqlite://",
        store="rocksdb://?driver=rocksdict",
        datadir=path / "faust",
        topic_partitions=PARTITIONS,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        stream_recovery_delay=0.0,
    )
    app.transport = Transport(app, log, cast(Any, None), 1_000)
    events = app.topic(EVENTS, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
    transitions = app.topic(TRANSITIONS, value_serializer="raw", key_serializer="raw")
    table = app.Table(
        "customers", key_type=bytes, value_type=bytes, partitions=PARTITIONS,
        options={"driver": "rocksdict", "block_cache_size": 128 << 20, "write_buffer_size": 32 << 20},
    )  # fmt: skip
    total = sum(await log.end_offsets(EVENTS))
    folded, done = 0, asyncio.Event()

    @app.agent(events)
    async def project_customers(stream: Any) -> None:
        nonlocal folded
        async for message in stream.events():
            key, event = message.key, decode(message.value)
            if what == "three":
                stored = table.get(key)
                table[key] = encode_three((Three() if stored is None else decode_three(stored)).evolve(event))
            elif isinstance(event, CustomerEvent):
                stored = table.get(key)
                row, changed = whole(
                    None if stored is None else decode_row(stored), event, message.message.offset
                )
                table[key] = encode_row(row)
                if changed is not None:
                    await transitions.send(
                        key=key, value=encode(changed), partition=message.message.partition
                    )
            folded += 1
            if folded == total:
                done.set()

    async with faust_app_running(app):
        started, cpu, before = time.perf_counter(), time.process_time(), folded
        await done.wait()
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    await log.close()
    return {"events_per_s": (total - before) / elapsed, "cpu_us_per_event": cpu / (total - before) * 1e6}


def main() -> None:
    what, events, count, spread, *tuned = sys.argv[1:]
    if tuned:
        tune()
    with data_dir(int(events), int(count), cast(Spread, spread), [TABLE]) as path:
        print(json.dumps(asyncio.run(run(path, what))))


if __name__ == "__main__":
    main()
