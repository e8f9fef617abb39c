"""Can a marketer see the rules in force, every decision with its reason, and say yes or no?"""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.preview import PreviewStopped, preview
from projections.triggers.expressions import compiled
from projections.triggers.uplift import ENOUGH
from schemas.events import Event
from streams.archive import Archive
from tests.decisions import Decided
from tests.integration.api_client import Api, api_over, order
from tests.marketing import SEGMENTS, TRIGGERS, decided, told
from tests.reporting import close, history_of


class Reading:
    """The API over a real history."""

    def __init__(self, api: Api, archive: Archive) -> None:
        self.api = api
        self.archive = archive
        self.get = api.get

    async def post(self, *events: dict[str, Any]) -> None:
        await self.api.post(*events)
        await self.archive.caught_up()

    async def decided(self, *events: Event) -> None:
        """Put what the fold or the reactor would append on headwater.decisions."""
        log = self.api.services.log
        await log.append(decided(log, events))
        await self.archive.caught_up()

    async def rules(self, segments: str = SEGMENTS, triggers: str = TRIGGERS) -> None:
        """Put rules in force on every partition."""
        log = self.api.services.log
        await log.append(told(log, segments, triggers, "events"))
        await self.api.settled()


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    """The next module opens another engine: a process can have only one."""
    yield
    close()


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncIterator[Reading]:
    history = await history_of(tmp_path, [])
    async with api_over(tmp_path, history) as api:
        archive = Archive(api.services.log, history.writer)
        await archive.start()
        yield Reading(api, archive)
        await archive.close()


async def test_the_rules_in_force_are_shown_without_what_is_secret(reading: Reading) -> None:
    """By priority and name, each with its action's host and the secret's name, never a path or a query."""
    assert (await reading.get("/triggers"))["items"] == []
    await reading.rules()
    answer = await reading.api.client.get("/triggers")
    assert "path-secret" not in answer.text
    assert "query-secret" not in answer.text
    body = answer.json()
    assert (body["clock"], body["cap"]) == ("events", {"count": 5, "days": 30, "per": None})
    welcome, win_back = body["items"]
    assert (welcome["name"], welcome["holdout"], welcome["review"]) == ("welcome", 0, True)
    assert welcome["action"] == {"endpoint": "headwater.messages", "secret": None}
    assert welcome["on"] == {"change": "stage", "segment": "", "target": "", "from": [], "to": "new"}
    assert win_back["action"] == {"endpoint": "https://hooks.example.org", "secret": "crm"}
    assert await reading.get("/triggers/welcome") == welcome
    assert "use one of welcome, win-back" in (await reading.get("/triggers/nothing", 404))["detail"]


async def test_triggers_are_shown_with_what_they_do(reading: Reading) -> None:
    """Decisions of the last day by verdict, messages on their way and parked, receivers that fail."""
    await reading.rules()
    await reading.post(order("clock", at="2023-11-14T22:14:00Z"))
    pending, parked = Decided("ann"), Decided("bob")
    await reading.decided(pending.ends(), parked.ends(), parked.attempted(1, 503), parked.abandoned())
    await reading.decided(Decided("eve").ends("capped"), Decided("old", at=0).ends())
    body = await reading.get("/triggers/win-back")
    assert body["decisions"] == {"capped": 1, "send": 2}
    assert (body["pending"], body["parked"]) == (2, 1)
    (failing,) = (await reading.get("/triggers"))["failing"]
    assert failing == {
        "endpoint": "https://crm.example.org",
        "attempts": 1,
        "failed": 1,
        "latest_error": "HTTP 503",
    }


async def test_a_decision_waits_for_a_person_who_says_yes(reading: Reading) -> None:
    """The queue shows it, a yes takes it off and has it decided; a second answer comes too late."""
    await reading.rules()
    await reading.post(order("ada"))
    (waiting,) = (await reading.get("/reviews"))["items"]
    assert (waiting["customer_id"], waiting["trigger"], waiting["verdict"]) == ("ada", "welcome", "waiting")
    path = f"/decisions/{waiting['decision_id']}"
    accepted = await reading.api.client.post(f"{path}/review", json={"approved": True, "reviewer": "Zoe"})
    assert (accepted.status_code, accepted.json()["accepted"]) == (202, 1)
    await reading.api.settled()
    await reading.archive.caught_up()
    assert (await reading.get("/reviews"))["items"] == []
    body = await reading.get(path)
    assert (body["verdict"], body["delivery"], body["inputs"]["review"]) == ("send", "pending", "yes")
    assert [step["type"] for step in body["steps"]] == [
        "DecisionDeferred",
        "DecisionReviewed",
        "TriggerDecided",
    ]
    late = await reading.api.client.post(f"{path}/review", json={"approved": False})
    assert late.status_code == 409
    assert "ended with send" in late.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"approved": True}, 404, "There is no decision"),
        ({}, 422, "missing required field `approved`"),
        ({"approved": True, "by": "Zoe"}, 422, "unknown field `by`"),
    ],
)
async def test_a_review_that_cannot_be_is_refused(
    reading: Reading, body: object, status: int, said: str
) -> None:
    """Of what nobody decided, or with anything but a yes or no."""
    for decision_id in (uuid.uuid4(), "no-uuid"):
        answer = await reading.api.client.post(f"/decisions/{decision_id}/review", json=body)
        assert answer.status_code == status
        assert said in answer.json()["detail"]


