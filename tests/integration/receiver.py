"""What do the tests of deliveries call? A receiver on loopback that keeps what it gets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

SECRET = "whsec_bm9ib2R5IGtub3dzIHRoaXMgb25lLCBhcyBpdCBpcyBhIHRlc3Q="


@dataclass
class Call:
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.body)["data"]


async def taken(_call: Call) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass
class Receiver:
    """`answer` says what a call gets."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call], Awaitable[web.StreamResponse]] = taken

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = Call(dict(request.headers), await request.read())
        self.calls.append(call)
        return await self.answer(call)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
