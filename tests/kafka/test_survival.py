"""Does a crash at any moment change a result? Kafka is compared with a plain fold of the source log.

In CI ten of each over 100,000 events; `make chaos` has the whole number over 1,000,000.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.kafka.boundaries import BOUNDARIES, Stop
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.workers import SESSION_S, Process, kill_all, worker

CHAOS = os.environ.get("HEADWATER_CHAOS") == "1"
EVENTS = 1_000_000 if CHAOS else 100_000
KILLS = 500 if CHAOS else 10
STOPS = 50 if CHAOS else 10
TERMINATIONS = 20 if CHAOS else 10
ZOMBIES = 10 if CHAOS else 2
TAKEN_OVER_S = 60.0


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    kill_all()


@pytest.fixture
async def cluster(kafka_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    seed = sum(map(ord, request.node.name))
    async with Cluster.empty(kafka_url, events=EVENTS, seed=seed) as cluster:
        yield cluster


async def then_nothing_differs(cluster: Cluster, *workers: Process) -> None:
    """Feed the rest, and compare once all of it is folded."""
    await cluster.feed(EVENTS)
    try:
        await cluster.settled()
    except TimeoutError:
        pytest.fail("\n".join(each.tail() for each in workers))
    assert await cluster.differences() == []


async def kill_often(cluster: Cluster, path: Path, *, wiped: bool) -> None:
    killed = worker("a", path, cluster.url)
    for _ in range(KILLS):
        await cluster.feed(EVENTS // KILLS)
        await asyncio.sleep(cluster.random.uniform(0.1, 1.5))
        killed.kill()
        if wiped:
            shutil.rmtree(killed.data_dir / "table", ignore_errors=True)
        killed = worker("a", path, cluster.url)
    await then_nothing_differs(cluster, killed)
    killed.kill()


async def test_a_worker_killed_at_random_moments(cluster: Cluster, tmp_path: Path) -> None:
    """kill -9, and the next one goes on with its store."""
    await kill_often(cluster, tmp_path, wiped=False)


async def test_a_worker_killed_and_its_store_lost(cluster: Cluster, tmp_path: Path) -> None:
    """Everything comes back from the changelog."""
    await kill_often(cluster, tmp_path, wiped=True)


async def test_another_worker_takes_over_from_a_killed_one(cluster: Cluster, tmp_path: Path) -> None:
    """Partitions go to the other and come back, sometimes before the group has noticed."""
    workers = {name: worker(name, tmp_path, cluster.url) for name in "ab"}
    for n in range(KILLS):
        await cluster.feed(EVENTS // KILLS)
        await asyncio.sleep(cluster.random.uniform(0.5, 2.0))
        name = "ab"[n % 2]
        workers[name].kill()
        await asyncio.sleep(cluster.random.choice([0.2, 1.5 * SESSION_S]))
        workers[name] = worker(name, tmp_path, cluster.url)
    await then_nothing_differs(cluster, *workers.values())
    for each in workers.values():
        each.kill()


async def test_a_worker_stopped_between_two_effects(cluster: Cluster, tmp_path: Path) -> None:
    """As often at each boundary of the ordered effects, at one passage or another."""
    stops = cluster.random.sample([*BOUNDARIES] * STOPS, k=STOPS * len(BOUNDARIES))
    for boundary in stops:
        await cluster.feed(EVENTS // len(stops))
        stopped = worker("a", tmp_path, cluster.url, Stop(boundary, cluster.random.randint(1, 4)))
        stopped.join(TAKEN_OVER_S)
        assert stopped.exit_code == -signal.SIGKILL, stopped.tail()
    last = worker("a", tmp_path, cluster.url)
    await then_nothing_differs(cluster, last)
    last.kill()


async def test_a_zombie_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """Stopped until another has its partitions, then continued in the middle of what it did."""
    for n in range(ZOMBIES):
        await cluster.feed(EVENTS // ZOMBIES // 2)
        stop = Stop(("before_the_transaction", "before_the_commit")[n % 2], 3, signal.SIGSTOP)
        zombie = worker(f"zombie{n}", tmp_path, cluster.url, stop)
        await cluster.feed(EVENTS // ZOMBIES // 4)
        other = worker("b", tmp_path, cluster.url)
        async with asyncio.timeout(TAKEN_OVER_S):
            while await cluster.lag():  # until the other has all that the zombie had
                await asyncio.sleep(0.2)
        await cluster.feed(EVENTS // ZOMBIES // 8)
        zombie.send(signal.SIGCONT)
        zombie.join(TAKEN_OVER_S)
        assert zombie.exit_code not in (0, None), zombie.tail()
        assert "A later producer holds" in zombie.tail()
        await cluster.settled()
        other.kill()
    last = worker("a", tmp_path, cluster.url)
    await then_nothing_differs(cluster, last)
    last.kill()


async def test_a_worker_joins_and_leaves_during_a_load(cluster: Cluster, tmp_path: Path) -> None:
    """Every 10 s, in order both times."""
    stays = worker("a", tmp_path, cluster.url)
    for n in range(6 if CHAOS else 3):
        await cluster.feed(EVENTS // 8)
        joins = worker(f"b{n}", tmp_path, cluster.url)
        await asyncio.sleep(10)
        await cluster.feed(EVENTS // 8)
        assert joins.terminate() == 0, joins.tail()
    await then_nothing_differs(cluster, stays)
    stays.kill()


async def test_a_worker_terminated_under_load(cluster: Cluster, tmp_path: Path) -> None:
    """SIGTERM: exit 0 within 10 s, and nothing is done twice."""
    for _ in range(TERMINATIONS):
        await cluster.feed(EVENTS // TERMINATIONS)
        stopped = worker("a", tmp_path, cluster.url)
        await asyncio.sleep(cluster.random.uniform(0.8, 2.0))
        assert stopped.terminate() == 0, stopped.tail()
    last = worker("a", tmp_path, cluster.url)
    await then_nothing_differs(cluster, last)
    last.kill()


@pytest.mark.parametrize("how", ["stopped for 20 s", "restarted", "killed"])
async def test_the_broker_goes_away_under_load(broker: Broker, tmp_path: Path, how: str) -> None:
    """Workers wait for it, and nothing that was confirmed is lost."""
    async with Cluster.empty(broker.url, events=EVENTS, seed=len(how)) as cluster:
        working = worker("a", tmp_path, cluster.url)
        await cluster.feed(EVENTS // 2)
        await asyncio.sleep(2)
        if how == "stopped for 20 s":
            broker.send(signal.SIGSTOP)
            await asyncio.sleep(20)
            broker.send(signal.SIGCONT)
        else:
            await asyncio.to_thread(broker.stop, signal.SIGTERM if how == "restarted" else signal.SIGKILL)
            await asyncio.to_thread(broker.start)
        assert working.exit_code is None, working.tail()
        await then_nothing_differs(cluster, working)
        working.kill()
