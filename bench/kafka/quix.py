"""How fast is Quix Streams? A stateful apply, on its own RocksDB store with its changelog, at least once.

The state is bytes of the same codec as the other contestants', which spares Quix its JSON.
"""

import asyncio

from quixstreams import Application, State, message_context

from bench.kafka import contest
from bench.kafka.contest import Contest, Totals
from schemas.codec import decode, encode
from schemas.events import CustomerEvent
from streams.topics import EVENTS

STATE = "state"


def run(given: Contest) -> Totals:
    fold, left = given.fold, given.events

    def project(value: bytes, state: State) -> bytes | None:
        given.meter.start()
        event = decode(value)
        assert isinstance(event, CustomerEvent)
        stored = state.get_bytes(STATE)
        row, changed = fold.step(
            None if stored is None else fold.decode(stored), event, message_context().offset
        )
        state.set_bytes(STATE, fold.encode(row))
        return None if changed is None else encode(changed)

    def processed(topic: str, partition: int, offset: int) -> None:  # noqa: ARG001
        nonlocal left
        left -= 1
        if not left:
            app.stop()

    app = Application(
        broker_address=given.broker,
        consumer_group=given.name,
        auto_offset_reset="earliest",
        state_dir=given.path,
        on_message_processed=processed,
        loglevel="ERROR",
    )
    events = app.topic(EVENTS, key_deserializer="bytes", value_deserializer="bytes")
    announced = app.topic(given.transitions, key_serializer="bytes", value_serializer="bytes")
    frame = app.dataframe(events).apply(project, stateful=True)
    if given.what == "whole":
        frame.filter(lambda changed: changed is not None).to_topic(announced)
    app.run()  # ends with a checkpoint, which flushes the changelog and the store
    given.meter.stop()
    changelog = f"changelog__{given.name}--{EVENTS}--default"
    return asyncio.run(contest.durable(given, changelog, given.transitions))


if __name__ == "__main__":
    contest.main(run)
