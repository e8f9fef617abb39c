"""What does the holder of the clock do? One process of any number on Kafka, elected by the group of a topic.

Who is assigned the partition of headwater.clock is the holder. Its broadcasts are transactions of one
transactional id, so that a holder which was cut off, and does not know that another was elected, is refused.
The topic says what the holder is asked: boundaries to be computed now, and which requests were answered.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from projections.parameters import Marketing
from projections.times import DAY_MS
from streams.clock import Clock, keep_time, lacks_score_boundaries, unfinished_loads
from streams.loading import Progress
from streams.log import (
    Append,
    Log,
    LogUnavailable,
    OutcomeUnknown,
    Position,
    Producer,
    Record,
    TopicPartition,
)
from streams.membership import Commit
from streams.projected import Projected, ReadModel
from streams.settings import Settings
from streams.topics import CLOCK, LOADS
from streams.wanted import Wanted

logger = structlog.get_logger(__name__)

GROUP = "headwater-clock"
ASKED, ANSWERED = b"asked/", b"answered/"
CALIBRATE_EVERY_S = 60.0
RETRY_S = 1.0
READ_RECORDS = 1_000


class Request(msgspec.Struct, frozen=True):
    """What the holder is asked: other triggers, or boundaries to be computed now."""

    marketing: Marketing | None = None


class Answer(msgspec.Struct, frozen=True):
    """What was asked is in force; of boundaries, of so many customers, None where nobody has an order yet."""

    customers: int | None = None


class Holder:
    """The clock's duties, while we hold it."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        read_model: ReadModel,
        wanted: Wanted,
    ) -> None:
        self._settings = settings
        self._log = log
        self._read_model = read_model
        self._projected = Projected(settings, log, read_model)
        self._wanted = wanted
        self.holds = False
        self.trouble = ""

    async def hold(self, partitions: frozenset[TopicPartition], commit: Commit) -> None:  # noqa: ARG002
        """The work of streams.membership: until cancelled, keep the clock. Raises ProducerFenced."""
        logger.info("clock_held")
        self.holds = True
        try:
            while True:
                try:
                    await self._hold_once()
                except* (LogUnavailable, OutcomeUnknown) as errors:
                    self.trouble = "; ".join(map(str, errors.exceptions))
                    logger.error("clock_waits", reason=self.trouble)
                await asyncio.sleep(RETRY_S)
        finally:
            self.holds = False
            logger.info("clock_released")

    async def _hold_once(self) -> None:
        producer = await self._log.producer(GROUP)
        try:
            self.trouble = ""
            await _Duties(self, producer).do()
        finally:
            await producer.close()


class _Duties:
    """One producer's worth of holding the clock."""

    def __init__(self, holder: Holder, producer: Producer) -> None:
        self._holder = holder
        self._settings = holder._settings
        self._log = holder._log
        self._projected = holder._projected
        self._producer = producer
        self._transacting = asyncio.Lock()
        self._clock = Clock(
            self._log,
            self._projected.now_ms,
            self._projected.parameters,
            self._append,
            self._settings,
        )
        self._next: dict[TopicPartition, int] = {}
        self._asked: dict[bytes, Request] = {}  # without an answer
        self._tried_day = 0  # the last stream day that boundaries were computed for

    async def _append(self, batch: Sequence[Append]) -> Sequence[Position]:
        async with self._transacting:
            return await self._producer.transact(batch)

    async def do(self) -> None:
        """Tell what is to be told once, tick, and calibrate for ever."""
        await self._clock.set_currency(self._settings.currency)
        self._next = {(CLOCK, 0): 0, (LOADS, 0): (await self._log.end_offsets(LOADS))[0]}
        async with asyncio.TaskGroup() as duties:
            duties.create_task(self._tell())
            if self._settings.clock == "wall":
                duties.create_task(keep_time(self._clock, self._log, self._settings.tick_seconds))

    async def _tell(self) -> None:
        await self._caught_up()
        await self._clock.set(self._holder._wanted)
        while True:
            loaded = await self._hear()
            if loaded and self._settings.clock == "wall" and not await unfinished_loads(self._log):
                await self._clock.tick()
            await self._set_marketing()
            unranked = lacks_score_boundaries(self._projected.parameters())
            if self._asked or loaded or unranked or self._is_new_day():
                await self._calibrate()
            await self._log.wait(self._next, timeout_s=CALIBRATE_EVERY_S)

    async def _set_marketing(self) -> None:
        """Put in force the triggers that are asked for, one after the other."""
        for request, asked in list(self._asked.items()):
            if asked.marketing is not None:
                await self._caught_up()
                await self._clock.set_marketing(asked.marketing)
                answer = msgspec.json.encode(Answer())
                await self._append([Append(CLOCK, 0, ANSWERED + request, answer)])
                del self._asked[request]

    async def _calibrate(self) -> None:
        """New boundaries: where they are asked for, at the end of a load, and on each new stream day."""
        await self._caught_up()
        self._tried_day = self._projected.as_of_ms() // DAY_MS
        found = await self._clock.calibrate(self._holder._read_model, self._projected.as_of_ms())
        answer = msgspec.json.encode(Answer(None if found is None else found.customers))
        if self._asked:
            await self._append([Append(CLOCK, 0, ANSWERED + request, answer) for request in self._asked])
            self._asked.clear()

    async def _caught_up(self) -> None:
        self._holder.trouble = "the workers have records still to fold; wait"
        await self._projected.caught_up()
        self._holder.trouble = ""

    async def _hear(self) -> bool:
        """Take in what was asked and answered up to now; whether a load has ended."""
        for record in await self._read((CLOCK, 0)):
            key = record.key or b""
            if key.startswith(ASKED):
                asked = msgspec.json.decode(record.value or b"{}", type=Request)
                self._asked[key.removeprefix(ASKED)] = asked
            elif key.startswith(ANSWERED):
                self._asked.pop(key.removeprefix(ANSWERED), None)
        loads = [record.value for record in await self._read((LOADS, 0)) if record.value is not None]
        return any(msgspec.json.decode(value, type=Progress).done for value in loads)

    async def _read(self, place: TopicPartition) -> list[Record]:
        records: list[Record] = []
        while (chunk := await self._log.read(*place, self._next[place], READ_RECORDS)).records:
            records += chunk.records
            self._next[place] = chunk.end
        self._next[place] = chunk.end
        return records

    def _is_new_day(self) -> bool:
        in_force = [p.boundaries.as_of if p.boundaries else 0 for p in self._projected.parameters()]
        done_day = max(self._tried_day, min(in_force, default=0) // DAY_MS)
        return done_day < self._projected.as_of_ms() // DAY_MS


async def ask(log: Log, asked: Request, timeout_s: float) -> Answer:
    """Have the holder do something; raises LogUnavailable where no answer comes in time."""
    request = str(uuid.uuid4()).encode()
    (place,) = await log.append([Append(CLOCK, 0, ASKED + request, msgspec.json.encode(asked))])
    following: Mapping[TopicPartition, int] = {(CLOCK, 0): place.offset + 1}
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                chunk = await log.read(CLOCK, 0, following[CLOCK, 0], READ_RECORDS)
                for record in chunk.records:
                    if record.key == ANSWERED + request and record.value is not None:
                        return msgspec.json.decode(record.value, type=Answer)
                following = {(CLOCK, 0): chunk.end}
                await log.wait(following, timeout_s)
    except TimeoutError:
        raise LogUnavailable(
            f"Nobody who holds the clock answered in {timeout_s:.0f} s: see that `headwater tick` and "
            "the workers run."
        ) from None
