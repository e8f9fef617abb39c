"""How does the process reach its history? One engine, three connections that do not wait for each other."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from clickhouse_connect.driver.client import Client

from history import ddl, sql
from history.archive import HistoryWriter
from history.client import ANALYST, DATABASE, READER, WRITER, connect
from history.guard import Guard
from history.migrations import migrate
from history.timeline import Page, timeline

T = TypeVar("T")


class History:
    """The archive writes, timelines read and analysts ask, each on a connection and a thread of its own."""

    def __init__(self, writer: Client, reader: Client, analyst: Client) -> None:
        self._clients = (writer, reader, analyst)
        self._reader, self._analyst = reader, analyst
        self._reading = ThreadPoolExecutor(1, "history-reader")
        self._asking = ThreadPoolExecutor(1, "history-analyst")
        self._guard = _guard(reader)
        self.writer = HistoryWriter(writer)

    @classmethod
    def open(cls, url: str, database: str = DATABASE) -> "History":
        """Open `chdb:///absolute/path` or a server, its tables up to date; raises HistoryUnavailable."""
        writer = connect(url, WRITER)
        try:
            writer.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            writer.database = database
            ddl.create_tables(writer)
            migrate(writer)
            return cls(writer, connect(url, READER, database), connect(url, ANALYST, database))
        except BaseException:
            writer.close()
            raise

    async def sql(
        self, query: str, parameters: Mapping[str, object] | None = None, max_rows: int = sql.MAX_ROWS
    ) -> sql.Answer:
        """One guarded read; raises QueryRefused or QueryStopped. Queries of analysts wait for each other."""
        ask = partial(sql.run, self._analyst, self._guard, query, parameters, max_rows)
        return await _in(self._asking, ask)

    async def timeline(self, customer_id: str, limit: int = 50, cursor: str | None = None) -> Page:
        """A customer's events, newest first; raises BadCursor."""
        return await _in(self._reading, partial(timeline, self._reader, customer_id, limit, cursor))

    async def archived(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> the offset of the next record to archive, of those begun."""
        query = "SELECT topic, partition, max(upto) FROM archived GROUP BY topic, partition"
        found = await _in(self._reading, partial(self._reader.query, query))
        return {(topic, number): upto for topic, number, upto in found.result_rows}

    def close(self) -> None:
        """Let running queries end, then close the engine."""
        self._reading.shutdown()
        self._asking.shutdown(cancel_futures=True)
        for client in self._clients:
            client.close()


def _guard(client: Client) -> Guard:
    """A guard that knows the tables and functions of this engine."""
    tables = client.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
    functions = client.query("SELECT name FROM system.functions").result_rows
    return Guard(client.database or DATABASE, [name for (name,) in tables], [name for (name,) in functions])


async def _in(executor: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, call)
