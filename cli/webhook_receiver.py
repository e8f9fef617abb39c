"""What does a webhook look like when it arrives? A receiver to try triggers with."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from aiohttp import web

from cli.errors import Refused
from cli.options import DATA_DIR, DataDir
from cli.run import run_until_stopped
from streams.webhooks import BadSignature, NoSecret, new_secret, parse, secrets_of, verify

LOOPBACK = "127.0.0.1"


def webhook_receiver(
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine.", min=0, max=65535)] = 9000,
    secret: Annotated[
        str | None,
        typer.Option(
            help="What messages are signed with; by default the engine's secret `default`, which is made "
            "where there is none."
        ),
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print the webhooks that arrive, a line each, once their signature is verified; until Ctrl-C.

    To try it: what is verified is answered 204, what is not 401. A message that comes again is marked so.
    """
    try:
        secrets = _default(data_dir) if secret is None else (parse(secret, "--secret"),)
    except NoSecret as error:
        raise Refused(str(error)) from error
    run_until_stopped(_receive(port, secrets))


def _default(data_dir: Path) -> tuple[bytes, ...]:
    """The engine's secret `default`; a new one in its file, where there is none."""
    try:
        return secrets_of("default", data_dir)
    except NoSecret:
        with suppress(FileExistsError):  # and it cannot be used: told below
            print(f"There was no secret to sign with: made one in {new_secret('default', data_dir)}.")
        return secrets_of("default", data_dir)


async def _receive(port: int, secrets: tuple[bytes, ...]) -> None:
    seen: set[str] = set()

    async def received(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            message_id = verify(secrets, request.headers, body, time.time())
        except BadSignature as error:
            print(f"{_now()} refused: {error}", flush=True)
            return web.Response(status=401, text=f"{error}\n")
        print(f"{_now()} {_line(body)} {message_id}{' again' if message_id in seen else ''}", flush=True)
        seen.add(message_id)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/{path:.*}", received)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError as error:
            raise Refused(
                f"Cannot listen on port {port} ({error.strerror}): choose another --port."
            ) from error
        print(f"Listening at http://{LOOPBACK}:{runner.addresses[0][1]}, Ctrl-C ends it.", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _now() -> str:
    return time.strftime("%H:%M:%S")


def _line(body: bytes) -> str:
    """What a message tells, in a line: type, trigger, customer, from what to what, and what it asked for."""
    try:
        said: Any = msgspec.json.decode(body)
        data, change = said["data"], said["data"]["change"]
        about = f"{change['about']} " if change["about"] else ""
        fields = f" {msgspec.json.encode(data['fields']).decode()}" if "fields" in data else ""
        moved = f"{about}{change['from'] or 'nothing'} → {change['to'] or 'nothing'}"
        return f"{said['type']} {data['trigger']}: {data['customer_id']}, {moved}{fields}"
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"a message of another kind, {len(body)} bytes"
