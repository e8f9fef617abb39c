"""Can everyone read and use the pages: small screens, dark rooms, keyboards, less motion?"""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.contrast import LOW_CONTRAST
from tests.browser.events import RFM, order, registered
from tests.browser.harness import Server, open_live


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_text_can_be_read_and_fits(server: Server, page: Page, width: int, scheme: str) -> None:
    """Every text has a contrast of 4.5 to 1 or more, and no page scrolls sideways."""
    server.post(order("legible"), registered("legible", name="Ada", email="ada@example.org"))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.route("**/rfm", lambda route: route.fulfill(json=RFM))
    for path in ("/", "/ui/customers/legible"):
        open_live(page, server.address + path)
        expect(page.locator("#transitions li, #history li").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(LOW_CONTRAST) == []


def test_motion_is_left_out_for_who_asks_for_less(server: Server, page: Page) -> None:
    """With reduced motion, as these pages are opened, a new row is tinted and nothing moves."""
    open_live(page, server.address)
    expect(page.locator("#transitions > *")).to_be_visible()  # what was there has been read: the next is new
    server.post(order("calm"))
    expect(page.locator("#transitions li.fresh", has_text="calm")).to_have_css("animation-name", "none")


def test_the_pages_have_landmarks_and_a_way_past_the_bar(server: Server, page: Page) -> None:
    """Banner, search, navigation and main; the first Tab offers to skip to the content."""
    open_live(page, server.address)
    for landmark in ("body > header", "search", "nav[aria-label]", "main"):
        expect(page.locator(landmark)).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
