"""Are the numbers of own reports over CDNOW what pandas makes of its file?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from schemas.events import BaseCurrencySet, Event, OrderPlaced
from tests import cdnow
from tests.headwater import ROOT
from tests.own import answer, money, rows, stamp
from tests.reporting import history_of


def cdnow_events() -> Iterator[Event]:
    yield BaseCurrencySet(currency="USD", **stamp())
    for number, row in enumerate(cdnow.orders().itertuples()):
        known = {"order_id": str(number), "amount_minor": row.amount_minor, "currency": "USD"}
        yield OrderPlaced(customer_id=row.customer, **known, **stamp(row.date.tz_localize("UTC")))


async def test_cdnow_by_quarter_and_by_day_beside_the_quarter_before(tmp_path: Path) -> None:
    """Of 69,659 orders: revenue, buyers, mean and median a quarter; the best days; a compared quarter."""
    history = await history_of(tmp_path, cdnow_events())
    frame = cdnow.orders()
    asked = {
        "from": "orders",
        "timezone": "UTC",
        "measures": [
            {"measure": "count", "name": "orders"},
            {"measure": "count_distinct", "field": "customer_id", "name": "buyers"},
            {"measure": "sum", "field": "base_minor", "name": "revenue"},
            {"measure": "mean", "field": "base_minor", "name": "mean"},
            {"measure": "median", "field": "base_minor", "name": "median"},
        ],
    }
    found = await answer(history, asked | {"dimensions": [{"field": "placed_at", "grain": "quarter"}]})
    groups = frame.groupby(frame["date"].dt.to_period("Q").dt.start_time)
    table = pd.DataFrame(
        [
            (
                day,
                len(g),
                g["customer"].nunique(),
                *map(money, (g["amount_minor"].sum(), g["amount_minor"].mean(), g["amount_minor"].median())),
            )
            for day, g in groups
        ]
    )
    assert rows(found) == rows(table)
    days = await answer(
        history,
        asked
        | {
            "dimensions": [{"field": "placed_at", "grain": "day", "name": "day"}],
            "order": ["-orders"],
            "limit": 5,
        },
    )
    assert days["orders"].tolist() == frame["date"].value_counts().head(5).tolist()
    compared = await answer(
        history,
        asked
        | {
            "period": {"field": "placed_at", "from": "1997-04-01", "to": "1997-06-30"},
            "compare": "previous_period",
        },
    )
    first, second = (
        frame[frame["date"].between(*each)]
        for each in (("1997-01-01", "1997-03-31"), ("1997-04-01", "1997-06-30"))
    )
    assert compared[["revenue", "revenue_before"]].values.tolist() == [
        [money(second["amount_minor"].sum()), money(first["amount_minor"].sum())]
    ]
    assert compared["buyers_change"].iloc[0] == pytest.approx(
        second["customer"].nunique() / first["customer"].nunique() - 1
    )


EXAMPLES = re.findall(r"```json\n(.*?)```", (ROOT / "docs/own-reports.md").read_text("utf-8"), re.DOTALL)


async def test_the_examples_of_the_documentation(tmp_path: Path) -> None:
    """Each of docs/own-reports.md answers, with the numbers that pandas finds."""
    history = await history_of(tmp_path, cdnow_events())
    compared, spread, best = [
        await answer(history, json.loads(text) | {"timezone": "UTC"}) for text in EXAMPLES
    ]
    frame = cdnow.orders().assign(month=lambda f: f["date"].dt.to_period("M").dt.start_time)
    by_month = frame.groupby("month").agg(net=("amount_minor", "sum"), buyers=("customer", "nunique"))
    now, before = by_month.loc["1998-01":"1998-06"], by_month.loc["1997-01":"1997-06"]  # type: ignore[misc]
    assert compared["revenue"].tolist() == [money(net) for net in now["net"]]
    assert compared["revenue_before"].tolist() == [money(net) for net in before["net"]]
    assert compared["buyers_change"].tolist() == pytest.approx(
        (now["buyers"].to_numpy() / before["buyers"].to_numpy() - 1).tolist()
    )
    counts = pd.cut(
        frame.groupby("customer").size(), [1, 2, 5, 10, np.inf], right=False, labels=[1, 2, 5, 10]
    )
    assert dict(spread.values) == counts.value_counts().to_dict()
    quarter = frame[frame["date"].between("1997-04-01", "1997-06-30")]
    spent = quarter.groupby("customer")["amount_minor"].sum().sort_values(ascending=False)
    others = quarter[~quarter["customer"].isin(spent.index[:10])]["amount_minor"]
    assert best["revenue"].tolist() == [*map(money, spent[:10]), money(others.sum())]
    assert best["share"].sum() == pytest.approx(1)
    assert best["median order"].iloc[-1] == money(others.median())
    assert best["customer"].iloc[-1] == "others"
