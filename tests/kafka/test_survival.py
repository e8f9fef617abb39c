"""Does a crash at any moment change a result? Kafka is compared with a plain fold of the source log.

In CI ten of each over 100,000 events; `make chaos` has the whole number over 1,000,000. An archive runs
beside the workers all the while, and its rows are compared too.
"""

import asyncio
import shutil
import signal
from pathlib import Path

from tests.kafka.boundaries import BOUNDARIES, Stop
from tests.kafka.cluster import CHAOS, EVENTS_FED, Cluster
from tests.kafka.history import History, then_nothing_differs
from tests.kafka.workers import worker

KILLS = 500 if CHAOS else 10
STOPS = 50 if CHAOS else 10
TERMINATIONS = 20 if CHAOS else 10
STOPPED_WITHIN_S = 60.0


async def kill_often(cluster: Cluster, history: History, path: Path, *, wiped: bool) -> None:
    killed, interrupted = worker("a", path, cluster.url), 0
    for _ in range(KILLS):
        await cluster.feed(EVENTS_FED // KILLS)
        await killed.says("worker_started")
        await asyncio.sleep(cluster.random.uniform(0.0, 0.5))
        killed.kill()
        interrupted += await cluster.lag() > 0
        if wiped:
            shutil.rmtree(killed.data_dir / "table", ignore_errors=True)
        killed = worker("a", path, cluster.url)
    assert interrupted > KILLS // 4
    await then_nothing_differs(cluster, history, killed)


async def test_a_worker_killed_at_random_moments(cluster: Cluster, history: History, tmp_path: Path) -> None:
    """kill -9, and the next one goes on with its store."""
    await kill_often(cluster, history, tmp_path, wiped=False)


async def test_a_worker_killed_and_its_store_lost(cluster: Cluster, history: History, tmp_path: Path) -> None:
    """Everything comes back from the changelog."""
    await kill_often(cluster, history, tmp_path, wiped=True)


async def test_a_worker_stopped_between_two_effects(
    cluster: Cluster, history: History, tmp_path: Path
) -> None:
    """As often at each boundary of the ordered effects, at one passage or another."""
    stops = cluster.random.sample([*BOUNDARIES] * STOPS, k=STOPS * len(BOUNDARIES))
    for boundary in stops:
        await cluster.feed(EVENTS_FED // len(stops))
        stopped = worker("a", tmp_path, cluster.url, Stop(boundary, cluster.random.randint(1, 4)))
        stopped.join(STOPPED_WITHIN_S)
        assert stopped.exit_code == -signal.SIGKILL, stopped.tail()
    last = worker("a", tmp_path, cluster.url)
    await then_nothing_differs(cluster, history, last)


async def test_a_worker_terminated_under_load(cluster: Cluster, history: History, tmp_path: Path) -> None:
    """SIGTERM in the middle of the work: exit 0 within 10 s, and nothing is done twice."""
    interrupted = 0
    for _ in range(TERMINATIONS):
        await cluster.feed(EVENTS_FED // TERMINATIONS)
        stopped = worker("a", tmp_path, cluster.url)
        await cluster.folding()
        await asyncio.sleep(cluster.random.uniform(0.0, 0.2))
        assert stopped.terminate() == 0, stopped.tail()
        interrupted += await cluster.lag() > 0
    assert interrupted >= TERMINATIONS // 2
    last = worker("a", tmp_path, cluster.url)
    await then_nothing_differs(cluster, history, last)
