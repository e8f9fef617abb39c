"""Does a form become the one query that it means, whatever texts stand in it?"""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.guard import FUNCTIONS, Guard
from history.own import MEASURES, OPERATORS, BadForm, read
from history.own_fields import Catalogue, kind_of
from history.own_sql import Compiled, compile_form
from tests.hostile import HOSTILE

TIME = "DateTime64(3, 'UTC')"
CATALOGUE = Catalogue(
    {
        "orders": {
            "order_id": "String",
            "customer_id": "String",
            "placed_at": TIME,
            "currency": "LowCardinality(String)",
            "amount_minor": "Int64",
            "base_minor": "Nullable(Int64)",
            "cancelled": "Bool",
            "store": "Nullable(String)",
            "event_id": "UUID",
        },
        "customers": {
            "customer_id": "String",
            "stage": "String",
            "traits": "Map(String, String)",
            "segments": "Array(String)",
            "first_order_at": f"Nullable({TIME})",
            "net_base_minor": "Nullable(Int64)",
        },
        "customer_months": {"customer_id": "String", "month": "Date", "orders": "UInt64"},
        "stages": {"customer_id": "String", "stage": "String"},
        "CustomEvent": {"customer_id": "String", "occurred_at": TIME, "properties": "Map(String, String)"},
        "OrderPlaced": {"customer_id": "String", "occurred_at": TIME, "lines": "Array(Tuple(sku String))"},
        "scored": {"customer_id": "String", "probabilities": "Map(String, Float64)"},
    },
    frozenset({"orders", "customers"}),
)
TABLES = ["customer_months", "stages", "CustomEvent", "OrderPlaced", "ProcessingFailed", "scored"]
GUARD = Guard("headwater", TABLES, [*FUNCTIONS, "file", "url"], ["orders_at", "customers_at"])


def compiled(**form: Any) -> Compiled:
    return compile_form(read({"from": "orders", **form}), CATALOGUE)


def attempted(document: dict[str, Any]) -> Compiled | str:
    """The query, or why there is none."""
    try:
        return compile_form(read(document), CATALOGUE)
    except BadForm as error:
        return str(error)


def refused(**form: Any) -> BadForm:
    with pytest.raises(BadForm) as error:
        compiled(**form)
    assert re.fullmatch(r".+: .+\.", str(error.value), re.DOTALL)
    return error.value


def test_counting_the_rows_of_a_module() -> None:
    """A form of nothing but a module counts its rows as of the report's moment."""
    assert compiled() == Compiled(
        query=(
            "WITH base AS (\n  SELECT\n    1 AS one\n"
            "  FROM orders_at(as_of = {as_of: DateTime64(3, 'UTC')}) AS m\n)\n"
            "SELECT\n  count() AS m1\nFROM base\nLIMIT 10001"
        ),
        parameters={},
        columns=compiled().columns,
        of_nothing=[0],
        dimensions=0,
        pivot=None,
    )


def test_grouping_filtering_and_measuring() -> None:
    """Values are bindings, fields are quoted, a trait by a binding, customers joined once."""
    found = compiled(
        measures=[{"measure": "sum", "field": "base_minor", "name": "revenue"}],
        dimensions=[{"field": "placed_at", "grain": "month"}, {"field": "customers.traits.city"}],
        filters=[
            {"field": "cancelled", "value": False},
            {"field": "customers.stage", "op": "in", "values": ["new", "active"]},
        ],
    )
    assert found.query == (
        """
WITH base AS (
  SELECT
    toStartOfMonth(toDate("m"."placed_at", {timezone: String})) AS x1,
    if(
      mapContains("c"."traits", {p1: String}),
      arrayElement("c"."traits", {p1: String}),
      NULL
    ) AS x2,
    "m"."base_minor" AS v1
  FROM orders_at(as_of = {as_of: DateTime64(3, 'UTC')}) AS m
  LEFT JOIN customers_at(as_of = {as_of: DateTime64(3, 'UTC')}) AS c
    ON "c"."customer_id" = "m"."customer_id"
  WHERE
    "m"."cancelled" = {p2: UInt8}
    AND ifNull(has({p3: Array(String)}, if(empty("c"."customer_id"), NULL, "c"."stage")), 0)
)
SELECT
  x1 AS g1,
  x2 AS g2,
  sum(toInt128(v1)) AS m1
FROM base
GROUP BY
  g1,
  g2
ORDER BY
  g1 ASC,
  m1 DESC,
  g2 ASC
LIMIT 10001
""".strip()
    )
    assert found.parameters == {"p1": "city", "p2": 0, "p3": ["new", "active"]}


