"""Does a broker that is away for longer than a request is given end nothing?"""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import RequestTimedOutError

from streams.kafka_log import KafkaLog

BROKER = 1


class Silent:
    """A connection on which no request is ever answered; closing it removes it, as aiokafka does."""

    def __init__(self, connections: dict[Any, "Silent"]) -> None:
        self._connections = connections

    async def send(self, request: object, expect_response: bool = True) -> None:
        await asyncio.sleep(0)  # until both are on their way
        raise TimeoutError

    def close(self, reason: object) -> None:
        self._connections.clear()


async def test_two_requests_that_time_out_on_one_connection_are_both_tried_again() -> None:
    """aiokafka closes it for the first, and then does not find it for the second."""
    log = KafkaLog({"bootstrap_servers": "localhost:1"}, [])
    connections: dict[Any, Silent] = {}
    stub = SimpleNamespace(_conns=connections, ready=_ready)
    connections[BROKER, 0] = Silent(connections)
    log._client.send = lambda node, request: AIOKafkaClient.send(stub, node, request, group=0)

    failures = await asyncio.gather(*(log._sent(BROKER, object()) for _ in range(2)), return_exceptions=True)
    await log.close()
    assert [type(failure) for failure in failures] == [RequestTimedOutError] * 2


async def _ready(node: int, group: int) -> bool:
    await asyncio.sleep(0)
    return True
