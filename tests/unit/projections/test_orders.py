"""Are orders, cancellations and refunds counted right, in every currency and window?"""

from random import Random

from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from projections import orders
from projections.orders import OrdersView, Spend
from projections.parameters import Parameters
from schemas.events import Event, OrderCancelled, OrderLine, OrderPlaced, OrderRefunded
from tests.unit.projections.histories import cancel, day, fold, on, order, refund

DEFAULT = Parameters()


def view(events: list[Event], parameters: Parameters = DEFAULT) -> OrdersView:
    return orders.view(fold(orders, events), day(0), parameters)


def spend(events: list[Event], since: int | None = None) -> Spend:
    return orders.spend(fold(orders, events), since)


def contribution(events: list[Event]) -> dict[str, int]:
    return orders.contribution(fold(orders, events))


def test_orders_add_up() -> None:
    """Count, net, first, last and the mean gap of three orders, one of them late."""
    events = [order(day(0), 10_00), order(day(30), 5_50), order(day(9), 1_00)]
    assert view(events) == OrdersView(3, 16_50, "USD", day(0), day(30), 15.0, {})


def test_a_refund_lowers_spend_but_not_the_count() -> None:
    """A refunded order did happen."""
    seen = view([order(day(0), 50_00, "o"), refund(day(1), 20_00, "o")])
    assert (seen.count, seen.net_minor) == (1, 30_00)


def test_a_cancelled_order_is_neither_counted_nor_paid() -> None:
    """Whether the cancellation comes after its order or before."""
    kept, gone, cancellation = order(day(0), 10_00), order(day(5), 99_00, "gone"), cancel(day(6), "gone")
    for events in ([kept, gone, cancellation], [cancellation, gone, kept]):
        assert view(events) == view([kept])


def test_a_cancelled_first_order_moves_the_first_moment() -> None:
    """The first order is the first that was not cancelled."""
    seen = view([order(day(0), order_id="gone"), order(day(5)), cancel(day(1), "gone")])
    assert (seen.first_at, seen.last_at, seen.mean_gap_days) == (day(5), day(5), None)


def test_a_refund_of_a_cancelled_order_does_not_count() -> None:
    """The money of a cancelled order is out already; its refund takes out nothing more."""
    events = [order(day(0), 10_00), order(day(1), 99_00, "gone"), refund(day(2), 99_00, "gone")]
    assert view([*events, cancel(day(2), "gone")]).net_minor == 10_00


def test_cancelling_twice_or_an_unknown_order_takes_out_nothing_more() -> None:
    """Only the named order goes, once."""
    events = [order(day(0), 10_00), order(day(1), 99_00, "gone"), cancel(day(2), "gone")]
    assert view([*events, cancel(day(3), "gone"), cancel(day(3), "never")]) == view(events)


def sold(amount_minor: int, *costs: int | None, order_id: str = "", currency: str = "USD") -> OrderPlaced:
    """An order of two units a line, each of which cost so much."""
    lines = tuple(OrderLine(sku="s", quantity=2, unit_price_minor=5_00, cost_minor=cost) for cost in costs)
    return replace(order(day(0), amount_minor, order_id, currency), lines=lines)


def test_what_was_sold_cost_something_where_a_line_says_so() -> None:
    """Units times cost, in each currency; an order without it brings all that was paid."""
    assert contribution([sold(20_00, 3_00, None), sold(10_00), sold(9_00, 1_00, currency="EUR")]) == {
        "EUR": 7_00,
        "USD": 24_00,
    }


def test_what_is_called_off_or_refunded_takes_back_its_share_of_the_cost() -> None:
    """Half of what was paid, half of what it cost."""
    placed = [sold(20_00, 3_00, order_id="a"), sold(20_00, 3_00, order_id="b")]
    assert contribution([*placed, cancel(day(1), "b")]) == {"USD": 14_00}
    assert contribution([*placed, refund(day(1), 20_00, "b")]) == {"USD": 14_00}
    assert contribution([sold(0, 3_00)]) == {"USD": -6_00}  # a present


