"""How quickly does a running engine start, and answer? A real `headwater serve`, asked from another process.

`python -m bench.server start EVENTS CUSTOMERS` prints how fast all of it is folded with archive and read
model beside, then, started anew, seconds to ready and memory;
`python -m bench.server http SECONDS` prints latencies on an engine that holds the CDNOW sample;
`python -m bench.server cdnow` prints the seconds that the sample takes to be loaded and live.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from bench.data import data_dir
from streams.runtime import tune

HEADWATER = (sys.executable, "-m", "cli.main")
READY_WITHIN_S = 300
POST_RATE = 200
GET_RATE = 500
WATCHED = 10  # one in so many posted events is waited for
POLL_S = 0.004


@contextmanager
def serving(path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """`headwater serve` on a data directory: its address, process, and seconds until it was ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    command = [*HEADWATER, "serve", "--data-dir", str(path), "--port", str(port)]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, env=os.environ | {"HEADWATER_CLOCK": "events"}
    )
    try:
        address = f"http://127.0.0.1:{port}"
        asyncio.run(_ready(address, process))
        yield address, process, time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def _ready(address: str, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as session:
        while process.poll() is None:
            try:
                async with session.get(f"{address}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)
    raise RuntimeError(f"headwater serve ended with {process.returncode}: run it by hand to see why.")


def start(events: int, customers: int) -> dict[str, float]:
    """Fold and archive everything once, stop, and start again."""
    from bench.fold import everything

    tune()
    with data_dir(events, customers, "uniform") as path:
        rates = asyncio.run(everything(path))
        with serving(path) as (_, process, seconds):
            return rates | {"ready_s": seconds, "memory_gib": _resident_gib(process.pid)}


def cdnow() -> dict[str, float]:
    """`headwater demo` from nothing."""
    with TemporaryDirectory(prefix="headwater-bench-") as path:
        started = time.perf_counter()
        _load_sample(Path(path))
        return {"live_s": time.perf_counter() - started}


def http(seconds: float) -> dict[str, float]:
    """Latencies in ms: a posted event until its customer shows it, then reads on an idle engine."""
    with TemporaryDirectory(prefix="headwater-bench-") as path:
        _load_sample(Path(path))
        with serving(Path(path)) as (address, _, _):
            visible = asyncio.run(_visible(address, seconds))
            read = asyncio.run(_read(address, seconds))
    return {
        "visible_p50_ms": _percentile(visible, 50),
        "visible_p99_ms": _percentile(visible, 99),
        "read_p50_ms": _percentile(read, 50),
        "read_p99_ms": _percentile(read, 99),
    }


def _load_sample(path: Path) -> None:
    command = [*HEADWATER, "demo", "--until-loaded", "--original-dates", "--data-dir", str(path)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


async def _visible(address: str, seconds: float) -> list[float]:
    async with aiohttp.ClientSession(address) as session:

        async def post(n: int) -> float | None:
            customer, began = f"bench-{uuid.uuid4().hex}", time.perf_counter()
            event = {
                "type": "OrderPlaced",
                "customer_id": customer,
                "order_id": customer,
                "amount": "10.00",
                "currency": "USD",
            }
            async with session.post("/events", json=event) as answer:
                answer.raise_for_status()
            while n % WATCHED == 0:
                async with session.get(f"/customers/{customer}") as answer:
                    if answer.status == 200:
                        return time.perf_counter() - began
                await asyncio.sleep(POLL_S)
            return None

        return [latency for latency in await _at_rate(POST_RATE, seconds, post) if latency is not None]


async def _read(address: str, seconds: float) -> list[float]:
    async with aiohttp.ClientSession(address) as session:

        async def get(n: int) -> float | None:
            began = time.perf_counter()
            async with session.get(f"/customers/{n * 7919 % 23_570 + 1:05d}") as answer:
                answer.raise_for_status()
                await answer.read()
            return time.perf_counter() - began

        return [latency for latency in await _at_rate(GET_RATE, seconds, get) if latency is not None]


async def _at_rate(
    rate: int, seconds: float, call: Callable[[int], Awaitable[float | None]]
) -> Sequence[float | None]:
    """An open loop: calls start on time, however long the ones before them take."""
    began = time.perf_counter()
    calls = []
    for n in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        calls.append(asyncio.ensure_future(call(n)))
    return await asyncio.gather(*calls)


def _percentile(seconds: list[float], percent: int) -> float:
    """By the nearest rank, in ms."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)] * 1000


def _resident_gib(pid: int) -> float:
    (line,) = [x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS")]
    return int(line.split()[1]) / 2**20


def main() -> None:
    what, *numbers = sys.argv[1:]
    measures: dict[str, Callable[..., dict[str, float]]] = {"start": start, "http": http, "cdnow": cdnow}
    print(json.dumps(measures[what](*(int(number) for number in numbers))))


if __name__ == "__main__":
    main()
