"""What came of campaigns, coupons and referrals: is it what pandas says of the events?"""

import asyncio
from collections.abc import Iterator
from math import hypot
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from history.store import History
from schemas.events import (
    BaseCurrencySet,
    CampaignBounced,
    CampaignClicked,
    CampaignComplained,
    CampaignOpened,
    CampaignPlanned,
    CampaignSent,
    CampaignUnsubscribed,
    CouponRedeemed,
    DecisionDeferred,
    Event,
    ExchangeRateSet,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
    ReferralMade,
    TriggerDecided,
)
from schemas.values import instant
from tests import recomputed, reporting
from tests.decisions import Decided
from tests.recomputed import DAY_MS, Money
from tests.reporting import answer, history_of

END, MIDDLE = "2025-06-30T00:00:00Z", "2025-04-20T00:00:00Z"
HOUR_MS = 3_600_000
ANSWERS = {
    "opened": CampaignOpened,
    "clicked": CampaignClicked,
    "bounced": CampaignBounced,
    "complained": CampaignComplained,
    "unsubscribed": CampaignUnsubscribed,
}


def story(customers: int = 400) -> Iterator[Event]:
    """Half a year by a fixed seed: currencies with a rate or none, refunds, cancellations, repeats."""
    random, number = np.random.default_rng(5), 0
    start = instant("2025-01-01T00:00:00Z")

    def known(at: int, customer: str | None = None) -> dict[str, Any]:
        nonlocal number
        number += 1
        stamp = {"event_id": str(UUID(int=number)), "occurred_at": int(at), "received_at": int(at)}
        return stamp | ({"customer_id": customer} if customer else {})

    def maybe(share: float) -> bool:
        return bool(random.random() < share)

    yield BaseCurrencySet(**known(start), currency="EUR")
    yield ExchangeRateSet(**known(start), currency="USD", base_currency="EUR", rate="0.9137")
    yield ExchangeRateSet(**known(start + 120 * DAY_MS), currency="JPY", base_currency="EUR", rate="0.0061")
    for name, budget in (("春の🌸", 90_000), ("summer", None), ("unsent", 5_000)):
        plan = known(start) | {"campaign_id": f"c-{name}", "name": name, "starts_on": 20_100 + len(name)}
        yield CampaignPlanned(
            **plan, budget_minor=budget, currency="USD" if budget else None, audience_size=300
        )
    orders: dict[str, list[tuple[str, int]]] = {}
    for who in range(customers):
        customer = f"c{who}"
        for place in range(random.integers(0, 5)):
            at, order = start + int(random.integers(0, 180 * DAY_MS)), f"o{who}-{place}"
            currency = str(random.choice(["EUR", "EUR", "USD", "JPY", "GBP"]))
            told = {
                "order_id": order,
                "amount_minor": int(random.integers(100, 20_000)),
                "currency": currency,
            }
            discount = int(random.integers(10, 900)) if maybe(0.4) else None
            coupon = str(random.choice(["SPRING", "VIP"])) if maybe(0.2) else None
            yield OrderPlaced(**known(at, customer), **told, discount_minor=discount, coupon=coupon)
            orders.setdefault(customer, []).append((order, at))
            if maybe(0.1):
                back = {"order_id": order, "amount_minor": 50, "currency": currency}
                yield OrderRefunded(**known(at + DAY_MS, customer), **back)
            if maybe(0.1):
                yield OrderCancelled(**known(at + 2 * DAY_MS, customer), order_id=order)
        for campaign in ("c-春の🌸", "c-summer", "c-ad hoc"):
            at = start + int(random.integers(0, 150 * DAY_MS))
            for send in range(random.choice([0, 1, 1, 2])):
                at += send * 5 * DAY_MS
                message = f"m{number}" if maybe(0.5) else None
                named = {"campaign_id": campaign, "message_id": message}
                variant = None if campaign == "c-ad hoc" else str(random.choice(["a", "b", "Control"]))
                cost = int(random.integers(1, 30)) if maybe(0.8) else None
                sent = {"variant": variant, "cost_minor": cost, "currency": "USD" if cost else None}
                yield CampaignSent(**known(at, customer), **named, **sent)
                if number % 10 == 0:  # told again
                    yield CampaignSent(**known(at + DAY_MS, customer), **named, **sent)
                for what, share in (
                    ("opened", 0.5),
                    ("clicked", 0.3),
                    ("bounced", 0.1),
                    ("complained", 0.05),
                ):
                    if maybe(share):
                        more = {"kind": "hard"} if what == "bounced" else {}
                        more |= {"is_automatic": maybe(0.3)} if what == "opened" else {}
                        after = at + int(random.integers(0, 8 * DAY_MS))
                        yield ANSWERS[what](**known(after, customer), **named, **more)
                if maybe(0.05):
                    yield CampaignUnsubscribed(**known(at + HOUR_MS, customer), **named)
            if maybe(0.3):
                order, placed = orders.get(customer, [("nowhere", at)])[0]
                of = {
                    "campaign_id": campaign if maybe(0.8) else None,
                    "order_id": order if maybe(0.8) else None,
                }
                off = (
                    {"discount_minor": int(random.integers(1, 500)), "currency": "USD"} if maybe(0.7) else {}
                )
                code = str(random.choice(["SPRING", "VIP", "WELCOME"]))
                yield CouponRedeemed(
                    **known(placed + int(random.integers(0, 9)) * DAY_MS, customer), coupon=code, **of, **off
                )
        if maybe(0.3):
            at = start + int(random.integers(0, 150 * DAY_MS))
            friend = f"c{random.integers(customers)}" if maybe(0.6) else None
            email = f"{who}@example.org" if maybe(0.7) else None
            programme = str(random.choice(["friends", "朋友"])) if maybe(0.7) else None
            reward = {"reward_minor": int(random.integers(100, 999)), "currency": "USD"} if maybe(0.6) else {}
            about = {
                "referred_customer_id": friend,
                "email": email,
                "referral_code": "CODE" if maybe(0.5) else None,
            }
            for again in range(random.integers(1, 3)):
                by_email = {"referred_customer_id": None} if again == 0 and email and maybe(0.5) else {}
                yield ReferralMade(
                    **known(at + again * DAY_MS, customer),
                    **about | by_email,
                    campaign_id=programme,
                    **reward,
                )


