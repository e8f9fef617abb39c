"""What is a log, to everything that reads or appends?

A log is topics of partitions of records; a record's offset is its place in its partition, given at the
append and never reused. Two implementations share this protocol and one contract suite: SQLite in the
process (streams/sqlite_log.py), and Apache Kafka (streams/kafka_log.py).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

TopicPartition: TypeAlias = tuple[str, int]
COMPACT_AFTER = 250_000


class LogUnavailable(Exception):
    """The append did not happen: nothing of it is on the log. Retry, with the same event ids.

    Where some of it did (Kafka appends to each partition by itself), `appended` says which.
    """

    def __init__(self, reason: str, appended: "Sequence[Position | None] | None" = None) -> None:
        super().__init__(reason)
        self.appended = appended  # in the order of the batch; None is not known to be on the log


class OutcomeUnknown(Exception):
    """The transaction happened or did not, and its producer is done: open another, then see what is there."""


class ProducerFenced(Exception):
    """A later producer holds this transactional id: this one must stop, and nothing of its batch happened."""


quick = tuple.__new__  # makes a NamedTuple, all its fields given, in half the time of its own constructor


class Record(NamedTuple):
    """One record as it was read; `timestamp_ms` is when it was appended, `value` None is a tombstone."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class Chunk(NamedTuple):
    """What a read found: every record from the offset asked for up to, not including, `end`.

    Read on at `end`: it is behind the last record, and behind what is no record (a transaction's marker, what
    compaction left out). At the end of the log there are no records, and `end` is the end offset.
    """

    records: Sequence[Record]
    end: int


class Append(NamedTuple):
    """One record to append; without a `timestamp_ms` the log uses the time of the append."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None = None


class Position(NamedTuple):
    topic: str
    partition: int
    offset: int


class TopicSpec(NamedTuple):
    """A compacted topic keeps at least the newest record of each key; the others keep everything."""

    name: str
    partitions: int
    compacted: bool = False
    compact_after: int = COMPACT_AFTER  # records appended since the last compaction, at least


class Producer(Protocol):
    """A transactional producer, fenced: the newest of a transactional id refuses every earlier one."""

    async def transact(self, batch: Sequence[Append]) -> Sequence[Position]:
        """Append all of `batch` or none, durably; positions in the order of the batch.

        Raises ProducerFenced, LogUnavailable or OutcomeUnknown.
        """
        ...

    async def close(self) -> None:
        """Release it; a transaction under way is given up."""
        ...


class Log(Protocol):
    """Partitioned, append-only, durable. Offsets start at 0 and rise; compaction leaves gaps."""

    def partitions(self, topic: str) -> int:
        """Number of partitions of `topic`; raises KeyError where there is no such topic."""
        ...

    async def append(self, batch: Sequence[Append]) -> Sequence[Position]:
        """Append `batch`; all of it is durable when this returns. Raises LogUnavailable.

        SQLite appends all or none, and Kafka all or none of each partition's: the exception says what.
        """
        ...

    async def read(self, topic: str, partition: int, offset: int, max_records: int) -> Chunk:
        """Up to `max_records` records at or after `offset`, in order; none only at the end.

        Of a transaction all records are read or none, and only once it is committed. Raises LogUnavailable.
        """
        ...

    async def wait(self, positions: Mapping[TopicPartition, int], timeout_s: float) -> None:
        """Return once any of the partitions goes on at its offset, or after `timeout_s`."""
        ...

    async def start_offsets(self, topic: str) -> Sequence[int]:
        """For each partition, the offset of its first record (its end offset while it has none)."""
        ...

    async def end_offsets(self, topic: str) -> Sequence[int]:
        """For each partition, the offset that its next record will get."""
        ...

    async def producer(self, transactional_id: str) -> Producer:
        """A new transactional producer, which fences every earlier one of the same id."""
        ...

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember, for `group`, the next offset to read of each partition. Raises LogUnavailable."""
        ...

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        """What `commit` remembered: partition to offset; partitions never committed are absent."""
        ...

    async def close(self) -> None:
        """Finish the appends under way, then release everything."""
        ...
