"""How does the log get into the history? Every record once, by its offset, without being decoded here.

Only what was written with a schema that is none of ours is: no table is made for it, so it is archived as
what the projections read it as, an event in the newest version.

Tables are written first, then archived(topic, partition, upto) is noted. Who is killed in between finds rows
beyond `upto` at the next start: each table drops the offsets that it has.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from operator import attrgetter
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from history.client import answering, no_answer, said
from history.container import Body, container, fields
from schemas import codec, registry
from schemas.codec import HEADER

CONTAINER_BYTES = 64 << 20  # below ClickHouse's insert block, so that each insert is one part: all or nothing
CONTAINER_RECORDS = 200_000  # a part each: the fewer there are, the less is merged
# ClickHouse's errors that say that the bytes are at fault, not the server
FAULTY_BYTES = frozenset({6, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 376, 395, 1001})
UPTO = "SELECT max(upto) FROM archived WHERE topic = {topic:String} AND partition = {partition:Int32}"
NOTE = "INSERT INTO archived (topic, partition, upto) VALUES "  # client.insert would import pandas
PRESENT = (
    "SELECT offset FROM {table:Identifier} "
    "WHERE topic = {topic:String} AND partition = {partition:Int32} AND offset >= {upto:Int64}"
)


_OFFSET_AND_VALUE = attrgetter("offset", "value")
_quick = tuple.__new__  # a NamedTuple without the Python step of its constructor


class RecordLike(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


class Refused(NamedTuple):
    """A record that no table can hold, and why."""

    partition: int
    offset: int
    reason: str


class _Target(NamedTuple):
    topic: str
    table: str
    schema_id: int


class _Share(NamedTuple):
    """What one table has of one partition."""

    topic: str
    table: str
    partition: int


class HistoryWriter:
    """The archive's only writer; all calls from one thread at a time.

    It fills as many tables at once as it has clients: the order among tables does not matter.
    """

    def __init__(self, client: Client, *others: Client) -> None:
        self._client = client
        self._clients = (client, *others)
        self._upto: dict[tuple[str, int], int] = {}
        self._settled: set[_Share] = set()  # shares without rows beyond upto
        self._ahead: dict[_Share, int] = {}  # shares written since: the offset after the last

    def resume(self, topic: str, partition: int) -> int:
        """The offset of the next record to archive."""
        if (topic, partition) not in self._upto:
            asked = {"topic": topic, "partition": partition}
            with answering(self._client):
                found = self._client.query(UPTO, parameters=asked).result_rows
            self._upto[topic, partition] = found[0][0]
        return self._upto[topic, partition]

    def write(self, topic: str, runs: Mapping[int, Sequence[RecordLike]]) -> list[Refused]:
        """Bring runs of records (partition -> in order of offset) into tables; returns what none can hold.

        Raises HistoryUnavailable where ClickHouse gives no answer, and clickhouse_connect's errors where it,
        not a record, is at fault: write the same again.
        """
        try:
            with answering(self._client):
                return self._write(topic, runs)
        except BaseException:
            self.forget()
            raise

    def _write(self, topic: str, runs: Mapping[int, Sequence[RecordLike]]) -> list[Refused]:
        refused, sorted_out = self._sort(topic, runs)
        wanted = []
        for target, bodies in sorted_out.items():
            wanted += [(target, chunk) for chunk in _chunks(self._without_present(target, bodies))]
            ends = {body.partition: body.offset + 1 for body in bodies}
            self._ahead |= {_Share(topic, target.table, partition): end for partition, end in ends.items()}
        self._settled -= self._ahead.keys()
        return refused + self._fill(sorted(wanted, key=lambda each: -len(each[1])))

    def _fill(self, wanted: Sequence[tuple[_Target, Sequence[Body]]]) -> list[Refused]:
        """Insert all, the largest first; raises once nothing is under way any more."""
        free: SimpleQueue[Client] = SimpleQueue()
        for client in self._clients:
            free.put(client)

        def insert(target: _Target, bodies: Sequence[Body]) -> list[Refused]:
            client = free.get()
            try:
                return self._insert(client, target, bodies)
            finally:
                free.put(client)

        with ThreadPoolExecutor(len(self._clients), "archive-tables") as pool:
            done = [pool.submit(insert, *each) for each in wanted]
        return [refusal for each in done for refusal in each.result()]

    def note(self, topic: str, upto: Mapping[int, int]) -> None:
        """Remember the next offset to archive (partition -> offset), once write's refusals are dealt with."""
        reached = {p: offset for p, offset in upto.items() if offset > self.resume(topic, p)}
        if reached:
            try:
                rows = ", ".join(f"({{topic:String}}, {p}, {offset})" for p, offset in reached.items())
                with answering(self._client):
                    self._client.command(NOTE + rows, parameters={"topic": topic})
            except BaseException:
                self.forget()
                raise
        self._upto.update({(topic, partition): offset for partition, offset in reached.items()})
        for share, ahead in list(self._ahead.items()):
            if share.topic == topic and ahead <= self.resume(topic, share.partition):
                del self._ahead[share]
                self._settled.add(share)

    def forget(self) -> None:
        """What was reached is for the tables to say: another may have written meanwhile."""
        self._upto.clear()
        self._settled.clear()
        self._ahead.clear()

    def _sort(
        self, topic: str, runs: Mapping[int, Sequence[RecordLike]]
    ) -> tuple[list[Refused], dict[_Target, list[Body]]]:
        """Each record not yet archived to its table, unread but for its header where the schema is ours.

        Raises RegistryUnavailable where nobody can say what a schema is: write the same again.
        """
        by_header: defaultdict[bytes, list[Body]] = defaultdict(list)
        size = HEADER.size
        for partition, run in runs.items():
            upto = self.resume(topic, partition)
            for offset, value in map(_OFFSET_AND_VALUE, run):
                if offset >= upto:
                    value = value or b""
                    by_header[value[:size]].append(_quick(Body, (partition, offset, value[size:])))
        refused: list[Refused] = []
        sorted_out: dict[_Target, list[Body]] = {}
        converted: set[_Target] = set()
        for header, bodies in by_header.items():
            try:
                schema_id = codec.schema_id(header)
                sorted_out.setdefault(_Target(topic, _table_name(schema_id), schema_id), []).extend(bodies)
            except codec.Undecodable as error:
                refused += [Refused(body.partition, body.offset, str(error)) for body in bodies]
            except registry.UnknownSchema:
                for body in bodies:
                    try:
                        schema_id, ours = _in_our_schema(header, body)
                    except codec.Undecodable as error:
                        refused.append(Refused(body.partition, body.offset, str(error)))
                    else:
                        target = _Target(topic, _table_name(schema_id), schema_id)
                        sorted_out.setdefault(target, []).append(ours)
                        converted.add(target)
        for target in converted:
            sorted_out[target].sort(key=lambda body: (body.partition, body.offset))
        return refused, sorted_out

    def _without_present(self, target: _Target, bodies: list[Body]) -> list[Body]:
        """The bodies without those that the table has, of a write that was never noted."""
        partitions = {body.partition for body in bodies}
        shares = {_Share(target.topic, target.table, partition) for partition in partitions}
        present: set[tuple[int, int]] = set()
        for share in shares - self._settled:
            asked = share._asdict() | {"upto": self.resume(share.topic, share.partition)}
            rows = self._client.query(PRESENT, parameters=asked).result_rows
            present.update((share.partition, offset) for (offset,) in rows)
        if not present:
            return bodies
        return [body for body in bodies if (body.partition, body.offset) not in present]

    def _insert(self, client: Client, target: _Target, bodies: Sequence[Body]) -> list[Refused]:
        """Insert; of what ClickHouse refuses, what we cannot decode each alone, and the others by halves."""
        try:
            client.raw_insert(
                f"`{target.table}`",
                column_names=[field["name"] for field in fields(target.schema_id)],
                # a file, as the driver would send bytes again where an answer is lost: twice in the table
                insert_block=BytesIO(container(target.schema_id, target.topic, bodies)),
                fmt="Avro",
            )
        except DatabaseError as error:
            if no_answer(error):
                raise
            if len(bodies) == 1:
                return [self._refusal(target, bodies[0], error)]
            faults = [_fault(target, body) for body in bodies]
            sound = [body for body, fault in zip(bodies, faults, strict=True) if fault is None]
            suspect = [body for body, fault in zip(bodies, faults, strict=True) if fault is not None]
            half = len(bodies) // 2
            parts = (
                [sound, *([body] for body in suspect)]
                if sound and suspect
                else [bodies[:half], bodies[half:]]
            )
            return [refusal for part in parts for refusal in self._insert(client, target, part)]
        return []

    @staticmethod
    def _refusal(target: _Target, body: Body, error: DatabaseError) -> Refused:
        """At fault is a record that does not decode, or that ClickHouse says is; else the error goes on."""
        if (fault := _fault(target, body)) is not None:
            return Refused(body.partition, body.offset, fault)
        if error.code in FAULTY_BYTES:
            return Refused(body.partition, body.offset, f"{target.table} cannot hold it: {said(error)}")
        raise error


def _fault(target: _Target, body: Body) -> str | None:
    """Why the body is no event of its schema."""
    try:
        codec.decode(HEADER.pack(0, target.schema_id) + body.avro)
    except codec.Undecodable as undecodable:
        return str(undecodable)
    return None


def _in_our_schema(header: bytes, body: Body) -> tuple[int, Body]:
    """The newest schema's id and the body as that has it; raises Undecodable."""
    data = codec.encode(codec.decode(header + body.avro))
    return codec.schema_id(data), body._replace(avro=data[HEADER.size :])


def _table_name(schema_id: int) -> str:
    return registry.by_id(schema_id).subject.rpartition(".")[2]


def _chunks(bodies: Sequence[Body]) -> Iterator[Sequence[Body]]:
    """Runs of at most CONTAINER_RECORDS records and CONTAINER_BYTES bytes."""
    start = size = 0
    for index, body in enumerate(bodies):
        size += len(body.avro)
        if index > start and (size > CONTAINER_BYTES or index - start >= CONTAINER_RECORDS):
            yield bodies[start:index]
            start, size = index, len(body.avro)
    if start < len(bodies):
        yield bodies[start:]
