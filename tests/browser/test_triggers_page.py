"""Does a marketer see what is told to whom, say yes and no, and try parked messages again?"""

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from projections.triggers.uplift import ENOUGH
from tests.browser.conftest import running
from tests.browser.contrast import LOW_CONTRAST
from tests.browser.events import order
from tests.browser.harness import Server, open_live
from tests.decisions import Decided
from tests.marketing import prepare


@pytest.fixture(scope="module")
def marketing(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Server]:
    """An engine with rules in force: today a message was parked, another waits for a person."""
    now = time.time_ns() // 1_000_000
    data_dir = tmp_path_factory.mktemp("marketing") / "data"
    parked, capped = Decided("parked", at=now), Decided("capped", at=now)
    month_ago = now - 31 * 86_400_000
    told = [Decided(f"told-{n}", at=month_ago).ends("capped" if n % 2 else "holdout") for n in range(ENOUGH)]
    prepare(
        data_dir, parked.ends(), parked.attempted(1, 503), parked.abandoned(), capped.ends("capped"), *told
    )
    with running(data_dir) as server:
        server.post(order("ann"), order("ann"), order("zoe"))
        yield server


def test_each_trigger_shows_what_it_does(marketing: Server, page: Page) -> None:
    """What it waits for, today's verdicts, its receiver's host alone, the uplift in words; who fails."""
    open_live(page, f"{marketing.address}/ui/triggers")
    panel = page.get_by_label("win-back", exact=True)
    expect(panel).to_contain_text("Stage: Active → At risk")
    expect(panel.locator("[data-verdict=send]")).to_have_text("1 send")
    expect(panel.locator("[data-verdict=capped]")).to_have_text("1 capped")
    expect(panel).to_contain_text("https://hooks.example.org")
    expect(panel.locator(".uplift")).to_contain_text("Not enough yet: 0 told and 50 held out")
    assert "secret" not in page.content()
    expect(page.locator("#failing")).to_contain_text("1 of 1 attempts")
    expect(page.locator("#segments")).to_contain_text("orders.count >= 2")


def test_parked_messages_are_redriven_with_a_button(marketing: Server, page: Page) -> None:
    """One click asks for the messages of that trigger."""
    asked: list[object] = []

    def answer(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or ""))
        route.fulfill(json={"redriven": 1})

    page.route("**/deliveries/redrive", answer)
    open_live(page, f"{marketing.address}/ui/triggers")
    page.get_by_role("button", name="Redrive 1 parked").click()
    expect(page.locator("#problem")).to_be_empty()
    assert asked == [{"trigger": "win-back"}]


def test_a_person_answers_what_waits(marketing: Server, page: Page) -> None:
    """A yes takes it off the queue, and the customer's timeline says who said what, in words."""
    open_live(page, f"{marketing.address}/ui/triggers")
    button = page.get_by_role("button", name="No: welcome to zoe")
    expect(button).to_be_visible()
    button.click()
    expect(button).to_have_count(0)
    page.goto(f"{marketing.address}/ui/customers/zoe")
    timeline = page.locator("#timeline")
    expect(timeline).to_contain_text("welcome: declined")
    expect(timeline).to_contain_text("welcome: somebody said no")
    expect(timeline).to_contain_text("welcome: waits for review")


def test_a_customer_shows_their_segments(marketing: Server, page: Page) -> None:
    """Which of them the customer is in."""
    open_live(page, f"{marketing.address}/ui/customers/ann")
    expect(page.locator("#segments")).to_have_text("regulars")


def test_without_rules_the_page_says_what_to_do(server: Server, page: Page) -> None:
    """No trigger, no segment, no review: each says so."""
    open_live(page, f"{server.address}/ui/triggers")
    expect(page.locator("#no-triggers")).to_contain_text("triggers.toml")
    expect(page.locator("#reviews")).to_contain_text("Nothing waits")
    expect(page.locator("#segments")).to_contain_text("No segment")
    page.goto(server.address)
    page.get_by_role("link", name="Triggers").click()
    page.wait_for_url("**/ui/triggers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_can_be_read_and_fits(marketing: Server, page: Page, width: int, scheme: str) -> None:
    """Every text has a contrast of 4.5 to 1 or more, and nothing scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_live(page, f"{marketing.address}/ui/triggers")
    expect(page.locator(".trigger")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(LOW_CONTRAST) == []
