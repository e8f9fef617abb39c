"""When are a customer's columns derived again?"""

from msgspec.structs import replace

from api.columns import basis_of, derive, search_text, unconverted_of
from api.totals import Totals, together
from projections import customer
from projections.parameters import Parameters, Rules
from projections.times import DAY_MS
from schemas.events import Event, OrderPlaced, TraitsUpdated
from streams.rows import CustomerRow, PartitionRow, Told, new_partition

NOON = 867_758_400_000


def order(minor: int, at: int = NOON, currency: str = "USD") -> OrderPlaced:
    return OrderPlaced(
        event_id="00000000-0000-4000-8000-000000000001",
        customer_id="ada",
        occurred_at=at,
        received_at=at,
        order_id=f"{minor}-{at}",
        amount_minor=minor,
        currency=currency,
    )


def traits(**told: str) -> TraitsUpdated:
    return TraitsUpdated(
        event_id="00000000-0000-4000-8000-000000000002",
        customer_id="ada",
        occurred_at=NOON,
        received_at=NOON,
        traits=told,
    )


def row(*events: Event) -> CustomerRow:
    state = customer.zero()
    for event in events:
        state = customer.evolve(state, event)
    return CustomerRow(customer.FOLD_VERSION, 0, b"", "new", NOON, "", None, customer.pack(state))


def partition(at: int = NOON, **parameters: object) -> PartitionRow:
    return replace(new_partition(Parameters(**parameters)), stream_time_ms=at)


def test_columns_say_what_lists_need() -> None:
    """Orders count and add up in the base currency, the rest stands apart."""
    columns = derive(row(order(1000), order(500, NOON + 1, "EUR")), basis_of(2, partition()), None)
    assert (columns.partition, columns.stage, columns.last_seen_at) == (2, "new", NOON + 1)
    assert (columns.order_count, columns.net_minor, columns.last_order_at) == (2, 1000, NOON + 1)
    assert columns.mixed
    assert unconverted_of(columns) == {"EUR": 500}


def test_a_new_rate_changes_the_columns_of_those_it_concerns() -> None:
    """The same row under another rate is another sum."""
    before = derive(row(order(500, currency="EUR")), basis_of(0, partition()), None)
    told = basis_of(0, partition(rates={"EUR/USD": "2"}))
    after = derive(row(order(500, currency="EUR")), told, before)
    assert (before.net_minor, before.monetary_minor) == (0, None)
    assert (after.net_minor, after.monetary_minor) == (1000, 1000)
    assert told.everyone == basis_of(0, partition()).everyone


def test_without_a_window_time_changes_no_column() -> None:
    """A tick must not make every customer be derived again."""
    assert basis_of(0, partition(NOON)).digest == basis_of(0, partition(NOON + DAY_MS)).digest


def test_with_a_window_each_day_does() -> None:
    """What falls out of the RFM window counts no more."""
    rules = Rules(rfm_window_days=10)
    early, late = (basis_of(0, partition(NOON + days * DAY_MS, rules=rules)) for days in (1, 11))
    assert early.everyone != late.everyone
    before = derive(row(order(1000)), early, None)
    assert (before.frequency, derive(row(order(1000)), late, before).frequency) == (1, 0)


def test_the_text_to_search_is_the_id_and_the_traits() -> None:
    """A removed trait is found no more."""
    known = row(traits(city="Zürich", plan="gold"))
    assert search_text("ada", known).split() == ["ada", "Zürich", "gold"]


def test_a_segment_counts_who_is_in_it() -> None:
    """Entering and leaving move one count, though nothing else of the row changes."""
    outside = derive(row(), basis_of(0, partition()), None)
    inside = derive(replace(row(), told=Told(segments=("vip", "quiet"))), basis_of(0, partition()), outside)
    totals = Totals()
    totals.move(None, inside)
    assert Totals.from_json(totals.to_json()).segments == {"vip": 1, "quiet": 1}
    totals.move(inside, outside)
    assert together([totals]).segments["vip"] == 0


def test_totals_follow_rows_and_forget_deleted_ones() -> None:
    """What a row adds, its deletion takes away; sums pass 64 bits unharmed."""
    one = derive(row(order(2**62)), basis_of(0, partition()), None)
    totals = Totals()
    for _ in range(4):
        totals.move(None, one)
    assert (totals.customers, totals.orders, totals.net_minor, totals.stages["new"]) == (4, 4, 2**64, 4)
    assert Totals.from_json(totals.to_json()) == totals
    for _ in range(4):
        totals.move(one, None)
    assert together([totals]).net_minor == 0
    assert totals.stages["new"] == totals.customers == 0
