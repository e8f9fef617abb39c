"""Which broker does a test get? Yours, or one of its own; where there is none, tests skip, or fail in CI.

And what does a test of survival get: a log, and all that it takes to compare it with afterwards.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.clickhouse import ClickHouse
from tests.kafka.broker import Broker, NoKafka
from tests.kafka.cluster import EVENTS_FED, Cluster, forget_topics
from tests.kafka.history import History
from tests.kafka.workers import kill_all


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that the test may stop and start."""
    try:
        broker = Broker(tmp_path_factory.mktemp("kafka"))
    except NoKafka as none:
        if os.environ.get("HEADWATER_REQUIRE_KAFKA") == "1":
            pytest.fail(str(none))
        pytest.skip(str(none))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka_url(request: pytest.FixtureRequest) -> str:
    """Any broker."""
    given = os.environ.get("HEADWATER_TEST_KAFKA_URL")
    return given or str(request.getfixturevalue("broker").url)


@pytest.fixture
async def empty_kafka(kafka_url: str) -> str:
    """A broker without topics."""
    await forget_topics(kafka_url)
    return kafka_url


@pytest.fixture
def no_process_is_left() -> Iterator[None]:
    yield
    kill_all()


@pytest.fixture
async def cluster(
    kafka_url: str,
    request: pytest.FixtureRequest,
    no_process_is_left: None,
) -> AsyncIterator[Cluster]:
    """A log that is fed other events in each test."""
    seed = sum(map(ord, request.node.name))
    async with Cluster.empty(kafka_url, events=EVENTS_FED, seed=seed) as cluster:
        yield cluster


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouse]:
    clickhouse = ClickHouse(tmp_path / "clickhouse")
    yield clickhouse
    clickhouse.kill()


@pytest.fixture
def history(cluster: Cluster, clickhouse: ClickHouse, tmp_path: Path) -> History:
    """What an archive makes of it meanwhile."""
    return History(tmp_path, cluster.url, clickhouse)
