"""What runs in a Headwater process, and in which order does it start and stop?"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import FastAPI
from pydantic import ValidationError

from api import access
from api.app import create_api
from api.live import Live
from api.models import Models
from api.read_model import ReadModel
from api.services import Services
from cli import directory
from cli.directory import Clock
from cli.errors import Refused
from history.client import HistoryUnavailable
from history.store import History
from projections.scoring.target import BadTargets
from schemas.registry import RegistryRefused
from streams.archive import Archive
from streams.deliveries import Deliveries, QueueUnavailable
from streams.engine import Engine
from streams.learner import CHECKPOINT, Learner
from streams.loading import Load, LoadRefused
from streams.log import Log, LogUnavailable, OutcomeUnknown, ProducerFenced
from streams.reacting import Reactor
from streams.rows import FoldVersionMismatch
from streams.schema_ids import OtherIds, adopt, check
from streams.sending import Sender
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.topics import CUSTOMERS, TRANSITIONS, topic_specs
from streams.wanted import BadRules

CANNOT_START = (
    ProducerFenced,
    OutcomeUnknown,
    RegistryRefused,
    LogUnavailable,
    QueueUnavailable,
    OtherIds,
    FoldVersionMismatch,
    BadRules,
    BadTargets,
    HistoryUnavailable,
    LoadRefused,
    ValueError,
)


class Source(NamedTuple):
    """What will be loaded; `shifted`: its dates are moved by the directory's day shift."""

    name: str
    digest: str  # SHA-256, hex
    rows: int
    shifted: bool = False
    digest_of_first: Callable[[int], str | None] = lambda _: None  # of the source's first rows
    again: bool = False  # also where it is loaded under another name


class Parts(NamedTuple):
    """A running engine with everything that follows its log."""

    services: Services
    engine: Engine
    archive: Archive
    api: FastAPI

    @property
    def settings(self) -> Settings:
        return self.services.settings

    def stop(self) -> None:
        """End what would not end by itself: the live streams."""
        self.services.live.close()

    @property
    def read_model(self) -> ReadModel:
        return self.services.read_model

    async def settled(self) -> None:
        """Return once all that is on the log now shows in every answer: rows, lists, history."""
        await self.engine.caught_up()
        for topic in (CUSTOMERS, TRANSITIONS):
            await self.read_model.wait_for(topic, await self.engine.log.end_offsets(topic))
        await self.archive.settled()


@asynccontextmanager
async def running(
    data_dir: Path,
    *,
    clock: Clock | None = None,
    shift_days: int | None = None,
    load: Source | None = None,
    learns: bool = False,
    delivers: bool = False,
) -> AsyncIterator[Parts]:
    """Hold the directory and run its engine; `clock` and `shift_days` hold at the first start only.

    Models learn while the engine serves (`learns`), and not where a command opens it for an answer; then
    what is predicted stays, too. Likewise messages are sent (`delivers`): never by a rebuild.

    A `load` that is to come is told to the log before the clock starts, which then waits for its end: what
    the load tells of the past happens at its true moments. Raises Refused where the engine cannot start; what
    makes it fail later cancels the body and is raised.
    """
    with directory.held(data_dir):
        wanted = settings_of(data_dir)
        of_sample = {} if shift_days is None or load is None else {"sample": load.name}
        fixed = directory.fix(data_dir, clock=clock or wanted.clock, shift_days=shift_days, **of_sample)
        settings = wanted.model_copy(update={"clock": fixed.clock})
        async with AsyncExitStack() as stack:
            try:
                await asyncio.to_thread(adopt, settings)
                if load is not None:
                    await _announce(load, settings, fixed.shift_days or 0)
                engine = await stack.enter_async_context(
                    Engine.open(settings, sets_scoring=learns or load is not None)
                )
                history = await asyncio.to_thread(History.open, history_url(settings))
                stack.push_async_callback(asyncio.to_thread, history.close)
                archive = Archive(engine.log, history.writer)
                stack.push_async_callback(archive.close)
                await archive.start()
                read_model = await ReadModel.open(data_dir / "read_model.db", engine.log)
                stack.push_async_callback(read_model.close)
                models = Models(engine.log)
                live = Live(read_model, engine.log, models)
                deliveries = await Deliveries.open(data_dir, engine.log)
                stack.push_async_callback(deliveries.close)
                reactor = None
                if delivers:
                    sender = await stack.enter_async_context(Sender.open(data_dir, embedded=True))
                    concurrency = settings.delivery_concurrency
                    reactor = Reactor(engine.log, deliveries, read_model, sender, concurrency)
                services = Services(
                    settings, engine.log, engine, read_model, live, history, models, deliveries, reactor
                )
                api = create_api(services)
            except CANNOT_START as error:
                raise Refused(str(error)) from error
            work = [read_model.run(), archive.run(), models.run(), engine.calibrate_daily(read_model)]
            work.append(history.keep_merged())
            work.append(deliveries.run() if reactor is None else reactor.run())
            if learns:
                learner = Learner(
                    engine.log, engine.log.append, data_dir / CHECKPOINT, engine.idle, settings.champion
                )
                work.append(learner.run())
            async with background(*work, _failure(engine)):
                yield Parts(services, engine, archive, api)


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the body; if any of it fails, the body is cancelled and the failure raised."""
    body = asyncio.current_task()
    failures: list[BaseException] = []

    def failed(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            failures.append(error)
            if body is not None:
                body.cancel()

    tasks = [asyncio.create_task(each) for each in work]
    for task in tasks:
        task.add_done_callback(failed)
    try:
        yield
    except asyncio.CancelledError:
        if failures:
            raise failures[0] from None
        raise
    finally:
        for task in tasks:
            task.remove_done_callback(failed)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def begin(log: Log, source: Source, settings: Settings, shift_days: int) -> Load:
    """Begin or resume a load by the directory's clock and shift; raises LoadRefused."""
    return await Load.begin(
        log,
        source.name,
        digest=source.digest,
        rows=source.rows,
        digest_of_first=source.digest_of_first,
        again=source.again,
        shift_days=shift_days if source.shifted else 0,
        ticks=settings.clock == "events",
    )


async def _announce(source: Source, settings: Settings, shift_days: int) -> None:
    log = await SqliteLog.open(settings.log_path, topic_specs(settings.partitions))
    try:
        await check(log)
        await (await begin(log, source, settings, shift_days)).announce()
    finally:
        await log.close()


def settings_of(data_dir: Path) -> Settings:
    """The HEADWATER_* variables; raises Refused for one that cannot be used, before anything is opened."""
    try:
        settings = Settings(data_dir=data_dir)
        access.check(settings)
    except ValidationError as error:
        faults = [f"HEADWATER_{'.'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in error.errors()]
        raise Refused(f"{'; '.join(faults)}: correct the variable or unset it.") from error
    except ValueError as error:
        raise Refused(str(error)) from error
    return settings


def history_url(settings: Settings) -> str:
    """Where the history is: a server, or chDB in the data directory."""
    return settings.history_url or f"chdb://{(settings.data_dir / 'history').resolve()}"


async def _failure(engine: Engine) -> None:
    raise await engine.failed
