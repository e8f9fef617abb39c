"""What are the columns of an own report: what is each grouped by, what is measured, and in which unit?"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from history.own import GRAINS, MEASURES, BadForm, Dimension, Measure, chosen
from history.own_fields import Bind, Field, call

Total: TypeAlias = Callable[[exp.Expr | None, exp.Expr | None], exp.Expr]

GRAIN_OF: Mapping[str, Callable[[exp.Expr], exp.Expr]] = {
    "day": lambda day: day,
    "week": lambda day: call("toMonday", day),
    "month": lambda day: call("toStartOfMonth", day),
    "quarter": lambda day: call("toStartOfQuarter", day),
    "year": lambda day: call("toStartOfYear", day),
}
UNITS = {"day": "date", "date": "date", "time": "time", "number": "number"}
ADDED = ("sum", "mean", "share")  # the measures that add values up
ORDERED = ("number", "time", "date")  # the kinds that have a least and a greatest value


class Column(NamedTuple):
    """A column of the answer; of "money" the query tells minor units of the base currency."""

    name: str
    unit: str
    means: str


class Grouped(NamedTuple):
    column: Column
    value: exp.Expr
    is_ordered: bool  # by what it is, rather than by how much there is of it


class Measured(NamedTuple):
    """`value` is read of each row, and `total` tells all of them, or those of a condition."""

    kind: str
    column: Column
    value: exp.Expr | None
    total: Total

    @property
    def has_change(self) -> bool:
        """Whether it makes sense to say by which share it rose."""
        return self.column.unit not in ("time", "date")

    @property
    def of_nothing(self) -> int | None:
        """What it is of no rows."""
        return 0 if self.kind in ("count", "count_distinct", "sum", "share") else None


def grouped(asked: Dimension, field: Field, day: exp.Expr, bind: Bind, where: str) -> Grouped:
    """The dimension over a field, of which `day` is the day of a time; raises BadForm."""
    name = asked.name or asked.field.removesuffix("_minor" if field.is_base_money else "")
    unit = "money" if field.is_base_money else UNITS.get(field.kind, "text")
    if asked.grain is not None:
        grain = chosen(asked.grain, GRAINS, "There is no grain", f"{where}.grain")
        if field.kind not in ("time", "date"):
            raise BadForm(f"{field.told()}: a grain needs a time or a date.", f"{where}.grain")
        means = f"The {grain} of {field.name}, by its first day."
        return Grouped(Column(name, UNITS.get(grain, grain), means), GRAIN_OF[grain](day), True)
    if asked.bins is not None:
        means = f"Where the bin of {field.name} begins."
        return Grouped(Column(name, unit, means), _bin(asked.bins, field, bind, where), True)
    match field.kind:
        case "map" | "records":
            raise BadForm(f"{field.told()}: group by another field.", f"{where}.field")
        case "time":
            raise BadForm(f"{field.told()}: give a grain, {', '.join(GRAINS)}.", f"{where}.grain")
        case "list":
            joined = call("arrayJoin", call("emptyArrayToSingle", field.value))
            value, means = call("nullIf", joined, exp.Literal.string("")), f"Each value of {field.name}."
        case "id":
            value, means = call("toString", field.value), f"As {field.name} has it."
        case _:
            value, means = field.value.copy(), f"As {field.name} has it."
    return Grouped(Column(name, unit, means), value, field.kind in ORDERED)


def measured(asked: Measure, field: Field | None, is_one_currency: bool, where: str) -> Measured:
    """The measure of a field, or of rows; raises BadForm."""
    kind = chosen(asked.measure, MEASURES, "There is no measure", f"{where}.measure")
    if field is None:
        if kind not in ("count", "share"):
            raise BadForm(f"{kind} measures a field: give one.", f"{where}.field")
        unit, means = ("share", "Share of all rows, 0 to 1.") if kind == "share" else ("count", "Rows.")
        return Measured(kind, Column(asked.name or kind, unit, means), None, TOTALS[kind])
    default = f"{kind}_{field.name}".replace(".", "_").removesuffix("_minor" if field.is_base_money else "")
    name = asked.name or default
    if kind in ("count", "count_distinct"):
        if field.kind in ("list", "map", "records"):
            raise BadForm(f"{field.told()}: {kind} needs one value a row.", f"{where}.field")
        means = f"{'Different values' if kind == 'count_distinct' else 'Rows with a value'} of {field.name}."
        return Measured(kind, Column(name, "count", means), field.value.copy(), TOTALS[kind])
    if field.is_other_money and not is_one_currency:
        raise BadForm(
            f"{field.name} of {field.of} is in the currency of each row: use a field in base_minor, "
            "or filter by currency =, or add it to the dimensions.",
            f"{where}.field",
        )
    if kind in ("min", "max") and field.kind in ("time", "date"):
        means = f"{'Least' if kind == 'min' else 'Greatest'} {field.name}."
        return Measured(kind, Column(name, field.kind, means), field.value.copy(), TOTALS[kind])
    value = field.number(kind, f"{where}.field")
    total = _wide(TOTALS[kind]) if field.is_amount and kind in ADDED else TOTALS[kind]
    if kind == "share":
        return Measured(kind, Column(name, "share", f"Share of all {field.name}, 0 to 1."), value, total)
    means = f"{MEANS[kind]} of {field.name}."
    if field.is_base_money:
        return Measured(kind, Column(name, "money", means), value, _whole(total, kind))
    unit = "share" if field.kind == "truth" and kind == "mean" else "number"
    return Measured(kind, Column(name, unit, means), value, total)


def _bin(bins: float | list[float], field: Field, bind: Bind, where: str) -> exp.Expr:
    """The greatest edge that is not above the value; the least of all edges for what lies below it."""
    value = field.number("bins", f"{where}.field")
    if isinstance(bins, list):
        if any(low >= high for low, high in pairwise(bins)):
            raise BadForm("The edges of bins must rise: order them.", f"{where}.bins")
        found = call("roundDown", call("toFloat64", value), bind(bins, "Array(Float64)"))
    elif bins > 0:
        width = bind(bins, "Float64")
        found = exp.Mul(this=call("floor", exp.Div(this=value, expression=width)), expression=width.copy())
    else:
        raise BadForm(f"The width of bins is {bins}: give more than 0.", f"{where}.bins")
    return call("toInt64", found) if field.is_base_money else found


def _call(function: str, value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    """An aggregate function, of the rows that fulfil the condition."""
    arguments = [each for each in (value, only) if each is not None]
    return call(f"{function}If" if only is not None else function, *arguments)


def _count(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    return _call("count", value, only)


def _distinct(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    return _call("uniqExact", value, only)


def _sum(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    """0 of no rows, null of rows without a value."""
    if only is None:
        return _call("sum", value, None)
    return call("if", _count(None, only).eq(0), exp.Literal.number(0), _call("sum", value, only))


def _mean(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    return _call("avgOrNull", value, only)


def _least(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    return _call("minOrNull", value, only)


def _greatest(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    return _call("maxOrNull", value, only)


def _median(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    return _call("quantileExactInclusiveOrNull", value, only)


def _share(value: exp.Expr | None, only: exp.Expr | None) -> exp.Expr:
    """Of the total over all groups."""
    part = _count(None, only) if value is None else _call("sum", value, only)
    total = exp.Window(this=call("sum", part))
    return exp.Div(this=part, expression=call("nullIf", total, exp.Literal.number(0)))


def _wide(total: Total) -> Total:
    """Of 128 bits: a sum of 64 would wrap around, also that of a mean."""
    return lambda value, only: total(None if value is None else call("toInt128", value), only)


def _whole(total: Total, kind: str) -> Total:
    """Money in whole minor units, a half to the even one."""
    if kind not in ("mean", "median"):
        return total
    return lambda value, only: call("toInt128", call("round", total(value, only)))


TOTALS: Mapping[str, Total] = {
    "count": _count,
    "count_distinct": _distinct,
    "sum": _sum,
    "mean": _mean,
    "min": _least,
    "max": _greatest,
    "median": _median,
    "share": _share,
}
MEANS = {"sum": "Sum", "mean": "Mean", "min": "Least value", "max": "Greatest value", "median": "Median"}
