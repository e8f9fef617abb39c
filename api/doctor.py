"""Do the log, the table, the read model and the history tell the same, and does time go on?"""

import shlex
from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from msgspec import Struct
from starlette.responses import Response

from api import answers
from api.services import Services, Used
from streams.loading import Progress, loads
from streams.rows import PartitionRow
from streams.topics import CUSTOMERS, DECISIONS, EVENTS, TRANSITIONS

router = APIRouter(tags=["operation"])

WAIT = "Ask again in a moment; if it stays, restart the engine and look at what it prints."
COUNT = "SELECT count(), uniqExact(customer_id) FROM events WHERE customer_id != ''"


class Found(Struct, frozen=True):
    """What each part says of itself, as far as it got; offsets by topic and partition."""

    log: Mapping[tuple[str, int], int]  # end offsets of all topics that are followed
    folded: Mapping[int, PartitionRow]
    read_model_offsets: Mapping[tuple[str, int], int]
    read_model_customers: int
    archived: Mapping[tuple[str, int], int]
    history_events: int
    history_customers: int
    unfinished_loads: Mapping[str, Progress]


class Check(Struct, frozen=True):
    what: str
    ok: bool
    found: str
    remedy: str  # what to do if it is not ok


class Checks(Struct, frozen=True):
    checks: Sequence[Check]


def checks(found: Found) -> list[Check]:
    """Each part against the one that it follows; counts are compared where nothing is on its way."""
    events = sum(row.events for row in found.folded.values())
    customers = sum(row.customers for row in found.folded.values())
    failed = sum(row.failed for row in found.folded.values())
    unfolded = _behind(found.log, {(EVENTS, p): row.position for p, row in found.folded.items()}, (EVENTS,))
    untaken = _behind(found.log, found.read_model_offsets, (CUSTOMERS, TRANSITIONS))
    unfinished = sorted(found.unfinished_loads.items())
    unarchived = _behind(found.log, found.archived, (EVENTS, TRANSITIONS, DECISIONS))
    return [
        Check(
            "table follows the log",
            unfolded == 0,
            f"{unfolded:,} of {_sum(found.log, EVENTS):,} records to fold",
            WAIT,
        ),
        Check("read model follows the table", untaken == 0, f"{untaken:,} records to take in", WAIT),
        Check(
            "read model has every customer",
            untaken != 0 or found.read_model_customers == customers,
            f"{found.read_model_customers:,} of {customers:,} customers",
            "Stop the engine, delete read_model.db in its data directory and start it: it is filled again.",
        ),
        Check("history follows the log", unarchived == 0, f"{unarchived:,} records to archive", WAIT),
        Check(
            "history has every event",
            unarchived + unfolded != 0
            or (found.history_events, found.history_customers) == (events, customers),
            f"{found.history_events:,} of {events:,} events, "
            f"{found.history_customers:,} of {customers:,} customers",
            "Stop the engine, delete the folder history in its data directory (of a ClickHouse server: drop "
            "the database), start it: it is filled again. "
            "Only an event sent again more than 64 events later may stay counted twice in the table.",
        ),
        Check(
            "every record was processed",
            failed == 0,
            f"{failed:,} in headwater.failed",
            'See why: headwater sql "select reason, count() from failed group by reason".',
        ),
        Check(
            "every load is finished",
            not found.unfinished_loads,
            "; ".join(f"{name!r} is at row {load.row:,} of {load.rows:,}" for name, load in unfinished)
            or "none is under way",
            "A wall clock does not tick until then: run the same load again, or give it up: "
            f"headwater events load --give-up {shlex.quote(unfinished[0][0]) if unfinished else 'NAME'}.",
        ),
    ]


def _behind(
    ends: Mapping[tuple[str, int], int], reached: Mapping[tuple[str, int], int], topics: Sequence[str]
) -> int:
    return sum(end - reached.get(place, 0) for place, end in ends.items() if place[0] in topics)


def _sum(ends: Mapping[tuple[str, int], int], topic: str) -> int:
    return sum(end for place, end in ends.items() if place[0] == topic)


@router.get("/doctor", summary="Whether all parts agree")
async def doctor(services: Used) -> Response:
    """Compare what the log, the table, the read model and the history say; each check says what to do."""
    return answers.answer(Checks(checks(await _look(services))))


async def _look(services: Services) -> Found:
    ends = {
        (topic, partition): end
        for topic in (EVENTS, CUSTOMERS, TRANSITIONS, DECISIONS)
        for partition, end in enumerate(await services.log.end_offsets(topic))
    }
    counted = (await services.history.sql(COUNT)).rows[0]
    return Found(
        log=ends,
        folded=services.read_model.partitions,
        read_model_offsets=services.read_model.next_offsets(),
        read_model_customers=services.read_model.totals().customers,
        archived=await services.history.archived(),
        history_events=int(counted[0]),
        history_customers=int(counted[1]),
        unfinished_loads={
            name: progress for name, progress in (await loads(services.log)).items() if not progress.done
        },
    )
