"""How does a process come by the log on Kafka? Reached, its topics looked over, and its schema ids ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams import kafka_client, kafka_topics, schema_ids
from streams.kafka_log import KafkaLog
from streams.log import LogUnavailable
from streams.settings import Settings
from streams.topics import topic_specs


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[KafkaLog]:
    """The log of HEADWATER_LOG_URL.

    Raises LogUnavailable, RegistryRefused, OtherIds or ValueError with the remedy, before anything is used.
    """
    if not settings.distributed:
        raise ValueError(
            f"HEADWATER_LOG_URL is {settings.log_url!r}: set it to kafka://host:9092, or run "
            "`headwater serve`, which is all of the engine in one process."
        )
    connecting = kafka_client.connection(settings)
    await asyncio.to_thread(schema_ids.adopt, settings)
    specs = topic_specs(settings.partitions)
    async with kafka_topics.Topics.of(connecting) as topics:
        faults = kafka_topics.faults(specs, await topics.found([spec.name for spec in specs]))
    if faults:
        raise LogUnavailable(" ".join(faults))
    log = await KafkaLog.open(connecting, [spec.name for spec in specs])
    try:
        await schema_ids.check(log)
        yield log
    finally:
        await log.close()