ALL = {
    "measures": [{"measure": each, "field": "base_minor"} for each in MEASURES],
    "dimensions": [
        {"field": "placed_at", "grain": "week", "name": "week"},
        {"field": "customers.segments"},
        {"field": "amount_minor", "bins": [0, 10.5]},
    ],
    "period": {"field": "placed_at", "from": "2024-01-01", "to": "2024-01-31"},
    "compare": "previous_year",
    "top": {"n": 3, "others": False},
    "pivot": {"dimension": "week"},
}


@pytest.mark.parametrize("more", [{}, {"pivot": None}, {"compare": None}, {"top": None}], ids=str)
def test_the_guard_lets_every_query_through(more: dict[str, Any]) -> None:
    """What is compiled is a read of the allowed views, of every part that a form has."""
    form = {name: value for name, value in {**ALL, **more}.items() if value is not None}
    found = compiled(**form)
    assert GUARD.check(found.query).parameters >= found.parameters.keys()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"from": "order"}, "no module 'order': use orders"),
        ({"measures": [{"measure": "avg", "field": "base_minor"}]}, "no measure 'avg': use"),
        ({"measures": [{"measure": "sum", "field": "base_minr"}]}, "no field 'base_minr': use base_minor"),
        ({"dimensions": [{"field": "customers.stge"}]}, "use customers.stage"),
        ({"dimensions": [{"field": "city"}]}, "orders has no field 'city'"),
        ({"from": "customers", "dimensions": [{"field": "city"}]}, "or traits.city"),
        ({"dimensions": [{"field": "placed_at"}]}, "placed_at of orders is a time .*: give a grain"),
        ({"dimensions": [{"field": "placed_at", "grain": "hour"}]}, "no grain 'hour': use"),
        ({"dimensions": [{"field": "store", "grain": "day"}]}, "store of orders is text .*: a grain needs"),
        ({"dimensions": [{"field": "store", "bins": 5}]}, "store of orders is text .*: bins needs a number"),
        ({"dimensions": [{"field": "amount_minor", "bins": 0}]}, "width of bins"),
        ({"dimensions": [{"field": "amount_minor", "bins": [2, 1]}]}, "must rise"),
        ({"dimensions": [{"field": "customers.traits"}]}, "write customers.traits.NAME"),
        (
            {"from": "OrderPlaced", "dimensions": [{"field": "lines"}]},
            "lines of OrderPlaced is a list of records",
        ),
        (
            {"measures": [{"measure": "sum", "field": "store"}]},
            "store of orders is text .*: sum needs a number",
        ),
        ({"measures": [{"measure": "sum", "field": "amount_minor"}]}, "currency of each row: use"),
        ({"measures": [{"measure": "sum"}]}, "sum measures a field: give one"),
        ({"measures": [{"measure": "count"}] * 2}, "Two columns are called 'count'"),
        (
            {"filters": [{"field": "amount_minor", "value": "abc"}]},
            "amount_minor of orders is a number .*'abc'",
        ),
        ({"filters": [{"field": "cancelled", "value": 1}]}, "true or false"),
        ({"filters": [{"field": "placed_at", "value": "yesterday"}]}, "give days such as"),
        ({"filters": [{"field": "placed_at", "op": ">", "value": "2024-02-30"}]}, "not '2024-02-30'"),
        ({"filters": [{"field": "event_id", "value": "x"}]}, "give an id"),
        ({"filters": [{"field": "store", "op": "like", "value": "x"}]}, "no operator 'like'"),
        ({"filters": [{"field": "store", "op": "in", "value": "x"}]}, "in takes a list: give values"),
        ({"filters": [{"field": "store", "op": "between", "values": ["x"]}]}, "2 values, not 1"),
        ({"filters": [{"field": "store", "op": "=", "value": None}]}, "use is_null"),
        ({"filters": [{"field": "store", "op": "is_null", "value": 1}]}, "takes no value"),
        ({"filters": [{"field": "amount_minor", "op": "contains", "value": "1"}]}, "contains needs a text"),
        ({"filters": [{"field": "customers.segments", "value": "vip"}]}, "use is_null, not_null, contains"),
        ({"compare": "previous_year"}, "compare needs a period"),
        ({"period": {"field": "store", "from": "2024-01-01", "to": "2024-01-02"}}, "a period needs a time"),
        ({"period": {"field": "placed_at", "from": "2024-13-01", "to": "2024-01-02"}}, "give a day"),
        (
            {"period": {"field": "placed_at", "from": "2024-01-03", "to": "2024-01-02"}},
            "exchange from and to",
        ),
        ({"top": {"n": 3}}, "top needs a dimension"),
        ({"dimensions": [{"field": "store"}], "top": {"n": 3, "by": "cout"}}, "no measure 'cout': use count"),
        (
            {"dimensions": [{"field": "store"}], "pivot": {"dimension": "shop"}},
            "no dimension 'shop': use store",
        ),
        ({"dimensions": [{"field": "store"}], "order": ["-cont"]}, "no column 'cont': use count"),
        ({"from": "stages", "as_of": "2024-01-01T00:00:00Z"}, "leave out as_of"),
        ({"mesures": []}, "no 'mesures': use measures"),
        ({"dimensions": [{"fied": "store"}]}, r"no 'fied' in dimensions\[0\]: use field"),
        ({"limit": 0}, "int` >= 1 in limit"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_with_what_is_nearest(form: dict[str, Any], words: str) -> None:
    """Each fault of a form is one sentence that names the field and what to write."""
    assert re.search(words, str(refused(**form)))


@pytest.mark.parametrize(
    ("module", "field"),
    [
        ("CustomEvent", "properties.tip_base_minor"),
        ("orders", "customers.traits.tip_base_minor"),
        ("scored", "probabilities.tip_base_minor"),
    ],
)
@pytest.mark.parametrize("measure", ["sum", "mean", "median"])
def test_a_named_value_is_never_money(module: str, field: str, measure: str) -> None:
    """Only a column in base_minor is money: a named value may be no whole number, so it is not rounded."""
    asked = {"measures": [{"measure": measure, "field": field}], "dimensions": [{"field": field, "bins": 5}]}
    found = compiled(**{"from": module}, **asked)
    assert [(column.name.rpartition("_")[2], column.unit) for column in found.columns][1] == (
        "minor",
        "number",
    )
    assert found.columns[0].unit != "money"
    assert "toInt" not in found.query
    assert compiled(measures=[{"measure": measure, "field": "base_minor"}]).columns[0].unit == "money"


AMOUNT = [{"measure": "sum", "field": "amount_minor"}]
BY_CURRENCY = [{"field": "currency"}, {"field": "store"}]
ADDING: list[dict[str, Any]] = [
    {"measures": [{"measure": "share", "field": "amount_minor"}]},
    {"measures": AMOUNT, "top": {"n": 3, "dimension": "store"}},
    {"measures": AMOUNT, "top": {"n": 1, "dimension": "currency"}},
    {"measures": AMOUNT, "pivot": {"dimension": "store"}},
    {"measures": AMOUNT, "pivot": {"dimension": "currency", "columns": 1}},
]


@pytest.mark.parametrize("more", ADDING, ids=str)
def test_amounts_of_several_currencies_are_never_added_up(more: dict[str, Any]) -> None:
    """What adds over the groups needs one currency by a filter; the dimension alone keeps only sums apart."""
    error = refused(dimensions=BY_CURRENCY, **more)
    assert "adds several currencies up: filter by currency =" in str(error)
    assert error.field == "measures[0].field"
    assert compiled(dimensions=BY_CURRENCY, **more, filters=[{"field": "currency", "value": "USD"}])
    assert compiled(dimensions=BY_CURRENCY, measures=AMOUNT)
    base = {"measures": [{"measure": "sum", "field": "base_minor"}]}
    assert compiled(dimensions=BY_CURRENCY, **{**more, **base})


def test_a_comparison_longer_than_a_year_is_refused() -> None:
    """Its days would count twice."""
    period = {"field": "placed_at", "from": "2023-01-01", "to": "2024-06-30"}
    assert "previous_period" in str(refused(period=period, compare="previous_year"))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("LowCardinality(Nullable(String))", "text"),
        ("Nullable(DateTime64(3, 'UTC'))", "time"),
        ("Nullable(Decimal(9, 2))", "number"),
        ("Array(LowCardinality(String))", "list"),
        ("Map(LowCardinality(String), Nullable(String))", "map"),
        ("Array(Tuple(sku String, quantity Int64))", "records"),
        ("Nullable(UInt8)", "number"),
        ("Date32", "date"),
    ],
)
def test_the_kind_of_a_type(type_: str, kind: str) -> None:
    """Whatever is around it, a column is of the kind that it holds."""
    assert kind_of(type_) == kind