def decisions() -> Iterator[Event]:
    """What two triggers decided of each customer: the first counts, whatever came later."""
    random, start = np.random.default_rng(6), instant("2025-02-01T00:00:00Z")
    for who in range(400):
        for trigger in ("win-back", "welcome"):
            for _ in range(random.integers(0, 3)):
                decided = Decided(f"c{who}", trigger, start + int(random.integers(0, 140 * DAY_MS)))
                verdict = str(random.choice(["send", "send", "holdout", "quiet", "capped", "waits"]))
                yield decided.waits() if verdict == "waits" else decided.ends(verdict)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return sorted([*story(), *decisions()], key=lambda event: event.occurred_at)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> History:
    return asyncio.run(history_of(tmp_path_factory.mktemp("promotion"), events))


def responses(events: list[Event], as_of: str) -> pd.DataFrame:
    """Each message, once, and what came of it: of its id, else as the latest of the campaign before."""
    money = Money(events, as_of)
    sends = recomputed.table(events, CampaignSent, as_of).sort_values("occurred_at")
    again = sends.duplicated(["customer_id", "campaign_id", "message_id"])
    sends = sends[~again | sends["message_id"].isna()].copy()
    sends["cost"] = [money(*each) for each in zip(sends["cost_minor"], sends["currency"], strict=True)]
    redeemed = recomputed.table(events, CouponRedeemed, as_of).dropna(subset=["campaign_id"])
    kinds = {name: recomputed.table(events, kind, as_of) for name, kind in ANSWERS.items()}
    kinds["opened"] = kinds["opened"][~kinds["opened"]["is_automatic"].astype(bool)]
    kinds["redeemed"] = redeemed.assign(message_id=None)
    for name, told in kinds.items():
        hit = set()
        for row in told.itertuples():
            same = sends[
                (sends["customer_id"] == row.customer_id) & (sends["campaign_id"] == row.campaign_id)
            ]
            if isinstance(row.message_id, str):
                hit |= set(same.index[same["message_id"] == row.message_id])
            elif len(before := same[same["occurred_at"] <= row.occurred_at]):
                hit.add(before.index[-1])
        sends[name] = sends.index.isin(list(hit))
    for name in kinds:
        sends[name] &= (name == "bounced") | ~sends["bounced"]
    return sends.assign(delivered=~sends["bounced"])


