"""What does the lane keep of each customer, and of each partition?

A row is a customer's state inside its envelope: what the lane needs to fold the next event, kept outside the
laws of the projections. Rows and the partition row are the records of the changelog `headwater.customers`.
"""

import time
from collections.abc import Iterable

import msgspec

from projections.customer import FOLD_VERSION, Packed
from projections.parameters import Parameters
from streams.settings import Settings

SEEN_IDS = 64
ID_BYTES = 16
PARTITION_KEY = b"\x00partition"
NOT_FOLDED = 0  # the fold version of a partition that a rebuild is emptying


class CustomerRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One customer. `stage` is the one last announced, None before the first announcement."""

    fold_version: int
    position: int  # offset of the latest event that changed the row
    seen: bytes  # the latest 64 event ids, 16 bytes each, oldest first
    stage: str | None
    stage_since_ms: int
    reason: str
    next_due_ms: int | None  # when the stage next changes if nothing happens
    state: Packed


class PartitionRow(msgspec.Struct, frozen=True, array_like=True):
    """How far a partition is folded, and what is in force there."""

    fold_version: int
    position: int  # offset of the next record to fold
    outputs_from: int  # a rebuild announces nothing before this offset
    stream_time_ms: int  # greatest tick or event time; 0 before any
    events: int  # customers' events folded, repeats not counted
    customers: int
    failed: int
    parameters: Parameters
    swept_to: str | None = None  # customer reached by a change of rules that is under way


def new_partition(parameters: Parameters, outputs_from: int = 0) -> PartitionRow:
    """A partition of which nothing is folded."""
    return PartitionRow(FOLD_VERSION, 0, outputs_from, 0, 0, 0, 0, parameters)


def now_ms(settings: Settings, rows: Iterable[PartitionRow]) -> int:
    """The engine's clock: the wall's, or the greatest stream time where only events move time."""
    if settings.clock == "wall":
        return time.time_ns() // 1_000_000
    return max((row.stream_time_ms for row in rows), default=0)


def as_of_ms(rows: Iterable[PartitionRow]) -> int:
    """The moment that every partition with any event or tick has reached; 0 before any."""
    return min((row.stream_time_ms for row in rows if row.stream_time_ms), default=0)


_encoder = msgspec.msgpack.Encoder()
_row_decoder = msgspec.msgpack.Decoder(CustomerRow)
_partition_decoder = msgspec.msgpack.Decoder(PartitionRow)
encode_row = _encoder.encode
decode_row = _row_decoder.decode


def encode_partition(row: PartitionRow) -> bytes:
    return _encoder.encode(row)


def decode_partition(data: bytes) -> PartitionRow:
    """Raises FoldVersionMismatch where other code folded the partition, or a rebuild is not done with it."""
    version = msgspec.msgpack.decode(data)[0]
    if version == NOT_FOLDED:
        raise FoldVersionMismatch("A rebuild did not come to its end: run `headwater rebuild` once more.")
    if version != FOLD_VERSION:
        raise FoldVersionMismatch(
            f"The customers were folded by version {version} of the projections, and this is version "
            f"{FOLD_VERSION}: run `headwater rebuild` to fold the log again."
        )
    return _partition_decoder.decode(data)


def folded_to(data: bytes) -> int:
    """How far an encoded partition row, of any fold version, was folded and announced."""
    position, outputs_from = msgspec.msgpack.decode(data)[1:3]
    return int(max(position, outputs_from))


class FoldVersionMismatch(Exception):
    """The rows were written by other projections than the code's."""


def has_seen(row: CustomerRow, event_id: bytes) -> bool:
    """Whether `event_id` (16 bytes) is among the row's latest 64."""
    seen = row.seen
    at = seen.find(event_id)
    while at % ID_BYTES > 0:  # a match across two ids is none; -1 % 16 is 15, so stop there
        if at < 0:
            return False
        at = seen.find(event_id, at + 1)
    return at >= 0
