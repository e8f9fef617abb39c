"""A receiver that fails some calls, never answers others, and notes what it took.

`PORT FILE SECRET PATIENCE`: it takes a message that it has not taken so many times.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter

from aiohttp import web

from streams.webhooks import parse, verify

FAILS, HANGS = 0.30, 0.05  # shares of the calls


async def main(port: int, noted: str, secret: str, patience: int) -> None:
    file = os.open(noted, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    calls: Counter[str] = Counter()
    secrets = (parse(secret, "the test"),)

    async def received(request: web.Request) -> web.Response:
        message_id = verify(secrets, request.headers, await request.read(), time.time())
        calls[message_id] += 1
        chance = random.random() if calls[message_id] <= patience else 1.0
        if chance < HANGS:
            await asyncio.Event().wait()
        if chance < HANGS + FAILS:
            return web.Response(status=random.choice([400, 404, 429, 500, 503]))
        os.write(file, f"{message_id}\n".encode())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/{path:.*}", received)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])))
