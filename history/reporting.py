"""What does a report answer? Guarded, bounded queries; columns as declared; what is missing, in words."""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

import pyarrow as pa
import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from history import report_files, report_tables, sql
from history.client import HistoryUnavailable, no_answer
from history.guard import Guard, Guarded, QueryRefused
from history.report_files import BadReport, Report, find, names
from history.report_values import BadParameter, Value, check_timezone, nearest, values
from history.watching import TooLong, Watch

T = TypeVar("T")

logger = structlog.get_logger(__name__)

MAX_ROWS = 100_000  # of an answer
STOPPED = {
    sql.TIMEOUT: "The report was stopped after 10 s",
    sql.MEMORY: "The report was stopped at 1.5 GiB of memory",
    sql.RESULT_SIZE: "The report was stopped at 256 MiB of answer",
}
PASSING = frozenset({202, 394})  # too many queries at once, and one that was cancelled
# of a function, which nobody could stop from outside
COMPUTING_S = 8.0  # of Python beside its queries; within what a process has to exit
MOST_QUERIES = 10
MOST_READ_ROWS, MOST_READ_BYTES = 1_000_000, 64 << 20  # of one query, for Python
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS, LAST_MS = (
    -2_208_988_800_000,
    5_661_791_999_999,
)  # 1900 to 2149-06-05, the last day a Date has everywhere
BASE = "SELECT currency, digits FROM base_currency"
UNCONVERTED = """
SELECT DISTINCT assumeNotNull(currency) AS currency
FROM (
    SELECT currency, occurred_at FROM OrderPlaced
    UNION ALL SELECT currency, occurred_at FROM OpportunityOpened WHERE amount_minor IS NOT NULL
    UNION ALL SELECT currency, occurred_at FROM OpportunityClosed WHERE amount_minor IS NOT NULL
    UNION ALL SELECT currency, occurred_at FROM CampaignPlanned WHERE budget_minor IS NOT NULL
    UNION ALL SELECT currency, occurred_at FROM CampaignSent WHERE cost_minor IS NOT NULL
    UNION ALL SELECT currency, occurred_at FROM CouponRedeemed WHERE discount_minor IS NOT NULL
    UNION ALL SELECT currency, occurred_at FROM ReferralMade WHERE reward_minor IS NOT NULL
)
WHERE currency IS NOT NULL AND currency != {base:String} AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND assumeNotNull(currency)
      NOT IN (SELECT currency FROM exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}))
ORDER BY currency
"""


class UnknownReport(LookupError):
    """There is no report of that name; the message is one sentence that names the nearest."""


class CannotAnswer(Exception):
    """Raised by a report that has too little to go by; the message is the answer's note, one sentence."""


# what a report in Python raises that is no fault of its own, or says what the fault is
WITH_A_MEANING = (
    *(BadParameter, BadReport, CannotAnswer, QueryRefused, sql.QueryStopped),
    *(DatabaseError, HistoryUnavailable),
)


class Asked(NamedTuple):
    """A query as it was asked."""

    query: str
    parameters: dict[str, Value]


class Answer(NamedTuple):
    """What a report answered; money is a decimal in units of `currency`, the base currency."""

    report: Report
    as_of_ms: int
    timezone: str
    currency: str
    parameters: dict[str, Value]
    table: pa.Table
    note: str | None
    queries: list[Asked]
    elapsed_ms: float
    truncated: bool  # whether there were more rows than MAX_ROWS


class Ask:
    """Asks the history for one report, guarded and bounded like an analyst's SQL."""

    def __init__(self, client: Client, guard: Guard, report: Report, as_of_ms: int, timezone: str) -> None:
        self._client = client
        self._guard = guard
        narrower = ["an earlier as_of", *(f"another {each.name}" for each in report.parameters)]
        self._stopped = {code: f"{what}: ask for {' or '.join(narrower)}." for code, what in STOPPED.items()}
        self._always = {"as_of": clickhouse_time(as_of_ms), "timezone": timezone}
        self._narrower = " or ".join(narrower)
        self._watch: Watch | None = None  # of a function
        self.asked: list[Asked] = []

    def __call__(self, query: str, **parameters: Value) -> pa.Table:
        """The answer of one SELECT; `as_of` and `timezone` are given where the query names them.

        Raises QueryRefused, or QueryStopped over the bounds.
        """
        if self._watch is None:
            return self._answer(query, parameters)
        self._watch.pause()
        if len(self.asked) == MOST_QUERIES:
            raise BadReport(f"It asks more than {MOST_QUERIES} queries: put them together.")
        try:
            found = self._answer(query, parameters)
        finally:
            self._watch.go_on()
        if found.num_rows > MOST_READ_ROWS:
            raise self._over(f"at {MOST_READ_ROWS:,} rows to compute from")
        if found.nbytes > MOST_READ_BYTES:
            raise self._over(f"at {MOST_READ_BYTES >> 20} MiB to compute from")
        return found

    def computed(self, call: Callable[[], T]) -> T:
        """What the call returns, which may ask; raises QueryStopped where it takes too long or too much."""
        self._watch = Watch(COMPUTING_S)
        try:
            return self._watch.bounded(call)
        except TooLong:
            raise self._over(f"after computing for {COMPUTING_S:g} s") from None

    def columns(self, query: str, **parameters: Value) -> list[str]:
        """What the columns of one SELECT are called, of which nothing runs; raises as a call does."""
        with self._refused():
            guarded, given = self._prepared(query, parameters)
            described = self._client.query(f"DESCRIBE ({guarded.query})", parameters=given or None)
        return [name for name, *_ in described.result_rows]

    def _answer(self, query: str, parameters: dict[str, Value]) -> pa.Table:
        with self._refused():
            guarded, given = self._prepared(query, parameters)
            self.asked.append(Asked(inspect.cleandoc(query), dict(given)))
            found = self._client.raw_query(guarded.query, parameters=given or None, fmt="Arrow")
        return pa.ipc.open_file(found).read_all()

    def _prepared(self, query: str, parameters: dict[str, Value]) -> tuple[Guarded, dict[str, Value]]:
        guarded = sql.checked(self._client, self._guard, query)
        always = {name: value for name, value in self._always.items() if name in guarded.parameters}
        return guarded, sql.given(guarded.parameters, always | parameters)

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """ClickHouse's errors become QueryRefused or QueryStopped, but where it gives no answer."""
        try:
            yield
        except DatabaseError as error:
            if no_answer(error):
                raise
            raise sql.told(error, self._stopped) from error

    def _over(self, where: str) -> sql.QueryStopped:
        return sql.QueryStopped(f"The report was stopped {where}: ask for {self._narrower}.")


