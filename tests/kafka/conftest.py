"""Which broker does a test get? Yours, or one of its own; where there is none, tests skip, or fail in CI."""

import os
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka_client import connection
from streams.settings import Settings
from tests.kafka.broker import Broker, NoKafka


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


async def forget_topics(url: str) -> None:
    admin = AIOKafkaAdminClient(**connection(Settings(log_url=url)))
    await admin.start()
    try:
        while topics := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(topics)
    finally:
        await admin.close()
