"""Does the log on Apache Kafka keep the contract, and what it adds to it?"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from streams import kafka_producer
from streams.kafka_client import connection
from streams.kafka_log import KafkaLog
from streams.log import Append, LogUnavailable, OutcomeUnknown
from streams.settings import Settings
from tests.integration.log_contract import LogContract, appended, records, values
from tests.kafka.broker import PASSWORD, USER, Broker
from tests.kafka.cluster import forget_topics

TOPICS = ["plain", "compacted"]


@pytest.fixture
async def log(empty_kafka: str) -> AsyncIterator[KafkaLog]:
    options = connection(Settings(log_url=empty_kafka))
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    compact = {"cleanup.policy": "compact"}
    await admin.create_topics([NewTopic("plain", 2, 1), NewTopic("compacted", 1, 1, topic_configs=compact)])
    await admin.close()
    log = await KafkaLog.open(options, TOPICS)
    yield log
    await log.close()


class TestKafkaLog(LogContract):
    async def test_a_transaction_under_way_is_not_read(self, log: KafkaLog) -> None:
        """Readers see committed records only, and what is given up never."""
        producer = await log.producer("p")
        await producer._producer.begin_transaction()
        await producer._producer.send_and_wait("plain", b"undecided", partition=0)
        assert await log.read("plain", 0, 0, 10) == ([], 0)
        await producer._producer.abort_transaction()
        await log.append(records("after"))
        assert await values(log) == [b"after"]

    async def test_a_broker_that_does_not_know_its_cluster_yet(
        self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As it comes back: aiokafka asserts, and who needs a producer is to try again."""

        async def start(self: AIOKafkaProducer) -> None:
            raise AssertionError("Did we not perform bootstrap?")

        with monkeypatch.context() as patch:
            patch.setattr(AIOKafkaProducer, "start", start)
            with pytest.raises(LogUnavailable, match="bootstrap"):
                await log.producer("p")
        await appended(log, await (await log.producer("p")).transact(records("after")))

    async def test_a_transaction_that_never_ends_is_given_up(
        self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When Kafka does: who waits for it is told, and the next producer goes on."""
        monkeypatch.setattr(kafka_producer, "TRANSACTION_MS", 500)
        producer = await log.producer("p")
        monkeypatch.setattr(producer._producer, "commit_transaction", asyncio.Event().wait)
        with pytest.raises(OutcomeUnknown, match="TimeoutError"):
            await producer.transact(records("given up"))
        await appended(log, await (await log.producer("p")).transact(records("after")))
        assert await values(log) == [b"after"]

    async def test_reading_ends_behind_the_markers(self, log: KafkaLog) -> None:
        """A reader that has everything is at the end offset, so that a lag can be 0."""
        producer = await log.producer("p")
        for n in range(3):
            await appended(log, await producer.transact(records(str(n))))
        await producer._producer.begin_transaction()
        await producer._producer.send_and_wait("plain", b"given up", partition=0)
        await producer._producer.abort_transaction()
        offset, found = 0, []
        while (chunk := await log.read("plain", 0, offset, 2)).records:
            found += [record.value for record in chunk.records]
            offset = chunk.end
        assert found == [b"0", b"1", b"2"]
        while (await log.end_offsets("plain"))[0] < 8:
            await asyncio.sleep(0.01)
        assert (await log.read("plain", 0, offset, 2)) == ([], 8)

    async def test_large_batches_are_split_and_keep_their_order(self, log: KafkaLog) -> None:
        """More than Kafka takes at once goes out in several batches of one transaction."""
        sent = [Append("plain", n % 2, b"%d" % n, bytes(2_000) + b"%d" % n) for n in range(2_000)]
        producer = await log.producer("p")
        positions = await producer.transact(sent)
        await appended(log, positions)
        found = []
        for partition in (0, 1):
            offset = 0
            while (chunk := await log.read("plain", partition, offset, 300)).records:
                found += [(partition, record.offset, record.value) for record in chunk.records]
                offset = chunk.end
        assert sorted(found) == sorted(
            (p.partition, p.offset, a.value) for p, a in zip(positions, sent, strict=True)
        )

    async def test_a_record_that_kafka_refuses_is_told_of(self, log: KafkaLog) -> None:
        """The rest of the append is said to be there, a transaction is in doubt, and the log goes on."""
        batch = [*records("a"), Append("plain", 1, b"big", bytes(1_100_000))]
        with pytest.raises(LogUnavailable) as failure:
            await log.append(batch)
        assert failure.value.appended is not None
        assert [each is not None for each in failure.value.appended] == [True, False]
        producer = await log.producer("p")
        with pytest.raises(OutcomeUnknown):
            await producer.transact(batch)
        again = await log.producer("p")
        await appended(log, await again.transact(records("b")))
        assert await values(log) == [b"a", b"b"]

    async def test_a_missing_topic_is_told_with_the_remedy(self, empty_kafka: str) -> None:
        """Nothing is created by the way."""
        with pytest.raises(LogUnavailable, match="headwater topics apply"):
            await KafkaLog.open(connection(Settings(log_url=empty_kafka)), ["nowhere"])

    async def test_a_reader_ahead_of_the_log_finds_nothing(self, log: KafkaLog) -> None:
        """As after a topic was made anew: no error, and no records."""
        assert await log.read("plain", 0, 1_000, 10) == ([], 1_000)


def credentials(broker: Broker, password: str) -> dict[str, object]:
    return connection(
        Settings.model_validate(
            {
                "log_url": broker.sasl_url,
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_username": USER,
                "kafka_password": password,
            }
        )
    )


async def test_credentials_let_in(broker: Broker) -> None:
    """SASL goes through aiokafka."""
    log = await KafkaLog.open(credentials(broker, PASSWORD), [])
    await log.close()


async def test_wrong_credentials_are_told(broker: Broker) -> None:
    """And the password is not."""
    with pytest.raises(LogUnavailable, match="other credentials") as refused:
        await KafkaLog.open(credentials(broker, "wrong secret"), [])
    assert "secret" not in str(refused.value)


async def test_an_unreachable_broker_is_told() -> None:
    """With what to correct."""
    with pytest.raises(LogUnavailable, match="correct HEADWATER_LOG_URL"):
        await KafkaLog.open(connection(Settings(log_url="kafka://127.0.0.1:1")), [])


@pytest.mark.parametrize("url", ["kafka://", "kafka://host:port", "kafka://,"])
def test_a_url_without_brokers_is_refused(url: str) -> None:
    """Before anything is tried."""
    with pytest.raises(ValueError, match="name the brokers"):
        connection(Settings(log_url=url))


async def test_over_tls_with_a_salted_password(broker: Broker) -> None:
    """SASL_SSL with SCRAM: an append, a transaction and a read."""
    await forget_topics(broker.url)
    settings = Settings(
        log_url=broker.tls_url,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_username=USER,
        kafka_password=SecretStr(PASSWORD),
        kafka_ca_file=broker.ca_file,
    )
    options = connection(settings)
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    await admin.create_topics([NewTopic("plain", 2, 1), NewTopic("compacted", 1, 1)])
    await admin.close()
    log = await KafkaLog.open(options, TOPICS)
    try:
        await appended(log, await log.append(records("appended")))
        await appended(log, await (await log.producer("p")).transact(records("in a transaction")))
        assert await values(log) == [b"appended", b"in a transaction"]
    finally:
        await log.close()


async def test_concurrent_first_appends_share_a_producer(log: KafkaLog) -> None:
    """Starting takes a moment, in which others come."""
    await asyncio.gather(*(log.append(records(str(n))) for n in range(5)))
    assert len(await values(log)) == 5
