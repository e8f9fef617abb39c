"""Are own reports asked, explained and saved, and is every question put to the history on the log?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import own_reports, saving
from api.asked import stamp
from api.keys import COOKIE, Key
from history.store import History
from schemas.codec import decode
from schemas.events import Event, QuerySaved, ReportSaved, SqlAsked
from streams.archive import Archive
from streams.topics import EVENTS
from tests.integration.api_client import Api, api_over, order
from tests.reporting import close, history_of

FORM = {"from": "orders", "dimensions": [{"field": "customer_id", "name": "who"}]}
KEY = "correct-horse-battery"


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    """The next module opens another engine: a process can have only one."""
    yield
    close()


@pytest.fixture
async def history(tmp_path: Path) -> History:
    """Empty, and alone in this process."""
    return await history_of(tmp_path, [])


@asynccontextmanager
async def archived(path: Path, history: History, **settings: object) -> AsyncIterator[Api]:
    """An API whose log is archived as it grows."""
    async with api_over(path, history, **settings) as api:
        archive = Archive(api.services.log, history.writer)
        await archive.start()
        work = asyncio.create_task(archive.run())
        yield api
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await archive.close()


@pytest.fixture
async def api(tmp_path: Path, history: History) -> AsyncIterator[Api]:
    """With three orders of two customers, archived."""
    async with archived(tmp_path, history) as api:
        await api.post(order("ada"), order("ada", "5.00"), order("王", "7.00"))
        while (await history.sql("SELECT count() FROM OrderPlaced")).rows != [[3]]:
            await asyncio.sleep(0.05)
        yield api


async def events(api: Api, kind: type[Event]) -> list[Any]:
    """Those on partition 0, in order."""
    records = (await api.services.log.read(EVENTS, 0, 0, 1_000)).records
    return [event for record in records if isinstance(event := decode(record.value or b""), kind)]


async def test_a_form_is_answered_as_a_report_is(api: Api) -> None:
    """Rows, columns, the query with its parameters, and the chart; CSV where that is asked for."""
    answer = (await api.client.post("/reports/ask", json=FORM)).json()
    assert (answer["name"], answer["rows"]) == ("own", [["ada", 2], ["王", 1]])
    assert [column["name"] for column in answer["columns"]] == ["who", "count"]
    assert answer["chart"]["kind"] == "bar"
    assert "orders_at" in answer["queries"][0]["query"]
    csv = await api.client.post("/reports/ask?format=csv", json=FORM)
    assert csv.text.split() == ["who,count", "ada,2", "王,1"]


async def test_explaining_runs_nothing(api: Api) -> None:
    """The query, its parameters, and how many rows of which tables it would read."""
    asked = {**FORM, "filters": [{"field": "store", "value": "x"}]}
    told = (await api.client.post("/reports/explain", json=asked)).json()
    assert told["parameters"]["p1"] == "x"
    assert {each["table"] for each in told["tables"]} >= {"OrderPlaced"}
    assert told["rows"] >= 3
    assert await events(api, SqlAsked) == []


async def test_a_saved_report_answers_by_its_name(api: Api) -> None:
    """It is listed, answers like a standard one as of any moment, and each version stays."""
    saved = await save(api, FORM)
    assert (saved["name"], saved["version"], saved["own"], saved["form"]) == ("buyers", 1, True, FORM)
    assert (await api.get("/reports/buyers"))["rows"] == [["ada", 2], ["王", 1]]
    assert (await api.get("/reports/buyers", as_of="1990-01-01T00:00:00Z"))["rows"] == []
    second = await save(api, {**FORM, "limit": 1}, expected_version=1)
    assert second["version"] == 2
    assert (await api.get("/reports/buyers"))["rows"] == [["ada", 2]]
    assert (await api.get("/reports/buyers", version=1))["rows"] == [["ada", 2], ["王", 1]]
    assert [each["version"] for each in (await api.get("/reports/buyers/versions"))["items"]] == [2, 1]
    (listed,) = [each for each in (await api.get("/reports"))["items"] if each["own"]]
    assert (listed["title"], listed["version"]) == ("Buyers", 2)
    told = await events(api, ReportSaved)
    assert [(each.name, each.version, each.who) for each in told] == [
        ("buyers", 1, "local"),
        ("buyers", 2, "local"),
    ]
    assert msgspec.json.decode(told[0].form) == FORM


async def test_a_saved_form_that_is_not_understood_breaks_only_its_own_report(
    api: Api, history: History
) -> None:
    """All else is listed and answered; the broken one says why, and each version stays to be read."""
    await save(api, FORM)
    event = ReportSaved(
        **stamp(api.services), who="ann", name="old", version=1, title="Old", form='{"of": "orders"}'
    )
    await saving.save(api.services, event, history.saved_reports)
    assert [each["name"] for each in (await api.get("/reports"))["broken"]] == ["old"]
    items, broken = own_reports.listed(await history.saved_reports())
    assert [each.name for each in items] == ["buyers"]
    assert [each.name for each in broken] == ["old"]
    assert "The form" in broken[0].error
    told = await api.get("/reports/old", status=409)
    assert told["detail"] == f"Version 1 of old is broken. {broken[0].error}"
    (version,) = (await api.get("/reports/old/versions"))["items"]
    assert (version["question"], version["form"]) == (broken[0].error, {"of": "orders"})
    assert (await api.get("/reports/buyers"))["rows"] == [["ada", 2], ["王", 1]]


async def test_a_version_that_somebody_else_saved_is_not_overwritten(api: Api) -> None:
    """409 with the version that there is, of several at once all but one; nothing is saved then."""
    answers = await asyncio.gather(*(post(api, FORM, expected_version=0) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    (late,) = {answer.json()["detail"] for answer in answers if answer.status_code == 409}
    assert "buyers is at version 1, not 0" in late
    assert len(await events(api, ReportSaved)) == 1


async def post(api: Api, form: Any, name: str = "buyers", title: str = "Buyers", **more: object) -> Any:
    return await api.client.post("/reports", json={"name": name, "title": title, "form": form, **more})


async def save(api: Api, form: Any, **more: object) -> Any:
    answer = await post(api, form, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("name", "title", "form", "words"),
    [
        ("Buyers!", "Buyers", FORM, "use small letters"),
        ("ask", "Buyers", FORM, "taken by Headwater"),
        ("data_volume", "Buyers", FORM, "taken by Headwater"),
        ("buyers", " ", FORM, "title is empty"),
        ("buyers", "Buyers", {"from": "ordrs"}, "use orders"),
        ("buyers", "Buyers", {"from": "orders", "mesure": 1}, "use measures"),
        ("buyers", "Buyers", {"from": "orders", "timezone": "Asia/Tokio"}, "use Asia/Tokyo"),
        ("buyers", "Buyers", {"from": "orders", "as_of": "now"}, "as_of must be a time"),
    ],
)
async def test_what_cannot_be_saved_is_refused(
    api: Api, name: str, title: str, form: Any, words: str
) -> None:
    """422 with what to write, before anything is on the log."""
    answer = await post(api, form, name, title)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert await events(api, ReportSaved) == []


async def test_what_there_is_not_is_told_with_what_is_nearest(api: Api) -> None:
    """A report, a version and a parameter that are unknown; a saved report has no parameters of its own."""
    await save(api, FORM)
    assert "use buyers" in (await api.get("/reports/buyer", status=404))["detail"]
    assert "use 1" in (await api.get("/reports/buyers", status=422, version=7))["detail"]
    assert "no parameter 'months'" in (await api.get("/reports/buyers", status=422, months=7))["detail"]
    assert "use buyers" in (await api.get("/reports/buyer/versions", status=404))["detail"]
    bad = await api.client.post("/reports/ask", json={"from": "orders", "dimensions": [{"field": "sore"}]})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "dimensions[0].field"


async def test_what_tells_only_of_now_takes_no_as_of(api: Api) -> None:
    """What became of a decision since is in its row, so that none of an earlier moment would be right."""
    for module in ("decisions", "deliveries"):
        form = {"from": module, "measures": [{"measure": "count"}]}
        now = await api.client.post("/reports/ask", json=form)
        assert now.json()["rows"] == [[0]]
        then = await api.client.post("/reports/ask", json={**form, "as_of": "2024-01-01T00:00:00Z"})
        assert (then.status_code, then.json()["detail"]) == (
            422,
            f"{module} tells only how things are now: leave out as_of.",
        )


async def test_every_question_is_on_the_log(api: Api) -> None:
    """Who asked what, with the names of the parameters and never their values, and how it went."""
    await api.client.post("/sql", json={"query": "SELECT {id:String}", "parameters": {"id": "secret-7"}})
    await api.client.post("/sql", json={"query": "DROP TABLE x"})
    await api.client.post("/sql", json={"query": "SELECT randomPrintableASCII(1000) FROM numbers(100000)"})
    await api.client.post("/reports/ask", json={**FORM, "filters": [{"field": "store", "value": "secret-7"}]})
    await api.get("/reports/data_volume")
    await api.get("/reports/data_volume", status=422, months=1)
    told = await events(api, SqlAsked)
    assert [(each.report, each.outcome) for each in told] == [
        (None, "answered"),
        (None, "refused"),
        (None, "stopped"),
        ("own", "answered"),
        ("data_volume", "answered"),
        ("data_volume", "refused"),
    ]
    assert [each.rows for each in told[:4]] == [1, 0, 0, 0]
    assert told[0].parameters == ("id",)
    assert told[0].query == "SELECT {id:String}"
    assert "orders_at" in told[3].query
    assert {each.who for each in told} == {"local"}
    assert "secret-7" not in repr(told)


async def test_asking_moves_no_time_and_changes_no_customer(api: Api) -> None:
    """An engine on event time stays where its customers' events are, however much is asked."""
    before = await api.get("/summary")
    customer = await api.get("/customers/ada")
    for _ in range(3):
        await api.client.post("/sql", json={"query": "SELECT 1"})
    await api.settled()
    assert await api.get("/summary") == before
    assert await api.get("/customers/ada") == customer
    assert {each.occurred_at for each in await events(api, SqlAsked)} == {api.services.engine.now_ms()}


