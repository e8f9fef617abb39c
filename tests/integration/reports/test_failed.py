"""Does a record that could not be processed count in a report?"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from msgspec.structs import replace

from history.store import History
from schemas.events import CompetitorNoted, CustomerEvent, CustomerRegistered, Event, ProcessingFailed
from tests.integration.reports import test_behaviour_reports, test_promotion_reports
from tests.integration.reports.small_shop import shop
from tests.reporting import TOPICS, answer, history_of, questions

END = "2025-06-30T12:00:00Z"
COUNTS_THEM = ("data_quality", "failed")  # of sources, in a column


def story() -> list[Event]:
    """Visits, campaigns, a shop and a competitor, on the log of events."""
    told = [*shop(), *test_behaviour_reports.story(40), *test_promotion_reports.story(60)]
    first = next(event for event in told if isinstance(event, CustomerRegistered))
    stamp = {"occurred_at": first.occurred_at, "received_at": first.received_at}
    noted = CompetitorNoted(
        event_id=str(uuid.uuid4()), customer_id=first.customer_id, competitor="Acme", **stamp
    )
    return [*told, noted]


def failed(events: list[Event]) -> Iterator[Event]:
    """Every fourth event told once more as another one, and that this could not be processed."""
    offset = sum(type(event) not in TOPICS for event in events)
    for number, event in enumerate(events):
        if (
            isinstance(event, CustomerEvent)
            and type(event) not in TOPICS
            and (number % 4 == 0 or event is events[-1])
        ):
            yield replace(event, event_id=str(uuid.UUID(int=number, version=4)))
            stamp = {"event_id": str(uuid.uuid4()), "occurred_at": event.occurred_at, "received_at": 0}
            yield ProcessingFailed(topic="headwater.events", partition=0, offset=offset, reason="", **stamp)
            offset += 1


async def answers(history: History) -> dict[tuple[str, ...], pd.DataFrame]:
    """Of each report as it is, and with each choice that it has."""
    found = {}
    for name, asked in questions():
        told = await answer(history, name, as_of=END, **asked)
        kept = [column for column in told if (name, column) != COUNTS_THEM]
        found[(name, *asked.values())] = told[kept]
    return found


async def test_what_could_not_be_processed_is_in_no_report(tmp_path: Path) -> None:
    """Each report answers as if the failed records had never been sent."""
    events = story()
    without = await answers(await history_of(tmp_path, events))
    with_failed = await answers(await history_of(tmp_path, [*events, *failed(events)]))
    differing = {name for name, found in without.items() if not found.equals(with_failed[name])}
    assert differing == set()
    assert not without["competitors",].empty
