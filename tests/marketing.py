"""What do tests of a served engine begin with? A log with rules in force and decisions on it."""

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path

from projections.triggers.files import parse, version_of
from schemas.codec import encode
from schemas.events import Event, TriggersSet
from streams.log import Append, Log
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.topics import DECISIONS, EVENTS, partition_for, topic_specs

SEGMENTS = """
[[segment]]
name = "regulars"
where = "orders.count >= 2"
description = "Who came back."

[[segment]]
name = "quiet"
where = "lifecycle.silence_days > 30"
"""
TRIGGERS = """
cap = { count = 5, days = 30 }

[[trigger]]
name = "welcome"
on = { change = "stage", to = "new" }
action = { topic = "headwater.messages" }
consent = "none"
holdout = 0
review = true

[[trigger]]
name = "win-back"
on = { change = "stage", from = "active", to = "at_risk" }
action = { webhook = "https://hooks.example.org/T00/path-secret?token=query-secret", secret = "crm" }
consent = "email/marketing"
holdout = 0.1
max_age = "off"
"""


def told(log: Log, segments: str = SEGMENTS, triggers: str = TRIGGERS, clock: str = "wall") -> list[Append]:
    """The records that put rules in force on every partition."""
    parse(segments, triggers)
    rules = TriggersSet(
        event_id=str(uuid.uuid4()),
        occurred_at=0,
        received_at=0,
        version=version_of(segments, triggers, clock),
        segments=segments,
        triggers=triggers,
        clock=clock,
    )
    return [Append(EVENTS, partition, None, encode(rules)) for partition in range(log.partitions(EVENTS))]


def decided(log: Log, events: Sequence[Event]) -> list[Append]:
    """The records that the fold or the reactor would put on headwater.decisions."""
    partitions = log.partitions(DECISIONS)
    keyed = [(str(getattr(event, "customer_id")).encode(), event) for event in events]  # noqa: B009
    return [Append(DECISIONS, partition_for(key, partitions), key, encode(event)) for key, event in keyed]


def prepare(data_dir: Path, *decisions: Event) -> None:
    """A log with the rules above in force and these decisions, for a server to start with."""
    data_dir.mkdir(parents=True)
    asyncio.run(_prepare(data_dir, decisions))


async def _prepare(data_dir: Path, decisions: Sequence[Event]) -> None:
    settings = Settings(data_dir=data_dir)
    log = await SqliteLog.open(settings.log_path, topic_specs(settings.partitions))
    await log.append([*told(log), *decided(log, decisions)])
    await log.close()
