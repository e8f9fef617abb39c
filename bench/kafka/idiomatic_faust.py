"""How fast is Faust as its manual has it? An agent on aiokafka that writes a table key for each event.

The table is of bytes, on Faust's own RocksDB store (rocksdict), its changelog on Kafka, at least once. The
whole fold leaves out due moments, which Faust has nothing for, in its favour. `tuned` sets the interpreter up
as ours is.
"""

import asyncio
from typing import Any

import faust
from faust.contrib.asgi import faust_app_running

from bench.data import PARTITIONS
from bench.kafka import contest
from bench.kafka.contest import Contest, Totals
from schemas.codec import decode, encode
from schemas.events import CustomerEvent
from streams.topics import EVENTS


async def run(given: Contest) -> Totals:
    fold = given.fold
    app = faust.App(
        given.name,
        broker=given.url,
        store="rocksdb://?driver=rocksdict",
        datadir=given.path,
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        web_enabled=False,
    )
    events = app.topic(EVENTS, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
    transitions = app.topic(given.transitions, value_serializer="raw", key_serializer="raw")
    table = app.Table(
        "customers", key_type=bytes, value_type=bytes, partitions=PARTITIONS,
        options={"driver": "rocksdict", "block_cache_size": 128 << 20, "write_buffer_size": 32 << 20},
    )  # fmt: skip
    left, done = given.events, asyncio.Event()

    @app.agent(events)
    async def project_customers(stream: Any) -> None:
        nonlocal left
        async for message in stream.events():
            given.meter.start()
            key, event = message.key, decode(message.value)
            assert isinstance(event, CustomerEvent)
            stored = table.get(key)
            offset, partition = message.message.offset, message.message.partition
            state, changed = fold.step(None if stored is None else fold.decode(stored), event, offset)
            table[key] = fold.encode(state)
            if changed is not None:
                await transitions.send(key=key, value=encode(changed), partition=partition)
            left -= 1
            if not left:
                done.set()

    async with faust_app_running(app):
        await done.wait()
        given.meter.stop()
    return await contest.durable(given, f"{given.name}-customers-changelog", given.transitions)


if __name__ == "__main__":
    contest.main(lambda given: asyncio.run(run(given)))
