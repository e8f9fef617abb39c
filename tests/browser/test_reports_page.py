"""Does an analyst find a report, ask it, read its chart and its rows, take them away and share them?"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser.contrast import LOW_CONTRAST
from tests.browser.events import HOSTILE, order, registered
from tests.browser.harness import Server, open_live
from tests.browser.reports import AS_OF, CHARTS, QUERY, answer_reports, parameters_of

NAMED = re.compile(r"^[A-Z].* of .+ by .+\. The table below has the same numbers\.$")
# What ECharts was told: the module is the one that the page has loaded.
OPTION = """async () => {
  const echarts = await import("/static/vendor/echarts/echarts.esm.min.js");
  return echarts.getInstanceByDom(document.querySelector("#chart > div")).getOption();
}"""


@pytest.fixture
def asked(page: Page) -> list[Request]:
    return answer_reports(page)


def open_report(page: Page, server: Server, name: str, query: str = "") -> None:
    open_live(page, f"{server.address}/ui/reports/{name}{query}")
    expect(page.locator("#told")).to_contain_text(" ms")


def control(page: Page, label: str) -> Locator:
    return page.get_by_role("form", name="Parameters").get_by_label(label)


def drawn(page: Page) -> Any:
    expect(page.locator("#chart canvas").first).to_be_visible()
    return page.evaluate(OPTION)


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"#table tbody td:nth-child({number})").all_inner_texts()


def test_the_list_says_what_each_report_answers(server: Server, page: Page, asked: list[Request]) -> None:
    """By group, with the questions; one's own with its version, and a broken one with its error."""
    open_live(page, server.address)
    page.get_by_role("link", name="Reports").click()
    panel = page.get_by_label("Persistency", exact=True)
    expect(panel.get_by_role("link")).to_have_text(["Retention", "Survival"])
    expect(panel).to_contain_text("What of retention?")
    expect(page.get_by_label("Your own", exact=True)).to_contain_text("version 3")
    expect(page.locator("#broken")).to_contain_text(
        "the chart names 'shares', which is no column: use share."
    )


def test_the_list_is_searched_by_words(server: Server, page: Page, asked: list[Request]) -> None:
    """Every word has to be there, in any order; a result opens."""
    open_live(page, f"{server.address}/ui/reports")
    page.get_by_label("Find a report").fill("RETENTION what")
    expect(page.locator("#reports a")).to_have_text(["Retention"])
    page.locator("#reports a").click()
    page.wait_for_url("**/ui/reports/retention")
    expect(page.get_by_role("heading", level=1)).to_have_text("Retention")


