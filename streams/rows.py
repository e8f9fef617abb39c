"""What does the lane keep of each customer, and of each partition?

A row is a customer's state inside its envelope: what the lane needs to fold the next event, kept outside the
laws of the projections. Rows and the partition row are the records of the changelog `headwater.customers`.
"""

import time
from collections.abc import Iterable

import msgspec

from projections.compact import Latest
from projections.customer import FOLD_VERSION, NOTHING, Packed
from projections.parameters import Parameters
from projections.triggers.deciding import Memory
from streams.settings import Settings

SEEN_IDS = 64
ID_BYTES = 16
PARTITION_KEY = b"\x00partition"
NOT_FOLDED = 0  # the fold version of a partition that a rebuild is emptying


class Score(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a target's model said last of the customer; `band` is None before boundaries are in force."""

    probability: float
    model_offset: int  # of the snapshot, in headwater.models
    scored_at: int
    band: str | None = None


class Scored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The customer's scores, and the questions about it that are still open."""

    ask_ms: int | None = None  # when the next questions are asked
    end_ms: int | None = None  # when the next horizon has ended
    open: msgspec.Raw = NOTHING  # projections.scoring.questions
    scores: dict[str, Score] = {}  # by target


NOT_SCORED = Scored()
MOVED = Latest("Q16sB", limit=3)  # time, event id, place in STAGES


class Told(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was told of the customer, to whom, and what is still to be told."""

    segments: tuple[str, ...] = ()  # the customer is in
    look_ms: int | None = None  # when segments may change though nothing happens
    memory: Memory = Memory()
    retractable: tuple[tuple[str, str], ...] = ()  # (transition, trigger) that a correction takes back

    @property
    def due_ms(self) -> int | None:
        """When something is to be looked at or decided."""
        waiting = [each.due_ms for each in self.memory.waiting]
        return min(waiting if self.look_ms is None else [*waiting, self.look_ms], default=None)


NOT_TOLD = Told()


class CustomerRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One customer. `stage` is the one last announced, None before the first announcement.

    `next_due_ms` is when something happens next if nothing is heard of the customer: the stage changes,
    questions are asked, a horizon has ended, segments are looked at, or a decision has waited long enough.
    """

    fold_version: int
    position: int  # offset of the latest event that changed the row
    seen: bytes  # the latest 64 event ids, 16 bytes each, oldest first
    stage: str | None
    stage_since_ms: int
    reason: str
    next_due_ms: int | None
    state: Packed
    change_ms: int | None = None  # when the stage next changes if nothing happens
    scored: Scored = NOT_SCORED
    moved: bytes = b""  # MOVED, the stages announced last that no late event has shown wrong
    told: Told | None = None  # None where no segment or trigger ever concerned the customer

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments that the customer is in."""
        return () if self.told is None else self.told.segments


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


def due_of(change_ms: int | None, scored: Scored, told: Told | None) -> int | None:
    """The `next_due_ms` of a row."""
    due = None if told is None else told.due_ms
    moments = [each for each in (change_ms, scored.ask_ms, scored.end_ms, due) if each is not None]
    return min(moments) if moments else None


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
