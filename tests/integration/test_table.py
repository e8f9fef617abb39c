"""Does the local store hold a partition's rows, due moments and place together?"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.customer import FOLD_VERSION, Packed
from projections.parameters import Parameters
from streams.log import Chunk, Record
from streams.rows import (
    PARTITION_KEY,
    CustomerRow,
    encode_partition,
    encode_row,
    has_seen,
    new_partition,
)
from streams.table import CustomerTable, DueChange


@pytest.fixture
def table(tmp_path: Path) -> Iterator[CustomerTable]:
    table = CustomerTable(tmp_path / "table")
    yield table
    table.close()


def row(due: int | None, position: int = 0) -> CustomerRow:
    return CustomerRow(FOLD_VERSION, position, b"", "new", 0, "", due, Packed())


PARTITION = encode_partition(new_partition(Parameters()))


def write(table: CustomerTable, partition: int, **due: int | None) -> None:
    rows: dict[bytes, bytes | None] = {name.encode(): encode_row(row(when)) for name, when in due.items()}
    changes = [DueChange(name.encode(), None, when) for name, when in due.items()]
    table.write(partition, rows, changes, PARTITION, 7)


def test_rows_come_back_in_the_order_asked(table: CustomerTable) -> None:
    """A customer without a row is None in its place."""
    write(table, 0, a=1, b=2)
    assert table.rows(0, [b"b", b"x", b"a"]) == [row(2), None, row(1)]


def test_partitions_do_not_see_each_other(table: CustomerTable) -> None:
    """Rows, due moments and the partition row are a partition's own, also beside 255 | 256."""
    write(table, 255, a=1)
    write(table, 256, b=2)
    assert table.rows(256, [b"a"]) == [None]
    assert list(table.due(255, 0, 10)) == [(1, b"a")]
    assert list(table.due(256, 0, 10)) == [(2, b"b")]
    assert table.partition(254) == (None, 0)
    assert table.customers(255, b"", 10) == [b"a"]


def test_due_moments_come_in_order_of_due_then_customer(table: CustomerTable) -> None:
    """The window is closed at both ends."""
    write(table, 0, c=5, a=5, b=4, d=6, e=3)
    assert list(table.due(0, 4, 5)) == [(4, b"b"), (5, b"a"), (5, b"c")]


def test_a_due_moment_moves(table: CustomerTable) -> None:
    """The former moment is gone with the write that sets the new one; None is never."""
    write(table, 0, a=5, b=5)
    table.write(0, {}, [DueChange(b"a", 5, 9), DueChange(b"b", 5, None)], PARTITION, 8)
    assert list(table.due(0, 0, 100)) == [(9, b"a")]


def test_customers_are_paged_in_order(table: CustomerTable) -> None:
    """`after` is exclusive, and a prefix of a name is another customer."""
    write(table, 0, a=1, ab=1, b=1)
    assert table.customers(0, b"", 2) == [b"a", b"ab"]
    assert table.customers(0, b"a", 2) == [b"ab", b"b"]


def test_recovery_writes_what_the_lane_wrote(table: CustomerTable) -> None:
    """Changelog records give rows, due index, partition row and offset; the latest of a key counts."""
    write(table, 0, a=1, gone=2)
    records = [
        Record(10, b"a", encode_row(row(5)), 0),
        Record(11, b"gone", None, 0),
        Record(13, b"a", encode_row(row(6, position=3)), 0),
        Record(14, PARTITION_KEY, PARTITION, 0),
    ]
    for _ in range(2):  # repeating it changes nothing
        table.recover(0, Chunk(records, records[-1].offset + 1))
        assert table.rows(0, [b"a", b"gone"]) == [row(6, position=3), None]
        assert list(table.due(0, 0, 100)) == [(6, b"a")]
        assert table.partition(0) == (new_partition(Parameters()), 15)


def test_a_recovery_that_stops_before_the_partition_row_has_none(table: CustomerTable) -> None:
    """Half a changelog says where to go on, and not yet what is folded."""
    table.recover(0, Chunk([Record(0, b"a", encode_row(row(5)), 0)], 1))
    assert table.partition(0) == (None, 1)


def test_wiping_forgets_one_partition(table: CustomerTable) -> None:
    """The others stay."""
    write(table, 0, a=1)
    write(table, 1, b=1)
    table.wipe(0)
    assert (table.rows(0, [b"a"]), list(table.due(0, 0, 9)), table.partition(0)) == ([None], [], (None, 0))
    assert table.rows(1, [b"b"]) == [row(1)]


def test_a_store_outlives_its_process(tmp_path: Path) -> None:
    """Closing and opening again changes nothing."""
    first = CustomerTable(tmp_path / "table")
    write(first, 0, a=1)
    first.close()
    again = CustomerTable(tmp_path / "table")
    assert again.rows(0, [b"a"]) == [row(1)]
    assert again.partition(0)[1] == 7
    again.close()


def test_an_event_id_is_found_whole_and_in_its_place() -> None:
    """A match that lies across two ids is none."""
    first, second = bytes(range(16)), bytes(range(8, 24))
    seen = CustomerRow(FOLD_VERSION, 0, first + second, None, 0, "", None, Packed())
    assert has_seen(seen, first)
    assert has_seen(seen, second)
    assert not has_seen(seen, (first + second)[4:20])
    assert not has_seen(seen, bytes(16))
