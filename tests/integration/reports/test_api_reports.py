"""Do GET /reports and GET /sql/schema answer as the contract says, in every form?"""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from history import report_files, reporting
from history.client import REPORTS, connect
from history.lane import Lane
from schemas.codec import decode
from schemas.events import BaseCurrencySet, SqlAsked
from streams.topics import EVENTS
from tests.integration.api_client import Api, api_over
from tests.integration.reports.test_running import order, page, stamp
from tests.reporting import history_of

SPENT = """-- Who spent what?
-- ---
-- title = "Spent"
-- group = "performance"
-- [parameters]
-- least = { kind = "number", default = 0, minimum = 0, means = "At least so much, in minor units." }
-- only = { kind = "text", means = "Only this customer." }
-- [columns]
-- customer = { unit = "customers", means = "Who." }
-- spent = { unit = "money", means = "How much." }
-- last_at = { unit = "time", means = "When last." }
-- share = { unit = "share", means = "Of all." }
-- skus = { unit = "text", means = "Nothing." }
SELECT customer_id AS customer, sum(amount_minor) AS spent, max(occurred_at) AS last_at,
       nan AS share, map('k', [1]) AS skus
FROM OrderPlaced
WHERE amount_minor >= {least:Float64}
  AND ({only:Nullable(String)} IS NULL OR customer_id = {only:Nullable(String)})
GROUP BY customer ORDER BY customer
"""
ENDLESS = """-- When does this end?
-- ---
-- title = "Endless"
-- group = "performance"
-- [parameters]
-- salt = { kind = "integer", default = 1, means = "Anything." }
-- [columns]
-- n = { unit = "count", means = "Much." }
SELECT count() AS n
FROM (SELECT cityHash64(number, {salt:UInt8}) AS h FROM numbers(1000000000000) WHERE h % 2)
"""
PENSIVE = (
    '"""'
    + """When does this end?
---
title = "Pensive"
group = "performance"
[parameters]
salt = { kind = "integer", default = 1, means = "Anything." }
[columns]
n = { unit = "count", means = "Much." }
"""
    + '"""'
    + """
def report(ask, **_):
    while True:
        pass
"""
)


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """Over a history in yen, with reports of the test's own beside a broken one."""
    events = [BaseCurrencySet(currency="JPY", **stamp()), order("ann", 1500, "JPY"), order("=王😀", 7, "JPY")]
    history = await history_of(tmp_path, [*events, page("ann")])
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "spent.sql").write_text(SPENT, "utf-8")
    (folder / "endless.sql").write_text(ENDLESS, "utf-8")
    (folder / "broken.sql").write_text("SELECT 1", "utf-8")
    monkeypatch.setattr(report_files, "FOLDER", folder)
    async with api_over(tmp_path, history, timezone="Asia/Tokyo") as api:
        yield api


