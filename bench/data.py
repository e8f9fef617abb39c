"""Where do the benchmarks' logs come from? Generated once, kept in bench/.cache, copied for each run."""

import asyncio
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.events import Spread, generate
from schemas.codec import encode
from streams.log import Append, TopicSpec
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, partition_for, topic_specs

CACHE = Path(__file__).parent / ".cache"
END_MS = 1_767_225_600_000  # 2026-01-01
PARTITIONS = 4


@contextmanager
def data_dir(events: int, customers: int, spread: Spread, topics: Sequence[TopicSpec] = ()) -> Iterator[Path]:
    """A data directory whose log holds the generated events, and nothing is folded; gone afterwards."""
    filled = CACHE / f"{spread}-{events}-{customers}.db"
    if not filled.exists():
        asyncio.run(_fill(filled, events, customers, spread))
    with TemporaryDirectory(prefix="headwater-bench-") as temporary:
        path = Path(temporary)
        shutil.copy(filled, path / "log.db")
        if topics:
            asyncio.run(_add(path / "log.db", topics))
        yield path


def settings(path: Path) -> Settings:
    """On event time, as a load is."""
    return Settings(data_dir=path, clock="events", partitions=PARTITIONS)


async def _fill(path: Path, events: int, customers: int, spread: Spread) -> None:
    print(f"generating {events:,} events of {customers:,} customers, {spread}", file=sys.stderr)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    log = await SqliteLog.open(partial, topic_specs(PARTITIONS))
    generated = generate(events, customers, spread=spread, end_ms=END_MS)
    appended_ms = time.time_ns() // 1_000_000
    while part := list(islice(generated, 5_000)):
        keyed = [(event.customer_id.encode(), event) for event in part]
        await log.append(
            [Append(EVENTS, partition_for(k, PARTITIONS), k, encode(e), appended_ms) for k, e in keyed]
        )
    await log.close()
    partial.rename(path)


async def _add(path: Path, topics: Sequence[TopicSpec]) -> None:
    await (await SqliteLog.open(path, topics)).close()
