"""Is a report run as its file says: guarded, bounded, money as decimals, and a note on what is missing?"""

import asyncio
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history import report_files, reporting
from history.client import REPORTS, connect
from history.guard import Guarded, QueryRefused
from history.lane import Lane
from history.report_files import BadReport
from history.report_values import LONGEST_TEXT, BadParameter
from history.reporting import UnknownReport
from history.sql import QueryStopped
from history.store import History
from schemas.events import (
    BaseCurrencySet,
    CampaignPlanned,
    CampaignSent,
    CouponRedeemed,
    Event,
    ExchangeRateSet,
    OpportunityClosed,
    OpportunityOpened,
    OrderPlaced,
    PageViewed,
    ReferralMade,
)
from tests.clickhouse import ClickHouse
from tests.hostile import HOSTILE, OUTFILE
from tests.reporting import answer, archive, history_of, told

NOON = 1_700_000_000_000  # 2023-11-14T22:13:20Z
DAY = 86_400_000
AFTER = "2023-12-24T12:00:00Z"  # 40 days later


def stamp(at: int = NOON) -> dict[str, object]:
    return {"event_id": str(uuid.uuid4()), "occurred_at": at, "received_at": at}


def order(customer_id: str, amount_minor: int = 1000, currency: str = "USD", at: int = NOON) -> Event:
    known = {"order_id": str(uuid.uuid4()), "amount_minor": amount_minor, "currency": currency}
    return OrderPlaced(customer_id=customer_id, **known, **stamp(at))


def page(customer_id: str) -> Event:
    return PageViewed(customer_id=customer_id, url="https://shop/x", **stamp())


def front(columns: str, parameters: str = "") -> str:
    return f'What?\n---\ntitle = "T"\ngroup = "product"\n[parameters]\n{parameters}\n[columns]\n{columns}'


def sql(columns: str, query: str, parameters: str = "") -> str:
    return "\n".join(f"-- {line}" for line in front(columns, parameters).splitlines()) + f"\n{query}"


def python(columns: str, body: str) -> str:
    imports = "from history.reporting import Ask, CannotAnswer"
    return f'"""{front(columns)}\n"""\n{imports}\n\ndef report(ask: Ask, **given: object):\n{body}\n'


N = 'n = { unit = "count", means = "A number." }'
SPENT = 'spent = { unit = "money", means = "An amount." }'
ECHO = 'said = { unit = "text", means = "What was given." }'
TEXT = 'x = { kind = "text", means = "Anything." }'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test's own reports are."""
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setattr(report_files, "FOLDER", folder)
    return folder


async def asked(tmp_path: Path, folder: Path, text: str, events: Iterable[Event] = ()) -> History:
    """A history of these events, and a report `mine` of this text."""
    form = "py" if text.startswith('"""') else "sql"
    (folder / f"mine.{form}").write_text(text, "utf-8")
    return await history_of(tmp_path, events)


async def test_a_report_answers_in_its_columns(tmp_path: Path) -> None:
    """Rows come in the declared columns, and the engine's own events do not count."""
    base = BaseCurrencySet(currency="JPY", **stamp())
    history = await history_of(tmp_path, [base, order("ann"), order("bob"), page("ann")])
    found = await answer(history, "data_volume")
    assert list(found) == ["type", "events", "customers", "first_at", "last_at"]
    assert found[["type", "events", "customers"]].values.tolist() == [
        ["OrderPlaced", 2, 2],
        ["PageViewed", 1, 1],
    ]
    assert (await told(history, "data_volume")).currency == "JPY"


async def test_only_what_happened_until_as_of_counts(tmp_path: Path, folder: Path) -> None:
    """An event of that very moment does; as_of reaches views with parameters, too."""
    query = "SELECT count() AS n FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})"
    history = await asked(tmp_path, folder, sql(N, query), [order("ann"), order("ann", at=NOON + 1)])
    for as_of, count in (("22:13:19.999", 0), ("22:13:20", 1), ("22:13:20.001", 2)):
        found = await answer(history, "mine", as_of=f"2023-11-14T{as_of}Z")
        assert found["n"].tolist() == [count]


