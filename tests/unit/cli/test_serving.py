"""Where is the HTTP server reached, and what happens to a command whose server dies?"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import FastAPI

from api.access import host_name, server_names
from cli import serving
from streams.settings import Settings


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with serving.bind("127.0.0.1", 0) as listening:
        yield listening


async def api(scope: object, receive: object, send: object) -> None:
    """An application that answers nothing."""


def served(data_dir: Path, listening: socket.socket) -> AbstractAsyncContextManager[str]:
    return serving.serving(cast(FastAPI, api), Settings(host="127.0.0.1", data_dir=data_dir), listening)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("localhost", "localhost"),
        ("10.0.0.7", "10.0.0.7"),
    ],
)
def test_the_address_is_one_that_the_api_answers_to(host: str, name: str) -> None:
    """For every address loopback, as 0.0.0.0 is no name that a request may give."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = cast(socket.socket, SimpleNamespace(family=family, getsockname=lambda: (host, 8000)))
    reached_at = serving.address(host, listening)
    assert reached_at == f"http://{name}:8000"
    assert host_name(reached_at.removeprefix("http://")) in server_names(Settings(host=host))


async def serve_until_it_ends(data_dir: Path, listening: socket.socket) -> None:
    async with served(data_dir, listening), asyncio.timeout(30):
        await asyncio.Event().wait()


async def test_a_server_that_dies_ends_the_command_with_its_error(
    tmp_path: Path, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that serves nothing must not look alive."""

    async def die(*_: object) -> None:
        raise OSError("no more file descriptors")

    monkeypatch.setattr(serving.Server, "serve", die)
    with pytest.raises(OSError, match="no more file descriptors"):
        await serve_until_it_ends(tmp_path, listening)
    assert not (tmp_path / "server.json").exists()


async def test_a_server_that_returns_by_itself_is_an_error_too(
    tmp_path: Path, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uvicorn returns where its start failed."""

    async def leave(*_: object) -> None: ...

    monkeypatch.setattr(serving.Server, "serve", leave)
    with pytest.raises(RuntimeError, match="ended by itself"):
        await serve_until_it_ends(tmp_path, listening)


async def test_a_server_that_is_stopped_is_no_error(tmp_path: Path, listening: socket.socket) -> None:
    """The usual end."""
    async with served(tmp_path, listening) as address:
        assert address.startswith("http://127.0.0.1:")
        assert (tmp_path / "server.json").exists()
