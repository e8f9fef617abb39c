"""Do worker, archive, clock and API together do on Kafka what the embedded engine does in one process?"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import msgspec
import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.topics import EVENTS
from tests.clickhouse import ClickHouse
from tests.headwater import headwater
from tests.kafka.cluster import forget_topics, make_topics
from tests.kafka.deployment import KEY, Deployment, eventually, order


@pytest.fixture(scope="module")
def deployment(kafka_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    asyncio.run(forget_topics(kafka_url))
    asyncio.run(make_topics(kafka_url, 4))
    path = tmp_path_factory.mktemp("deployment")
    clickhouse = ClickHouse(path / "clickhouse")
    deployment = None
    try:
        deployment = Deployment(path, kafka_url, clickhouse)
        yield deployment
    finally:
        if deployment is not None:
            deployment.stop()
        clickhouse.kill()


def test_an_order_reaches_every_answer(deployment: Deployment) -> None:
    """The row, the summary, the timeline from ClickHouse, and a list."""
    answer = deployment.client.post("/events", json=[order("ada", "12.50"), order("bob", "7.00")])
    assert answer.status_code == 202, answer.text
    eventually(lambda: deployment.client.get("/customers/ada").status_code == 200)
    body = deployment.client.get("/customers/ada").json()
    assert (body["orders"]["net"], body["orders"]["currency"]) == ("12.50", "EUR")
    eventually(lambda: deployment.client.get("/summary").json()["customers"] == 2)
    eventually(lambda: deployment.client.get("/customers/ada/timeline").json()["items"])


def test_every_process_becomes_ready(deployment: Deployment) -> None:
    """Without a key: that is what a supervisor asks."""
    for name in deployment.processes:
        eventually(lambda name=name: deployment.ready(name))


def test_metrics_of_every_process_ask_for_the_key(deployment: Deployment) -> None:
    """Only the health checks do not."""
    for name in deployment.processes:
        address = deployment.address(name)
        assert httpx2.get(f"{address}/metrics").status_code == 401
        metrics = httpx2.get(f"{address}/metrics", headers={"authorization": f"Bearer {KEY}"})
        assert "headwater_ready 1.0" in metrics.text


def test_confluents_client_reads_the_topic(deployment: Deployment, kafka_url: str) -> None:
    """It is told a broker, and /registry with the key."""
    registry = {"url": f"{deployment.address('api')}/registry", "basic.auth.user.info": f"anyone:{KEY}"}
    broker = kafka_url.removeprefix("kafka://")
    reading = {"bootstrap.servers": broker, "group.id": "confluent", "auto.offset.reset": "earliest"}
    context = SerializationContext(EVENTS, MessageField.VALUE)
    consumer = Consumer(reading)
    consumer.subscribe([EVENTS])
    try:
        with SchemaRegistryClient(registry) as client:
            decode = AvroDeserializer(client)

            def read() -> dict[str, object] | None:
                message = consumer.poll(0.5)
                if message is None or message.key() != b"ada":
                    return None
                event: dict[str, object] = decode(message.value(), context)
                return event

            found = eventually(read)
    finally:
        consumer.close()
    assert found is not None
    assert (found["customer_id"], found["amount_minor"], found["currency"]) == ("ada", 1250, "EUR")


def test_every_api_answers_alike(deployment: Deployment) -> None:
    """Each tails the changelog for itself."""
    deployment.start("another", "api")
    address = deployment.address("another")
    with httpx2.Client(base_url=address, headers=deployment.client.headers, timeout=60) as another:
        eventually(lambda: another.get("/customers/ada").status_code == 200)
        for path in ("/customers/ada", "/customers/bob", "/customers?sort=net"):
            one, other = (client.get(path).json() for client in (deployment.client, another))
            for body in (one, other):
                body.pop("as_of", None)  # a moment apart
            assert one == other


def test_boundaries_are_computed_by_the_holder_of_the_clock(deployment: Deployment) -> None:
    """The API asks it through Kafka, and has them when it answers."""
    deployment.client.post("/events", json=[order(f"c{n}", f"{n}.00") for n in range(1, 21)])
    answer = deployment.client.post("/rfm/calibrate", json={})
    assert answer.status_code == 200, answer.text
    assert answer.json()["customers"] >= 20
    assert len(deployment.client.get("/rfm").json()["boundaries"]["m"]) == 4


def test_the_commands_ask_the_api(deployment: Deployment, tmp_path: Path) -> None:
    """SQL over ClickHouse, and all parts agree, from a machine that has nothing but the address."""
    asked = {"HEADWATER_API_URL": deployment.address("api"), "HEADWATER_API_KEY": KEY}
    sql = "select sum(amount_minor) as spent from OrderPlaced where customer_id = 'ada'"
    eventually(lambda: deployment.client.post("/sql", json={"query": sql}).json()["rows"] == [[1250]])
    out, _ = headwater("sql", sql, "--format", "csv", "--data-dir", tmp_path, **asked)
    assert out.split() == ["spent", "1250"]
    eventually(lambda: all(c["ok"] for c in deployment.client.get("/doctor").json()["checks"]))
    out, _ = headwater("doctor", "--data-dir", tmp_path, **asked)
    assert "BAD" not in out


def test_triggers_are_told_by_the_holder_of_the_clock_and_decided_by_workers(deployment: Deployment) -> None:
    """Posted to an API, in force on every partition; a new customer's decision is in the history."""
    rules = (
        '[[trigger]]\nname = "welcome"\non = { change = "stage", to = "new" }\n'
        'action = { topic = "headwater.messages" }\nconsent = "none"\nholdout = 0\n'
    )
    answer = deployment.client.post("/triggers", json={"segments": "", "triggers": rules}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert deployment.client.get("/triggers").json()["items"][0]["name"] == "welcome"
    names, now = [f"new-{n}" for n in range(8)], datetime.now(UTC).isoformat()
    deployment.client.post("/events", json=[order(name, "1.00", now) for name in names])

    def decided() -> bool:
        found = deployment.client.get("/decisions?trigger=welcome").json()["items"]
        return sorted(each["customer_id"] for each in found if each["verdict"] == "send") == names

    eventually(decided)


def test_a_load_is_calibrated_by_the_holder_of_the_clock(deployment: Deployment, tmp_path: Path) -> None:
    """It hears from Kafka that the load has ended."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join(msgspec.json.encode(order(f"l{n}", f"{n}.00")) for n in range(1, 31)))
    before = deployment.client.get("/rfm").json()
    asked = {"HEADWATER_API_URL": deployment.address("api"), "HEADWATER_API_KEY": KEY}
    headwater("events", "load", events, "--data-dir", tmp_path, **asked)
    eventually(lambda: deployment.client.get("/rfm").json() != before)


def test_another_takes_the_clock_from_a_holder_that_dies(deployment: Deployment) -> None:
    """It stands by in the same group."""
    deployment.start("standby", "tick")
    deployment.address("standby")
    deployment.processes.pop("tick").kill()
    eventually(lambda: "clock_held" in deployment.processes["standby"].tail())
    assert deployment.client.post("/rfm/calibrate", json={}).status_code == 200


def test_every_process_stops_in_order(deployment: Deployment) -> None:
    """SIGTERM, and exit 0 within 10 s."""
    for process in deployment.processes.values():
        assert process.terminate() == 0
