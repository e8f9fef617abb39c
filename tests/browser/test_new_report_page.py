"""Does an analyst make a report without SQL, see what it will ask before it does, and keep it?"""

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pyarrow as pa
import pytest
from playwright.sync_api import Page, Route, expect
from pyarrow import parquet

from tests.browser.contrast import LOW_CONTRAST
from tests.browser.events import HOSTILE, order, registered
from tests.browser.harness import Server, open_live
from tests.browser.reports import ALL, OWN_FORM, answer_reports

ARCHIVED_WITHIN_S = 30
SCHEMA = {
    "tables": [
        {
            "name": "orders",
            "comment": "One row an order.",
            "columns": [
                {"name": "customer_id", "type": "String", "comment": "Who ordered."},
                {"name": "placed_at", "type": "DateTime64(3, 'UTC')", "comment": "When."},
                {"name": "base_minor", "type": "Nullable(Int64)", "comment": "Net."},
                {"name": "store", "type": "String", "comment": "Where."},
            ],
        },
        {
            "name": "customers",
            "comment": "One row a customer.",
            "columns": [{"name": "traits", "type": "Map(String, String)", "comment": "What was told."}],
        },
        {"name": "orders_at", "comment": "As of a moment.", "parameters": [{"name": "as_of"}], "columns": []},
    ]
}
FORM = {
    "from": "orders",
    "measures": [{"measure": "count", "name": "how many"}, {"measure": "sum", "field": "base_minor"}],
    "dimensions": [{"field": "placed_at", "grain": "month", "name": "month"}, {"field": "store"}],
    "filters": [
        {"field": "customers.traits.city", "op": "in", "values": ["Zürich", "東京"]},
        {"field": "base_minor", "op": ">=", "value": 500},
        {"field": "store", "op": "not_null"},
    ],
    "period": {"field": "placed_at", "from": "2025-01-01", "to": "2025-12-31"},
    "compare": "previous_year",
    "top": {"n": 5, "dimension": "store", "by": "sum_base", "others": False},
    "pivot": {"dimension": "store", "columns": 7},
    "order": ["-month", "store"],
    "limit": 99,
    "as_of": "2026-01-01T00:00:30Z",
    "timezone": "Asia/Tokyo",
}


