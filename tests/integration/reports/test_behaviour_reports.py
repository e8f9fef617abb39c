"""How do visitors move, and how often are they contacted: is it what plain Python says of the events?"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from history.store import History
from schemas.events import (
    CampaignComplained,
    CampaignSent,
    CampaignUnsubscribed,
    CartUpdated,
    ContactLogged,
    Event,
    OrderCancelled,
    OrderPlaced,
    PageViewed,
    ProductViewed,
)
from schemas.values import instant
from tests import recomputed
from tests.recomputed import DAY_MS
from tests.reporting import answer, history_of

END, MIDDLE = "2025-06-30T12:00:00Z", "2025-05-20T00:00:00Z"
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
PAGES = (
    *("https://shop.example/", "https://shop.example", "https://shop.example/sale?q=1#top"),
    *("https://shop.example/sale", "https://shop.example/鞋/👟", "home screen", "search?q=x", "/cart"),
)


def story(customers: int = 300) -> Iterator[Event]:
    """Visits of some 90 days, by a fixed seed: with sessions or none, reloads, ties and cancelled orders."""
    random, number = np.random.default_rng(11), 0

    def known(customer: str, at: int) -> dict[str, Any]:
        nonlocal number
        number += 1
        return {
            "event_id": str(UUID(int=number)),
            "customer_id": customer,
            "occurred_at": at,
            "received_at": at,
        }

    for who in range(customers):
        customer = f"c{who}"
        for visit in range(random.integers(0, 6)):
            at = instant(END) - int(random.integers(0, 90 * DAY_MS))
            session = f"s{visit}" if random.random() < 0.5 else None
            for _ in range(random.integers(1, 7)):
                url = PAGES[random.integers(len(PAGES))]
                yield PageViewed(**known(customer, at), url=url, session_id=session)
                at += int(random.choice([0, MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, 3 * HOUR_MS]))
                if random.random() < 0.4:
                    yield ProductViewed(
                        **known(customer, at), sku=f"p{random.integers(9)}", session_id=session
                    )
                if random.random() < 0.3:
                    action = random.choice(["added", "changed", "removed", "emptied", ""]) or None
                    yield CartUpdated(**known(customer, at), action=action, session_id=session)
            if random.random() < 0.5:
                at += int(random.integers(0, 30 * HOUR_MS))
                order = f"o{who}-{visit}"
                yield OrderPlaced(**known(customer, at), order_id=order, amount_minor=1000, currency="USD")
                if random.random() < 0.2:
                    yield OrderCancelled(**known(customer, at + HOUR_MS), order_id=order)
        for _ in range(random.choice([0, 0, 1, 2, 4, 8, 14])):
            at = instant(END) - int(random.integers(0, 150 * DAY_MS))
            sent = known(customer, at)
            match random.integers(4):
                case 0:
                    way = "outbound" if random.random() < 0.5 else "inbound"
                    yield ContactLogged(**sent, kind="call", direction=way)
                case _:
                    yield CampaignSent(**sent, campaign_id="c")
            if random.random() < 0.15:
                yield CampaignUnsubscribed(**known(customer, at + HOUR_MS), campaign_id="c")
            if random.random() < 0.1:
                yield CampaignComplained(**known(customer, at + HOUR_MS), campaign_id="c")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return sorted(story(), key=lambda event: event.occurred_at)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> History:
    return asyncio.run(history_of(tmp_path_factory.mktemp("visits"), events))


def page_of(url: str) -> str:
    if "://" not in url:
        return url.split("#")[0].split("?")[0]
    return urlsplit(url).path or "/"


def visits(events: list[Event], as_of: str, days: int) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Each session: the customer, then the time and page of each view."""
    views = recomputed.table(events, PageViewed, as_of)
    views = views[views["occurred_at"] > instant(as_of) - days * DAY_MS]
    views["session"] = views["session_id"].fillna("")
    views["page"] = [page_of(url) for url in views["url"]]
    for (customer, session), each in views.groupby(["customer_id", "session"]):
        seen = sorted(zip(each["occurred_at"], each["page"], strict=True))
        visit = seen[:1]
        for view in seen[1:]:
            if not session and view[0] - visit[-1][0] >= 30 * MINUTE_MS:
                yield str(customer), visit
                visit = []
            visit.append(view)
        yield str(customer), visit


@pytest.mark.parametrize(
    ("as_of", "length", "days", "hours"), [(END, 3, 30, 24), (MIDDLE, 2, 90, 2), (END, 1, 60, 1)]
)
async def test_paths_are_pages_one_after_another(
    history: History, events: list[Event], as_of: str, length: int, days: int, hours: int
) -> None:
    """Sessions, customers and orders of each path, reloads left out."""
    orders = recomputed.orders(events, as_of)
    placed = {customer: list(each) for customer, each in orders.groupby("customer_id")["at"]}
    sessions, buying, customers = Counter[str](), Counter[str](), dict[str, set[str]]()
    total, leading = 0, 0
    for customer, visit in visits(events, as_of, days):
        pages = [page for page, _ in groupby(page for _, page in visit)]
        leads = any(visit[0][0] <= at <= visit[-1][0] + hours * HOUR_MS for at in placed.get(customer, []))
        total, leading = total + 1, leading + leads
        for path in {" → ".join(pages[at : at + length]) for at in range(len(pages) - length + 1)}:
            sessions[path] += 1
            buying[path] += leads
            customers.setdefault(path, set()).add(customer)
    found = await answer(
        history, "paths", as_of=as_of, length=length, days=days, order_hours=hours, rows=10_000
    )
    assert len(found) > 4
    assert list(found["path"]) == sorted(sessions, key=lambda path: (-sessions[path], path.encode()))
    for row in found.itertuples():
        times, orders_ = sessions[row.path], buying[row.path]
        assert (row.sessions, row.orders, row.customers) == (times, orders_, len(customers[row.path]))
        assert (row.share, row.conversion) == (times / total, orders_ / times)
        assert row.lift == pytest.approx(orders_ / times / (leading / total), rel=1e-12)


