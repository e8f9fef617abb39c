"""Does a report tell of what came after the moment that it is asked as of?"""

import uuid
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from history.store import History
from schemas.events import BaseCurrencySet, Event, LifecycleRulesSet
from tests.integration.reports import test_failed, test_promotion_reports, test_prospecting
from tests.integration.reports.shop import at, engine, made_up
from tests.reporting import history_of, questions, told

MOMENT, TIMEZONE = "2025-04-30T15:30:00Z", "Asia/Tokyo"


def story() -> list[Event]:
    """All that the tests of reports make up, from 2023 on, in event time; ids are of one story only."""
    stories = (
        *(test_failed.story(), made_up(), test_promotion_reports.decisions()),
        *(test_prospecting.selling(), test_prospecting.wanderings()),
    )
    events = [
        replace(event, event_id=str(uuid.uuid5(uuid.UUID(int=number), f"{event.event_id}{type(event)}")))
        for number, told_of in enumerate(stories)
        for event in told_of
    ]
    return sorted(events, key=lambda event: event.occurred_at)


def again(events: list[Event]) -> list[Event]:
    """All of it once more after the moment, as other events, and by other rules."""
    start = at(MOMENT) + 1
    return [
        *(
            replace(event, event_id=str(uuid.UUID(int=number, version=4)), occurred_at=start + number)
            for number, event in enumerate(events)
            if not isinstance(event, BaseCurrencySet)
        ),
        engine(LifecycleRulesSet, start, version="2", rfm_window_days=30),
    ]


async def answers(history: History) -> dict[tuple[str, ...], Any]:
    """Of each report as it is, and with each choice that it has: the rows, and what is said of them."""
    found = {}
    for name, asked in questions():
        whole = await told(history, name, as_of=MOMENT, timezone=TIMEZONE, **asked)
        found[(name, *asked.values())] = whole.table.to_pydict(), whole.note
    return found


async def test_what_came_later_is_in_no_report(tmp_path: Path) -> None:
    """Each report answers as it did at the moment, whatever has happened since."""
    events = story()
    before = [event for event in events if event.occurred_at <= at(MOMENT)]
    then = await answers(await history_of(tmp_path, before))
    now = await answers(await history_of(tmp_path, [*before, *again(before), *events[len(before) :]]))
    assert {name for name, answer in then.items() if answer != now[name]} == set()
    empty = {name for name, (rows, _) in then.items() if not all(rows.values())}
    assert empty == {("sales_forecast", "month")}  # whose 30 months ahead need more years
