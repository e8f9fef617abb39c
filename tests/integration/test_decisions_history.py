"""Does the history say of each decision what was decided and what became of it?"""

import pytest
from clickhouse_connect.driver.client import Client

from history import migrations
from history.decisions import Decision, Wanted
from history.store import History
from projections.triggers.uplift import Arm
from schemas.events import Event, LifecycleChanged, OrderCancelled, PageViewed
from tests.decisions import ENDPOINT, NOON, Decided
from tests.integration.test_history import (
    EVENTS,
    TRANSITIONS,
    archive,
    history,
    ids,
    opened,
    order,
    page,
    records,
)

__all__ = ["history", "opened"]  # fixtures

DECISIONS = "headwater.decisions"
DAY_MS = 86_400_000


def told(history: History, *events: Event) -> None:
    """The engine appends events to headwater.decisions."""
    first = history.writer.resume(DECISIONS, 0)
    assert archive(history, DECISIONS, {0: records(*events, first=first)}) == []


async def one(history: History, of: Decided) -> Decision:
    (found,) = await history.decisions(Wanted(decision_id=of.id), 10)
    return found


async def test_a_decision_waits_until_there_is_a_verdict(history: History) -> None:
    """Of several deferrals the latest is shown, and nothing of them once it is decided."""
    of = Decided()
    told(history, of.waits("review"), of.waits("quiet_hours", 9_000))
    found = await one(history, of)
    assert (found.verdict, found.waits_for, found.until_at) == ("waiting", "quiet_hours", NOON + 9_000)
    assert (found.customer_id, found.before, found.after) == ("ann", "active", "at_risk")
    told(history, of.ends("declined", 5_000, "a person said no"))
    found = await one(history, of)
    assert (found.verdict, found.reason, found.decided_at) == ("declined", "a person said no", NOON + 5_000)
    assert (found.waits_for, found.until_at, found.delivery) == (None, None, None)
    assert found.inputs == {"age_ms": "1000", "holdout": "0.1"}


async def test_what_became_of_a_message_is_what_was_told_last(history: History) -> None:
    """Pending, parked, pending again once it is redriven, delivered; and abandoned where a check failed."""
    of, stopped = Decided(), Decided("bob")
    told(history, of.ends(), stopped.ends(), stopped.abandoned("no_consent", 0))
    states = [(await one(history, of)).delivery]
    for event in (of.attempted(1, 500), of.abandoned("parked"), of.redriven(), of.succeeded(2)):
        told(history, event)
        states.append((await one(history, of)).delivery)
    assert states == ["pending", "pending", "parked", "pending", "delivered"]
    found = await one(history, of)
    assert (found.attempts, found.delivered_at, found.abandoned_why) == (2, NOON + 1_000, None)
    found = await one(history, stopped)
    assert (found.delivery, found.attempts, found.abandoned_why) == ("abandoned", 0, "no_consent")


async def test_decisions_are_filtered_and_paged(history: History) -> None:
    """Newest first; each filter keeps what it names, and the next page begins after the last one's place."""
    mine = [Decided("ann", trigger, NOON + n) for n, trigger in enumerate(["a", "b", "a"])]
    told(history, *(each.ends() for each in mine), Decided("bob", "a", NOON + 9).ends("capped"))

    async def found(limit: int = 9, **wanted: object) -> list[tuple[str, str, int]]:
        chosen = await history.decisions(Wanted(**wanted), limit)
        return [(each.customer_id, each.trigger, each.decided_at - NOON) for each in chosen]

    newest_first = [("bob", "a", 9), ("ann", "a", 2), ("ann", "b", 1), ("ann", "a", 0)]
    assert await found() == newest_first
    assert await found(customer_id="ann") == newest_first[1:]
    assert await found(trigger="b") == [("ann", "b", 1)]
    assert await found(verdict="capped") == newest_first[:1]
    assert await found(since_ms=NOON + 2) == newest_first[:2]
    (first,) = await history.decisions(Wanted(), 1)
    assert await found(after=first.place) == newest_first[1:]


async def test_the_steps_of_a_decision_are_in_order(history: History) -> None:
    """The wait, the person's yes, the verdict, each attempt and the end."""
    of, other = Decided(), Decided("bob")
    archive(history, EVENTS, {0: records(page(), page(), page(), of.reviewed())})
    told(history, of.waits(), of.ends(), of.attempted(1, 503), of.attempted(2), of.succeeded(2), other.ends())
    steps = await history.steps(await history.decisions(Wanted(), 10))
    assert [step["type"] for step in steps[of.id]] == [
        "DecisionDeferred",
        "DecisionReviewed",
        "TriggerDecided",
        "DeliveryAttempted",
        "DeliveryAttempted",
        "DeliverySucceeded",
    ]
    assert [step["type"] for step in steps[other.id]] == ["TriggerDecided"]


