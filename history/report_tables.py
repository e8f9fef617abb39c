"""Which table does a report answer? The columns that it declares, money as decimals, times as times."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from history.report_files import BadReport, Report

INT128 = pa.binary(16)  # as ClickHouse writes it
WHOLE = pa.decimal128(38, 0)


def of_columns(report: Report, told: Mapping[str, Sequence[object]]) -> pa.Table:
    """Columns of plain values, in the order of the declaration where the names agree; NaN becomes null."""
    order = [column.name for column in report.columns if column.name in told]
    columns = [*order, *(name for name in told if name not in order)]
    return pa.table({name: _array(told[name]) for name in columns})


def _array(values: Sequence[object]) -> pa.Array:
    """Of whole numbers beyond 64 bits, decimals."""
    try:
        return pa.array(values, from_pandas=True)
    except OverflowError:
        return pa.array(values, WHOLE)


def as_declared(report: Report, table: pa.Table, digits: int) -> pa.Table:
    """The table with its money as decimals and its times as times; raises BadReport."""
    check_names(report, table.column_names)
    for at, column in enumerate(report.columns):
        kind = table.schema.field(at).type
        if column.unit == "money":
            if not (pa.types.is_integer(kind) or pa.types.is_null(kind) or kind in (INT128, WHOLE)):
                raise BadReport(f"{column.name} of {report.name} is {kind}: money is a whole number.")
            table = table.set_column(at, column.name, _money(table.column(at), digits))
        elif column.unit == "number" and kind in (INT128, WHOLE):
            table = table.set_column(at, column.name, _number(table.column(at)))
        elif column.unit == "time" and pa.types.is_uint32(kind):  # a DateTime
            seconds = table.column(at).cast(pa.int64()).cast(pa.timestamp("s", "UTC"))
            table = table.set_column(at, column.name, seconds)
    return table


def check_names(report: Report, names: list[str]) -> None:
    """Raises BadReport where a report answers other columns than it declares."""
    declared = [column.name for column in report.columns]
    if names != declared:
        raise BadReport(
            f"{report.name} answers {', '.join(names)} and declares {', '.join(declared)}: "
            "make them the same."
        )


def whole_numbers(table: pa.Table) -> pa.Table:
    """The table with each Int128 as a decimal; none of its columns may be a UUID, which looks the same."""
    for at, field in enumerate(table.schema):
        if field.type == INT128:
            table = table.set_column(at, field.name, _money(table.column(at), 0))
    return table


def _money(minor: pa.ChunkedArray, digits: int) -> pa.Array:
    """Minor units as decimals: the same integers, read with so many digits after the point.

    An Int128, which sums do not leave, comes as the bytes that a decimal of 128 bits has too.
    """
    if minor.type != INT128:
        minor = minor.cast(WHOLE)
    whole = pa.concat_arrays(minor.chunks or [pa.array([], minor.type)])
    return pa.Array.from_buffers(
        pa.decimal128(38, digits), len(whole), whole.buffers(), whole.null_count, whole.offset
    )


def _number(minor: pa.ChunkedArray) -> pa.Array:
    """Whole numbers of 64 bits where these hold them, else decimals."""
    whole = _money(minor, 0)
    try:
        return whole.cast(pa.int64())
    except pa.ArrowInvalid:
        return whole
