"""Which written history do the tests of reports ask? A small shop's, with all that makes numbers go wrong.

Customers without an order, null traits, Chinese and emoji; euros with a rate, pounds without one; orders that
are cancelled or refunded later; repeats, late arrivals. Everything follows from a seed.
"""

import random
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

import msgspec
import pandas as pd

from schemas.events import (
    BaseCurrencySet,
    CustomerEvent,
    CustomerRegistered,
    Event,
    ExchangeRateSet,
    LeadCaptured,
    LifecycleChanged,
    OpportunityClosed,
    OpportunityOpened,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    PageViewed,
    SegmentChanged,
    SurveyAnswered,
    TicketOpened,
    TicketResolved,
    TraitsUpdated,
)
from tests import cdnow

DAY_MS = 86_400_000
START_MS = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
DAYS = 700
RATES = {"USD": Decimal(1), "EUR": Decimal("1.25")}  # none for GBP
CITIES = ("Berlin", "北京", "São Paulo", "🏙️ Metro", "", "O'Hara")
COUNTRIES = ("DE", "cn", "Brasil", "中国", "XX", "D3")
EMAILS = ("ann@example.org", "王@例子.中国", "no-at.example.org", "two@@example.org", "a b@example.org")
PHONES = ("+49 30 123456", "(555) 010-9999", "call me", "12", "+86-10-1234-5678")
BIRTHDAYS = ("1990-02-28", "1990-02-30", "2090-01-01", "19900228")
REASONS = ("too expensive", "送货太慢", "", None)