def test_orders_at_one_instant_are_two_orders() -> None:
    """The same moment and amount twice is two orders."""
    seen = view([order(day(0), 10_00), order(day(0), 10_00)])
    assert (seen.count, seen.net_minor, seen.mean_gap_days) == (2, 20_00, 0.0)


def test_a_currency_with_a_rate_is_converted() -> None:
    """10.00 EUR at 1.085 and 1,000 JPY (no decimals) at 0.0067 are 10.85 and 6.70 USD."""
    parameters = Parameters(rates={"EUR/USD": "1.085", "JPY/USD": "0.0067"})
    events = [order(day(0), 10_00, currency="EUR"), order(day(0), 1_000, currency="JPY"), order(day(0), 1)]
    seen = view(events, parameters)
    assert (seen.net_minor, seen.currency, seen.unconverted) == (10_85 + 6_70 + 1, "USD", {})


def test_a_currency_without_a_rate_is_kept_apart() -> None:
    """It is shown in its own currency and never added up; a rate to another base is no rate."""
    events = [order(day(0), 10_00, currency="EUR"), order(day(0), 7_00)]
    seen = view(events, Parameters(rates={"EUR/GBP": "0.85"}))
    assert (seen.count, seen.net_minor, seen.unconverted) == (2, 7_00, {"EUR": 10_00})


def test_conversion_rounds_half_to_even() -> None:
    """0.05 EUR at 0.5 is 0.025 USD: 2 cents."""
    seen = view([order(day(0), 5, currency="EUR")], Parameters(rates={"EUR/USD": "0.5"}))
    assert seen.net_minor == 2


def test_a_cancellation_beyond_the_latest_32_takes_out_an_average_order() -> None:
    """The count is exact, the money an estimate from the older orders."""
    old = [order(day(n), 10_00, f"old-{n}") for n in range(10)]
    new = [order(day(100 + n), 50_00) for n in range(32)]
    seen = view([*old, *new, cancel(day(200), "old-3")])
    assert (seen.count, seen.net_minor) == (41, 9 * 10_00 + 32 * 50_00)
    assert (seen.first_at, seen.last_at) == (day(0), day(131))


def test_cancelling_one_of_the_latest_32_twice_takes_out_no_older_order() -> None:
    """Only a cancellation that names none of the latest orders is of an older one."""
    events: list[Event] = [order(day(n), 10_00, f"o{n}") for n in range(40)]
    events += [cancel(day(50), "o39"), cancel(day(51), "o39")]
    assert spend(events) == Spend(39, {"USD": 39 * 10_00})


def test_a_window_takes_out_its_share_of_older_cancelled_orders() -> None:
    """Of 8 older orders, half of them within the window, 2 were cancelled: 1 of the window's."""
    events: list[Event] = [order(on(2026, 1, 1 + n), 10_00, f"a{n}") for n in range(4)]
    events += [order(on(2026, 3, 1 + n), 10_00, f"b{n}") for n in range(4)]
    events += [order(on(2026, 3, 10) + n, 10_00) for n in range(32)]
    events += [cancel(on(2026, 4, 1), "a0"), cancel(on(2026, 4, 1), "b0")]
    assert spend(events, on(2026, 3, 1)) == Spend(35, {"USD": 35 * 10_00})


def test_cancelling_all_of_the_latest_32_leaves_the_older_orders() -> None:
    """The earliest of the latest stands in for the moments of the older ones."""
    old = [order(day(n), 10_00) for n in range(3)]
    new = [order(day(100 + n), 50_00, f"new-{n}") for n in range(32)]
    state = fold(orders, [*old, *new, *(cancel(day(200), f"new-{n}") for n in range(32))])
    assert orders.moments(state) == orders.Moments(3, day(0), day(100), day(100))
    assert orders.spend(state) == Spend(3, {"USD": 30_00})


