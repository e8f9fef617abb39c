"""How many deliveries a second, how soon after the change, and what does a queue of a million cost?

`python -m bench.delivering rate MESSAGES`, `latency SECONDS`, `pending MESSAGES` print one JSON object each.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from cli.compose import Parts, running
from projections.parameters import Marketing
from projections.triggers.files import version_of
from schemas.codec import decode, encode
from schemas.events import DeliveryAttempted, Event, OrderPlaced, TriggerDecided
from streams.delivery_queue import PENDING
from streams.engine import Engine
from streams.log import Append, Log
from streams.outputs import output_id
from streams.runtime import tune
from streams.sqlite_log import SqliteLog
from streams.topics import DECISIONS, EVENTS, partition_for, topic_specs

RATE = 200  # transitions a second
PARTITIONS = 4
CHUNK = 5_000
LOOK_S = 0.02
WORKS_S = 10.0  # before its memory is looked at
HOUR_MS = 3_600_000
NOBODY = "http://127.0.0.1:9"  # where nothing listens
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


@contextmanager
def receiver() -> Iterator[str]:
    """The URL of a receiver in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "bench.receiver"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/hook"
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def delivering(path: Path, url: str, change: str) -> AsyncIterator[Parts]:
    """All of `headwater serve` but its port, with one trigger."""
    triggers = (
        f'[[trigger]]\nname = "bench"\non = {{ {change} }}\naction = {{ webhook = "{url}" }}\n'
        'consent = "none"\nholdout = 0\n'
    )
    async with running(path, clock="wall", delivers=True) as parts:
        assert isinstance(parts.engine, Engine)
        marketing = Marketing(version_of("", triggers, "wall"), "", triggers, "wall")
        await parts.engine.set_marketing(marketing)
        await parts.settled()
        yield parts


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def order(customer: str) -> OrderPlaced:
    at = now_ms()
    return OrderPlaced(
        event_id=output_id(customer, "order"),
        customer_id=customer,
        occurred_at=at,
        received_at=at,
        order_id=customer,
        amount_minor=10_00,
        currency="USD",
    )


def decided(customer: str, at: int) -> TriggerDecided:
    """As the fold decides, of a record that is folded long ago."""
    decision_id = output_id(customer, "bench")
    return TriggerDecided(
        event_id=decision_id,
        customer_id=customer,
        occurred_at=at,
        received_at=at,
        decision_id=decision_id,
        trigger="bench",
        rules_version="0123456789ab",
        kind="stage",
        before="active",
        after="at_risk",
        transition_id=output_id(customer, "transition"),
        transition_at=at,
        verdict="send",
        reason="all checks passed",
        inputs={"age_ms": "0", "holdout": "0", "consent": "email/marketing granted"},
        cause_topic=EVENTS,
        cause_partition=partition_for(customer.encode(), PARTITIONS),
        cause_offset=0,
    )


def retried(decision: TriggerDecided, next_attempt_at: int) -> DeliveryAttempted:
    return DeliveryAttempted(
        event_id=output_id(decision.decision_id, 1),
        customer_id=decision.customer_id,
        occurred_at=decision.occurred_at,
        received_at=decision.received_at,
        decision_id=decision.decision_id,
        trigger=decision.trigger,
        attempt=1,
        endpoint=NOBODY,
        succeeded=False,
        error="127.0.0.1:9 cannot be reached: Connection refused",
        elapsed_ms=1,
        next_attempt_at=next_attempt_at,
    )


async def append(log: Log, topic: str, events: Sequence[Any]) -> None:
    keyed = [(event.customer_id.encode(), event) for event in events]
    await log.append([Append(topic, partition_for(k, PARTITIONS), k, encode(e)) for k, e in keyed])


async def told(log: Log) -> list[Event]:
    """All of headwater.decisions."""
    found: list[Event] = []
    for partition in range(PARTITIONS):
        offset = 0
        while (chunk := await log.read(DECISIONS, partition, offset, CHUNK)).records:
            found += [decode(record.value or b"") for record in chunk.records]
            offset = chunk.end
    return found


async def ended(parts: Parts) -> None:
    """Return once the queue has all of the log, and nothing is pending."""
    deliveries = parts.services.deliveries
    while sum((await deliveries.lag()).values()) or deliveries.queue.counts.get(("bench", PENDING)):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)