async def test_decisions_are_listed_page_by_page(reading: Reading) -> None:
    """Newest first, filtered, with what happened with each where that is asked for."""
    await reading.rules()
    first, second = Decided("ann", at=0), Decided("ann", at=1_000)
    await reading.decided(first.ends(), first.attempted(), first.succeeded(), second.ends("capped"))
    page = await reading.get("/decisions", customer_id="ann", limit=1, steps="true")
    (item,) = page["items"]
    assert (item["verdict"], item["decided_at"]) == ("capped", "1970-01-01T00:00:01Z")
    assert [step["type"] for step in item["steps"]] == ["TriggerDecided"]
    page = await reading.get("/decisions", customer_id="ann", cursor=page["next_cursor"])
    assert [(each["decision_id"], each["delivery"]) for each in page["items"]] == [(first.id, "delivered")]
    assert "steps" not in page["items"][0]
    assert page["next_cursor"] is None
    assert (await reading.get("/decisions", trigger="another"))["items"] == []
    assert len((await reading.get("/decisions", since="1970-01-01T00:00:01Z"))["items"]) == 1
    assert (await reading.get("/decisions", 422, verdict="sent"))["errors"][0]["field"] == "verdict"
    await reading.get(f"/decisions/{uuid.uuid4()}", 404)
    kinds = [each["type"] for each in (await reading.get("/decisions/" + first.id))["steps"]]
    assert kinds == ["TriggerDecided", "DeliveryAttempted", "DeliverySucceeded"]


async def test_uplift_compares_who_was_told_with_who_was_held_out(reading: Reading) -> None:
    """Nothing but the counts below a hundred in either arm; then a difference with its interval."""
    await reading.rules()
    await reading.decided(*(Decided(f"told-{n}", at=0).ends() for n in range(ENOUGH)))
    await reading.decided(*(Decided(f"held-{n}", at=0).ends("holdout") for n in range(ENOUGH - 1)))
    reached = [f"told-{n}" for n in range(30)] + [f"held-{n}" for n in range(10)]
    await reading.post(*(order(each, at="1970-01-11T00:00:00Z") for each in reached))
    await reading.post(*(order(f"clock-{n}", at="1970-03-01T00:00:00Z") for n in range(9)))
    body = await reading.get("/triggers/win-back/uplift")
    assert body["told"] == {"customers": 100, "reached": 30, "rate": 0.3}
    assert (body["held_out"]["customers"], body["difference"], body["low"]) == (99, None, None)
    assert body["words"].startswith("Not enough yet: 100 told and 99 held out")
    await reading.decided(Decided("held-last", at=0).ends("holdout"))
    body = await reading.get("/triggers/win-back/uplift")
    assert body["difference"] == pytest.approx(0.2)
    assert 0 < body["low"] < 0.2 < body["high"]
    assert "a difference of +20.0 points" in body["words"]
    await reading.get("/triggers/nothing/uplift", 404)


async def test_segments_are_counted_and_filter_customers(reading: Reading) -> None:
    """Membership is the fold's: it is listed, counted, shown of each customer, and ends."""
    await reading.rules()
    await reading.post(order("ada"), order("ada", at="1998-01-02T00:00:00Z"), order("bob"))
    regulars, quiet = (await reading.get("/segments"))["items"]
    assert regulars == {
        "name": "regulars",
        "where": "orders.count >= 2",
        "description": "Who came back.",
        "reads_time": False,
        "customers": 1,
    }
    assert (quiet["reads_time"], quiet["customers"]) == (True, 0)
    (found,) = (await reading.get("/customers", segment="regulars"))["items"]
    assert (found["customer_id"], found["segments"]) == ("ada", ["regulars"])
    assert (await reading.get("/customers", segment="quiet"))["items"] == []
    refused = await reading.get("/customers", 422, segment="vip")
    assert "use one of quiet, regulars" in refused["detail"]
    cancelled = {"type": "OrderCancelled", "customer_id": "ada", "occurred_at": "1998-01-03T00:00:00Z"}
    await reading.post(cancelled | {"order_id": "ada-1998-01-02T00:00:00Z-25.00"})
    assert (await reading.get("/segments"))["items"][0]["customers"] == 0


async def test_an_expression_is_tried_before_it_is_saved(reading: Reading) -> None:
    """Counted on all customers, with a sample; of whom it has no answer for, the first error is told."""
    await reading.post(order("ada", "80.00"), order("bob", "5.00"), order("eve", "70.00"))
    client = reading.api.client

    async def tried(expression: object, status: int = 200) -> Any:
        answer = await client.post("/segments/preview", json={"expression": expression})
        assert answer.status_code == status, answer.text
        return answer.json()

    found = await tried("orders.net > 60.0")
    assert (found["customers"], found["of"], found["failed"], found["first_error"]) == (2, 3, 0, None)
    assert sorted(found["sample"]) == ["ada", "eve"]
    failed = await tried("traits.city == 'Bonn'")
    assert (failed["customers"], failed["failed"]) == (0, 3)
    assert "no key" in failed["first_error"]
    assert "'order' is not known" in (await tried("order.net > 1", 422))["detail"]
    assert (await tried(7, 422))["errors"][0]["field"] == "expression"


async def test_a_preview_that_takes_too_long_is_stopped(reading: Reading) -> None:
    """With what to do instead."""
    await reading.post(order("ada"))
    with pytest.raises(PreviewStopped, match="save it as a segment"):
        await reading.api.services.read_model._ask(lambda db: preview(db, compiled("true"), -1.0))
