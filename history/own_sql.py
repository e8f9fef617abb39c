"""Which query answers a form? One SELECT, built as a tree: no text of the form becomes SQL.

Fields come out of the catalogue, aliases are counted, and every value of the form is a binding. `base` has
the rows that count, with what they are grouped by (x1 …) and measured by (v1 …). `marked` says which of them
have one of the values that stand alone (`top1` …), as the others are gathered. The answer has g1 … and m1 …,
in a comparison also b1 … before, and c1 … for the change.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlglot import exp

from history.own import BadForm, Form, chosen
from history.own_columns import Column, Grouped, Measured, grouped, measured
from history.own_fields import CUSTOMERS, ROWS, Catalogue, Field, call, column, placeholder
from history.own_filters import condition, day_of
from history.own_periods import days_of

OTHERS = "others"
MAX_CELLS = 100_000  # of a pivot
EARLIER = exp.column("earlier")
NOW = call("not", EARLIER)


class Compiled(NamedTuple):
    query: str
    parameters: dict[str, Any]  # but as_of and timezone, which every report has
    columns: list[Column]  # of the query; with a pivot a last one says whether it is a row of others
    of_nothing: list[int | None]  # what each is where there are no rows
    dimensions: int  # how many of the columns are dimensions, the first ones
    pivot: int | None  # the dimension whose values become columns


class _Kept(NamedTuple):
    """How many values of a dimension stand alone, by which measure, and whether the others are told."""

    n: int
    by: int
    others: bool


def compile_form(form: Form, catalogue: Catalogue) -> Compiled:
    """The query that answers the form; raises BadForm."""
    return _Compiler(form, catalogue).compiled()


class _Compiler:
    """One form on its way to a query."""

    def __init__(self, form: Form, catalogue: Catalogue) -> None:
        self._form, self._catalogue = form, catalogue
        self._parameters: dict[str, Any] = {}
        self._joins_customers = False
        self._source = catalogue.source(form.module, ROWS, form.as_of is not None)
        self._days = days_of(form)
        self._counted_by = self._period_field()
        self._earlier = self._is_earlier()
        self._dimensions = [self._dimension(at) for at in range(len(form.dimensions))]
        self._measures = [self._measure(at) for at in range(len(form.measures))]
        self._names = [each.column.name for each in self._dimensions]
        self._measure_names = [each.column.name for each in self._measures]
        self._pivot = self._pivoted()
        self._kept = dict(self._keeping())
        self._order = list(self._ordering())

    def compiled(self) -> Compiled:
        columns = [
            each.column._replace(unit="text") if at in self._kept else each.column
            for at, each in enumerate(self._dimensions)
        ]
        of_nothing: list[int | None] = [None] * len(columns)
        for each in self._measures:
            told = [each.column, *(self._compared(each) if self._earlier is not None else ())]
            columns += told
            of_nothing += [each.of_nothing, each.of_nothing, None][: len(told)]
        for name in (names := [each.name for each in columns]):
            if names.count(name) > 1:
                raise BadForm(f"Two columns are called {name!r}: give one another name.", "measures")
        query = self._answer().sql(dialect="clickhouse", pretty=True)
        dimensions = len(self._dimensions)
        return Compiled(query, self._parameters, columns, of_nothing, dimensions, self._pivot)

    # what the form names

    def _bind(self, value: object, type_: str) -> exp.Expr:
        name = f"p{len(self._parameters) + 1}"
        self._parameters[name] = value
        return placeholder(name, type_)

    def _field(self, written: str, where: str) -> Field:
        field = self._catalogue.field(self._form.module, written, self._bind, where)
        self._joins_customers |= field.of != self._form.module
        return field

    def _period_field(self) -> Field | None:
        if self._form.period is None:
            return None
        field = self._field(self._form.period.field, "period.field")
        if field.kind not in ("time", "date"):
            raise BadForm(f"{field.told()}: a period needs a time or a date.", "period.field")
        return field

    def _is_earlier(self) -> exp.Expr | None:
        """Whether a row is of the period before; None where nothing is compared."""
        if self._days is None or self._counted_by is None or self._days.earlier is None:
            return None
        return self._days.is_earlier(day_of(self._counted_by), self._bind)

    def _dimension(self, at: int) -> Grouped:
        asked, where = self._form.dimensions[at], f"dimensions[{at}]"
        field = self._field(asked.field, f"{where}.field")
        on = day_of(field)
        if self._days and self._counted_by and self._earlier and field.name == self._counted_by.name:
            on = self._days.aligned(on, self._earlier, self._bind)
        return grouped(asked, field, on, self._bind, where)

    def _measure(self, at: int) -> Measured:
        asked, where = self._form.measures[at], f"measures[{at}]"
        field = None if asked.field is None else self._field(asked.field, f"{where}.field")
        is_one = any(each.field == "currency" and each.op == "=" for each in self._form.filters)
        is_apart = any(each.field == "currency" for each in self._form.dimensions)
        found = measured(asked, field, is_one or is_apart, where)
        if field is not None and field.is_other_money and not is_one and (adds := self._adds_groups(found)):
            raise BadForm(
                f"{field.name} of {field.of} is in the currency of each row, and {adds} adds several "
                "currencies up: filter by currency =, or use a field in base_minor.",
                f"{where}.field",
            )
        return found

    def _adds_groups(self, found: Measured) -> str | None:
        """Which part of the form adds amounts up over the groups, whatever tells these apart."""
        if found.kind in ("count", "count_distinct"):
            return None
        parts = {"share": found.kind == "share", "top": self._form.top, "pivot": self._form.pivot}
        return next((name for name, asked in parts.items() if asked), None)

    def _pivoted(self) -> int | None:
        pivot = self._form.pivot
        if pivot is None:
            return None
        return self._names.index(
            chosen(pivot.dimension, self._names, "There is no dimension", "pivot.dimension")
        )

    def _keeping(self) -> Iterator[tuple[int, _Kept]]:
        """Of which dimensions only some values stand alone."""
        if (top := self._form.top) is not None:
            at = self._topped(top.dimension)
            by = self._measure_names[0] if top.by is None else top.by
            chosen(by, self._measure_names, "There is no measure", "top.by")
            yield at, _Kept(top.n, self._measure_names.index(by), top.others)
        if self._form.pivot is not None and self._pivot is not None:
            yield self._pivot, _Kept(self._form.pivot.columns, 0, others=True)

    def _topped(self, written: str | None) -> int:
        """The dimension of the top: by default the first that has no order of its own."""
        free = [at for at in range(len(self._names)) if at != self._pivot]
        if not free:
            raise BadForm("top needs a dimension, beside that of a pivot: add one.", "top")
        if written is not None:
            names = [self._names[at] for at in free]
            return free[names.index(chosen(written, names, "There is no dimension", "top.dimension"))]
        return next((at for at in free if not self._dimensions[at].is_ordered), free[0])

    # the query

    def _answer(self) -> exp.Select:
        groups = [self._group(at) for at in range(len(self._dimensions))]
        totals = [total for at in range(len(self._measures)) for total in self._totals(at)]
        answer = exp.select(*groups, *totals).from_("marked" if self._kept else "base")
        if self._pivot is not None:
            flag = call("not", exp.column(f"is_top{self._pivot + 1}"))
            answer = answer.select(exp.alias_(flag, "is_others"))
        answer = answer.limit(1 + (self._form.limit if self._pivot is None else MAX_CELLS))
        if groups:
            by = [f"g{at + 1}" for at in range(len(groups))] + [f"is_top{at + 1}" for at in self._kept]
            answer = answer.group_by(*map(exp.column, by)).order_by(*self._order)
        for at, kept in self._kept.items():
            if not kept.others:
                answer = answer.where(exp.column(f"is_top{at + 1}"))
        answer = answer.with_("base", as_=self._base())
        for at, kept in self._kept.items():
            answer = answer.with_(f"top{at + 1}", as_=self._top(at, kept))
        return answer.with_("marked", as_=self._marked()) if self._kept else answer

    def _base(self) -> exp.Select:
        """The rows that count, and of each only what is asked."""
        read = [exp.alias_(each.value.copy(), f"x{at}") for at, each in enumerate(self._dimensions, 1)]
        for at, each in enumerate(self._measures, 1):
            if each.value is not None:
                read.append(exp.alias_(each.value.copy(), f"v{at}"))
        if self._earlier is not None:
            read.append(exp.alias_(self._earlier.copy(), "earlier"))
        where = list(self._source.conditions)
        if self._days is not None and self._counted_by is not None:
            where.append(exp.paren(self._days.counts(day_of(self._counted_by), self._bind)))
        for at, asked in enumerate(self._form.filters):
            field = self._field(asked.field, f"filters[{at}].field")
            where.append(condition(field, asked, self._bind, f"filters[{at}]"))
        base = exp.select(*(read or [exp.alias_(exp.Literal.number(1), "one")])).from_(self._source.table)
        if self._joins_customers:
            customers = self._catalogue.source("customers", CUSTOMERS, self._form.as_of is not None)
            on = column("customer_id", CUSTOMERS).eq(column("customer_id", ROWS))
            base = base.join(customers.table, on=on, join_type="left")
        return base.where(*where)

    def _top(self, at: int, kept: _Kept) -> exp.Select:
        """The values that stand alone: those with most of the measure, in the period itself."""
        top = exp.select(exp.alias_(_key(at), "value")).from_("base")
        if self._earlier is not None:
            top = top.where(NOW)
        most = self._measures[kept.by].total(self._value(kept.by), None)
        return top.group_by("value").order_by(_ordered(most, down=True), "value").limit(kept.n)

    def _marked(self) -> exp.Select:
        marks = []
        for at in self._kept:
            top = exp.select("value").from_(f"top{at + 1}")
            marks.append(exp.alias_(exp.In(this=_key(at), query=exp.Subquery(this=top)), f"is_top{at + 1}"))
        return exp.select(exp.Star(), *marks).from_("base")

    def _group(self, at: int) -> exp.Expr:
        value: exp.Expr = exp.column(f"x{at + 1}")
        if at in self._kept:
            is_top, others = exp.column(f"is_top{at + 1}"), exp.Literal.string(OTHERS)
            value = call("if", is_top, call("toString", value), others)
        return exp.alias_(value, f"g{at + 1}")

    def _value(self, at: int) -> exp.Expr | None:
        return None if self._measures[at].value is None else exp.column(f"v{at + 1}")

    def _totals(self, at: int) -> Iterator[exp.Expr]:
        each, value, number = self._measures[at], self._value(at), at + 1
        if self._earlier is None:
            yield exp.alias_(each.total(value, None), f"m{number}")
            return
        now, before = exp.column(f"m{number}"), exp.column(f"b{number}")
        yield exp.alias_(each.total(value, NOW), f"m{number}")
        yield exp.alias_(each.total(value, EARLIER), f"b{number}")
        if each.has_change:
            change = exp.Div(
                this=exp.paren(exp.Sub(this=now, expression=before)),
                expression=call("nullIf", call("abs", before), exp.Literal.number(0)),
            )
            yield exp.alias_(change, f"c{number}")

    def _compared(self, each: Measured) -> Iterator[Column]:
        name, unit, means = each.column
        yield Column(f"{name}_before", unit, f"{means.removesuffix('.')}, in the period before.")
        if each.has_change:
            yield Column(f"{name}_change", "share", f"By which share {name} rose since; null from 0.")

    def _ordering(self) -> Iterator[exp.Expr]:
        """As the form says, or by time, else by the first measure; others last, and never by chance."""
        told: set[int] = set()
        wanted: dict[str, bool] = {}
        for name, down in [*self._wanted_order(), *((name, False) for name in self._names)]:
            wanted.setdefault(name, down)  # each dimension, so that there are no ties
        for name, down in wanted.items():
            if name in self._names:
                at = self._names.index(name)
                if at in self._kept and at not in told:
                    yield _ordered(exp.column(f"is_top{at + 1}"), down=True)
                    told.add(at)
                yield _ordered(exp.column(f"g{at + 1}"), down=down)
            else:
                for at in self._kept.keys() - told:
                    yield _ordered(exp.column(f"is_top{at + 1}"), down=True)
                    told.add(at)
                yield _ordered(exp.column(f"m{self._measure_names.index(name) + 1}"), down=down)

    def _wanted_order(self) -> Iterator[tuple[str, bool]]:
        """Column, and whether it falls."""
        known = [*self._names, *self._measure_names]
        if self._pivot is not None:
            known = [name for at, name in enumerate(self._names) if at != self._pivot]
        for at, written in enumerate(self._form.order):
            if written in known:
                yield written, False
            else:
                yield chosen(written.removeprefix("-"), known, "There is no column", f"order[{at}]"), True
        if not self._form.order:
            ordered = [
                name for name, each in zip(self._names, self._dimensions, strict=True) if each.is_ordered
            ]
            yield from ((name, False) for name in ordered)
            if self._pivot is None:
                yield self._measure_names[0], True


def _key(at: int) -> exp.Expr:
    """The value of a dimension as a text that is never null."""
    value = exp.column(f"x{at + 1}")
    present = call("concat", exp.Literal.string("="), call("toString", call("assumeNotNull", value)))
    return call("if", call("isNull", value), exp.Literal.string(""), present)


def _ordered(this: exp.Expr, *, down: bool) -> exp.Ordered:
    return exp.Ordered(this=this, desc=down, nulls_first=False)
