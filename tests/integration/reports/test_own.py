"""Are the numbers of own reports what pandas makes of the same events?"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from history.client import REPORTS, connect
from history.lane import Lane
from history.sql import QueryStopped
from history.store import History
from schemas.events import CustomerRegistered
from tests.own import AS_OF, ZONE, answer, money, plain, rows, shoppers, stamp, told
from tests.reporting import history_of

EVENTS, ORDERS, RATED = shoppers()
LOSSES = [
    CustomerRegistered(
        customer_id=f"loss-{month}",
        traits={"profit": profit, "tip_base_minor": "2.5"},
        **stamp(datetime(2023, month, 1, tzinfo=UTC)),
    )
    for month, profit in ((1, "-400"), (2, "200"))
]
KEPT = {"field": "cancelled", "value": False}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The shoppers' history, and two customers who order nothing, with numbers for traits."""
    return asyncio.run(history_of(tmp_path_factory.mktemp("own"), [*EVENTS, *LOSSES]))


def median(base: pd.Series) -> Any:
    return money(np.median(base.dropna().astype(float))) if base.notna().any() else None


def part(of: Any, whole: Any) -> Any:
    return None if pd.isna(of) else float(of / whole)


def added(base: pd.Series) -> Any:
    return money(base.sum(min_count=1))