def over(part: float, whole: float) -> float | None:
    return None if pd.isna(whole) or pd.isna(part) or not whole else part / whole


def same(found: object, expected: object) -> bool:
    return (pd.isna(found) and pd.isna(expected)) or found == expected  # type: ignore[call-overload,no-any-return]


COUNTS = ("delivered", "opened", "clicked", "redeemed", "unsubscribed", "complained")


@pytest.mark.parametrize("as_of", [END, MIDDLE])
async def test_campaigns_are_counted_and_set_against_their_plan(
    history: History, events: list[Event], as_of: str
) -> None:
    """Every campaign that was planned or sent, its rates, cost, budget, and the orders of its coupons."""
    sends, money = responses(events, as_of), Money(events, as_of)
    plans = recomputed.table(events, CampaignPlanned, as_of).set_index("campaign_id")
    used = recomputed.table(events, CouponRedeemed, as_of).dropna(subset=["campaign_id", "order_id"])
    used = used[["campaign_id", "customer_id", "order_id"]].drop_duplicates()
    bought = used.merge(recomputed.orders(events, as_of)[["customer_id", "order_id", "net"]])
    found = await answer(history, "campaigns", as_of=as_of)
    assert set(found["campaign"]) == {*sends["campaign_id"], *plans.index, *bought["campaign_id"]}
    moneys = {name: recomputed.minor(found[name]) for name in ("cost", "budget", "revenue")}
    for at, row in enumerate(found.itertuples()):
        of = sends[sends["campaign_id"] == row.campaign]
        counts = [int(of[name].sum()) for name in COUNTS]
        assert [getattr(row, name) for name in COUNTS] == counts
        assert (row.sent, row.customers) == (len(of), of["customer_id"].nunique())
        delivered, opened, clicked, redeemed, unsubscribed, complained = counts
        assert same(row.delivery_rate, over(delivered, len(of)))
        for rate, count in (
            *((row.open_rate, opened), (row.click_rate, clicked), (row.redeem_rate, redeemed)),
            *((row.unsubscribe_rate, unsubscribed), (row.complaint_rate, complained)),
        ):
            assert same(rate, over(count, delivered))
        plan = plans.loc[row.campaign] if row.campaign in plans.index else None
        cost = of["cost"].sum(min_count=1)
        budget = None if plan is None else money(plan["budget_minor"], plan["currency"])
        revenue = bought[bought["campaign_id"] == row.campaign]["net"].sum(min_count=1)
        for name, expected in (("cost", cost), ("budget", budget), ("revenue", revenue)):
            assert same(moneys[name][at], expected), name
        assert same(row.spent, over(cost, budget if budget else np.nan))
        assert same(row.revenue_per_cost, over(revenue, cost))
        assert row.name == (row.campaign if plan is None else plan["name"])
        assert same(row.audience_size, None if plan is None else plan["audience_size"])
    (one,) = (await answer(history, "campaigns", as_of=as_of, campaign="c-春の🌸"))["campaign"]
    assert one == "c-春の🌸"