class Shop:
    """Writes events one after another, from one seed."""

    def __init__(self, seed: int, customers: int) -> None:
        self.rng = random.Random(seed)
        self.events: list[Event] = []
        self.customers = customers

    def stamp(self, at: int, delay_ms: int = 0) -> dict[str, object]:
        event_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        return {"event_id": event_id, "occurred_at": at, "received_at": at + delay_ms}

    def of(self, customer_id: str, at: int) -> dict[str, object]:
        delay = self.rng.choice([0, 1_000, 3_600_000, 30 * 3_600_000])
        return self.stamp(at, delay) | {
            "customer_id": customer_id,
            "source": self.rng.choice(["api", "pos", "crm"]),
            "channel": self.rng.choice(["web", "app", "店", None]),
        }

    def at(self, since: int = START_MS) -> int:
        return since + int(self.rng.random() * (START_MS + DAYS * DAY_MS - since))

    def write(self) -> list[Event]:
        self.events += [
            BaseCurrencySet(currency="USD", **self.stamp(0)),
            ExchangeRateSet(currency="EUR", base_currency="USD", rate="1.25", **self.stamp(0)),
        ]
        for number in range(self.customers):
            self.customer(f"客户-{number}" if number % 7 == 0 else f"c{number:03}")
        return sorted(self.events, key=lambda event: event.occurred_at)

    def customer(self, who: str) -> None:
        rng, first = self.rng, self.at()
        self.events.append(PageViewed(url="https://shop/x", **self.of(who, first)))
        if rng.random() < 0.7:
            self.profile(who, first)
        ordered = [
            self.order(who, f"{who}-{n}", self.at(first)) for n in range(rng.choice([0, 1, 1, 2, 3, 6]))
        ]
        for kind, question, least, most in (
            ("nps", "recommend", 0, 10),
            ("csat", "order", 1, 5),
            ("ces", "easy", 1, 7),
            ("loyalty", "Buy AGAIN?", 1, 5),
            ("loyalty", "buy_more", 0, 10),
            ("loyalty", "would_recommend", 1, 4),
            ("loyalty", "something else", 1, 4),
        ):
            for _ in range(rng.choice([0, 0, 1, 2])):
                score = float(rng.randint(least, most))
                text = rng.choice([None, "", "太慢了 🐌", "good"])
                scale = {"kind": kind, "question": question, "scale_min": least, "scale_max": most}
                told = self.of(who, self.at(first)) | {"survey": rng.choice(["after", "年度"])}
                self.events.append(SurveyAnswered(score=score, text=text, **scale, **told))
        for n in range(rng.choice([0, 0, 1, 2])):
            self.ticket(who, f"{who}-t{n}", self.at(first))
        if rng.random() < 0.3:
            self.opportunity(who, self.at(first))
        if rng.random() < 0.8:
            self.stages(who, max([first, *ordered]))

    def profile(self, who: str, first: int) -> None:
        rng = self.rng
        known = {
            "city": CITIES,
            "country": COUNTRIES,
            "email": EMAILS,
            "phone": PHONES,
            "birthday": BIRTHDAYS,
        }
        traits = {name: rng.choice(values) for name, values in known.items() if rng.random() < 0.6}
        kind = rng.choice(["person", "person", "organisation"])
        self.events.append(CustomerRegistered(traits=traits, kind=kind, **self.of(who, self.at(first))))
        if rng.random() < 0.4:
            traits, removed = {"region": rng.choice(["North", "南", ""])}, ("city",)
            told = self.of(who, self.at(first))
            self.events.append(
                TraitsUpdated(traits=traits, removed=removed if rng.random() < 0.5 else (), **told)
            )
        if rng.random() < 0.3:
            email, phone = rng.choice([*EMAILS, None]), rng.choice([*PHONES, None])
            self.events.append(
                LeadCaptured(lead_id=who, email=email, phone=phone, **self.of(who, self.at(first)))
            )

    def order(self, who: str, order_id: str, at: int) -> int:
        rng = self.rng
        amount = rng.choice([0, *[rng.randrange(100, 30_000)] * 9])
        currency = rng.choice(["USD", "USD", "EUR", "GBP"])
        lines = tuple(
            OrderLine(
                sku=f"sku-{rng.randrange(5)}",
                quantity=rng.randrange(1, 4),
                unit_price_minor=rng.randrange(10, 9_000),
                category=rng.choice([None, "书"]),
                cost_minor=rng.choice([None, 5]),
            )
            for _ in range(rng.choice([0, 1, 2]))
        )
        extras = {
            "tax_minor": rng.choice([None, amount // 6, amount + 1]),
            "shipping_minor": rng.choice([None, 0, 490]),
            "discount_minor": rng.choice([None, 0, 1_000]),
            "store": rng.choice([None, "Mitte"]),
        }
        placed = OrderPlaced(
            order_id=order_id,
            amount_minor=amount,
            currency=currency,
            lines=lines,
            **extras,
            **self.of(who, at),
        )
        self.events.append(placed)
        if rng.random() < 0.05:
            self.events.append(placed)  # an exact repeat
        if rng.random() < 0.05:
            again = self.of(who, at + 60_000)
            self.events.append(
                OrderPlaced(order_id=order_id, amount_minor=amount + 5, currency=currency, **again)
            )
        if rng.random() < 0.1:
            gone = self.of(who, at + rng.randrange(20) * DAY_MS)
            self.events.append(OrderCancelled(order_id=rng.choice([order_id, order_id, "none"]), **gone))
        if rng.random() < 0.2:
            back = self.of(who, at + rng.randrange(60) * DAY_MS)
            part = rng.choice([amount // 3, amount, amount + 1])
            self.events.append(OrderRefunded(order_id=order_id, amount_minor=part, currency=currency, **back))
        return at

    def ticket(self, who: str, ticket_id: str, at: int) -> None:
        rng = self.rng
        told = {"category": rng.choice([None, "delivery", "质量"]), "subject": rng.choice([None, "Hilfe 🆘"])}
        due = rng.choice([None, at + DAY_MS, at + 3 * DAY_MS])
        priority, agent = rng.choice(["low", "normal", "urgent"]), rng.choice([None, "kim"])
        self.events.append(
            TicketOpened(
                ticket_id=ticket_id, priority=priority, agent_id=agent, due_at=due, **told, **self.of(who, at)
            )
        )
        if rng.random() < 0.7:
            reply = rng.choice([None, at + rng.randrange(3 * 3_600_000)])
            end = self.of(who, at + 3 * 3_600_000 + rng.randrange(5 * DAY_MS))
            minutes, agent = rng.choice([None, 5, 60]), rng.choice([None, "李"])
            self.events.append(
                TicketResolved(
                    ticket_id=ticket_id, first_reply_at=reply, handling_minutes=minutes, agent_id=agent, **end
                )
            )

    def opportunity(self, who: str, at: int) -> None:
        rng = self.rng
        self.events.append(
            OpportunityOpened(opportunity_id=f"{who}-p", name="deal", stage="new", **self.of(who, at))
        )
        closed = {"outcome": rng.choice(["won", "lost", "lost"]), "reason": rng.choice(REASONS)}
        competitor = rng.choice([None, "Rival & Söhne"])
        if rng.random() < 0.8:
            end = self.of(who, at + rng.randrange(90) * DAY_MS)
            self.events.append(
                OpportunityClosed(opportunity_id=f"{who}-p", competitor=competitor, **closed, **end)
            )

    def stages(self, who: str, since: int) -> None:
        rng = self.rng
        at, before = since, None
        for stage in rng.sample(
            ["new", "active", "at_risk", "churned", "churned", "won_back"], rng.randrange(1, 4)
        ):
            if stage != before:
                self.events.append(
                    LifecycleChanged(
                        customer_id=who,
                        from_stage=before,
                        to_stage=stage,
                        reason="because",
                        late=False,
                        rules_version="1",
                        **self._cause(),
                        **self.stamp(at),
                    )
                )
                at, before = at + rng.randrange(1, 200) * DAY_MS, stage
        for segment in rng.sample(["vip", "安静"], rng.randrange(3)):
            for entered in (True, False)[: rng.choice([1, 1, 2])]:
                self.events.append(
                    SegmentChanged(
                        customer_id=who,
                        segment=segment,
                        entered=entered,
                        late=False,
                        rules_version="1",
                        **self._cause(),
                        **self.stamp(since + (not entered) * 50 * DAY_MS),
                    )
                )

    def _cause(self) -> dict[str, object]:
        return {"cause_topic": "headwater.events", "cause_partition": 0, "cause_offset": 0}


@cache
def shop() -> tuple[Event, ...]:
    """All of it, in event time."""
    return tuple(Shop(seed=11, customers=150).write())


@cache
def cdnow_orders() -> tuple[Event, ...]:
    """Every order of CDNOW at noon UTC of its day, in the order of the file."""
    rng = random.Random(5)
    return tuple(
        OrderPlaced(
            event_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            customer_id=row.customer,
            occurred_at=(at := int((row.date + pd.Timedelta(hours=12)).timestamp() * 1000)),
            received_at=at,
            order_id=f"o{row.Index}",
            amount_minor=row.amount_minor,
            currency="USD",
        )
        for row in cdnow.orders().itertuples()
    )


def frame(events: Iterable[Event], kind: type[Event], as_of: str) -> pd.DataFrame:
    """The events of a type up to as_of, repeats left out, with `at` in UTC."""
    moment = pd.Timestamp(as_of)
    columns = list(kind.__struct_fields__)
    rows = [msgspec.structs.asdict(event) for event in events if type(event) is kind]
    found = pd.DataFrame(rows, columns=columns).drop_duplicates("event_id")
    found["at"] = pd.to_datetime(found["occurred_at"], unit="ms", utc=True)
    return found[found["at"] <= moment].reset_index(drop=True)


def orders(events: Iterable[Event], as_of: str) -> pd.DataFrame:
    """Each order that was not cancelled, with `net` and `base` in minor units, which needs a rate."""
    events = list(events)
    placed, refunded = frame(events, OrderPlaced, as_of), frame(events, OrderRefunded, as_of)
    cancelled = frame(events, OrderCancelled, as_of)
    gone = set(zip(cancelled["customer_id"], cancelled["order_id"], strict=True))
    keys = ["customer_id", "order_id", "currency"]
    back = refunded.groupby(keys)["amount_minor"].sum().to_dict()
    # of an order that was told again, the first telling bears the refunds
    first = ~placed.sort_values(["occurred_at", "event_id"]).duplicated(keys).sort_index()
    told = zip(first, zip(*(placed[k] for k in keys), strict=True), strict=True)
    placed["refunded"] = [back.get(key, 0) if is_first else 0 for is_first, key in told]
    placed["net"] = placed["amount_minor"] - placed["refunded"]
    placed["base"] = [_in_base(*row) for row in zip(placed["net"], placed["currency"], strict=True)]
    placed["base"] = placed["base"].astype("Int64")
    kept = [key not in gone for key in zip(placed["customer_id"], placed["order_id"], strict=True)]
    return placed[kept].reset_index(drop=True)


def _in_base(minor: int, currency: str) -> int | None:
    """Rounded half to even; nothing is worth nothing in any currency."""
    if minor == 0 or currency not in RATES:
        return 0 if minor == 0 else None
    return int((minor * RATES[currency]).quantize(Decimal(1), ROUND_HALF_EVEN))


def customer_events(events: Iterable[Event], as_of: str) -> pd.DataFrame:
    """Every event of a customer up to as_of, with its common fields and `at` in UTC; repeats left out."""
    columns = ["customer_id", "source", "channel", "occurred_at", "received_at", "event_id"]
    rows = [
        [getattr(event, name) for name in columns] for event in events if isinstance(event, CustomerEvent)
    ]
    found = pd.DataFrame(rows, columns=columns).drop_duplicates("event_id")
    found["at"] = pd.to_datetime(found["occurred_at"], unit="ms", utc=True)
    return found[found["at"] <= pd.Timestamp(as_of)].reset_index(drop=True)


def money(minor: int | None) -> Decimal | None:
    """Minor units of the base currency as the answer gives them."""
    return None if minor is None else Decimal(int(minor)).scaleb(-2)


def month(at: pd.Timestamp, timezone: str) -> object:
    """First day of the month in that time zone."""
    return at.tz_convert(timezone).date().replace(day=1)


def null_unless(is_over: bool, row: dict[str, object]) -> dict[str, object]:
    """The measures of a month, which nobody knows before it is over."""
    return row if is_over else dict.fromkeys(row)


def same(found: pd.DataFrame, expected: Iterable[Mapping[str, object]]) -> None:
    """Equal row for row, floats to nine digits, and what is missing is missing in both."""
    wanted = [dict(row) for row in expected]
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    assert len(rows) == len(wanted), (len(rows), len(wanted), rows[:3], wanted[:3])
    for row, want in zip(rows, wanted, strict=True):
        assert row.keys() == want.keys()
        for name, value in want.items():
            if isinstance(value, float):
                assert row[name] is not None, (name, row, want)
                assert abs(float(row[name]) - value) <= 1e-9 * max(1.0, abs(value)), (name, row, want)
            else:
                assert row[name] == value, (name, row, want)
