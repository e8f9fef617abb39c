"""How is the API served, and how does it stop?"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from api.access import EVERY_ADDRESS
from cli import directory
from cli.compose import background
from cli.errors import Refused
from streams.settings import Settings

logger = structlog.get_logger(__name__)

GRACE_S = 2  # for requests under way; live streams end with the process


class Server(uvicorn.Server):
    """Leaves signals to the command, which has more to stop than the server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """The listening socket, before anything is started for it; raises Refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Refused(
            f"Cannot serve on {host}:{port} ({error.strerror}): choose another with --port."
        ) from error
    return listening


def address(host: str, listening: socket.socket) -> str:
    """Where this machine reaches what listens, under a name that the API answers to."""
    if host in EVERY_ADDRESS:
        host = "::1" if listening.family == socket.AF_INET6 else "127.0.0.1"
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(
    api: FastAPI, settings: Settings, listening: socket.socket, on_stop: Callable[[], None] = lambda: None
) -> AsyncIterator[str]:
    """Serve `api`; gives its address. A server that dies cancels the body, and its error is raised.

    `on_stop` ends what would not end by itself, before connections are waited for.
    """
    config = uvicorn.Config(
        api, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE_S
    )
    server = Server(config)
    reached_at = address(settings.host, listening)
    listening.listen()  # from now on a caller waits, rather than being refused
    task = asyncio.create_task(server.serve([listening]))
    try:
        with directory.announced(settings.data_dir, reached_at):
            logger.info("serving", address=reached_at)
            async with background(_raise_its_end(task)):
                yield reached_at
    finally:
        on_stop()
        server.should_exit = True
        if not task.done():  # one that ended by itself has been told of
            await task


async def _raise_its_end(server: "asyncio.Task[None]") -> None:
    await asyncio.wait({server})
    server.result()
    raise RuntimeError("The HTTP server ended by itself: look at the output before this, and start it again.")