def test_a_window_is_exact_while_the_latest_32_cover_it() -> None:
    """Orders and refunds at the window's opening are out, one ms later in; cancelled ones are out."""
    events = [order(day(-n), 1_00, f"o{n}") for n in range(60)]
    events += [refund(day(-5), 50, "o40"), refund(day(-10), 50, "o3"), cancel(day(-1), "o2")]
    assert spend(events, day(-10)) == Spend(9, {"USD": 9_00 - 50})
    assert spend(events, day(-10) - 1) == Spend(10, {"USD": 10_00 - 1_00})
    assert spend(events, day(-31)).count == 30


def test_a_window_beyond_the_latest_32_counts_whole_calendar_months() -> None:
    """From 20 March, all of March counts, when more than 32 orders came since."""
    march, april = on(2026, 3, 1), on(2026, 4, 1)
    events = [order(march, 1_00, "gone"), order(march + 1, 1_00), order(on(2026, 2, 28), 1_00)]
    events += [order(april + n, 2_00, f"a{n}") for n in range(40)]
    events += [refund(april, 50, "a0")]
    assert spend(events, on(2026, 3, 20)) == Spend(42, {"USD": 82_00 - 50})
    assert spend([*events, cancel(april, "a39")], on(2026, 3, 20)) == Spend(41, {"USD": 80_00 - 50})


def test_negative_and_enormous_amounts_do_not_break_a_sum() -> None:
    """A negative amount counts as none; a sum stops at the greatest 64-bit number."""
    seen = view([order(day(0), -5), order(day(0), 2**63 - 1), order(day(0), 2**63 - 1)])
    assert (seen.count, seen.net_minor) == (3, 2**63 - 1)


def naive(events: list[Event], since: int) -> tuple[list[int], dict[str, int]]:
    """Moments and net of the orders that were not cancelled, told again without any bound."""
    cancelled = {event.order_id for event in events if isinstance(event, OrderCancelled)}
    placed = [e for e in events if isinstance(e, OrderPlaced) and e.order_id not in cancelled]
    net: dict[str, int] = {}
    for event in events:
        if isinstance(event, OrderPlaced | OrderRefunded) and event.order_id not in cancelled:
            sign = 1 if isinstance(event, OrderPlaced) else -1
            if event.occurred_at > since:
                net[event.currency] = net.get(event.currency, 0) + sign * event.amount_minor
    return sorted(event.occurred_at for event in placed), net


@settings(max_examples=150, deadline=None)
@generated(st.integers(0, 2**32), st.integers(0, 32), st.integers(0, 400))
def test_within_the_bounds_the_answers_are_exact(seed: int, size: int, since: int) -> None:
    """Up to 32 orders, refunds and cancellations, state and view agree with a count that has no bounds."""
    random = Random(seed)
    events: list[Event] = []
    for _ in range(size):
        at, name = day(random.randrange(400)), f"o{random.randrange(size)}"
        amount, currency = random.randrange(100_00), random.choice(["USD", "EUR"])
        make = random.random()
        if make < 0.6:
            events.append(order(at, amount, name, currency))
        else:
            events.append(cancel(at, name) if make < 0.8 else refund(at, amount, name, currency))
    state = fold(orders, events)
    times, net = naive(events, -1)
    moments = orders.moments(state)
    assert moments.count == len(times)
    assert (moments.first_at, moments.last_at) == ((times[0], times[-1]) if times else (None, None))
    assert moments.previous_at == (times[-2] if len(times) > 1 else None)
    everything = orders.spend(state).net_minor
    assert {code: amount for code, amount in everything.items() if amount} == {
        c: a for c, a in net.items() if a
    }
    window = orders.spend(state, day(since))
    assert window.count == len([at for at in times if at > day(since)])
    assert window.net_minor == naive(events, day(since))[1]
