"""Does an analyst write a statement beside the tables, run it, read what comes, and keep it?"""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.contrast import LOW_CONTRAST
from tests.browser.events import HOSTILE
from tests.browser.harness import Server, open_live

SCHEMA = {
    "tables": [
        {
            "name": "orders",
            "comment": "One row an order.",
            "columns": [
                {"name": "order_id", "type": "String", "comment": "The shop's own number."},
                {"name": "base_minor", "type": "Nullable(Int64)", "comment": "Net; NULL without a rate."},
            ],
        },
        {
            "name": "orders_at",
            "comment": "The same, as of a moment.",
            "parameters": [{"name": "as_of", "type": "DateTime64(3, 'UTC')"}],
            "columns": [{"name": "order_id", "type": "String", "comment": ""}],
        },
    ]
}
TYPED = "SELECT {name:String} AS name, {n:UInt8} AS n, {none:Nullable(Int64)} AS none"


@pytest.fixture
def saved(page: Page) -> list[dict[str, str]]:
    """The schema and the saved queries, in the engine's place; what runs is the engine's own."""
    kept: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            kept.append(json.loads(route.request.post_data or ""))
            route.fulfill(status=201, json=kept[-1])
        else:
            route.fulfill(json={"items": kept})

    page.route("**/sql/schema", lambda route: route.fulfill(json=SCHEMA))
    page.route("**/sql/saved", answer)
    return kept


def open_sql(page: Page, server: Server, **asked: Any) -> Locator:
    """The page, with a statement in its address; the editor."""
    fragment = f"#{urlencode(asked)}" if asked else ""
    open_live(page, f"{server.address}/ui/sql{fragment}")
    expect(page.locator("#tables details")).to_have_count(2)
    return page.locator("#query")


def cells(page: Page) -> list[str]:
    return page.locator("#table tbody td").all_inner_texts()


def test_a_statement_is_run_from_the_keyboard(server: Server, page: Page, saved: list[object]) -> None:
    """Ctrl+Enter; the answer says how many rows in which time, and the address holds the statement."""
    editor = open_sql(page, server)
    editor.fill("SELECT number, toString(number) AS text FROM numbers(3)")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#told")).to_contain_text("3 rows in ")
    assert cells(page) == ["0", "0", "1", "1", "2", "2"]
    expect(page.locator("#table td").nth(0)).to_have_css("text-align", "right")
    expect(page.locator("#table td").nth(1)).to_have_css("text-align", "left")
    page.reload()
    expect(page.locator("#query")).to_have_value("SELECT number, toString(number) AS text FROM numbers(3)")


def test_what_customers_wrote_is_text(server: Server, page: Page, saved: list[object]) -> None:
    """Markup is shown, not run, and NULL is not the text NULL."""
    open_sql(page, server, query=f"SELECT '{HOSTILE}' AS markup, NULL AS missing, [1, 2] AS list")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table td").first).to_have_text(HOSTILE)
    assert cells(page)[1:] == ["NULL", "[1,2]"]
    expect(page.locator("#table td .null")).to_have_count(1)
    expect(page.locator("#answer img, #answer script")).to_have_count(0)
    assert page.evaluate("window.hacked") is None


def test_a_refused_statement_says_what_to_do(server: Server, page: Page, saved: list[object]) -> None:
    """In the engine's words, and the answer before is gone."""
    editor = open_sql(page, server, query="SELECT 1")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#told")).to_contain_text("1 row in ")
    editor.fill("DROP TABLE events")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#answer")).to_be_hidden()
    editor.fill("SELECT 2")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table td")).to_have_text(["2"])
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_cut_answer_says_so(server: Server, page: Page, saved: list[object]) -> None:
    """With what to do to see the rest."""
    open_sql(page, server, query="SELECT number FROM numbers(10001)")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#told")).to_contain_text("The first 10,000 rows in ")
    expect(page.locator("#told")).to_contain_text("add a WHERE, a GROUP BY or a LIMIT")


def test_the_statements_parameters_are_asked_for(server: Server, page: Page, saved: list[object]) -> None:
    """A control for each {name:Type}; a Nullable that is left empty is NULL; what is typed stays."""
    editor = open_sql(page, server)
    editor.fill(TYPED)
    page.get_by_label("name", exact=True).fill("绿茶 'quoted'")
    page.get_by_label("n", exact=True).fill("7")
    editor.fill(f"{TYPED}, 1 AS one")
    expect(page.get_by_label("name", exact=True)).to_have_value("绿茶 'quoted'")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table td")).to_have_text(["绿茶 'quoted'", "7", "NULL", "1"])
    editor.fill("SELECT 1")
    expect(page.locator("#values")).to_be_hidden()


