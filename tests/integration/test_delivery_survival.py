"""Is every message received at least once, whatever fails, hangs or is killed?

`make chaos` does it with 20,000 messages, two kills of the receiver and five of the engine.
"""

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from schemas.events import DeliveryAbandoned, DeliverySucceeded, TriggerDecided
from streams.sqlite_log import SqliteLog
from streams.topics import DECISIONS, topic_specs
from tests.browser.harness import Server
from tests.headwater import ROOT, environment
from tests.integration.delivering import webhook
from tests.integration.engines import events
from tests.integration.receiver import SECRET

CHAOS = bool(os.environ.get("HEADWATER_CHAOS"))
MESSAGES = 20_000 if CHAOS else 1_000
RECEIVER_KILLS, ENGINE_KILLS = (2, 5) if CHAOS else (1, 1)
PATIENCE = 1_000_000 if CHAOS else 2  # so often a message is not taken: each time, the wait is twice as long
WITHIN_S = 3_600
AT_ONCE = 200


class Receiver:
    """The flaky one, which is started again where it was killed."""

    def __init__(self, path: Path) -> None:
        self.noted = path / "received"
        self.noted.touch()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.integration.flaky_receiver"]
        command += [str(self.port), str(self.noted), SECRET, str(PATIENCE)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def received(self) -> Counter[str]:
        return Counter(self.noted.read_text().split())


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    found = Receiver(tmp_path)
    yield found
    found.kill()


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[Server]:
    data = tmp_path / "data"
    data.mkdir()
    (data / "triggers.toml").write_text(webhook(f"http://127.0.0.1:{receiver.port}/hook"))
    variables = {
        "HEADWATER_WEBHOOK_SECRET_DEFAULT": SECRET,
        "HEADWATER_TARGETS": "",
        "HEADWATER_DELIVERY_CONCURRENCY": "200",  # for a tenth of them waits ten seconds for an answer
    }
    found = Server(data, **variables)
    found.start()
    yield found
    found.kill()


def post(server: Server, start: int) -> None:
    """Post customers' first orders, again with the same ids where no answer came."""
    orders = [
        {
            "type": "OrderPlaced",
            "event_id": f"00000000-0000-8000-8000-{n:012}",
            "customer_id": f"c{n}",
            "order_id": str(n),
            "amount": "1.00",
            "currency": "USD",
        }
        for n in range(start, start + AT_ONCE)
    ]
    while True:
        try:
            if httpx2.post(f"{server.address}/events", json=orders, timeout=60).status_code == 202:
                return
        except httpx2.TransportError:
            time.sleep(0.1)


async def test_every_message_is_received(tmp_path: Path, server: Server, receiver: Receiver) -> None:
    """By a receiver that fails 30 % of the calls, hangs in 5 %, and is killed, as the engine is."""
    kills = [*("receiver" for _ in range(RECEIVER_KILLS)), *("engine" for _ in range(ENGINE_KILLS))]
    random.shuffle(kills)
    every = MESSAGES // (len(kills) + 1)
    posting = asyncio.create_task(post_all(server))
    for number, kill in enumerate(kills, 1):
        while len(receiver.received()) < number * every:
            await asyncio.sleep(0.05)
        if kill == "receiver":
            receiver.kill()
            await asyncio.sleep(random.uniform(0, 3))  # the length of its absence, not a wait
            receiver.start()
        else:
            server.kill()
            await asyncio.to_thread(server.start)
    await posting
    async with asyncio.timeout(WITHIN_S):
        while len(receiver.received()) < MESSAGES or await asyncio.to_thread(pending, server):
            await asyncio.sleep(0.2)
    server.stop()
    log = await SqliteLog.open(tmp_path / "data" / "log.db", topic_specs(4))
    told = await events(log, DECISIONS)
    await log.close()
    decided = {each.decision_id for each in told if isinstance(each, TriggerDecided)}
    assert len(decided) == MESSAGES
    assert receiver.received().keys() == decided
    assert not [each for each in told if isinstance(each, DeliveryAbandoned)]
    succeeded = Counter(each.decision_id for each in told if isinstance(each, DeliverySucceeded))
    assert succeeded == Counter(decided)


async def post_all(server: Server) -> None:
    for start in range(0, MESSAGES, AT_ONCE):
        await asyncio.to_thread(post, server, start)


def pending(server: Server) -> int:
    return sum(each["pending"] for each in server.get("/deliveries")["items"])
