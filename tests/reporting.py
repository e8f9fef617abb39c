"""How do tests ask a report? Over a history in which some events are archived, and nothing else."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from history import report_files
from history.archive import HistoryWriter
from history.reporting import Answer
from history.store import History
from schemas import codec
from schemas.events import (
    DecisionDeferred,
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliveryRedriven,
    DeliverySucceeded,
    Event,
    ExampleMatured,
    LifecycleChanged,
    LifecycleCorrected,
    ProcessingFailed,
    ScoresChanged,
    SegmentChanged,
    TriggerDecided,
)
from schemas.values import instant

DECIDED = (
    *(DecisionDeferred, DeliveryAbandoned, DeliveryAttempted, DeliveryRedriven, DeliverySucceeded),
    TriggerDecided,
)
TOPICS: dict[type[Event], str] = {
    **dict.fromkeys(
        (LifecycleChanged, LifecycleCorrected, ScoresChanged, SegmentChanged), "headwater.transitions"
    ),
    **dict.fromkeys(DECIDED, "headwater.decisions"),
    ProcessingFailed: "headwater.failed",
    ExampleMatured: "headwater.examples",
}
FILLED = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND total_rows > 0 AND name != 'migrations'
"""
_opened: list[History] = []


class Record(NamedTuple):
    offset: int
    value: bytes


async def history_of(path: Path, events: Iterable[Event]) -> History:
    """A chDB history with these archived, each on the topic of its type, in this order, in one partition.

    A process has one such engine, and to make it takes seconds: so the first call makes it at `path`, and
    each further one empties it, whatever its path, and returns the same. Call `close` at the module's end.
    """
    if not _opened:
        _opened.append(History.open(f"chdb://{path / 'history'}"))
    (history,) = _opened
    for (name,) in history._client.query(FILLED).result_rows:
        history._client.command(f"TRUNCATE TABLE `{name}`")
    history.writer = HistoryWriter(history._client)
    archive(history, events)
    return history


def archive(history: History, events: Iterable[Event]) -> None:
    """Have an empty history archive these."""
    runs: dict[str, list[Record]] = {}
    for event in events:
        run = runs.setdefault(TOPICS.get(type(event), "headwater.events"), [])
        run.append(Record(len(run), codec.encode(event)))
    for topic, run in runs.items():
        assert history.writer.write(topic, {0: run}) == []
        history.writer.note(topic, {0: len(run)})


def questions() -> Iterator[tuple[str, dict[str, str]]]:
    """Each standard report as it is, and with each choice that it has."""
    for report in report_files.discover().reports:
        yield report.name, {}
        for parameter in report.parameters:
            yield from ((report.name, {parameter.name: choice}) for choice in parameter.choices)


def close() -> None:
    """Let another test of this process open a history."""
    while _opened:
        _opened.pop().close()


async def told(
    history: History,
    name: str,
    *,
    as_of: str = "2026-01-01T00:00:00Z",
    timezone: str = "UTC",
    **parameters: object,
) -> Answer:
    """The whole answer, with its note and its queries."""
    return await history.report(name, parameters, instant(as_of), timezone)


async def answer(
    history: History,
    name: str,
    *,
    as_of: str = "2026-01-01T00:00:00Z",
    timezone: str = "UTC",
    **parameters: object,
) -> pd.DataFrame:
    """The answer's rows: money as Decimal in units of the base currency, dates as date, times aware."""
    whole = await told(history, name, as_of=as_of, timezone=timezone, **parameters)
    return whole.table.to_pandas()
