"""Which orders does CDNOW hold? See ORIGIN.md beside this file."""

import hashlib
import lzma
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import NamedTuple
from uuid import UUID, uuid5

from cli.sample import DAY_MS, Dataset, Sample
from schemas.events import OrderLine, OrderPlaced

NAME = Dataset.cdnow.value
LAST_DAY = datetime(1998, 6, 30, tzinfo=UTC)

_EVENTS = UUID("6f1c2f0e-3a54-5d0a-9c61-1d5a8a0c7e21")  # namespace of the sample's event ids


class Row(NamedTuple):
    """One line of the file; `number` counts from 1 and makes equal lines different orders."""

    number: int
    customer_id: str
    day: str  # YYYYMMDD
    cds: int
    amount_minor: int


def read() -> Sample:
    text = _text()
    digest, last_at = hashlib.sha256(text).hexdigest(), int(LAST_DAY.timestamp()) * 1000
    return Sample(NAME, "CDNOW", digest, text.count(b"\n") - 1, last_at)


def events(first_row: int, *, shift_days: int, received_at: int) -> Iterator[OrderPlaced]:
    return orders(rows()[first_row:], shift_days=shift_days, received_at=received_at)


def rows() -> list[Row]:
    """The whole file, sorted by day, then by line: the file is by customer, a log is by time."""
    found = [
        _row(number, line.split()) for number, line in enumerate(_text().decode("ascii").splitlines()[1:], 1)
    ]
    return sorted(found, key=lambda row: row.day)


def _text() -> bytes:
    return lzma.decompress((files(__package__) / "cdnow.txt.xz").read_bytes())


def _row(number: int, cells: list[str]) -> Row:
    customer_id, day, cds, dollars = cells
    whole, cents = dollars.split(".")
    return Row(number, customer_id, day, int(cds), int(whole) * 100 + int(cents))


def orders(rows: list[Row], *, shift_days: int, received_at: int) -> Iterator[OrderPlaced]:
    """The rows as events, `shift_days` later than they were; times in ms."""
    day, occurred_at = "", 0
    for row in rows:
        if row.day != day:
            day = row.day
            start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
            occurred_at = int(start.timestamp()) * 1000 + shift_days * DAY_MS
        # The file has no prices: a unit's is the order's amount over its CDs, rounded down to the cent.
        line = OrderLine(sku="cd", quantity=row.cds, unit_price_minor=row.amount_minor // row.cds)
        yield OrderPlaced(
            event_id=str(uuid5(_EVENTS, str(row.number))),
            customer_id=row.customer_id,
            occurred_at=occurred_at,
            received_at=received_at,
            source=NAME,
            channel="web",
            order_id=f"{NAME}-{row.number}",
            amount_minor=row.amount_minor,
            currency="USD",
            lines=(line,),
        )
