"""Does every report keep its word, whatever the history holds: what is declared, or why there is nothing?"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import report_answers
from history import report_files
from history.report_files import Report
from history.report_values import Parameter
from history.reporting import Answer
from history.store import History
from schemas.events import (
    BaseCurrencySet,
    CustomerRegistered,
    Event,
    ExchangeRateSet,
    LifecycleChanged,
    OrderLine,
    OrderPlaced,
    TraitsUpdated,
)
from tests.integration.reports.test_running import DAY, NOON, order, page, stamp
from tests.reporting import history_of, told
from tests.strategies import customer_events, event

FOUND = report_files.discover()
LINES = (
    OrderLine(sku="手机壳 📱", category="配件", quantity=2, unit_price_minor=500, cost_minor=200),
    OrderLine(sku="'; DROP TABLE x --", quantity=1, unit_price_minor=0),
)

MOST = 2**63 - 1
DEAREST = OrderLine(sku="a", quantity=2**31 - 1, unit_price_minor=MOST, cost_minor=MOST)


def first_order(customer_id: str, **given: object) -> Event:
    known = {"customer_id": customer_id, "order_id": "订单-1 🧾", "amount_minor": 1000, "currency": "USD"}
    return OrderPlaced(**(known | {"lines": LINES} | given), **stamp())


def stage(customer_id: str, before: str | None, after: str, at: int) -> Event:
    cause = {"cause_topic": "headwater.events", "cause_partition": 0, "cause_offset": 0}
    told = {"from_stage": before, "to_stage": after, "reason": "因为", "late": False, "rules_version": "1"}
    return LifecycleChanged(customer_id=customer_id, **cause, **told, **stamp(at))


HISTORIES: Mapping[str, list[Event]] = {
    "empty": [],
    "of one customer with one order": [order("ann")],
    "of one customer without an order": [page("ann")],
    "of customers without traits": [
        CustomerRegistered(customer_id="ann", **stamp()),
        TraitsUpdated(customer_id="bob", traits={}, removed=("city",), **stamp()),
        order("ann"),
        order("ann", at=NOON + 400 * DAY),
    ],
    "in Chinese and emoji": [
        CustomerRegistered(
            customer_id="王小明 😀", traits={"城市": "北京", "": "", "💼": "👩‍🚀"}, source="微信", **stamp()
        ),
        stage("王小明 😀", None, "new", NOON),
        stage("王小明 😀", "new", "dormant", NOON + 99 * DAY),
        first_order("王小明 😀", store="上海 🏬", channel="店", coupon="双11", discount_minor=50),
        order("李雷", at=NOON + DAY),
    ],
    "of amounts that 64 bits do not add up": [
        ExchangeRateSet(currency="KWD", base_currency="USD", rate="1000000000000", **stamp()),
        *(first_order("ann", amount_minor=MOST, discount_minor=MOST, order_id=f"o{n}") for n in range(3)),
        first_order("bob", amount_minor=MOST, currency="KWD", lines=(DEAREST,)),
        order("eve", amount_minor=MOST, at=NOON + 400 * DAY),
    ],
    "in yen": [
        BaseCurrencySet(currency="JPY", **stamp()),
        ExchangeRateSet(currency="USD", base_currency="JPY", rate="150.25", **stamp()),
        first_order("ann", currency="JPY", amount_minor=15000),
        order("bob", currency="USD"),
        order("eve", currency="KWD", at=NOON + DAY),
    ],
}


def test_every_file_is_a_report() -> None:
    """None of those that come with Headwater is broken."""
    assert FOUND.broken == ()
    assert FOUND.reports


@pytest.mark.parametrize("report", FOUND.reports, ids=lambda report: report.name)
def test_a_query_uses_what_is_declared(report: Report) -> None:
    """As of a moment, with each parameter, and with no clock of its own."""
    assert report.file is not None
    text = report.sql or report.file.read_text("utf-8")
    assert re.search(r"\bas_of\b", text)
    assert not re.search(r"\b(now|now64|today|yesterday)\s*\(", text)
    if report.sql is not None:
        for parameter in report.parameters:
            assert f"{{{parameter.name}:" in report.sql


def faults(answer: Answer) -> Iterator[str]:
    """What an answer has that none may have."""
    table = answer.table
    if not table.num_rows and not answer.note:
        yield "no rows, and no note that says why"
    if answer.note and not answer.note.endswith("."):
        yield f"the note {answer.note!r} is no sentence"
    for column in answer.report.columns:
        values = [value for value in table[column.name].to_pylist() if value is not None]
        if not all(math.isfinite(value) for value in values if isinstance(value, float)):
            yield f"{column.name} has a number that is none"
        allowed = {
            "money": (Decimal,),
            "share": (float, int, Decimal),
            "date": (date,),
            "month": (date, str),
            "text": (str,),
        }.get(column.unit, (object,))
        if not all(isinstance(value, allowed) for value in values):
            yield f"{column.name} is no {column.unit} but {table[column.name].type}"
        elif column.unit == "share" and not all(0 <= value <= 1 for value in values):
            yield f"{column.name} has a share outside 0 to 1"
        elif column.unit == "time" and not (
            pa.types.is_timestamp(table[column.name].type) or pa.types.is_null(table[column.name].type)
        ):
            yield f"{column.name} is no time but {table[column.name].type}"
    for form in report_answers.MEDIA_TYPES:
        report_answers.response(answer, form)


async def wrong(history: History, reports: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Each report (name -> parameters) that fails or answers what it must not."""
    found: dict[str, object] = {}
    for name, parameters in reports.items():
        try:
            answer = await told(history, name, timezone="Asia/Kathmandu", **parameters)
            if said := list(faults(answer)):
                found[name] = said
        except Exception as error:  # noqa: BLE001  # told of with the others
            found[name] = repr(error)
    return found


