"""Who asked the history what? Each question is noted on the log before its answer is given.

An engine event of partition 0, which moves no time and changes no customer. It has the names of the
parameters, not their values. Where the log cannot take it, there is no answer.
"""

import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from starlette.requests import Request

from api.keys import caller
from api.services import Services
from history.guard import QueryRefused
from history.report_values import BadParameter
from history.sql import MAX_CHARACTERS, QueryStopped
from schemas.codec import encode
from schemas.events import EngineEvent, SqlAsked
from schemas.rules import MAX_ITEMS, MAX_NAME
from streams.log import Append
from streams.topics import EVENTS

T = TypeVar("T")


class Asked(NamedTuple):
    """SQL, or a report, whose statements are known once it has answered."""

    query: str
    parameters: Iterable[str]
    report: str | None = None


class Told(NamedTuple):
    """Of an answer: its rows, and the statements of a report."""

    rows: int
    query: str | None = None


async def noted(
    request: Request, services: Services, asked: Asked, answer: Awaitable[T], told: Callable[[T], Told]
) -> T:
    """The answer, once it is noted that it was asked for; raises what it raises, and LogUnavailable."""
    started = time.perf_counter()

    async def note(outcome: str, rows: int = 0, query: str | None = None) -> None:
        event = SqlAsked(
            **stamp(services),
            who=caller(request),
            report=asked.report and _text(asked.report, MAX_NAME),
            query=_text(asked.query if query is None else query, MAX_CHARACTERS),
            parameters=tuple(_text(name, MAX_NAME) for name in sorted(asked.parameters)[:MAX_ITEMS]),
            rows=rows,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
            outcome=outcome,
        )
        await tell(services, event)

    try:
        found = await answer
    except Exception as error:
        await note(_outcome(error))
        raise
    await note("answered", *told(found))
    return found


def stamp(services: Services) -> dict[str, Any]:
    """What every event of the engine has: an id, and the engine's clock."""
    now_ms = services.engine.now_ms()
    return {"event_id": str(uuid.uuid4()), "occurred_at": now_ms, "received_at": now_ms}


async def tell(services: Services, event: EngineEvent) -> None:
    """Append an event of no customer; raises LogUnavailable."""
    await services.log.append([Append(EVENTS, 0, None, encode(event))])


def _outcome(error: Exception) -> str:
    match error:
        case QueryRefused() | BadParameter():
            return "refused"
        case QueryStopped():
            return "stopped"
        case _:
            return "failed"


def _text(text: str, length: int) -> str:
    """At most so many characters, all of them Unicode."""
    return text[:length].encode("utf-8", "replace").decode()
