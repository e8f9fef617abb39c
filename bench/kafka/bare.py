"""How fast is a loop that keeps nothing? aiokafka's getmany, decode and fold, onto a dict in memory."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from bench.kafka import contest
from bench.kafka.contest import Contest, Totals
from schemas.codec import decode
from schemas.events import CustomerEvent
from streams.topics import EVENTS

POLL_MS = 1_000


async def run(given: Contest) -> Totals:
    fold, step, states = given.fold, given.fold.step, {}  # type: ignore[var-annotated]
    consumer: Any = AIOKafkaConsumer(
        EVENTS,
        bootstrap_servers=given.broker,
        group_id=given.name,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    left, transitions = given.events, 0
    try:
        while left:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                given.meter.start()
                for record in records:
                    event = decode(record.value)
                    assert isinstance(event, CustomerEvent)
                    states[record.key], changed = step(states.get(record.key), event, record.offset)
                    transitions += changed is not None
                left -= len(records)
        given.meter.stop()
    finally:
        await consumer.stop()
    return contest.totals(fold, [fold.encode(state) for state in states.values()], transitions)


if __name__ == "__main__":
    contest.main(lambda given: asyncio.run(run(given)))