async def test_a_timeline_has_the_decisions_too(history: History) -> None:
    """After what they are about, page by page; what was known at a moment is events alone."""
    of = Decided()
    seen = page(occurred_at=NOON)
    archive(history, EVENTS, {0: records(seen)})
    archive(history, TRANSITIONS, {0: records(_changed())})
    told(history, of.ends(), of.attempted(), of.succeeded())
    kinds = ["DeliverySucceeded", "DeliveryAttempted", "TriggerDecided", "PageViewed"]
    assert [item["type"] for item in (await history.timeline("ann")).items] == kinds
    paged, cursor = [], None
    for _ in kinds:
        part = await history.timeline("ann", 1, cursor)
        paged += [item["type"] for item in part.items]
        cursor = part.next_cursor
    assert (paged, cursor) == (kinds, None)
    assert [item["type"] for item in (await history.known_at("ann", NOON + DAY_MS, 9)).items] == [
        "PageViewed"
    ]


def _changed() -> LifecycleChanged:
    return LifecycleChanged(
        customer_id="ann", from_stage=None, to_stage="new", reason="", rules_version="1", late=False,
        cause_topic=EVENTS, cause_partition=0, cause_offset=0, **ids(),
    )  # fmt: skip


async def test_activity_counts_verdicts_deliveries_and_failures(history: History) -> None:
    """Verdicts and failures since their moments; what is on its way, whenever it was decided."""
    old, new, parked = Decided(at=NOON - DAY_MS), Decided(), Decided("bob")
    told(
        history,
        old.ends(),
        new.ends(),
        parked.ends(),
        new.attempted(1, 503),
        new.attempted(2, 200),
        parked.abandoned(),
    )
    told(history, Decided().ends("holdout"), Decided().waits())
    found = await history.activity(NOON, NOON)
    assert found.verdicts == {("win-back", "send"): 2, ("win-back", "holdout"): 1, ("win-back", "waiting"): 1}
    assert found.deliveries == {("win-back", "pending"): 2, ("win-back", "parked"): 1}
    assert found.failing == [(ENDPOINT, 2, 1, "HTTP 503")]
    assert (await history.activity(NOON, NOON + DAY_MS)).failing == []


async def test_arms_are_by_first_decision_and_goal_within_the_window(history: History) -> None:
    """Intention to treat: the first decision counts, and only an order after it and in time is an outcome."""
    first, outcomes = [], []

    def customer(name: str, verdict: str, order_after_ms: int | None, at: int = NOON) -> None:
        first.append(Decided(name, at=at).ends(verdict))
        if order_after_ms is not None:
            outcomes.append(order(name, f"of-{name}", occurred_at=at + order_after_ms))

    customer("told-reached", "send", 30 * DAY_MS)
    customer("told-late", "send", 30 * DAY_MS + 1)
    customer("told-cause", "send", 0)  # the order that made the transition
    customer("told-unfinished", "send", 1, at=NOON + 6 * DAY_MS)
    customer("held-reached", "holdout", 1)
    customer("held-cancelled", "holdout", 1)
    customer("capped", "capped", 1)
    outcomes.append(OrderCancelled(**ids(), customer_id="held-cancelled", order_id="of-held-cancelled"))
    later = Decided("held-reached", at=NOON + DAY_MS).ends("send")
    retraction = Decided("nobody", kind="correction").ends("send")
    told(history, *first, later, retraction, Decided("other", "another").ends())
    archive(history, EVENTS, {0: records(*outcomes)})
    as_of = NOON + 35 * DAY_MS
    assert await history.arms("win-back", "OrderPlaced", 30, as_of) == (Arm(3, 1), Arm(2, 1))
    assert await history.arms("win-back", "PageViewed", 30, as_of) == (Arm(3, 0), Arm(2, 0))
    visit = PageViewed(**ids() | {"customer_id": "told-cause", "url": "/", "occurred_at": NOON + 5})
    archive(history, EVENTS, {0: records(visit, first=len(outcomes))})
    assert await history.arms("win-back", "PageViewed", 30, as_of) == (Arm(3, 1), Arm(2, 0))
    assert await history.arms("nothing", "OrderPlaced", 30, as_of) == (Arm(0, 0), Arm(0, 0))


async def test_views_can_be_asked_in_sql(history: History) -> None:
    """An analyst names the columns as `describe` lists them, each with what it means."""
    of = Decided()
    told(history, of.ends(), of.succeeded())
    query = "SELECT trigger, before, after, delivery FROM decisions WHERE inputs['holdout'] != ''"
    assert (await history.sql(query)).rows == [["win-back", "active", "at_risk", "delivered"]]
    for view in ("decisions", "deliveries"):
        assert all(row[4] for row in (await history.sql(f"DESCRIBE {view}")).rows)


@pytest.mark.usefixtures("opened")
async def test_an_existing_history_gets_the_new_views(history_url: str) -> None:
    """A database of the version before has neither, and has both after the next start."""
    history = History.open(history_url, "before_decisions")
    client: Client = history._client
    for view in ("decisions", "deliveries"):
        client.command(f"DROP VIEW {view}")
    client.command("ALTER TABLE migrations DELETE WHERE number >= 8 SETTINGS mutations_sync = 1")
    history.close()
    again = History.open(history_url, "before_decisions")
    told(again, Decided().ends())
    assert (await again.sql("SELECT count() FROM decisions")).rows == [[1]]
    assert migrations.pending(again._client) == {}
    again.close()
