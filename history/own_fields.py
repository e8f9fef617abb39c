"""Which fields has a module, of what kind, and how does a query read one?

All that an own report names of the history comes out of this catalogue; nothing else becomes an identifier.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from sqlglot import exp

from history.catalogue import AT, Schema
from history.own import BadForm, chosen
from history.report_values import nearest
from history.tables import TABLES

Kind = Literal["text", "number", "truth", "time", "date", "id", "list", "map", "records"]
Bind = Callable[[object, str], exp.Expr]  # a value and its ClickHouse type -> the placeholder for it

ROWS, CUSTOMERS = "m", "c"  # what the two sources are called in a query
MOMENT = "DateTime64(3, 'UTC')"
# where a module has no view as of a moment: the column that says when a row came to be
TIMES = {"events": "occurred_at", "failed": "occurred_at"}
KINDS: tuple[tuple[str, Kind], ...] = (
    (r"String|FixedString.*|Enum.*", "text"),
    (r"U?Int\d+|Float\d+|Decimal.*", "number"),
    (r"Bool", "truth"),
    (r"DateTime.*", "time"),
    (r"Date(32)?", "date"),
    (r"UUID", "id"),
    (r"Array\(String\)", "list"),
    (r"Map\(String, (String|Float64)\)", "map"),
)
MEANT = {
    "text": "text",
    "number": "a number",
    "truth": "true or false",
    "time": "a time",
    "date": "a date",
    "id": "an id",
    "list": "a list",
    "map": "a map of named values",
    "records": "a list of records",
}


class Field(NamedTuple):
    """A field as the form names it, and as a query reads it: null where there is no value."""

    name: str
    kind: Kind
    type: str
    of: str
    value: exp.Expr
    can_be_null: bool
    is_named: bool = False  # a named value of a map, which is text that may hold a number

    @property
    def is_base_money(self) -> bool:
        """Whether it is a column in base_minor; a named value of a map is a number, whatever it is called."""
        return self.name.endswith("base_minor") and kind_of(self.type) == "number"

    @property
    def is_other_money(self) -> bool:
        return self.name.endswith("_minor") and not self.name.endswith("base_minor")

    @property
    def is_amount(self) -> bool:
        """Whether it is an amount of 64 bits, of which a sum needs more."""
        return self.name.endswith("_minor") and self.kind == "number" and "Int64" in self.type

    def told(self) -> str:
        """What the field is, for who takes it for something else."""
        named = f", so write {self.name}.NAME" if self.kind == "map" else ""
        return f"{self.name} of {self.of} is {MEANT[self.kind]} ({self.type}{named})"

    def number(self, why: str, where: str) -> exp.Expr:
        """Its value as a number, also of text in a map; raises BadForm where it is none."""
        if self.kind == "number":
            return self.value.copy()
        if self.kind == "truth":
            return call("toUInt8", self.value)
        if self.is_named:
            return call("toFloat64OrNull", self.value)
        raise BadForm(f"{self.told()}: {why} needs a number.", where)


class Source(NamedTuple):
    """What a query reads, and which of its rows are meant."""

    table: exp.Table
    conditions: tuple[exp.Expr, ...]


class Catalogue:
    """Module -> column -> ClickHouse type, and the modules that have a view as of a moment."""

    def __init__(self, modules: Mapping[str, Mapping[str, str]], as_of: frozenset[str]) -> None:
        self._modules = modules
        self._as_of = as_of

    @classmethod
    def of(cls, schema: Schema) -> "Catalogue":
        """The documented views and the events' tables of a history."""
        modules = {
            table.name: {each.name: each.type for each in table.columns}
            for table in schema.tables
            if table.kind in ("view", "event") and not table.parameters
        }
        views = {table.name.removesuffix(AT) for table in schema.tables if table.parameters}
        return cls(modules, frozenset(views & modules.keys()))

    @property
    def modules(self) -> Mapping[str, Mapping[str, str]]:
        return self._modules

    def source(self, module: str, alias: str, as_of_is_given: bool) -> Source:
        """The rows of a module as of a moment; raises BadForm where it tells only of now."""
        chosen(module, self._modules, "There is no module", "from")
        if module in self._as_of:
            at = exp.EQ(this=exp.column("as_of"), expression=AS_OF.copy())
            return Source(_aliased(exp.Anonymous(this=f"{module}{AT}", expressions=[at]), alias), ())
        table = _aliased(exp.to_identifier(module, quoted=True), alias)
        if module in TABLES:
            return Source(table, (column("occurred_at", alias) <= AS_OF, _could_be_processed(alias)))
        if module in TIMES:
            return Source(table, (column(TIMES[module], alias) <= AS_OF,))
        if as_of_is_given:
            raise BadForm(f"{module} tells only how things are now: leave out as_of.", "as_of")
        return Source(table, ())

    def field(self, module: str, written: str, bind: Bind, where: str) -> Field:
        """The field that was written as NAME, MAP.NAME or customers.NAME; raises BadForm."""
        of, name, source = module, written, ROWS
        if written.startswith("customers.") and module != "customers":
            of, name, source = "customers", written.removeprefix("customers."), CUSTOMERS
            if "customer_id" not in self._modules[module] or "customers" not in self._modules:
                raise BadForm(f"{module} has no customers to look {written[:80]!r} up of.", where)
        columns = self._modules[of]
        own, dot, key = name.partition(".")
        if own not in columns or (dot and kind_of(columns[own]) != "map"):
            raise BadForm(self._no_field(module, of, written, name), where)
        type_, kind = columns[own], kind_of(columns[own])
        value: exp.Expr = column(own, source)
        if dot:
            bound = bind(key, "String")
            value = call(
                "if", call("mapContains", value, bound), call("arrayElement", value, bound), exp.null()
            )
            kind = "number" if "Float64" in type_ else "text"
        elif source == CUSTOMERS and kind not in ("list", "map", "records"):
            value = call("if", call("empty", column("customer_id", CUSTOMERS)), exp.null(), value)
        can_be_null = bool(dot) or source == CUSTOMERS or "Nullable(" in type_
        return Field(written, kind, type_, of, value, can_be_null, is_named=bool(dot) and kind == "text")

    def _no_field(self, module: str, of: str, written: str, name: str) -> str:
        """What to write instead: a field of the module, or one of its customers."""
        before = "" if of == module else "customers."
        known = {f"{before}{each}" for each in self._modules[of]}
        if of == module and "customer_id" in self._modules[module]:
            known |= {f"customers.{each}" for each in self._modules.get("customers", ())}
        maps = [each for each, type_ in self._modules[of].items() if kind_of(type_) == "map"]
        hint = "".join(f" or {before}{each}.{name.rpartition('.')[2][:80]}" for each in maps)
        return f"{module} has no field {written[:80]!r}: {nearest(written, known)}{hint}."


