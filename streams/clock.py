"""How does time enter the log, and who tells the engine its parameters?

The holder of the clock appends, to every partition: ticks of the wall clock, the base currency at the first
start, lifecycle rules that differ from those in force, and RFM boundaries. A broadcast is one transaction: it
reaches all partitions or none.
"""

import asyncio
import hashlib
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, get_type_hints

import msgspec
import structlog

from projections.parameters import Boundaries, Parameters, Rules
from schemas.codec import encode
from schemas.events import BaseCurrencySet, ClockTicked, EngineEvent, LifecycleRulesSet, RfmBoundariesSet
from streams.loading import loads
from streams.log import Append, Log, LogUnavailable
from streams.outputs import output_id
from streams.settings import Settings
from streams.topics import CLOCK, CUSTOMERS, EVENTS

logger = structlog.get_logger(__name__)

MAX_DAYS = 36_500
CURRENCY_KEY = b"currency"  # on headwater.clock: the base currency was told
ASKED_AT_MOST = 1_000


class BadRules(Exception):
    """The lifecycle rules file cannot be used; the message says what to change."""


class BoundarySource(Protocol):
    """Where boundaries are computed from: the read model."""

    async def wait_for(self, topic: str, offsets: Sequence[int]) -> None:
        """Return once the changelog is read up to `offsets`, one a partition."""
        ...

    async def rfm_boundaries(self, as_of_ms: int) -> Boundaries | None:
        """The percentiles over customers with an order; None while there is none."""
        ...


def load_rules(settings: Settings) -> Rules | None:
    """The rules in the lifecycle.toml, whose version is the digest of its contents; None without the file.

    Raises BadRules, also where a file is named that is not there.
    """
    path = settings.lifecycle or settings.data_dir / "lifecycle.toml"
    if not path.exists():
        if settings.lifecycle is not None:
            raise BadRules(f"HEADWATER_LIFECYCLE names {path}, which is not there: write it, or unset it.")
        return None
    content = path.read_bytes()
    types = get_type_hints(Rules)
    try:
        given = tomllib.loads(content.decode())
        for name, value in given.items():
            if name not in types or name == "version":
                raise BadRules(f"{path}: {name!r} is no lifecycle rule: remove it or correct its name.")
            if type(value) is int and not 1 <= value <= MAX_DAYS:
                raise BadRules(f"{path}: {name} is {value}: give a whole number of days, 1 to {MAX_DAYS}.")
            msgspec.convert(value, types[name])
    except (ValueError, msgspec.ValidationError) as error:
        raise BadRules(f"{path}: {error}: correct the file.") from error
    rules = Rules(**given, version=hashlib.sha256(content).hexdigest()[:12])
    if not rules.active_days <= rules.at_risk_days <= rules.dormant_days:
        raise BadRules(f"{path}: active_days, at_risk_days and dormant_days must not fall: reorder them.")
    return rules


class Clock:
    """The holder of the clock of one log."""

    def __init__(
        self,
        log: Log,
        now_ms: Callable[[], int],
        parameters: Callable[[], Sequence[Parameters]],
        append: Callable[[Sequence[Append]], Awaitable[object]],
    ) -> None:
        """`append` puts a broadcast on all partitions, or on none."""
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

    async def set_rules(self, rules: Rules | None) -> None:
        """Tell `rules` to every partition where others are in force; None keeps what is in force."""
        if rules is None:
            return
        stale = [p for p, parameters in enumerate(self._parameters()) if parameters.rules != rules]
        await self._broadcast(
            lambda id_, at: LifecycleRulesSet(
                event_id=id_, occurred_at=at, received_at=at, **msgspec.structs.asdict(rules)
            ),
            f"rules {rules.version}",
            stale,
        )

    async def tick(self) -> None:
        """Let wall time reach every partition."""
        await self._broadcast(
            lambda id_, at: ClockTicked(event_id=id_, occurred_at=at, received_at=at),
            "tick",
            range(self._log.partitions(EVENTS)),
        )

    async def calibrate(self, source: BoundarySource, as_of_ms: int) -> Boundaries | None:
        """Compute RFM boundaries from `source`, once it has all that is folded, and put them in force."""
        await source.wait_for(CUSTOMERS, await self._log.end_offsets(CUSTOMERS))
        boundaries = await source.rfm_boundaries(as_of_ms)
        if boundaries is not None:
            await self._broadcast(
                lambda id_, at: RfmBoundariesSet(
                    event_id=id_, occurred_at=at, received_at=at, **msgspec.structs.asdict(boundaries)
                ),
                f"rfm {boundaries.as_of}",
                range(self._log.partitions(EVENTS)),
            )
            logger.info("rfm_calibrated", as_of_ms=boundaries.as_of, customers=boundaries.customers)
        return boundaries

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
