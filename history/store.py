"""How does the process reach its history? One engine, four connections that do not wait for each other."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from uuid import uuid4

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from history import catalogue, ddl, merging, migrations, own_answer, report_files, reporting, saved, sql
from history.address import BadAddress, Embedded, parse
from history.archive import HistoryWriter
from history.client import (
    ANALYST,
    DATABASE,
    READER,
    REPORTS,
    WRITER,
    HistoryUnavailable,
    Settings,
    cannot_open,
    connect,
)
from history.decisions import Activity, Decision, Wanted, activity, decisions, steps
from history.guard import Guard, QueryRefused
from history.lane import Lane
from history.outcomes import arms
from history.own import Form
from history.own_answer import Explanation, Own
from history.own_fields import Catalogue
from history.predictions import Prediction, latest
from history.report_files import BadReport, Broken, Found, Report
from history.saved import SavedQuery, SavedReport
from history.timeline import Page, known_at, timeline
from projections.triggers.uplift import Arm

MERGE_EVERY_S = 30.0
AT_ONCE = 3  # tables that the archive fills: one insert waits for the disk while two compute

logger = structlog.get_logger(__name__)


class History:
    """The archive writes, timelines read, analysts ask and reports answer: none waits for another."""

    def __init__(
        self,
        writer: Client,
        others: Sequence[Client],
        reader: Lane,
        analyst: Lane,
        reports: Lane,
        merger: Lane | None,
        guard: Guard,
        mark: str,
    ) -> None:
        self._client = writer
        self._mark = mark  # of the lanes' queries, among all that the server runs
        self._reader = reader
        self._analyst = analyst
        self._reports = reports
        self._merger = merger
        self._guard = guard
        self._catalogue: Catalogue | None = None
        self._faults: dict[object, str | None] = {}  # of the queries that were checked
        self._others = others
        self.writer = HistoryWriter(writer, *others)

    @classmethod
    def open(cls, url: str, database: str | None = None, *, owner: bool = True) -> "History":
        """Open `chdb:///absolute/path` or `clickhouse://…`; raises HistoryUnavailable.

        The owner, which is the process with the archive, makes the tables and keeps them up to date. Any
        other only reads, with no right but SELECT, and is refused where the owner has not been yet: two
        versions of Headwater must not both say what the tables are.
        """
        try:
            with ExitStack() as opened:
                history = cls._open(url, database or parse(url).database or DATABASE, owner, opened)
                opened.pop_all()
                return history
        except (DatabaseError, BadAddress) as error:
            raise cannot_open(url, error) from error

    @classmethod
    def _open(cls, url: str, database: str, owner: bool, opened: ExitStack) -> "History":
        """What is open by then is closed with `opened`."""

        def client(settings: Settings, database: str | None = database, *, session: bool = False) -> Client:
            found = connect(url, settings, database, session=session)
            opened.callback(found.close)
            return found

        def lane(name: str, settings: Settings) -> Lane:
            found = Lane(f"history-{name}", partial(connect, url, settings, database))
            opened.callback(found.close, lambda: None)  # nothing runs yet
            return found

        writer = client(WRITER, None if owner else database, session=owner)
        if owner:
            _prepare(writer, database)
        else:
            _check(writer, database)
        mark = uuid4().hex
        marked = {"log_comment": mark}
        reader = lane("reader", {**marked, **READER})
        analyst = lane("analyst", {**marked, **ANALYST})
        reports = lane("reports", {**marked, **REPORTS})
        embedded = isinstance(parse(url), Embedded)
        merger = lane("merger", WRITER) if embedded else None
        # of a server, the one session holds back what follows an insert that was given up
        others = [client(WRITER) for _ in range(AT_ONCE - 1)] if embedded else []
        return cls(writer, others, reader, analyst, reports, merger, _guard(writer), mark)

    async def sql(
        self, query: str, parameters: Mapping[str, object] | None = None, max_rows: int = sql.MAX_ROWS
    ) -> sql.Answer:
        """One guarded read; raises QueryRefused or QueryStopped. Queries of analysts wait for each other."""
        return await self._analyst.run(
            lambda client: sql.run(client, self._guard, query, parameters, max_rows)
        )

    async def schema(self) -> catalogue.Schema:
        """The tables and views that may be asked."""
        return await self._reader.run(catalogue.schema)

    async def reports(self) -> Found:
        """Every standard report, and the files that are none; a query is checked once, until it changes."""
        found = await asyncio.to_thread(report_files.discover)
        faults: dict[object, str | None] = {}
        reports, broken = [], list(found.broken)
        for report in found.reports:
            key = (report.name, report.sql, report.parameters, report.columns)
            if key in self._faults:
                faults[key] = self._faults[key]
            elif report.sql is not None:
                with suppress(sql.QueryStopped, QueryRefused):  # which the next time may pass
                    faults[key] = await self._fault(report)
            if (error := faults.get(key)) is None:
                reports.append(report)
            else:
                broken.append(Broken(f"{report.name}.sql", error))
        self._faults = faults
        return Found(tuple(reports), tuple(sorted(broken, key=lambda each: each.name)))

    async def _fault(self, report: Report) -> str | None:
        """Why its query cannot be asked, in a sentence."""
        try:
            await self._reports.run(lambda client: reporting.check_query(client, self._guard, report))
        except BadReport as error:
            return str(error)
        return None

    async def report(
        self, name: str, given: Mapping[str, object], as_of_ms: int, timezone: str
    ) -> reporting.Answer:
        """The standard report of that name; raises UnknownReport too. Reports wait for each other."""
        return await self.answer(reporting.chosen(name), given, as_of_ms, timezone)

    async def answer(
        self, report: Report, given: Mapping[str, object], as_of_ms: int, timezone: str
    ) -> reporting.Answer:
        """What a report answers; raises BadParameter, QueryRefused, QueryStopped or BadReport."""
        return await self._reports.run(
            lambda client: reporting.run(client, self._guard, report, given, as_of_ms, timezone)
        )

    async def own(self, own: Own, as_of_ms: int, timezone: str) -> reporting.Answer:
        """What an own report answers; raises BadForm, BadParameter, QueryRefused or QueryStopped."""
        return await self._reports.run(
            lambda client: own_answer.run(
                client, self._guard, self._own_catalogue(client), own, as_of_ms, timezone
            )
        )

    async def explain(self, form: Form, as_of_ms: int, timezone: str) -> Explanation:
        """What the form would ask, which is not run; raises as `own` does."""
        return await self._reports.run(
            lambda client: own_answer.explain(
                client, self._guard, self._own_catalogue(client), form, as_of_ms, timezone
            )
        )

    def _own_catalogue(self, client: Client) -> Catalogue:
        """Read once: the tables stay what they are while this process runs."""
        if self._catalogue is None:
            self._catalogue = Catalogue.of(catalogue.schema(client))
        return self._catalogue

    async def saved_reports(self) -> list[SavedReport]:
        """Every version of every own report, by name and version."""
        return await self._reader.run(saved.reports)

    async def saved_queries(self) -> list[SavedQuery]:
        """Each saved query as it was saved last, by name."""
        return await self._reader.run(saved.queries)

    async def checked(self, query: str) -> None:
        """Raises QueryRefused for a statement that would not be run."""
        await self._analyst.run(lambda client: sql.check(client, self._guard, query))

    async def timeline(self, customer_id: str, limit: int = 50, cursor: str | None = None) -> Page:
        """A customer's events, newest first; raises BadCursor."""
        return await self._reader.run(lambda client: timeline(client, customer_id, limit, cursor))

    async def known_at(self, customer_id: str, at_ms: int, offset: int, limit: int = 50) -> Page:
        """A customer's events that were folded up to the moment and the offset, newest first."""
        return await self._reader.run(lambda client: known_at(client, customer_id, at_ms, offset, limit))

    async def prediction(
        self, customer_id: str, target: str, about: str, before_ms: int
    ) -> Prediction | None:
        """The last one asked before the moment, about that or anything, of those whose horizon has passed."""
        return await self._reader.run(lambda client: latest(client, customer_id, target, about, before_ms))

    async def decisions(self, wanted: Wanted, limit: int) -> list[Decision]:
        """At most `limit` decisions, newest first."""
        return await self._reader.run(lambda client: decisions(client, wanted, limit))

    async def steps(self, of: Sequence[Decision]) -> dict[str, list[dict[str, object]]]:
        """What happened with each decision, by its id: events in JSON form, in order."""
        return await self._reader.run(lambda client: steps(client, of))

    async def activity(self, verdicts_since_ms: int, failing_since_ms: int) -> Activity:
        """Verdicts and failing endpoints since their moments, and what is on its way now."""
        return await self._reader.run(lambda client: activity(client, verdicts_since_ms, failing_since_ms))

    async def arms(self, trigger: str, goal: str, outcome_days: int, as_of_ms: int) -> tuple[Arm, Arm]:
        """Whom the trigger told and whom it held out, and how many reached the goal since."""
        return await self._reader.run(lambda client: arms(client, trigger, goal, outcome_days, as_of_ms))

    async def keep_merged(self) -> None:
        """Merge for ever what a load left in several parts, once it stands still; see history/merging.py.

        Of an embedded history alone: a server merges as its operator has it.
        """
        before: Mapping[str, int] = {}
        while self._merger is not None:
            await asyncio.sleep(MERGE_EVERY_S)
            try:
                found = await self._merger.run(merging.loose)
                for table in [table for table, rows in found.items() if before.get(table) == rows]:
                    await self._merger.run(partial(merging.merge, table=table))
                before = found
            except (DatabaseError, HistoryUnavailable) as error:  # no room, say: reads go on as they were
                logger.warning("history_not_merged", reason=str(error)[:500])

    async def archived(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> the offset of the next record to archive, of those begun."""
        query = "SELECT topic, partition, max(upto) FROM archived GROUP BY topic, partition"
        found = await self._reader.run(lambda client: client.query(query))
        return {(topic, number): upto for topic, number, upto in found.result_rows}

    def close(self) -> None:
        """Stop running queries, then close the engine; blocks meanwhile. The archive must have stopped."""
        for lane in (self._reader, self._analyst, self._reports):
            lane.close(self._stop)
        if self._merger is not None:
            self._merger.close(self._stop_merging)
            with suppress(DatabaseError):
                self._client.command("SYSTEM START MERGES")
        for client in (*self._others, self._client):
            client.close()

    def _stop(self) -> None:
        with suppress(DatabaseError):  # of a server that is away, or lets nobody kill: its own limits end it
            self._client.command(f"KILL QUERY WHERE Settings['log_comment'] = '{self._mark}' ASYNC")

    def _stop_merging(self) -> None:
        with suppress(DatabaseError):
            self._client.command("SYSTEM STOP MERGES")


def _prepare(client: Client, database: str) -> None:
    """Make the database and its tables, or bring them up to date; two processes may do so at once."""
    found = client.query("SELECT name FROM system.databases WHERE name = {name:String}", {"name": database})
    if not found.result_rows:  # else the right to make one is not needed
        client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
    client.database = database
    ddl.create_tables(client)
    migrations.migrate(client)


def _check(client: Client, database: str) -> None:
    """Raises HistoryUnavailable where the tables are not those of this version."""
    if ddl.pending(client) or migrations.pending(client):
        raise HistoryUnavailable(
            f"the history {database} at {client.uri} lacks tables of this version: "
            "start the archive of this version once, which makes them"
        )


def _guard(client: Client) -> Guard:
    """A guard that knows the tables, the views with parameters and the functions of this engine."""
    found = client.query(
        "SELECT name, engine = 'View' AND notEmpty(parameterized_view_parameters) "
        "FROM system.tables WHERE database = currentDatabase()"
    ).result_rows
    tables = [name for name, has_parameters in found if not has_parameters]
    views = [name for name, has_parameters in found if has_parameters]
    functions = [name for (name,) in client.query("SELECT name FROM system.functions").result_rows]
    return Guard(client.database or DATABASE, tables, functions, views)
