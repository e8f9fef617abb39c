"""How does time enter the log, and who tells the engine its parameters?

The holder of the clock appends, to every partition: ticks of the wall clock, the base currency at the first
start, lifecycle rules that differ from those in force, and the boundaries of RFM, scores and value. A
broadcast is one transaction: it reaches all partitions or none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from projections.parameters import (
    Boundaries,
    Marketing,
    Parameters,
    Rules,
    ScoreBoundaries,
    Scoring,
    Valuation,
)
from projections.scoring.questions import is_on_cadence
from projections.triggers.files import BadTriggers
from schemas.codec import encode
from schemas.events import (
    BaseCurrencySet,
    ClockTicked,
    EngineEvent,
    LifecycleRulesSet,
    RfmBoundariesSet,
    ScoreBoundariesSet,
    ScoringSet,
    TriggersSet,
)
from streams.loading import loads
from streams.log import Append, Log, LogUnavailable
from streams.outputs import output_id
from streams.receivers import check_receivers
from streams.settings import Settings
from streams.topics import CLOCK, CUSTOMERS, EVENTS
from streams.wanted import Wanted

logger = structlog.get_logger(__name__)

CURRENCY_KEY = b"currency"  # on headwater.clock: the base currency was told
ASKED_AT_MOST = 1_000


class BoundarySource(Protocol):
    """Where boundaries are computed from: the read model."""

    async def wait_for(self, topic: str, offsets: Sequence[int]) -> None:
        """Return once the changelog is read up to `offsets`, one a partition."""
        ...

    async def rfm_boundaries(self, as_of_ms: int) -> Boundaries | None:
        """The percentiles over customers with an order; None while there is none."""
        ...

    async def score_boundaries(self, as_of_ms: int) -> Mapping[str, ScoreBoundaries]:
        """The percentiles of each target's scores."""
        ...

    async def valuation(self, as_of_ms: int, discount_rate: float) -> Valuation | None:
        """What customers are expected to bring, and the tiers; None while too few have ordered."""
        ...


