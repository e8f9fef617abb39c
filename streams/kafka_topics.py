"""Are Kafka's topics as the engine needs them, and what would have to change?

Nothing is ever created by the way: `headwater topics plan` says what is missing, `apply` does it. Retention
is only ever raised, and the partition count of a topic never changes, because a customer's partition is
computed from it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from streams.kafka_client import probe
from streams.log import LogUnavailable, TopicSpec
from streams.topics import EVENTS, FAILED, ONE_PARTITION

APPLY = "headwater topics apply"
FOR_EVER = -1
KEPT = {"cleanup.policy": "delete", "retention.ms": str(FOR_EVER), "retention.bytes": str(FOR_EVER)}
STAMPED = {"message.timestamp.type": "LogAppendTime"}  # an event's append time, whoever appended it
RETENTION = ("retention.ms", "retention.bytes", "delete.retention.ms")
ONLY_RAISED = (*RETENTION, "min.insync.replicas", "max.message.bytes")
TOMBSTONES_MS = 30 * 86_400_000  # a worker whose local store is older would not hear of a deletion
DYNAMIC = 1  # config source: set on the topic
REQUEST_MS = 10_000
KNOWN_EVERY_S = 0.05
KNOWN_S = 30.0


class Found(NamedTuple):
    """A topic as Kafka has it."""

    partitions: int
    replicas: int
    config: Mapping[str, str]  # in force
    own: Mapping[str, str]  # set on the topic itself


class Change(NamedTuple):
    """What `apply` would do to a topic: create it, or set what differs."""

    spec: TopicSpec
    create: bool
    config: Mapping[str, str]
    was: Mapping[str, str]

    def __str__(self) -> str:
        if self.create:
            settings = ", ".join(f"{name}={value}" for name, value in self.config.items())
            return f"create {self.spec.name} with {self.spec.partitions} partitions ({settings})"
        changes = ", ".join(f"{n} from {self.was.get(n, 'nothing')} to {v}" for n, v in self.config.items())
        return f"change {self.spec.name}: {changes}"


class Plan(NamedTuple):
    """The changes that can be made, and what nobody can change for the engine, with the remedy."""

    changes: Sequence[Change]
    refusals: Sequence[str]


def wanted(spec: TopicSpec, replicas: int) -> dict[str, str]:
    """The settings of a topic; with `replicas` brokers to hold it, one may be away."""
    config = {"min.insync.replicas": str(max(1, replicas - 1))}
    if spec.compacted:
        config |= {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.2",
            "delete.retention.ms": str(TOMBSTONES_MS),
            "segment.bytes": str(64 << 20),
        }
    else:
        config |= KEPT
    if spec.name == EVENTS:
        config |= STAMPED
    if spec.name == FAILED:
        config["max.message.bytes"] = str(2 << 20)  # the largest record of another topic, and why it failed
    return config


def planned(specs: Sequence[TopicSpec], found: Mapping[str, Found], replicas: int) -> Plan:
    """What is to be done so that the topics are as `specs` have them."""
    changes, refusals = [], []
    for spec in specs:
        config = wanted(spec, replicas)
        topic = found.get(spec.name)
        if topic is None:
            changes.append(Change(spec, True, config, {}))
            continue
        if topic.partitions != spec.partitions:
            refusals.append(
                f"{spec.name} has {topic.partitions} partitions, not {spec.partitions}; with another number, "
                f"customers would move to other partitions: set HEADWATER_PARTITIONS={topic.partitions}, or "
                "copy the events to a new cluster."
            )
        if topic.replicas < replicas:
            refusals.append(
                f"{spec.name} has {topic.replicas} replicas, not {replicas}: have Kafka reassign its "
                f"partitions, or plan with --replicas {topic.replicas}."
            )
            config["min.insync.replicas"] = str(max(1, topic.replicas - 1))
        differing = {name: value for name, value in config.items() if _is_to_set(name, topic.config, value)}
        if differing:
            changes.append(Change(spec, False, differing, topic.config))
    return Plan(changes, refusals)


def _is_to_set(name: str, in_force: Mapping[str, str], value: str) -> bool:
    now = in_force.get(name)
    if now == value:
        return False
    return name not in ONLY_RAISED or now is None or (int(now) != FOR_EVER and _longer(value, now))


def _longer(value: str, now: str) -> bool:
    return int(value) == FOR_EVER or int(value) > int(now)


def faults(specs: Sequence[TopicSpec], found: Mapping[str, Found]) -> list[str]:
    """Why the engine must not start on these topics, a sentence each."""
    missing = [spec.name for spec in specs if spec.name not in found]
    told = [f"Kafka has no topic {', '.join(missing)}: run `{APPLY}`."] if missing else []
    events = found.get(EVENTS)
    for spec in specs:
        topic = found.get(spec.name)
        if topic is None:
            continue
        if spec.name in ONE_PARTITION and topic.partitions != 1:
            told.append(
                f"{spec.name} has {topic.partitions} partitions, not 1: delete it, and run `{APPLY}`."
            )
        elif spec.name not in ONE_PARTITION and events is not None and topic.partitions != events.partitions:
            told.append(
                f"{spec.name} has {topic.partitions} partitions and {EVENTS} has {events.partitions}: delete "
                f"the one that is wrong, if it holds nothing, and run `headwater topics apply`."
            )
        if spec.compacted and topic.config.get("cleanup.policy") != "compact":
            told.append(
                f"{spec.name} has cleanup.policy={topic.config.get('cleanup.policy')}, so that Kafka would "
                f"forget customers: run `{APPLY}`, which sets it to compact."
            )
        wrong = [
            f"{name}={topic.config.get(name)}"
            for name, value in (KEPT | STAMPED if spec.name == EVENTS else {}).items()
            if topic.config.get(name) != value
        ]
        if wrong:
            told.append(
                f"{spec.name} has {', '.join(wrong)}, so that Kafka would lose events or let their append "
                f"times be made up: run `{APPLY}`, which sets it right."
            )
    return told


class Topics:
    """Kafka's topics. Open with `async with Topics.of(connection)`."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    @classmethod
    @asynccontextmanager
    async def of(cls, connecting: Mapping[str, Any]) -> AsyncIterator["Topics"]:
        """Raises LogUnavailable where the brokers do not answer."""
        await probe(dict(connecting))
        admin = AIOKafkaAdminClient(**connecting, request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            yield cls(admin)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"Kafka does not tell of its topics ({error!r}): try again.") from error
        finally:
            await admin.close()

    async def brokers(self) -> int:
        return len((await self._admin.describe_cluster())["brokers"])

    async def found(self, names: Sequence[str]) -> dict[str, Found]:
        """Those of the topics that there are."""
        there = set(await self._admin.list_topics())
        present = [name for name in names if name in there]
        if not present:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in present]
        described = await self._admin.describe_topics(present)
        shapes = {topic["topic"]: topic["partitions"] for topic in described}
        found = {}
        for answer in await self._admin.describe_configs(resources):
            for error, reason, _, name, entries in answer.resources:
                if error:
                    raise LogUnavailable(f"Kafka does not describe {name}: {reason or for_code(error)!r}.")
                found[name] = Found(
                    len(shapes[name]),
                    min((len(partition["replicas"]) for partition in shapes[name]), default=0),
                    {entry[0]: entry[1] for entry in entries},
                    {entry[0]: entry[1] for entry in entries if entry[3] == DYNAMIC},
                )
        return found

    async def _known(self, names: Sequence[str]) -> None:
        """Return once the brokers tell of the topics: they are created a moment before."""
        async with asyncio.timeout(KNOWN_S):
            while len(await self.found(names)) < len(names):  # noqa: ASYNC110  # Kafka does not tell
                await asyncio.sleep(KNOWN_EVERY_S)

    async def apply(self, plan: Plan, found: Mapping[str, Found], replicas: int) -> None:
        """Make the plan's changes; raises LogUnavailable at the first that Kafka refuses."""
        new = [
            NewTopic(change.spec.name, change.spec.partitions, replicas, topic_configs=dict(change.config))
            for change in plan.changes
            if change.create
        ]
        if new:
            for name, error, reason in (await self._admin.create_topics(new)).topic_errors:
                if error:
                    raise LogUnavailable(f"Kafka does not create {name}: {reason or for_code(error)!r}.")
            await self._known([topic.name for topic in new])
        altered = [
            # Kafka's AlterConfigs sets all of a topic's own settings, and drops those that are not named
            ConfigResource(
                ConfigResourceType.TOPIC, change.spec.name, {**found[change.spec.name].own, **change.config}
            )
            for change in plan.changes
            if not change.create
        ]
        if altered:
            for answer in await self._admin.alter_configs(altered):
                for error, reason, _, name in answer.resources:
                    if error:
                        raise LogUnavailable(f"Kafka does not change {name}: {reason or for_code(error)!r}.")
