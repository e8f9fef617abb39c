"""Do amounts add up that 64 bits do not hold?"""

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import (
    ExchangeRateSet,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
)
from tests.integration.reports.test_running import AFTER, DAY, NOON, order, stamp
from tests.own import answer as own_answer
from tests.own import told as own_told
from tests.reporting import answer, history_of, told


@pytest.mark.parametrize(
    ("report", "by", "column"),
    [
        ("revenue", {"by": "channel"}, "value"),
        ("revenue", {"by": "owner"}, "net"),
        ("growth", {"periods": 1000}, "net"),
        ("customers_by", {}, "net"),
        ("acquisition", {"months": 600}, "net"),
        ("discounts", {"by": "store"}, "discounts"),
        ("contribution", {"by": "tier"}, "net"),
        ("rfm_grid", {}, "net"),
        ("pareto", {}, "net"),
    ],
)
async def test_sums_do_not_wrap_around(
    tmp_path: Path, report: str, by: dict[str, object], column: str
) -> None:
    """Of the largest amounts of 64 bits they are told in full; what could not be converted is left out."""
    most = 2**63 - 1
    sold = [
        ExchangeRateSet(currency="KWD", base_currency="USD", rate="1000000", **stamp()),
        order("ann", most, currency="KWD"),
        *(replace(order(who, most), discount_minor=most) for who in ("bob", "eve", "kim")),
    ]
    found = await told(await history_of(tmp_path, sold), report, **by)
    sums = [value for value in found.table[column].to_pylist() if value]
    assert (max(sums) if report == "pareto" else sum(sums)) == Decimal(3 * most).scaleb(-2)


LARGEST = 2**63 - 1


def large(who: str, at: int = NOON, **more: Any) -> OrderPlaced:
    known = {"order_id": str(uuid.uuid4()), "amount_minor": LARGEST, "currency": "USD"}
    return OrderPlaced(customer_id=who, **known, **stamp(at), **more)


async def test_a_forecast_does_not_wrap_around(tmp_path: Path) -> None:
    """Each day has the largest amount of 64 bits three times."""
    sold = [large(who, NOON + day * DAY) for day in range(40) for who in ("ann", "bob", "eve")]
    found = await answer(await history_of(tmp_path, sold), "sales_forecast", horizon=1, as_of=AFTER)
    net = [float(value) for value in found["net"] if value is not None]
    assert net == pytest.approx([3 * LARGEST / 100] * 40)
    assert float(found["forecast"].iloc[-1]) == pytest.approx(3 * LARGEST / 100)


async def test_clusters_do_not_wrap_around(tmp_path: Path) -> None:
    """Of who bought thrice for the largest amount, and who bought once, each revenue is told in full."""
    sold = [*(large("ann", NOON + day * DAY) for day in range(3)), large("bob"), order("eve")]
    found = await answer(await history_of(tmp_path, sold), "clusters", clusters=2)
    assert sum(found["revenue"]) == Decimal(4 * LARGEST + 1000).scaleb(-2)
    assert sum(found["revenue_share"]) == pytest.approx(1)


async def test_what_most_was_paid_for_does_not_wrap_around(tmp_path: Path) -> None:
    """Two of the dearest are more than one of the cheap."""
    lines = (
        OrderLine(sku="dear", quantity=2, unit_price_minor=LARGEST),
        OrderLine(sku="cheap", quantity=1, unit_price_minor=1),
    )
    then = (OrderLine(sku="next", quantity=1, unit_price_minor=1),)
    sold = [large("ann", lines=lines), large("ann", NOON + DAY, lines=then)]
    found = await answer(await history_of(tmp_path, sold), "sequences", level="product")
    assert found["sequence"].tolist() == ["dear → next"]


