"""Do the views say of each customer what the projections say, at any moment?"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from history.migrations import statements
from history.store import History
from projections import customer, rfm
from projections import parameters as in_force
from projections.times import DAY_MS
from schemas.events import (
    BaseCurrencySet,
    CampaignClicked,
    CampaignOpened,
    CampaignPlanned,
    CampaignSent,
    CouponRedeemed,
    CustomerEvent,
    CustomerRegistered,
    Event,
    ExchangeRateSet,
    LeadCaptured,
    OpportunityClosed,
    OpportunityOpened,
    OpportunityStageChanged,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    OwnerAssigned,
    PageViewed,
    ProcessingFailed,
    ReviewPosted,
    SurveyAnswered,
    TicketOpened,
    TicketResolved,
    TraitsUpdated,
)
from schemas.rules import MAX_MINOR
from tests.integration.test_history import EVENTS, archive, history, opened, records
from tests.unit.streams.partition import event_id

__all__ = ["history", "opened"]  # fixtures

START = 19_000 * DAY_MS
VIEWS = [file.split("_", 1)[1].removesuffix(".sql") for file, sql in statements().values() if " VIEW " in sql]
MOMENT = "as_of = fromUnixTimestamp64Milli({at:Int64}, 'UTC')"
CUSTOMERS = f"""
SELECT customer_id, events, toUnixTimestamp64Milli(first_seen_at), toUnixTimestamp64Milli(last_seen_at),
  traits, owner_id, orders, net_base_minor, recency_days, frequency, monetary_base_minor, r, f, m
