"""Who learns, and how does what was learned come into force? One process, from one topic, in its order.

Examples are judged and learned in the order of headwater.examples. At the first example of each stream day
the champion of its target is published to headwater.models: the same examples give the same snapshots, to
the byte. Then the newest of each target is put in force, by an event on every partition.

A crash leaves: examples that were learned since the checkpoint, which are learned again from there;
a snapshot that was published and is not in force, which is put in force at the start.
"""

import asyncio
import importlib.metadata
import os
import pickle
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from projections.scoring import features, snapshots
from projections.scoring.models import CHAMPION, MODELS
from projections.scoring.prequential import Example, Incident, Prequential
from projections.scoring.targets import TARGETS
from schemas.codec import Undecodable, decode, encode
from schemas.events import (
    EngineEvent,
    ExampleMatured,
    ModelInForce,
    ModelJudged,
    ModelPublished,
    ModelSwitchedOff,
)
from streams.log import Append, Log, LogUnavailable, OutcomeUnknown, Position, Record
from streams.models import snapshot
from streams.outputs import output_id
from streams.topics import EVENTS, EXAMPLES
from streams.topics import MODELS as SNAPSHOTS

logger = structlog.get_logger(__name__)

GROUP = "headwater-learner"
CHECKPOINT = "learned.pickle"
VERSION = 3  # of what a checkpoint has, and of how it is learned
READ_RECORDS = 1_000
SLICE = 20  # examples between two places to give way: some 3 ms
SEEN = 100_000  # examples of which a repeat is known
CHECKPOINT_EVERY_S = 60.0
IN_FORCE_EVERY_S = 600.0  # while there are examples to learn
RETRY_S = 1.0

Publish = Callable[[Sequence[Append]], Awaitable[Sequence[Position]]]


@dataclass
class Learned:
    """All that was learned from the examples before `offset`; what a checkpoint has."""

    version: tuple[object, ...]
    offset: int = 0
    targets: dict[str, Prequential] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)  # the latest ids, oldest first


async def _at_once() -> None:
    """Nothing comes first."""


