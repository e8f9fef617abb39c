"""What do the routes need? The engine, the read model, who follows it, and the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol, cast

from fastapi import Depends, Request

from api.live import Live
from api.models import Models
from api.read_model import ReadModel
from projections.parameters import Boundaries, Marketing
from schemas.events import Event
from streams.clock import BoundarySource
from streams.deliveries import Deliveries
from streams.log import Log, Position
from streams.settings import Settings

if TYPE_CHECKING:
    from history.store import History
    from streams.folding import Status
    from streams.reacting import Reactor


class Engine(Protocol):
    """What the API asks of the engine; streams.engine.Engine is one."""

    def now_ms(self) -> int: ...
    async def append_events(self, events: Sequence[Event]) -> Sequence[Position]: ...
    async def status(self) -> "Status": ...
    async def set_marketing(self, marketing: Marketing) -> None: ...
    async def calibrate(self, source: BoundarySource) -> Boundaries | None: ...
    async def end_load(self, source: BoundarySource) -> Boundaries | None: ...


@dataclass(frozen=True)
class Services:
    settings: Settings
    log: Log
    engine: Engine
    read_model: ReadModel
    live: Live
    history: "History"
    models: Models
    deliveries: Deliveries
    reactor: "Reactor | None" = None  # where this process delivers


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Used = Annotated[Services, Depends(services_of)]