@pytest.mark.parametrize(
    ("as_of", "timezone", "asked", "begins"),
    [
        (END, "UTC", {"since": "2025-03-01"}, "2025-03-01"),
        (END, "America/New_York", {}, "2025-03-31"),
        (MIDDLE, "Asia/Tokyo", {"campaign": "c-summer", "since": "2025-02-20"}, "2025-02-20"),
        (MIDDLE, "UTC", {"campaign": "c-ad hoc"}, "2025-01-01"),
    ],
)
async def test_campaign_response_is_by_the_cell_before_it(
    history: History, events: list[Event], as_of: str, timezone: str, asked: dict[str, str], begins: str
) -> None:
    """Scores as of the first message, over all with an order by then; who has none is counted in no cell."""
    start = pd.Timestamp(begins, tz=timezone).timestamp() * 1000

    def of(told: pd.DataFrame) -> pd.DataFrame:
        mine = told["campaign_id"] == asked.get("campaign", told["campaign_id"])
        return told[mine & (told["occurred_at"] >= start)]

    sends = of(responses(events, as_of))
    first = int(of(recomputed.table(events, CampaignSent, as_of))["occurred_at"].min())
    scored_at = pd.Timestamp(first, unit="ms", tz="UTC").isoformat()
    orders = recomputed.orders(events, scored_at)
    each = orders.groupby("customer_id").agg(number=("order_id", "size"), last=("at", "max"))
    each["days"] = (first - each["last"]) // DAY_MS

    def above(values: np.ndarray) -> np.ndarray:
        return (values[:, None] > np.percentile(values, [20, 40, 60, 80], method="inverted_cdf")).sum(axis=1)

    cells = pd.DataFrame(
        {"r": 5 - above(each["days"].to_numpy()), "f": 1 + above(each["number"].to_numpy())}, each.index
    )
    sends = sends.join(cells, on="customer_id")
    expected = sends.groupby(["r", "f"], dropna=False).agg(
        customers=("customer_id", "nunique"), sent=("customer_id", "size"),
        **{name: (name, "sum") for name in COUNTS[:4]},
    ).reset_index()  # fmt: skip
    for rate, name in (("open_rate", "opened"), ("click_rate", "clicked"), ("redeem_rate", "redeemed")):
        expected[rate] = expected[name] / expected["delivered"]
    expected = expected.sort_values(["r", "f"], ascending=False).reset_index(drop=True)
    found = await answer(history, "campaign_cells", as_of=as_of, timezone=timezone, **asked)
    pd.testing.assert_frame_equal(found, expected[list(found)], check_dtype=False)


async def test_messages_of_a_day_to_come_have_no_cells(history: History) -> None:
    """The note says what to ask instead."""
    found = await reporting.told(history, "campaign_cells", as_of=MIDDLE, since="2025-05-01")
    assert (found.table.num_rows, found.note) == (
        0,
        "2025-05-01 is after 2025-04-20: ask since an earlier day.",
    )