class Learner:
    """Learns, publishes, and tells. `run` does it for ever; `trouble` says why nothing goes on."""

    def __init__(
        self,
        log: Log,
        publish: Publish,
        checkpoint: Path,
        turn: Callable[[], Awaitable[None]] = _at_once,
        champion: str = CHAMPION,
    ) -> None:
        """`publish` appends all or nothing, and is refused where a later learner runs.

        `turn` is waited for before each thousand examples, where something else comes first.
        """
        self._turn = turn
        self._log = log
        self._publish = publish
        self._path = checkpoint
        self._champion = champion
        self._published: dict[str, tuple[int, int]] = {}  # target: as of which moment, at which offset
        self._formerly: dict[str, int] = {}  # target: as of which moment is the newest of other champions
        self._told: dict[str, int] = {}  # target: offset of the snapshot that is in force
        self._unkept = 0  # examples since the checkpoint
        self._is_whole = True  # whether everything is told that follows from what is learned
        self.learned = Learned(_version(champion))
        self.trouble = ""

    async def run(self) -> None:
        """Raises ProducerFenced, and OutcomeUnknown."""
        while True:
            try:
                await self._resume()
                await self._learn()
            except LogUnavailable as error:
                self.trouble = str(error)
                logger.error("learner_waits", reason=self.trouble)
                await asyncio.sleep(RETRY_S)
            finally:
                self._keep()

    async def lag(self) -> int:
        """Examples that are not learned yet."""
        return (await self._log.end_offsets(EXAMPLES))[0] - self.learned.offset

    async def _resume(self) -> None:
        """Go on from the checkpoint, and put in force what was published last."""
        (end,) = await self._log.end_offsets(EXAMPLES)
        self._unkept, self._is_whole = 0, True
        self.learned = _kept(self._path, self._champion, end)
        self._published, self._formerly = {}, {}
        offset = 0
        while (chunk := await self._log.read(SNAPSHOTS, 0, offset, READ_RECORDS)).records:
            for record in chunk.records:
                found = snapshot(record)
                if found is not None and found.model == self._champion:
                    self._published[found.target] = found.as_of, record.offset
                elif found is not None:
                    self._formerly[found.target] = found.as_of
            offset = chunk.end
        await self._put_in_force()
        self.trouble = ""
        logger.info("learner_started", offset=self.learned.offset, examples=end)

    async def _learn(self) -> None:
        told_at = kept_at = time.monotonic()
        while True:
            await self._turn()
            chunk = await self._log.read(EXAMPLES, 0, self.learned.offset, READ_RECORDS)
            for start in range(0, len(chunk.records), SLICE):
                for record in chunk.records[start : start + SLICE]:
                    self._is_whole = False
                    await self._take(record)
                    self.learned.offset = record.offset + 1
                    self._is_whole = True
                await asyncio.sleep(0)
            self.learned.offset = chunk.end
            now = time.monotonic()
            if now - kept_at > CHECKPOINT_EVERY_S:
                self._keep()
                kept_at = now
            if not chunk.records or now - told_at > IN_FORCE_EVERY_S:
                await self._put_in_force()
                told_at = now
            if not chunk.records:
                await self._log.wait({(EXAMPLES, 0): self.learned.offset}, timeout_s=60.0)

    async def _take(self, record: Record) -> None:
        """Learn one example, and publish the models of the day that it ends."""
        event = _example(record)
        if event is None or event.event_id in self.learned.seen:
            return
        self.learned.seen[event.event_id] = None
        if len(self.learned.seen) > SEEN:
            del self.learned.seen[next(iter(self.learned.seen))]
        target = self.learned.targets.get(event.target)
        if target is None:
            target = self.learned.targets[event.target] = Prequential(MODELS, self._champion)
        before = target.kept_at
        values = features.unpacked(event.features)
        example = Example(event.customer_id, event.asked_at, event.ends_at, values, event.label)
        incidents = target.learn(example)
        self._unkept += 1
        if target.kept_at > before and target.kept is not None:
            await self._publish_snapshot(event.target, target)
        for incident in incidents:
            await self._tell(event, incident)

    async def _publish_snapshot(self, name: str, target: Prequential) -> None:
        """Once for each target and day: a restart comes by the same days again."""
        as_of, drifted = target.kept_at, target.take_drifted()
        if as_of <= self._published.get(name, (0, 0))[0]:
            return
        model: Any = target.kept
        published = ModelPublished(
            event_id=output_id("model", name, self._champion, as_of),
            occurred_at=as_of,
            received_at=as_of,
            target=name,
            model=self._champion,
            as_of=as_of,
            lessons=target.learned,
            snapshot=snapshots.dump(model),
        )
        judged = _judged(name, target, as_of, drifted)
        batch = [Append(SNAPSHOTS, 0, name.encode(), encode(event)) for event in (published, *judged)]
        place, *_ = await self._publish(batch)
        self._published[name] = as_of, place.offset

    async def _put_in_force(self) -> None:
        """Tell every partition of the newest snapshot of each target, all or none.

        While another champion learns from the beginning, the former one's stay in force.
        """
        partitions = range(self._log.partitions(EVENTS))
        newest = {
            target: place
            for target, place in self._published.items()
            if self._told.get(target) != place[1] and place[0] >= self._formerly.get(target, 0)
        }
        told = [
            Append(EVENTS, partition, None, encode(_in_force(target, self._champion, *place, partition)))
            for target, place in newest.items()
            for partition in partitions
        ]
        if told:
            await self._publish(told)
            self._told |= {target: offset for target, (_, offset) in newest.items()}
            logger.info("models_in_force", **{target: as_of for target, (as_of, _) in newest.items()})

    async def _tell(self, event: ExampleMatured, incident: Incident) -> None:
        """What went wrong with a model, on the log."""
        logger.error("model_failed", target=event.target, **incident._asdict())
        failed = ModelSwitchedOff(
            event_id=output_id("off", event.target, incident.model, event.event_id),
            occurred_at=event.ends_at,
            received_at=event.ends_at,
            target=event.target,
            model=incident.model,
            reason=incident.reason,
            is_off=incident.is_off,
        )
        await self._publish([Append(SNAPSHOTS, 0, event.target.encode(), encode(failed))])

    def _keep(self) -> None:
        """Write the checkpoint: it is this process's own, and can be deleted at any time.

        Not in the middle of an example, which may be learned and its snapshot not published.
        """
        if self._unkept and self._is_whole:
            partial = self._path.with_suffix(".partial")
            partial.write_bytes(pickle.dumps(self.learned))
            os.replace(partial, self._path)
            self._unkept = 0


