"""How well are customers served, and what do they say of it: do pandas, SciPy and statsmodels agree?"""

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from schemas.events import LifecycleChanged, SegmentChanged, SurveyAnswered, TicketOpened, TicketResolved
from tests.integration.reports.small_shop import frame, null_unless, orders, same, shop
from tests.reporting import answer, history_of

NOW, THEN = "2026-01-01T00:00:00Z", "2025-03-31T15:30:00Z"
PLACES = [
    (NOW, "UTC", None),
    (THEN, "Asia/Tokyo", None),
    ("2025-11-20T00:00:00Z", "America/New_York", "2025-06-01"),
]


def local_month(at: pd.Series, timezone: str) -> pd.Series:
    return at.dt.tz_convert(timezone).dt.strftime("%Y-%m")


def this_month(as_of: str, timezone: str) -> str:
    return pd.Timestamp(as_of).tz_convert(timezone).strftime("%Y-%m")


def since_day(told: pd.DataFrame, since: str | None, timezone: str) -> pd.DataFrame:
    return told if since is None else told[told["at"] >= pd.Timestamp(since, tz=timezone)]


def tickets(as_of: str) -> pd.DataFrame:
    """Each ticket with what became of it up to as_of."""
    opened, resolved = frame(shop(), TicketOpened, as_of), frame(shop(), TicketResolved, as_of)
    ends = resolved.set_index("ticket_id")
    found = opened.assign(end=opened["ticket_id"].map(ends["occurred_at"]))
    found["reply"] = (opened["ticket_id"].map(ends["first_reply_at"]) - opened["occurred_at"]) / 3_600_000
    found["hours"] = (found["end"] - opened["occurred_at"]) / 3_600_000
    found["minutes"] = opened["ticket_id"].map(ends["handling_minutes"])
    found["agent"] = opened["ticket_id"].map(ends["agent_id"]).fillna(opened["agent_id"])
    return found


