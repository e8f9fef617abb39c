"""May this record be folded? What may not goes to headwater.failed, with the reason and its bytes."""

from collections.abc import Container

from projections.triggers import files
from schemas.codec import Undecodable, decode
from schemas.events import Event, ModelInForce, TriggersSet
from streams.log import Record
from streams.topics import MODELS

AHEAD_AT_MOST_MS = 5 * 60 * 1000
BYTES_AT_MOST = 1_000_000  # of an event; Kafka takes a little more, and headwater.failed keeps all of it


class Rejected(Exception):
    """A record that cannot be folded: the reason goes to headwater.failed with the bytes."""


def decoded(record: Record) -> Event:
    """The event; raises Rejected."""
    value = record.value or b""
    if len(value) > BYTES_AT_MOST:
        raise Rejected(f"The record has {len(value):,} bytes: send at most {BYTES_AT_MOST:,}.")
    try:
        return decode(value)
    except Undecodable as error:
        raise Rejected(f"These bytes are no event: {error}.") from error


def check_time(record: Record, event: Event) -> None:
    """Raises Rejected for an event of the future: one bad clock must not age a whole partition."""
    if event.occurred_at > record.timestamp_ms + AHEAD_AT_MOST_MS:
        raise Rejected("The event is more than 5 minutes later than its append: correct the sender's clock.")


def check_parameters(event: Event, scorers: Container[int]) -> None:
    """Raises Rejected for parameters that cannot be put in force."""
    if isinstance(event, ModelInForce) and event.model_offset not in scorers:
        raise Rejected(f"{MODELS} has no snapshot at {event.model_offset}: publish it before.")
    if isinstance(event, TriggersSet):
        try:
            files.parse(event.segments, event.triggers)
        except files.BadTriggers as error:
            raise Rejected(f"The rules in force stay as they are: {error}") from error
