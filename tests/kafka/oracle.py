"""What must be on Kafka once a log is folded? What a plain fold of the source log gives."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from projections.parameters import Parameters
from schemas.codec import decode
from schemas.events import ExampleMatured
from streams.fold import fold
from streams.log import Append, Log, Record
from streams.models import Models, models_of
from streams.rows import PARTITION_KEY, CustomerRow, PartitionRow, decode_partition, encode_row, new_partition
from streams.runs import Run
from streams.topics import CUSTOMERS, EVENTS, EXAMPLES, FAILED, TRANSITIONS

READ_RECORDS = 5_000


class Outcome(NamedTuple):
    """What a partition came to: rows by customer, outputs in their order, and the partition row."""

    rows: dict[bytes, bytes]
    transitions: list[bytes]
    failed: list[bytes]
    examples: list[bytes]
    partition: PartitionRow

    def differences(self, other: "Outcome") -> list[str]:
        """What differs, a word each; nothing where both are the same to the byte."""
        keys = self.rows.keys() | other.rows.keys()
        found = [f"row of {key!r}" for key in sorted(keys) if self.rows.get(key) != other.rows.get(key)]
        for what, mine, others in (
            ("transitions", self.transitions, other.transitions),
            ("failed", self.failed, other.failed),
            ("examples", self.examples, other.examples),
        ):
            if mine != others:
                found.append(f"{what}: {len(mine)} of which {len(set(mine))} differ in id, not {len(others)}")
        if self.partition != other.partition:
            found.append(f"partition row: {self.partition}, not {other.partition}")
        return found


class _Table:
    """The rows in memory."""

    def __init__(self) -> None:
        self.stored: dict[bytes, CustomerRow] = {}

    def rows(self, partition: int, customers: Sequence[bytes]) -> list[CustomerRow | None]:
        return [self.stored.get(customer) for customer in customers]

    def due(self, partition: int, from_ms: int, upto_ms: int) -> Iterator[tuple[int, bytes]]:
        due = [(row.next_due_ms, key) for key, row in self.stored.items() if row.next_due_ms is not None]
        return iter(sorted(entry for entry in due if from_ms <= entry[0] <= upto_ms))

    def customers(self, partition: int, after: bytes, limit: int) -> list[bytes]:
        return sorted(customer for customer in self.stored if customer > after)[:limit]


async def expected(log: Log, partition: int) -> Outcome:
    """The whole partition folded as one run, by nothing but the fold."""
    records, end = await read(log, EVENTS, partition)
    table, row, outputs = _Table(), new_partition(Parameters()), list[Append]()
    run = Run(EVENTS, partition, 0, end, records)
    models = Models(log)
    await models.load(models_of(run, row))
    async for effects in fold(run, row, table, log.partitions(EVENTS), models.scorers):
        outputs += effects.outputs
        table.stored |= effects.rows
        row = effects.partition
    rows = {key: encode_row(row) for key, row in table.stored.items()}
    of = {
        topic: [o.value or b"" for o in outputs if o.topic == topic]
        for topic in (TRANSITIONS, FAILED, EXAMPLES)
    }
    return Outcome(rows, of[TRANSITIONS], of[FAILED], of[EXAMPLES], row)


async def actual(log: Log, partition: int) -> Outcome:
    """What readers of Kafka find."""
    changelog, _ = await read(log, CUSTOMERS, partition)
    rows = {r.key: r.value for r in changelog if r.key is not None and r.value is not None}
    of = {
        topic: [r.value or b"" for r in (await read(log, topic, partition))[0]]
        for topic in (TRANSITIONS, FAILED)
    }
    last = decode_partition(rows.pop(PARTITION_KEY))
    examples = [r.value or b"" for r in (await read(log, EXAMPLES, 0))[0]]
    return Outcome(rows, of[TRANSITIONS], of[FAILED], [e for e in examples if _is_of(e, partition)], last)


def _is_of(example: bytes, partition: int) -> bool:
    event = decode(example)
    return isinstance(event, ExampleMatured) and event.asked_partition == partition


async def read(log: Log, topic: str, partition: int, offset: int = 0) -> tuple[list[Record], int]:
    """All records from `offset`, and the end."""
    records: list[Record] = []
    while True:
        chunk = await log.read(topic, partition, offset, READ_RECORDS)
        records += chunk.records
        offset = chunk.end
        if not chunk.records:
            return records, offset