def problem(answer: Any, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


async def test_the_list_has_every_report_and_the_file_that_is_none(api: Api) -> None:
    """A broken file is listed with its error; the others load."""
    listed = await api.get("/reports")
    assert [each["name"] for each in listed["items"]] == ["endless", "spent"]
    (broken,) = listed["broken"]
    assert (broken["name"], "front matter is missing" in broken["error"]) == ("broken.sql", True)
    spent = listed["items"][1]
    assert spent["own"] is False
    assert spent["question"] == "Who spent what?"
    assert [each["name"] for each in spent["parameters"]] == ["least", "only"]
    assert spent["columns"][1] == {"name": "spent", "unit": "money", "means": "How much."}
    assert "broken" in problem(await api.client.get("/reports/broken"), 409)["detail"]


async def test_a_report_that_fails_as_it_is_imported_is_listed_as_broken(api: Api, tmp_path: Path) -> None:
    """And asked, it says why; the others answer."""
    failing = PENSIVE.replace("def report", "import nowhere\n\ndef report")
    (tmp_path / "reports" / "pensive.py").write_text(failing, "utf-8")
    listed = await api.get("/reports")
    assert [each["name"] for each in listed["items"]] == ["endless", "spent"]
    assert [each["name"] for each in listed["broken"]] == ["broken.sql", "pensive.py"]
    told = problem(await api.client.get("/reports/pensive"), 409)
    assert told["detail"] == (
        "The report pensive is broken. The file fails as it is imported "
        "(ModuleNotFoundError: No module named 'nowhere'): correct it."
    )
    assert (await api.get("/reports/spent", as_of="2024-01-01T00:00:00Z"))["rows"]


COUNTED = """-- How many?
-- ---
-- title = "Counted"
-- group = "performance"
-- [parameters]
-- least = { kind = "integer", default = 0, means = "At least so many." }
-- only = { kind = "text", means = "Only this." }
-- [columns]
-- n = { unit = "count", means = "How many." }
"""
QUERY = (
    "SELECT count() AS n FROM OrderPlaced"
    " WHERE amount_minor > {least:Int64} AND {only:Nullable(String)} IS NULL"
)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1 AS n", "ClickHouse refuses the query, so correct it: Syntax error"),
        (QUERY.replace("count()", "sum(amount)"), "Unknown expression"),
        (QUERY.replace("OrderPlaced", "file('/x')"), "The function 'file' is not available"),
        (QUERY.replace("OrderPlaced", "system.one"), "The tables of system are not open"),
        (QUERY.replace("OrderPlaced", "OrdersPlaced"), "There is no table 'OrdersPlaced'"),
        (QUERY.replace("{least:Int64}", "{most:Int64}"), "The parameter 'most' has no value"),
        (QUERY.replace("{least:Int64}", "1"), "The query has no parameter 'least'"),
        (QUERY.replace("AS n", "AS m"), "counted answers m and declares n: make them the same."),
    ],
)
async def test_a_query_that_cannot_be_asked_is_listed_as_broken(
    api: Api, tmp_path: Path, query: str, said: str
) -> None:
    """And asked, it says why, which is no fault of the caller's; once it is corrected it is a report."""
    file = tmp_path / "reports" / "counted.sql"
    file.write_text(COUNTED + query, "utf-8")
    for _ in range(2):
        listed = await api.get("/reports")
        assert [each["name"] for each in listed["items"]] == ["endless", "spent"]
        assert [each["name"] for each in listed["broken"]] == ["broken.sql", "counted.sql"]
        assert said in listed["broken"][1]["error"]
    for path in ("/reports/counted", "/reports/counted?least=1&only=x"):
        told = problem(await api.client.get(path), 409)
        assert told["detail"].startswith("The report counted is broken. ")
        assert said in told["detail"]
        assert "errors" not in told
    file.write_text(COUNTED + QUERY, "utf-8")
    listed = await api.get("/reports")
    assert [each["name"] for each in listed["items"]] == ["counted", "endless", "spent"]
    assert (await api.get("/reports/counted", as_of="2024-01-01T00:00:00Z"))["rows"] == [[2]]


async def test_a_query_is_checked_once_until_it_changes(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the list is quick, whatever else is asked."""
    file = tmp_path / "reports" / "counted.sql"
    file.write_text(COUNTED + QUERY, "utf-8")
    checked: list[str] = []
    monkeypatch.setattr(reporting, "check_query", lambda *given: checked.append(given[2].name))
    monkeypatch.setattr(api.services.history, "_faults", {})
    await api.get("/reports")
    await api.get("/reports")
    assert sorted(checked) == ["counted", "endless", "spent"]
    file.write_text(COUNTED + QUERY + " AND true", "utf-8")
    await api.get("/reports")
    assert checked[3:] == ["counted"]


async def test_a_value_that_clickhouse_does_not_take_is_the_callers(api: Api, tmp_path: Path) -> None:
    """Not the report's, unless nothing was given."""
    file = tmp_path / "reports" / "counted.sql"
    file.write_text(COUNTED + QUERY.replace("Int64", "UInt8"), "utf-8")
    told = problem(await api.client.get("/reports/counted?least=-1"), 422)
    assert told["detail"].startswith("ClickHouse refuses a parameter, so correct it: ")
    text = COUNTED.replace("default = 0", "default = -1") + QUERY.replace("Int64", "UInt8")
    file.write_text(text, "utf-8")
    told = problem(await api.client.get("/reports/counted"), 409)
    assert "is broken. ClickHouse refuses a parameter" in told["detail"]
    assert "counted.sql" in [each["name"] for each in (await api.get("/reports"))["broken"]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {'n': [{}['none']]}", "Its function fails (KeyError: 'none'): correct it."),
        ("return {'n': [1 / 0]}", "Its function fails (ZeroDivisionError: division by zero): correct it."),
        ("raise SystemExit(3)", "Its function fails (SystemExit: 3): correct it."),
        ("return None", "Its function fails (TypeError: "),
        ("return {'n': [1, 'a']}", "Its function fails (Arrow"),
        ("ask('SELEC 1')", "ClickHouse refuses the query, so correct it: Syntax error"),
        ("ask('SELECT {most:UInt8}')", "The parameter 'most' has no value"),
        ("ask('SELECT 1', most=1)", "The query has no parameter 'most'"),
    ],
)
async def test_a_function_that_fails_is_broken(
    api: Api, tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, said: str
) -> None:
    """That is told with the error, rather than as a fault of the server or of the caller."""
    text = PENSIVE.partition("def report")[0] + f"def report(ask, **_):\n    {body}\n"
    (tmp_path / "reports" / "pensive.py").write_text(text, "utf-8")
    told = problem(await api.client.get("/reports/pensive?salt=2"), 409)
    assert told["detail"].startswith(f"The report pensive is broken. {said}")
    assert (await api.get("/reports/spent", as_of="2024-01-01T00:00:00Z"))["rows"]
    if "fails" in said:
        logged = "".join(capfd.readouterr())
        assert "report_failed" in logged
        assert "Traceback" in logged