DEFAULTS: Mapping[str, Mapping[str, object]] = {report.name: {} for report in FOUND.reports}


@pytest.mark.parametrize("events", HISTORIES.values(), ids=HISTORIES)
async def test_a_report_answers_or_says_why_not(tmp_path: Path, events: list[Event]) -> None:
    """Over a history that is empty, of one customer, without orders, traits or decimals, or in Chinese."""
    assert await wrong(await history_of(tmp_path, events), DEFAULTS) == {}


def edges(parameter: Parameter) -> list[object]:
    """The values at the bounds of what may be given."""
    match parameter.kind:
        case "integer" | "number":
            return [each for each in (parameter.minimum, parameter.maximum) if each is not None]
        case "choice":
            return list(parameter.choices)
        case "date":
            return [date(1900, 1, 1), date(2299, 12, 31), date(2023, 11, 14)]
        case _:
            return ["", "北京 😀", "'; DROP TABLE x --", "USD"]


async def test_every_value_that_may_be_given_is_answered(tmp_path: Path) -> None:
    """One parameter at its bounds at a time, over customers who ordered for years."""
    orders = [order(f"c{n}", 100 * n, at=NOON + n * 11 * DAY) for n in range(40)]
    again = [order(f"c{n % 7}", 250, at=NOON + n * 5 * DAY) for n in range(40)]
    history = await history_of(tmp_path, [*HISTORIES["in Chinese and emoji"], *orders, *again])
    found = {
        (report.name, parameter.name, value): told_wrong
        for report in FOUND.reports
        for parameter in report.parameters
        for value in edges(parameter)
        if (told_wrong := await wrong(history, {report.name: {parameter.name: value}}))
    }
    assert found == {}


CUSTOMERS = st.sampled_from(["ann", "王小明", "😀"])


@settings(
    max_examples=4,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(
    st.lists(customer_events(CUSTOMERS), min_size=10, max_size=60),
    st.lists(event("CampaignPlanned") | event("ExchangeRateSet"), max_size=3),
)
async def test_any_events_are_answered(tmp_path: Path, events: list[Event], others: list[Event]) -> None:
    """Whatever the catalogue lets happen, in any order of time."""
    assert await wrong(await history_of(tmp_path, [*others, *events]), DEFAULTS) == {}