async def test_a_day_begins_where_the_business_is(tmp_path: Path, folder: Path) -> None:
    """The same moment is of another day in Tokyo."""
    query = "SELECT toDayOfMonth(toTimeZone(occurred_at, {timezone:String})) AS n FROM events"
    history = await asked(tmp_path, folder, sql(N, query), [order("ann")])
    assert (await answer(history, "mine"))["n"].tolist() == [14]
    assert (await answer(history, "mine", timezone="Asia/Tokyo"))["n"].tolist() == [15]


@pytest.mark.parametrize(
    ("currency", "shown"), [("USD", "12345.67"), ("JPY", "1234567"), ("KWD", "1234.567")]
)
async def test_money_has_the_digits_of_the_base_currency(
    tmp_path: Path, folder: Path, currency: str, shown: str
) -> None:
    """Minor units of the query become decimals, negative ones and null included."""
    query = "SELECT arrayJoin([1234567, -1234567, 0, NULL]) AS spent"
    history = await asked(
        tmp_path, folder, sql(SPENT, query), [BaseCurrencySet(currency=currency, **stamp())]
    )
    found = await told(history, "mine")
    zero = Decimal(0).scaleb(-len(shown.partition(".")[2]))
    assert found.table["spent"].to_pylist() == [Decimal(shown), -Decimal(shown), zero, None]
    assert str(found.table["spent"].to_pylist()[0]) == shown


async def test_a_function_asks_and_answers_columns(tmp_path: Path, folder: Path) -> None:
    """Its queries are kept, its NaN becomes null, and its columns come in the order of the declaration."""
    body = (
        '    found = ask("SELECT amount_minor FROM orders WHERE amount_minor > {least:Int64}", least=1)\n'
        '    return {"n": [float("nan"), 1.5], "spent": found["amount_minor"].to_pylist() * 2}'
    )
    history = await asked(tmp_path, folder, python(f"{SPENT}\n{N}", body), [order("ann", 250)])
    found = await told(history, "mine")
    assert found.table.to_pydict() == {"spent": [Decimal("2.50")] * 2, "n": [None, 1.5]}
    ((query, parameters),) = found.queries
    assert query.startswith("SELECT amount_minor")
    assert parameters == {"least": 1}


async def test_a_function_that_cannot_answer_says_why(tmp_path: Path, folder: Path) -> None:
    """That is an answer without rows, and its note."""
    history = await asked(tmp_path, folder, python(SPENT, '    raise CannotAnswer("needs two: there is 1.")'))
    found = await told(history, "mine")
    assert (found.table.num_rows, found.note) == (0, "needs two: there is 1.")
    assert str(found.table["spent"].type) == "decimal128(38, 2)"


async def test_nothing_to_answer_from_is_said(tmp_path: Path) -> None:
    """An empty history answers no rows, and why."""
    history = await history_of(tmp_path, [])
    found = await told(history, "data_volume")
    assert found.note == "No data yet: nothing up to 2026-01-01 answers this."
    assert found.currency == "USD"


async def test_currencies_without_a_rate_are_named(tmp_path: Path, folder: Path) -> None:
    """Those of orders up to as_of, where the report has money, until a rate is told."""
    query = "SELECT sum(base_minor) AS spent FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})"
    rate = ExchangeRateSet(currency="EUR", base_currency="USD", rate="1.1", **stamp(NOON + DAY))
    orders = [order("ann", 100), order("bob", 100, "EUR"), order("eve", 100, "KWD", at=NOON + DAY)]
    history = await asked(tmp_path, folder, sql(SPENT, query), [*orders, rate])
    before = await told(history, "mine", as_of="2023-11-15T00:00:00Z")
    assert before.note == "Amounts in EUR are left out: they have no exchange rate to USD on 2023-11-15."
    assert before.table["spent"].to_pylist() == [Decimal("1.00")]
    after = await told(history, "mine")
    assert after.note == "Amounts in KWD are left out: they have no exchange rate to USD on 2026-01-01."
    assert after.table["spent"].to_pylist() == [Decimal("2.10")]
    (folder / "mine.sql").write_text(sql(N, "SELECT count() AS n FROM orders"))
    assert (await told(history, "mine")).note is None