@pytest.mark.parametrize("as_of", [END, MIDDLE])
async def test_coupons_are_counted_with_their_orders(
    history: History, events: list[Event], as_of: str
) -> None:
    """A use is told, or named by an order; a cancelled order's is none; who had not ordered before is new."""
    money, orders = Money(events, as_of), recomputed.orders(events, as_of)
    facts = {(row.customer_id, row.order_id): row for row in orders.itertuples()}
    firsts = orders.groupby("customer_id")["at"].min().to_dict()
    cancelled = recomputed.table(events, OrderCancelled, as_of)
    gone = set(zip(cancelled["customer_id"], cancelled["order_id"], strict=True))
    uses: dict[tuple[str, str, str], list[Any]] = {}
    for at, row in enumerate(recomputed.table(events, CouponRedeemed, as_of).itertuples()):
        order = row.order_id if isinstance(row.order_id, str) else f"none {at}"
        if (row.customer_id, order) not in gone:
            use = uses.setdefault((row.coupon, row.customer_id, order), [])
            use.append((row.occurred_at, money(row.discount_minor, row.currency)))
    for (customer, order), fact in facts.items():
        if isinstance(fact.coupon, str):
            uses.setdefault((fact.coupon, customer, order), [])
    rows = []
    for (coupon, customer, order), told in uses.items():
        fact = facts.get((customer, order))
        discounts = [discount for _, discount in told if discount is not None]
        given = None if fact is None or pd.isna(fact.discount) else fact.discount
        at = fact.at if fact else min(at for at, _ in told)
        rows.append(
            (
                coupon,
                customer,
                at,
                fact is not None,
                sum(discounts) if discounts else given,
                fact.net if fact else None,
            )
        )
    each = pd.DataFrame(rows, columns=["coupon", "customer", "at", "is_order", "discount", "net"])
    each = each.astype({"discount": "Int64", "net": "Int64"})
    found = await answer(history, "coupons", as_of=as_of)
    sizes = each["coupon"].value_counts()
    assert list(found["coupon"]) == sorted(sizes.index, key=lambda coupon: (-sizes[coupon], coupon))
    moneys = {name: recomputed.minor(found[name]) for name in ("discount", "net", "average_order")}
    for at, row in enumerate(found.itertuples()):
        of = each[each["coupon"] == row.coupon]
        began = of.groupby("customer")["at"].min()
        new = sum(firsts.get(customer, when) >= when for customer, when in began.items())
        placed, net, discount = int(of["is_order"].sum()), of["net"].sum(), of["discount"].sum()
        assert (row.redemptions, row.customers, row.new_customers) == (len(of), len(began), new)
        assert (row.new_share, row.orders) == (new / len(began), placed)
        assert [moneys[name][at] for name in ("discount", "net")] == [discount, net]
        assert moneys["average_order"][at] == round(net / placed)
        assert row.discount_rate == discount / (net + discount)


@pytest.mark.parametrize(
    ("as_of", "by", "timezone"),
    [(END, "programme", "UTC"), (MIDDLE, "referrer", "UTC"), (MIDDLE, "month", "Asia/Tokyo")],
)
async def test_referrals_count_for_the_first_who_recommended(
    history: History, events: list[Event], as_of: str, by: str, timezone: str
) -> None:
    """What is told again is one; the month is that of where the business is, and null until it is over."""
    money, orders = Money(events, as_of), recomputed.orders(events, as_of)
    made = recomputed.table(events, ReferralMade, as_of)
    made = made.sort_values("occurred_at", kind="stable")
    of_email = made.groupby(["customer_id", "email"])["referred_customer_id"].transform("first")
    made["referred_customer_id"] = made["referred_customer_id"].fillna(of_email)
    made["whom"] = (
        made["referred_customer_id"]
        .fillna(made["email"])
        .fillna(made["referral_code"])
        .fillna(made["event_id"])
    )
    made["worth"] = [money(*each) for each in zip(made["reward_minor"], made["currency"], strict=True)]
    each = made.groupby(["customer_id", "whom"]).agg(
        first=("occurred_at", "first"), friend=("referred_customer_id", "first"),
        programme=("campaign_id", "last"), reward=("worth", "last"),
    ).reset_index()  # fmt: skip
    known = each.dropna(subset=["friend"]).sort_values(["first", "customer_id"]).drop_duplicates("friend")
    net = {}
    for row in known.itertuples():
        after = orders[(orders["customer_id"] == row.friend) & (orders["at"] >= row.first)]
        if len(after):
            net[row.Index] = after["net"].sum(min_count=1)
    each["referred"], each["converted"] = each.index.isin(known.index), each.index.isin(list(net))
    each["net"] = pd.Series(net, index=each.index, dtype="Int64")
    months = pd.to_datetime(each["first"], unit="ms", utc=True).dt.tz_convert(timezone).dt.strftime("%Y-%m")
    each["of"] = {"programme": each["programme"], "referrer": each["customer_id"], "month": months}[by]
    found = await answer(history, "referrals", as_of=as_of, by=by, timezone=timezone, rows=10_000)
    groups = {("" if pd.isna(of) else of): group for of, group in each.groupby("of", dropna=False)}
    assert len(found) == len(groups) > 2
    running = pd.Timestamp(as_of).tz_convert(timezone).strftime("%Y-%m") if by == "month" else None
    assert running is None or running in groups
    for row, reward, worth in zip(
        found.itertuples(), recomputed.minor(found["reward"]), recomputed.minor(found["net"]), strict=True
    ):
        of = groups["" if pd.isna(row.of) else row.of]
        if row.of == running:
            assert pd.isna(list(row[2:])).all()
            continue
        assert (row.referrers, row.referrals) == (of["customer_id"].nunique(), len(of))
        assert (row.referred, row.converted) == (of["referred"].sum(), of["converted"].sum())
        assert row.conversion == of["converted"].sum() / len(of)
        assert same(reward, of["reward"].sum(min_count=1))
        assert same(worth, of["net"].sum(min_count=1))


