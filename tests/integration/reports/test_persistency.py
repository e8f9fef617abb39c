"""Who stays, and who leaves: are the numbers those that pandas, NumPy and statsmodels find in the events?"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from schemas.events import (
    Event,
    LifecycleChanged,
    OpportunityClosed,
    OpportunityOpened,
    OrderPlaced,
    SurveyAnswered,
    TicketOpened,
)
from tests.integration.reports.small_shop import (
    DAY_MS,
    cdnow_orders,
    frame,
    month,
    null_unless,
    orders,
    same,
    shop,
)
from tests.reporting import answer, history_of, told

NOW, THEN, WITHIN = "2026-01-01T00:00:00Z", "2025-03-31T15:30:00Z", "2025-06-20T00:00:00Z"
CDNOW_END, CDNOW_THEN = "1998-07-01T00:00:00Z", "1997-12-31T11:00:00Z"


def number(day: object) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month - 1  # type: ignore[attr-defined]


def retained(
    events: tuple[Event, ...], as_of: str, timezone: str, months: int
) -> Iterator[dict[str, object]]:
    """Every cell of the triangle, counted one by one."""
    placed = orders(events, as_of)
    placed["month"] = [month(at, timezone) for at in placed["at"]]
    placed["cohort"] = placed.groupby("customer_id")["month"].transform("min")
    now = number(month(pd.Timestamp(as_of), timezone))
    for cohort, group in sorted(placed.groupby("cohort")):
        size = group["customer_id"].nunique()
        later = group["month"].map(number) - number(cohort)
        for k in range(months + 1):
            active = group[later == k]["customer_id"].nunique() if number(cohort) + k < now else None
            share = None if active is None else active / size
            yield {
                "cohort": cohort,
                "months_later": k,
                "customers": size,
                "ordered": active,
                "share": share,
            }


@pytest.mark.parametrize(
    ("as_of", "timezone"),
    [
        (CDNOW_END, "UTC"),
        (CDNOW_END, "America/New_York"),
        (CDNOW_THEN, "UTC"),
        (CDNOW_THEN, "Pacific/Kiritimati"),
    ],
)
async def test_cohorts_of_cdnow_are_retained_as_counted(tmp_path: Path, as_of: str, timezone: str) -> None:
    """A month is over once as_of is in the next one, locally: noon is tomorrow in Kiritimati."""
    history = await history_of(tmp_path, cdnow_orders())
    found = await answer(history, "cohort_retention", as_of=as_of, timezone=timezone, months=18)
    same(found, retained(cdnow_orders(), as_of, timezone, 18))


@pytest.mark.parametrize(("as_of", "timezone"), [(NOW, "UTC"), (THEN, "Asia/Tokyo")])
async def test_cohorts_leave_cancelled_orders_out(tmp_path: Path, as_of: str, timezone: str) -> None:
    """An order that is cancelled by as_of neither begins nor continues a customer's time."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "cohort_retention", as_of=as_of, timezone=timezone, months=3)
    same(found, retained(shop(), as_of, timezone, 3))


async def test_a_cell_is_null_until_its_month_is_over_and_never_zero(tmp_path: Path) -> None:
    """One order on 10 January: January is known on 1 February, and February is zero from 1 March on."""
    one = [event for event in cdnow_orders() if event.occurred_at == 852_897_600_000][:1]  # 1997-01-10
    history = await history_of(tmp_path, one)

    async def shares(as_of: str) -> list[float | None]:
        cells = await answer(history, "cohort_retention", as_of=as_of, months=2)
        return [None if pd.isna(share) else share for share in cells["share"]]

    assert await shares("1997-01-31T23:59:59.999Z") == [None, None, None]
    assert await shares("1997-02-01T00:00:00Z") == [1.0, None, None]
    assert await shares("1997-03-01T00:00:00Z") == [1.0, 0.0, None]
    assert await shares("1997-04-02T00:00:00Z") == [1.0, 0.0, 0.0]