async def test_currencies_of_other_amounts_are_named_too(tmp_path: Path, folder: Path) -> None:
    """Of opportunities, campaigns, coupons and referrals; a currency without an amount leaves nothing out."""
    of_ann, plan = {"customer_id": "ann"}, {"name": "Spring", "starts_on": 19_000}
    events = [
        OpportunityOpened(**of_ann, opportunity_id="d", stage="a", amount_minor=1, currency="AED", **stamp()),
        OpportunityClosed(
            **of_ann, opportunity_id="d", outcome="won", amount_minor=1, currency="BRL", **stamp()
        ),
        CampaignPlanned(campaign_id="c", **plan, budget_minor=1, currency="CHF", **stamp()),
        CampaignSent(**of_ann, campaign_id="c", cost_minor=1, currency="DKK", **stamp()),
        CouponRedeemed(**of_ann, coupon="TEN", discount_minor=1, currency="EUR", **stamp()),
        ReferralMade(**of_ann, reward_minor=1, currency="GBP", **stamp()),
        ReferralMade(**of_ann, currency="HUF", **stamp()),
        CampaignSent(**of_ann, campaign_id="c", cost_minor=1, currency="USD", **stamp()),
    ]
    history = await asked(tmp_path, folder, sql(SPENT, "SELECT 1 AS spent"), events)
    note = (await told(history, "mine")).note or ""
    assert note.startswith("Amounts in AED, BRL, CHF, DKK, EUR, GBP are left out:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (sql(N, "SELECT 1 AS m"), "mine answers m and declares n"),
        (sql(SPENT, "SELECT 1.5 AS spent"), "money is a whole number"),
        (python(N, '    return {"m": [1]}'), "mine answers m and declares n"),
    ],
)
async def test_an_answer_other_than_declared_is_no_answer(
    tmp_path: Path, folder: Path, text: str, said: str
) -> None:
    """Nobody is told wrong amounts."""
    history = await asked(tmp_path, folder, text)
    with pytest.raises(BadReport, match=said):
        await told(history, "mine")


async def test_a_server_answers_as_the_embedded_engine_does(
    tmp_path: Path, folder: Path, clickhouse: ClickHouse
) -> None:
    """Types, text, null and views with parameters come through HTTP as they are."""
    columns = f'{ECHO}\n{SPENT}\nat = {{ unit = "time", means = "When." }}'
    query = (
        "SELECT customer_id || {x:Nullable(String)} AS said, base_minor AS spent, toDateTime(placed_at) AS at"
        " FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) ORDER BY said"
    )
    events = [order("王 😀"), order("bob", currency="EUR")]
    embedded = await asked(tmp_path, folder, sql(columns, query, TEXT), events)
    here = await told(embedded, "mine", x="'\n")
    server = await asyncio.to_thread(History.open, clickhouse.url())
    archive(server, events)
    reader = await asyncio.to_thread(partial(History.open, clickhouse.url(), owner=False))
    for history in (server, reader):
        there = await told(history, "mine", x="'\n")
        assert there.table == here.table
        assert there.note == here.note
        await asyncio.to_thread(history.close)
    assert here.table.to_pylist() == [
        {"said": "bob'\n", "spent": None, "at": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)},
        {"said": "王 😀'\n", "spent": Decimal("10.00"), "at": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)},
    ]


