"""given / when / then for triggers: rules and events of customers in, decisions out."""

from typing import Any

from projections.triggers.files import parse, version_of
from schemas.codec import decode
from schemas.events import (
    CampaignUnsubscribed,
    ConsentChanged,
    DecisionDeferred,
    Event,
    TriggerDecided,
    TriggersSet,
)
from streams.topics import DECISIONS
from tests.unit.streams.partition import Partition, day, event_id, order, tick

HOUR_MS = 3_600_000
NIGHT = 'quiet_hours = { from = "23:00", to = "07:00" }\ndefault_timezone = "UTC"'
SILENT = 'on = { change = "stage", to = "at_risk" }'


def trigger(
    name: str = "t", on: str = SILENT, consent: str = "none", holdout: float = 0, rest: str = ""
) -> str:
    return (
        f'[[trigger]]\nname = "{name}"\n{on}\naction = {{ file = "sink.jsonl" }}\nconsent = "{consent}"\n'
        f"holdout = {holdout}\n{rest}\n"
    )


def rules(*triggers: str, segments: str = "", clock: str = "events", at: int = 0) -> TriggersSet:
    text = "\n".join(triggers)
    parse(segments, text)
    return TriggersSet(
        event_id=event_id((text, segments, at)),
        occurred_at=at,
        received_at=at,
        version=version_of(segments, text, clock),
        segments=segments,
        triggers=text,
        clock=clock,
    )


def segment(name: str, where: str) -> str:
    return f"[[segment]]\nname = \"{name}\"\nwhere = '''{where}'''\n"


def about(customer: str, kind: type[Event], at: int, **fields: Any) -> Event:
    common = {"customer_id": customer, "occurred_at": at, "received_at": at}
    return kind(event_id=event_id((customer, kind.__name__, at, fields)), **common, **fields)


def consented(customer: str, at: int, status: str = "granted", channel: str = "email") -> Event:
    fields = {"consent_channel": channel, "purpose": "marketing", "status": status}
    return about(customer, ConsentChanged, at, **fields)


def unsubscribed(channel: str | None) -> Event:
    return about("ada", CampaignUnsubscribed, day(0) + 1, campaign_id="c", channel=channel)


def told(partition: Partition, topic: str = DECISIONS) -> list[Event]:
    return [decode(each.value or b"") for each in partition.outputs if each.topic == topic]


def decided(partition: Partition) -> list[TriggerDecided]:
    return [each for each in told(partition) if isinstance(each, TriggerDecided)]


def verdicts(partition: Partition) -> list[str]:
    return [each.verdict for each in decided(partition)]


def deferred(partition: Partition) -> list[DecisionDeferred]:
    return [each for each in told(partition) if isinstance(each, DecisionDeferred)]


def silence(*first: Event, customer: str = "ada", until: int = 100) -> list[Event]:
    """Two orders, and then silence: at risk on day 92."""
    return [*first, order(customer, day(0)), order(customer, day(1)), tick(day(until))]


def log(*events: Event) -> Partition:
    return Partition().log(*events).fold()
