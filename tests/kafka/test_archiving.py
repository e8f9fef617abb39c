"""Is every record in the history once, however often the archive dies between an insert and its note?"""

import os
from pathlib import Path

from tests.clickhouse import ClickHouse
from tests.kafka.boundaries import Stop
from tests.kafka.cluster import EVENTS_FED, Cluster
from tests.kafka.history import archive, differences
from tests.kafka.workers import worker

KILLS = 50 if os.environ.get("HEADWATER_CHAOS") == "1" else 10
WITHIN_S = 120


async def test_an_archive_killed_between_insert_and_note(
    cluster: Cluster, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    """Each record once, none left out, and each row says what its record says."""
    working = worker("a", tmp_path, cluster.url)
    for _ in range(KILLS):
        await cluster.feed(EVENTS_FED // KILLS)
        killed = archive("archive", tmp_path, cluster.url, clickhouse, Stop("after_the_insert", 1))
        killed.join(WITHIN_S)
        assert killed.exit_code == -9, killed.tail()
    await cluster.settled()
    working.kill()
    last = archive("archive", tmp_path, cluster.url, clickhouse)
    assert await differences(clickhouse, cluster) == []
    assert last.terminate() == 0


async def test_two_archives_share_the_partitions(
    cluster: Cluster, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    """One dies now and then, between an insert and its note or anywhere, and the other takes over."""
    working = worker("a", tmp_path, cluster.url)
    stays = archive("stays", tmp_path, cluster.url, clickhouse)
    for n in range(KILLS // 3):
        await cluster.feed(EVENTS_FED // KILLS)
        dies = archive(
            f"dies{n}",
            tmp_path,
            cluster.url,
            clickhouse,
            Stop("after_the_insert", cluster.random.randint(1, 3)),
        )
        await cluster.feed(EVENTS_FED // KILLS)
        dies.join(WITHIN_S)
        assert dies.exit_code == -9, dies.tail()
    await cluster.feed(EVENTS_FED)
    await cluster.settled()
    working.kill()
    assert await differences(clickhouse, cluster) == []
    assert stays.terminate() == 0
