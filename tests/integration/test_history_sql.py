"""Is the analyst's SQL a read of the history, within its limits, that leaves the engine unharmed?"""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.client import ANALYST, connect
from history.guard import FUNCTIONS, SYNTAX, QueryRefused
from history.lane import Lane
from history.sql import MAX_ROWS, QueryStopped
from history.store import History
from tests.hostile import HOSTILE, OUTFILE
from tests.integration.test_history import EVENTS, archive, order, page, records

CANARY = "canary-7c1e"
UNBOUNDED = "SELECT count() FROM (SELECT cityHash64(number) AS h FROM numbers(1000000000000) WHERE h % 2 = 0)"


@pytest.fixture(scope="module")
def history(history_url: str) -> Iterator[History]:
    history = History.open(history_url)
    archive(history, EVENTS, {0: records(order(), order("bob", "o-2", 250), page())})
    yield history
    history.close()


@pytest.fixture
def impatient(history_url: str, history: History, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The analyst's limit is one second rather than ten."""
    lane = Lane("impatient", lambda: connect(history_url, {**ANALYST, "max_execution_time": 1}, "headwater"))
    monkeypatch.setattr(history, "_analyst", lane)
    yield
    lane.close(lambda: None)


async def test_an_answer_has_columns_rows_and_json_values(history: History) -> None:
    """Names and types come with rows that JSON can carry."""
    answer = await history.sql(
        "SELECT customer_id, sum(net_minor) AS net, max(placed_at) AS last, "
        "toDecimal64(1.5, 2) AS d, nan AS n FROM orders GROUP BY 1 ORDER BY 1 -- a comment"
    )
    assert [(column.name, column.type) for column in answer.columns][:3] == [
        ("customer_id", "String"),
        ("net", "Int64"),
        ("last", "DateTime64(3, 'UTC')"),
    ]
    assert answer.rows == [
        ["ann", 1000, "2023-11-14T22:13:20.000Z", "1.5", None],
        ["bob", 250, "2023-11-14T22:13:20.000Z", "1.5", None],
    ]
    assert answer.truncated is False


async def test_parameters_are_values_whatever_they_hold(history: History) -> None:
    """A parameter is never read as SQL."""
    hostile = "'; DROP TABLE OrderPlaced; -- \\ \n {x:String} %(a)s"
    answer = await history.sql("SELECT {a:String}, {b:Array(UInt8)}", {"a": hostile, "b": [1, 2]})
    assert answer.rows == [[hostile, [1, 2]]]
    quoted = await history.sql("SELECT '%(a)s {a:String}', {a:String}", {"a": "x"})
    assert quoted.rows == [["%(a)s {a:String}", "x"]]


async def test_a_long_parameter_arrives(history: History) -> None:
    """One too long for a URL goes another way."""
    answer = await history.sql("SELECT length({a:String}), {a:String}", {"a": "ä'\n" * 20_000})
    assert answer.rows == [[80_000, "ä'\n" * 20_000]]


async def test_a_parameter_without_a_value_is_named(history: History) -> None:
    """Who forgets a parameter is told which."""
    with pytest.raises(QueryRefused, match="'who' has no value"):
        await history.sql("SELECT {who:String}")


async def test_a_parameter_that_the_query_does_not_name_is_refused(history: History) -> None:
    """A misspelt one must not look as if it had counted; the fault is that of the parameters."""
    with pytest.raises(QueryRefused, match=r"no parameter 'nmae': write \{nmae:Type\}") as refused:
        await history.sql("SELECT {name:String}", {"name": "a", "nmae": "b"})
    assert refused.value.field == "parameters"


@pytest.mark.parametrize(
    ("parameters", "max_rows", "field"),
    [({"n": "x"}, 1, "parameters"), ({}, 1, "parameters"), ({"n": 1}, 0, "max_rows")],
)
async def test_a_refusal_says_what_it_is_about(
    history: History, parameters: dict[str, object], max_rows: int, field: str
) -> None:
    """The query is right each time."""
    with pytest.raises(QueryRefused) as refused:
        await history.sql("SELECT {n:UInt8}", parameters, max_rows)
    assert refused.value.field == field


async def test_a_syntax_error_is_told_without_the_list_of_all_that_is_expected(history: History) -> None:
    """The place is told, and not a page of keywords."""
    with pytest.raises(QueryRefused, match="Syntax error") as refused:
        await history.sql("SELECT count( FROM events WHERE")
    assert "Expected one of" not in str(refused.value)


async def test_more_rows_than_asked_for_are_cut_and_said_so(history: History) -> None:
    """The answer is truncated at max_rows, and at the most that there can be."""
    few = await history.sql("SELECT number FROM numbers(7)", max_rows=5)
    assert (few.rows, few.truncated) == ([[0], [1], [2], [3], [4]], True)
    assert (await history.sql("SELECT number FROM numbers(5)", max_rows=5)).truncated is False
    most = await history.sql("SELECT number FROM numbers(1000000) UNION ALL SELECT 1")
    assert (len(most.rows), most.truncated) == (MAX_ROWS, True)
    with pytest.raises(QueryRefused, match="max_rows is 100001"):
        await history.sql("SELECT 1", max_rows=MAX_ROWS + 1)


@pytest.mark.parametrize("query", [*HOSTILE, "SELECT", "SELECT 1 +", "SELECT nothing FROM events", "\udc80"])
async def test_a_hostile_statement_is_refused_and_the_next_query_works(history: History, query: str) -> None:
    """A sentence comes back, nothing is changed, and the engine goes on."""
    with pytest.raises(QueryRefused) as refusal:
        await history.sql(query, {"t": "system.tables", "c": "x"})
    assert re.search(r": .|, so ", str(refusal.value))
    assert not os.path.exists(OUTFILE)  # noqa: ASYNC240
    assert (await history.sql("SELECT count() FROM OrderPlaced")).rows == [[2]]


@pytest.mark.parametrize(
    "query",
    [
        UNBOUNDED,
        "SELECT count() FROM numbers(1000000) AS a JOIN numbers(1000000) AS b ON a.number > b.number",
        "SELECT groupArray(number) FROM numbers(1000000000)",
        "SELECT number, repeat('x', 1000000) FROM numbers(100000)",
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT count() FROM x",
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_runaway_query_is_stopped(history: History, query: str) -> None:
    """Time, memory and size have an end, and the query after it is answered."""
    with pytest.raises((QueryStopped, QueryRefused)) as stopped:
        await history.sql(query)
    assert str(stopped.value)
    assert (await history.sql("SELECT 1")).rows == [[1]]
    assert (await history.sql("SELECT count() FROM OrderPlaced")).rows == [[2]]


@pytest.mark.usefixtures("impatient")
async def test_a_slow_analyst_stops_neither_the_loop_nor_the_archive_nor_a_timeline(history: History) -> None:
    """While a query runs, the event loop turns, records are archived and a timeline is read."""
    slow = asyncio.create_task(history.sql(UNBOUNDED))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(archive, history, EVENTS, {5: records(page("eve"))})
    assert (await history.timeline("eve")).items
    assert not slow.done()
    with pytest.raises(QueryStopped, match="stopped after"):
        await slow


async def test_limits_cannot_be_lifted(history_url: str, history: History) -> None:
    """ClickHouse's own read-only mode stands behind the guard."""
    analyst = connect(history_url, ANALYST, "headwater")
    for statement in (
        "SET max_execution_time = 0",
        "DROP TABLE OrderPlaced",
        "SELECT 1 SETTINGS max_threads = 9",
    ):
        with pytest.raises(Exception, match="readonly"):
            analyst.command(statement)
    analyst.close()


async def test_the_lists_fit_the_engine(history: History) -> None:
    """The words of the grammar let no function of this engine through that is not allowed."""
    found = await history._reader.run(lambda client: client.query("SELECT name FROM system.functions"))
    known = {name.lower() for (name,) in found.result_rows}
    assert not SYNTAX & known - FUNCTIONS
    assert {"file", "sleep", "hostname"} <= known - FUNCTIONS


WORDS = """
SELECT FROM WHERE ( ) ( ) , , . * 1 'a' AS WITH UNION ALL JOIN ON IN INTO OUTFILE FORMAT SETTINGS = events
OrderPlaced system tables file url numbers `file` x -> arrayMap [ ] {a:String} {t:Identifier} -- /* */ ;
APPLY EXCEPT LIMIT BY DESCRIBE SHOW TABLES CSV customer_id ORDER GROUP count ARRAY FINAL $$ \\ ` "
"""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=14), st.data())
async def test_no_mix_of_words_reads_outside(
    history: History, tmp_path: Path, words: list[str], data: st.DataObject
) -> None:
    """Whatever is let through, a file beside the history is neither read nor written."""
    secret = tmp_path / "secret.csv"
    secret.write_text(CANARY)
    at = data.draw(st.integers(0, len(words)))
    statement = " ".join([*words[:at], f"file('{secret}')", *words[at:]])
    try:
        answer = await history.sql(statement, {"a": str(secret), "t": "system.tables"})
    except (QueryRefused, QueryStopped):
        return
    assert CANARY not in str(answer.rows)
    assert secret.read_text() == CANARY


async def test_no_function_takes_another_database_s_table(history: History) -> None:
    """Each that is allowed is offered one where IN would read it: to all, it is an unknown column."""
    client = history._client
    client.command("CREATE DATABASE IF NOT EXISTS other")
    client.command("CREATE TABLE IF NOT EXISTS other.secret (s String) ENGINE = Memory")
    client.command(f"INSERT INTO other.secret VALUES ('{CANARY}')")
    told = {}
    try:
        for name in sorted(FUNCTIONS):
            try:
                told[name] = str((await history.sql(f"SELECT {name}('{CANARY}', other.secret)")).rows)
            except QueryRefused as refused:
                if not re.search(
                    r"[Uu]nknown .*identifier|not understood|IN needs|must be a constant", str(refused)
                ):
                    told[name] = str(refused)
    finally:
        client.command("DROP DATABASE other")
    assert told == {}
