"""Do partitions move between workers without a trace? By crashes, zombies, joining and leaving."""

import asyncio
import signal
from pathlib import Path

import httpx2

from cli import directory
from tests.kafka.boundaries import Stop
from tests.kafka.cluster import CHAOS, EVENTS_FED, Cluster
from tests.kafka.history import History, then_nothing_differs
from tests.kafka.workers import Process, worker

KILLS = 500 if CHAOS else 10
TIMES = 10
TAKEN_OVER_S = 60.0


async def test_another_worker_takes_over_from_a_killed_one(
    cluster: Cluster, history: History, tmp_path: Path
) -> None:
    """Partitions go to the other and come back, sometimes before the group has noticed."""
    workers, interrupted = {name: worker(name, tmp_path, cluster.url) for name in "ab"}, 0
    for n in range(KILLS):
        name = "ab"[n % 2]
        await workers[name].says("worker_started")
        await cluster.feed(EVENTS_FED // KILLS)
        await asyncio.sleep(cluster.random.uniform(0.0, 0.5))
        workers[name].kill()
        interrupted += await cluster.lag() > 0
        if cluster.random.random() < 0.5:  # it comes back at once, or the other does its work
            await asyncio.sleep(0.2)
        else:
            await cluster.settled()
        workers[name] = worker(name, tmp_path, cluster.url)
    assert interrupted > KILLS // 4
    await then_nothing_differs(cluster, history, *workers.values())


async def test_a_zombie_is_refused(cluster: Cluster, history: History, tmp_path: Path) -> None:
    """Stopped until another has its partitions, then continued in the middle of what it did."""
    for n in range(TIMES):
        await cluster.feed(EVENTS_FED // TIMES // 2)
        stop = Stop(("before_the_transaction", "before_the_commit")[n % 2], 1 + n % 3, signal.SIGSTOP)
        zombie = worker(f"zombie{n}", tmp_path, cluster.url, stop)
        await zombie.stopped()
        await cluster.feed(EVENTS_FED // TIMES // 4)
        other = worker("b", tmp_path, cluster.url)
        async with asyncio.timeout(TAKEN_OVER_S):
            while await cluster.lag():  # until the other has all that the zombie had
                await asyncio.sleep(0.2)
        await cluster.feed(EVENTS_FED // TIMES // 8)
        zombie.send(signal.SIGCONT)
        zombie.join(TAKEN_OVER_S)
        assert zombie.exit_code not in (0, None), zombie.tail()
        assert "A later producer holds" in zombie.tail()
        await cluster.settled()
        other.kill()
    last = worker("a", tmp_path, cluster.url)
    await then_nothing_differs(cluster, history, last)


async def test_a_worker_joins_and_leaves_during_a_load(
    cluster: Cluster, history: History, tmp_path: Path
) -> None:
    """Every 10 s, in order both times."""
    stays = worker("a", tmp_path, cluster.url)
    async with cluster.load():
        for n in range(TIMES):
            joins = worker(f"b{n % 2}", tmp_path, cluster.url)
            await asyncio.sleep(10)
            assert await owned(joins), joins.tail()
            assert await asyncio.to_thread(joins.terminate) == 0, joins.tail()
            assert stays.exit_code is None, stays.tail()
    await then_nothing_differs(cluster, history, stays)


async def owned(process: Process) -> list[str]:
    """The partitions that a worker says it has."""
    server = await asyncio.to_thread(directory.server, process.data_dir)
    assert server is not None
    async with httpx2.AsyncClient() as client:
        lag: dict[str, int] = (await client.get(f"{server.address}/readyz", timeout=10)).json()["lag"]
    return list(lag)
