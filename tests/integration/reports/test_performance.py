"""Are revenue, growth, average order and discounts what pandas makes of the same events?"""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli.sample import cdnow
from schemas.events import OwnerAssigned
from tests import cdnow as expected_cdnow
from tests.integration.reports import shop
from tests.integration.reports.shop import known, made_up, orders, same
from tests.reporting import answer, history_of, told

MOMENTS = [
    ("2025-06-21T00:00:00Z", "UTC"),
    ("2024-11-03T07:30:00Z", "America/Los_Angeles"),
    ("2024-02-29T15:00:00Z", "Asia/Tokyo"),
]
FREQUENCIES = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


def today(as_of: str, timezone: str) -> pd.Timestamp:
    return pd.Timestamp(as_of).tz_convert(timezone).tz_localize(None)


def spine(frame: pd.DataFrame, as_of: str, timezone: str, frequency: str) -> pd.PeriodIndex:
    first = frame["at"].min().to_period(frequency)
    return pd.period_range(first, today(as_of, timezone).to_period(frequency), freq=frequency)


def ratio(now: float, before: float | None) -> float:
    return np.nan if before is None or before != before or before == 0 else (now - before) / abs(before)


@pytest.mark.parametrize("grain", FREQUENCIES)
@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_growth(tmp_path: Path, as_of: str, timezone: str, grain: str) -> None:
    """Each period against the one before and a year before, in the time zone asked for."""
    events = made_up()
    history = await history_of(tmp_path, events)
    found = await answer(history, "growth", as_of=as_of, timezone=timezone, grain=grain, periods=1000)
    frame = orders(events, as_of, timezone)
    frequency = FREQUENCIES[grain]
    periods = spine(frame, as_of, timezone, frequency)
    each = frame.groupby(frame["at"].dt.to_period(frequency))
    count = each.size().reindex(periods, fill_value=0)
    net = each["net"].sum(min_count=1).where(count.reindex(each.size().index) > 0).reindex(periods)
    net = net.where(count > 0, 0)
    unconverted = each["net"].apply(lambda nets: nets.isna().sum()).reindex(periods, fill_value=0)
    rows = []
    for number, period in enumerate(periods):
        if period == periods[-1]:
            rows.append((period.start_time.date(), *[np.nan] * 7))
            continue
        before = periods[number - 1] if number else None
        start = period.start_time
        ago = start - pd.Timedelta(weeks=52) if grain == "week" else start - pd.DateOffset(years=1)
        year = ago.to_period(frequency)
        year = year if year in count.index else None
        rows.append(
            (
                start.date(),
                *(count[period], net[period], unconverted[period]),
                *(ratio(count[period], before and count[before]), ratio(net[period], before and net[before])),
                *(ratio(count[period], year and count[year]), ratio(net[period], year and net[year])),
            )
        )
    same(found, pd.DataFrame(rows, columns=found.columns)[-1000:])


async def test_growth_of_cdnow(tmp_path: Path) -> None:
    """The whole sample by month, the last one unfinished; only as many periods as were asked for."""
    history = await history_of(tmp_path, cdnow.events(0, shift_days=0, received_at=0))
    found = await answer(history, "growth", as_of="1998-06-30T12:00:00Z", periods=6)
    frame = expected_cdnow.orders()
    months = frame.groupby(frame["date"].dt.to_period("M"))["amount_minor"].agg(["size", "sum"])
    assert list(found["period"]) == [date(1998, month, 1) for month in range(1, 7)]
    assert list(found["orders"][:5]) == list(months["size"][-6:-1])
    assert [shop.plain(net) for net in found["net"]] == [*months["sum"][-6:-1], None]
    year_before = [months["size"].iloc[-6 + n] / months["size"].iloc[-18 + n] - 1 for n in range(5)]
    assert list(found["orders_growth_year"][:5]) == pytest.approx(year_before)


def ranked(sums: pd.DataFrame, top: int, by: str) -> pd.DataFrame:
    """Those that brought most, then the sum of the others."""
    sums = sums.reset_index(names="label").sort_values(["value", "label"], ascending=[False, True])
    best, others = sums[:top].copy(), sums[top:]
    best.insert(0, "place", range(1, len(best) + 1))
    if len(others):
        row = {"place": None, "label": "others"} | {c: others[c].sum() for c in ("orders", "units", "value")}
        best = pd.concat([best, pd.DataFrame([row])], ignore_index=True)
    best["net"] = np.nan if by in {"product", "category"} else best["value"]
    best["share"] = best["value"] / best["value"].sum()
    return best[["place", "label", "orders", "units", "value", "net", "share"]]


