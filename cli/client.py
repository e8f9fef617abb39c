"""How does a command ask the engine? As HTTP: of the server that holds the directory, or in this process."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from cli import directory
from cli.errors import Refused

if TYPE_CHECKING:
    from fastapi import FastAPI

    from cli.compose import Source

TIMEOUT_S = 60.0
IN_PROCESS = "http://127.0.0.1"


@asynccontextmanager
async def connect(data_dir: Path, *, load: "Source | None" = None) -> AsyncIterator["Client"]:
    """The engine of `data_dir`, caught up; raises Refused where there is none, unless for a `load`."""
    server = directory.server(data_dir)
    address = os.environ.get("HEADWATER_API_URL") or (None if server is None else server.address)
    if address is not None:
        key = _authorization(os.environ.get("HEADWATER_API_KEY"))
        async with httpx2.AsyncClient(base_url=address, timeout=TIMEOUT_S, headers=key) as http:
            yield Client(http)
        return
    if os.environ.get("HEADWATER_LOG_URL", "").startswith("kafka://"):
        raise Refused(
            "On Kafka, commands ask an API: set HEADWATER_API_URL to its address, http://host:8000."
        )
    if load is None and directory.fixed(data_dir) is None:
        raise Refused(
            f"There is no engine in {data_dir}: start one with headwater demo or headwater serve, "
            "or name its directory with --data-dir."
        )
    print(f"No server holds {data_dir}: opening the engine…", file=sys.stderr, flush=True)
    from cli.compose import running  # the engine and all it needs: only where no server has it already

    async with running(data_dir, load=load) as parts, in_process(parts.api) as engine:
        await parts.settled()
        yield engine


async def get(data_dir: Path, path: str, **query: str | int | None) -> Any:
    """One answer of the engine of `data_dir`; what is None is not asked."""
    async with connect(data_dir) as engine:
        return await engine.get(path, **{name: value for name, value in query.items() if value is not None})


async def post(data_dir: Path, path: str, body: object) -> Any:
    """One answer of the engine of `data_dir` to a body."""
    async with connect(data_dir) as engine:
        return await engine.post(path, body)


@asynccontextmanager
async def in_process(api: "FastAPI") -> AsyncIterator["Client"]:
    """Calls of `api` without a socket."""
    transport = httpx2.ASGITransport(api)
    key = api.state.services.settings.api_key
    headers = _authorization(None if key is None else key.get_secret_value())
    async with httpx2.AsyncClient(
        transport=transport, base_url=IN_PROCESS, timeout=None, headers=headers
    ) as http:
        yield Client(http)


def _authorization(key: str | None) -> dict[str, str]:
    """Raises Refused for a key that no header can carry."""
    if not key:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise Refused("HEADWATER_API_KEY has characters that no key has: set it to the server's key.")
    return {"Authorization": f"Bearer {key}"}


class _Fault(msgspec.Struct, frozen=True):
    index: int
    field: str
    detail: str


class _Problem(msgspec.Struct, frozen=True):
    detail: str
    errors: tuple[_Fault, ...] = ()


class Client:
    """Calls of the HTTP API."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **query: str | int) -> Any:
        """The answer's JSON; raises Refused with the problem's sentence."""
        return _answer(await self._send("GET", path, params=query))

    async def download(self, path: str) -> bytes:
        """The answer as it is; raises Refused with the problem's sentence."""
        response = await self._send("GET", path)
        if not response.is_success:
            _answer(response)
        return response.content

    async def post(self, path: str, body: object) -> Any:
        """The answer's JSON; raises Refused with the problem's sentence."""
        return _answer(await self._send("POST", path, json=body))

    async def delete(self, path: str) -> Any:
        """The answer's JSON; raises Refused with the problem's sentence."""
        return _answer(await self._send("DELETE", path))

    async def find(self, path: str) -> Any:
        """Like `get`; None where the path names nothing."""
        response = await self._send("GET", path)
        return None if response.status_code == 404 else _answer(response)

    async def _send(self, method: str, path: str, **content: Any) -> httpx2.Response:
        try:
            return await self._http.request(method, path, **content)
        except httpx2.TransportError as error:
            raise Refused(
                f"The server at {self._http.base_url} does not answer ({error}): look at its output."
            ) from error


def _answer(response: httpx2.Response) -> Any:
    if response.status_code == 401:
        raise Refused(f"{response.url} asks for a key: set HEADWATER_API_KEY to the server's key.")
    try:
        if response.is_success:
            return msgspec.json.decode(response.content)
        problem = msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(
            f"{response.url} answered {response.status_code} with {response.text[:80]!r}, which is no answer "
            "of Headwater's: look at the server's output."
        ) from None
    listed = ["  " + ": ".join(filter(None, (str(f.index), f.field, f.detail))) for f in problem.errors]
    raise Refused("\n".join([problem.detail, *(listed if len(listed) > 1 else ())]))
