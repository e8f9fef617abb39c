"""Does a person see what the models say of a customer, why, and how good they are?"""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import running
from tests.browser.events import order
from tests.browser.harness import Server

BEGAN = datetime(1998, 1, 1, tzinfo=UTC)
DAYS, REGULARS, LAPSED = 70, 12, 12
LEARNED_WITHIN_S = 60


@pytest.fixture
def learned(tmp_path: Path, chromium_path: str) -> Iterator[Server]:
    """An engine whose customers order every week or so, half of them only at first; it has learned."""
    variables = {"HEADWATER_CLOCK": "events", "HEADWATER_TARGETS": "order_7d", "HEADWATER_ASK_DAYS": "3"}
    with running(tmp_path / "data", **variables) as server:
        chance, orders = random.Random(7), []
        for n in range(REGULARS + LAPSED):
            name, last = ("regular", DAYS) if n < REGULARS else ("lapsed", 25)
            day = chance.uniform(0, 6)
            while day < last:
                orders.append((BEGAN + timedelta(days=day), f"{name}-{n}"))
                day += chance.uniform(5, 9)
        events = [
            order(who) | {"occurred_at": at.isoformat().replace("+00:00", "Z")} for at, who in sorted(orders)
        ]
        for start in range(0, len(events), 50):
            server.post(*events[start : start + 50])
        deadline = time.monotonic() + LEARNED_WITHIN_S
        while not is_learned(server):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield server


def is_learned(server: Server) -> bool:
    items: Any = server.get("/models")["items"]
    scores: Any = server.get("/customers/regular-1")["scores"]
    return bool(items and items[0]["in_force"] and scores)


def test_a_customer_has_scores_with_reasons(learned: Server, page: Page) -> None:
    page.goto(f"{learned.address}/ui/customers/regular-1")
    score = page.locator("#score-order_7d")
    expect(score).to_contain_text("Orders in the next 7 days")
    expect(score.locator("b")).to_contain_text("%")
    expect(score.locator(".reasons li")).to_have_count(3)
    expect(score).to_contain_text("logistic")


def test_the_models_page_draws_how_good_they_are(learned: Server, page: Page) -> None:
    """A table of champion and shadows, and three plots, each with what it shows in words."""
    page.goto(f"{learned.address}/ui/models")
    panel = page.get_by_label("order_7d", exact=True)
    expect(panel).to_contain_text("The customer orders in the next 7 days")
    expect(panel.locator("tbody tr")).to_have_count(3)
    expect(panel.locator("tbody tr").first).to_contain_text("champion")
    expect(panel.get_by_role("img")).to_have_count(3)
    expect(panel.locator("circle")).not_to_have_count(0)
    expect(panel.locator("polyline.champion")).to_have_count(1)


def test_before_anything_is_learned_the_pages_say_so(fresh_server: Server, page: Page) -> None:
    fresh_server.post(order("first"))
    page.goto(f"{fresh_server.address}/ui/models")
    expect(page.locator("#models .panel")).to_have_count(4)
    expect(page.locator("#models")).to_contain_text("Nothing is learned yet")
    page.goto(f"{fresh_server.address}/ui/customers/first")
    expect(page.locator("#scores")).to_contain_text("No scores yet")
