"""How is ClickHouse reached? Through one client, be it a server's or the embedded engine's (chDB)."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

DATABASE = "headwater"
Settings = Mapping[str, int | str]
WRITER: Settings = {"async_insert": 0, "input_format_null_as_default": 1}
READER: Settings = {"final": 1, "date_time_output_format": "iso"}  # final: a repeated event is read once
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


class HistoryUnavailable(RuntimeError):
    """ClickHouse cannot be opened; the message says what to do."""


def connect(url: str, settings: Settings, database: str | None = None) -> Client:
    """A client of `chdb:///absolute/path`, or of a server at `clickhouse://user:password@host:8123`.

    Clients of one chDB path share its engine and run side by side; another process cannot open that path.
    """
    try:
        return clickhouse_connect.get_client(dsn=url, settings=dict(settings), database=database)
    except Exception as error:
        raise HistoryUnavailable(f"{_place(url)} cannot be opened: {_remedy(url)} ({error})") from error


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"the history at {parts.scheme}://{parts.hostname or ''}{parts.path}"


def _remedy(url: str) -> str:
    if url.startswith("chdb:"):
        return "stop the other process that has this data directory open, or check that it can be written"
    return "check that ClickHouse runs there and that HEADWATER_HISTORY_URL names it"