@pytest.mark.parametrize("by", ["product", "category", "channel", "store", "owner"])
@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_revenue(tmp_path: Path, as_of: str, timezone: str, by: str) -> None:
    """The best two and the others, of local days since one and up to another."""
    events = made_up()
    history = await history_of(tmp_path, events)
    since, until = "2023-05-04", "2025-03-01"
    asked = {"by": by, "top": 2, "since": since, "until": until}
    found = await answer(history, "revenue", as_of=as_of, timezone=timezone, **asked)
    frame = orders(events, as_of, timezone)
    frame = frame[(frame["at"] >= since) & (frame["at"] < pd.Timestamp(until) + pd.Timedelta(days=1))]
    if by in {"product", "category"}:
        lines = shop.lines(events, as_of)
        lines = lines[lines["order"].isin(frame["order"])]
        each = lines.groupby(lines["sku" if by == "product" else "category"].fillna("unknown"))
        sums = each.agg(orders=("order", "nunique"), units=("units", "sum"), value=("value", "sum"))
    else:
        if by == "owner":
            owned = [e for e in known(events, as_of) if isinstance(e, OwnerAssigned)]
            owners = {e.customer_id: e.owner_id for e in sorted(owned, key=lambda e: e.occurred_at)}
            frame["owner"] = frame["customer"].map(owners)
        each = frame.groupby(frame[by].fillna("unknown"))
        sums = each.agg(orders=("order", "size"), units=("units", "sum"), value=("net", "sum"))
    same(found, ranked(sums, 2, by))


async def test_revenue_says_which_currency_is_left_out(tmp_path: Path) -> None:
    """An amount without a rate adds nothing, and the note names its currency."""
    history = await history_of(tmp_path, made_up())
    whole = await told(history, "revenue", as_of="2025-06-21T00:00:00Z", by="channel")
    assert whole.note is not None
    assert "GBP" in whole.note


@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_average_order(tmp_path: Path, as_of: str, timezone: str) -> None:
    """Mean, median and ninetieth percentile (NumPy's linear) by local month, and units an order."""
    events = made_up()
    history = await history_of(tmp_path, events)
    found = await answer(history, "average_order", as_of=as_of, timezone=timezone, months=600)
    frame = orders(events, as_of, timezone)
    frame["month"] = frame["at"].dt.to_period("M")
    converted, lined = frame.dropna(subset="net"), frame[frame["lines"] > 0]
    rows = []
    for month in spine(frame, as_of, timezone, "M")[:-1]:
        nets = converted.loc[converted["month"] == month, "net"]
        told_lines = lined.loc[lined["month"] == month, "units"]
        middle = [nets.mean(), *np.quantile(nets, [0.5, 0.9])] if len(nets) else [np.nan] * 3
        items = told_lines.sum() / len(told_lines) if len(told_lines) else np.nan
        rows.append((month.start_time.date(), len(nets), *np.rint(middle), items))
    rows.append((today(as_of, timezone).to_period("M").start_time.date(), *[np.nan] * 5))
    same(found, pd.DataFrame(rows, columns=found.columns))


@pytest.mark.parametrize("by", ["month", "store"])
@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_discounts(tmp_path: Path, as_of: str, timezone: str, by: str) -> None:
    """How many orders, how much of them, and what an order is worth with and without; the rest as one row."""
    events = made_up()
    history = await history_of(tmp_path, events)
    top = 5 if by == "month" else 2
    found = await answer(history, "discounts", as_of=as_of, timezone=timezone, by=by, top=top)
    frame = orders(events, as_of, timezone).dropna(subset="net")
    running = f"{today(as_of, timezone):%Y-%m}"
    frame["label"] = frame["at"].dt.strftime("%Y-%m") if by == "month" else frame["store"].fillna("unknown")
    sizes = frame["label"].value_counts()
    names = sorted(sizes.index, reverse=True)
    if by == "store":
        names = sorted(sizes.index, key=lambda name: (-sizes[name], name))
    groups = [([name], name) for name in names[:top]] + [(names[top:], "others")] * (len(names) > top)
    rows = []
    for members, label in groups:
        part = frame[frame["label"].isin(members)]
        if label == running:
            rows.append((label, *[np.nan] * 7))
            continue
        with_discount = part[part["discount"] > 0]
        without = part[~(part["discount"] > 0)]
        given, net = part["discount"].sum(), part["net"].sum()
        rows.append(
            (
                *(label, len(part), len(with_discount), len(with_discount) / len(part), given),
                *(
                    given / (net + given),
                    np.rint(with_discount["net"].mean()),
                    np.rint(without["net"].mean()),
                ),
            )
        )
    rows.sort(key=lambda row: row[0] if by == "month" else (-row[1], row[0]))
    same(found, pd.DataFrame(rows, columns=found.columns))
