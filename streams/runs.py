"""What is folded, what comes of it, and what is read meanwhile? The shapes around a fold."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from streams.log import Append, Record
from streams.rows import CustomerRow, PartitionRow
from streams.table import DueChange


class Run(NamedTuple):
    """Consecutive records of one partition: everything from offset `start` up to, not including, `end`."""

    topic: str
    partition: int
    start: int
    end: int
    records: Sequence[Record]


class Effects(NamedTuple):
    """What one transaction will hold: outputs in order, changed rows, due changes, the partition row."""

    outputs: list[Append]
    rows: dict[bytes, CustomerRow]
    due: list[DueChange]
    partition: PartitionRow


class Rows(Protocol):
    """What a fold reads of the table as it was before the run."""

    def rows(self, partition: int, customers: Sequence[bytes]) -> list[CustomerRow | None]: ...
    def due(self, partition: int, from_ms: int, upto_ms: int) -> Iterator[tuple[int, bytes]]: ...
    def customers(self, partition: int, after: bytes, limit: int) -> list[bytes]: ...
