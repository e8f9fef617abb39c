"""Which events does the history's benchmark use? All kinds that the reports read, as a shop has them.

Of 100 events some 25 are orders of one to three lines, 48 views of pages and products, 6 carts, 12 messages
of campaigns with what came of them, 4 registrations and traits, 5 are service, feedback and sales.
Event time rises by a constant step, so that the whole spans `days`; everything follows from `seed`.
"""

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from schemas.events import (
    CampaignClicked,
    CampaignOpened,
    CampaignSent,
    CartUpdated,
    CouponRedeemed,
    CustomerEvent,
    CustomerRegistered,
    LeadCaptured,
    LifecycleChanged,
    OpportunityClosed,
    OpportunityOpened,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    PageViewed,
    ProductViewed,
    ReviewPosted,
    SurveyAnswered,
    TicketOpened,
    TicketResolved,
    TraitsUpdated,
)

DAY_MS = 86_400_000
CITIES = ("Berlin", "Paris", "Wien", "上海", "Roma", "Oslo")
COUNTRIES = ("DE", "FR", "AT", "CN", "IT", "NO")
PRODUCTS, CATEGORIES, CAMPAIGNS, COUPONS, STORES = 1_000, 25, 60, 50, 20
WEIGHTS = (
    ("order", 2500), ("page", 3600), ("product", 1200), ("cart", 600), ("sent", 800), ("opened", 280),
    ("clicked", 90), ("redeemed", 30), ("registered", 300), ("traits", 100), ("ticket", 100),
    ("resolved", 85), ("survey", 120), ("review", 65), ("refunded", 45), ("cancelled", 20), ("lead", 25),
    ("deal", 25), ("closed", 15),
)  # fmt: skip