async def test_a_function_that_has_too_little_to_go_by_is_not_broken(api: Api, tmp_path: Path) -> None:
    """Its note is the answer; a value that it does not take is the caller's fault."""
    text = PENSIVE.partition("def report")[0] + (
        "from history.reporting import BadParameter, CannotAnswer\n\n"
        "def report(ask, *, salt, **_):\n"
        "    if salt == 2:\n        raise BadParameter('salt must be odd.', 'salt')\n"
        "    raise CannotAnswer('needs two: there is 1.')\n"
    )
    (tmp_path / "reports" / "pensive.py").write_text(text, "utf-8")
    assert (await api.get("/reports/pensive"))["note"] == "needs two: there is 1."
    assert problem(await api.client.get("/reports/pensive?salt=2"), 422)["detail"] == "salt must be odd."


async def test_json_says_all_there_is_to_say(api: Api) -> None:
    """Money in yen has no decimals, times are RFC 3339, what is no number is null."""
    told = await api.get("/reports/spent", least="3", as_of="2024-01-01T00:00:00Z", only="")
    assert told.pop("elapsed_ms") >= 0
    assert told["rows"] == [
        ["=王😀", "7", "2023-11-14T22:13:20Z", None, {"k": [1]}],
        ["ann", "1500", "2023-11-14T22:13:20Z", None, {"k": [1]}],
    ]
    assert told["columns"][1] == {
        "name": "spent",
        "unit": "money",
        "means": "How much.",
        "type": "decimal128(38, 0)",
    }
    assert told["parameters"] == {"least": 3.0, "only": None}
    assert (told["as_of"], told["timezone"]) == ("2024-01-01T00:00:00Z", "Asia/Tokyo")
    assert (told["currency"], told["note"], told["truncated"]) == ("JPY", None, False)
    (query,) = told["queries"]
    assert query["query"].startswith("SELECT customer_id AS customer")
    assert query["parameters"] == {"least": 3.0, "only": None}
    again = await api.client.post("/sql", json=query)
    assert len(again.json()["rows"]) == 2


async def test_without_as_of_it_is_the_engines_now(api: Api) -> None:
    """The stream time of the read model, where there are customers."""
    assert (await api.get("/reports/spent"))["as_of"] == "1970-01-01T00:00:00Z"  # of a clock of events
    await api.post(
        {"type": "PageViewed", "customer_id": "x", "url": "u", "occurred_at": "1999-01-01T00:00:00Z"},
        {"type": "PageViewed", "customer_id": "ada", "url": "u", "occurred_at": "1999-01-01T00:00:00Z"},
    )
    assert (await api.get("/reports/spent"))["as_of"] == (await api.get("/summary"))["as_of"]


async def test_csv_is_rfc_4180_and_changes_no_text(api: Api) -> None:
    """Chinese, emoji and what looks like a formula arrive as they are, to be downloaded under a name."""
    found = await api.client.get("/reports/spent", params={"format": "csv", "as_of": "2024-01-01T00:00:00Z"})
    assert found.headers["content-type"].startswith("text/csv")
    assert found.headers["content-disposition"] == 'attachment; filename="spent-2024-01-01.csv"'
    rows = list(csv.reader(io.StringIO(found.content.decode("utf-8"), newline="")))
    assert rows == [
        ["customer", "spent", "last_at", "share", "skus"],
        ["=王😀", "7", "2023-11-14T22:13:20Z", "", '{"k":[1]}'],
        ["ann", "1500", "2023-11-14T22:13:20Z", "", '{"k":[1]}'],
    ]


