"""What do the tests of deliveries share? An engine with rules, a reactor, and what the log says of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from api.read_model import ReadModel
from projections.triggers.files import parse, version_of
from schemas.codec import encode
from schemas.events import CustomerEvent, Event, TriggersSet
from streams.deliveries import Deliveries
from streams.dispatching import Clock
from streams.engine import Engine
from streams.log import Append, Log
from streams.outputs import output_id
from streams.reacting import Reactor
from streams.sending import Sender
from streams.topics import DECISIONS, EVENTS
from streams.windows import NEVER_MS
from tests.integration.engines import append, events, settings_for

E = TypeVar("E", bound=Event)


def trigger(action: str, name: str = "welcome", rest: str = "", consent: str = "none") -> str:
    """A trigger on the first order, whatever its age."""
    return (
        f'[[trigger]]\nname = "{name}"\non = {{ change = "stage", to = "new" }}\naction = {{ {action} }}\n'
        f'consent = "{consent}"\nholdout = 0\nmax_age = "off"\n{rest}\n'
    )


def webhook(url: str, name: str = "welcome", rest: str = "", consent: str = "none") -> str:
    return trigger(f'webhook = "{url}"', name, rest, consent)


async def tell_rules(log: Log, triggers: str, segments: str = "", clock: str = "events") -> None:
    """Put rules in force on every partition."""
    parse(segments, triggers)
    version = version_of(segments, triggers, clock)
    batch = []
    for partition in range(log.partitions(EVENTS)):
        told = TriggersSet(
            event_id=output_id("rules", version, partition),
            occurred_at=0,
            received_at=0,
            version=version,
            segments=segments,
            triggers=triggers,
            clock=clock,
        )
        batch.append(Append(EVENTS, partition, None, encode(told)))
    await log.append(batch)


@dataclass
class Delivering:
    engine: Engine
    read_model: ReadModel
    deliveries: Deliveries
    reactor: Reactor

    @property
    def log(self) -> Log:
        return self.engine.log

    async def happened(self, *happened: CustomerEvent) -> None:
        await append(self.log, happened)

    async def told(self, kind: type[E]) -> list[E]:
        """The events of a kind on headwater.decisions."""
        return [event for event in await events(self.log, DECISIONS) if isinstance(event, kind)]

    @property
    def pending(self) -> int:
        return sum(n for (_, state), n in self.deliveries.queue.counts.items() if state == "pending")

    async def until(self, holds: Callable[[], object]) -> None:
        """Return once it holds."""
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.01)

    async def settled(self) -> None:
        """Return once everything that was decided up to now has ended."""
        await self.engine.caught_up()
        ends = await self.log.end_offsets(DECISIONS)
        await self.until(lambda: all(self.deliveries.position(p) >= end for p, end in enumerate(ends)))
        await self.until(lambda: not self.pending)


@dataclass
class Leaping:
    """A clock that stands still, until nothing is to be done before a later moment: then it is there."""

    at_ms: int

    def now_ms(self) -> int:
        return self.at_ms

    async def sleep_until(self, at_ms: int) -> None:
        await asyncio.sleep(0.01)
        if at_ms < NEVER_MS:
            self.at_ms = max(self.at_ms, at_ms)


@asynccontextmanager
async def delivering(
    path: Path,
    triggers: str | None = None,
    clock: Clock | None = None,
    chance: Callable[[], float] = lambda: 0.0,
    rules_clock: str = "events",
    embedded: bool = True,
    **changes: object,
) -> AsyncIterator[Delivering]:
    """An engine on event time in `path` that delivers, and tries again as soon as it may."""
    settings = settings_for(path, **{"partitions": 2, "targets": ""} | changes)
    async with Engine.open(settings) as engine, Sender.open(path, embedded=embedded) as sender:
        if triggers is not None:
            await tell_rules(engine.log, triggers, clock=rules_clock)
        read_model = await ReadModel.open(path / "read_model.db", engine.log)
        deliveries = await Deliveries.open(path, engine.log)
        concurrency = settings.delivery_concurrency
        reactor = Reactor(engine.log, deliveries, read_model, sender, concurrency, clock, chance)
        work = [asyncio.create_task(each) for each in (read_model.run(), reactor.run())]
        try:
            yield Delivering(engine, read_model, deliveries, reactor)
        finally:
            for task in work:
                task.cancel()
            ended = await asyncio.gather(*work, return_exceptions=True)
            await deliveries.close()
            await read_model.close()
            for each in ended:
                if not isinstance(each, asyncio.CancelledError):
                    raise each