def kind_of(type_: str) -> Kind:
    """What a column of the ClickHouse type holds."""
    inner, outer = type_, ""
    while inner != outer:
        outer, inner = inner, re.sub(r"(?:LowCardinality|Nullable)\(((?:[^()]|\([^()]*\))*)\)", r"\1", inner)
    return next((kind for pattern, kind in KINDS if re.fullmatch(pattern, inner)), "records")


def call(function: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of a ClickHouse function, as it is."""
    return exp.Anonymous(this=function, expressions=[argument.copy() for argument in arguments])


def placeholder(name: str, type_: str) -> exp.Expr:
    """Where a value goes."""
    return exp.Placeholder(this=exp.Var(this=name), kind=exp.DataType.build(type_, dialect="clickhouse"))


AS_OF = placeholder("as_of", MOMENT)


def _aliased(source: exp.Expr, alias: str) -> exp.Table:
    return exp.Table(this=source, alias=exp.TableAlias(this=exp.to_identifier(alias)))


def column(name: str, table: str | None = None) -> exp.Column:
    return exp.column(name, table=table, quoted=True)


def _could_be_processed(alias: str) -> exp.Expr:
    """That the record is none that the engine refused."""
    place = exp.Tuple(expressions=[column(name, alias) for name in ("topic", "partition", "offset")])
    origin = [column(f"origin_{name}") for name in ("topic", "partition", "offset")]
    refused = exp.select(*origin).from_(exp.Table(this=exp.to_identifier("ProcessingFailed", quoted=True)))
    return exp.Not(this=exp.In(this=place, query=exp.Subquery(this=refused)))
