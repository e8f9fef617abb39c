"""What is a worker? One of any number of processes that fold the partitions which Kafka assigns to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from streams import kafka_client, kafka_topics
from streams.folding import Folding
from streams.kafka_log import KafkaLog
from streams.kafka_transport import Transport
from streams.log import LogUnavailable
from streams.settings import Settings
from streams.table import CustomerTable
from streams.topics import topic_specs

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def kafka_log(settings: Settings) -> AsyncIterator[KafkaLog]:
    """The log of HEADWATER_LOG_URL, its topics looked over first.

    Raises LogUnavailable or ValueError with the remedy, before anything is read.
    """
    connecting = kafka_client.connection(settings)
    specs = topic_specs(settings.partitions)
    async with kafka_topics.Topics.of(connecting) as topics:
        faults = kafka_topics.faults(specs, await topics.found([spec.name for spec in specs]))
    if faults:
        raise LogUnavailable(" ".join(faults))
    log = await KafkaLog.open(connecting, [spec.name for spec in specs])
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Folding]:
    """Fold what is assigned. Raises LogUnavailable, FoldVersionMismatch, or ValueError for the settings."""
    connecting = kafka_client.connection(settings)
    async with kafka_log(settings) as log:
        table = CustomerTable(settings.data_dir / "table")
        try:
            folding = Folding(
                settings,
                log,
                table,
                lambda app, lane: Transport(app, connecting, lane, settings.run_records),
            )
            async with folding.running():
                logger.info("worker_started", log=settings.log_url, worker=settings.worker_id)
                try:
                    yield folding
                finally:
                    logger.info("worker_stopping")
        finally:
            table.close()
