"""Do the services of docker-compose.yml fit the code? They cannot be started here, so the file is read."""

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer

from api import access
from api.health import Health, create_health
from api.routes import operations, registry
from cli.main import LONG_RUNNING, app
from history import address
from streams import kafka_client
from streams.settings import Settings
from tests.deployment import COMPOSE, EXACT, IMAGE_ENVIRONMENT, OURS, PROCESSES, SERVICES, settings_of
from tests.unit.test_packaging import PROJECT


def checked_address(service: dict[str, Any]) -> tuple[int | None, str]:
    """Port and path, or port alone, that a health check asks on loopback."""
    found = re.search(
        r"(?:http://127\.0\.0\.1|localhost):(\d+)(/\w[\w/]*)?", service["healthcheck"]["test"][-1]
    )
    assert found is not None
    return int(found[1]), found[2] or ""


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_of_exact_versions(name: str) -> None:
    """No tag that names another image tomorrow."""
    assert EXACT.fullmatch(SERVICES[name]["image"])


def test_our_image_is_built_once_with_this_version() -> None:
    """One service builds it for all, under the version of pyproject.toml."""
    assert {service["image"] for service in OURS.values()} == {f"headwater:{PROJECT['project']['version']}"}
    assert [name for name, service in SERVICES.items() if "build" in service] == ["topics"]


def test_every_process_of_the_engine_is_there() -> None:
    """Two workers, and one of each other."""
    commands = sorted(service["command"][0] for service in PROCESSES.values())
    assert commands == ["api", "archive", "deliver", "learn", "tick", "worker", "worker"]


@pytest.mark.parametrize("name", OURS)
def test_commands_are_the_command_lines_own(name: str) -> None:
    """They parse, with all their options."""
    command: Any = typer.main.get_command(app)
    words = list(OURS[name]["command"])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(name, words)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    """Nothing is set that the code does not read."""
    known = {f"HEADWATER_{field.upper()}" for field in Settings.model_fields}
    environment = IMAGE_ENVIRONMENT | OURS[name]["environment"]
    assert {each for each in environment if each.startswith("HEADWATER_")} <= known
    assert set(OURS[name]["environment"]) <= known


@pytest.mark.parametrize("name", OURS)
def test_processes_may_start_with_their_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass the checks of a start, and name Kafka and ClickHouse as the other services are."""
    settings = settings_of(name, monkeypatch)
    access.check(settings)
    assert settings.host == "0.0.0.0"
    assert kafka_client.connection(settings)["bootstrap_servers"] == [
        kafka()["advertised.listeners"]["PLAINTEXT"]
    ]
    assert settings.history_url is not None
    history = address.parse(settings.history_url)
    assert isinstance(history, address.Server)
    assert (history.host, history.port) == ("clickhouse", checked_address(SERVICES["clickhouse"])[0])
    user = urlsplit(history.dsn)
    clickhouse = SERVICES["clickhouse"]["environment"]
    assert (user.username, user.password) == (
        clickhouse["CLICKHOUSE_USER"],
        clickhouse["CLICKHOUSE_PASSWORD"],
    )


def kafka() -> dict[str, Any]:
    """Kafka's properties, as the image makes them of the environment."""
    properties: dict[str, Any] = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in SERVICES["kafka"]["environment"].items()
        if name.startswith("KAFKA_")
    }
    for name in ("listeners", "advertised.listeners"):
        properties[name] = dict(each.split("://") for each in properties[name].split(","))
    return properties


def test_kafka_is_one_broker_of_its_own() -> None:
    """KRaft in one node: what it says of itself agrees, and nothing needs a second one."""
    properties = kafka()
    assert set(properties["process.roles"].split(",")) == {"broker", "controller"}
    listeners, controller = properties["listeners"], properties["controller.listener.names"]
    assert set(properties["advertised.listeners"]) == set(listeners) - {controller}
    assert properties["inter.broker.listener.name"] in properties["advertised.listeners"]
    for name, advertised in properties["advertised.listeners"].items():
        assert advertised == f"kafka{listeners[name]}"
    mapped = dict(each.split(":") for each in properties["listener.security.protocol.map"].split(","))
    assert set(mapped) == set(listeners)
    assert (
        properties["controller.quorum.voters"] == f"{properties['node.id']}@localhost{listeners[controller]}"
    )
    assert {
        value for name, value in properties.items() if re.search(r"replication\.factor|min\.isr", name)
    } == {"1"}
    assert len(base64.urlsafe_b64decode(SERVICES["kafka"]["environment"]["CLUSTER_ID"] + "==")) == 16


