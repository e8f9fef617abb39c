"""Is a report run as its file says: guarded, bounded, money as decimals, and a note on what is missing?"""

import uuid
from pathlib import Path

from schemas.events import BaseCurrencySet, Event, OrderPlaced, PageViewed
from tests.reporting import answer, history_of, told

NOON = 1_700_000_000_000


def stamp(at: int = NOON) -> dict[str, object]:
    return {"event_id": str(uuid.uuid4()), "occurred_at": at, "received_at": at}


def order(customer_id: str, amount_minor: int = 1000, currency: str = "USD", at: int = NOON) -> Event:
    known = {"order_id": str(uuid.uuid4()), "amount_minor": amount_minor, "currency": currency}
    return OrderPlaced(customer_id=customer_id, **known, **stamp(at))


def page(customer_id: str) -> Event:
    return PageViewed(customer_id=customer_id, url="https://shop/x", **stamp())


async def test_a_report_answers_in_its_columns(tmp_path: Path) -> None:
    """Rows come in the declared columns, and the engine's own events do not count."""
    base = BaseCurrencySet(currency="JPY", **stamp())
    history = await history_of(tmp_path, [base, order("ann"), order("bob"), page("ann")])
    found = await answer(history, "data_volume")
    assert list(found) == ["type", "events", "customers", "first_at", "last_at"]
    assert found[["type", "events", "customers"]].values.tolist() == [
        ["OrderPlaced", 2, 2],
        ["PageViewed", 1, 1],
    ]
    assert (await told(history, "data_volume")).currency == "JPY"
