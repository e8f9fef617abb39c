"""What runs in a Headwater process, and in which order does it start and stop?"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import FastAPI

from api.app import create_api
from api.live import Live
from api.read_model import ReadModel
from api.services import Services
from cli import directory
from cli.directory import Clock
from cli.errors import Refused
from history.client import HistoryUnavailable
from history.store import History
from streams.archive import Archive
from streams.clock import BadRules
from streams.engine import Engine
from streams.log import LogUnavailable
from streams.rows import FoldVersionMismatch
from streams.settings import Settings
from streams.topics import CUSTOMERS, TRANSITIONS

POLL_S = 0.02


class Parts(NamedTuple):
    """A running engine with everything that follows its log."""

    services: Services
    engine: Engine
    archive: Archive
    api: FastAPI

    @property
    def data_dir(self) -> Path:
        return self.services.settings.data_dir

    @property
    def read_model(self) -> ReadModel:
        return self.services.read_model

    async def settled(self) -> None:
        """Return once all that is on the log now shows in every answer: rows, lists, history."""
        await self.engine.caught_up()
        for topic in (CUSTOMERS, TRANSITIONS):
            await self.read_model.wait_for(topic, await self.engine.log.end_offsets(topic))
        while True:
            if not await self.archive.lag():
                return
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def running(
    data_dir: Path, *, clock: Clock | None = None, shift_days: int | None = None
) -> AsyncIterator[Parts]:
    """Hold the directory and run its engine; `clock` and `shift_days` hold at the first start only.

    Raises Refused where it cannot start; what makes it fail later cancels the body and is raised.
    """
    with directory.held(data_dir):
        wanted = Settings(data_dir=data_dir)
        fixed = directory.fix(data_dir, clock=clock or wanted.clock, shift_days=shift_days)
        settings = wanted.model_copy(update={"clock": fixed.clock})
        async with AsyncExitStack() as stack:
            try:
                engine = await stack.enter_async_context(Engine.open(settings))
                history = await asyncio.to_thread(History.open, _history_url(settings))
                stack.callback(history.close)
                archive = Archive(engine.log, history.writer)
                stack.push_async_callback(archive.close)
                await archive.start()
                read_model = await ReadModel.open(data_dir / "read_model.db", engine.log)
                stack.push_async_callback(read_model.close)
                live = Live(read_model, engine.log)
                services = Services(settings, engine.log, engine, read_model, live, history)
                api = create_api(services)
            except (LogUnavailable, FoldVersionMismatch, BadRules, HistoryUnavailable, ValueError) as error:
                raise Refused(str(error)) from error
            work = (read_model.run(), archive.run(), engine.calibrate_daily(read_model), _failure(engine))
            async with _background(*work):
                yield Parts(services, engine, archive, api)


@asynccontextmanager
async def _background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
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


def _history_url(settings: Settings) -> str:
    return settings.history_url or f"chdb://{(settings.data_dir / 'history').resolve()}"


async def _failure(engine: Engine) -> None:
    raise await engine.failed