async def rate(messages: int) -> dict[str, float]:
    """Decisions that lie on the log until the last was taken, by one process."""
    customers = [f"c{n}" for n in range(messages)]
    with TemporaryDirectory(prefix="headwater-bench-") as path, receiver() as url:
        async with delivering(Path(path), url, 'change = "stage", to = "churned"') as parts:
            for start in range(0, messages, CHUNK):
                await append(parts.engine.log, EVENTS, [order(c) for c in customers[start : start + CHUNK]])
            await parts.settled()
            began, cpu = time.perf_counter(), time.process_time()
            for start in range(0, messages, CHUNK):
                now = now_ms()
                await append(
                    parts.engine.log, DECISIONS, [decided(c, now) for c in customers[start : start + CHUNK]]
                )
            await ended(parts)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            reactor = parts.services.reactor
            assert reactor is not None
            assert reactor.outcomes == {"succeeded": messages}
    return {"deliveries_per_s": messages / seconds, "cpu_us_per_delivery": cpu / messages * 1e6}


async def latency(seconds: int) -> dict[str, float]:
    """From a customer's event, which changes the stage, to the first attempt; an open loop of events."""
    with TemporaryDirectory(prefix="headwater-bench-") as path, receiver() as url:
        async with delivering(Path(path), url, 'change = "stage", to = "new"') as parts:
            began, appends = time.perf_counter(), []
            for n in range(RATE * seconds):
                await asyncio.sleep(max(0.0, began + n / RATE - time.perf_counter()))
                appends.append(asyncio.ensure_future(append(parts.engine.log, EVENTS, [order(f"c{n}")])))
            await asyncio.gather(*appends)
            await parts.engine.caught_up()
            await ended(parts)
            events = await told(parts.engine.log)
    changed = {e.decision_id: e.transition_at for e in events if isinstance(e, TriggerDecided)}
    first = {e.decision_id: e for e in events if isinstance(e, DeliveryAttempted) and e.attempt == 1}
    assert len(changed) == len(first) == RATE * seconds
    waited = sorted(first[each].occurred_at - at for each, at in changed.items())
    return {"p50_ms": waited[len(waited) // 2], "p99_ms": waited[len(waited) * 99 // 100]}


async def pending(messages: int) -> dict[str, float]:
    """Memory with that many messages between two attempts, over an engine that has none.

    A tenth of them are due, at an endpoint that does not answer. When the log is first taken in, the archive
    takes it in, too.
    """
    with (
        TemporaryDirectory(prefix="headwater-bench-") as none,
        TemporaryDirectory(prefix="headwater-bench-") as path,
    ):
        empty = resident(Path(none), 0)
        await fill(Path(path), messages)
        caught_up = resident(Path(path), messages)
        again = resident(Path(path), messages)
    return {
        "memory_mib": again["mib"] - empty["mib"],
        "taking_in_mib": caught_up["mib"] - empty["mib"],
        "caught_up_s": caught_up["seconds"],
        "restarted_s": again["seconds"],
    }


async def fill(path: Path, messages: int) -> None:
    log = await SqliteLog.open(path / "log.db", topic_specs(PARTITIONS))
    now = now_ms()
    for start in range(0, messages, CHUNK):
        decisions = [decided(f"c{n}", now) for n in range(start, min(start + CHUNK, messages))]
        retries = [retried(each, now + (HOUR_MS if n % 10 else 0)) for n, each in enumerate(decisions)]
        await append(log, DECISIONS, [*decisions, *retries])
    await log.close()


def resident(path: Path, messages: int) -> dict[str, float]:
    """An engine's memory once it has taken in its log, and worked on it for a while."""
    command = [sys.executable, "-m", "bench.delivering", "resident", str(path), str(messages)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return result


async def settle(path: str, messages: str) -> dict[str, float]:
    """The memory of this process with the engine of `path`."""
    began = time.perf_counter()
    async with delivering(Path(path), NOBODY, 'change = "stage", to = "churned"') as parts:
        queue = parts.services.deliveries.queue
        while sum(queue.counts.values()) < int(messages):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        seconds = time.perf_counter() - began
        await asyncio.sleep(WORKS_S)
    return {"mib": most_mib(), "seconds": seconds}


def most_mib() -> float:
    """The most memory that this process had."""
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    what, *arguments = sys.argv[1:]
    os.environ |= {"HEADWATER_WEBHOOK_SECRET_DEFAULT": SECRET, "HEADWATER_TARGETS": ""}
    tune()
    measures: dict[str, Callable[..., Any]] = {"rate": rate, "latency": latency, "pending": pending}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if what == "resident":
            print(json.dumps(runner.run(settle(*arguments))))
        else:
            print(json.dumps(runner.run(measures[what](*map(int, arguments)))))


if __name__ == "__main__":
    main()
