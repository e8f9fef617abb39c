"""Do the HTTP calls answer as the contract says, over a running engine?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
import pytest

from api.shapes import CustomerBody
from history.client import HistoryUnavailable
from schemas.codec import encode
from schemas.events import ClockTicked
from streams.log import Append, LogUnavailable
from streams.topics import EVENTS
from tests.integration.api_client import Api, api_over, order


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as api:
        yield api


def problem(answer: Any, status: int) -> Any:
    """The problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body.keys() >= {"type", "title", "detail"}
    return body


async def appended(api: Api) -> int:
    return sum(await api.services.log.end_offsets(EVENTS))


async def test_what_is_posted_shows_everywhere(api: Api) -> None:
    """An order makes a customer, counts in the summary, moves a stage, and is found by search."""
    told = await api.post(
        order("ada", "20.50", channel="web"),
        {
            "type": "TraitsUpdated",
            "customer_id": "ada",
            "traits": {"email": "ada@example.com"},
            "occurred_at": "1998-01-01T00:00:00Z",
        },
    )
    assert told["accepted"] == 2
    assert {event["partition"] for event in told["events"]} <= {0, 1}
    body = await api.get("/customers/ada")
    assert body["orders"]["net"] == "20.50"
    assert body["lifecycle"] | {"reason": ""} == {
        "stage": "new",
        "entered_at": "1998-01-01T00:00:00Z",
        "reason": "",
        "next_change_at": "1998-03-03T00:00:00Z",
    }
    assert msgspec.to_builtins(msgspec.convert(body, CustomerBody)) == body
    summary = await api.get("/summary")
    assert (summary["events"], summary["customers"], summary["orders"]) == (2, 1, 1)
    assert summary["revenue"] == {"amount": "20.50", "currency": "USD"}
    assert summary["stages"]["new"] == 1
    assert len(summary["stages"]) == 7
    assert (await api.get("/customers", q="exam"))["items"] == [body]
    [moved] = (await api.get("/transitions", customer_id="ada", to="new"))["items"]
    assert (moved["from"], moved["to"], moved["occurred_at"]) == (None, "new", "1998-01-01T00:00:00Z")
    assert (await api.get("/transitions", from_="new"))["items"] == []
    assert (await api.get("/customers/ada/timeline"))["items"][0]["type"] == "OrderPlaced"


async def test_a_repeated_event_is_accepted_and_changes_nothing(api: Api) -> None:
    """A retry after a lost answer must not count twice."""
    event = order("ada", event_id="6f1c8b1e-3a0e-4c52-9a68-3b7c1f0a7d11")
    await api.post(event)
    told = await api.post(event)
    assert told["events"][0]["event_id"] == event["event_id"]
    assert (await api.get("/summary"))["orders"] == 1


async def test_silence_moves_a_customer_without_an_event_of_theirs(api: Api) -> None:
    """Another event moves the stream time of the partition, and the announced stage with its moment."""
    await api.post(order("a"), *(order(f"other-{n}", at="1998-06-30T00:00:00Z") for n in range(20)))
    body = await api.get("/customers/a")
    assert body["as_of"] == "1998-06-30T00:00:00Z"
    assert body["lifecycle"]["stage"] == "at_risk"
    assert body["lifecycle"]["entered_at"] == "1998-03-03T00:00:00Z"
    assert [each["customer_id"] for each in (await api.get("/customers", stage="at_risk"))["items"]] == ["a"]