async def test_the_history_has_its_own_questions(api: Api, history: History) -> None:
    """Who asked how often can be asked, too."""
    await api.client.post("/sql", json={"query": "SELECT 1"})
    found: list[Any] = []
    while not found:
        found = (await history.sql("SELECT who, query, rows, outcome FROM SqlAsked")).rows
        await asyncio.sleep(0.05)
    assert found == [["local", "SELECT 1", 1, "answered"]]


async def test_a_saved_query_can_be_read_again(api: Api) -> None:
    """The last of a name counts; what no one may run is not saved."""
    for query in ("SELECT 1", "SELECT 2"):
        answer = await api.client.post("/sql/saved", json={"name": "one", "query": query})
        assert answer.status_code == 201, answer.text
    (saved,) = (await api.get("/sql/saved"))["items"]
    assert (saved["name"], saved["query"], saved["who"]) == ("one", "SELECT 2", "local")
    for bad in (
        {"name": "one", "query": "DROP TABLE x"},
        {"name": "O", "query": "SELECT 1"},
        {"name": "one"},
    ):
        assert (await api.client.post("/sql/saved", json=bad)).status_code == 422
    assert len(await events(api, QuerySaved)) == 2


async def test_who_asked_is_the_user_beside_the_key(tmp_path: Path, history: History) -> None:
    """The name sent with the key as password, else that it was the key, or a browser's session."""
    async with archived(tmp_path, history, api_key=KEY) as api:
        asked = {"json": {"query": "SELECT 1"}}
        await api.client.post("/sql", **asked, auth=("ann\x07", KEY))
        await api.client.post("/sql", **asked, headers={"Authorization": f"Bearer {KEY}"})
        await api.client.post("/sql", **asked, headers={"Cookie": f"{COOKIE}={Key(KEY).session()}"})
        assert (await api.client.post("/sql", **asked)).status_code == 401
        assert [each.who for each in await events(api, SqlAsked)] == ["ann", "key", "browser"]