QUOTES = ("'", '"', "`", "\\", "\x00", "--", "/*", "*/", ";", ")", "(", "🍎", "\n", "\u2028", "%(a)s", "$$")
WORDS = (
    " OR 1=1",
    "' OR '",
    "system.tables",
    "file('/etc/passwd')",
    " UNION ALL SELECT ",
    "{x:String}",
    "{p1:String}",
)
SNIPPETS = st.sampled_from([*QUOTES, *WORDS])
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(SNIPPETS, min_size=1, max_size=6).map("".join),
    st.sampled_from(HOSTILE).map(lambda text: text[:200]),
)
FIELDS = {column for columns in ("orders", "customers") for column in CATALOGUE.modules[columns]}


@given(TEXTS, st.sampled_from([each for each in OPERATORS if each not in ("between", "is_null", "not_null")]))
def test_a_value_never_changes_the_query(text: str, op: str) -> None:
    """Whatever a filter's value, a trait's name and a column's name hold, the query's text is the same."""

    def with_text(text: str) -> Compiled:
        value = {"values": [text, text]} if op in ("in", "not_in") else {"value": text}
        return compiled(
            dimensions=[{"field": f"customers.traits.{text}"}, {"field": "store"}],
            filters=[
                {"field": "store", "op": op, **value},
                {"field": f"customers.traits.{text}", "op": op, **value},
            ],
            top={"n": 2},
        )

    harmless, hostile = with_text("x"), with_text(text)
    assert hostile.query == harmless.query
    assert [*hostile.parameters.values()].count(text) + [*hostile.parameters.values()].count(
        [text, text]
    ) == 4
    GUARD.check(hostile.query)