class Engine:
    """What the page asked of the engine: the forms to explain, to ask and to save."""

    def __init__(self, page: Page) -> None:
        self.explained: list[Any] = []
        self.asked: list[Any] = []
        self.saved: list[Any] = []
        answer_reports(page)
        page.route("**/sql/schema", lambda route: route.fulfill(json=SCHEMA))
        page.route("**/reports/explain", self._explain)
        page.route("**/reports/ask", self._ask)
        page.route(re.compile(r":\d+/reports$"), self._save)

    def _explain(self, route: Route) -> None:
        form = json.loads(route.request.post_data or "")
        self.explained.append(form)
        if any(each["field"] == "stroe" for each in form.get("dimensions", [])):
            detail = "orders has no field 'stroe': use store."
            route.fulfill(status=422, json={"title": "Unprocessable", "status": 422, "detail": detail})
            return
        tables = [{"table": "OrderPlaced", "rows": 1234}]
        plan = {"query": "SELECT 1 AS explained", "parameters": {"p1": 5}, "tables": tables, "rows": 1234}
        route.fulfill(json=plan)

    def _ask(self, route: Route) -> None:
        self.asked.append(json.loads(route.request.post_data or ""))
        route.fulfill(json=ALL["months"]["answer"])

    def _save(self, route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        self.saved.append(json.loads(route.request.post_data or ""))
        route.fulfill(status=201, json={"name": "mine", "version": 1})


@pytest.fixture
def engine(page: Page) -> Engine:
    return Engine(page)


def open_builder(page: Page, server: Server, form: object = None) -> None:
    fragment = f"#{urlencode({'form': json.dumps(form)})}" if form else ""
    open_live(page, f"{server.address}/ui/reports/new{fragment}")
    expect(page.locator("#plan code")).to_be_visible()


def test_a_form_is_explained_before_it_runs(server: Server, page: Page, engine: Engine) -> None:
    """Each change shows the query and how much it reads; nothing runs until somebody says so."""
    open_builder(page, server)
    assert engine.explained == [{"from": "orders", "measures": [{"measure": "count"}]}]
    page.get_by_role("button", name="Add a dimension").click()
    page.get_by_label("Field to group by").fill("placed_at")
    page.get_by_label("Grain").select_option("month")
    expect(page.locator("#estimate")).to_have_text("reads at most 1,234 rows")
    expect(page.locator("#plan code")).to_have_text("SELECT 1 AS explained")
    page.wait_for_url(lambda url: "month" in url)
    page.get_by_label("Measure", exact=True).select_option("sum")
    page.get_by_label("Field to measure").fill("base_minor")
    page.wait_for_url(lambda url: "base_minor" in url)
    assert engine.asked == []
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#chart canvas").first).to_be_visible()
    expect(page.locator("#table tbody tr")).to_have_count(6)
    (asked,) = engine.asked
    assert asked == engine.explained[-1]
    assert asked["measures"] == [{"measure": "sum", "field": "base_minor"}]
    assert asked["dimensions"] == [{"field": "placed_at", "grain": "month"}]


def test_the_address_holds_the_form(server: Server, page: Page, engine: Engine) -> None:
    """A link brings every part of it back, also what has no control; a reload asks the same."""
    open_builder(page, server, FORM)
    page.reload()
    expect(page.locator("#plan code")).to_be_visible()
    assert engine.explained == [FORM, FORM]


def test_columns_are_named_ordered_and_cut_by_controls(server: Server, page: Page, engine: Engine) -> None:
    """A column is called as one likes, rows are ordered by columns that there are, and only so many come."""
    open_builder(page, server)
    page.get_by_role("button", name="Add a dimension").click()
    page.get_by_label("Field to group by").fill("store")
    page.get_by_label("Column name").first.fill("how many")
    expect(page.get_by_label("Column name").last).to_have_attribute("placeholder", "named store")
    page.wait_for_url(lambda url: "how+many" in url and "store" in url)
    page.get_by_role("button", name="Add an order").click()
    offered = page.locator("#known-columns option").evaluate_all("all => all.map((each) => each.value)")
    assert offered == ["store", "how many"]
    page.get_by_label("Column to order by").fill("how many")
    page.get_by_label("Direction").select_option("falling")
    page.get_by_label("Rows at most").fill("25")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table tbody tr")).to_have_count(6)
    assert engine.asked == [
        {
            "from": "orders",
            "measures": [{"measure": "count", "name": "how many"}],
            "dimensions": [{"field": "store"}],
            "order": ["-how many"],
            "limit": 25,
        }
    ]


def test_a_column_whose_name_begins_with_a_dash_can_be_ordered_by(
    server: Server, page: Page, engine: Engine
) -> None:
    """Rising or falling, as the form said."""
    named = {"from": "orders", "measures": [{"measure": "count", "name": "-n"}]}
    for columns, way in (["-n"], "rising"), (["--n"], "falling"):
        open_builder(page, server, {**named, "order": columns})
        page.reload()
        expect(page.get_by_label("Direction").locator("option:checked")).to_have_text(way)
        expect(page.locator("#plan code")).to_be_visible()
        assert engine.explained[-1]["order"] == columns


def test_a_field_that_there_is_not_is_said_with_the_nearest(
    server: Server, page: Page, engine: Engine
) -> None:
    """In the engine's words; what would run is no longer shown."""
    open_builder(page, server)
    page.get_by_role("button", name="Add a dimension").click()
    page.get_by_label("Field to group by").fill("stroe")
    expect(page.get_by_role("alert")).to_contain_text("orders has no field 'stroe': use store.")
    expect(page.locator("#plan")).to_be_hidden()
    page.get_by_role("button", name="Remove").last.click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#plan")).to_be_visible()


def test_fields_come_from_the_schema(server: Server, page: Page, engine: Engine) -> None:
    """Those of the module, and those of its customers; a view that takes a moment is no module."""
    open_builder(page, server)
    expect(page.get_by_label("From", exact=True).locator("option")).to_have_text(["orders", "customers"])
    expect(page.locator("#module-means")).to_have_text("One row an order.")
    fields = page.locator("#known-fields option").evaluate_all("all => all.map((each) => each.value)")
    assert fields == ["customer_id", "placed_at", "base_minor", "store", "customers.traits"]
    expect(page.get_by_label("Period of").locator("option")).to_have_text(["all time", "placed_at"])
    page.get_by_label("From", exact=True).select_option("customers")
    expect(page.locator("#module-means")).to_have_text("One row a customer.")


def test_a_report_is_saved_under_its_title(server: Server, page: Page, engine: Engine) -> None:
    """With a name for addresses, as its first version; then its page opens."""
    open_builder(page, server)
    page.get_by_label("Save under a title").fill("Mïne")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/ui/reports/mine")
    expected = {"name": "mine", "title": "Mïne", "form": engine.explained[0], "expected_version": 0}
    assert engine.saved == [expected]


def test_a_saved_report_is_changed_as_its_next_version(server: Server, page: Page, engine: Engine) -> None:
    """From its page, with its form and title; only if nobody saved another meanwhile."""
    open_live(page, f"{server.address}/ui/reports/mine")
    expect(page.get_by_label("Version")).to_have_value("3")
    page.get_by_role("link", name="Change").click()
    expect(page.get_by_label("Save under a title")).to_have_value("Mine")
    expect(page.locator("#plan code")).to_be_visible()
    assert engine.explained == [OWN_FORM]
    page.get_by_role("button", name="Save as version 4").click()
    page.wait_for_url("**/ui/reports/mine")
    assert engine.saved == [{"name": "mine", "title": "Mine", "form": OWN_FORM, "expected_version": 3}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_can_be_read_and_fits(
    server: Server, page: Page, engine: Engine, width: int, scheme: str
) -> None:
    """Every text has a contrast of 4.5 to 1 or more, and nothing scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_builder(page, server, FORM)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(LOW_CONTRAST) == []


def wait_until_archived(server: Server, customer_id: str, events: int) -> None:
    """The history follows the log by about a second."""
    deadline = time.monotonic() + ARCHIVED_WITHIN_S
    timeline = f"{server.address}/customers/{customer_id}/timeline"
    while len(httpx2.get(timeline).json().get("items", [])) < events:  # a problem, at first
        assert time.monotonic() < deadline
        time.sleep(0.2)


def read_arrow(path: Path) -> pa.Table:
    return pa.ipc.open_file(path.read_bytes()).read_all()


def test_a_report_goes_from_the_form_to_the_list_on_the_engine(server: Server, page: Page) -> None:
    """Explained, run, downloaded, saved and listed by the engine itself; text of customers stays text."""
    server.post(order("own-report", "12.50"), registered("own-report", city=HOSTILE))
    wait_until_archived(server, "own-report", events=2)
    form = {
        "from": "orders",
        "measures": [{"measure": "sum", "field": "base_minor"}],
        "dimensions": [{"field": "customers.traits.city"}],
        "as_of": "2100-01-01T00:00:00Z",
    }
    open_builder(page, server, form)
    expect(page.locator("#estimate")).to_contain_text("reads at most")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table td", has_text="<img")).to_have_text(HOSTILE)
    for title, read in ("Parquet", parquet.read_table), ("Arrow", read_arrow):
        with page.expect_download() as download:
            page.get_by_role("button", name=title).click()
        assert download.value.suggested_filename == f"report.{title.lower()}"
        assert HOSTILE in read(download.value.path())["customers.traits.city"].to_pylist()
    page.get_by_label("Save under a title").fill("Revenue of cities")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/ui/reports/revenue-of-cities")
    expect(page.locator("#table td", has_text="<img")).to_have_text(HOSTILE)
    expect(page.locator("#answer img, #answer script")).to_have_count(0)
    assert page.evaluate("window.hacked") is None
    page.goto(f"{server.address}/ui/reports")
    expect(page.get_by_label("Your own", exact=True)).to_contain_text("Revenue of cities")
