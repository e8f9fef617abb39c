"""What does the analyst's statement answer? Guarded, bounded in time, memory and rows, and never a write."""

import re
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from msgspec import Struct

from history.client import no_answer, said
from history.guard import Guard, Guarded, QueryRefused

T = TypeVar("T")

MAX_ROWS = 100_000
MAX_CHARACTERS = 65_536
TIMEOUT, MEMORY, RESULT_SIZE, READONLY, BAD_PARAMETER = 159, 241, 396, 164, 457
STOPPED = {
    TIMEOUT: "The query was stopped after 10 s: read fewer rows, for example with WHERE on customer_id.",
    MEMORY: "The query was stopped at 1 GiB of memory: group or sort fewer rows, or add a LIMIT.",
    RESULT_SIZE: "The answer was stopped at 64 MiB: select fewer columns, or add a LIMIT.",
}
NOISE = re.compile(r"^(Code: \d+\. )?(DB::Exception: )?|: In scope .*|\. Expected one of: .*", re.DOTALL)
CANONICAL = "SELECT formatQuerySingleLine({query:String})"
FORMAT = "JSONCompactEachRowWithNamesAndTypes"


class ValueRefused(QueryRefused):
    """A value of a parameter is none of its type."""


class QueryStopped(RuntimeError):
    """The query went over a limit; the message is one sentence that says what to do."""


class Column(Struct, frozen=True):
    name: str
    type: str


class Answer(Struct, frozen=True):
    columns: list[Column]
    rows: list[list[Any]]  # JSON values: times in RFC 3339, decimals and UUIDs as strings
    elapsed_ms: float
    truncated: bool  # whether there were more rows than were asked for


def run(
    client: Client,
    guard: Guard,
    query: str,
    parameters: Mapping[str, object] | None = None,
    max_rows: int = MAX_ROWS,
) -> Answer:
    """Answer one read through a client with the ANALYST settings; raises QueryRefused or QueryStopped."""
    if not 1 <= max_rows <= MAX_ROWS:
        raise QueryRefused(f"max_rows is {max_rows}: ask for 1 to {MAX_ROWS:,} rows.", "max_rows")
    started = time.perf_counter()
    try:
        guarded = checked(client, guard, query)
        values = given(guarded.parameters, parameters or {})
        lines = client.raw_query(guarded.query, parameters=values or None, fmt=FORMAT).splitlines()
    except DatabaseError as error:
        if no_answer(error):
            raise
        raise told(error, STOPPED) from error
    except UnicodeError as error:
        raise QueryRefused("The query is not Unicode text: leave out lone surrogates.") from error
    decode = msgspec.json.Decoder(list[Any]).decode
    names, types, *rows = [decode(line) for line in lines] or [[], []]
    return Answer(
        columns=[Column(name, kind) for name, kind in zip(names, types, strict=True)],
        rows=rows[:max_rows],
        elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
        truncated=len(rows) > max_rows,
    )


def check(client: Client, guard: Guard, query: str) -> None:
    """Raises QueryRefused for a statement that would not be run."""
    try:
        checked(client, guard, query)
    except DatabaseError as error:
        if no_answer(error):
            raise
        raise told(error, STOPPED) from error
    except UnicodeError as error:
        raise QueryRefused("The query is not Unicode text: leave out lone surrogates.") from error


def checked(client: Client, guard: Guard, query: str) -> Guarded:
    """The statement as it may run; raises QueryRefused, or DatabaseError where it is none.

    ClickHouse's own parser first writes it in one canonical way, without comments and odd quoting: what the
    guard reads is then exactly what runs.
    """
    if len(query) > MAX_CHARACTERS:
        raise QueryRefused(f"The query has {len(query):,} characters: shorten it to {MAX_CHARACTERS:,}.")
    return guard.check(client.query(CANONICAL, parameters={"query": query}).result_rows[0][0])


def given(names: frozenset[str], parameters: Mapping[str, T]) -> dict[str, T]:
    """The parameters, which are exactly those that the query names; raises QueryRefused."""
    for name in sorted(names - parameters.keys()):
        raise QueryRefused(f"The parameter {name!r} has no value: give it one in parameters.", "parameters")
    for name in sorted(parameters.keys() - names):
        raise QueryRefused(
            f"The query has no parameter {name[:80]!r}: write {{{name[:80]}:Type}} into it, or leave it out.",
            "parameters",
        )
    return {name: parameters[name] for name in names}


def told(error: DatabaseError, stopped: Mapping[int, str]) -> Exception:
    """ClickHouse's error as QueryRefused, or as QueryStopped in the words of `stopped`."""
    if error.code is not None and error.code in stopped:
        return QueryStopped(stopped[error.code])
    if error.code == READONLY:
        return QueryRefused("The history is read-only: write one SELECT.")
    if "Multi-statements" in str(error):
        return QueryRefused("There is more than one statement: write one SELECT.")
    words = NOISE.sub("", said(error)).strip()[:500]
    if error.code == BAD_PARAMETER:
        return ValueRefused(f"ClickHouse refuses a parameter, so correct it: {words}", "parameters")
    return QueryRefused(f"ClickHouse refuses the query, so correct it: {words}")