async def test_every_fault_is_named_and_nothing_is_appended(api: Api) -> None:
    """One bad event among good ones refuses them all."""
    before = await appended(api)
    bad = [order("a"), order("b", "-1"), {"type": "OrderPlacd"}, order("c", currency="XXX"), 7]
    body = problem(await api.client.post("/events", json=bad), 422)
    assert {(fault["index"], fault["field"]) for fault in body["errors"]} == {
        (1, "amount"),
        (2, "type"),
        (3, "currency"),
        (4, ""),
    }
    assert await appended(api) == before


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"[]", "text/plain", 415),
        (b"{", "application/json", 400),
        (b"NaN", "application/json", 400),
        (b'"' + b"x" * (1 << 20) + b'"', "application/json", 413),
        (b"[" + b",".join([b"{}"] * 1001) + b"]", "application/json", 413),
        (b"null", "application/json", 422),
    ],
)
async def test_a_body_that_cannot_be_is_refused(
    api: Api, content: bytes, content_type: str, status: int
) -> None:
    """Each kind of bad body has its status, and nothing is appended."""
    before = await appended(api)
    answer = await api.client.post("/events", content=content, headers={"content-type": content_type})
    problem(answer, status)
    assert await appended(api) == before


async def test_a_log_that_cannot_append_is_a_503_with_the_ids(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender learns the generated ids, so that a retry cannot count twice."""

    async def full(*_: object) -> None:
        raise LogUnavailable("The log could not append (disk full): free disk space, then retry.")

    monkeypatch.setattr(api.services.log, "append", full)
    body = problem(await api.client.post("/events", json=[order("a"), order("b")]), 503)
    assert [event["appended"] for event in body["events"]] == [False, False]
    assert all(len(event["event_id"]) == 36 for event in body["events"])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/customers?sort=name", "sort"),
        ("/customers?sort=scores.rain", "sort"),
        ("/customers?stage=gone", "stage"),
        ("/customers?limit=501", "limit"),
        ("/customers?cursor=x", ""),
        ("/customers?stge=new", "stge"),
        ("/customers?segment=vip", "segment"),
        ("/customers?min_score.rain=0.5", "min_score.rain"),
        ("/transitions?since=yesterday", "since"),
        ("/transitions?since=1998-01-01T00:00:00", "since"),
        ("/transitions?from=gone", "from"),
        ("/registry/schemas/ids/x", "schema_id"),
    ],
)
async def test_an_unknown_parameter_or_value_is_refused(api: Api, path: str, field: str) -> None:
    """A misspelt question must not be answered as if it were another one."""
    body = problem(await api.client.get(path), 422)
    assert [fault["field"] for fault in body.get("errors", [])] == ([field] if field else [])


async def test_a_bad_timeline_cursor_is_refused(api: Api) -> None:
    """As in every list."""
    await api.post(order("a"))
    problem(await api.client.get("/customers/a/timeline?cursor=x"), 422)
    problem(await api.client.get("/customers/nobody/timeline"), 404)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", ""]
)
async def test_another_host_is_refused(api: Api, host: str) -> None:
    """DNS rebinding gives a web page our address, but not our name."""
    problem(await api.client.get("/summary", headers={"host": host}), 421)
    for ours in ("localhost:1", "127.0.0.1", "[::1]:8000"):
        assert (await api.client.get("/summary", headers={"host": ours})).status_code == 200


async def test_what_is_not_there_is_a_problem(api: Api) -> None:
    """Unknown paths, customers and methods say where to look."""
    problem(await api.client.get("/nowhere"), 404)
    assert "'nobody'" in problem(await api.client.get("/customers/nobody"), 404)["detail"]
    answer = await api.client.delete("/summary")
    assert answer.headers["allow"] == "GET"
    problem(answer, 405)


async def test_a_failure_is_a_problem_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong, the caller can read it as JSON."""
    monkeypatch.setattr(api.services.read_model, "totals", lambda: 1 / 0)
    problem(await api.client.get("/summary"), 500)


@pytest.mark.parametrize("customer_id", ["a/b", "a b", "ü", "a?b", "a%2Fb", "..a"])
async def test_any_id_can_be_asked_for(api: Api, customer_id: str) -> None:
    """Ids are the sender's: what a path reserves is percent-encoded."""
    await api.post(order(customer_id))
    assert (await api.get(f"/customers/{quote(customer_id, safe='')}"))["customer_id"] == customer_id
    assert (await api.get(f"/customers/{quote(customer_id, safe='')}/timeline"))["items"]


async def test_rfm_has_its_boundaries_and_cells(api: Api) -> None:
    """Nothing before boundaries are in force, then 25 cells that hold every buyer."""
    assert await api.get("/rfm") == {"as_of": None, "boundaries": None, "grid": []}
    await api.post(*(order(f"c{n}", f"{n}.00", f"1998-01-{n:02}T00:00:00Z") for n in range(1, 21)))
    await api.services.engine.calibrate(api.services.read_model)
    await api.settled()
    rfm = await api.get("/rfm")
    assert len(rfm["grid"]) == 25
    assert sum(cell["customers"] for cell in rfm["grid"]) == 20
    assert rfm["boundaries"]["m"] == ["4.00", "8.00", "12.00", "16.00"]
    assert rfm["boundaries"]["f"] == [1, 1, 1, 1]
    body = await api.get("/customers/c20")
    assert (body["rfm"]["f"], body["rfm"]["m"]) == (1, 5)


async def test_sql_answers_or_says_what_to_write(api: Api) -> None:
    """A question has its shape, and the history's refusal is the caller's."""
    answer = await api.client.post("/sql", json={"query": "SELECT 1"})
    assert answer.json()["rows"] == [[1]]
    assert (
        "write one SELECT"
        in problem(await api.client.post("/sql", json={"query": "DROP TABLE x"}), 422)["detail"]
    )
    for bad in ({}, {"query": 1}, {"query": "SELECT 1", "rows": 5}, []):
        problem(await api.client.post("/sql", json=bad), 422)


async def test_a_history_that_is_away_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL and timelines say why and when to ask again; all else answers."""

    async def away(*_: object) -> None:
        raise HistoryUnavailable("the history at http://ch:8123 gives no answer: check that it runs")

    await api.post(order("a"))
    for name in ("sql", "timeline"):
        monkeypatch.setattr(api.services.history, name, away)
    for answer in (
        await api.client.post("/sql", json={"query": "SELECT 1"}),
        await api.client.get("/customers/a/timeline"),
    ):
        assert problem(answer, 503)["detail"].endswith("gives no answer: check that it runs.")
        assert answer.headers["retry-after"] == "5"
    assert (await api.get("/customers/a"))["customer_id"] == "a"


async def test_the_registry_has_confluents_shape(api: Api) -> None:
    """The id in a record's value leads to its schema, as a Confluent client asks for it."""
    subject = "headwater.OrderPlaced"
    assert subject in await api.get("/registry/subjects")
    assert await api.get(f"/registry/subjects/{subject}/versions") == [1]
    latest = await api.get(f"/registry/subjects/{subject}/versions/latest")
    assert (latest["subject"], latest["version"]) == (subject, 1)
    assert msgspec.json.decode(latest["schema"])["name"] == "OrderPlaced"
    assert await api.get(f"/registry/schemas/ids/{latest['id']}") == {"schema": latest["schema"]}
    for path, code in (
        ("/registry/subjects/nothing/versions", 40401),
        (f"/registry/subjects/{subject}/versions/99", 40402),
        ("/registry/schemas/ids/999999", 40403),
    ):
        assert problem(await api.client.get(path), 404)["error_code"] == code


async def test_health_readiness_and_metrics(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alive whatever happens; ready only when answers are current."""
    await api.post(order("a"))
    assert (await api.get("/healthz"))["status"] == "alive"
    ready = await api.get("/readyz")
    assert set(ready["lag"].values()) == {0}
    text = (await api.client.get("/metrics")).text
    assert "headwater_customers 1.0" in text
    assert 'headwater_request_seconds_count{method="POST",path="/events",status="202"} 1.0' in text
    assert "headwater_events_accepted_total 1.0" in text
    api.services.read_model._unwritten = "the read model cannot be written"
    body = problem(await api.client.get("/readyz"), 503)
    assert body["lag"].keys() == ready["lag"].keys()
    assert (await api.get("/healthz"))["status"] == "alive"


async def test_the_newest_events_are_customers_unless_the_engines_are_asked_for(api: Api) -> None:
    """Ticks, however many lie behind them, do not push them out; the cursor goes on past ticks."""
    posted = [order("ada", at=f"1998-01-0{day}T00:00:00Z") for day in (1, 2, 3)]
    await api.post(*posted)
    for n in range(200):
        await tick(api, 10**12 + n)
    page = await api.get("/events", limit=2)
    assert [event["occurred_at"] for event in page["items"]] == [each["occurred_at"] for each in posted[1:]]
    assert len((await api.get("/events", limit=500))["items"]) == 3
    await tick(api, 2 * 10**12)
    later = await api.get("/events", cursor=page["next_cursor"])
    assert later["items"] == []
    await api.post(order("bob"))
    found = await api.get("/events", cursor=later["next_cursor"])
    assert [event["customer_id"] for event in found["items"]] == ["bob"]
    whole = await api.get("/events", limit=500, engine="true")
    assert {"ClockTicked", "OrderPlaced"} <= {event["type"] for event in whole["items"]}
    assert len(whole["items"]) == await appended(api)


async def tick(api: Api, at: int) -> None:
    event = ClockTicked(event_id=str(UUID(int=at)), occurred_at=at, received_at=at)
    producer = await api.services.log.producer("test")
    await producer.transact([Append(EVENTS, partition, None, encode(event)) for partition in (0, 1)])


async def test_a_parameter_that_is_given_twice_is_refused(api: Api) -> None:
    """Which one would count? 422 names it, on each list."""
    for path in (
        "/customers?stage=new&stage=active",
        "/transitions?to=new&to=new",
        "/events?limit=1&limit=2",
    ):
        body = problem(await api.client.get(path), 422)
        assert body["errors"][0]["detail"] == "is given twice: give it once"
        assert body["errors"][0]["field"] == path.partition("?")[2].partition("=")[0]


async def test_a_bad_time_is_told_in_our_own_words(api: Api) -> None:
    """With an example of a good one, as for an event's."""
    body = problem(await api.client.get("/transitions?since=bogus"), 422)
    assert body["detail"] == (
        'since must be a time with its offset, such as 2026-11-22T10:00:00Z, not "bogus".'
    )


async def test_head_answers_as_get_without_the_body(api: Api) -> None:
    """The same status and headers; what is no GET is not answered."""
    await api.post(order("ada"))
    for path, status in (("/customers/ada", 200), ("/customers/nobody", 404), ("/sql", 405), ("/live", 405)):
        head = await api.client.head(path)
        assert (head.status_code, head.content if status != 405 else b"") == (status, b"")
    got = await api.client.get("/customers/ada")
    assert (await api.client.head("/customers/ada")).headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "SELECT 1", "max_rows": "many"}, "max_rows"),
        ({"query": "SELECT 1", "parameters": []}, "parameters"),
        ({"query": "SELECT 1", "rows": 1}, "rows"),
        ({}, "query"),
        ([], ""),
    ],
)
async def test_a_fault_of_a_question_names_its_field(api: Api, body: object, field: str) -> None:
    """So that a form can show it beside the input."""
    answer = problem(await api.client.post("/sql", json=body), 422)
    assert [error["field"] for error in answer["errors"]] == [field]


async def test_an_unknown_event_is_told_where_the_catalogue_is(api: Api) -> None:
    """And that is there."""
    answer = problem(await api.client.post("/events", json={"type": "Foo", "customer_id": "c"}), 422)
    assert "GET /registry/subjects" in answer["detail"]
    assert "headwater.OrderPlaced" in await api.get("/registry/subjects")
    assert (await api.client.get("/docs")).status_code == 200


async def test_before_boundaries_are_in_force_the_grid_is_empty(api: Api) -> None:
    """As the description of the call says."""
    answer = await api.get("/rfm")
    assert (answer["boundaries"], answer["grid"]) == (None, [])
    described = (await api.get("/openapi.json"))["paths"]["/rfm"]["get"]["description"]
    assert "`boundaries` is null and `grid` is empty" in described