def chosen(name: str) -> Report:
    """The report of that name; raises UnknownReport or BadReport."""
    report = find(name)
    if report is None:
        raise UnknownReport(f"There is no report {name[:80]!r}: {nearest(name, names())}.")
    return report


def check(as_of_ms: int, timezone: str) -> None:
    """Raises BadParameter for a moment that ClickHouse cannot tell, or a time zone that there is not."""
    if not FIRST_MS <= as_of_ms <= LAST_MS:
        raise BadParameter("as_of must be from 1900 to 2149.", "as_of")
    check_timezone(timezone)


def run(
    client: Client, guard: Guard, report: Report, given: Mapping[str, object], as_of_ms: int, timezone: str
) -> Answer:
    """Answer the report; raises BadParameter, QueryStopped, or BadReport where the report is wrong.

    Raises QueryRefused where ClickHouse does not take a value that was given, or the query was cancelled.
    """
    parameters = values(report.parameters, given)

    def told(ask: Ask) -> tuple[Report, pa.Table]:
        try:
            if report.sql is not None:
                return report, ask(report.sql, **parameters)
            assert report.file is not None
            moment = EPOCH + timedelta(milliseconds=as_of_ms)
            function = partial(
                report_files.function(report.file), ask, **parameters, as_of=moment, timezone=timezone
            )
            return report, ask.computed(lambda: _computed(report, function))
        except QueryRefused as refused:
            if given and isinstance(refused, sql.ValueRefused):
                raise
            raise _told_of(refused) from refused.__cause__

    return answered(client, guard, report, parameters, as_of_ms, timezone, told)


def check_query(client: Client, guard: Guard, report: Report) -> None:
    """Raises BadReport where the query of a report cannot be asked; nothing of it runs."""
    assert report.sql is not None
    try:
        ask = Ask(client, guard, report, 0, "UTC")
        names = ask.columns(report.sql, **values(report.parameters, {}))
    except QueryRefused as refused:
        raise _told_of(refused) from refused.__cause__
    report_tables.check_names(report, names)


def _told_of(refused: QueryRefused) -> QueryRefused | BadReport:
    """That the report is wrong, where its query is refused whenever it is asked."""
    passes = getattr(refused.__cause__, "code", None) in PASSING
    return refused if passes else BadReport(str(refused))


def answered(
    client: Client,
    guard: Guard,
    report: Report,
    parameters: dict[str, Value],
    as_of_ms: int,
    timezone: str,
    told: Callable[[Ask], tuple[Report, pa.Table]],
) -> Answer:
    """What is `told` by asking, and the report with the columns of that; raises as `run` does."""
    check(as_of_ms, timezone)
    started = time.perf_counter()
    ((currency, digits),) = client.query(BASE).result_rows
    ask = Ask(client, guard, report, as_of_ms, timezone)
    notes: list[str] = []
    try:
        report, table = told(ask)
    except CannotAnswer as reason:
        table = report_tables.of_columns(report, {column.name: [] for column in report.columns})
        notes.append(str(reason))
    if not notes and not table.num_rows:
        notes.append(f"No data yet: nothing up to {_day(as_of_ms)} answers this.")
    table = report_tables.as_declared(report, table, digits)
    if any(column.unit == "money" for column in report.columns):
        notes += _left_out(client, currency, as_of_ms)
    return Answer(
        report,
        as_of_ms,
        timezone,
        currency,
        parameters,
        table.slice(0, MAX_ROWS),
        " ".join(notes) or None,
        ask.asked,
        round((time.perf_counter() - started) * 1000, 1),
        table.num_rows > MAX_ROWS,
    )


def clickhouse_time(at_ms: int) -> str:
    """The moment as a value of DateTime64(3, 'UTC')."""
    return (EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _computed(report: Report, function: Callable[[], Mapping[str, Sequence[object]]]) -> pa.Table:
    """What the function answers; raises BadReport where it fails, which is then in the engine's log too."""
    try:
        return report_tables.of_columns(report, function())
    except WITH_A_MEANING:
        raise
    except (Exception, SystemExit) as error:
        logger.error("report_failed", report=report.name, error=repr(error), exc_info=error)
        told = f"{type(error).__name__}: {error}"[:500]
        raise BadReport(f"Its function fails ({told}): correct it.") from error


def _left_out(client: Client, base: str, as_of_ms: int) -> list[str]:
    """A note on currencies that cannot be converted, if there are any."""
    asked = {"base": base, "as_of": clickhouse_time(as_of_ms)}
    found = [currency for (currency,) in client.query(UNCONVERTED, parameters=asked).result_rows]
    if not found:
        return []
    return [
        f"Amounts in {', '.join(found)} are left out: they have no exchange rate to {base} "
        f"on {_day(as_of_ms)}."
    ]


def _day(at_ms: int) -> str:
    return clickhouse_time(at_ms)[:10]
