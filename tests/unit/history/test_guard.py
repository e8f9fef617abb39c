"""Does the guard let through reads of the history, and nothing else?"""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.guard import FUNCTIONS, SYNTAX, Guard, QueryRefused
from history.tables import TABLES
from tests.hostile import HOSTILE

ENGINE_FUNCTIONS = [*FUNCTIONS, "file", "sleep", "throwIf", "getSetting", "hostName", "dictGet", "user"]
GUARD = Guard(
    "headwater", [*TABLES, "events", "orders", "stages", "transitions"], ENGINE_FUNCTIONS, ["orders_at"]
)

HARMLESS = [
    "SELECT formatDateTime(occurred_at, '%Y-%m') AS month, count() FROM events GROUP BY month",
    "SELECT * FROM events LIMIT 10",
    "SELECT count() FROM headwater.events",
    "SELECT type, count() FROM events GROUP BY type ORDER BY 2 DESC",
    "SELECT stage, count() FROM stages GROUP BY stage",
    "WITH big AS (SELECT * FROM orders WHERE net_minor > 100) SELECT count() FROM big",
    "WITH 1 AS one, x AS (SELECT one) SELECT * FROM x",
    "SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM transitions",
    "SELECT * FROM (SELECT 1 AS a) AS s CROSS JOIN (SELECT 2 AS b) AS t",
    "SELECT * FROM orders WHERE customer_id = {customer:String} AND placed_at > {since:DateTime64(3)}",
    "SELECT customer_id, sumIf(net_minor, currency = 'USD') FROM orders GROUP BY customer_id",
    "SELECT quantile(0.5)(net_minor), uniqExactIf(customer_id, cancelled) FROM orders",
    "SELECT row_number() OVER (PARTITION BY customer_id ORDER BY placed_at ASC) FROM orders",
    "SELECT arrayMap(x -> x.sku, lines), lines.sku FROM OrderPlaced ARRAY JOIN lines AS line",
    "SELECT CASE WHEN late THEN 'late' ELSE 'in time' END FROM transitions",
    "SELECT 'file(''/etc/passwd'') INTO OUTFILE; DROP TABLE x' AS text",
    "SELECT customer_id FROM orders WHERE customer_id IN (SELECT customer_id FROM stages)",
    "SELECT * FROM events WHERE type IN ('OrderPlaced', 'OrderRefunded')",
    "SELECT number FROM numbers(10)",
    "SELECT windowFunnel(86400)(occurred_at, type = 'a', type = 'b') FROM events GROUP BY customer_id",
    "SELECT count() FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS o WHERE NOT cancelled",
    "SELECT * FROM headwater.orders_at(as_of = '2026-01-31 00:00:00.000')",
    "SELECT * FROM orders AS a INNER JOIN (SELECT * FROM orders_at(as_of = 0)) AS b USING (order_id)",
    "DESCRIBE TABLE events",
    "SHOW TABLES",
    "SHOW TABLES LIKE 'Order%'",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "SELECT 1;",
]


@pytest.mark.parametrize("query", HARMLESS)
def test_a_read_of_the_history_passes_unchanged(query: str) -> None:
    """What an analyst needs is let through as it was written."""
    assert GUARD.check(query).query == query


@pytest.mark.parametrize("query", HOSTILE)
def test_anything_else_is_refused_with_one_sentence(query: str) -> None:
    """Each refusal is a sentence, which ends with what to do."""
    with pytest.raises(QueryRefused) as refusal:
        GUARD.check(query)
    assert re.fullmatch(r"[^\n]+: [^\n]+\.", str(refusal.value), re.DOTALL)


def test_parameters_are_named_so_that_each_can_be_asked_for() -> None:
    """The guard tells which parameters a query has."""
    assert GUARD.check("SELECT {a:String}, {b:Array(UInt8)}").parameters == {"a", "b"}


FORBIDDEN = st.sampled_from(["file('/x')", "url('u')", "sleep(1)", "`file`('/x')", "FILE ('/x')", "nope(1)"])
AROUND = st.sampled_from(
    [
        "({})",
        "toString({})",
        "[{}, 1]",
        "if(1, {}, 2)",
        "(SELECT {})",
        "(SELECT 1 WHERE {} IN (1))",
        "arrayMap(x -> {}, [1])",
        "CASE WHEN {} THEN 1 END",
        "sum({}) OVER ()",
        "CAST({} AS String)",
        "tuple({}).1",
        "map('k', {})",
    ]
)
PLACES = st.sampled_from(
    [
        "SELECT {}",
        "SELECT 1 FROM events WHERE {}",
        "SELECT 1 FROM events PREWHERE {}",
        "SELECT 1 FROM events GROUP BY {}",
        "SELECT 1 FROM events ORDER BY {}",
        "SELECT 1 FROM events HAVING {}",
        "SELECT 1 FROM events LIMIT {}",
        "SELECT 1 FROM events ARRAY JOIN {} AS x",
        "SELECT 1 FROM events AS a LEFT JOIN orders AS b ON {}",
        "WITH {} AS x SELECT x",
        "WITH events AS (SELECT {}) SELECT * FROM events",
        "SELECT 1 UNION ALL SELECT {}",
        "SELECT * FROM numbers({})",
    ]
)


@given(FORBIDDEN, st.lists(AROUND, max_size=4), PLACES)
def test_no_place_hides_a_forbidden_call(call: str, around: list[str], place: str) -> None:
    """However deep and wherever it stands, a function that is not on the list is refused."""
    for wrapping in around:
        call = wrapping.format(call)
    with pytest.raises(QueryRefused):
        GUARD.check(place.format(call))


@given(st.text(max_size=60))
def test_any_text_is_checked_or_refused(text: str) -> None:
    """The guard has no other way to fail than to refuse."""
    with suppress(QueryRefused):
        assert GUARD.check(text).query == text


def test_no_column_of_ours_has_a_forbidden_name() -> None:
    """Every column of every event can be selected by its name."""
    names = {column.name.lower() for table in TABLES.values() for column in table.columns}
    assert not names & {"file", "sleep", "user", "database", "schema", "uptime", "hostname"}
    assert all(GUARD.check(f"SELECT `{name}` FROM OrderPlaced") for name in names)


def test_the_words_of_the_grammar_name_no_function_that_is_not_allowed() -> None:
    """A word that may stand before a parenthesis cannot be a call of something forbidden."""
    assert not SYNTAX & {name.lower() for name in ENGINE_FUNCTIONS} - FUNCTIONS