def test_the_search_of_every_page_finds_reports(server: Server, page: Page, asked: list[Request]) -> None:
    """After the customers; Enter opens."""
    open_live(page, server.address)
    page.locator("#search").fill("of retention")
    expect(page.locator("#search-results [role=option]")).to_have_text(["RetentionWhat of retention?"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/reports/retention")


def test_an_unfinished_cell_of_a_heat_map_is_empty(server: Server, page: Page, asked: list[Request]) -> None:
    """A share of 0 is drawn, null is not; in the table it is a dash."""
    open_report(page, server, "retention")
    (series,) = drawn(page)["series"]
    cells = [tuple(each["value"][:3]) for each in series["data"]]
    assert sorted(cells) == [(0, 0, 1), (0, 1, 1), (0, 2, 1), (1, 0, 0), (1, 1, 0.5), (2, 0, 1 / 3)]
    assert column(page, 1)[:3] == ["Nov 2025"] * 3
    assert column(page, 3) == [
        "100.0\xa0%",
        "0.0\xa0%",
        "33.3\xa0%",
        "100.0\xa0%",
        "50.0\xa0%",
        "–",
        "100.0\xa0%",
        "–",
        "–",
    ]


def test_numbers_are_written_by_their_unit(server: Server, page: Page, asked: list[Request]) -> None:
    """Money with its digits and its currency, shares as percent; both at the right."""
    open_report(page, server, "products")
    assert column(page, 2) == ["1,234.50", "99.00", "20,000.00"]
    assert column(page, 3) == ["12.5\xa0%", "–", "−50.0\xa0%"]
    expect(page.get_by_role("columnheader", name="Revenue EUR")).to_have_css("text-align", "right")
    expect(page.locator("#table td").nth(1)).to_have_css("text-align", "right")
    expect(page.locator("#as-of")).to_contain_text("31 Jan 2026, 12:00 UTC · days in Europe/Berlin")


def test_text_of_customers_is_text_in_the_table_and_in_the_chart(
    server: Server, page: Page, asked: list[Request]
) -> None:
    """Markup in a value is shown, not run; pointing at its bar makes no element of it."""
    open_report(page, server, "products")
    expect(page.locator("#table td", has_text="<img")).to_have_text(HOSTILE)
    assert any(name.startswith("<img") for name in drawn(page)["yAxis"][0]["data"])
    box = page.locator("#chart canvas").first.bounding_box()
    assert box is not None
    for share in (0.3, 0.5, 0.7):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * share)
    expect(page.locator("#answer img, #answer script")).to_have_count(0)
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("report", CHARTS, ids=lambda report: report["listed"]["name"])
def test_every_kind_of_chart_is_drawn(
    server: Server, page: Page, asked: list[Request], report: dict[str, Any]
) -> None:
    """With a name for who cannot see it, which points to the table; nothing moves for who asks for less."""
    open_report(page, server, report["listed"]["name"])
    option = drawn(page)
    assert {series["type"] for series in option["series"]} == {report["listed"]["chart"]["kind"]}
    assert option["animation"] is False
    image = page.locator("#chart").get_by_role("img")
    expect(image).to_have_accessible_name(NAMED)
    expect(page.get_by_role("table")).to_have_accessible_name(report["listed"]["title"])


def test_steps_that_rise_are_no_funnel(server: Server, page: Page, asked: list[Request]) -> None:
    """They are bars, named for what they are; stages are written in words."""
    open_report(page, server, "rising")
    option = drawn(page)
    assert [series["type"] for series in option["series"]] == ["bar"]
    assert option["xAxis"][0]["data"] == ["New", "At risk"]
    image = page.locator("#chart").get_by_role("img")
    expect(image).to_have_accessible_name(re.compile("^Bar chart of reached by stage"))


def test_a_chart_of_nothing_says_so(server: Server, page: Page, asked: list[Request]) -> None:
    """Where every value is missing there are rows, and no empty axes."""
    open_report(page, server, "unknown")
    expect(page.locator("#chart")).to_have_text("There is no chart, as no contribution is known.")
    assert column(page, 2) == ["–", "–"]


def test_a_chart_follows_the_theme(server: Server, page: Page, asked: list[Request]) -> None:
    """When the system goes dark, the marks take the colours of the dark theme, without a reload."""
    page.emulate_media(color_scheme="light")
    open_report(page, server, "months")
    light = [series["itemStyle"]["color"] for series in drawn(page)["series"]]
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"async (light) => (await ({OPTION})()).series[0].itemStyle.color !== light", arg=light[0]
    )
    dark = [series["itemStyle"]["color"] for series in drawn(page)["series"]]
    assert len({*light, *dark}) == 4