def _judged(name: str, target: Prequential, as_of: int, drifted: tuple[str, ...]) -> Iterator[ModelJudged]:
    """How good each model of the target was, lately and at all."""
    for model, contestant in target.contestants.items():
        qualities = {"rolling": contestant.rolling(as_of), "cumulative": contestant.all_time.quality()}
        for window, quality in qualities.items():
            measures = quality._asdict()
            calibration = measures.pop("calibration")
            yield ModelJudged(
                event_id=output_id("judged", name, model, window, as_of, target.champion),
                occurred_at=as_of,
                received_at=as_of,
                target=name,
                model=model,
                as_of=as_of,
                window=window,
                is_champion=model == target.champion,
                is_off=contestant.is_off,
                calibration_counts=tuple(each.number for each in calibration),
                calibration_predicted=tuple(each.predicted for each in calibration),
                calibration_actual=tuple(each.actual for each in calibration),
                drifted=drifted if model == target.champion and window == "rolling" else (),
                **measures,
            )


async def learn(log: Log, data_dir: Path, champion: str, learning: Callable[[Learner], None]) -> None:
    """Learn from a log on Kafka until cancelled, and tell who does. Raises ProducerFenced.

    Where it is not known whether a transaction happened, a new producer decides it, and what is published and
    learned is looked up again.
    """
    while True:
        try:
            producer = await log.producer(GROUP)
            try:
                learner = Learner(log, producer.transact, data_dir / CHECKPOINT, champion=champion)
                learning(learner)
                await learner.run()
            finally:
                await producer.close()
        except (LogUnavailable, OutcomeUnknown) as error:
            logger.error("learner_waits", reason=str(error))
            await asyncio.sleep(RETRY_S)


def _in_force(target: str, model: str, as_of: int, offset: int, partition: int) -> EngineEvent:
    return ModelInForce(
        event_id=output_id("in force", target, model, offset, partition),
        occurred_at=as_of,
        received_at=as_of,
        target=target,
        model=model,
        as_of=as_of,
        model_offset=offset,
    )


def _example(record: Record) -> ExampleMatured | None:
    """The example that a record is; None where it is none of these targets and features."""
    try:
        event = decode(record.value or b"")
    except Undecodable as error:
        logger.warning("example_undecodable", offset=record.offset, reason=str(error))
        return None
    if not isinstance(event, ExampleMatured) or event.target not in TARGETS:
        return None
    return event if event.features_version == features.VERSION else None


def _version(champion: str) -> tuple[object, ...]:
    """What else made a checkpoint is not ours to go on from."""
    return VERSION, features.VERSION, importlib.metadata.version("river"), champion, tuple(MODELS)


def _kept(path: Path, champion: str, end: int) -> Learned:
    """The checkpoint, or nothing learned where there is none that fits."""
    new = Learned(_version(champion))
    if not path.exists():
        return new
    try:
        kept: Learned = pickle.loads(path.read_bytes())  # noqa: S301  # of our own data directory
    except Exception as error:  # noqa: BLE001  # of other code, or cut short: all of it can be learned again
        logger.warning("checkpoint_unreadable", path=str(path), reason=repr(error))
        return new
    return kept if kept.version == new.version and kept.offset <= end else new