@pytest.mark.parametrize(
    ("form", "media"),
    [("parquet", "application/vnd.apache.parquet"), ("arrow", "application/vnd.apache.arrow.file")],
)
async def test_parquet_and_arrow_keep_types_and_meaning(api: Api, form: str, media: str) -> None:
    """A notebook reads decimals and times, and in the schema what the JSON says beside its rows."""
    found = await api.client.get("/reports/spent", headers={"Accept": f"{media}, */*"})
    assert found.headers["content-type"] == media
    content = io.BytesIO(found.content)
    table = parquet.read_table(content) if form == "parquet" else pa.ipc.open_file(content).read_all()
    assert table.schema.field("spent").metadata == {b"unit": b"money", b"means": b"How much."}
    assert [str(each) for each in table["spent"].to_pylist()] == ["7", "1500"]
    assert table["last_at"].to_pylist()[0] == pd.Timestamp("2023-11-14T22:13:20Z")
    about = json.loads(table.schema.metadata[b"headwater"])
    assert (about["name"], about["currency"], about["rows"]) == ("spent", "JPY", [])


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/reports/spend", 404, "use spent"),
        ("/reports/..%2Fspent", 404, ""),
        ("/reports/%00", 404, ""),
        ("/reports/spent?leas=1", 422, "'leas': use least"),
        ("/reports/spent?least=many", 422, "least must be a number, not 'many'"),
        ("/reports/spent?least=-1", 422, "least must be at least 0"),
        ("/reports/spent?least=1&least=2", 422, "given twice"),
        ("/reports/spent?timezone=Asia/Tokio", 422, "use Asia/Tokyo"),
        ("/reports/spent?as_of=yesterday", 422, "as_of must be a time"),
        ("/reports/spent?as_of=0001-01-01T00:00:00Z", 422, "from 1900 to 2149"),
        ("/reports/spent?as_of=2149-06-06T00:00:00Z", 422, "from 1900 to 2149"),
        ("/reports/spent?format=xlsx", 422, "format"),
    ],
)
async def test_what_cannot_be_asked_is_told_with_what_can(
    api: Api, path: str, status: int, words: str
) -> None:
    """An unknown report, parameter or value gets the nearest names."""
    assert words in problem(await api.client.get(path), status)["detail"]


async def test_a_report_over_its_bounds_is_stopped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer names the limit and a way to narrow it, and the next report is answered."""
    history = api.services.history
    url = history._client.uri
    lane = Lane("impatient", lambda: connect(url, {**REPORTS, "max_execution_time": 1}, "headwater"))
    monkeypatch.setattr(history, "_reports", lane)
    told = problem(await api.client.get("/reports/endless"), 422)
    lane.close(lambda: None)
    assert told["detail"] == "The report was stopped after 10 s: ask for an earlier as_of or another salt."
    monkeypatch.undo()
    assert (await api.get("/reports"))["broken"] == []


async def test_a_report_that_computes_for_too_long_is_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The answer names the limit and a way to narrow it, and the next report is answered."""
    (tmp_path / "reports" / "pensive.py").write_text(PENSIVE, "utf-8")
    monkeypatch.setattr(reporting, "COMPUTING_S", 0.2)
    told = problem(await api.client.get("/reports/pensive"), 422)
    assert told["detail"] == (
        "The report was stopped after computing for 0.2 s: ask for an earlier as_of or another salt."
    )
    assert (await api.get("/reports/spent", as_of="2024-01-01T00:00:00Z"))["rows"]


async def test_a_long_answer_is_cut_and_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most rows are answered, and `truncated` tells."""
    monkeypatch.setattr(reporting, "MAX_ROWS", 1)
    told = await api.get("/reports/spent")
    assert (len(told["rows"]), told["truncated"]) == (1, True)


async def test_the_schema_names_tables_views_and_what_columns_mean(api: Api) -> None:
    """Views come first, then events' tables; each column has its comment."""
    tables = (await api.get("/sql/schema"))["tables"]
    kinds = [table["kind"] for table in tables]
    assert kinds == sorted(kinds, key=("view", "event", "engine").index)
    by_name = {table["name"]: table for table in tables}
    assert by_name["events"]["columns"][0]["name"] == "type"
    assert by_name["OrderPlaced"]["kind"] == "event"
    for table in tables:
        assert table["columns"] or table["name"] == "exchange_rates_at", table["name"]  # what others are over
        if table["kind"] != "engine":
            assert table["comment"]
            assert all(column["comment"] for column in table["columns"] if column["name"] != "seal"), table


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "anything"])
@pytest.mark.parametrize("path", ["/reports", "/reports/spent", "/reports/none/versions"])
async def test_a_page_of_another_site_starts_no_report(api: Api, path: str, site: str) -> None:
    """By no method; nothing is asked of the history, and a sentence says what to do."""
    for method in ("GET", "HEAD"):
        answer = await api.client.request(method, path, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403, method
    told = problem(await api.client.get(path, headers={"Sec-Fetch-Site": site}), 403)["detail"]
    assert told == (
        f"A page of another site asks (Sec-Fetch-Site is {site.lower()!r}): enter this address yourself, "
        "or open /ui/reports."
    )
    asked = (await api.services.log.read(EVENTS, 0, 0, 1_000)).records
    assert not [each for each in asked if isinstance(decode(each.value or b""), SqlAsked)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer correct-horse-battery"},
    ],
)
async def test_everybody_else_asks_for_reports(api: Api, headers: dict[str, str]) -> None:
    """Programs, our own pages, whoever enters the address, and who sends a key."""
    for path in ("/reports", "/reports/spent"):
        assert (await api.client.get(path, headers=headers)).status_code == 200