def came_to(steps: list[tuple[int, int]], window_ms: int) -> int:
    """The furthest step (time, step) that is reached from any first one within the window."""
    best = 0
    for start in (at for at, step in steps if step == 1):
        reached, at = 1, start
        while later := [
            when for when, step in steps if step == reached + 1 and at <= when <= start + window_ms
        ]:
            reached, at = reached + 1, min(later)
        best = max(best, reached)
    return best


@pytest.mark.parametrize(("as_of", "days", "hours"), [(END, 90, 24), (MIDDLE, 45, 12)])
async def test_the_funnel_counts_how_far_customers_came(
    history: History, events: list[Event], as_of: str, days: int, hours: int
) -> None:
    """In order and within the hours; a step that is skipped ends it."""
    since, kinds = instant(as_of) - days * DAY_MS, {PageViewed: 1, ProductViewed: 2, CartUpdated: 3}
    steps: dict[str, list[tuple[int, int]]] = {}
    for kind, step in kinds.items():
        for row in recomputed.table(events, kind, as_of).itertuples():
            if row.occurred_at > since and getattr(row, "action", None) not in {"removed", "emptied"}:
                steps.setdefault(row.customer_id, []).append((row.occurred_at, step))
    for row in recomputed.orders(events, as_of).itertuples():
        if row.at > since:
            steps.setdefault(row.customer_id, []).append((row.at, 4))
    far = [came_to(each, hours * HOUR_MS) for each in steps.values()]
    reached = [sum(each >= step for each in far) for step in (1, 2, 3, 4)]
    found = await answer(history, "behaviour_funnel", as_of=as_of, days=days, window_hours=hours)
    assert min(reached) > 0
    assert list(found["step"]) == ["page", "product", "cart", "order"]
    assert list(found["customers"]) == reached
    assert list(found["share"]) == [each / reached[0] for each in reached]
    assert found["of_step_before"].tolist()[1:] == [b / a for a, b in pairwise(reached)]
    assert found["dropped"].tolist()[1:] == [a - b for a, b in pairwise(reached)]
    assert found.loc[0, ["of_step_before", "dropped"]].isna().all()


@pytest.mark.parametrize(("as_of", "direction"), [(END, "outbound"), (END, "both"), (MIDDLE, "outbound")])
async def test_contact_frequency_is_set_against_what_came_after(
    history: History, events: list[Event], as_of: str, direction: str
) -> None:
    """Contacts are counted before the outcome's days begin, orders and complaints after."""
    until, cut = instant(as_of), instant(as_of) - 30 * DAY_MS
    seen = {event.customer_id for event in events if event.occurred_at <= cut}  # type: ignore[attr-defined]
    logged = recomputed.table(events, ContactLogged, as_of)
    if direction == "outbound":
        logged = logged[logged["direction"] == "outbound"]
    contacts = pd.concat([recomputed.table(events, CampaignSent, as_of), logged])
    contacts = contacts[(contacts["occurred_at"] > cut - 90 * DAY_MS) & (contacts["occurred_at"] <= cut)]
    number = contacts["customer_id"].value_counts()
    each = pd.DataFrame({"number": number.reindex(sorted(seen), fill_value=0)})
    each["contacts"] = pd.cut(
        each["number"], [-1, 0, 1, 2, 5, 10, 10**6], labels=["0", "1", "2", "3-5", "6-10", "11+"]
    )
    orders = recomputed.orders(events, as_of)
    after = {
        "ordered": orders[orders["at"] > cut],
        "unsubscribed": recomputed.table(events, CampaignUnsubscribed, as_of),
        "complained": recomputed.table(events, CampaignComplained, as_of),
    }
    for name, frame in after.items():
        late = frame[(frame["occurred_at"] > cut) & (frame["occurred_at"] <= until)]
        each[name] = each.index.isin(late["customer_id"])
    expected = each.groupby("contacts", observed=True).agg(
        customers=("number", "size"), average=("number", "mean"), ordered=("ordered", "sum"),
        unsubscribed=("unsubscribed", "sum"), complained=("complained", "sum"),
    ).reset_index()  # fmt: skip
    for rate, name in (
        ("order_rate", "ordered"),
        ("unsubscribe_rate", "unsubscribed"),
        ("complaint_rate", "complained"),
    ):
        expected[rate] = expected[name] / expected["customers"]
    found = await answer(history, "contact_frequency", as_of=as_of, direction=direction)
    assert len(found) >= 5
    pd.testing.assert_frame_equal(found, expected[list(found)].astype({"contacts": str}), check_dtype=False)


async def test_a_funnel_that_nobody_ends_has_every_step(tmp_path: Path) -> None:
    """Steps that nobody came to are there, with 0 and no share of nobody."""
    visit = next(event for event in story() if isinstance(event, PageViewed))
    found = await answer(await history_of(tmp_path, [visit]), "behaviour_funnel", as_of=END)
    assert found["customers"].tolist() == [1, 0, 0, 0]
    assert found["share"].tolist() == [1, 0, 0, 0]
    assert found["of_step_before"].isna().tolist() == [True, False, True, True]
