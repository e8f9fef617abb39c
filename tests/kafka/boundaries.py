"""Where can a worker stop between two of its effects? Each place signals the process at a passage.

The worker's own code knows nothing of it: this module wraps it, in the worker's process.
"""

import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from history.archive import HistoryWriter
from streams.kafka_log import KafkaLog
from streams.kafka_producer import KafkaProducer
from streams.lane import Lane
from streams.table import CustomerTable

Passing = Callable[[], None]


class Stop(NamedTuple):
    """At which boundary, at which passage of it, and by which signal a process stops itself."""

    boundary: str
    passage: int
    by: signal.Signals = signal.SIGKILL


def _at(passage: int, by: signal.Signals) -> Passing:
    passed = 0

    def passing() -> None:
        nonlocal passed
        passed += 1
        if passed == passage:
            os.kill(os.getpid(), by)

    return passing


def _around(owner: type, name: str, before: Passing | None, after: Passing | None) -> None:
    original = getattr(owner, name)

    async def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
        if before is not None:
            before()
        result = await original(self, *arguments, **options)
        if after is not None:
            after()
        return result

    setattr(owner, name, wrapped)


def before_the_transaction(passing: Passing) -> None:
    _around(KafkaProducer, "transact", passing, None)


def before_the_commit(passing: Passing) -> None:
    """All of the transaction is on the brokers, and undecided."""
    original = KafkaLog.producer

    async def producer(self: KafkaLog, transactional_id: str) -> KafkaProducer:
        opened = await original(self, transactional_id)
        commit = opened._producer.commit_transaction

        async def committing() -> None:
            passing()
            await commit()

        opened._producer.commit_transaction = committing
        return opened

    setattr(KafkaLog, "producer", producer)  # noqa: B010


def after_the_commit(passing: Passing) -> None:
    """The local store has nothing of it."""
    _around(KafkaProducer, "transact", None, passing)


def after_the_store(passing: Passing) -> None:
    """Faust has not heard of it."""
    original = CustomerTable.write

    def write(self: CustomerTable, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        passing()

    setattr(CustomerTable, "write", write)  # noqa: B010


def before_the_acknowledgement(passing: Passing) -> None:
    """All effects have happened; what Faust commits afterwards is for lag displays, and resumes nothing."""
    _around(Lane, "fold", None, passing)


def after_the_fence(passing: Passing) -> None:
    """The former owner is out, and nothing is recovered yet."""
    _around(KafkaLog, "producer", None, passing)


def after_the_recovery(passing: Passing) -> None:
    _around(Lane, "take_over", None, passing)


def after_the_insert(passing: Passing) -> None:
    """Of the archive: rows are in ClickHouse, and not noted."""
    original = HistoryWriter.note

    def note(self: HistoryWriter, *arguments: Any) -> None:
        passing()
        original(self, *arguments)

    setattr(HistoryWriter, "note", note)  # noqa: B010


BOUNDARIES = {
    boundary.__name__: boundary
    for boundary in (
        before_the_transaction,
        before_the_commit,
        after_the_commit,
        after_the_store,
        before_the_acknowledgement,
        after_the_fence,
        after_the_recovery,
    )
}


def stop_at(stop: Stop) -> None:
    """Have this process stop itself there."""
    named = BOUNDARIES | {"after_the_insert": after_the_insert}
    named[stop.boundary](_at(stop.passage, stop.by))
