"""Who is in which RFM cell, and who moved: is it what pandas says of CDNOW's orders?"""

import asyncio
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from cli import sample
from cli.sample import Dataset
from history.store import History
from schemas.events import Event, LifecycleChanged
from tests import recomputed
from tests.integration.reports.shop import bought
from tests.recomputed import DAY_MS
from tests.reporting import answer, history_of, told

END, MIDDLE = "1998-06-30T00:00:00Z", "1997-09-01T15:00:00Z"


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(sample.events(Dataset.cdnow, 0, shift_days=0, received_at=0))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> History:
    return asyncio.run(history_of(tmp_path_factory.mktemp("cdnow"), events))


def scored(events: list[Event], as_of: str) -> pd.DataFrame:
    """Each customer with an order: orders, net, days, r, f, m by percentiles over all of then."""
    each = (
        recomputed.orders(events, as_of)
        .groupby("customer_id")
        .agg(orders=("order_id", "size"), net=("net", "sum"), last=("at", "max"))
    )
    moment = pd.Timestamp(as_of).value // 1_000_000
    each["days"] = (moment - each["last"]) // DAY_MS

    def score(column: str) -> np.ndarray:
        values = each[column].to_numpy(int)
        bounds = np.percentile(values, [20, 40, 60, 80], method="inverted_cdf")
        return (values[:, None] > bounds).sum(axis=1)

    return each.assign(r=5 - score("days"), f=1 + score("orders"), m=1 + score("net"))


@pytest.mark.parametrize("as_of", [END, MIDDLE])
async def test_the_grid_has_every_cell(history: History, events: list[Event], as_of: str) -> None:
    """25 cells, the best first, with customers, orders, net and mean days of each."""
    each = scored(events, as_of)
    found = await answer(history, "rfm_grid", as_of=as_of)
    assert list(zip(found["r"], found["f"], strict=True)) == [
        (r, f) for r in range(5, 0, -1) for f in range(5, 0, -1)
    ]
    for row, net in zip(found.itertuples(), recomputed.minor(found["net"]), strict=True):
        cell = each[(each["r"] == row.r) & (each["f"] == row.f)]
        assert (row.customers, row.orders) == (len(cell), cell["orders"].sum())
        assert row.share == len(cell) / len(each)
        assert net == (cell["net"].sum() if len(cell) else None)
        if len(cell):
            assert row.net_share == pytest.approx(cell["net"].sum() / each["net"].sum(), rel=1e-12)
            assert row.recency_days == pytest.approx(cell["days"].mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("of", "timezone"),
    [("total", "America/New_York"), ("cell", "Pacific/Auckland"), ("m", "UTC"), ("r", "UTC")],
)
async def test_movement_counts_ways_between_two_days(
    history: History, events: list[Event], of: str, timezone: str
) -> None:
    """The earlier day begins where the business is, and its scores are by the boundaries of then."""
    begins = pd.Timestamp("1997-09-02", tz=ZoneInfo(timezone)).tz_convert("UTC")
    then, now = scored(events, begins.isoformat()), scored(events, END)

    def place(each: pd.DataFrame) -> pd.Series:
        total = each["r"] + each["f"] + each["m"]
        bands = pd.cut(total, [2, 3, 6, 9, 12, 15], labels=["3", "4-6", "7-9", "10-12", "13-15"]).astype(str)
        cell = each["r"].astype(str) + "×" + each["f"].astype(str)
        return {"total": bands, "cell": cell}[of] if of in {"total", "cell"} else each[of].astype(str)

    both = pd.DataFrame({"after": place(now)}).join(place(then).rename("before")).fillna("none")
    both["net"] = now["net"].sub(then["net"], fill_value=0)
    expected = (
        both.groupby(["before", "after"]).agg(customers=("net", "size"), net=("net", "sum")).reset_index()
    )
    expected["share"] = expected["customers"] / expected.groupby("before")["customers"].transform("sum")
    found = await answer(history, "rfm_movement", as_of=END, timezone=timezone, of=of, since="1997-09-02")
    found["net"] = recomputed.minor(found["net"])
    key = ["before", "after"]
    pd.testing.assert_frame_equal(
        found.sort_values(key).reset_index(drop=True),
        expected.sort_values(key)[list(found)].reset_index(drop=True),
        check_dtype=False,
    )


async def test_movement_since_a_later_day_says_so(history: History) -> None:
    """There is nothing between a day and one before it."""
    found = await told(history, "rfm_movement", as_of=MIDDLE, since="1998-01-01")
    assert (found.table.num_rows, found.note) == (
        0,
        "1998-01-01 is after 1997-09-01: ask since an earlier day.",
    )


async def test_who_has_only_orders_that_cannot_be_converted_moves_too(tmp_path: Path) -> None:
    """Recency and frequency are known of them, as in the grid; m, and with it the total, is not."""
    history = await history_of(
        tmp_path,
        [bought("ann", "2025-03-01", 900), bought("bob", "2025-03-01", 900, currency="GBP")],
    )
    grid = await answer(history, "rfm_grid")
    assert grid["customers"].sum() == 2
    for of, expected in (
        ("total", ["7-9", "unknown"]),
        ("m", ["1", "unknown"]),
        ("r", ["5"]),
        ("cell", ["5×1"]),
    ):
        found = await answer(history, "rfm_movement", of=of, since="2025-01-01")
        assert found["before"].unique().tolist() == ["none"]
        assert (found["after"].tolist(), found["customers"].sum()) == (expected, 2), of


def changed(customer: str, stage: str, day: int, offset: int) -> Event:
    at = pd.Timestamp("2025-01-01", tz="UTC").value // 1_000_000 + day * DAY_MS
    known = {"reason": "", "rules_version": "1", "late": False, "cause_topic": "t", "cause_partition": 0}
    return LifecycleChanged(
        event_id=str(uuid4()), customer_id=customer, occurred_at=at, received_at=at, from_stage=None,
        to_stage=stage, cause_offset=offset, **known,
    )  # fmt: skip


async def test_stages_move_as_they_were_announced(tmp_path: Path) -> None:
    """Who had none then comes from none; the latest one announced counts."""
    story = [
        *(changed("ann", "new", 0, 0), changed("ann", "active", 10, 1), changed("bob", "new", 5, 2)),
        *(changed("ann", "at_risk", 150, 3), changed("eve", "prospect", 200, 4)),
    ]
    history = await history_of(tmp_path, story)
    found = await answer(
        history, "rfm_movement", of="stage", since="2025-02-01", as_of="2025-12-31T00:00:00Z"
    )
    assert found[["before", "after", "customers", "share"]].values.tolist() == [
        ["new", "new", 1, 1.0],
        ["none", "prospect", 1, 1.0],
        ["active", "at_risk", 1, 1.0],
    ]
