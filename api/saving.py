"""How is something saved under a name? As an event, and answered once the history has it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from api.asked import tell
from api.problems import FieldError, Problem
from api.services import Services
from schemas.events import EngineEvent

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
LOOKS, LOOK_EVERY_S = 100, 0.1


class Saved(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def event_id(self) -> str: ...


S = TypeVar("S", bound=Saved)


def checked_name(name: str) -> str:
    """The name; raises a Problem (422) for one that no address could have."""
    if not NAME.fullmatch(name):
        raise refused(
            "name", f"The name {name[:80]!r} is none: use small letters, digits, - and _, at most 64."
        )
    return name


def refused(field: str, detail: str) -> Problem:
    return Problem(422, detail, errors=[FieldError(0, field, detail)])


async def save(services: Services, event: EngineEvent, saved: Callable[[], Awaitable[Iterable[S]]]) -> S:
    """Append the event, and what it saved once the archive has it; a Problem (503) if it does not come.

    Raises LogUnavailable.
    """
    await tell(services, event)
    for _ in range(LOOKS):
        found = next((each for each in await saved() if each.event_id == event.event_id), None)
        if found is not None:
            return found
        await asyncio.sleep(LOOK_EVERY_S)
    raise Problem(
        503,
        "It is saved on the log, but not in the history yet: GET /readyz says how far behind that is.",
        headers={"Retry-After": "5"},
    )