@pytest.mark.parametrize(("as_of", "days"), [(END, 30), (MIDDLE, 14)])
async def test_uplift_is_by_the_first_and_its_interval_is_newcombes(
    history: History, events: list[Event], as_of: str, days: int
) -> None:
    """Triggers by intention to treat, campaigns by their control; by SciPy's Wilson intervals."""
    decided = recomputed.table(events, TriggerDecided, as_of)
    decided = decided[decided["verdict"].isin(["send", "holdout", "quiet"])]
    waiting = recomputed.table(events, DecisionDeferred, as_of).assign(verdict="send")
    meant = pd.concat([decided, waiting])[["trigger", "customer_id", "occurred_at", "verdict"]]
    triggers = meant.assign(kind="trigger", name=meant["trigger"], held_out=meant["verdict"] == "holdout")
    sends = recomputed.table(events, CampaignSent, as_of)
    held_out = sends["variant"].fillna("").str.lower() == "control"
    sends = sends.assign(kind="campaign", name=sends["campaign_id"], held_out=held_out)
    sends = sends[sends["name"].isin(sends["name"][held_out])]
    columns = ["kind", "name", "customer_id", "occurred_at", "held_out"]
    each = pd.concat([triggers[columns], sends[columns]]).sort_values("occurred_at", kind="stable")
    each = each.drop_duplicates(["kind", "name", "customer_id"])
    each = each[each["occurred_at"] + days * DAY_MS <= instant(as_of)]
    placed = {who: np.array(at) for who, at in recomputed.orders(events, as_of).groupby("customer_id")["at"]}
    each["ordered"] = [
        bool(
            np.any(
                (placed.get(who, np.array([])) > at) & (placed.get(who, np.array([])) <= at + days * DAY_MS)
            )
        )
        for who, at in zip(each["customer_id"], each["occurred_at"], strict=True)
    ]
    found = await answer(history, "uplift", as_of=as_of, days=days)
    assert list(zip(found["kind"], found["name"], strict=True)) == [
        ("trigger", "welcome"), ("trigger", "win-back"), ("campaign", "c-summer"), ("campaign", "c-春の🌸"),
    ]  # fmt: skip
    for row in found.itertuples():
        of = each[(each["kind"] == row.kind) & (each["name"] == row.name)]
        arms = [of[~of["held_out"]]["ordered"], of[of["held_out"]]["ordered"]]
        (a, m), (b, n) = [(int(arm.sum()), len(arm)) for arm in arms]
        assert (row.told_ordered, row.told, row.held_out_ordered, row.held_out) == (a, m, b, n)
        p, q = a / m, b / n
        assert (row.told_rate, row.held_out_rate, row.difference) == (p, q, p - q)
        told, held = (binomtest(*arm).proportion_ci(0.95, method="wilson") for arm in ((a, m), (b, n)))
        assert row.low == pytest.approx(p - q - hypot(p - told.low, held.high - q), abs=1e-9)
        assert row.high == pytest.approx(p - q + hypot(told.high - p, q - held.low), abs=1e-9)
        assert row.enough == ("yes" if min(m, n) >= 100 else "no")
