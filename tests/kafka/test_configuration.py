"""What does a process say that cannot start? One sentence with the remedy, and exit 2, before it consumes."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError

from streams.kafka_client import connection
from streams.membership import KeptOut, share
from streams.settings import Settings
from streams.topics import CUSTOMERS, EVENTS
from tests.headwater import headwater
from tests.kafka.broker import USER, Broker
from tests.kafka.cluster import make_topics


def refused(path: Path, command: str = "worker", **environment: str) -> str:
    """What a process says that does not start."""
    out, err = headwater(command, "--data-dir", path / "w", "--port", "0", expect=2, **environment)
    assert out == ""
    told = [line for line in err.splitlines() if line.startswith("headwater: ")]
    assert len(told) == 1, err
    assert "Traceback" not in err
    assert not (path / "w" / "table").exists()
    return told[0]


def test_an_unreachable_broker(tmp_path: Path) -> None:
    """Where it looked, and what to correct."""
    told = refused(tmp_path, HEADWATER_LOG_URL="kafka://127.0.0.1:1")
    assert "127.0.0.1:1" in told
    assert "correct HEADWATER_LOG_URL" in told


@pytest.mark.parametrize("tls", [False, True])
def test_wrong_credentials(broker: Broker, tmp_path: Path, tls: bool) -> None:
    """Without the password."""
    listener = {
        "HEADWATER_LOG_URL": broker.tls_url if tls else broker.sasl_url,
        "HEADWATER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL" if tls else "SASL_PLAINTEXT",
        "HEADWATER_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512" if tls else "PLAIN",
        "HEADWATER_KAFKA_CA_FILE": str(broker.ca_file),
    }
    told = refused(
        tmp_path, **listener, HEADWATER_KAFKA_USERNAME=USER, HEADWATER_KAFKA_PASSWORD="not this one"
    )
    assert "other credentials" in told
    assert "not this one" not in told


def test_a_certificate_of_nobody_we_trust(broker: Broker, tmp_path: Path) -> None:
    """The system's authorities do not know the broker's."""
    told = refused(
        tmp_path,
        HEADWATER_LOG_URL=broker.tls_url,
        HEADWATER_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        HEADWATER_KAFKA_USERNAME=USER,
        HEADWATER_KAFKA_PASSWORD="any",
    )
    assert "certificate verify failed" in told


def test_a_listener_that_wants_credentials(broker: Broker, tmp_path: Path) -> None:
    """Half of the settings names the other half."""
    told = refused(
        tmp_path, HEADWATER_LOG_URL=broker.sasl_url, HEADWATER_KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT"
    )
    assert "HEADWATER_KAFKA_USERNAME" in told


@pytest.mark.parametrize("command", ["worker", "archive", "tick", "api"])
def test_no_topics(empty_kafka: str, tmp_path: Path, command: str) -> None:
    """Nothing is created by the way."""
    told = refused(
        tmp_path,
        command,
        HEADWATER_LOG_URL=empty_kafka,
        HEADWATER_HISTORY_URL="clickhouse://127.0.0.1:1",
    )
    assert "headwater topics apply" in told


async def test_fewer_partitions_than_the_tables(empty_kafka: str, tmp_path: Path) -> None:
    """Customers' rows would have no partition."""
    await make_topics(empty_kafka, 4)
    admin = AIOKafkaAdminClient(**connection(Settings(log_url=empty_kafka)))
    await admin.start()
    await admin.delete_topics([EVENTS])
    while EVENTS in await admin.list_topics():
        pass
    await admin.create_topics([NewTopic(EVENTS, 2, 1)])
    await admin.close()
    told = refused(tmp_path, HEADWATER_LOG_URL=empty_kafka)
    assert f"{CUSTOMERS} has 4 partitions and {EVENTS} has 2" in told


async def test_a_changelog_without_compaction(empty_kafka: str, tmp_path: Path) -> None:
    """Kafka would forget customers; `topics apply` mends it, and leaves other settings alone."""
    await make_topics(empty_kafka, 4)
    admin = AIOKafkaAdminClient(**connection(Settings(log_url=empty_kafka)))
    await admin.start()
    own = {"cleanup.policy": "delete", "segment.ms": "123456789", "delete.retention.ms": "9999999999"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, CUSTOMERS, own)])
    told = refused(tmp_path, HEADWATER_LOG_URL=empty_kafka)
    assert "cleanup.policy=delete" in told
    planned, _ = headwater("topics", "plan", HEADWATER_LOG_URL=empty_kafka)
    assert "cleanup.policy from delete to compact" in planned
    assert "delete.retention.ms" not in planned  # longer than what we ask for: never lowered
    headwater("topics", "apply", HEADWATER_LOG_URL=empty_kafka)
    (described,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, CUSTOMERS)])
    config = {entry[0]: entry[1] for entry in described.resources[0][4]}
    await admin.close()
    assert config["cleanup.policy"] == "compact"
    assert (config["segment.ms"], config["delete.retention.ms"]) == ("123456789", "9999999999")
    assert "as they should be" in headwater("topics", "plan", HEADWATER_LOG_URL=empty_kafka)[0]


async def test_the_partition_count_is_for_ever(empty_kafka: str) -> None:
    """Another count is refused, and everything else still planned."""
    await make_topics(empty_kafka, 4)
    environment = {"HEADWATER_LOG_URL": empty_kafka, "HEADWATER_PARTITIONS": "8"}
    out, _ = headwater("topics", "apply", expect=1, **environment)
    assert f"cannot: {EVENTS} has 4 partitions, not 8" in out


async def test_a_registry_that_refuses(empty_kafka: str, tmp_path: Path) -> None:
    """Before Kafka is asked for anything."""
    await make_topics(empty_kafka, 4)
    told = refused(
        tmp_path, HEADWATER_LOG_URL=empty_kafka, HEADWATER_REGISTRY_URL="http://user:secret@127.0.0.1:1"
    )
    assert "registry" in told
    assert "secret" not in told


async def test_a_group_that_keeps_us_out(empty_kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka's answer to an archive whose user may not read the group; it is told, with what to do."""
    await make_topics(empty_kafka, 4)

    def refused(self: GroupCoordinator) -> None:
        raise GroupAuthorizationFailedError(self.group_id)

    async def work(partitions: object, commit: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(GroupCoordinator, "check_errors", refused)
    with pytest.raises(KeptOut, match=r"headwater-archive keeps this process out .* let its user read"):
        await share(
            connection(Settings(log_url=empty_kafka)), "headwater-archive", [EVENTS], work, session_s=6
        )


def test_a_log_that_is_not_kafka(tmp_path: Path) -> None:
    """The embedded engine is one process, and says which."""
    assert "headwater serve" in refused(tmp_path)


def test_an_api_without_a_clickhouse_server(empty_kafka: str, tmp_path: Path) -> None:
    """chDB belongs to one process."""
    headwater("topics", "apply", HEADWATER_LOG_URL=empty_kafka)
    arguments = ("api", "--data-dir", tmp_path / "a", "--port", "0")
    _, err = headwater(*arguments, expect=2, HEADWATER_LOG_URL=empty_kafka)
    assert "HEADWATER_HISTORY_URL" in err


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_the_embedded_engine_on_kafka(command: str, tmp_path: Path) -> None:
    """It says which processes to run."""
    _, err = headwater(command, "--data-dir", tmp_path, expect=2, HEADWATER_LOG_URL="kafka://127.0.0.1:1")
    assert "headwater worker" in err
