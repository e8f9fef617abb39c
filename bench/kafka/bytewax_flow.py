"""How fast is Bytewax? A stateful_map with recovery on, at its default of a snapshot every 10 s.

The difference: its state is live objects in memory, pickled into SQLite files at each epoch's end, with
the consumer's offsets; there is no changelog topic and no RocksDB. What happened since the last epoch is done
again after a crash.
"""

import asyncio
import pickle
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from bench.data import PARTITIONS
from bench.kafka import contest
from bench.kafka.contest import Contest, Totals
from bench.kafka.source import read
from schemas.codec import decode, encode
from schemas.events import CustomerEvent
from streams.topics import EVENTS

EPOCH = timedelta(seconds=10)
SNAPSHOTS = "select state_key, ser_change from snaps where step_id like '%project%' order by snap_epoch"


def run(given: Contest) -> Totals:
    step = given.fold.step

    def keyed(message: Any) -> tuple[str, Any]:
        given.meter.start()
        return message.key.decode(), message

    def project(state: Any, message: Any) -> tuple[Any, bytes | None]:
        event = decode(message.value)
        assert isinstance(event, CustomerEvent)
        state, changed = step(state, event, message.offset)
        return state, None if changed is None else encode(changed)

    def announce(item: tuple[str, bytes | None]) -> KafkaSinkMessage[bytes, bytes] | None:
        key, changed = item
        return None if changed is None else KafkaSinkMessage(key.encode(), changed)

    flow = Dataflow("bench")
    messages = op.input("events", flow, KafkaSource([given.broker], [EVENTS], tail=False))
    changes = op.stateful_map("project", op.map("keyed", messages, keyed), project)
    announced = op.filter_map("announce", changes, announce)
    op.output("transitions", announced, KafkaSink([given.broker], given.transitions))
    init_db_dir(given.path, PARTITIONS)
    cli_main(flow, epoch_interval=EPOCH, recovery_config=RecoveryConfig(given.path))
    given.meter.stop()
    states = [given.fold.encode(state) for state in _snapshots(given)]
    return contest.totals(given.fold, states, len(asyncio.run(read(given.url, given.transitions))))


def _snapshots(given: Contest) -> Iterator[Any]:
    """The newest state of each customer in the recovery store."""
    for path in given.path.glob("*.sqlite3"):
        with sqlite3.connect(path) as db:
            newest: dict[str, bytes] = dict(db.execute(SNAPSHOTS))
        yield from map(pickle.loads, filter(None, newest.values()))


if __name__ == "__main__":
    contest.main(run)
