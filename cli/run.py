"""How does a command run, and how is it stopped? SIGINT and SIGTERM end it in order."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from threading import Timer
from typing import Any, TypeVar

import structlog
import typer

from streams.runtime import tune

logger = structlog.get_logger(__name__)
T = TypeVar("T")

GAVE_UP = 1
INTERRUPTED = 130  # what shells report of a command that Ctrl-C ended


class Stopped(Exception):
    """A signal ended the work, which has released what it held."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Stopped before it has one, the command exits with INTERRUPTED."""
    try:
        return _run(work)
    except Stopped:
        raise typer.Exit(INTERRUPTED) from None


def run_until_stopped(work: Coroutine[Any, Any, None], within_s: float | None = None) -> None:
    """Run work that has no end of its own: being stopped is its success.

    Work that has nothing to lose may be given up `within_s` of the signal, where what it waits for is away.
    """
    with suppress(Stopped):
        _run(work, within_s)


def _run(work: Coroutine[Any, Any, T], within_s: float | None = None) -> T:
    tune()
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(_until_signalled(work, within_s))


def _loop() -> asyncio.AbstractEventLoop:
    with suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def _give_up() -> None:
    logger.error("stop_given_up", reason="what it waits for does not answer")
    os._exit(GAVE_UP)


async def _until_signalled(work: Coroutine[Any, Any, T], within_s: float | None) -> T:
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:  # a second signal does not cancel the clean-up that the first began
            stopped = True
            task.cancel()
            if within_s is not None:
                give_up = Timer(within_s, _give_up)
                give_up.daemon = True
                give_up.start()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        logger.info("stopped")
        raise Stopped from None
