"""Does a ClickHouse server, over HTTP, answer every report as the embedded engine does?"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from math import isclose
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest

from history import report_files
from history.report_files import Report
from history.reporting import Answer
from history.store import History
from schemas.events import Event
from tests import own
from tests.clickhouse import ClickHouse
from tests.integration.reports import (
    shop,
    small_shop,
    test_behaviour_reports,
    test_promotion_reports,
    test_prospecting,
)
from tests.reporting import archive, history_of, told

AS_OF, LATER = "2025-06-30T00:00:00Z", "2040-01-01T00:00:00Z"
ZONE = "Asia/Kathmandu"
REPORTS = report_files.discover().reports
GIVEN: Mapping[str, object] = {
    **dict.fromkeys(("since", "until"), "2025-01-15"),
    "campaign": "c-春の🌸",
    "owner": "ann",
    "bought": "pot-赤",
}
REVENUE = {"measure": "sum", "field": "base_minor", "name": "revenue"}
BUYERS = {"measure": "count_distinct", "field": "customer_id", "name": "buyers"}
MIDDLE = {"measure": "median", "field": "base_minor", "name": "middle"}
MONTH = {"field": "placed_at", "grain": "month", "name": "month"}
STORE = {"field": "store"}
FIRST_MONTHS = {"field": "placed_at", "from": "2025-01-01", "to": "2025-03-31"}
FORMS: Mapping[str, dict[str, Any]] = {
    "a pivot": {"measures": [REVENUE, MIDDLE], "dimensions": [MONTH, STORE], "pivot": {"dimension": "store"}},
    "the period before": {
        "measures": [REVENUE, BUYERS, MIDDLE],
        "dimensions": [STORE],
        "period": FIRST_MONTHS,
        "compare": "previous_period",
    },
    "the year before": {
        "measures": [REVENUE],
        "dimensions": [MONTH],
        "period": FIRST_MONTHS,
        "compare": "previous_year",
    },
    "the first and the others": {
        "measures": [REVENUE, BUYERS, {"measure": "share", "field": "base_minor", "name": "share"}],
        "dimensions": [{"field": "customers.traits.city", "name": "city"}, MONTH],
        "top": {"n": 2, "by": "revenue"},
    },
    "filters on traits": {
        "dimensions": [{"field": "channel"}],
        "filters": [
            {"field": "customers.traits.city", "op": "in", "values": ["東京", "o'thers", "北京", "Bern"]},
            {"field": "customers.traits.city", "op": "!=", "value": "Bern"},
            {"field": "placed_at", "op": "between", "values": ["2024-01-01", "2025-05-31"]},
        ],
    },
    "bins": {
        "measures": [{"measure": "mean", "field": "base_minor"}, BUYERS],
        "dimensions": [{"field": "amount_minor", "bins": 2500}],
        "filters": [{"field": "base_minor", "op": ">=", "value": 100}],
        "order": ["-buyers", "amount_minor"],
        "limit": 5,
    },
    "lists of customers": {"from": "customers", "dimensions": [{"field": "segments"}, {"field": "stage"}]},
    "numbers of a map": {
        "from": "CustomEvent",
        "measures": [{"measure": "mean", "field": "properties.stars"}],
        "dimensions": [{"field": "customers.traits.city"}],
    },
    "weeks of tickets": {"from": "tickets", "dimensions": [{"field": "opened_at", "grain": "week"}]},
}


def stories() -> Iterator[Event]:
    """All that the written shops tell, with ids that no two of them share."""
    written: Iterable[Iterable[Event]] = (
        small_shop.shop(),
        shop.made_up(),
        test_promotion_reports.story(),
        test_promotion_reports.decisions(),
        test_behaviour_reports.story(),
        test_prospecting.selling(),
        test_prospecting.wanderings(),
        own.shoppers()[0],
    )
    for number, story in enumerate(written):
        for event in story:
            event_id = str(uuid5(UUID(int=number), event.event_id))
            yield msgspec.structs.replace(event, event_id=event_id)


EVENTS = sorted(stories(), key=lambda event: event.occurred_at)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The stories in this process."""
    return asyncio.run(history_of(tmp_path_factory.mktemp("embedded"), EVENTS))


@pytest.fixture(scope="module")
def server(clickhouse: ClickHouse) -> Iterator[History]:
    """The stories on a server, and an order that is known there alone, from 2039."""
    history = History.open(clickhouse.url())
    archive(history, [*EVENTS, shop.bought("there", "2039-01-01", 100)])
    yield history
    history.close()


def asked(report: Report) -> Iterator[Mapping[str, object]]:
    """The parameters as they are by default, then with each choice, a day and a text."""
    yield {}
    for parameter in report.parameters:
        yield from ({parameter.name: each} for each in parameter.choices if each != parameter.default)
        if parameter.name in GIVEN:
            yield {parameter.name: GIVEN[parameter.name]}


def difference(here: Answer, there: Answer) -> str | None:
    """Where two answers are not the same, floats to nine digits."""
    for name in ("report", "currency", "parameters", "note", "truncated"):
        if getattr(here, name) != getattr(there, name):
            return f"{name}: {getattr(here, name)} and {getattr(there, name)}"
    if here.table.schema != there.table.schema:
        return f"columns: {here.table.schema} and {there.table.schema}"
    if here.table.num_rows != there.table.num_rows:
        return f"{here.table.num_rows} and {there.table.num_rows} rows"
    for at, (one, other) in enumerate(zip(here.table.to_pylist(), there.table.to_pylist(), strict=True)):
        for name, value in one.items():
            if not same(value, other[name]):
                return f"{name} of row {at}: {value!r} and {other[name]!r}"
    return None


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-9)
    return one == other


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
async def test_a_report_is_answered_alike(embedded: History, server: History, report: Report) -> None:
    """In the same columns of the same types, with the same rows in the same order, and the same note."""
    for parameters in asked(report):
        here, there = [
            await told(history, report.name, as_of=AS_OF, timezone=ZONE, **parameters)
            for history in (embedded, server)
        ]
        assert difference(here, there) is None, parameters
        assert parameters or here.table.num_rows


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_a_form_is_answered_alike(embedded: History, server: History, form: dict[str, Any]) -> None:
    """The same, with as many columns as a pivot finds."""
    whole = {"from": "orders", "as_of": AS_OF, "timezone": ZONE, **form}
    here, there = [await own.told(history, whole) for history in (embedded, server)]
    assert difference(here, there) is None
    assert here.table.num_rows > 1


@pytest.mark.parametrize("name", ["data_volume", "average_order", "pareto"])
async def test_what_only_the_server_knows_makes_a_difference(
    embedded: History, server: History, name: str
) -> None:
    """One order of thousands shows: the answers above are those of the server's own events."""
    here, there = [await told(history, name, as_of=LATER) for history in (embedded, server)]
    assert difference(here, there)
    assert (embedded._client.uri[:7], server._client.uri[:7]) == ("chdb://", "http://")
