"""Do two workers keep up with a producer, and how soon is an event's row visible to a reader?

`python -m bench.kafka.keeping_up URL RATE SECONDS` runs two `headwater worker` of one group and a producer,
and reads the changelog as committed. An event's latency is from its append (Kafka's LogAppendTime) to the
moment at which the reader gets the partition row that tells it as folded: its customer's row is of that
transaction or of an earlier one. It prints one JSON object.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient

from bench.data import END_MS, PARTITIONS
from bench.events import generate
from bench.kafka.source import READ, make
from schemas.codec import encode
from streams.kafka_client import connection
from streams.kafka_log import KafkaLog
from streams.log import Append
from streams.rows import PARTITION_KEY, folded_to
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS, partition_for, topic_specs

WORKERS = 2
GROUP = "headwater"
PRODUCE_S = 0.02  # between two appends
READY_S = 60
BEHIND_S = 60  # at most, after the last event
STOP_S = 30
TICKS_A_S = os.sysconf("SC_CLK_TCK")

Seen = dict[int, list[tuple[int, float]]]  # partition: (folded to, when)


async def produce(url: str, rate: int, seconds: int) -> dict[str, float]:
    """Append events on time, whatever the appends before take."""
    count = rate * seconds
    batch = []
    for event in generate(count, max(1, count // 10), end_ms=END_MS):
        key = event.customer_id.encode()
        batch.append(Append(EVENTS, partition_for(key, PARTITIONS), key, encode(event)))
    log = await KafkaLog.open(connection(Settings(log_url=url)), [EVENTS])
    began, sent = time.perf_counter(), 0
    while sent < count:
        due = min(count, int((time.perf_counter() - began) * rate))
        if due > sent:
            await log.append(batch[sent:due])
            sent = due
        await asyncio.sleep(max(0.0, began + sent / rate + PRODUCE_S - time.perf_counter()))
    elapsed = time.perf_counter() - began
    await log.close()
    return {"rate": count / elapsed}


@contextmanager
def workers(url: str, path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two of them, as the command line starts them."""
    processes = []
    try:
        for name in [f"bench-{number}" for number in range(WORKERS)]:
            command = [sys.executable, "-m", "cli.main", "worker", "--port", "0"]
            command += ["--data-dir", str(path / name)]
            environment = {"HEADWATER_LOG_URL": url, "HEADWATER_WORKER_ID": name, "HEADWATER_CLOCK": "events"}
            with (path / f"{name}.out").open("wb") as output:
                processes.append(
                    subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)
                )
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(STOP_S)


async def shared(url: str) -> None:
    """Return once each worker of the group has as many partitions as the other."""
    admin = AIOKafkaAdminClient(**connection(Settings(log_url=url)))
    await admin.start()
    try:
        async with asyncio.timeout(READY_S):
            while True:
                (answer,) = await admin.describe_consumer_groups([GROUP])
                _, _, state, _, _, members = answer.groups[0][:6]
                if state == "Stable" and len(members) == WORKERS:
                    return
                await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def watch(url: str, seen: Seen) -> None:
    """Note when each partition row becomes visible."""
    tps = [KafkaPartition(CUSTOMERS, partition) for partition in range(PARTITIONS)]
    consumer: Any = AIOKafkaConsumer(**connection(Settings(log_url=url)), isolation_level="read_committed")
    await consumer.start()
    try:
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        while True:
            for tp, records in (await consumer.getmany(timeout_ms=1_000)).items():
                now = time.time()
                rows = [record.value for record in records if record.key == PARTITION_KEY]
                if rows:
                    seen[tp.partition].append((folded_to(rows[-1]), now))
    finally:
        await consumer.stop()


async def latencies(url: str, seen: Seen) -> list[float]:
    """Seconds of every event, in order."""
    log = await KafkaLog.open(connection(Settings(log_url=url)), [EVENTS])
    found = []
    try:
        for partition, rows in seen.items():
            folded = [position for position, _ in rows]
            offset = 0
            while (chunk := await log.read(EVENTS, partition, offset, READ)).records:
                for record in chunk.records:
                    _, visible = rows[bisect_right(folded, record.offset)]
                    found.append(visible - record.timestamp_ms / 1000)
                offset = chunk.end
    finally:
        await log.close()
    return sorted(found)


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S


async def measure(url: str, rate: int, seconds: int) -> dict[str, float]:
    await make(url, topic_specs(PARTITIONS))
    seen: Seen = {partition: [] for partition in range(PARTITIONS)}
    with TemporaryDirectory(prefix="headwater-bench-") as path, workers(url, Path(path)) as running:
        await shared(url)
        watching = asyncio.create_task(watch(url, seen))
        used = [cpu_s(process) for process in running]
        producer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.kafka.keeping_up", "produce", url, str(rate), str(seconds)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await producer.communicate()
        assert producer.returncode == 0, "the producer failed"
        ended = time.time()
        async with asyncio.timeout(BEHIND_S):
            while sum(rows[-1][0] for rows in seen.values() if rows) < rate * seconds:
                assert not watching.done(), watching.exception()
                await asyncio.sleep(0.005)
        behind_s = max(0.0, max(rows[-1][1] for rows in seen.values()) - ended)
        used = [cpu_s(process) - before for process, before in zip(running, used, strict=True)]
        watching.cancel()
    found = await latencies(url, seen)
    assert len(found) == rate * seconds
    return json.loads(output) | {
        "p50_ms": 1_000 * found[len(found) // 2],
        "p99_ms": 1_000 * found[-(-99 * len(found) // 100) - 1],
        "max_ms": 1_000 * found[-1],
        "behind_ms": 1_000 * behind_s,
        "cpu_us_per_event": sum(used) / len(found) * 1e6,
        "share_of_the_busier": max(used) / sum(used),
    }


def main() -> None:
    *produces, url, rate, seconds = sys.argv[1:]
    work = produce if produces else measure
    print(json.dumps(asyncio.run(work(url, int(rate), int(seconds)))))


if __name__ == "__main__":
    main()
