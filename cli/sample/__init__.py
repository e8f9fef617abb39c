"""Which samples can the demo load? Each is a folder here, which reads its data as our events."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from schemas.events import Event

DAY_MS = 86_400_000


class Dataset(StrEnum):
    """The samples, by what --dataset and their loads call them."""

    cdnow = "cdnow"
    complete_journey = "complete-journey"


class Sample(NamedTuple):
    """What is known of a sample before it is loaded."""

    name: str
    title: str
    digest: str  # SHA-256 of its data, hex
    rows: int  # events
    last_at: int  # when the latest one was, ms

    def shift_to(self, now: datetime) -> int:
        """Days to add to the sample's dates so that it ends within the 24 hours before `now`."""
        return int(now.timestamp() * 1000 - self.last_at) // DAY_MS


def read(dataset: Dataset) -> Sample:
    """Raises Refused where the data is not installed."""
    found: Sample = import_module(f"{__name__}.{dataset.name}").read()
    return found


def events(dataset: Dataset, first_row: int, *, shift_days: int, received_at: int) -> "Iterator[Event]":
    """The sample's rows from that one on, in order of time, `shift_days` later than they were."""
    found: Iterator[Event] = import_module(f"{__name__}.{dataset.name}").events(
        first_row, shift_days=shift_days, received_at=received_at
    )
    return found


def lifecycle(dataset: Dataset) -> Path | None:
    """The lifecycle rules for the sample's customers; None where the default ones suit them."""
    path = Path(__file__).parent / dataset.name / "lifecycle.toml"
    return path if path.exists() else None