def test_tables_and_columns_are_browsed_and_inserted(server: Server, page: Page, saved: list[object]) -> None:
    """With their comments; into an empty statement a whole one, else the name where the cursor is."""
    editor = open_sql(page, server)
    page.get_by_label("Find a table").fill("base minor")
    expect(page.locator("#tables summary")).to_have_text(["orders"])
    page.locator("#tables summary").click()
    expect(page.locator("#tables")).to_contain_text("Net; NULL without a rate.")
    expect(page.locator("#tables")).to_contain_text("Nullable(Int64)")
    page.get_by_role("button", name="Insert orders").click()
    expect(editor).to_have_value("SELECT *\nFROM orders\nLIMIT 100")
    editor.fill("SELECT ")
    page.get_by_role("button", name="base_minor").click()
    expect(editor).to_have_value("SELECT base_minor")
    expect(editor).to_be_focused()


def test_a_view_with_a_parameter_is_inserted_with_it(server: Server, page: Page, saved: list[object]) -> None:
    """So that its value is asked for."""
    editor = open_sql(page, server)
    page.locator("#tables summary", has_text="orders_at").click()
    page.get_by_role("button", name="Insert orders_at").click()
    expect(editor).to_have_value("SELECT *\nFROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})\nLIMIT 100")
    expect(page.get_by_label("as_of", exact=True)).to_be_visible()


def test_a_query_is_saved_and_found_again(server: Server, page: Page, saved: list[dict[str, str]]) -> None:
    """Under a name that an address can have, with its text."""
    editor = open_sql(page, server)
    expect(page.get_by_label("Saved queries")).to_be_disabled()
    editor.fill("SELECT 42")
    page.get_by_label("Save under a name").fill("Die Antwört: 42 🍵")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    assert saved == [{"name": "die-antwort-42", "query": "SELECT 42"}]
    page.goto(f"{server.address}/ui/triggers")
    editor = open_sql(page, server)
    page.get_by_label("Saved queries").select_option("die-antwort-42")
    expect(editor).to_have_value("SELECT 42")


def test_the_rows_are_downloaded(server: Server, page: Page, saved: list[object]) -> None:
    """As CSV with quotes where they are needed, and as JSON."""
    open_sql(page, server, query="SELECT 1 AS n, 'a \"b\", c' AS text, NULL AS missing")
    page.get_by_role("button", name="Run").click()
    with page.expect_download() as csv:
        page.get_by_role("link", name="CSV").click()
    assert csv.value.suggested_filename == "answer.csv"
    assert csv.value.path().read_text("utf-8") == 'n,text,missing\n1,"a ""b"", c",\n'
    with page.expect_download() as written:
        page.get_by_role("link", name="JSON").click()
    assert json.loads(written.value.path().read_bytes()) == [{"n": 1, "text": 'a "b", c', "missing": None}]


def test_the_engines_own_schema_and_saved_queries(server: Server, page: Page) -> None:
    """Nothing in its place: a view is inserted, runs, is saved, and is there after a reload."""
    open_live(page, f"{server.address}/ui/sql")
    page.get_by_label("Find a table").fill("orders_at placed_at")
    page.locator("#tables details[data-table=orders_at] summary").click()
    page.get_by_role("button", name="Insert orders_at").click()
    page.get_by_label("as_of", exact=True).fill("2026-01-01 00:00:00.000")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#told")).to_contain_text(" ms")
    page.get_by_label("Save under a name").fill("Orders then")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    page.reload()
    page.get_by_label("Saved queries").select_option("orders-then")
    expect(page.locator("#query")).to_have_value(re.compile("FROM orders_at"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_can_be_read_and_fits(
    server: Server, page: Page, saved: list[object], width: int, scheme: str
) -> None:
    """Every text has a contrast of 4.5 to 1 or more, and nothing scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    query = f"{TYPED}, '{'long ' * 60}' AS long, NULL AS missing"
    parameters = json.dumps({"name": "x" * 200, "n": 7})
    open_sql(page, server, query=query, parameters=parameters)
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#table td").first).to_be_visible()
    page.locator("#tables summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(LOW_CONTRAST) == []
