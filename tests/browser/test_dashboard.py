"""Does the dashboard show what the engine knows, while it changes?"""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.events import HOSTILE, RFM, order, registered
from tests.browser.harness import Server, Watch, open_live


def number(text: str | None) -> float:
    return float(re.sub(r"[^\d.]", "", text or ""))


def test_a_posted_order_changes_the_page_without_a_reload(server: Server, page: Page, watch: Watch) -> None:
    """Orders, revenue, the stage count and a highlighted transition follow a POST on the same page."""
    server.post(order("before"))
    open_live(page, server.address)
    expect(page.locator("#stage-new")).not_to_have_text("0")
    expect(page.locator("a.who", has_text="before")).to_be_visible()
    orders, revenue = (number(page.locator(place).text_content()) for place in ("#orders", "#revenue"))
    new = number(page.locator("#stage-new").text_content())
    page.evaluate("window.mark = 'not reloaded'")

    server.post(order("live-order", "1234.50"))

    arrived = page.locator(
        "#transitions li.fresh[data-to=new]", has=page.locator("a.who", has_text="live-order")
    )
    expect(arrived).to_be_visible()
    expect(page.locator("#orders")).to_have_text(f"{orders + 1:,.0f}")
    expect(page.locator("#revenue")).to_have_text(f"{revenue + 1234.50:,.2f} USD")
    expect(page.locator("#stage-new")).to_have_text(f"{new + 1:,.0f}")
    assert page.evaluate("window.mark") == "not reloaded"
    assert watch.navigations == [f"{server.address}/"]


def test_the_newest_transition_is_on_top(server: Server, page: Page) -> None:
    """Transitions that arrive live stand above the ones that were there."""
    server.post(order("first-in"))
    open_live(page, server.address)
    expect(page.locator("a.who", has_text="first-in")).to_be_visible()
    server.post(order("then-in"))
    expect(page.locator("#transitions li").first).to_contain_text("then-in")


def test_the_stage_bar_says_what_the_summary_says(server: Server, page: Page) -> None:
    """Seven counts, and shares that are theirs."""
    server.post(order("counted"), registered("also-counted", name="Ada"))
    open_live(page, server.address)
    expect(page.locator("#stage-prospect")).not_to_have_text("0")
    summary = server.get("/summary")
    stages = summary["stages"]
    assert isinstance(stages, dict)
    assert len(stages) == 7
    for stage, count in stages.items():
        expect(page.locator(f"#stage-{stage}")).to_have_text(f"{count:,}")
        share = f"{100 * count / summary['customers']:.1f}\u00a0%"
        expect(page.locator(f".stage-legend [data-stage={stage}] .share")).to_have_text(share)


def test_an_empty_engine_shows_how_to_post_the_first_event(fresh_server: Server, page: Page) -> None:
    """The curl of the empty state fits this engine; the first event takes the empty state away."""
    open_live(page, fresh_server.address)
    expect(page.get_by_role("heading", name="No events yet")).to_be_visible()
    expect(page.locator("#empty-command code")).to_contain_text(f"curl -X POST {fresh_server.address}/events")
    expect(page.locator("#customers")).to_have_text("0")

    fresh_server.post(order("first"))

    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#customers")).to_have_text("1")


def test_the_page_says_when_it_lost_the_engine_and_catches_up(fresh_server: Server, page: Page) -> None:
    """The indicator follows a stop and a start, and what happened meanwhile is on the page."""
    open_live(page, fresh_server.address)
    fresh_server.stop()
    expect(page.locator("#connection")).to_have_text("Reconnecting")
    fresh_server.start()
    fresh_server.post(order("meanwhile"))
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("a.who", has_text="meanwhile")).to_be_visible()
    expect(page.locator("#orders")).to_have_text("1")
    expect(page.locator("#problem .problem")).to_have_count(0)


@pytest.fixture
def rfm_page(server: Server, page: Page) -> Page:
    """A dashboard whose grid is known, as boundaries of a young engine are not."""
    page.route("**/rfm", lambda route: route.fulfill(json=RFM))
    open_live(page, server.address)
    return page


def test_the_heat_map_tells_customers_and_net_of_a_cell(rfm_page: Page) -> None:
    """25 cells; pointing at one reads out its customers and net spend; axes tell the scores' meaning."""
    expect(rfm_page.locator(".heat td[data-level]")).to_have_count(25)
    rfm_page.hover(".heat td[data-r='5'][data-f='4']")
    expect(rfm_page.locator(".readout")).to_contain_text("Recency 5, frequency 4: 200 customers")
    expect(rfm_page.locator(".readout")).to_contain_text("net 2,000.50 USD")
    expect(rfm_page.locator(".heat tbody th").first).to_have_text("50–141 d")
    expect(rfm_page.locator(".heat tfoot th").nth(1)).to_have_text("2–")
    expect(rfm_page.locator(".heat td[data-r='5'][data-f='2']")).to_have_attribute("data-level", "0")


def test_the_heat_map_is_walked_with_arrow_keys(rfm_page: Page) -> None:
    """One stop in the tab order, then up, down, left and right by score."""
    rfm_page.locator(".heat td[tabindex='0']").focus()
    rfm_page.keyboard.press("ArrowDown")
    rfm_page.keyboard.press("ArrowLeft")
    expect(rfm_page.locator(".readout")).to_contain_text("Recency 4, frequency 4: 160 customers")
    expect(rfm_page.locator(".heat td[tabindex='0']")).to_have_count(1)


def test_the_heat_map_shades_by_net_spend_when_asked(rfm_page: Page) -> None:
    """The switch changes what the cells show."""
    rfm_page.get_by_text("Net spend", exact=True).click()
    expect(rfm_page.locator(".heat td[data-r='5'][data-f='4']")).to_have_text("2k")


def test_a_problem_is_told_in_the_engines_words(server: Server, page: Page) -> None:
    """A problem+json answer appears with title and detail, and the rest of the page stays."""
    problem = {
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The read model is 42 records behind.",
    }

    def refuse(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", json=problem)

    page.route(re.compile(r"/transitions\?"), refuse)
    open_live(page, server.address)
    expect(page.get_by_role("alert")).to_have_text("Service UnavailableThe read model is 42 records behind.")
    expect(page.locator(".stage-legend li")).to_have_count(7)


def test_an_event_that_holds_html_is_shown_as_text(server: Server, page: Page) -> None:
    """A customer id full of markup reaches the list of transitions as text."""
    server.post(order(f"listed {HOSTILE[:110]}"))
    open_live(page, server.address)
    expect(page.locator("a.who", has_text="listed <img")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.hacked") is None


def test_the_api_pages_work_with_no_network(server: Server, page: Page) -> None:
    """Swagger UI comes from the engine and lists the calls."""
    page.goto(f"{server.address}/docs")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    expect(page.get_by_text("/summary", exact=False).first).to_be_visible()
