"""Which reports do the browser tests know the numbers of? Answers in the shapes of GET /reports."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Request, Route

from tests.browser.events import HOSTILE

REPORTS = re.compile(r"^http://127\.0\.0\.1:\d+/reports([/?]|$)")
AS_OF, TIMEZONE = "2026-01-31T12:00:00Z", "Europe/Berlin"
QUERY = "SELECT count() FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) WHERE store = {store:String}"
TYPES = {"text": "String", "money": "Decimal(38, 2)", "share": "Nullable(Float64)", "month": "Date"}


def column(name: str, unit: str) -> dict[str, str]:
    return {"name": name, "unit": unit, "means": f"What {name} means.", "type": TYPES.get(unit, "UInt64")}


def parameter(name: str, kind: str, default: object = None, **more: object) -> dict[str, object]:
    bounds: dict[str, object] = {"minimum": None, "maximum": None, "choices": []}
    return {"name": name, "kind": kind, "default": default, "means": f"What {name} does.", **bounds, **more}


def report(
    name: str,
    group: str,
    columns: Sequence[dict[str, str]],
    rows: Sequence[Sequence[object]],
    chart: dict[str, object] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A report of the list, and what it answers."""
    title = name.replace("_", " ").capitalize()
    described = {"name": name, "title": title, "question": f"What of {name}?", "group": group, "own": False}
    parameters = more.pop("parameters", [])
    note = more.pop("note", None)
    return {
        "listed": {**described, "parameters": parameters, "columns": columns, "chart": chart, **more},
        "answer": {
            **described,
            "as_of": AS_OF,
            "timezone": TIMEZONE,
            "currency": "EUR",
            "parameters": {},
            "columns": columns,
            "rows": rows,
            "chart": chart,
            "note": note,
            "queries": [{"query": QUERY, "parameters": {"as_of": AS_OF, "store": "Zürich"}}],
            "elapsed_ms": 12.3,
            "truncated": False,
        },
    }


MONTHS = ("2025-11-01", "2025-12-01", "2026-01-01")
RETENTION = report(
    "retention",
    "persistency",
    [column("cohort", "month"), column("months_later", "count"), column("share", "share")],
    [
        [month, later, None if at + later > 2 else 0 if (at, later) == (0, 1) else 1 / (1 + later)]
        for at, month in enumerate(MONTHS)
        for later in range(3)
    ],
    {"kind": "heatmap", "x": "months_later", "y": "cohort", "value": "share"},
    parameters=[
        parameter("months", "integer", 12, minimum=1, maximum=60),
        parameter("weight", "number", 0.5),
        parameter("since", "date"),
        parameter("by", "choice", None, choices=["store", "channel"]),
        parameter("sku", "text"),
    ],
)
PRODUCTS = report(
    "products",
    "product",
    [column("sku", "text"), column("revenue", "money"), column("growth", "share")],
    [["绿茶 🍵", "1234.50", 0.125], [HOSTILE, "99.00", None], ["Fleece", "20000.00", -0.5]],
    {"kind": "bar", "x": "sku", "y": "revenue"},
)
CHARTS = [
    RETENTION,
    PRODUCTS,
    report(
        "months",
        "performance",
        [column("month", "month"), column("channel", "text"), column("revenue", "money")],
        [[month, channel, "10.00"] for month in MONTHS for channel in ("web", "store")],
        {"kind": "bar", "x": "month", "y": "revenue", "series": "channel"},
    ),
    report(
        "survival",
        "persistency",
        [column("days", "days"), column("share", "share"), column("low", "share")],
        [[0, 1, 1], [30, 0.5, 0.4], [60, None, None]],
        {"kind": "line", "x": "days", "y": ["share", "low"]},
    ),
    report(
        "stages",
        "profiling",
        [column("stage", "text"), column("customers", "customers")],
        [["active", 12], ["at_risk", 3], ["churned", 0]],
        {"kind": "pie", "x": "stage", "y": "customers"},
    ),
    report(
        "clusters",
        "profiling",
        [column("customer_id", "text"), column("orders", "orders"), column("revenue", "money")],
        [["ann", 1, "5.00"], ["zoe", 7, "90.00"]],
        {"kind": "scatter", "x": "orders", "y": "revenue"},
    ),
    report(
        "steps",
        "promotion",
        [column("step", "text"), column("customers", "customers")],
        [["sent", 100], ["opened", 40], ["redeemed", 0]],
        {"kind": "funnel", "x": "step", "y": "customers"},
    ),
]
RISING = report(
    "rising",
    "prospecting",
    [column("stage", "text"), column("reached", "customers")],
    [["new", 3], ["at_risk", 5]],
    {"kind": "funnel", "x": "stage", "y": "reached"},
)
UNKNOWN = report(
    "unknown",
    "profitability",
    [column("label", "text"), column("contribution", "money")],
    [["one", None], ["two", None]],
    {"kind": "bar", "x": "label", "y": "contribution"},
)
EMPTY = report("win_back", "prospecting", [column("share", "share")], [], note="No data yet: nobody left.")
OWN_FORM = {"from": "orders", "measures": [{"measure": "count", "name": "n"}]}
OWN = report("mine", "own", [column("n", "count")], [[1]], own=True, version=3, form=OWN_FORM)
MANY = report("many", "service", [column("n", "count")], [[n] for n in range(1_200)])
ALL = {each["listed"]["name"]: each for each in [*CHARTS, RISING, UNKNOWN, EMPTY, OWN, MANY]}
BROKEN = {"name": "half", "error": "half.sql: the chart names 'shares', which is no column: use share."}


def answer_reports(page: Page) -> list[Request]:
    """Answer the list and the reports in the engine's place; the requests, as they come."""
    asked: list[Request] = []

    def answer(route: Route, request: Request) -> None:
        asked.append(request)
        name = urlsplit(request.url).path.removeprefix("/reports").strip("/")
        if not name:
            items = [each["listed"] for each in ALL.values()]
            route.fulfill(json={"items": items, "broken": [BROKEN]})
        elif "mnths" in parameters_of(request):
            detail = "There is no parameter 'mnths': use months."
            errors = [{"index": 0, "field": "months", "detail": detail}]
            problem = {"title": "Unprocessable Content", "status": 422, "detail": detail, "errors": errors}
            route.fulfill(status=422, json=problem)
        elif name in ALL:
            route.fulfill(json=ALL[name]["answer"])
        elif name == BROKEN["name"]:
            route.fulfill(status=409, json={"title": "Conflict", "status": 409, "detail": BROKEN["error"]})
        else:
            detail = f"There is no report '{name}': use retention."
            route.fulfill(status=404, json={"title": "Not Found", "status": 404, "detail": detail})

    page.route(REPORTS, answer)
    return asked


def parameters_of(request: Request) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(request.url).query).items()}
