"""How soon is a worker ready again? With its local store, with one that a kill -9 left, and with none.

`python -m bench.kafka.recovery URL CUSTOMERS` writes a compacted changelog, each customer's row once, and
starts a worker on it three times; seconds are from the start of its process. It prints one JSON object.

The worker has an id: without one, Kafka would keep a killed worker's place for a session (15 s).
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.data import END_MS, PARTITIONS
from bench.events import generate
from bench.folds import whole
from bench.kafka.source import make
from cli.run import run_until_stopped
from projections.parameters import Parameters
from streams.kafka import opened
from streams.kafka_client import connection
from streams.kafka_log import KafkaLog
from streams.log import Append
from streams.rows import PARTITION_KEY, CustomerRow, encode_partition, encode_row, new_partition
from streams.settings import Settings
from streams.topics import CUSTOMERS, partition_for, topic_specs
from streams.worker import working

SAMPLE = 20_000  # customers whose rows are folded, ten events each; the others get the same rows
BATCH = 4_000
LOOK_S = 0.02
STOP_S = 60
READY = "ready"


async def write_changelog(url: str, customers: int) -> int:
    """Rows of `customers`, once each, as a lane would have them after compaction; their bytes together."""
    rows: dict[str, CustomerRow] = {}
    for offset, event in enumerate(generate(SAMPLE * 10, SAMPLE, end_ms=END_MS)):
        rows[event.customer_id], _ = whole(rows.get(event.customer_id), event, offset)
    encoded = [encode_row(row) for row in rows.values()]
    keys: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    for number in range(customers):
        key = f"c{number:08d}".encode()
        keys[partition_for(key, PARTITIONS)].append(key)
    await make(url, topic_specs(PARTITIONS))
    log = await KafkaLog.open(connection(Settings(log_url=url)), [CUSTOMERS])
    size = written = 0
    try:
        for partition, own in enumerate(keys):
            producer = await log.producer(f"headwater-{partition}")
            for start in range(0, len(own), BATCH):
                batch = []
                for key in own[start : start + BATCH]:
                    batch.append(Append(CUSTOMERS, partition, key, encoded[written % len(encoded)]))
                    written += 1
                size += sum(len(each.key or b"") + len(each.value or b"") for each in batch)
                await producer.transact(batch)
            row = msgspec.structs.replace(new_partition(Parameters()), customers=len(own))
            await producer.transact([Append(CUSTOMERS, partition, PARTITION_KEY, encode_partition(row))])
    finally:
        await log.close()
    return size


def started(url: str, path: Path, stop: signal.Signals) -> tuple[float, float]:
    """Seconds until a worker on that directory is ready, and its GiB then; it is stopped so."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "bench.kafka.recovery", url, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.startswith(READY):
                break
        seconds = time.perf_counter() - begun
        worker.send_signal(stop)
        worker.wait(STOP_S)
    return seconds, float(line.split()[1]) / 2**20


async def _work(url: str, path: Path) -> None:
    """A worker that says when it is ready."""
    settings = Settings(data_dir=path, log_url=url, worker_id="bench", clock="events", partitions=PARTITIONS)
    async with opened(settings) as log, working(settings, log) as worker:
        while len(worker.lane.partitions) < PARTITIONS or not (await worker.status()).ready:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        print(READY, _resident_kib(), flush=True)
        raise await worker.failed


def _resident_kib() -> str:
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS")]
    return line.split()[1]


def measure(url: str, customers: int) -> dict[str, float]:
    size = asyncio.run(write_changelog(url, customers))
    with TemporaryDirectory(prefix="headwater-bench-") as temporary:
        path = Path(temporary)
        none_s, memory_gib = started(url, path, signal.SIGKILL)
        killed_s, _ = started(url, path, signal.SIGTERM)
        store_s, _ = started(url, path, signal.SIGTERM)
        stored = sum(file.stat().st_size for file in (path / "table").rglob("*"))
    return {
        "none_s": none_s,
        "killed_s": killed_s,
        "store_s": store_s,
        "memory_gib": memory_gib,
        "row_bytes": size / customers,
        "store_bytes": stored / customers,
    }


def main() -> None:
    url, what = sys.argv[1:]
    if what.isdigit():
        print(json.dumps(measure(url, int(what))))
    else:
        run_until_stopped(_work(url, Path(what)))


if __name__ == "__main__":
    main()
