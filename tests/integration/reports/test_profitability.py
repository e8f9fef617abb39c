"""Are contribution, the 80/20 curve and lifetime value what pandas and SciPy make of the same events?"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, roots_jacobi

from cli.sample import cdnow
from schemas.events import CampaignSent, Event, LifecycleChanged, SegmentChanged
from tests.integration.reports.shop import (
    DAY_MS,
    at,
    bought,
    converter,
    known,
    made_up,
    orders,
    plain,
    same,
    stamp,
)
from tests.reporting import answer, history_of

MOMENTS = ["2025-06-21T00:00:00Z", "2024-03-10T12:00:00Z"]
STAGES = ("new", "active", "at_risk")


def staged(customer_id: str, moment: int, stage: str) -> Event:
    cause = {"late": False, "rules_version": "1", "cause_topic": "t", "cause_partition": 0, "cause_offset": 0}
    return LifecycleChanged(
        customer_id=customer_id, from_stage=None, to_stage=stage, reason="", **cause, **stamp(moment)
    )


def shop_with_stages() -> list[Event]:
    """Of every second customer a stage was told, of some a second one."""
    events = made_up()
    customers = sorted({e.customer_id for e in events if hasattr(e, "customer_id")})
    for number, customer_id in enumerate(customers[::2]):
        for step in range(1 + number % 2):
            moment = at("2023-06-01") + (number + 300 * step) * DAY_MS
            events.append(staged(customer_id, moment, STAGES[(number + step) % 3]))
    return events


def by_customer(events: list[Event], as_of: str) -> pd.DataFrame:
    """One row a customer with an order or a message; sums of NaN count as nothing."""
    frame = orders(events, as_of)
    frame["uncosted"] = frame["cost"].isna() | frame["net"].isna()
    frame["net_uncosted"] = frame["net"].where(frame["uncosted"])
    frame["cost"] = frame["cost"].where(~frame["uncosted"])
    sums = frame.groupby("customer").agg(
        orders=("order", "size"),
        net=("net", "sum"),
        discounts=("discount", "sum"),
        orders_without_cost=("uncosted", "sum"),
        net_without_cost=("net_uncosted", "sum"),
        cost=("cost", "sum"),
    )
    seen = known(events, as_of)
    convert = converter(seen)
    sent = [(e.customer_id, convert(e.cost_minor, e.currency)) for e in seen if isinstance(e, CampaignSent)]
    messages = pd.DataFrame(sent, columns=["customer", "cost"]).astype({"cost": "float64"})
    sums = sums.join(messages.groupby("customer")["cost"].sum().rename("campaign_cost"), how="outer")
    return sums.fillna(0)


def labels(events: list[Event], as_of: str, sums: pd.DataFrame, by: str) -> dict[str, list[str]]:
    seen = known(events, as_of)
    if by == "customer":
        return {customer: [customer] for customer in sums.index}
    if by == "stage":
        told = {e.customer_id: e.to_stage for e in seen if isinstance(e, LifecycleChanged)}
        return {customer: [told.get(customer, "prospect")] for customer in sums.index}
    if by == "segment":
        inside: dict[str, set[str]] = {customer: set() for customer in sums.index}
        for e in seen:
            if isinstance(e, SegmentChanged) and e.customer_id in inside:
                (set.add if e.entered else set.discard)(inside[e.customer_id], e.segment)
        return {customer: sorted(segments) or ["none"] for customer, segments in inside.items()}
    buyers = sums.loc[sums["orders"] > 0, "net"]
    limits = np.percentile(buyers, [20, 40, 60, 80], method="inverted_cdf")
    tiers = {customer: str(1 + int((limits < net).sum())) for customer, net in buyers.items()}
    return {customer: [tiers.get(customer, "none")] for customer in sums.index}


@pytest.mark.parametrize("by", ["customer", "tier", "segment", "stage"])
@pytest.mark.parametrize("as_of", MOMENTS)
async def test_contribution(tmp_path: Path, as_of: str, by: str) -> None:
    """What is left after goods and campaigns; orders without a known cost stand apart; the rest is a row."""
    events = shop_with_stages()
    history = await history_of(tmp_path, events)
    found = await answer(history, "contribution", as_of=as_of, by=by, top=4)
    sums = by_customer(events, as_of)
    sums["label"] = pd.Series(labels(events, as_of, sums, by))
    sums["customers"] = 1
    each = sums.explode("label").groupby("label").sum().reset_index()

    def left(part: pd.DataFrame) -> pd.DataFrame:
        costed = part["net"] - part["net_without_cost"]
        unknown = (part["orders"] > 0) & (part["orders"] == part["orders_without_cost"])
        part["contribution"] = (costed - part["cost"] - part["campaign_cost"]).where(~unknown)
        part["margin_share"] = part["contribution"] / costed.where(costed != 0)
        return part

    each = left(each).sort_values(
        ["contribution", "net", "label"], ascending=[False, False, True], na_position="last"
    )
    best, others = each[:4].copy(), each[4:]
    best.insert(0, "place", range(1, len(best) + 1))
    if len(others):
        rest = others.drop(columns=["label", "contribution", "margin_share"]).sum().to_frame().T
        rest = left(rest).assign(place=None, label="others")
        best = pd.concat([best, rest], ignore_index=True)
    same(found, best[list(found.columns)])


@pytest.mark.parametrize("as_of", ["1998-06-30T00:00:00Z", "1997-04-01T00:00:00Z"])
async def test_pareto_of_cdnow(tmp_path: Path, as_of: str) -> None:
    """Every percent of the customers, best first, and the fewest who bring the share that is asked for."""
    events = list(cdnow.events(0, shift_days=0, received_at=0))
    history = await history_of(tmp_path, events)
    found = await answer(history, "pareto", as_of=as_of, brings=0.7)
    nets = orders(events, as_of).groupby("customer")["net"].sum().sort_values(ascending=False).to_numpy()
    sums = np.concatenate([[0], np.cumsum(nets)])
    customers = [-(-len(nets) * percent // 100) for percent in range(101)]
    bringers = int(np.argmax(sums >= 0.7 * sums[-1]))
    expected = pd.DataFrame(
        {
            "percent": range(101),
            "customers": customers,
            "net": sums[customers],
            "share_of_net": sums[customers] / sums[-1],
            "bringers": bringers,
            "share_of_bringers": bringers / len(nets),
        }
    )
    same(found, expected)


async def test_pareto_of_one_customer_is_all_of_it(tmp_path: Path) -> None:
    """Any part of one customer is that one."""
    history = await history_of(tmp_path, [bought("only", "2025-01-01", 1_000)])
    found = await answer(history, "pareto")
    assert list(found["share_of_net"]) == [0.0, *[1.0] * 100]
    assert set(found["share_of_bringers"]) == {1.0}


class Model:
    """MBG/NBD by quadrature over the chance to drop out, where the module has closed forms."""

    def __init__(self, days: pd.Series, now: float) -> None:
        first = days.str[0]
        self.x = (days.str.len() - 1).to_numpy(float)
        self.last = (days.str[-1] - first).to_numpy(float)
        self.age = (now - first).to_numpy(float)

    def _weights(self, a: float, b: float) -> tuple[Any, Any]:
        """Nodes of p and logarithms of the weights under its Beta distribution."""
        nodes, weights = roots_jacobi(60, b - 1, a - 1)
        return (nodes + 1) / 2, np.log(weights) - (a + b - 1) * np.log(2) - betaln(a, b)

    def _parts(self, r: float, alpha: float, a: float, b: float) -> tuple[Any, Any, Any]:
        p, weights = self._weights(a, b)
        x, last, age = self.x[:, None], self.last[:, None], self.age[:, None]
        rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        stays = weights + (x + 1) * np.log1p(-p) + rate - (r + x) * np.log(alpha + age)
        leaves = weights + np.log(p) + x * np.log1p(-p) + rate - (r + x) * np.log(alpha + last)
        return p, stays, leaves

    def fit(self) -> Any:
        def loss(logs: Any) -> float:
            _, stays, leaves = self._parts(*np.exp(logs))
            return -float(np.logaddexp.reduce(np.concatenate([stays, leaves], axis=1), axis=1).mean())

        options = {"xatol": 1e-7, "fatol": 1e-13, "maxiter": 4_000, "maxfev": 4_000}
        return np.exp(minimize(loss, [0.0, 3.5, -0.5, 0.0], method="Nelder-Mead", options=options).x)

    def ahead(self, parameters: Any, days: int) -> Any:
        """Of who still buys at rate λ, (1 − exp(−λpt)) / p orders in t; λ is integrated out by hand."""
        r, alpha, _, _ = parameters
        p, stays, leaves = self._parts(*parameters)
        both = np.logaddexp.reduce(np.concatenate([stays, leaves], axis=1), axis=1)
        until, x = alpha + self.age[:, None], self.x[:, None]
        each = (1 - ((until + p * days) / until) ** -(r + x)) / p
        return (np.exp(stays - both[:, None]) * each).sum(axis=1)


def held_to_the_fall(days: pd.Series, now: float) -> float:
    """The orders of all in the next 365 days, by a power of the age, from bins of two weeks."""
    ages = np.array([now - each[0] for each in days])
    repeats = [(day - each[0], now - each[0]) for each in days for day in each[1:]]
    since = np.array([day for day, _ in repeats])
    whose = np.array([age for _, age in repeats])
    points = []
    start = 15
    while start + 14 <= ages.max():
        seen = ages >= start + 14
        found = ((since >= start) & (since < start + 14) & (whose >= start + 14)).sum()
        if found >= 30:
            points.append((start + 7, found / (14 * seen.sum())))
        start += 14
    slope, level = np.polyfit(*np.log(np.array(points)).T, 1)
    assert -0.99 < slope < 0
    power = slope + 1
    return float(np.exp(level) / power * ((ages + 365) ** power - np.maximum(ages, 1) ** power).sum())


@pytest.mark.parametrize("by", ["cohort", "tier"])
async def test_clv(tmp_path: Path, by: str) -> None:
    """Fitted again by another search on another form of the likelihood, then times the mean basket."""
    every = cdnow.events(0, shift_days=0, received_at=0)
    events = [event for event in every if int(event.customer_id) % 10 == 1]
    as_of, discount_rate = "1997-12-31T00:00:00Z", 0.1
    history = await history_of(tmp_path, events)
    found = await answer(history, "clv", as_of=as_of, by=by, discount_rate=discount_rate)
    frame = orders(events, as_of)
    frame["day"] = frame["ms"] // DAY_MS
    each = frame.groupby("customer").agg(
        orders=("order", "size"),
        net=("net", "sum"),
        first=("at", "min"),
        days=("day", lambda d: sorted(set(d))),
    )
    now = at(as_of) / DAY_MS
    model = Model(each["days"], now)
    ahead = model.ahead(model.fit(), 365)
    ahead *= held_to_the_fall(each["days"], now) / ahead.sum()
    baskets = each["days"].str.len()
    everybodys = each["net"].sum() / baskets.sum()
    each["ahead"] = ahead
    each["worth"] = ahead * (everybodys + each["net"]) / (1 + baskets) / (1 + discount_rate) ** 0.5
    each["label"] = each["first"].dt.strftime("%Y-%m")
    if by == "tier":
        limits = np.percentile(each["net"], [20, 40, 60, 80], method="inverted_cdf")
        each["label"] = [str(1 + int((limits < net).sum())) for net in each["net"]]
    groups = each.groupby("label").agg(
        customers=("net", "size"),
        orders=("orders", "sum"),
        historic=("net", "sum"),
        worth=("worth", "sum"),
        ahead=("ahead", "mean"),
    )
    if by == "tier":
        groups = groups[::-1]
    assert list(found["label"]) == list(groups.index)
    assert list(found["customers"]) == list(groups["customers"])
    assert list(found["orders"]) == list(groups["orders"])
    assert list(map(plain, found["historic"])) == list(groups["historic"])
    means = np.rint(groups["historic"] / groups["customers"])
    assert list(map(plain, found["historic_each"])) == list(means)
    assert list(map(plain, found["predicted"])) == pytest.approx(list(groups["worth"]), rel=2e-3)
    assert list(found["expected_order_days"]) == pytest.approx(list(groups["ahead"]), rel=2e-3)


async def test_a_day_with_an_order_begins_where_the_business_is(tmp_path: Path) -> None:
    """Orders of half past two and half past three in UTC are on one day there, and on two in Tokyo."""
    events = [bought(f"c-{n}", f"2025-01-01T{hour}:30:00", 900 + n) for n in range(100) for hour in (14, 15)]
    history = await history_of(tmp_path, events)
    for timezone, repeats in (("UTC", False), ("Asia/Tokyo", True)):
        found = await answer(history, "clv", as_of="2025-03-01T00:00:00Z", timezone=timezone)
        assert found["customers"].tolist() == [100]
        assert found["expected_order_days"].notna().tolist() == [repeats]


async def test_clv_of_few_is_history_alone(tmp_path: Path) -> None:
    """Nothing is predicted of a population that is too small to tell."""
    history = await history_of(tmp_path, [bought("a", "2025-01-01", 900), bought("a", "2025-02-01", 100)])
    found = await answer(history, "clv")
    assert plain(found["historic"][0]) == 1_000
    assert found["predicted"][0] is None