MEASURES: dict[str, tuple[dict[str, Any], Callable[[pd.DataFrame], Any]]] = {
    "rows": ({"measure": "count"}, len),
    "with store": ({"measure": "count", "field": "store"}, lambda f: f["store"].notna().sum()),
    "buyers": ({"measure": "count_distinct", "field": "customer_id"}, lambda f: f["customer"].nunique()),
    "revenue": ({"measure": "sum", "field": "base_minor"}, lambda f: added(f["base"])),
    "mean": ({"measure": "mean", "field": "base_minor"}, lambda f: money(f["base"].mean())),
    "least": ({"measure": "min", "field": "base_minor"}, lambda f: money(f["base"].min())),
    "most": ({"measure": "max", "field": "base_minor"}, lambda f: money(f["base"].max())),
    "middle": ({"measure": "median", "field": "base_minor"}, lambda f: median(f["base"])),
    "cancelled": ({"measure": "mean", "field": "cancelled"}, lambda f: f["cancelled"].mean()),
    "share": ({"measure": "share"}, lambda f: len(f) / f["all"].iloc[0]),
    "part": (
        {"measure": "share", "field": "base_minor"},
        lambda f: part(f["base"].sum(min_count=1), f["all_base"].iloc[0]),
    ),
}
DIMENSIONS: dict[str, tuple[dict[str, Any], Callable[[pd.DataFrame], pd.Series]]] = {
    "day": ({"field": "placed_at", "grain": "day"}, lambda f: f["day"]),
    "week": ({"field": "placed_at", "grain": "week"}, lambda f: f["day"].dt.to_period("W").dt.start_time),
    "month": ({"field": "placed_at", "grain": "month"}, lambda f: f["day"].dt.to_period("M").dt.start_time),
    "quarter": (
        {"field": "placed_at", "grain": "quarter"},
        lambda f: f["day"].dt.to_period("Q").dt.start_time,
    ),
    "year": ({"field": "placed_at", "grain": "year"}, lambda f: f["day"].dt.to_period("Y").dt.start_time),
    "store": ({"field": "store"}, lambda f: f["store"]),
    "city": ({"field": "customers.traits.city"}, lambda f: f["city"]),
    "bin": ({"field": "amount_minor", "bins": 2500}, lambda f: f["amount"] // 2500 * 2500.0),
    "edges": (
        {"field": "amount_minor", "bins": [0, 100, 5000, 12000]},
        lambda f: pd.cut(
            f["amount"], [0, 100, 5000, 12000, np.inf], right=False, labels=[0.0, 100.0, 5000.0, 12000.0]
        ).astype(float),
    ),
}
FILTERS: dict[str, tuple[list[dict[str, Any]], Callable[[pd.DataFrame], pd.Series]]] = {
    "none": ([], lambda f: f["amount"] > 0),
    "not cancelled": ([KEPT], lambda f: ~f["cancelled"]),
    "=": ([{"field": "store", "value": "North"}], lambda f: f["store"] == "North"),
    "!=": ([{"field": "store", "op": "!=", "value": "North"}], lambda f: f["store"] != "North"),
    "in": (
        [{"field": "store", "op": "in", "values": ["East", "West"]}],
        lambda f: f["store"].isin(["East", "West"]),
    ),
    "not_in": (
        [{"field": "customers.traits.city", "op": "not_in", "values": ["東京", "🍎"]}],
        lambda f: ~f["city"].isin(["東京", "🍎"]),
    ),
    "<": ([{"field": "amount_minor", "op": "<", "value": 9_000.5}], lambda f: f["amount"] < 9_000.5),
    "<=": ([{"field": "placed_at", "op": "<=", "value": "2024-03-31"}], lambda f: f["day"] <= "2024-03-31"),
    ">": (
        [{"field": "placed_at", "op": ">", "value": "2024-03-31T15:00:00+01:00"}],
        lambda f: f["at"] > pd.Timestamp("2024-03-31T14:00:00Z"),
    ),
    ">=": (
        [{"field": "base_minor", "op": ">=", "value": 1_000}],
        lambda f: (f["base"] >= 1_000).fillna(False),
    ),
    "between": (
        [{"field": "placed_at", "op": "between", "values": ["2024-01-01", "2024-06-30"]}],
        lambda f: f["day"].between("2024-01-01", "2024-06-30"),
    ),
    "contains": (
        [{"field": "store", "op": "contains", "value": "out"}],
        lambda f: f["store"].str.contains("out", na=False),
    ),
    "starts_with": (
        [{"field": "customers.traits.city", "op": "starts_with", "value": "東"}],
        lambda f: f["city"].str.startswith("東", na=False),
    ),
    "is_null": ([{"field": "customers.traits.city", "op": "is_null"}], lambda f: f["city"].isna()),
    "not_null": ([{"field": "base_minor", "op": "not_null"}], lambda f: f["base"].notna()),
    "a list has": (
        [{"field": "customers.segments", "op": "contains", "value": "vip"}],
        lambda f: f["segments"].map(lambda each: "vip" in each),
    ),
    "both": (
        [KEPT, {"field": "channel", "value": "web"}],
        lambda f: ~f["cancelled"] & (f["channel"] == "web"),
    ),
}


def expected(frame: pd.DataFrame, by: list[str], measures: list[str]) -> pd.DataFrame:
    """The groups of the dimensions, and of each the measures."""
    frame = frame.assign(all=len(frame), all_base=frame["base"].sum())
    frame = frame.assign(**{f"by {name}": DIMENSIONS[name][1](frame) for name in by})
    groups = frame.groupby([f"by {name}" for name in by], dropna=False) if by else [((), frame)]
    return pd.DataFrame(
        [[*key, *(MEASURES[name][1](group) for name in measures)] for key, group in groups],
        columns=[*by, *measures],
        dtype=object,
    )


def form(by: list[str], measures: list[str], filters: str = "none", **more: Any) -> dict[str, Any]:
    return {
        "from": "orders",
        "dimensions": [{**DIMENSIONS[name][0], "name": name} for name in by],
        "measures": [{**MEASURES[name][0], "name": name} for name in measures],
        "filters": FILTERS[filters][0],
        **more,
    }


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("by", [[], ["month"], ["store"], ["city"]], ids=str)
async def test_every_filter_lets_through_what_pandas_does(
    history: History, by: list[str], filters: str
) -> None:
    """Counts and sums of what each operator lets through, by nothing, time, a field and a trait."""
    asked = form(by, ["rows", "revenue", "buyers"], filters)
    kept = ORDERS[FILTERS[filters][1](ORDERS)]
    assert rows(await answer(history, asked)) == rows(expected(kept, by, ["rows", "revenue", "buyers"]))


@pytest.mark.parametrize(
    "by", [*([name] for name in DIMENSIONS), ["store", "month"], ["city", "year"]], ids=str
)
async def test_every_measure_by_every_dimension(history: History, by: list[str]) -> None:
    """All measures at once, by each grain in Tokyo's days, by bins and by fields, also of who ordered."""
    found = await answer(history, form(by, [*MEASURES]))
    assert rows(found) == rows(expected(ORDERS, by, [*MEASURES]))


COMPARED = [
    ("2024-04-01", "2024-06-30", "previous_period", "2024-01-01", "2024-03-31"),
    ("2024-03-01", "2024-03-31", "previous_period", "2024-02-01", "2024-02-29"),
    ("2024-05-03", "2024-05-30", "previous_period", "2024-04-05", "2024-05-02"),
    ("2024-11-01", "2025-02-28", "previous_year", "2023-11-01", "2024-02-29"),
    ("2025-01-15", "2025-04-10", "previous_year", "2024-01-15", "2024-04-10"),
]


@pytest.mark.parametrize(("first", "last", "how", "before", "until"), COMPARED)
async def test_a_period_beside_the_one_before(
    history: History, first: str, last: str, how: str, before: str, until: str
) -> None:
    """Each group has both periods and the change; whole months are compared with whole months."""
    asked = form(["store"], ["rows", "revenue", "buyers", "middle"], compare=how)
    found = await answer(history, asked | {"period": {"field": "placed_at", "from": first, "to": last}})
    now = expected(
        ORDERS[ORDERS["day"].between(first, last)], ["store"], ["rows", "revenue", "buyers", "middle"]
    )
    then = expected(
        ORDERS[ORDERS["day"].between(before, until)], ["store"], ["rows", "revenue", "buyers", "middle"]
    )
    both = now.merge(then, on="store", how="outer", suffixes=("", "_before"))
    for name in ("rows", "rows_before", "buyers", "buyers_before"):
        both[name] = both[name].fillna(0)
    for name in ("revenue", "revenue_before"):  # nothing sold is 0; only in unconverted currencies is unknown
        count = both["rows" if name == "revenue" else "rows_before"]
        both[name] = both[name].where(count > 0, Decimal(0))
    for name in ("rows", "revenue", "buyers", "middle"):
        both[f"{name}_change"] = [
            None if not plain(b) or plain(a) is None else float((a - b) / abs(b))
            for a, b in zip(both[name], both[f"{name}_before"], strict=True)
        ]
    assert rows(found) == rows(both[found.columns])


async def test_what_rises_from_a_loss_has_a_change_above_0(history: History) -> None:
    """From -400 to 200 is up by 1.5 of the loss."""
    asked = {
        "from": "customers",
        "measures": [{"measure": "sum", "field": "traits.profit", "name": "profit"}],
        "period": {"field": "first_seen_at", "from": "2023-02-01", "to": "2023-02-28"},
        "compare": "previous_period",
    }
    assert rows(await answer(history, asked)) == [(200.0, -400.0, 1.5)]


async def test_a_named_value_is_a_number_whatever_it_is_called(history: History) -> None:
    """A trait called like money in the base currency is answered, with its fraction."""
    measure = {"measure": "sum", "field": "traits.tip_base_minor", "name": "tips"}
    found = await told(history, {"from": "customers", "measures": [measure]})
    assert (found.report.columns[0].unit, found.table.to_pylist()) == ("number", [{"tips": 5.0}])


async def test_the_months_of_a_comparison_stand_beside_each_other(history: History) -> None:
    """A month of the period before is told with the month that it is compared with."""
    period = {"field": "placed_at", "from": "2024-04-01", "to": "2024-06-30"}
    found = await answer(history, form(["month"], ["rows"], period=period, compare="previous_period"))
    counts = ORDERS.groupby(ORDERS["day"].dt.strftime("%Y-%m")).size()
    pairs = [("2024-04", "2024-01"), ("2024-05", "2024-02"), ("2024-06", "2024-03")]
    assert [tuple(map(plain, row)) for row in found[["month", "rows", "rows_before"]].values] == [
        (f"{now}-01", counts[now], counts[then]) for now, then in pairs
    ]


@pytest.mark.parametrize(("by", "others"), list(product(["revenue", "buyers"], [True, False])))
async def test_the_others_are_measured_together(history: History, by: str, others: bool) -> None:
    """The first stand alone, and what cannot be added up, such as buyers, is counted over all the others."""
    asked = form(["city", "year"], ["revenue", "buyers"], "not cancelled")
    found = await answer(history, asked | {"top": {"n": 2, "by": by, "others": others}})
    kept = ORDERS[~ORDERS["cancelled"]]
    ranked = expected(kept, ["city"], [by]).sort_values("city", na_position="first")
    top = ranked.sort_values(by, ascending=False, kind="stable")["city"].tolist()[:2]
    if not others:
        kept = kept[kept["city"].isin(top)]
    labelled = kept.assign(city=kept["city"].where(kept["city"].isin(top), "others"))
    assert rows(found) == rows(expected(labelled, ["city", "year"], ["revenue", "buyers"]))
    assert ("others" in set(found["city"])) == others


async def test_a_value_that_is_called_others_is_not_the_others(history: History) -> None:
    """A shop of that name has its own row beside that of the others."""
    found = await answer(history, form(["store"], ["rows"], top={"n": 6}))
    assert found["store"].tolist().count("others") == 1
    counts = ORDERS["store"].value_counts()
    first = await answer(history, form(["store"], ["rows"], top={"n": 1, "by": "rows"}, filters="both"))
    kept = ORDERS[FILTERS["both"][1](ORDERS)]
    largest = kept["store"].value_counts(dropna=False)
    assert first["rows"].tolist() == [largest.iloc[0], len(kept) - largest.iloc[0]]
    assert found.set_index("store")["rows"]["others"] == counts["others"]


async def test_a_pivot_has_a_column_for_each_value(history: History) -> None:
    """A dimension becomes columns: the largest ones, and the others in the last; no rows count 0."""
    asked = form(["month", "store"], ["rows"], pivot={"dimension": "store", "columns": 2})
    found = await answer(history, asked)
    top = ORDERS["store"].value_counts(dropna=False).index[:2].tolist()
    kept = ORDERS.assign(store=ORDERS["store"].where(ORDERS["store"].isin(top), "*").fillna("none"))
    table = pd.crosstab(kept["day"].dt.to_period("M").dt.start_time, kept["store"])
    labels = sorted(name for name in table if name not in ("*", "none"))
    table = table[[*labels, *(["none"] if "none" in table else []), "*"]]
    assert found.columns.tolist()[1:-1] == table.columns.tolist()[:-1]
    assert rows(found) == rows(table.reset_index())


async def test_a_pivot_of_several_measures_names_both(history: History) -> None:
    """Each value has each measure, and a mean of nothing is null rather than 0."""
    asked = form(["city", "year"], ["rows", "mean"], pivot={"dimension": "year"})
    found = await answer(history, asked)
    assert found.columns.tolist()[1:3] == ["2023-01-01: rows", "2023-01-01: mean"]
    year = ORDERS[ORDERS["day"].dt.year == 2024]
    means = {plain(city): money(group["base"].mean()) for city, group in year.groupby("city", dropna=False)}
    assert {
        plain(c): plain(m) for c, m in zip(found["city"], found["2024-01-01: mean"], strict=True)
    } == means


async def test_a_list_counts_once_for_each_of_its_values(history: History) -> None:
    """Who is in two segments is in both rows, and who is in none has a row too."""
    asked = {"from": "customers", "dimensions": [{"field": "segments"}]}
    found = await answer(history, asked)
    each = pd.Series({row.customer: row.segments for row in ORDERS.itertuples()})
    by_segment = await answer(history, {**asked, "filters": [{"field": "orders", "op": ">", "value": 0}]})
    assert found["count"].sum() >= 40
    ordered = ORDERS[~ORDERS["cancelled"]]["customer"].unique()
    exploded = each[ordered].explode().value_counts(dropna=False)
    assert {plain(s): n for s, n in by_segment.values} == {plain(s): n for s, n in exploded.items()}


async def test_named_values_of_a_custom_event_are_numbers_where_they_are(history: History) -> None:
    """A property is text; a measure of it takes those that are numbers, and so does a filter by a number."""
    asked = {
        "from": "CustomEvent",
        "measures": [{"measure": "count", "name": "all"}, {"measure": "mean", "field": "properties.stars"}],
        "dimensions": [{"field": "customers.traits.city"}],
    }
    stars = pd.to_numeric(RATED["stars"], errors="coerce")
    means = (
        RATED.assign(stars=stars).groupby("city", dropna=False)["stars"].agg(["size", "mean"]).reset_index()
    )
    assert rows(await answer(history, asked)) == rows(means)
    above = {"field": "properties.stars", "op": ">", "value": 1}
    found = await answer(history, {"from": "CustomEvent", "filters": [above]})
    assert found["count"].tolist() == [(stars > 1).sum()]


async def test_order_and_limit(history: History) -> None:
    """Columns are ordered by as they are named, with - for falling; a limit cuts after that."""
    asked = form(["store"], ["rows", "revenue"], order=["-store"], limit=2)
    assert (await answer(history, asked))["store"].tolist() == ["others", "West"]
    largest = await answer(history, form(["store"], ["rows"], limit=1))
    assert largest["rows"].tolist() == [ORDERS["store"].value_counts(dropna=False).max()]


@pytest.mark.parametrize("pivot", [None, {"dimension": "year"}], ids=["rows", "pivot"])
async def test_an_answer_says_whether_the_limit_cut_it(
    history: History, pivot: dict[str, Any] | None
) -> None:
    """As many rows as the limit are all there are; one more is left out, and told."""
    asked = form(["store", "year"], ["rows"]) | ({} if pivot is None else {"pivot": pivot})
    whole = await told(history, asked)
    number = whole.table.num_rows
    assert not whole.truncated
    exact = await told(history, {**asked, "limit": number})
    assert (exact.table.num_rows, exact.truncated) == (number, False)
    cut = await told(history, {**asked, "limit": number - 1})
    assert (cut.table.num_rows, cut.truncated) == (number - 1, True)
    assert cut.table.equals(whole.table.slice(0, number - 1))


async def test_as_of_and_the_timezone(history: History) -> None:
    """Only what had happened counts, and a day begins where the report says."""
    asked = form(["day"], ["rows"], as_of="2024-06-01T00:00:00Z", timezone="America/New_York")
    kept = ORDERS[ORDERS["at"] <= "2024-06-01T00:00:00Z"]
    days = kept["at"].dt.tz_convert("America/New_York").dt.date
    found = await answer(history, asked)
    assert dict(found.values) == days.value_counts().to_dict()


async def test_what_is_left_out_is_said(history: History) -> None:
    """Amounts without an exchange rate are named; nothing at all has a note of its own."""
    assert "GBP" in str((await told(history, form([], ["revenue"]))).note)
    nothing = await told(history, form(["store"], ["rows"], as_of="1999-01-01T00:00:00Z"))
    assert str(nothing.note).startswith("No data yet")


async def test_what_is_over_the_bounds_is_stopped_and_the_next_is_answered(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is named with a way to narrow it, and nothing of the stopped query is left in the way."""
    assert len(await answer(history, form(["year"], ["rows"]))) == 3
    url = history._client.uri
    lane = Lane("small", lambda: connect(url, {**REPORTS, "max_result_bytes": 2_000}, "headwater"))
    monkeypatch.setattr(history, "_reports", lane)
    for _ in range(2):
        with pytest.raises(QueryStopped, match="256 MiB of answer: filter, take a shorter period"):
            await answer(history, form(["day", "city"], ["rows"]))
        assert len(await answer(history, form(["year"], ["rows"]))) == 3
    lane.close(lambda: None)


async def test_the_chart_fits_the_columns(history: History) -> None:
    """Time is drawn as lines, all else as bars, a second dimension as series; one number is not drawn."""
    charts = {
        "month": ("line", "month", "rows", None),
        "store": ("bar", "store", "rows", None),
        "store month": ("line", "month", "rows", "store"),
    }
    for by, drawn in charts.items():
        chart = (await told(history, form(by.split(), ["rows"]))).report.chart
        assert chart is not None
        assert (chart.kind, chart.x, chart.y, chart.series) == drawn
    assert (await told(history, form([], ["rows"]))).report.chart is None


def test_the_shoppers_have_what_the_tests_need() -> None:
    """Cancelled, unconverted, and unknown values are there, and the moments that Tokyo's days part."""
    assert ORDERS["cancelled"].any()
    assert ORDERS["base"].isna().any()
    assert ORDERS["store"].isna().any()
    assert (ORDERS["day"] != ORDERS["at"].dt.tz_localize(None).dt.normalize()).any()
    assert (AS_OF, ZONE) == ("2026-01-01T00:00:00Z", "Asia/Tokyo")