@pytest.mark.parametrize(
    ("more", "refunds"),
    [
        ({"lines": (OrderLine(sku="a", quantity=4, unit_price_minor=2**62),)}, 0),
        ({"lines": (OrderLine(sku="a", quantity=1, unit_price_minor=LARGEST),) * 2}, 0),
        ({"tax_minor": LARGEST, "shipping_minor": LARGEST}, 0),
        ({}, 2),
    ],
)
async def test_consistency_does_not_wrap_around(tmp_path: Path, more: dict[str, Any], refunds: int) -> None:
    """Lines, tax or refunds of more than the largest amount contradict it."""
    sold = large("ann", **more)
    back = [
        OrderRefunded(
            customer_id="ann", order_id=sold.order_id, amount_minor=LARGEST, currency="USD", **stamp()
        )
        for _ in range(refunds)
    ]
    found = await answer(await history_of(tmp_path, [large("bob"), sold, *back]), "data_quality")
    assert found["consistency"].tolist() == [0.5]


SUM, MEAN, SHARE = ({"measure": measure} for measure in ("sum", "mean", "share"))


@pytest.mark.parametrize("field", ["base_minor", "amount_minor"])
@pytest.mark.parametrize("pivot", [False, True])
async def test_own_reports_do_not_wrap_around(tmp_path: Path, field: str, pivot: bool) -> None:
    """Sums, means and shares of the largest amounts, by day and customer, also where one has no row."""
    sold = [large("ann"), *(large("bob", NOON + day * DAY) for day in (0, 0, 0, 1))]
    history = await history_of(tmp_path, sold)
    form: dict[str, Any] = {
        "from": "orders",
        "measures": [{**each, "field": field, "name": each["measure"]} for each in (SUM, MEAN, SHARE)],
        "dimensions": [{"field": "placed_at", "grain": "day", "name": "day"}, {"field": "customer_id"}],
        "filters": [{"field": "currency", "value": "USD"}],
        "order": ["day"],
    }
    if pivot:
        form |= {"pivot": {"dimension": "customer_id"}}
    found = await own_answer(history, form)
    scale = -2 if field == "base_minor" else 0
    full = [Decimal(times * LARGEST).scaleb(scale) for times in (0, 1, 3)]
    if pivot:
        assert found["ann: sum"].map(Decimal).tolist() == [full[1], full[0]]
        assert found["bob: sum"].map(Decimal).tolist() == [full[2], full[1]]
        assert found["bob: share"].tolist() == pytest.approx([0.6, 0.2])
        return
    assert found["sum"].map(Decimal).tolist() == [full[1], full[2], full[1]]
    assert found["mean"].astype(float).tolist() == pytest.approx([float(full[1])] * 3)
    assert found["share"].tolist() == pytest.approx([0.2, 0.6, 0.2])


async def test_an_own_sum_beside_the_one_before_does_not_wrap_around(tmp_path: Path) -> None:
    """Nor does the share by which it rose."""
    history = await history_of(tmp_path, [large("ann", NOON - DAY), *(large("bob") for _ in range(3))])
    form = {
        "from": "orders",
        "measures": [{"measure": "sum", "field": "amount_minor", "name": "sum"}],
        "filters": [{"field": "currency", "value": "USD"}],
        "period": {"field": "placed_at", "from": "2023-11-14", "to": "2023-11-14"},
        "compare": "previous_period",
        "timezone": "UTC",
    }
    ((now, before, change),) = (await own_answer(history, form)).values.tolist()
    assert (now, before, change) == (3 * LARGEST, LARGEST, 2)


async def test_an_own_sum_of_amounts_is_a_number_where_64_bits_hold_it(tmp_path: Path) -> None:
    """In JSON too; beyond them it is a decimal."""
    history = await history_of(tmp_path, [order("ann", 7), order("bob", -3)])
    form = {
        "from": "orders",
        "measures": [{"measure": "sum", "field": "amount_minor"}],
        "filters": [{"field": "currency", "value": "USD"}],
    }
    assert str((await own_told(history, form)).table.schema.types[0]) == "int64"
    assert (await own_answer(history, form)).values.tolist() == [[4]]