def test_the_address_holds_the_parameters(server: Server, page: Page, asked: list[Request]) -> None:
    """A link asks for them and fills the form; what is changed is asked and linked; back goes back."""
    open_report(page, server, "retention", "?months=6&by=store&as_of=2026-01-01T00:30:15Z")
    assert parameters_of(asked[-1]) == {"months": "6", "by": "store", "as_of": "2026-01-01T00:30:15Z"}
    expect(control(page, "Months")).to_have_value("6")
    expect(control(page, "As of (UTC)")).to_have_value("2026-01-01T00:30:15")
    control(page, "Months").fill("12")
    control(page, "Sku").fill("绿茶")
    control(page, "Timezone").fill("Asia/Tokyo")
    page.keyboard.press("Enter")
    page.wait_for_url(
        lambda url: "months" not in url and "by=store" in url and "timezone=Asia%2FTokyo" in url
    )
    expect(page.locator("#told")).to_contain_text(" ms")
    assert parameters_of(asked[-1])["sku"] == "绿茶"
    page.go_back()
    expect(control(page, "Months")).to_have_value("6")
    expect(control(page, "Sku")).to_have_value("")


def test_each_kind_of_parameter_has_its_control(server: Server, page: Page, asked: list[Request]) -> None:
    """Bounds, choices and what they mean; a choice without a default may be all."""
    open_report(page, server, "retention")
    months = control(page, "Months")
    assert [months.get_attribute(name) for name in ("type", "min", "max", "step")] == [
        "number",
        "1",
        "60",
        "1",
    ]
    expect(months).to_have_accessible_description("What months does.")
    expect(control(page, "Weight")).to_have_attribute("step", "any")
    expect(control(page, "Since")).to_have_attribute("type", "date")
    expect(control(page, "By").locator("option")).to_have_text(["all", "Store", "Channel"])
    expect(control(page, "Timezone")).to_have_attribute("placeholder", "Europe/Berlin")
    assert parameters_of(asked[-1]) == {}