FROM customers_at({MOMENT}) ORDER BY customer_id
"""


def common(n: object, at: int, who: str = "ann") -> dict[str, Any]:
    return {
        "event_id": event_id(n),
        "customer_id": who,
        "occurred_at": at,
        "received_at": at,
        "source": "shop",
    }


def set_at(n: object, at: int) -> dict[str, Any]:
    return {"event_id": event_id(n), "occurred_at": at, "received_at": at}


def shop(seed: int, customers: int = 40, count: int = 600) -> Iterator[Event]:
    """Orders in four currencies, one without a rate, with refunds, cancellations, traits and owners.

    Rates are such that to convert each order is to convert their sum. Nothing is cancelled of who pays in the
    currency without a rate: there the projections know 0 where the views know nothing.
    """
    chance = random.Random(seed)
    yield BaseCurrencySet(**set_at("base", START), currency="USD")
    yield ExchangeRateSet(**set_at("eur", START), currency="EUR", base_currency="USD", rate="1.5")
    yield ExchangeRateSet(**set_at("jpy", START), currency="JPY", base_currency="USD", rate="0.01")
    placed: list[tuple[str, str, str]] = []
    for n in range(count):
        at = START + n * DAY_MS // 4
        what = common(n, at, f"客户-{chance.randrange(customers)}")
        if n == count // 2:
            yield ExchangeRateSet(**set_at("eur again", at), currency="EUR", base_currency="USD", rate="2")
        draw = chance.random()
        if draw < 0.5:
            who = str(what["customer_id"])
            currency = chance.choice(("USD", "USD", "EUR", "JPY", "CHF" if who.endswith("0") else "EUR"))
            amount = 2 * chance.randrange(5_000)
            placed.append((str(what["customer_id"]), f"o{n}", currency))
            yield OrderPlaced(**what, order_id=f"o{n}", amount_minor=amount, currency=currency)
        elif draw < 0.6 and placed:
            who, order_id, currency = chance.choice(placed)
            what = common(n, at, who)
            yield OrderRefunded(
                **what, order_id=order_id, amount_minor=2 * chance.randrange(200), currency=currency
            )
        elif draw < 0.65 and placed:
            who, order_id, _ = chance.choice([each for each in placed if not each[0].endswith("0")])
            yield OrderCancelled(**common(n, at, who), order_id=order_id)
        elif draw < 0.75:
            traits = {chance.choice("abc"): chance.choice(("🙂", "它", ""))}
            yield TraitsUpdated(**what, traits=traits, removed=tuple(chance.sample("abc", 1)))
        elif draw < 0.8:
            yield CustomerRegistered(**what, traits={"a": str(n)})
        elif draw < 0.85:
            yield OwnerAssigned(**what, owner_id=f"owner {chance.randrange(5)}")
        else:
            yield PageViewed(**what, url="/")


def folded(events: list[Event], at: int) -> list[tuple[object, ...]]:
    """What the projections say of each customer at the moment."""
    parameters = in_force.Parameters()
    states: dict[str, customer.Customer] = {}
    for event in (event for event in events if event.occurred_at <= at):
        parameters = in_force.evolve(parameters, event)
        if isinstance(event, CustomerEvent):
            who = event.customer_id
            states[who] = customer.evolve(states.get(who, customer.ZERO), event)
    bare = [rfm.view(state.orders, at, parameters) for state in states.values()]
    parameters = replace(parameters, boundaries=rfm.boundaries(bare, at, parameters))
    found = []
    for who, state in sorted(states.items(), key=lambda each: each[0].encode()):
        seen = customer.view(state, at, parameters)
        told = [
            e for e in events if isinstance(e, CustomerEvent) and e.customer_id == who and e.occurred_at <= at
        ]
        owner, scores = seen.profile.owner, seen.rfm
        found.append((
            who, len(told), seen.engagement.first_seen_at, seen.engagement.last_seen_at, seen.profile.traits,
            None if owner is None else owner.owner_id, seen.orders.count, scores.monetary_minor,
            scores.recency_days, scores.frequency, scores.monetary_minor, scores.r, scores.f, scores.m,
        ))  # fmt: skip
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_customers_are_what_the_projections_say(history: History, seed: int) -> None:
    """Traits, owner, orders, money, and RFM scores with boundaries of then; at four moments of a year."""
    events = list(shop(seed))
    assert archive(history, EVENTS, {0: records(*events)}) == []
    for day in (3, 40, 90, 400):
        at = START + day * DAY_MS + 1
        rows = history._client.query(CUSTOMERS, parameters={"at": at}).result_rows
        assert [tuple(row) for row in rows] == folded(events, at)


def test_every_view_answers_and_explains_its_columns(history: History) -> None:
    """Of an empty history; each has a comment, and one of all events has comments of its columns."""
    client = history._client
    for name in VIEWS:
        of = f"{name}({MOMENT})" if name.endswith("_at") else name
        client.query(f"SELECT * FROM {of}", parameters={"at": START} if name.endswith("_at") else None)
    plain = [name for name in VIEWS if not name.endswith("_at")]
    unexplained = "WHERE comment = '' AND database = currentDatabase()"
    query = f"SELECT table, name FROM system.columns {unexplained} AND table IN {{names:Array(String)}}"
    assert client.query(query, parameters={"names": plain}).result_rows == []
    query = f"SELECT name FROM system.tables {unexplained} AND engine = 'View'"
    assert client.query(query).result_rows == []


def test_the_view_of_a_moment_has_the_columns_of_the_view(history: History) -> None:
    """Who knows the one knows the other."""
    client = history._client
    for name in {name.removesuffix("_at") for name in VIEWS if name.endswith("_at")} & set(VIEWS):
        dated = client.query(f"SELECT * FROM {name}_at({MOMENT})", parameters={"at": START}).column_names
        plain = client.query(f"SELECT * FROM {name}").column_names
        assert set(plain) <= {*dated, "topic", "cause_topic", "cause_partition", "cause_offset"}, name


async def test_a_response_belongs_to_its_message_else_to_the_latest_before_it(history: History) -> None:
    """What a mail program opens is nobody's response, and what came after as_of has not happened."""
    sent = {"campaign_id": "spring", "cost_minor": 3, "currency": "USD"}
    archived = [
        CampaignSent(**common(1, START), **sent, message_id="m1"),
        CampaignSent(**common(2, START + 10), **sent, message_id="m2"),
        CampaignSent(**common(3, START + 20), **sent),
        CampaignOpened(**common(4, START + 30), campaign_id="spring", message_id="m1"),
        CampaignOpened(**common(5, START + 12), campaign_id="spring", message_id="m2", is_automatic=True),
        CampaignClicked(**common(6, START + 15), campaign_id="spring"),
        CampaignClicked(**common(7, START + 99), campaign_id="spring"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    query = f"""
        SELECT message_id, toUnixTimestamp64Milli(opened_at) - {START},
          toUnixTimestamp64Milli(clicked_at) - {START}, cost_base_minor
        FROM campaign_responses_at({MOMENT}) ORDER BY sent_at"""
    found = history._client.query(query, parameters={"at": START + 50}).result_rows
    assert [tuple(row) for row in found] == [("m1", 30, None, 3), ("m2", None, 15, 3), (None, None, None, 3)]
    found = history._client.query(query, parameters={"at": START + 100}).result_rows
    assert [row[2] for row in found] == [None, 15, 99]


async def test_a_message_that_was_told_again_is_one(history: History) -> None:
    """As it was told first, to each customer; those without an id are many."""
    again = {"campaign_id": "spring", "message_id": "m1"}
    archived = [
        CampaignSent(**common(1, START + 10), **again, variant="b"),
        CampaignSent(**common(2, START), **again, variant="a"),
        CampaignSent(**common(3, START, "bob"), **again),
        CampaignSent(**common(4, START + 30), campaign_id="summer", message_id="m1"),
        CampaignSent(**common(5, START + 40), campaign_id="spring"),
        CampaignSent(**common(6, START + 50), campaign_id="spring"),
        CampaignOpened(**common(7, START + 20), **again),
        CampaignClicked(**common(8, START + 15), campaign_id="spring"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    columns = "customer_id, campaign_id, message_id, variant, opened_at IS NOT NULL, clicked_at IS NOT NULL"
    query = f"SELECT {columns} FROM campaign_responses ORDER BY sent_at, customer_id"
    assert history._client.query(query).result_rows == [
        ("ann", "spring", "m1", "a", 1, 1),
        ("bob", "spring", "m1", None, 0, 0),
        ("ann", "summer", "m1", None, 0, 0),
        ("ann", "spring", None, None, 0, 0),
        ("ann", "spring", None, None, 0, 0),
    ]


async def test_tickets_and_opportunities_have_their_latest_state(history: History) -> None:
    """Open until they end; of each field the latest that was told."""
    deal = {"opportunity_id": "d1"}
    archived = [
        TicketOpened(**common(1, START), ticket_id="t1", agent_id="eve"),
        TicketResolved(**common(2, START + 60_000), ticket_id="t1", resolution="solved"),
        OpportunityOpened(
            **common(3, START), **deal, stage="a", amount_minor=5, currency="USD", owner_id="eve"
        ),
        OpportunityStageChanged(**common(4, START + 10), **deal, to_stage="b", probability=0.5),
        OpportunityClosed(**common(5, START + 60_000), **deal, outcome="lost", competitor="它"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    tickets = f"SELECT ticket_id, agent_id, resolution, resolved_at IS NULL FROM tickets_at({MOMENT})"
    columns = "stage, base_minor, probability, owner_id, outcome, competitor"
    deals = f"SELECT {columns} FROM opportunities_at({MOMENT})"
    for at, ticket, opportunity in (
        (START, ("t1", "eve", None, 1), ("a", 5, None, "eve", None, None)),
        (START + 20, ("t1", "eve", None, 1), ("b", 5, 0.5, "eve", None, None)),
        (START + 99_999, ("t1", "eve", "solved", 0), ("b", 5, 0.5, "eve", "lost", "它")),
    ):
        assert history._client.query(tickets, parameters={"at": at}).result_rows == [ticket]
        assert history._client.query(deals, parameters={"at": at}).result_rows == [opportunity]


async def test_lines_and_costs_follow_their_order(history: History) -> None:
    """A cost that one line does not say is not known of the order; a cancelled order cost nothing."""
    told = {"currency": "USD", "amount_minor": 100}
    whole = (
        OrderLine(sku="a", quantity=2, unit_price_minor=30, cost_minor=10),
        OrderLine(sku="b", quantity=1, unit_price_minor=40, cost_minor=5),
    )
    archived = [
        OrderPlaced(**common(1, START), **told, order_id="o1", lines=whole),
        OrderPlaced(
            **common(2, START),
            **told,
            order_id="o2",
            lines=(*whole, OrderLine(sku="c", quantity=1, unit_price_minor=1)),
        ),
        OrderPlaced(**common(3, START), **told, order_id="o3"),
        OrderPlaced(**common(4, START), **told, order_id="o4", lines=whole),
        OrderCancelled(**common(5, START), order_id="o4"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    query = "SELECT order_id, base_minor, cost_base_minor FROM orders ORDER BY order_id"
    assert history._client.query(query).result_rows == [
        ("o1", 100, 25),
        ("o2", 100, None),
        ("o3", 100, None),
        ("o4", 0, 0),
    ]
    columns = "line, sku, value_base_minor, cost_base_minor"
    query = f"SELECT {columns} FROM order_lines WHERE order_id = 'o2' ORDER BY line"
    assert history._client.query(query).result_rows == [(1, "a", 60, 20), (2, "b", 40, 5), (3, "c", 1, None)]


async def test_months_end_with_what_was_known_then(history: History) -> None:
    """From that of the first order to the latest: orders so far, those of the month, silence at its end."""
    month = 30 * DAY_MS
    archived = [
        OrderPlaced(**common(1, START), order_id="o1", amount_minor=10, currency="USD"),
        OrderPlaced(**common(2, START + 2 * month), order_id="o2", amount_minor=5, currency="USD"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    columns = "toString(month), orders, net_base_minor, orders_in_month, recency_days"
    query = f"SELECT {columns} FROM customer_months ORDER BY month"
    rows = history._client.query(query).result_rows
    assert rows == [("2022-01-01", 1, 10, 1, 23), ("2022-02-01", 1, 10, 0, 51), ("2022-03-01", 2, 15, 1, 0)]


async def test_months_as_of_a_moment_are_those_without_what_came_later(history: History) -> None:
    """An order, a cancellation, a stage or a rate told after it changes no month before it."""
    early = [
        BaseCurrencySet(**set_at("base", START), currency="USD"),
        ExchangeRateSet(**set_at("eur", START), currency="EUR", base_currency="USD", rate="2"),
        OrderPlaced(**common(1, START), order_id="o1", amount_minor=10, currency="EUR"),
        OrderPlaced(**common(2, START + 40 * DAY_MS), order_id="o2", amount_minor=5, currency="USD"),
    ]
    later = START + 40 * DAY_MS + 1
    late = [
        ExchangeRateSet(**set_at("eur2", later), currency="EUR", base_currency="USD", rate="3"),
        OrderCancelled(**common(3, later), order_id="o1"),
        OrderPlaced(**common(4, later), order_id="o3", amount_minor=7, currency="USD"),
    ]
    query = "SELECT * FROM {} ORDER BY month"
    archive(history, EVENTS, {0: records(*early)})
    known = history._client.query(query.format("customer_months")).result_rows
    assert [row[4] for row in known] == [20, 25]
    archive(history, EVENTS, {0: records(*early, *late)})
    moment = datetime.fromtimestamp((later - 1) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    then = query.format(f"customer_months_at(as_of = '{moment}')")
    assert history._client.query(then).result_rows == known
    assert history._client.query(query.format("customer_months")).result_rows != known


async def test_the_greatest_amounts_are_converted_exactly(history: History) -> None:
    """Of the base currency as they are, of others rounded half to even; none wraps around."""
    archived = [
        BaseCurrencySet(**set_at("base", START), currency="USD"),
        ExchangeRateSet(**set_at("eur", START), currency="EUR", base_currency="USD", rate="1.000000000001"),
        ExchangeRateSet(**set_at("kwd", START), currency="KWD", base_currency="USD", rate="3.3"),
        ExchangeRateSet(**set_at("jpy", START), currency="JPY", base_currency="USD", rate="37.5"),
        *(
            OrderPlaced(**common(n, START + n), order_id=currency, amount_minor=MAX_MINOR, currency=currency)
            for n, currency in enumerate(("USD", "EUR", "KWD", "JPY"))
        ),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    assert history._client.query(
        "SELECT order_id, base_minor FROM orders ORDER BY placed_at"
    ).result_rows == [
        ("USD", MAX_MINOR),
        ("EUR", MAX_MINOR + 1_000),
        ("KWD", 33 * MAX_MINOR // 100),
        ("JPY", 3_750 * MAX_MINOR),
    ]


async def test_what_64_bits_do_not_hold_is_not_converted(history: History) -> None:
    """An amount is null in the base currency, and so is a sum of amounts; all else is answered."""
    most = 2**63 - 1
    line = OrderLine(sku="a", quantity=2**31 - 1, unit_price_minor=most, cost_minor=most)
    archived = [
        BaseCurrencySet(**set_at("base", START), currency="USD"),
        ExchangeRateSet(**set_at("kwd", START), currency="KWD", base_currency="USD", rate="1000000000000"),
        ExchangeRateSet(**set_at("eur", START), currency="EUR", base_currency="USD", rate="2"),
        ExchangeRateSet(**set_at("gbp", START), currency="GBP", base_currency="USD", rate="9" * 32),
        *(
            OrderPlaced(
                **common(n, START + n, who),
                order_id=f"o{n}",
                amount_minor=amount,
                currency=currency,
                lines=(line,) if amount == most else (),
                discount_minor=amount,
            )
            for n, (who, amount, currency) in enumerate(
                [
                    ("ann", most, "KWD"),
                    ("ann", 10, "KWD"),
                    ("bob", most // 2, "EUR"),
                    ("eve", most // 2 + 1, "EUR"),
                    ("kim", most, "USD"),
                    ("kim", most, "USD"),
                    ("ray", 7, "GBP"),
                ]
            )
        ),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    ask = history._client.query
    known = [None, 1_000_000_000_000, most - 1, None, most, most, None]
    query = "SELECT base_minor, discount_base_minor FROM orders ORDER BY placed_at"
    assert ask(query).result_rows == [(each, each) for each in known]
    lines = ask("SELECT value_base_minor, cost_base_minor FROM order_lines").result_rows
    assert lines == [(None, None)] * 3
    nets = "SELECT customer_id, net_base_minor FROM customers ORDER BY customer_id"
    assert ask(nets).result_rows == [
        ("ann", 1_000_000_000_000),
        ("bob", most - 1),
        ("eve", None),
        ("kim", None),
        ("ray", None),
    ]


async def test_a_refund_is_taken_once_off_an_order_that_was_told_twice(history: History) -> None:
    """From the first telling in its currency; another customer's order of the same id is another one."""
    told = {"order_id": "o1", "amount_minor": 100}
    archived = [
        OrderPlaced(**common(1, START + 10), **told, currency="USD"),
        OrderPlaced(**common(2, START), **told, currency="USD"),
        OrderPlaced(**common(3, START - 10), **told, currency="EUR"),
        OrderPlaced(**common(4, START, "bob"), **told, currency="USD"),
        OrderRefunded(**common(5, START + 20), order_id="o1", amount_minor=30, currency="USD"),
        OrderRefunded(**common(6, START + 30), order_id="o1", amount_minor=5, currency="USD"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    query = (
        "SELECT customer_id, currency, refunded_minor, net_minor FROM orders ORDER BY customer_id, placed_at"
    )
    assert history._client.query(query).result_rows == [
        ("ann", "EUR", 0, 100),
        ("ann", "USD", 35, 65),
        ("ann", "USD", 0, 100),
        ("bob", "USD", 0, 100),
    ]


async def test_a_ticket_that_was_opened_again_is_open_until_it_is_resolved_again(history: History) -> None:
    """One row, from its first opening on, with what the latest says."""
    archived = [
        TicketOpened(**common(1, START), ticket_id="t1", priority="low", agent_id="eve"),
        TicketResolved(**common(2, START + 10), ticket_id="t1", resolution="solved", agent_id="kim"),
        TicketOpened(**common(3, START + 20), ticket_id="t1", priority="high", agent_id="eve"),
        TicketResolved(**common(4, START + 30), ticket_id="t1", resolution="workaround"),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    query = f"""
        SELECT toUnixTimestamp64Milli(opened_at) - {START}, priority, agent_id, resolution,
          toUnixTimestamp64Milli(resolved_at) - {START}
        FROM tickets_at({MOMENT})"""
    for at, row in (
        (15, (0, "low", "kim", "solved", 10)),
        (25, (0, "high", "eve", None, None)),
        (35, (0, "high", "eve", "workaround", 30)),
    ):
        assert history._client.query(query, parameters={"at": START + at}).result_rows == [row]


async def test_a_response_to_an_unknown_message_belongs_to_the_latest_before_it(history: History) -> None:
    """As one that names none."""
    sent, answer = {"campaign_id": "spring"}, {"campaign_id": "spring", "message_id": "elsewhere"}
    archived = [
        CampaignSent(**common(1, START), **sent, message_id="m1"),
        CampaignSent(**common(2, START + 10), **sent, message_id="m2"),
        CampaignSent(**common(3, START, "bob"), **sent, message_id="elsewhere"),
        CampaignOpened(**common(4, START + 5), **answer),
        CampaignClicked(**common(5, START + 15), **answer),
    ]
    archive(history, EVENTS, {0: records(*archived)})
    columns = "message_id, opened_at IS NOT NULL, clicked_at IS NOT NULL"
    query = f"SELECT {columns} FROM campaign_responses ORDER BY ALL"
    assert history._client.query(query).result_rows == [("elsewhere", 0, 0), ("m1", 1, 0), ("m2", 0, 1)]


async def test_what_could_not_be_processed_counts_nowhere(history: History) -> None:
    """Every view tells what it tells without those records."""
    order = {"order_id": "o1", "currency": "USD"}
    good: list[Event] = [
        OrderPlaced(
            **common(1, START),
            **order,
            amount_minor=100,
            lines=(OrderLine(sku="a", quantity=1, unit_price_minor=9),),
        ),
        CustomerRegistered(**common(2, START), traits={"a": "1"}),
        CampaignPlanned(campaign_id="spring", name="Spring", starts_on=0, source="crm", **set_at(3, START)),
        CampaignSent(**common(4, START), campaign_id="spring"),
        TicketOpened(**common(5, START), ticket_id="t1"),
        OpportunityOpened(**common(6, START), opportunity_id="d1", stage="a"),
    ]
    later = [common(n, START + n) for n in range(10, 30)]
    bad: list[Event] = [
        OrderRefunded(**later[0], **order, amount_minor=30),
        OrderCancelled(**later[1], order_id="o1"),
        TraitsUpdated(**later[2], traits={"a": "2"}),
        CustomerRegistered(**later[3], traits={"b": "2"}),
        OwnerAssigned(**later[4], owner_id="eve"),
        CampaignPlanned(campaign_id="fall", name="Fall", starts_on=0, source="crm", **set_at(15, START)),
        CampaignSent(**later[6], campaign_id="fall"),
        CampaignOpened(**later[7], campaign_id="spring"),
        CampaignClicked(**later[8], campaign_id="spring"),
        CouponRedeemed(**later[9], coupon="TEN", campaign_id="spring"),
        TicketOpened(**later[10], ticket_id="t2"),
        TicketResolved(**later[11], ticket_id="t1"),
        SurveyAnswered(**later[12], survey="s", question="q", kind="nps", score=9, scale_min=0, scale_max=10),
        ReviewPosted(**later[13], review_id="r1", rating=5),
        LeadCaptured(**later[14], lead_id="l1"),
        OpportunityStageChanged(**later[15], opportunity_id="d1", to_stage="b"),
        OpportunityClosed(**later[16], opportunity_id="d1", outcome="lost"),
        OpportunityOpened(**later[17], opportunity_id="d2", stage="a"),
    ]
    views = [name for name in VIEWS if f"{name}_at" in VIEWS]

    def told() -> dict[str, list[tuple[object, ...]]]:
        return {
            name: history._client.query(f"SELECT * FROM {name} ORDER BY ALL").result_rows for name in views
        }

    archive(history, EVENTS, {0: records(*good)})
    known = told()
    archive(history, EVENTS, {0: records(*bad, first=len(good))})
    same = {name for name, rows in told().items() if rows == known[name]}
    assert same == {"transitions", "scores", "stages"} & set(views)
    failures = [
        ProcessingFailed(
            **set_at(("failed", n), START), topic=EVENTS, partition=0, offset=len(good) + n, reason="poison",
        )
        for n in range(len(bad))
    ]  # fmt: skip
    archive(history, "headwater.failed", {0: records(*failures)})
    assert told() == known