async def test_an_unknown_report_gets_the_nearest(tmp_path: Path) -> None:
    """However hostile the name."""
    history = await history_of(tmp_path, [])
    with pytest.raises(UnknownReport, match="There is no report 'data_volum': use data_volume"):
        await told(history, "data_volum")
    for name in ("", "..", "../reports/data_volume", "__init__", "data_volume.sql", "\0", "/etc/passwd"):
        with pytest.raises(UnknownReport):
            await told(history, name)


@pytest.mark.parametrize("form", ["sql", "py"])
async def test_no_report_gets_out_of_the_history(tmp_path: Path, folder: Path, form: str) -> None:
    """No way out that is known works, be it a query of a file or one that a function asks."""
    history = await history_of(tmp_path, [order("ann")])
    for query in HOSTILE:
        asks = python(N, f'    return {{"n": ask({query!r})}}')
        (folder / f"mine.{form}").write_text(sql(N, query) if form == "sql" else asks, "utf-8")
        with pytest.raises((QueryRefused, BadReport)):
            await told(history, "mine")
    assert not os.path.exists(OUTFILE)  # noqa: ASYNC240
    assert (await history.sql("SELECT count() FROM OrderPlaced")).rows == [[1]]


UNBOUNDED = [
    "SELECT count() AS n FROM (SELECT cityHash64(number) AS h FROM numbers(1000000000000) WHERE h % 2 = 0)",
    "SELECT length(groupArray(number)) AS n FROM numbers(1000000000)",
    "SELECT repeat('x', 1000000) AS n FROM numbers(100000)",
]