def generate(
    count: int, customers: int, *, end_ms: int, days: int = 730, seed: int = 7
) -> Iterator[CustomerEvent]:
    """`count` events of up to `customers` customers, in event-time order, the last one at `end_ms`."""
    rng = random.Random(seed)
    makers = _Makers(rng)
    start_ms, step = end_ms - days * DAY_MS, days * DAY_MS / max(count, 1)
    kinds = [name for name, weight in WEIGHTS for _ in range(weight // 5)]
    channels = ("web", "app", "store", "phone")
    for n in range(count):
        # some buy much more than others, and everybody comes at a time of their own
        customer = int(customers * rng.random() ** 1.5)
        at = start_ms + int((n + 1) * step)
        common: dict[str, Any] = {
            "event_id": str(UUID(int=rng.getrandbits(128), version=4)),
            "customer_id": f"c{customer:08d}",
            "occurred_at": at,
            "received_at": at + rng.randrange(60_000),
            "source": ("shop", "crm", "app")[n % 3],
            "channel": channels[rng.randrange(4)],
        }
        yield makers.make(kinds[rng.randrange(len(kinds))], n, common)


def stages(orders: Iterator[tuple[str, int]]) -> Iterator[LifecycleChanged]:
    """What the default rules announce of (customer, time of an order), in order of time, of each customer."""
    last: dict[str, tuple[int, int]] = {}  # customer -> orders, time of the latest
    stage: dict[str, str] = {}
    rng = random.Random(11)

    def told(customer: str, at: int, to: str) -> LifecycleChanged:
        before, stage[customer] = stage.get(customer), to
        return LifecycleChanged(
            event_id=str(UUID(int=rng.getrandbits(128), version=4)),
            customer_id=customer,
            occurred_at=at,
            received_at=at,
            from_stage=before,
            to_stage=to,
            reason="the benchmark's",
            late=False,
            rules_version="1",
            cause_topic="headwater.events",
            cause_partition=0,
            cause_offset=0,
        )

    for customer, at in orders:
        count, previous = last.get(customer, (0, at))
        silence = (at - previous) // DAY_MS
        for days, name in (
            (60 if count == 1 else 90, "at_risk"),
            (180, "dormant"),
            (365, "churned"),
        ):
            if silence > days:
                yield told(customer, previous + (days + 1) * DAY_MS, name)
        to = "new" if not count else "won_back" if silence > 180 else "active"
        if stage.get(customer) != to:
            yield told(customer, at, to)
        last[customer] = count + 1, at


class _Makers:
    """One method a kind of event; what a later event is about is remembered here."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        # some of the latest, for a later event to be about: (what, customer)
        self._orders: list[tuple[str, str]] = []
        self._tickets: list[tuple[str, str]] = []
        self._deals: list[tuple[str, str]] = []
        self._messages: list[tuple[str, str]] = []

    def make(self, kind: str, n: int, common: dict[str, Any]) -> CustomerEvent:
        made: CustomerEvent = getattr(self, f"_{kind}")(n, common)
        return made

    def _keep(self, where: list[tuple[str, str]], what: str, common: dict[str, Any]) -> None:
        where.append((what, common["customer_id"]))
        if len(where) > 1_000:
            where[self._rng.randrange(1_000)] = where.pop()

    def _about(self, where: list[tuple[str, str]], common: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """One of the latest, and what is common to events of its customer."""
        what, customer = where.pop(self._rng.randrange(len(where))) if where else ("0", common["customer_id"])
        return what, common | {"customer_id": customer}

    def _sku(self) -> int:
        return int(PRODUCTS * self._rng.random() ** 2)

    def _order(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        lines, amount = [], 0
        for _ in range(1 + self._rng.randrange(3)):
            sku, quantity = self._sku(), 1 + self._rng.randrange(2)
            price = 200 + (sku * 37) % 5_000
            lines.append(
                OrderLine(
                    sku=f"sku-{sku}",
                    category=f"category {sku % CATEGORIES}",
                    quantity=quantity,
                    unit_price_minor=price,
                    cost_minor=price * 6 // 10,
                )
            )
            amount += price * quantity
        discount = amount // 10 if n % 5 == 0 else None
        if n % 16 == 0:
            self._keep(self._orders, f"o{n}", common)
        return OrderPlaced(
            **common,
            order_id=f"o{n}",
            amount_minor=amount - (discount or 0),
            currency="USD",
            discount_minor=discount,
            coupon=f"coupon {n % COUPONS}" if discount else None,
            store=f"store {self._rng.randrange(STORES)}",
            lines=tuple(lines),
        )

    def _page(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        url = ("/", "/search", "/basket", "/help")[n % 4] if n % 3 else f"/p/{self._rng.randrange(200)}"
        return PageViewed(**common, url=url, session_id=_visit(n, common))

    def _product(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        sku = self._sku()
        category = f"category {sku % CATEGORIES}"
        return ProductViewed(**common, sku=f"sku-{sku}", category=category, session_id=_visit(n, common))

    def _cart(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        return CartUpdated(**common, action="added", sku=f"sku-{self._sku()}", session_id=_visit(n, common))

    def _sent(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        campaign = self._rng.randrange(CAMPAIGNS)
        if n % 4 == 0:
            self._keep(self._messages, f"{campaign} m{n}", common)
        return CampaignSent(
            **common | {"channel": "email"},
            campaign_id=f"campaign {campaign}",
            message_id=f"m{n}",
            variant=("a", "b", "control")[n % 3],
            cost_minor=2,
            currency="USD",
        )

    def _opened(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._messages, common)
        self._keep(self._messages, what, common)
        campaign, _, message = what.partition(" ")
        return CampaignOpened(
            **common, campaign_id=f"campaign {campaign}", message_id=message, is_automatic=n % 5 == 0
        )

    def _clicked(self, _: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._messages, common)
        campaign, _, message = what.partition(" ")
        return CampaignClicked(**common, campaign_id=f"campaign {campaign}", message_id=message)

    def _redeemed(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._orders, common)
        return CouponRedeemed(
            **common,
            coupon=f"coupon {n % COUPONS}",
            campaign_id=f"campaign {n % CAMPAIGNS}",
            order_id=what,
            discount_minor=150,
            currency="USD",
        )

    def _registered(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        where = n % len(CITIES)
        traits = {
            "city": CITIES[where],
            "country": COUNTRIES[where],
            "email": f"{common['customer_id']}@example.org",
        }
        return CustomerRegistered(**common, traits=traits)

    def _traits(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        return TraitsUpdated(**common, traits={"city": CITIES[n % len(CITIES)]})

    def _ticket(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        self._keep(self._tickets, f"t{n}", common)
        return TicketOpened(**common, ticket_id=f"t{n}", category=("delivery", "billing", "defect")[n % 3])

    def _resolved(self, _: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._tickets, common)
        at = common["occurred_at"]
        return TicketResolved(**common, ticket_id=what, resolution="solved", first_reply_at=at - 60_000)

    def _survey(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        kind, question = (
            ("nps", "recommend"),
            ("csat", "satisfied"),
            ("ces", "easy"),
            ("loyalty", "buy_again"),
        )[n % 4]
        score = self._rng.randrange(11)
        return SurveyAnswered(**common, survey="after the order", question=question, kind=kind, score=score)

    def _review(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        return ReviewPosted(
            **common, review_id=f"r{n}", sku=f"sku-{self._sku()}", rating=self._rng.randrange(6), rating_max=5
        )

    def _refunded(self, _: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._orders, common)
        return OrderRefunded(**common, order_id=what, amount_minor=100, currency="USD")

    def _cancelled(self, _: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._orders, common)
        return OrderCancelled(**common, order_id=what)

    def _lead(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        return LeadCaptured(**common, lead_id=f"l{n}", origin=("form", "fair", "call")[n % 3])

    def _deal(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        self._keep(self._deals, f"d{n}", common)
        stage, amount = ("qualified", "proposal", "negotiation")[n % 3], self._rng.randrange(500_000)
        return OpportunityOpened(
            **common, opportunity_id=f"d{n}", stage=stage, amount_minor=amount, currency="USD"
        )

    def _closed(self, n: int, common: dict[str, Any]) -> CustomerEvent:
        what, common = self._about(self._deals, common)
        outcome = ("won", "lost")[n % 2]
        competitor = "Acme" if outcome == "lost" else None
        return OpportunityClosed(**common, opportunity_id=what, outcome=outcome, competitor=competitor)


def _visit(n: int, common: dict[str, Any]) -> str:
    return f"{common['customer_id']}-{n // 100_000}"