def test_kafka_makes_no_topics_by_itself_and_keeps_its_data() -> None:
    """Topics are made by `topics apply`, and lie in the volume."""
    assert kafka()["auto.create.topics.enable"] == "false"
    assert SERVICES["kafka"]["volumes"] == [f"kafka:{kafka()['log.dirs']}"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_be_waited_for(name: str) -> None:
    """It has a health check, or it ends."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        service = SERVICES[other]
        if how["condition"] == "service_healthy":
            assert "test" in service["healthcheck"]
            assert service["restart"] == "unless-stopped"
        else:
            assert how["condition"] == "service_completed_successfully"
            assert service["command"][0] not in LONG_RUNNING
            assert service["restart"] == "no"


def before(name: str) -> Iterator[str]:
    """The services that are up before another starts."""
    for other in SERVICES[name].get("depends_on", {}):
        yield other
        yield from before(other)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        *((process, "topics") for process in PROCESSES),
        ("topics", "kafka"),
        ("archive", "clickhouse"),
        ("api", "archive"),
        ("ui", "api"),
    ],
)
def test_the_order_of_starts(name: str, first: str) -> None:
    """Topics are made on a Kafka that answers; tables, before the API reads them."""
    assert first in before(name)


@pytest.mark.parametrize("name", PROCESSES)
def test_health_checks_ask_a_process_what_it_serves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its port, at a path that needs no key, of the API and of processes that serve only that."""

    async def look() -> Health:
        return Health("", {})

    settings = settings_of(name, monkeypatch)
    port, path = checked_address(PROCESSES[name])
    assert port == settings.port
    assert path == "/readyz"
    assert path in {route.path for route in create_health(settings, name, look).routes}  # type: ignore[attr-defined]
    assert path in {route.path for route in operations.router.routes}  # type: ignore[attr-defined]


def test_other_health_checks_ask_the_port_that_is_used() -> None:
    """Kafka's and the UI's."""
    advertised = kafka()["advertised.listeners"]["PLAINTEXT"]
    assert f"kafka:{checked_address(SERVICES['kafka'])[0]}" == advertised
    assert SERVICES["ui"]["ports"] == [f"127.0.0.1:8080:{checked_address(SERVICES['ui'])[0]}"]


def test_only_loopback_reaches_the_containers() -> None:
    """And nothing but the API and the UI."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"], "ui": ["127.0.0.1:8080:8080"]}


def test_no_two_processes_share_an_identity_or_a_directory() -> None:
    """Each worker has a name, and each process a volume, of its own; every volume is declared."""
    workers = [name for name, service in PROCESSES.items() if service["command"] == ["worker"]]
    assert [SERVICES[name]["environment"]["HEADWATER_WORKER_ID"] for name in workers] == workers
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert len({volume.partition(":")[0] for volume in mounted}) == len(mounted)
    assert {volume.partition(":")[0] for volume in mounted} == set(COMPOSE["volumes"])
    for name in PROCESSES:
        assert SERVICES[name]["volumes"] == [f"{name}:{IMAGE_ENVIRONMENT['HEADWATER_DATA_DIR']}"]


@pytest.mark.parametrize("name", PROCESSES)
def test_processes_have_the_time_to_drain(name: str) -> None:
    """They need up to 10 s, and are started again when they end by themselves."""
    assert int(PROCESSES[name]["stop_grace_period"].removesuffix("s")) > 10
    assert PROCESSES[name]["restart"] == "unless-stopped"


def test_the_ui_reads_our_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the API, by a name that it answers to, with the key; only on demand, and only to read."""
    ui = SERVICES["ui"]
    cluster = {
        name.removeprefix("KAFKA_CLUSTERS_0_"): value
        for name, value in ui["environment"].items()
        if name.startswith("KAFKA_CLUSTERS_0_")
    }
    settings = settings_of("api", monkeypatch)
    url = urlsplit(cluster["SCHEMAREGISTRY"])
    assert url.hostname in SERVICES
    assert url.hostname in access.server_names(settings)
    assert (url.port, url.path) == (settings.port, registry.router.prefix)
    assert settings.api_key is not None
    assert cluster["SCHEMAREGISTRYAUTH_PASSWORD"] == settings.api_key.get_secret_value()
    assert cluster["BOOTSTRAPSERVERS"] == kafka()["advertised.listeners"]["PLAINTEXT"]
    assert cluster["READONLY"] == "true"
    assert ui["environment"]["SPRING_SECURITY_USER_PASSWORD"] == settings.api_key.get_secret_value()
    assert ui["profiles"] == ["ui"]


def test_nothing_but_the_ui_is_on_demand() -> None:
    """`make up` starts all the rest."""
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["ui"]
