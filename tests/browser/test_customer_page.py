"""Does a person find a customer, and see that customer change?"""

import re
from datetime import UTC, datetime, timedelta

import httpx2
from playwright.sync_api import Page, expect

from tests.browser.events import HOSTILE, order, registered
from tests.browser.harness import Server, Watch


def wait_for_customer(server: Server, page: Page, customer_id: str) -> None:
    """Until the dashboard shows the customer's transition, so that a search can find it."""
    page.goto(server.address)
    expect(page.locator("a.who", has_text=re.compile(f"^{customer_id}$")).first).to_be_visible()


def test_search_leads_to_the_customer_page(server: Server, page: Page) -> None:
    """A part of a trait, an arrow and Enter open the page, with stage, reason, orders and timeline."""
    server.post(registered("c-lovelace", name="Ada Lovelace"), order("c-lovelace", "40.00"))
    wait_for_customer(server, page, "c-lovelace")
    page.keyboard.press("/")
    page.keyboard.type("lovel")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")

    page.wait_for_url(f"{server.address}/ui/customers/c-lovelace")
    customer = server.get("/customers/c-lovelace")
    lifecycle = customer["lifecycle"]
    assert isinstance(lifecycle, dict)
    expect(page.locator("h1")).to_have_text("c-lovelace")
    expect(page.locator("#stage")).to_have_text("New")
    expect(page.locator("#reason")).to_have_text(re.compile(re.escape(lifecycle["reason"]), re.IGNORECASE))
    expect(page.locator("#lifecycle")).to_contain_text("Next change")
    expect(page.locator("#net")).to_have_text("40.00 USD")
    expect(page.locator("#rfm li")).to_have_count(3)
    expect(page.locator("#traits")).to_contain_text("Ada Lovelace")
    expect(page.locator("#timeline li")).to_have_count(2)
    expect(page.locator("#history li")).not_to_have_count(0)


def test_enter_alone_opens_the_first_customer_found(server: Server, page: Page) -> None:
    """Who types an id and presses Enter at once gets there."""
    server.post(order("quick-enter"))
    wait_for_customer(server, page, "quick-enter")
    page.locator("#search").fill("quick-enter")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.address}/ui/customers/quick-enter")


def test_a_search_without_result_says_so(server: Server, page: Page) -> None:
    """No customer, no option, one sentence."""
    page.goto(server.address)
    page.locator("#search").fill("zzzz-nobody")
    expect(page.locator("#search-note")).to_have_text("No customer matches “zzzz-nobody”")
    expect(page.get_by_role("option")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#search-panel")).to_be_hidden()


def test_the_customer_page_follows_its_customer(server: Server, page: Page, watch: Watch) -> None:
    """A second order changes count, net, stage and timeline on the open page; another customer's does not."""
    server.post(order("followed", "10.00"))
    page.goto(f"{server.address}/ui/customers/followed")
    expect(page.locator("#order-count")).to_have_text("1")
    expect(page.locator("#timeline li")).to_have_count(1)

    server.post(order("not-followed", "99.00"), order("followed", "15.50"))

    expect(page.locator("#order-count")).to_have_text("2")
    expect(page.locator("#net")).to_have_text("25.50 USD")
    expect(page.locator("#stage")).to_have_text("Active")
    expect(page.locator("#timeline li[data-type=OrderPlaced]")).to_have_count(2)
    expect(page.locator("#history li").first).to_contain_text("Active")
    assert watch.navigations == [f"{server.address}/ui/customers/followed"]


def test_the_page_says_what_a_customer_is_expected_to_bring(fresh_server: Server, page: Page) -> None:
    """In words, once it is known; before, that it isn't."""
    now = datetime.now(UTC)
    for n in range(120):
        days_ago = [90 - n % 30, 40, 10][: 1 + n % 3]
        at = [(now - timedelta(days=each)).isoformat() for each in days_ago]
        fresh_server.post(*(order(f"c-{n}") | {"occurred_at": each} for each in at))
    page.goto(f"{fresh_server.address}/ui/customers/c-2")
    expect(page.locator("#order-count")).to_have_text("3")
    expect(page.locator("#orders")).to_contain_text("not known yet")
    httpx2.post(f"{fresh_server.address}/rfm/calibrate", json={}, timeout=30).raise_for_status()
    page.reload()
    value = fresh_server.get("/customers/c-2")["value"]
    assert isinstance(value, dict)
    expected = page.locator("#expected")
    expect(expected).to_contain_text(f"{value['expected_12_months']} USD")
    expect(expected).to_contain_text("tier A, one of those who bring 80\u00a0% of all")


def test_an_unknown_customer_gets_a_page_that_waits(server: Server, page: Page) -> None:
    """The page says that no event names the customer and how to post one, and fills in when it comes."""
    page.goto(f"{server.address}/ui/customers/not-yet")
    expect(page.get_by_role("heading", name="No event names this customer yet")).to_be_visible()
    expect(page.locator("#empty-command code")).to_contain_text('"customer_id":"not-yet"')
    expect(page.locator("#connection")).to_have_text("Live")
    server.post(order("not-yet"))
    expect(page.locator("#order-count")).to_have_text("1")
    expect(page.locator("#empty")).to_be_hidden()


def test_traits_and_ids_that_hold_html_are_shown_as_text(server: Server, page: Page) -> None:
    """Markup in a trait's name and value, in an event and in the id itself is text everywhere."""
    customer_id = f"x/{HOSTILE[:60]}'\"&?#"
    server.post(registered(customer_id, **{"note": HOSTILE, "<b>bold</b>": "1"}), order(customer_id))
    page.goto(server.address)
    page.locator("a.who", has_text="x/<img").first.click()
    expect(page.locator("h1")).to_have_text(customer_id)
    expect(page.locator("#traits")).to_contain_text(HOSTILE)
    expect(page.locator("#traits dt").filter(has_text="<b>bold</b>")).to_have_count(1)
    page.locator("#timeline li[data-type=CustomerRegistered] summary").click()
    expect(page.locator("#timeline pre:visible")).to_contain_text("onerror")
    assert page.locator("img[src=x], #traits b").count() == 0
    assert page.evaluate("window.hacked") is None
