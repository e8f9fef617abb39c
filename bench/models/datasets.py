"""Which customers are the models judged on? Those of the demo's samples: CDNOW and Complete Journey."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from cli import sample
from schemas.events import CustomerEvent, Event


class Dataset(NamedTuple):
    name: str
    by_customer: dict[str, list[CustomerEvent]]  # in order of time
    start_ms: int
    end_ms: int  # nothing is known from here on
    cuts: tuple[str, ...]


def ms(day: str) -> int:
    """The start of a day (UTC) in ms."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def cdnow() -> Dataset:
    """All 69,659 orders."""
    events = sample.events(sample.Dataset.cdnow, 0, shift_days=0, received_at=0)
    return _dataset("CDNOW", events, "1997-01-01", "1998-07-01", ("1997-09-30", "1997-12-31"))


def complete_journey() -> Dataset:
    """155,848 baskets, 6,589 sends and 2,102 redemptions of 2,469 households in 2017."""
    events = sample.events(sample.Dataset.complete_journey, 0, shift_days=0, received_at=0)
    return _dataset("Complete Journey", events, "2017-01-01", "2018-01-01", ("2017-07-01", "2017-10-01"))


def _dataset(name: str, events: Iterator[Event], start: str, end: str, cuts: tuple[str, ...]) -> Dataset:
    by_customer: dict[str, list[CustomerEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event, CustomerEvent):  # a plan of a campaign is of nobody
            by_customer[event.customer_id].append(event)
    return Dataset(name, by_customer, ms(start), ms(end), cuts)
