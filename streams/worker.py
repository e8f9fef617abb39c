"""What is a worker? One of any number of processes that fold the partitions which Kafka assigns to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from streams.folding import Folding
from streams.kafka_client import connection
from streams.kafka_transport import Transport
from streams.log import Log
from streams.settings import Settings
from streams.table import CustomerTable

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def working(settings: Settings, log: Log) -> AsyncIterator[Folding]:
    """Fold what is assigned, until the body ends."""
    connecting = connection(settings)
    table = CustomerTable(settings.data_dir / "table")
    try:
        folding = Folding(
            settings,
            log,
            table,
            lambda app, lane: Transport(app, connecting, lane, settings.records_a_run),
        )
        async with folding.running():
            logger.info("worker_started", log=settings.log_url, worker=settings.worker_id)
            try:
                yield folding
            finally:
                logger.info("worker_stopping")
    finally:
        table.close()