@pytest.mark.parametrize("query", UNBOUNDED)
async def test_no_report_exceeds_its_bounds(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Time, memory and size have an end, which is told with a way to narrow it; the next is answered."""
    history = await asked(tmp_path, folder, sql(N, query), [order("ann")])
    limits = {**REPORTS, "max_execution_time": 2}
    lane = Lane("impatient", lambda: connect(history._client.uri, limits, history._client.database))
    with monkeypatch.context() as patched:
        patched.setattr(history, "_reports", lane)
        with pytest.raises(QueryStopped, match=r"^The report was stopped .*: ask for an earlier as_of\.$"):
            await told(history, "mine")
    lane.close(lambda: None)
    (folder / "mine.sql").write_text(sql(N, "SELECT count() AS n FROM orders"))
    assert (await answer(history, "mine"))["n"].tolist() == [1]


@pytest.fixture
async def echo(tmp_path: Path, folder: Path) -> History:
    """A history with a report that answers the text that it is given."""
    return await asked(tmp_path, folder, sql(ECHO, "SELECT {x:Nullable(String)} AS said", TEXT), [order("a")])


async def test_a_value_is_never_read_as_sql(echo: History) -> None:
    """Every known way out is text like any other."""
    for value in (each for each in HOSTILE if len(each) <= LONGEST_TEXT):
        assert (await answer(echo, "mine", x=value))["said"].tolist() == [value]
    assert (await echo.sql("SELECT count() FROM OrderPlaced")).rows == [[1]]


PIECES = [
    "'",
    '"',
    "`",
    "\\",
    "\\N",
    "\0",
    "\n",
    "--",
    "/*",
    "*/",
    ";",
    "{x:String}",
    "%(x)s",
    "file('/x')",
    "王",
]
HOSTILE_TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=8).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE_TEXT)
async def test_any_text_comes_back_as_it_was(echo: History, value: str) -> None:
    """No value of a parameter changes the query or itself."""
    with suppress(BadParameter):
        assert (await answer(echo, "mine", x=value))["said"].tolist() == [value]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE_TEXT, HOSTILE_TEXT)
async def test_any_other_name_is_refused(echo: History, name: str, value: str) -> None:
    """Whatever a parameter is called that is not declared, it reaches no query."""
    with pytest.raises(BadParameter):
        await echo.report("mine", {f"{name}!": value}, NOON, "UTC")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE_TEXT)
async def test_any_other_time_zone_is_refused(echo: History, name: str) -> None:
    """A time zone is one of the database."""
    with pytest.raises(BadParameter):
        await echo.report("mine", {}, NOON, f"{name}!")


LOOPS = {
    "of its own": """
    while True:
        pass""",
    "that drops errors": """
    while True:
        try:
            sorted(range(100))
        except Exception:
            pass""",
    "of a library": """
    from scipy.optimize import minimize
    without_end = {"maxiter": 1e12, "maxfev": 1e12, "xatol": -1, "fatol": -1}
    minimize(lambda x: x[0] ** 2, [0.0], method="Nelder-Mead", options=without_end)""",
    "after a query that was refused": """
    try:
        ask("SELECT nonsense()")
    except ValueError:
        pass
    while True:
        pass""",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
async def test_a_function_that_computes_for_too_long_is_stopped(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """Nobody could stop it from outside, and all reports wait for it; the next one is answered."""
    monkeypatch.setattr(reporting, "COMPUTING_S", 0.2)
    history = await asked(tmp_path, folder, python(N, loop))
    with pytest.raises(QueryStopped, match=r"stopped after computing for 0\.2 s: ask for an earlier as_of"):
        await told(history, "mine")
    (folder / "mine.py").write_text(python(N, '    return {"n": [ask("SELECT 1 AS n")["n"][0].as_py()]}'))
    assert (await answer(history, "mine"))["n"].tolist() == [1]


@pytest.mark.parametrize("name", [each.name for each in report_files.discover().reports if each.sql is None])
async def test_every_function_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Those that come with Headwater are stopped like any other, and say how to ask for less."""
    monkeypatch.setattr(reporting, "COMPUTING_S", 0)
    history = await history_of(tmp_path, [order("ann")])
    with pytest.raises(QueryStopped, match=r"^The report was stopped after computing for 0 s: ask for .*\.$"):
        await told(history, name)


async def test_queries_take_none_of_the_time_to_compute(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have limits of their own; what is computed between them is added up."""
    monkeypatch.setattr(reporting, "COMPUTING_S", 0.5)
    asks = '    return {"n": [ask("SELECT sleepEachRow(0.2) AS n FROM numbers(5)").num_rows]}'
    monkeypatch.setattr(reporting.sql, "checked", lambda *given: Guarded(given[2], frozenset()))
    history = await asked(tmp_path, folder, python(N, asks))
    assert (await answer(history, "mine"))["n"].tolist() == [5]
    between = """
    from time import sleep
    for _ in range(9):
        ask("SELECT 1")
        sleep(0.1)
    return {"n": [1]}"""
    (folder / "mine.py").write_text(python(N, between))
    with pytest.raises(QueryStopped, match=r"stopped after computing for 0\.5 s"):
        await told(history, "mine")


@pytest.mark.parametrize(
    ("limit", "query", "said"),
    [
        ("MOST_READ_ROWS", "SELECT 1 FROM numbers(11)", r"stopped at 10 rows to compute from: ask for an e"),
        ("MOST_READ_BYTES", "SELECT repeat('x', 1000000)", r"stopped at 0 MiB to compute from: ask for an e"),
    ],
)
async def test_a_function_gets_no_more_rows_than_it_can_compute_from(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, query: str, said: str
) -> None:
    """Python needs many times the memory of a query, and nobody could stop it as it reads them."""
    monkeypatch.setattr(reporting, limit, 10)
    history = await asked(tmp_path, folder, python(N, f'    return {{"n": [ask("{query}").num_rows]}}'))
    with pytest.raises(QueryStopped, match=said):
        await told(history, "mine")


async def test_a_function_that_asks_for_ever_is_stopped(tmp_path: Path, folder: Path) -> None:
    """Each query has its limits, so that their number needs one."""
    asks = """
    while True:
        ask("SELECT 1")"""
    history = await asked(tmp_path, folder, python(N, asks))
    with pytest.raises(BadReport, match="more than 10 queries"):
        await told(history, "mine")
