"""What does the holder of the clock do? One process of any number on Kafka, elected by the group of a topic.

Who is assigned the partition of headwater.clock is the holder. Its broadcasts are transactions of one
transactional id, so that a holder which was cut off, and does not know that another was elected, is refused.
The topic says what the holder is asked: boundaries to be computed now, and which requests were answered.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from projections.parameters import Rules
from projections.times import DAY_MS
from streams.clock import Clock, keep_time, unfinished_loads
from streams.loading import Progress
from streams.log import Append, Log, LogUnavailable, OutcomeUnknown, Position, Producer, TopicPartition
from streams.membership import Commit
from streams.projected import Projected, ReadModel
from streams.settings import Settings
from streams.topics import CLOCK, LOADS

logger = structlog.get_logger(__name__)

GROUP = "headwater-clock"
ASKED, ANSWERED = b"calibrate", b"calibrated"
CALIBRATE_EVERY_S = 60.0
RETRY_S = 1.0
READ_RECORDS = 1_000


class Request(msgspec.Struct, frozen=True):
    """Please compute boundaries."""

    id: str


class Answer(msgspec.Struct, frozen=True):
    """These requests are done: boundaries of so many customers are in force, or nobody has an order."""

    requests: list[str]
    customers: int | None


class Holder:
    """The clock's duties, while we hold it."""

    def __init__(self, settings: Settings, log: Log, read_model: ReadModel, rules: Rules | None) -> None:
        self._settings = settings
        self._log = log
        self._read_model = read_model
        self._projected = Projected(settings, log, read_model)
        self._rules = rules
        self.holds = False
        self.trouble = ""

    async def hold(self, partitions: frozenset[TopicPartition], commit: Commit) -> None:  # noqa: ARG002
        """The work of streams.membership: until cancelled, keep the clock. Raises ProducerFenced."""
        logger.info("clock_held")
        self.holds = True
        try:
            while True:
                try:
                    producer = await self._log.producer(GROUP)
                    self.trouble = ""
                    duties = _Duties(self._settings, self._log, self._read_model, self._projected, producer)
                    await duties.do(self._rules)
                except* (LogUnavailable, OutcomeUnknown) as errors:
                    self.trouble = "; ".join(map(str, errors.exceptions))
                    logger.error("clock_waits", reason=self.trouble)
                await asyncio.sleep(RETRY_S)
        finally:
            self.holds = False
            logger.info("clock_released")


class _Duties:
    """One producer's worth of holding the clock."""

    def __init__(
        self, settings: Settings, log: Log, read_model: ReadModel, projected: Projected, producer: Producer
    ) -> None:
        self._settings = settings
        self._log = log
        self._read_model = read_model
        self._projected = projected
        self._producer = producer
        self._transacting = asyncio.Lock()
        self._clock = Clock(log, projected.now_ms, projected.parameters, self._append)
        self._next: dict[TopicPartition, int] = {(CLOCK, 0): 0}

    async def _append(self, batch: Sequence[Append]) -> Sequence[Position]:
        async with self._transacting:
            return await self._producer.transact(batch)

    async def do(self, rules: Rules | None) -> None:
        """Tell what is to be told once, then tick and calibrate for ever."""
        await self._clock.set_currency(self._settings.currency)
        await self._projected.caught_up()
        await self._clock.set_rules(rules)
        self._next[LOADS, 0] = (await self._log.end_offsets(LOADS))[0]
        async with asyncio.TaskGroup() as duties:
            duties.create_task(self._calibrate())
            if self._settings.clock == "wall":
                duties.create_task(keep_time(self._clock, self._log, self._settings.tick_seconds))

    async def _calibrate(self) -> None:
        """New boundaries where they are asked for, at the end of a load, and on each new stream day."""
        requests: dict[str, None] = {}
        while True:
            news = [record for place in self._next for record in await self._read(place)]
            loaded = False
            for key, value in news:
                if key == ASKED:
                    requests[msgspec.json.decode(value, type=Request).id] = None
                elif key == ANSWERED:
                    for answered in msgspec.json.decode(value, type=Answer).requests:
                        requests.pop(answered, None)
                elif key.startswith(b"load/"):
                    loaded = loaded or msgspec.json.decode(value, type=Progress).done
            if loaded and self._settings.clock == "wall" and not await unfinished_loads(self._log):
                await self._clock.tick()
            if requests or loaded or self._is_new_day():
                await self._projected.caught_up()
                found = await self._clock.calibrate(self._read_model, self._projected.as_of_ms())
                answer = Answer(list(requests), None if found is None else found.customers)
                await self._append([Append(CLOCK, 0, ANSWERED, msgspec.json.encode(answer))])
                requests.clear()
            await self._log.wait(self._next, timeout_s=CALIBRATE_EVERY_S)

    async def _read(self, place: TopicPartition) -> list[tuple[bytes, bytes]]:
        chunk = await self._log.read(*place, self._next[place], READ_RECORDS)
        self._next[place] = chunk.end
        prefix = b"load/" if place[0] == LOADS else b""
        return [(prefix + (record.key or b""), record.value or b"") for record in chunk.records]

    def _is_new_day(self) -> bool:
        in_force = [p.boundaries.as_of if p.boundaries else 0 for p in self._projected.parameters()]
        return min(in_force, default=0) // DAY_MS < self._projected.as_of_ms() // DAY_MS


async def ask_for_boundaries(log: Log, request_id: str, timeout_s: float) -> int | None:
    """Have the holder compute boundaries; how many customers they are of, None while nobody has an order.

    Raises LogUnavailable where nobody answers in time.
    """
    (asked,) = await log.append([Append(CLOCK, 0, ASKED, msgspec.json.encode(Request(request_id)))])
    following: Mapping[TopicPartition, int] = {(CLOCK, 0): asked.offset + 1}
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                chunk = await log.read(CLOCK, 0, following[CLOCK, 0], READ_RECORDS)
                for record in chunk.records:
                    if record.key == ANSWERED and record.value is not None:
                        answer = msgspec.json.decode(record.value, type=Answer)
                        if request_id in answer.requests:
                            return answer.customers
                following = {(CLOCK, 0): chunk.end}
                await log.wait(following, timeout_s)
    except TimeoutError:
        raise LogUnavailable(
            f"Nobody who holds the clock answered in {timeout_s:.0f} s: see that `headwater tick` and "
            "the workers run."
        ) from None