def waits(events: tuple[Event, ...], as_of: str, after_order: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole days from that order to the next or to as_of, and whether there was a next."""
    times = orders(events, as_of).groupby("customer_id")["occurred_at"].apply(sorted)
    end = int(pd.Timestamp(as_of).timestamp() * 1000)
    times = times[times.map(len) >= after_order]
    until = [[*each, end][after_order] for each in times]
    days = [(last - each[after_order - 1]) // DAY_MS for each, last in zip(times, until, strict=True)]
    return np.array(days), np.array(times.map(len) > after_order)


@pytest.mark.parametrize("after_order", [1, 3])
@pytest.mark.parametrize("as_of", [CDNOW_END, CDNOW_THEN])
async def test_repurchase_is_the_kaplan_meier_estimate_of_statsmodels(
    tmp_path: Path, as_of: str, after_order: int
) -> None:
    """Survival and Greenwood's error are statsmodels'; the interval is the log-log one, of these."""
    history = await history_of(tmp_path, cdnow_orders())
    asked = {"after_order": after_order, "max_days": 300, "confidence": 0.9}
    found = await answer(history, "repurchase", as_of=as_of, **asked)
    days, again = waits(cdnow_orders(), as_of, after_order)
    judged = SurvfuncRight(days, again)
    z = stats.norm.ppf(0.95)
    expected = []
    for day in range(301):
        at = np.searchsorted(judged.surv_times, day, side="right") - 1
        survival = judged.surv_prob[at] if at >= 0 else 1.0
        share = low = high = None
        if day <= days.max():
            share = float(1 - survival)
        if share and survival > 0:
            reach = np.exp(z * judged.surv_prob_se[at] / (survival * np.log(survival)) * np.array([1, -1]))
            low, high = sorted(float(end) for end in 1 - survival**reach)
        expected.append(
            {
                "days": day,
                "waiting": int((days >= day).sum()),
                "repurchases": int(((days == day) & again).sum()),
                "share": share,
                "low": low,
                "high": high,
            }
        )
    same(found, expected)
    assert any(row["low"] is not None for row in expected)


async def test_the_median_interval_is_where_the_estimate_passes_a_half(tmp_path: Path) -> None:
    """It is the quantile that statsmodels tells."""
    history = await history_of(tmp_path, cdnow_orders())
    found = await answer(history, "repurchase", as_of=CDNOW_END, after_order=2, max_days=600)
    days, again = waits(cdnow_orders(), CDNOW_END, 2)
    assert found[found["share"] >= 0.5]["days"].min() == SurvfuncRight(days, again).quantile(0.5)


async def test_repurchase_answers_for_one_customer_who_has_not_come_back(tmp_path: Path) -> None:
    """Nobody of one has ordered again; after as_of nobody knows."""
    history = await history_of(tmp_path, cdnow_orders()[:1])
    found = await answer(history, "repurchase", as_of="1997-01-04T12:00:00Z", max_days=5)
    assert found["waiting"].tolist() == [1, 1, 1, 1, 0, 0]
    assert found["share"].tolist()[:4] == [0, 0, 0, 0]
    assert found["share"][4:].isna().all()
    assert found[["low", "high"]].isna().all().all()


async def test_repurchase_says_whom_it_needs(tmp_path: Path) -> None:
    """Without a customer of so many orders there are no rows, and a note."""
    history = await history_of(tmp_path, cdnow_orders()[:1])
    whole = await told(history, "repurchase", after_order=2)
    assert whole.table.num_rows == 0
    assert whole.note == "needs a customer with order number 2: there is none."


@pytest.mark.parametrize(("events", "as_of"), [(cdnow_orders, CDNOW_THEN), (shop, NOW), (shop, THEN)])
async def test_the_rate_of_each_next_order_is_counted(tmp_path: Path, events: object, as_of: str) -> None:
    """Shares, means and percentiles are those of pandas."""
    written = events()  # type: ignore[operator]
    history = await history_of(tmp_path, written)
    found = await answer(history, "repurchase_rate", as_of=as_of, orders=4)
    placed = orders(written, as_of).sort_values("occurred_at", kind="stable")
    placed["nth"] = placed.groupby("customer_id").cumcount() + 1
    placed["days"] = (placed.groupby("customer_id")["occurred_at"].shift(-1) - placed["occurred_at"]) / DAY_MS
    same(
        found,
        (
            {
                "order_number": nth,
                "customers": len(group),
                "again": int(group["days"].count()),
                "share": group["days"].count() / len(group),
                "mean_days": float(group["days"].mean()) if group["days"].count() else None,
                "median_days": float(group["days"].quantile(0.5)) if group["days"].count() else None,
                "p90_days": float(group["days"].quantile(0.9)) if group["days"].count() else None,
            }
            for nth, group in placed[placed["nth"] <= 4].groupby("nth")
        ),
    )


@pytest.mark.parametrize(("as_of", "timezone"), [(NOW, "UTC"), (THEN, "Asia/Tokyo"), (WITHIN, "UTC")])
async def test_the_loyalty_index_is_the_mean_of_three_means(
    tmp_path: Path, as_of: str, timezone: str
) -> None:
    """Each answer is scaled from its own scale; a question that is none of the three does not count."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "loyalty_index", as_of=as_of, timezone=timezone, months=600)
    told = frame(shop(), SurveyAnswered, as_of)
    about = {
        "recommend": "recommend",
        "would_recommend": "recommend",
        "Buy AGAIN?": "buy_again",
        "buy_more": "buy_more",
    }
    told["about"] = told["question"].map(about).where(told["kind"].isin(["nps", "loyalty"]))
    told["answer"] = 100 * (told["score"] - told["scale_min"]) / (told["scale_max"] - told["scale_min"])
    told["month"] = [month(at, timezone) for at in told["at"]]
    expected = []
    for began, group in told.dropna(subset="about").groupby("month"):
        means = group.groupby("about")["answer"].mean().to_dict()
        three = [means.get(name) for name in ("recommend", "buy_again", "buy_more")]
        measures = {
            "loyalty": None if None in three else float(sum(three) / 3),
            **dict(zip(("recommend", "buy_again", "buy_more"), three, strict=True)),
            "answers": len(group),
            "customers": group["customer_id"].nunique(),
        }
        is_over = began < month(pd.Timestamp(as_of), timezone)
        expected.append({"month": began} | null_unless(is_over, measures))
    same(found, expected)
    assert any(row["loyalty"] is not None for row in expected)
    assert (expected[-1]["answers"] is None) == (as_of == WITHIN)


def first_told(told: pd.DataFrame, *columns: str) -> pd.Series:
    """The first of the columns that says something."""
    return told[list(columns)].replace("", None).bfill(axis=1).iloc[:, 0].fillna("unknown")


def reasons(as_of: str) -> pd.DataFrame:
    """customer_id, at, rank, what, why: all that was said."""
    surveys = frame(shop(), SurveyAnswered, as_of).assign(rank=1, what="survey")
    surveys["why"] = first_told(surveys, "text", "kind")
    tickets = frame(shop(), TicketOpened, as_of).assign(rank=2, what="ticket")
    tickets["why"] = first_told(tickets, "category", "subject")
    lost = frame(shop(), OpportunityClosed, as_of).assign(rank=3, what="opportunity")
    opened = frame(shop(), OpportunityOpened, as_of)["opportunity_id"]
    lost = lost[(lost["outcome"] == "lost") & lost["opportunity_id"].isin(opened)]
    lost["why"] = first_told(lost, "reason", "competitor")
    columns = ["customer_id", "at", "rank", "what", "why"]
    return pd.concat([each[columns] for each in (surveys, tickets, lost)])


@pytest.mark.parametrize("within_days", [20, 730])
@pytest.mark.parametrize(("as_of", "timezone"), [(NOW, "UTC"), (THEN, "Asia/Tokyo")])
async def test_churn_is_told_by_cohort_with_the_last_reason(
    tmp_path: Path, as_of: str, timezone: str, within_days: int
) -> None:
    """The reason is what the customer said last before the churn, and unknown if nothing was said in time."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "churn_by_cohort", as_of=as_of, timezone=timezone, within_days=within_days)
    placed, said = orders(shop(), as_of), reasons(as_of)
    cohorts = {who: month(at, timezone) for who, at in placed.groupby("customer_id")["at"].min().items()}
    sizes = pd.Series(cohorts).value_counts()
    stages = frame(shop(), LifecycleChanged, as_of).groupby("customer_id").last()
    gone = []
    for who, row in stages[stages["to_stage"] == "churned"].iterrows():
        if who in cohorts:
            recent = said[(said["customer_id"] == who) & (said["at"] <= row["at"])]
            recent = recent[recent["at"] >= row["at"] - pd.Timedelta(days=within_days)]
            last = recent.sort_values(["at", "rank", "why"]).iloc[-1] if len(recent) else None
            reason = ("unknown", "unknown") if last is None else (last["what"], last["why"])
            gone.append((cohorts[who], *reason))
    counts = pd.Series(gone).value_counts()
    now = month(pd.Timestamp(as_of), timezone)
    rows = [
        {
            "cohort": cohort,
            "reason_from": what,
            "reason": why,
            "churned": int(churned) if cohort < now else None,
            "customers": int(sizes[cohort]),
            "share": churned / int(sizes[cohort]) if cohort < now else None,
        }
        for (cohort, what, why), churned in counts.items()
    ]
    same(
        found, sorted(rows, key=lambda r: (r["cohort"], -(r["churned"] or 0), r["reason_from"], r["reason"]))
    )
    assert len({row["reason_from"] for row in rows}) > 1


async def test_what_a_cohort_loses_is_null_until_its_month_is_over(tmp_path: Path) -> None:
    """Who is gone in the month of the first order is of a cohort that may still grow."""
    one = next(event for event in shop() if isinstance(event, OrderPlaced))
    gone = next(e for e in shop() if isinstance(e, LifecycleChanged) and e.to_stage == "churned")
    gone = msgspec.structs.replace(gone, customer_id=one.customer_id, occurred_at=one.occurred_at)
    history = await history_of(tmp_path, [one, gone])
    first = pd.Timestamp(one.occurred_at, unit="ms", tz="UTC")
    ends = first.tz_localize(None).to_period("M").end_time.tz_localize("UTC").floor("ms")
    for moment, expected in ((ends, [None, 1, None]), (ends + pd.Timedelta("1ms"), [1, 1, 1.0])):
        cells = await told(history, "churn_by_cohort", as_of=f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}")
        assert cells.table.select(["churned", "customers", "share"]).to_pylist() == [
            dict(zip(("churned", "customers", "share"), expected, strict=True))
        ]