PLACES: list[Any] = [
    lambda text: {"from": text},
    lambda text: {"measures": [{"measure": text, "field": "store"}]},
    lambda text: {"measures": [{"measure": "count", "field": text}]},
    lambda text: {"dimensions": [{"field": text}]},
    lambda text: {"dimensions": [{"field": f"customers.{text}"}]},
    lambda text: {"dimensions": [{"field": "placed_at", "grain": text}]},
    lambda text: {"filters": [{"field": text, "op": "not_null"}]},
    lambda text: {"filters": [{"field": "store", "op": text, "value": "x"}]},
    lambda text: {"period": {"field": text, "from": "2024-01-01", "to": "2024-01-02"}},
    lambda text: {"period": {"field": "placed_at", "from": text, "to": "2024-01-02"}},
    lambda text: {
        "period": {"field": "placed_at", "from": "2024-01-01", "to": "2024-01-02"},
        "compare": text,
    },
    lambda text: {"dimensions": [{"field": "store"}], "top": {"n": 1, "by": text}},
    lambda text: {"dimensions": [{"field": "store"}], "top": {"n": 1, "dimension": text}},
    lambda text: {"dimensions": [{"field": "store"}], "pivot": {"dimension": text}},
    lambda text: {"order": [text]},
]


@given(TEXTS, st.sampled_from(PLACES))
def test_a_name_that_is_not_known_is_refused(text: str, place: Any) -> None:
    """Wherever a name goes, only what the catalogue and the form have becomes a part of the query."""
    known = FIELDS | {f"customers.{each}" for each in FIELDS} | {*MEASURES, *OPERATORS, *CATALOGUE.modules}
    if text.removeprefix("-") not in known | {"day", "week", "count"} and not text.startswith("traits."):
        refused(**place(text))


@given(TEXTS)
def test_the_name_of_a_column_is_no_part_of_the_query(text: str) -> None:
    """A column is called as the form says, in the answer and nowhere else."""
    try:
        found = compiled(measures=[{"measure": "count", "name": text}], order=[text])
    except BadForm:
        assert not re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]{1,64}", text)
    else:
        assert found.query == compiled(order=["count"]).query
        assert [column.name for column in found.columns] == [text]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["field", "op", "n"]), inner),
    max_leaves=5,
)
MEMBERS = ["measures", "dimensions", "filters", "period", "compare", "top", "pivot", "order", "limit", "from"]


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_document_is_a_form_or_told_why_not(document: dict[str, Any]) -> None:
    """Whatever JSON is sent, it compiles to a guarded read, or one sentence says what is wrong."""
    found = attempted({"from": "orders", **document})
    if isinstance(found, str):
        assert found.endswith(".")
    else:
        GUARD.check(found.query)


@given(
    st.one_of(TEXTS, st.integers(), st.floats(), st.booleans()), st.sampled_from(sorted(FIELDS - {"traits"}))
)
def test_a_value_of_any_kind_is_bound_or_refused(value: object, field: str) -> None:
    """A value that is none of the field's kind is refused with what the field is."""
    of = "orders" if field in CATALOGUE.modules["orders"] else "customers"
    found = attempted({"from": of, "filters": [{"field": field, "value": value}]})
    if isinstance(found, str):
        assert f"{field} of {of} is " in found
    else:
        assert len(found.parameters) == 1
