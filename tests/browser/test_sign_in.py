"""Does a person with the key get in, stay in, and get out?"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from api.keys import COOKIE
from tests.browser.contrast import LOW_CONTRAST
from tests.browser.events import order, registered
from tests.browser.harness import KEY, Server


def sign_in(page: Page, key: str = KEY) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_who_signs_in_sees_the_dashboard_change(fresh_keyed_server: Server, page: Page) -> None:
    """A wrong key is told in a sentence; the right one leads to the page that was asked for, live."""
    address = fresh_keyed_server.address
    page.goto(address)
    expect(page).to_have_url(f"{address}/sign-in")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    sign_in(page, "wrong-horse-battery")
    expect(page.get_by_role("alert")).to_contain_text("That is not this engine's key")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    assert page.get_by_label("Key", exact=True).get_attribute("aria-invalid") == "true"

    sign_in(page)

    expect(page).to_have_url(f"{address}/")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#empty-command code")).to_contain_text('"authorization: Bearer $HEADWATER_API_KEY"')
    expect(page.locator("#transitions > *")).to_be_visible()
    fresh_keyed_server.post(order("live-order"))
    expect(page.locator("#transitions li.fresh", has_text="live-order")).to_be_visible()
    expect(page.locator("#orders")).to_have_text("1")


def test_every_page_works_for_who_signed_in(
    keyed_server: Server, page: Page, context: BrowserContext
) -> None:
    """The customer that was asked for, search, the API's pages; and no script can read the session."""
    keyed_server.post(registered("a/b", name="Ada"), order("a/b"))
    customer = f"{keyed_server.address}/ui/customers/a%2Fb"
    page.goto(customer)
    sign_in(page)
    expect(page).to_have_url(customer)
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#timeline li")).to_have_count(2)
    page.locator("#search").fill("ada")
    expect(page.get_by_role("option")).to_have_count(1)
    assert page.evaluate("document.cookie") == ""
    [cookie] = context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Strict")
    assert KEY not in cookie["value"]

    page.goto(f"{keyed_server.address}/docs")
    page.locator(".opblock-summary-path[data-path='/summary']").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response .response-col_status").first).to_have_text(
        re.compile("^200")
    )


def test_a_linked_statement_survives_signing_in(keyed_server: Server, page: Page) -> None:
    """It is in the fragment of the address, which no server sees; it runs for who signed in."""
    page.goto(f"{keyed_server.address}/ui/sql#query=SELECT+42")
    sign_in(page)
    expect(page.locator("#query")).to_have_value("SELECT 42")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table td")).to_have_text("42")


@contextmanager
def linking_to(address: str) -> Iterator[str]:
    """The address of a page of another origin on this machine, with a link."""

    class Linking(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(f'<link rel="icon" href="data:,"><a href="{address}">Look</a>'.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Linking) as elsewhere:
        Thread(target=elsewhere.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{elsewhere.server_port}/"
        elsewhere.shutdown()


def test_a_page_of_another_origin_starts_no_report(keyed_server: Server, page: Page) -> None:
    """Though the browser has a session, and shows it; who enters the address has the report."""
    report = f"{keyed_server.address}/reports/data_volume"
    page.goto(report)
    sign_in(page)
    expect(page.locator("body")).to_contain_text('"name":"data_volume"')
    with linking_to(report) as elsewhere:
        page.goto(elsewhere)
        page.get_by_role("link", name="Look").click()
        expect(page.locator("body")).to_contain_text("A page of another site asks")
    page.goto(report)
    expect(page.locator("body")).to_contain_text('"name":"data_volume"')


def test_who_signs_out_is_out(keyed_server: Server, page: Page, context: BrowserContext) -> None:
    """The session is gone from the browser, and the way back asks for the key."""
    page.goto(keyed_server.address)
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{keyed_server.address}/sign-in")
    assert context.cookies() == []
    page.goto(f"{keyed_server.address}/docs")
    expect(page).to_have_url(f"{keyed_server.address}/sign-in?next=/docs")


@pytest.mark.parametrize("signal", ["search", "stream"])
def test_an_ended_session_leads_to_the_sign_in_page_and_back(
    keyed_server: Server, page: Page, context: BrowserContext, signal: str
) -> None:
    """Whether something is asked, or only the stream is opened again: no page stays silently old."""
    customer = f"{keyed_server.address}/ui/customers/ada"
    page.goto(customer)
    sign_in(page)
    expect(page.locator("#connection")).to_have_text("Live")
    context.clear_cookies()
    if signal == "search":
        page.locator("#search").fill("ada")
    else:
        keyed_server.stop()
        keyed_server.start()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page)
    expect(page).to_have_url(customer)
    expect(page.locator("#connection")).to_have_text("Live")


def test_the_sign_in_page_can_be_read_and_fits(keyed_server: Server, page: Page) -> None:
    """In light and dark, on a small screen too, with its error; no search that would not work."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(keyed_server.address)
            sign_in(page, "wrong-horse-battery")
            expect(page.get_by_role("alert")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(LOW_CONTRAST) == []
            expect(page.locator("search, #sign-out")).to_have_count(0)
