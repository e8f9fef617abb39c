"""How is ClickHouse reached? Through one client, be it a server's or the embedded engine's (chDB)."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from history.address import BadAddress, Embedded, Server, parse

DATABASE = "headwater"
Settings = Mapping[str, int | str]
WRITER: Settings = {"async_insert": 0, "input_format_null_as_default": 1}
READER: Settings = {
    "final": 1,  # a repeated event is read once
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,  # whatever the server's profile says
}
ANALYST: Settings = {
    **READER,
    "max_threads": max(1, (os.cpu_count() or 1) // 2),  # the fold keeps the other cores
    "max_execution_time": 10,
    "max_memory_usage": 1 << 30,
    "max_result_bytes": 64 << 20,
    "limit": 100_001,  # one more than are answered, which tells that there are more
    "output_format_json_quote_decimals": 1,
    "readonly": 1,  # last: it forbids further settings
}
REPORTS: Settings = {
    **READER,
    "max_execution_time": 10,  # of each query
    "max_memory_usage": 3 << 29,
    "max_result_bytes": 256 << 20,
    "readonly": 1,  # last: it forbids further settings
}
CONNECT_TIMEOUT_S = 5  # tried twice
SILENCE_S = 60  # far above the analyst's limit; a server that works longer says so in between
NOT_LET_IN = frozenset({192, 193, 194, 516})  # unknown user, wrong password, none given, either
NO_RIGHT = 497
NOT_MADE = frozenset({60, 81})  # unknown table, unknown database
LONGEST_REASON = 300

# they report each retry themselves, with the whole request
for library in ("clickhouse_connect", "urllib3"):
    logging.getLogger(library).setLevel(logging.ERROR)


class HistoryUnavailable(RuntimeError):
    """ClickHouse cannot be used; the message says what to do, and never the password."""


def connect(url: str, settings: Settings, database: str | None = None, *, session: bool = False) -> Client:
    """A client of `chdb:///absolute/path`, or of a server at `clickhouse://user:password@host:8123`.

    Clients of one chDB path share its engine and run side by side; another process cannot open that path.
    A server runs the queries of a `session` one at a time, and refuses a second while the first goes on,
    even one whose answer was given up. Raises HistoryUnavailable.
    """
    try:
        address = parse(url)
        options: dict[str, Any] = {}
        if isinstance(address, Server):
            options = {"interface": address.interface, "autogenerate_session_id": session}
            options |= {"connect_timeout": CONNECT_TIMEOUT_S, "send_receive_timeout": SILENCE_S}
        return clickhouse_connect.get_client(
            dsn=address.dsn, settings=dict(settings), database=database, **options
        )
    except BadAddress as error:
        raise HistoryUnavailable(str(error)) from None  # its context may hold a password
    except Exception as error:
        raise cannot_open(url, error) from error


def cannot_open(url: str, error: Exception) -> HistoryUnavailable:
    """What to say and to do about an error while the history is opened."""
    if isinstance(error, HistoryUnavailable):
        return error
    try:
        address = parse(url)
    except BadAddress as bad:
        return HistoryUnavailable(str(bad))
    remedy = _remedy(address, error)
    return HistoryUnavailable(f"the history at {address} cannot be opened: {remedy} ({reason(error)})")


@contextmanager
def answering(client: Client) -> Iterator[None]:
    """What is no answer of ClickHouse's becomes HistoryUnavailable; its own errors go on as they are."""
    try:
        yield
    except DatabaseError as error:
        if no_answer(error):
            raise HistoryUnavailable(
                f"the history at {client.uri} gives no answer: check that ClickHouse runs there and lets "
                f"Headwater in ({reason(error)})"
            ) from error
        raise


def is_sound(client: Client) -> bool:
    """Whether it answers what it is asked: chDB first answers what a query that was stopped had written."""
    try:
        return client.raw_query("SELECT 'sound'", fmt="TabSeparated") == b"sound\n"
    except DatabaseError:
        return False


def no_answer(error: DatabaseError) -> bool:
    """Whether nobody ran the query, or nobody knows: the server is away, or shuts us out."""
    if error.code is None:
        return isinstance(error, OperationalError) or str(error).startswith("HTTP driver received")
    return error.code in NOT_LET_IN


def reason(error: BaseException) -> str:
    """Why it failed, in a few words of the operating system's or ClickHouse's."""
    if isinstance(error, DatabaseError) and error.code is not None:
        return said(error)[:LONGEST_REASON]
    while isinstance(
        inner := getattr(error, "reason", None) or error.__cause__ or error.__context__, BaseException
    ):
        error = inner
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error) or type(error).__name__)[:LONGEST_REASON]


def said(error: DatabaseError) -> str:
    """ClickHouse's own words, without what the driver puts around them."""
    _, _, words = str(error).rpartition("server response: ")
    return words.partition(" (for url ")[0].partition(" (version ")[0].strip()


def _remedy(address: Embedded | Server, error: Exception) -> str:
    code = error.code if isinstance(error, DatabaseError) else None
    if isinstance(address, Embedded) and code is None:
        return "stop the other process that has this data directory open, or check that it can be written"
    if code in NOT_LET_IN:
        return "check the user and the password in HEADWATER_HISTORY_URL, where @ is %40, : %3A and / %2F"
    if code == NO_RIGHT:
        return "grant the user of HEADWATER_HISTORY_URL what is missing, on this database"
    if code in NOT_MADE:
        return "start the archive of this version once, which makes database and tables"
    if code is not None:
        return "see to what ClickHouse says"
    return "check that ClickHouse runs there and that HEADWATER_HISTORY_URL names it"
