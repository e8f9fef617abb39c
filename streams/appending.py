"""How does an event become a record of headwater.events? By its customer's partition."""

from collections.abc import Sequence

from schemas.codec import encode
from schemas.events import Event
from streams.keys import key_of
from streams.log import Append, Log
from streams.topics import EVENTS, partition_for


def appends(events: Sequence[Event], log: Log) -> list[Append]:
    """The records of events; raises ValueError for the engine's own."""
    partitions = log.partitions(EVENTS)
    keyed = [(key_of(event), event) for event in events]
    return [Append(EVENTS, partition_for(key, partitions), key, encode(event)) for key, event in keyed]