def test_a_refused_parameter_is_said_with_its_remedy(
    server: Server, page: Page, asked: list[Request]
) -> None:
    """In the engine's words; the control that is meant is marked, until an answer comes."""
    open_live(page, f"{server.address}/ui/reports/retention?mnths=6")
    expect(page.get_by_role("alert")).to_contain_text("There is no parameter 'mnths': use months.")
    expect(control(page, "Months")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#answer")).to_be_hidden()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table tbody tr")).to_have_count(9)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(control(page, "Months")).not_to_have_attribute("aria-invalid", "true")


def test_an_unknown_report_and_a_broken_one_say_why(server: Server, page: Page, asked: list[Request]) -> None:
    """The nearest names; the error of the file."""
    open_live(page, f"{server.address}/ui/reports/retentoin")
    expect(page.get_by_role("alert")).to_contain_text("There is no report 'retentoin': use retention.")
    open_live(page, f"{server.address}/ui/reports/half")
    expect(page.get_by_role("alert")).to_contain_text("which is no column: use share.")


def test_no_data_is_said_plainly(server: Server, page: Page, asked: list[Request]) -> None:
    """The note stands alone: no chart, no table."""
    open_report(page, server, "win_back")
    expect(page.locator("#note")).to_have_text("No data yet: nobody left.")
    expect(page.locator("#chart")).to_be_hidden()
    expect(page.get_by_role("table")).to_have_count(0)


def test_rows_are_sorted_by_their_headings(server: Server, page: Page, asked: list[Request]) -> None:
    """By number, largest first, what is missing last; again for the other way, and for the first order."""
    open_report(page, server, "products")
    heading = page.get_by_role("columnheader", name="Growth")
    heading.get_by_role("button").focus()
    for shown, sorted_ in (
        (["12.5\xa0%", "−50.0\xa0%", "–"], "descending"),
        (["−50.0\xa0%", "12.5\xa0%", "–"], "ascending"),
        (["12.5\xa0%", "–", "−50.0\xa0%"], "none"),
    ):
        page.keyboard.press("Enter")
        expect(heading).to_have_attribute("aria-sort", sorted_)
        assert column(page, 3) == shown


def test_many_rows_come_in_parts(server: Server, page: Page, asked: list[Request]) -> None:
    """Sorting is over all of them, also those that are not drawn yet."""
    open_report(page, server, "many")
    expect(page.locator("#table tbody tr")).to_have_count(500)
    page.get_by_role("columnheader", name="N", exact=True).get_by_role("button").click()
    assert column(page, 1)[0] == "1,199"
    page.get_by_role("button", name="Show more: 500 of 1,200 rows").click()
    expect(page.locator("#table tbody tr")).to_have_count(1_000)


def test_what_is_downloaded_is_what_is_shown(server: Server, page: Page, asked: list[Request]) -> None:
    """Each format's link asks with the same parameters, as of the moment that the page shows."""
    open_report(page, server, "retention", "?months=6")
    for title, format_ in (("CSV", "csv"), ("Parquet", "parquet"), ("Arrow", "arrow"), ("JSON", "json")):
        link = page.locator("#downloads").get_by_role("link", name=title)
        expect(link).to_have_attribute("download", f"retention.{format_}")
        href = link.get_attribute("href") or ""
        assert href.startswith("/reports/retention?months=6")
        assert href.endswith(f"as_of={AS_OF.replace(':', '%3A')}&format={format_}")


def test_an_own_report_is_downloaded_as_it_was_asked(
    server: Server, page: Page, asked: list[Request]
) -> None:
    """Its module may tell only of now, so that no moment is put in."""
    open_report(page, server, "mine", "?version=2")
    link = page.locator("#downloads").get_by_role("link", name="CSV")
    expect(link).to_have_attribute("href", "/reports/mine?version=2&format=csv")


def test_the_sql_is_one_click_away(server: Server, page: Page, asked: list[Request]) -> None:
    """The statement with its values; and on, to where it can be changed."""
    open_report(page, server, "retention")
    expect(page.locator("#sql code")).to_be_hidden()
    page.locator("#sql summary").click()
    expect(page.locator("#sql code")).to_have_text(QUERY)
    expect(page.locator("#sql")).to_contain_text('store = "Zürich"')
    page.get_by_role("link", name="Open in SQL").click()
    expect(page.get_by_label("Statement", exact=True).last).to_have_value(QUERY)
    expect(page.get_by_label("store", exact=True)).to_have_value("Zürich")


def test_a_slow_report_says_that_it_runs_and_can_be_stopped(
    server: Server, page: Page, asked: list[Request]
) -> None:
    """While it runs the answer is marked as busy; stopped, it says so and is no error."""
    waiting: list[Route] = []
    page.route(f"{server.address}/reports/products", lambda route: waiting.append(route))
    open_live(page, f"{server.address}/ui/reports/products")
    page.unroute(f"{server.address}/reports/products")
    expect(page.locator("#told")).to_contain_text("Running…")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#told")).to_have_text("Stopped")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table tbody tr")).to_have_count(3)
    assert waiting


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_can_be_read_and_fit(
    server: Server, page: Page, asked: list[Request], width: int, scheme: str
) -> None:
    """Every text has a contrast of 4.5 to 1 or more, and nothing scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path, shown in (("", "#reports a"), ("/retention", "#chart canvas"), ("/products", "#table td")):
        open_live(page, f"{server.address}/ui/reports{path}")
        expect(page.locator(shown).first).to_be_visible()
        for summary in page.locator("main summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(LOW_CONTRAST) == []


def test_every_report_of_the_engine_opens(server: Server, page: Page) -> None:
    """Each that is listed, on the engine itself: an answer or a note, and a chart where there are rows."""
    server.post(order("reported", "12.50"), registered("reported", city=HOSTILE))
    reports: Any = server.get("/reports")
    standard = [each for each in reports["items"] if not each["own"]]  # other tests save their own
    assert reports["broken"] == []
    assert standard
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for report in standard:
        open_report(page, server, report["name"], f"?as_of={tomorrow}")
        expect(page.get_by_role("alert")).to_have_count(0)
        is_drawn = report["chart"] is not None and page.locator("#table tbody tr").count() > 0
        expect(page.locator("#chart")).to_be_visible(visible=is_drawn)
        if not is_drawn:
            expect(page.locator("#note, #table table").first).to_be_visible()
