"""Are funnel, transitions, leads, opportunities and win-back what pandas makes of the same events?"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli.sample import cdnow
from schemas.events import (
    BaseCurrencySet,
    Event,
    ExchangeRateSet,
    LeadCaptured,
    LifecycleChanged,
    OpportunityClosed,
    OpportunityOpened,
    OpportunityStageChanged,
)
from tests.integration.reports.shop import DAY_MS, HOUR_MS, at, converter, engine, known, orders, same, stamp
from tests.reporting import answer, history_of, told

STAGES = ("prospect", "new", "active", "at_risk", "dormant", "churned", "won_back")
REASONS = (None, "", "too dear", "太慢")
WORTH = (OpportunityOpened, OpportunityStageChanged, OpportunityClosed)
MOMENTS = [("2025-06-21T00:00:00Z", "UTC"), ("2024-08-03T05:00:00Z", "America/Los_Angeles")]


def local(ms: "pd.Series[int]", timezone: str) -> Any:
    return pd.to_datetime(ms, unit="ms", utc=True).dt.tz_convert(timezone).dt.tz_localize(None)


def wanderings(customers: int = 60) -> list[Event]:
    """Each customer goes from stage to stage; two changes may come at the same instant."""
    chance = random.Random(11)
    cause = {"late": False, "rules_version": "1", "cause_topic": "t", "cause_partition": 0, "cause_offset": 0}
    events: list[Event] = []
    for n in range(customers):
        moment, stage = at("2023-03-01") + chance.randrange(300) * HOUR_MS * 24, None
        for _ in range(chance.randrange(1, 8)):
            following = chance.choice([each for each in STAGES if each != stage])
            told_of = {"customer_id": f"客-{n}", "from_stage": stage, "to_stage": following, "reason": "r"}
            events.append(LifecycleChanged(**told_of, **cause, **stamp(moment)))
            moment, stage = moment + chance.choice((0, 7, 90 * 24)) * HOUR_MS, following
    return events


def moves(events: list[Event], as_of: str) -> pd.DataFrame:
    found = [
        (e.customer_id, e.from_stage, e.to_stage, e.occurred_at)
        for e in known(events, as_of)
        if isinstance(e, LifecycleChanged)
    ]
    return pd.DataFrame(found, columns=["customer", "from_stage", "to_stage", "ms"])


@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_lifecycle_funnel(tmp_path: Path, as_of: str, timezone: str) -> None:
    """Who ever was in a stage, who is there now, and how long it took from the first stage."""
    events = wanderings()
    history = await history_of(tmp_path, events)
    found = await answer(history, "lifecycle_funnel", as_of=as_of, timezone=timezone)
    frame = moves(events, as_of)
    total = frame["customer"].nunique()
    now = frame.groupby("customer")["to_stage"].last().value_counts()
    first = frame.groupby(["customer", "to_stage"], as_index=False)["ms"].min()
    first["days"] = (first["ms"] - first.groupby("customer")["ms"].transform("min")) / DAY_MS
    rows = []
    for stage in STAGES:
        days = first.loc[first["to_stage"] == stage, "days"]
        here = int(now.get(stage, 0))
        rows.append((stage, len(days), len(days) / total, here, here / total, days.median()))
    same(found, pd.DataFrame(rows, columns=found.columns))


@pytest.mark.parametrize(("since", "until"), [(None, None), ("2023-09-17", "2024-06-01")])
@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_stage_transitions(
    tmp_path: Path, as_of: str, timezone: str, since: str | None, until: str | None
) -> None:
    """The matrix of local days, with shares of each row and the time in the stage that was left."""
    events = wanderings()
    history = await history_of(tmp_path, events)
    asked = {"since": since, "until": until}
    found = await answer(history, "stage_transitions", as_of=as_of, timezone=timezone, **asked)
    frame = moves(events, as_of)
    frame["days"] = frame.groupby("customer")["ms"].diff() / DAY_MS
    frame["from_stage"] = frame["from_stage"].fillna("unseen")
    day = local(frame["ms"], timezone).dt.strftime("%Y-%m-%d")
    frame = frame[(day >= (since or "")) & (day <= (until or "9999"))]
    each = frame.groupby(["from_stage", "to_stage"]).agg(
        moves=("customer", "size"), customers=("customer", "nunique"), median_days=("days", "median")
    )
    each["share"] = each["moves"] / each.groupby("from_stage")["moves"].transform("sum")
    order = ["unseen", *STAGES]
    each = each.reset_index().sort_values(
        ["from_stage", "to_stage"], key=lambda stages: stages.map(order.index), ignore_index=True
    )
    same(found, each[list(found.columns)])


def selling() -> list[Event]:
    """Leads, some told twice; opportunities that move, close, or stay, some of no lead, some in yen."""
    chance = random.Random(5)
    start = at("2024-01-01")
    events: list[Event] = [
        engine(BaseCurrencySet, start, currency="EUR"),
        engine(ExchangeRateSet, start, currency="JPY", base_currency="EUR", rate="0.0061"),
    ]
    for n in range(80):
        moment = start + chance.randrange(500) * DAY_MS
        customer = {"customer_id": f"c-{n}"}
        lead = {"lead_id": f"l-{n}", "origin": chance.choice((None, "fair", "展会", "form"))}
        events.append(LeadCaptured(**customer, **lead, **stamp(moment)))
        if n % 9 == 0:
            again = {"lead_id": f"l-{n}", "origin": "told again"}
            events.append(LeadCaptured(**customer, **again, **stamp(moment + DAY_MS)))
        if n % 5 == 0:
            other = {"customer_id": f"c-{n + 1}", "lead_id": f"l-{n}", "origin": "of another customer"}
            events.append(LeadCaptured(**other, **stamp(moment)))
        for k in range(chance.randrange(0, 3)):
            events += _opportunity(customer, lead["lead_id"] if n % 7 else None, n, k, moment, chance)
    return events


def _opportunity(
    customer: dict[str, str], lead_id: str | None, n: int, k: int, moment: int, chance: random.Random
) -> list[Event]:
    about = {**customer, "opportunity_id": f"o-{n}-{k}"}
    moment += chance.randrange(1, 60 * 24) * HOUR_MS

    def worth() -> dict[str, Any]:
        amount = chance.choice((None, 5_000, 123_457))
        currency = None if amount is None else chance.choice(("EUR", "JPY", "GBP"))
        return {
            "amount_minor": amount,
            "currency": currency,
            "probability": chance.choice((None, 0.25, 0.9)),
            "expected_close_on": chance.choice((None, (moment + chance.randrange(200) * DAY_MS) // DAY_MS)),
        }

    owner = chance.choice(("ann", "bob"))
    named = {"lead_id": lead_id, "campaign_id": ("fair", None)[n % 2], "owner_id": owner if n % 11 else None}
    opened = {**about, "stage": "qualified", **named, **worth()}
    events: list[Event] = [OpportunityOpened(**opened, **stamp(moment))]
    for stage in ("offer", "contract")[: chance.randrange(3)]:
        moment += chance.randrange(1, 40) * DAY_MS
        events.append(OpportunityStageChanged(**about, to_stage=stage, **worth(), **stamp(moment)))
    if chance.random() < 0.6:
        moment += chance.randrange(1, 40) * DAY_MS
        amount = chance.choice((None, 7_777))
        closed = {"amount_minor": amount, "currency": None if amount is None else "EUR"}
        closed["reason"] = REASONS[(n + k) % 4]
        outcome = chance.choice(("won", "won", "lost"))
        events.append(OpportunityClosed(**about, outcome=outcome, **closed, **stamp(moment)))
    return events


def opportunities(events: list[Event], as_of: str) -> pd.DataFrame:
    """One row each, with the latest stage and the latest of what each event told of its worth."""
    seen = known(events, as_of)
    convert = converter(seen)
    rows: dict[str, dict[str, Any]] = {}
    for e in seen:
        if isinstance(e, OpportunityOpened):
            row = {
                "customer": e.customer_id,
                "lead": e.lead_id,
                "campaign": e.campaign_id,
                "owner": e.owner_id,
                "opened": e.occurred_at,
                "closed": None,
            }
            rows[e.opportunity_id] = row | dict.fromkeys(
                ("outcome", "reason", "amount", "probability", "closes")
            )
        if isinstance(e, OpportunityOpened | OpportunityStageChanged):
            row = rows[e.opportunity_id]
            row["stage"] = e.stage if isinstance(e, OpportunityOpened) else e.to_stage
            row["since"] = e.occurred_at
            row["probability"] = row["probability"] if e.probability is None else e.probability
            row["closes"] = row["closes"] if e.expected_close_on is None else e.expected_close_on
        if isinstance(e, OpportunityClosed):
            rows[e.opportunity_id] |= {"closed": e.occurred_at, "outcome": e.outcome, "reason": e.reason}
        if isinstance(e, WORTH) and e.amount_minor is not None:
            rows[e.opportunity_id]["amount"] = convert(e.amount_minor, e.currency)
    frame = pd.DataFrame(rows.values())
    return frame.astype(
        {"amount": "float64", "probability": "float64", "closes": "float64", "closed": "float64"}
    )


@pytest.mark.parametrize("owner", [None, "bob"])
@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_pipeline(tmp_path: Path, as_of: str, timezone: str, owner: str | None) -> None:
    """What is open then: amounts, weighted by the chances told, ages in days, and what is overdue."""
    events = selling()
    history = await history_of(tmp_path, events)
    found = await answer(history, "pipeline", as_of=as_of, timezone=timezone, owner=owner)
    frame = opportunities(events, as_of)
    frame = frame[frame["closed"].isna() & ((frame["owner"] == owner) if owner else True)]
    today = pd.Timestamp(as_of).tz_convert(timezone).tz_localize(None).normalize()
    rows = []
    for stage, part in frame.groupby("stage"):
        ages = (at(as_of) - part["opened"]) / DAY_MS
        overdue = part[part["closes"] < (today - pd.Timestamp("1970-01-01")).days]
        weighted = part["amount"] * part["probability"]
        rows.append(
            (
                *(stage, len(part), part["amount"].sum(), np.rint(weighted).sum(), weighted.isna().sum()),
                *(np.quantile(ages, 0.5), np.quantile(ages, 0.9)),
                *(((at(as_of) - part["since"]) / DAY_MS).median(), len(overdue), overdue["amount"].sum()),
            )
        )
    rows.sort(key=lambda row: (-row[2], row[0]))
    assert len(rows) == 3
    same(found, pd.DataFrame(rows, columns=found.columns))


@pytest.mark.parametrize("since", [None, "2024-03-10"])
@pytest.mark.parametrize(("as_of", "timezone"), MOMENTS)
async def test_lead_conversion(tmp_path: Path, as_of: str, timezone: str, since: str | None) -> None:
    """Leads of a customer by origin, as first told, and what became of them where opportunities name them."""
    events = selling()
    history = await history_of(tmp_path, events)
    asked = {"since": since, "until": "2025-05-31"}
    found = await answer(history, "lead_conversion", as_of=as_of, timezone=timezone, **asked)
    seen = [e for e in known(events, as_of) if isinstance(e, LeadCaptured)]
    leads = pd.DataFrame(
        [((e.customer_id, e.lead_id), e.origin, e.occurred_at) for e in seen],
        columns=["lead", "origin", "ms"],
    )
    leads = leads.sort_values("ms").drop_duplicates("lead")
    day = local(leads["ms"], timezone).dt.strftime("%Y-%m-%d")
    leads = leads[(day >= (since or "")) & (day <= "2025-05-31")].set_index("lead")
    leads["origin"] = leads["origin"].fillna("unknown")
    chances = opportunities(events, as_of).dropna(subset="lead")
    chances["lead"] = list(zip(chances["customer"], chances["lead"], strict=True))
    won = chances[chances["outcome"] == "won"]
    leads["opened"] = chances.groupby("lead")["opened"].min()
    leads["won"] = won.groupby("lead")["closed"].min()
    leads["amount"] = won.groupby("lead")["amount"].sum()
    rows = []
    for origin, part in leads.groupby("origin"):
        opened, wins = part["opened"].notna().sum(), part["won"].notna().sum()
        rows.append(
            (
                *(origin, len(part), opened, wins, opened / len(part)),
                *(wins / opened if opened else np.nan, wins / len(part)),
                *(
                    ((part["opened"] - part["ms"]) / DAY_MS).median(),
                    ((part["won"] - part["ms"]) / DAY_MS).median(),
                ),
                part["amount"].sum(),
            )
        )
    rows.sort(key=lambda row: (-row[1], row[0]))
    same(found, pd.DataFrame(rows, columns=found.columns))


@pytest.mark.parametrize("since", [None, "2024-03-10"])
@pytest.mark.parametrize("by", ["owner", "month", "origin", "reason"])
@pytest.mark.parametrize(("as_of", "timezone"), [MOMENTS[0], ("2024-12-01T05:00:00Z", "America/Los_Angeles")])
async def test_opportunity_conversion(
    tmp_path: Path, as_of: str, timezone: str, by: str, since: str | None
) -> None:
    """Won, lost or still open then, whether or not they name a lead; of the running month nothing yet."""
    events = selling()
    history = await history_of(tmp_path, events)
    asked = {"by": by, "since": since}
    found = await answer(history, "opportunity_conversion", as_of=as_of, timezone=timezone, **asked)
    each = opportunities(events, as_of)
    opened = local(each["opened"], timezone)
    each["month"] = opened.dt.strftime("%Y-%m")
    each["origin"] = np.where(
        each["lead"].notna(), "lead", np.where(each["campaign"].notna(), "campaign", "neither")
    )
    each["reason"] = each["reason"].where(each["reason"] != "")
    each = each[opened >= pd.Timestamp(since or "1970-01-01")]
    each = each[(each["outcome"] == "lost") | (by != "reason")]
    running = pd.Timestamp(as_of).tz_convert(timezone).strftime("%Y-%m")
    rows: list[tuple[Any, ...]] = []
    for value, part in each.groupby(by, dropna=False):
        won, lost = part[part["outcome"] == "won"], part[part["outcome"] == "lost"]
        ended = len(won) + len(lost)
        measures = (
            *(len(part), len(won), len(lost), len(part) - ended),
            len(won) / ended if ended and by != "reason" else None,
            *(won["amount"].sum(), lost["amount"].sum()),
            ((part["closed"] - part["opened"]) / DAY_MS).median(),
        )
        told_of = None if pd.isna(value) else value
        rows.append((told_of, *([None] * 8 if value == running else measures)))
    rows.sort(key=lambda row: (0 if by == "month" else -row[1], row[0] is None, str(row[0]).encode("utf-8")))
    assert len(rows) > (1 if since is None else 0)
    assert by != "month" or rows[-1][1] is None
    assert by == "month" or any(row[6] + row[7] for row in rows)
    same(found, pd.DataFrame(rows, columns=found.columns, dtype=object))


@pytest.mark.parametrize(
    ("as_of", "timezone", "away_days", "after_days"),
    [("1998-06-30T00:00:00Z", "UTC", 180, 90), ("1998-03-31T09:00:00Z", "Asia/Tokyo", 120, 30)],
)
async def test_win_back_of_cdnow(
    tmp_path: Path, as_of: str, timezone: str, away_days: int, after_days: int
) -> None:
    """Month by month: who is away, who comes back after how long, and what that brings."""
    events = list(cdnow.events(0, shift_days=0, received_at=0))
    history = await history_of(tmp_path, events)
    asked = {"away_days": away_days, "after_days": after_days}
    found = await answer(history, "win_back", as_of=as_of, timezone=timezone, **asked)
    frame = orders(events, as_of).sort_values(["customer", "ms"], ignore_index=True)
    frame["next"] = frame.groupby("customer")["ms"].shift(-1)
    frame["left"] = frame["ms"] + (away_days + 1) * DAY_MS
    gaps = frame[frame["left"] <= frame["next"].fillna(at(as_of))].copy()
    backs = gaps.dropna(subset="next").copy()
    backs["days"] = (backs["next"] - backs["ms"]) // DAY_MS
    later = backs.reset_index()[["index", "customer", "next"]].merge(
        frame[["customer", "ms", "net"]], on="customer"
    )
    later = later[(later["ms"] >= later["next"]) & (later["ms"] < later["next"] + after_days * DAY_MS)]
    backs["after"] = later.groupby("index")["net"].sum()
    gaps["month"] = local(gaps["left"], timezone).dt.to_period("M")
    backs["month"] = local(backs["next"], timezone).dt.to_period("M")
    today = pd.Timestamp(as_of).tz_convert(timezone).tz_localize(None)
    rows, away = [], 0
    for month in pd.period_range(gaps["month"].min(), today.to_period("M"), freq="M"):
        if month == today.to_period("M"):
            rows.append((month.start_time.date(), *[np.nan] * 7))
            continue
        went, came = int((gaps["month"] == month).sum()), backs[backs["month"] == month]
        over = (month + 1).start_time + pd.Timedelta(days=after_days) <= today.normalize()
        net = came["after"].sum() if over else np.nan
        days = came["days"].median()
        each = np.rint(net / len(came)) if len(came) else np.nan
        rate = len(came) / (away + went) if away + went else np.nan
        rows.append((month.start_time.date(), away, went, len(came), rate, days, net, each))
        away += went - len(came)
    assert away > 10_000
    same(found, pd.DataFrame(rows, columns=found.columns))


@pytest.mark.parametrize(
    "name",
    [
        *("lifecycle_funnel", "stage_transitions", "pipeline", "lead_conversion", "win_back"),
        "opportunity_conversion",
    ],
)
async def test_without_any_event_there_is_no_data_yet(tmp_path: Path, name: str) -> None:
    """The answer has no rows, and says so."""
    whole = await told(await history_of(tmp_path, []), name)
    assert whole.table.num_rows == 0
    assert whole.note is not None
    assert whole.note.startswith("No data yet")
