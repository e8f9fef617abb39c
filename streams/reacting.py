"""Who tells the outside? The reactor alone: it sends what was decided, and says what became of it.

Neither a rebuild nor a replay starts it, so neither can send.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import structlog

from streams.attempts import Attempts, Customers, Sends
from streams.deliveries import Deliveries, QueueUnavailable
from streams.delivery_queue import DeliveryQueue
from streams.dispatching import Clock, Dispatcher
from streams.log import Log, LogUnavailable, OutcomeUnknown, Producer, TopicPartition
from streams.membership import Commit
from streams.topics import DECISIONS, EVENTS

logger = structlog.get_logger(__name__)

GROUP = "headwater-deliver"
RETRY_S = 1.0
SLEEP_AT_MOST_S = 60.0


class WallClock:
    """The clock that attempts are planned on, whatever moves stream time."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        await asyncio.sleep(min((at_ms - self.now_ms()) / 1000, SLEEP_AT_MOST_S))


class Reactor:
    """Delivers while it runs. `trouble` says why nothing goes on."""

    def __init__(
        self,
        log: Log,
        deliveries: Deliveries,
        customers: Customers,
        sender: Sends,
        concurrency: int,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`concurrency` is for each endpoint; `chance`, in [0, 1), spreads what is tried again."""
        self._log = log
        self._deliveries = deliveries
        self._customers = customers
        self._concurrency = concurrency
        self._clock = clock or WallClock()
        self._attempts = Attempts(customers, sender, self._clock.now_ms, chance)
        self._partitions: list[int] = []
        self._dispatcher: Dispatcher | None = None
        self._trouble = "no partitions are assigned yet, or no longer; wait"

    @property
    def outcomes(self) -> Counter[str]:
        """What became of the attempts, since the process began."""
        return self._attempts.outcomes

    @property
    def open_endpoints(self) -> list[str]:
        """Those that are left alone at the moment, but for trials."""
        windows = {} if self._dispatcher is None else self._dispatcher.windows
        return [endpoint for endpoint, window in windows.items() if window.breaker.is_open]

    @property
    def trouble(self) -> str:
        """Why nothing goes on."""
        return self._trouble if self._dispatcher is None else self._dispatcher.trouble

    async def lag(self) -> dict[str, int]:
        """Records of our partitions that are not taken in yet, by topic/partition."""
        return await self._deliveries.lag(self._partitions)

    async def run(self) -> None:
        """Deliver what is on any partition, for ever."""

        async def commit(_offsets: object) -> None:
            """Nobody shows a lag."""

        everything = range(self._log.partitions(DECISIONS))
        await self.react_deliver(frozenset((DECISIONS, p) for p in everything), commit)

    async def react_deliver(self, partitions: frozenset[TopicPartition], commit: Commit) -> None:  # noqa: ARG002
        """The work of streams.membership: deliver until cancelled. Raises ProducerFenced.

        Each message goes this way:
        1. what may be sent is checked, on the customer's row at least as new as the decision;
        2. it is sent;
        3. one fenced transaction appends what became of it to headwater.decisions;
        4. the queue reads that on the log, and has its next attempt, or its end.

        Before 2 nothing happened. A crash between 2 and 3 has it sent once more, under the same id. After 3
        the log has it, and the queue is read to the log's end before anything is sent, once those who had the
        partition before are fenced. From 1 to 4 a message is claimed: nothing else sends it, and the next one
        to that customer at that endpoint waits.
        """
        self._partitions = sorted(partition for _, partition in partitions)
        while True:
            try:
                await self._deliver(self._partitions)
            except* (LogUnavailable, OutcomeUnknown, QueueUnavailable) as errors:
                self._trouble = "; ".join(map(str, errors.exceptions))
                logger.error("delivering_waits", reason=self._trouble)
            await asyncio.sleep(RETRY_S)

    async def _deliver(self, partitions: list[int]) -> None:
        producers: dict[int, Producer] = {}
        try:
            for partition in partitions:
                producers[partition] = await self._log.producer(f"{GROUP}-{partition}")
            await self._deliveries.ask(partial(DeliveryQueue.hold, partitions=partitions))
            self._attempts.ends = dict(enumerate(await self._log.end_offsets(EVENTS)))
            self._dispatcher = Dispatcher(
                self._log,
                self._deliveries,
                self._customers,
                self._attempts,
                self._clock,
                producers,
                self._concurrency,
            )
            await self._dispatcher.run()
        finally:
            self._dispatcher = None
            for producer in producers.values():
                await producer.close()