class Clock:
    """The holder of the clock of one log."""

    def __init__(
        self,
        log: Log,
        now_ms: Callable[[], int],
        parameters: Callable[[], Sequence[Parameters]],
        append: Callable[[Sequence[Append]], Awaitable[object]],
        settings: Settings,
    ) -> None:
        """`append` puts a broadcast on all partitions, or on none."""
        self._settings = settings
        self._log = log
        self._append = append
        self._now_ms = now_ms
        self._parameters = parameters

    async def set_currency(self, currency: str) -> None:
        """Tell the base currency, once in the life of the log."""
        asked = await self._log.read(CLOCK, 0, 0, ASKED_AT_MOST)
        if all(record.key != CURRENCY_KEY for record in asked.records):
            await self._broadcast(
                lambda id_, at: BaseCurrencySet(
                    event_id=id_, occurred_at=at, received_at=at, currency=currency
                ),
                "currency",
                range(self._log.partitions(EVENTS)),
                note=[Append(CLOCK, 0, CURRENCY_KEY, currency.encode())],
            )

    async def set(self, wanted: Wanted) -> None:
        """Tell the rules, what is predicted, and the triggers, where others are in force."""
        if wanted.rules is not None:
            await self._set_rules(wanted.rules)
        if wanted.scoring is not None:
            await self._set_scoring(*wanted.scoring)
        if wanted.marketing is not None and self._differs(wanted.marketing):
            try:
                await check_receivers(wanted.marketing, self._settings)
            except BadTriggers as error:
                logger.error("triggers_refused", reason=str(error), remedy="those in force stay as they are")
            else:
                await self.set_marketing(wanted.marketing)

    def _differs(self, marketing: Marketing) -> bool:
        return any(each.marketing != marketing for each in self._parameters())

    async def _set_rules(self, rules: Rules) -> None:
        stale = [p for p, parameters in enumerate(self._parameters()) if parameters.rules != rules]
        await self._set(LifecycleRulesSet, rules, f"rules {rules.version}", stale)

    async def _set_scoring(self, scoring: Scoring, was_said: bool) -> None:
        """Tell what is predicted: where nothing was told yet, or something else and somebody said it."""
        in_force = [parameters.scoring for parameters in self._parameters()]
        stale = [p for p, now in enumerate(in_force) if now != scoring and (was_said or now == Scoring())]
        await self._set(ScoringSet, scoring, f"scoring {scoring}", stale)

    async def set_marketing(self, marketing: Marketing) -> None:
        """Tell segments and triggers to every partition where others are in force."""
        stale = [p for p, each in enumerate(self._parameters()) if each.marketing != marketing]
        await self._set(TriggersSet, marketing, f"triggers {marketing.version}", stale)

    async def _set(
        self, kind: type[EngineEvent], value: msgspec.Struct, what: str, partitions: Sequence[int]
    ) -> None:
        """Tell the partitions what is in force, by an event that has the same fields."""
        fields = msgspec.structs.asdict(value)
        await self._broadcast(
            lambda id_, at: kind(event_id=id_, occurred_at=at, received_at=at, **fields), what, partitions
        )

    async def tick(self) -> None:
        """Let wall time reach every partition."""
        await self._broadcast(
            lambda id_, at: ClockTicked(event_id=id_, occurred_at=at, received_at=at),
            "tick",
            range(self._log.partitions(EVENTS)),
        )

    async def calibrate(self, source: BoundarySource, as_of_ms: int) -> Boundaries | None:
        """Compute boundaries from `source`, once it has all that is folded, and put them in force."""
        await source.wait_for(CUSTOMERS, await self._log.end_offsets(CUSTOMERS))
        boundaries = await source.rfm_boundaries(as_of_ms)
        if boundaries is not None:
            everywhere = range(self._log.partitions(EVENTS))
            await self._set(RfmBoundariesSet, boundaries, f"rfm {boundaries.as_of}", everywhere)
            logger.info("rfm_calibrated", as_of_ms=boundaries.as_of, customers=boundaries.customers)
        for target, scores in (await source.score_boundaries(as_of_ms)).items():
            await self._tell_boundaries(target, msgspec.structs.asdict(scores))
        valuation = await source.valuation(as_of_ms, self._settings.discount_rate)
        if valuation is not None:
            await self._tell_boundaries("value", _told(valuation))
        return boundaries

    async def _tell_boundaries(self, target: str, told: Mapping[str, Any]) -> None:
        await self._broadcast(
            lambda id_, at: ScoreBoundariesSet(
                event_id=id_, occurred_at=at, received_at=at, target=target, **told
            ),
            f"scores {target} {told['as_of']}",
            range(self._log.partitions(EVENTS)),
        )

    async def _broadcast(
        self,
        event: Callable[[str, int], EngineEvent],
        what: str,
        partitions: Sequence[int],
        note: Sequence[Append] = (),
    ) -> None:
        now_ms = self._now_ms()
        if partitions:
            told = [
                Append(EVENTS, p, None, encode(event(output_id(what, now_ms, p), now_ms))) for p in partitions
            ]
            await self._append([*told, *note])


def _told(valuation: Valuation) -> dict[str, Any]:
    told = msgspec.structs.asdict(valuation)
    buying, tiers = told.pop("buying"), told.pop("tiers")
    return {"percentiles": (), "bands": tiers, "coefficients": msgspec.structs.astuple(buying), **told}


def lacks_score_boundaries(parameters: Sequence[Parameters]) -> bool:
    """Whether a model scores customers on the calendar, and no boundaries of its scores are told."""
    return any(
        is_on_cadence(target) for each in parameters for target in each.models.keys() - each.scores.keys()
    )


async def unfinished_loads(log: Log) -> list[str]:
    """The loads that have rows to come: their events are older than now, so no tick may pass them."""
    return sorted(name for name, progress in (await loads(log)).items() if not progress.done)


async def keep_time(clock: Clock, log: Log, every_s: float) -> None:
    """Tick for ever, except while a load is unfinished."""
    waiting: list[str] = []
    while True:
        unfinished = await unfinished_loads(log)
        if unfinished and unfinished != waiting:
            logger.info(
                "clock_waits", loads=unfinished, remedy="run the same load again, or give it up (--give-up)"
            )
        waiting = unfinished
        if not unfinished:
            try:
                await clock.tick()
            except LogUnavailable as error:
                logger.error("tick_failed", reason=str(error))
        await asyncio.sleep(every_s)