def known(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


@pytest.mark.parametrize(("as_of", "timezone", "since"), PLACES)
@pytest.mark.parametrize("by", ["category", "priority", "channel", "agent", "month"])
async def test_tickets_are_counted_and_timed(
    tmp_path: Path, by: str, as_of: str, timezone: str, since: str | None
) -> None:
    """Numbers and percentiles are those of pandas; complaints are told against the same days' orders."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "service", by=by, as_of=as_of, timezone=timezone, since=since)
    told, placed = (
        since_day(tickets(as_of), since, timezone),
        since_day(orders(shop(), as_of), since, timezone),
    )
    told = told.assign(month=local_month(told["at"], timezone))
    ordered = local_month(placed["at"], timezone).value_counts()
    moment, running = pd.Timestamp(as_of).timestamp() * 1000, this_month(as_of, timezone)
    rows: list[dict[str, Any]] = []
    for value, group in told.groupby(by, dropna=False):
        of_group = int(ordered.get(value, 0)) if by == "month" else len(placed)
        is_open = group["end"].isna()
        measures = {
            "opened": len(group),
            "resolved": int((~is_open).sum()),
            "open": int(is_open.sum()),
            "overdue": int((is_open & (group["due_at"] < moment)).sum()),
            "late": int((group["due_at"] < group["end"]).sum()),
            "reply_hours_median": known(group["reply"].quantile(0.5)),
            "reply_hours_p90": known(group["reply"].quantile(0.9)),
            "resolve_hours_median": known(group["hours"].quantile(0.5)),
            "resolve_hours_p90": known(group["hours"].quantile(0.9)),
            "handling_minutes_mean": known(group["minutes"].mean()),
            "share": len(group) / len(told),
            "per_100_orders": 100 * len(group) / of_group if of_group else None,
        }
        is_over = by != "month" or value != running
        rows.append({"value": None if pd.isna(value) else value} | null_unless(is_over, measures))
    rows.sort(
        key=lambda r: (0 if by == "month" else -r["opened"], r["value"] is None, str(r["value"]).encode())
    )
    same(found, rows)
    assert by != "month" or (rows[-1]["opened"] is None) == (since is not None)


def answers(as_of: str) -> pd.DataFrame:
    told = frame(shop(), SurveyAnswered, as_of)
    told["part"] = (told["score"] - told["scale_min"]) / (told["scale_max"] - told["scale_min"])
    return told[told["kind"].isin(["nps", "csat", "ces"])].reset_index(drop=True)


def net_promoters(part: pd.Series, confidence: float) -> tuple[float, float | None, float | None]:
    """The mean of answers that are 1, 0 or -1, and the normal interval with their variance."""
    signs = np.where(part >= 0.9, 1, np.where(part <= 0.6, -1, 0))
    score = float(signs.mean())
    if len(signs) < 2:
        return 100 * score, None, None
    low, high = (
        stats.norm.interval(confidence, score, DescrStatsW(signs).std / sqrt(len(signs)))
        if signs.std()
        else (score, score)
    )
    return 100 * score, 100 * max(-1.0, float(low)), 100 * min(1.0, float(high))


def satisfied(part: pd.Series, confidence: float) -> tuple[float, float, float]:
    """statsmodels' Wilson interval."""
    number = int((part >= 0.75).sum())
    low, high = proportion_confint(number, len(part), alpha=1 - confidence, method="wilson")
    return 100 * number / len(part), 100 * float(low), 100 * float(high)


def effort(part: pd.Series, confidence: float) -> tuple[float, float | None, float | None]:
    """statsmodels' t interval of the mean."""
    scores = 1 + 6 * part
    if len(scores) < 2:
        return float(scores.mean()), None, None
    low, high = DescrStatsW(scores).tconfint_mean(alpha=1 - confidence)
    return float(scores.mean()), float(low), float(high)


Interval = Callable[[pd.Series, float], tuple[float, float | None, float | None]]
MEASURES: dict[str, Interval] = {"nps": net_promoters, "csat": satisfied, "ces": effort}


def split(told: pd.DataFrame, by: str, as_of: str, timezone: str) -> pd.DataFrame:
    """One row an answer and value."""
    if by == "stage":
        stages = frame(shop(), LifecycleChanged, as_of).groupby("customer_id")["to_stage"].last()
        return told.assign(value=told["customer_id"].map(stages).fillna("prospect"))
    if by == "segment":
        changes = frame(shop(), SegmentChanged, as_of).groupby(["customer_id", "segment"])["entered"].last()
        belongs = (
            changes[changes].reset_index()[["customer_id", "segment"]].rename(columns={"segment": "value"})
        )
        return told.merge(belongs, on="customer_id", how="left")
    if by == "month":
        return told.assign(value=local_month(told["at"], timezone))
    return told.assign(value=None if by == "all" else told[by])


@pytest.mark.parametrize(("as_of", "timezone", "since"), PLACES)
@pytest.mark.parametrize("by", ["all", "stage", "segment", "channel", "survey", "month"])
async def test_satisfaction_has_the_intervals_of_scipy_and_statsmodels(
    tmp_path: Path, by: str, as_of: str, timezone: str, since: str | None
) -> None:
    """NPS, CSAT and CES of each group, each with its own kind of interval."""
    history = await history_of(tmp_path, shop())
    asked = {"by": by, "since": since, "confidence": 0.9}
    found = await answer(history, "satisfaction", as_of=as_of, timezone=timezone, **asked)
    told = split(since_day(answers(as_of), since, timezone), by, as_of, timezone)
    rows: list[dict[str, Any]] = []
    for (value, kind), group in told.groupby(["value", "kind"], dropna=False):
        score, low, high = MEASURES[kind](group["part"], 0.9)
        measures = {
            "answers": len(group),
            "customers": group["customer_id"].nunique(),
            "score": score,
            "low": low,
            "high": high,
        }
        is_over = by != "month" or value != this_month(as_of, timezone)
        row = {"value": None if pd.isna(value) else value, "measure": kind}
        rows.append(row | null_unless(is_over, measures))
    order = list(MEASURES)
    rows.sort(key=lambda r: (r["value"] is None, str(r["value"]).encode(), order.index(r["measure"])))
    same(found, rows)
    assert by != "month" or (rows[-1]["answers"] is None) == (since is not None)


async def test_one_answer_has_a_score_and_no_interval(tmp_path: Path) -> None:
    """Only Wilson's can be told of one answer."""
    one = {
        kind: next(e for e in shop() if getattr(e, "question", "") == q)
        for kind, q in (("nps", "recommend"), ("csat", "order"), ("ces", "easy"))
    }
    found = (await answer(await history_of(tmp_path, one.values()), "satisfaction")).set_index("measure")
    assert found["answers"].tolist() == [1, 1, 1]
    assert found["low"].isna().tolist() == [True, False, True]
