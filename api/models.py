"""What do the models say of a customer and why, and how good are they? headwater.models, kept in memory."""

import asyncio
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import structlog

from api.lists import Found
from history.predictions import Prediction, order_of
from projections import customer
from projections.compact import hash64
from projections.parameters import Parameters
from projections.scoring import bands, features, questions, snapshots
from projections.scoring.models import Model
from projections.scoring.reasons import reasons
from projections.scoring.snapshots import OtherFeatures, Scorer
from projections.scoring.targets import TARGETS
from projections.times import rfc3339
from schemas.codec import Undecodable, decode
from schemas.events import CampaignSent, ModelJudged, ModelPublished, ModelSwitchedOff
from streams.log import Log, LogUnavailable
from streams.models import snapshot
from streams.rows import CustomerRow, Score
from streams.topics import EVENTS, MODELS

logger = structlog.get_logger(__name__)

READ_RECORDS = 1_000
RETRY_S = 1.0
SNAPSHOTS_KEPT = 1_000  # some kB each
LOADED_KEPT = 32
DRIFTS_SHOWN = 20
MEASURES = ("base_rate", "roc_auc", "average_precision", "log_loss", "brier", "ece", "lift")


def open_prediction(
    row: CustomerRow, partition: int, target: str, about: str, before_ms: int
) -> Prediction | None:
    """The last question of the target (about that, or "": anything) before the moment that is still open."""
    found = [
        Prediction(
            question.target,
            str(question.subject) if question.subject else "",
            moment.asked_at,
            question.until,
            features.VERSION,
            moment.features,
            question.probability,
            question.model_offset,
            None,
            partition,
            moment.offset,
        )
        for moment in questions.decode(row.scored.open)
        for question in moment.open
        if question.target == target and moment.asked_at < before_ms and about in ("", str(question.subject))
    ]
    return max(found, key=order_of, default=None)


class Point(NamedTuple):
    """A day of a model's history: how well it ranked the last 90 days' examples."""

    examples: int
    roc_auc: float | None


class Models:
    """The published models and their quality; `run` follows the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._offset = 0
        self._snapshots: OrderedDict[int, ModelPublished] = OrderedDict()
        self._loaded: OrderedDict[int, Model | None] = OrderedDict()
        self._judged: dict[str, dict[str, dict[str, ModelJudged]]] = defaultdict(lambda: defaultdict(dict))
        self._history: dict[tuple[str, str], dict[int, Point]] = defaultdict(dict)  # by day
        self._drifts: dict[str, deque[tuple[int, tuple[str, ...]]]] = defaultdict(
            lambda: deque(maxlen=DRIFTS_SHOWN)
        )
        self.trouble = ""  # why no newer model can be read at the moment
        self.drift_count: Counter[str] = Counter()  # by target
        self.failures: Counter[tuple[str, str]] = Counter()  # (target, model): how often it failed

    async def run(self) -> None:
        """Follow headwater.models for ever."""
        while True:
            try:
                chunk = await self._log.read(MODELS, 0, self._offset, READ_RECORDS)
                for record in chunk.records:
                    self._take(record.offset, record.value)
                self._offset = chunk.end
                if not chunk.records:
                    await self._log.wait({(MODELS, 0): self._offset}, timeout_s=60.0)
                self.trouble = ""
            except LogUnavailable as error:
                self.trouble = f"the models cannot be read: {error}"
                logger.error("models_wait", reason=self.trouble)
                await asyncio.sleep(RETRY_S)

    def _take(self, offset: int, value: bytes | None) -> None:
        try:
            event = decode(value or b"")
        except Undecodable as error:
            logger.warning("model_undecodable", offset=offset, reason=str(error))
            return
        if isinstance(event, ModelPublished):
            self._keep(offset, event)
        elif isinstance(event, ModelJudged):
            self._judged[event.target][event.model][event.window] = event
            if event.drifted and (event.as_of, event.drifted) not in self._drifts[event.target]:
                self._drifts[event.target].append((event.as_of, event.drifted))
                self.drift_count[event.target] += len(event.drifted)
            if event.window == "rolling":
                point = Point(event.examples, event.roc_auc)
                self._history[event.target, event.model][event.as_of] = point
        elif isinstance(event, ModelSwitchedOff):
            self.failures[event.target, event.model] += 1

    # A customer's scores

    async def have(self, customers: Iterable[Found]) -> None:
        """Read the snapshots that scored them: a row may be ahead of `run`, or behind what is kept."""
        offsets = {score.model_offset for each in customers for score in each.row.scored.scores.values()}
        try:
            for offset in offsets - self._snapshots.keys():
                await self._published(offset)
        except LogUnavailable as error:
            logger.error("models_wait", reason=str(error))

    def scores(self, found: Found) -> dict[str, Any]:
        """As API.md has them, by target; `have` comes first."""
        kept = found.row.scored.scores
        if not kept:
            return {}
        state = customer.unpack(found.row.state)
        parameters = found.partition.parameters
        return {name: self._score(name, score, state, parameters) for name, score in sorted(kept.items())}

    def _score(
        self, name: str, score: Score, state: customer.Customer, parameters: Parameters
    ) -> dict[str, Any]:
        published = self._snapshots.get(score.model_offset)
        return {
            "probability": score.probability,
            "band": score.band,
            "percentile": bands.percentile(score.probability, parameters.scores.get(name)),
            "model": None if published is None else published.model,
            "version": None if published is None else version(published.as_of, score.model_offset),
            "scored_at": rfc3339(score.scored_at),
            "reasons": self._reasons(score, state),
        }

    def _reasons(self, score: Score, state: customer.Customer) -> list[dict[str, Any]]:
        model = self._model(score.model_offset)
        if model is None:
            return []
        known = features.of(state, score.scored_at)
        return [each._asdict() for each in reasons(model, known)]

    def _model(self, offset: int) -> Model | None:
        """The model of a snapshot; None where it is of other features, or long gone."""
        if offset not in self._loaded:
            published = self._snapshots.get(offset)
            if published is None:
                return None
            try:
                self._loaded[offset] = snapshots.load(published.model, published.snapshot)
            except OtherFeatures:
                self._loaded[offset] = None
            if len(self._loaded) > LOADED_KEPT:
                self._loaded.popitem(last=False)
        return self._loaded[offset]

    # What was predicted before

    async def explained(self, prediction: Prediction) -> dict[str, Any]:
        """A question as it was asked, with why, and whether its snapshot still says the same, to the bit."""
        body: dict[str, Any] = {
            "target": prediction.target,
            "campaign": await self._campaign(prediction),
            "asked_at": rfc3339(prediction.asked_at),
            "ends_at": rfc3339(prediction.ends_at),
            "happened": prediction.label,
            "probability": prediction.probability,
            "model": None,
            "version": None,
            "is_reproduced": None,
            "partition": prediction.asked_partition,
            "offset": prediction.asked_offset,
            "features": {},
            "reasons": [],
        }
        if prediction.features_version != features.VERSION:
            return body
        known = features.unpacked(prediction.features)
        body["features"] = dict(features.present(known))
        if prediction.model_offset is None:
            return body
        published = await self._published(prediction.model_offset)
        if published is not None:
            model = snapshots.load(published.model, published.snapshot)
            body["model"] = published.model
            body["version"] = version(published.as_of, prediction.model_offset)
            scorer = Scorer(published.model, published.snapshot)
            body["is_reproduced"] = scorer.many([known]) == [prediction.probability]
            body["reasons"] = [each._asdict() for each in reasons(model, known)]
        return body

    async def _campaign(self, prediction: Prediction) -> str | None:
        """The campaign that was asked about, which the record that asked names: a question has its hash."""
        if not prediction.about:
            return None
        chunk = await self._log.read(EVENTS, prediction.asked_partition, prediction.asked_offset, 1)
        for record in chunk.records:
            event = decode(record.value or b"")
            if isinstance(event, CampaignSent) and str(hash64(event.campaign_id)) == prediction.about:
                return event.campaign_id
        return None

    async def _published(self, offset: int) -> ModelPublished | None:
        if offset not in self._snapshots:
            chunk = await self._log.read(MODELS, 0, offset, 1)
            if (found := snapshot(chunk.records[0]) if chunk.records else None) is None:
                return None
            self._keep(offset, found)
        return self._snapshots[offset]

    def _keep(self, offset: int, published: ModelPublished) -> None:
        self._snapshots[offset] = published
        if len(self._snapshots) > SNAPSHOTS_KEPT:
            self._snapshots.popitem(last=False)

    # How good the models are

    def listed(self, parameters: Parameters) -> list[dict[str, Any]]:
        """Every target that is predicted, or was, with its models."""
        names = {*parameters.scoring.targets, *self._judged} & TARGETS.keys()
        return [self.target(name, parameters) for name in sorted(names)]

    def measures(self) -> Iterator[tuple[str, str, str, float]]:
        """(target, model, measure, value) of the last 90 days, for those that are known."""
        for target, models in self._judged.items():
            for model, windows in models.items():
                for measure in MEASURES:
                    if (value := getattr(windows["rolling"], measure)) is not None:
                        yield target, model, measure, value

    def target(self, name: str, parameters: Parameters) -> dict[str, Any]:
        target, in_force = TARGETS[name], parameters.models.get(name)
        return {
            "target": name,
            "meaning": target.meaning,
            "horizon_days": target.horizon_days,
            "is_predicted": name in parameters.scoring.targets,
            "in_force": None
            if in_force is None
            else {
                "model": in_force.model,
                "version": version(in_force.upto, in_force.offset),
                "as_of": rfc3339(in_force.upto),
            },
            "drift": [
                {"as_of": rfc3339(as_of), "what": list(names)}
                for as_of, names in reversed(self._drifts[name])
            ],
            "models": [
                {
                    "model": model,
                    "is_champion": windows["cumulative"].is_champion,
                    "is_off": windows["cumulative"].is_off,
                    **{window: _quality(judged) for window, judged in sorted(windows.items())},
                }
                for model, windows in sorted(
                    self._judged[name].items(), key=lambda each: not each[1]["cumulative"].is_champion
                )
            ],
        }

    def history(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """How well each model ranked, a point a stream day."""
        return {
            model: [
                {"as_of": rfc3339(as_of), "examples": point.examples, "roc_auc": point.roc_auc}
                for as_of, point in sorted(points.items())
            ]
            for (target, model), points in sorted(self._history.items())
            if target == name
        }


def version(as_of: int, offset: int) -> str:
    """A snapshot's name: the day up to which it had learned, and its offset in headwater.models."""
    return f"{rfc3339(as_of)[:10]}.{offset}"


def _quality(judged: ModelJudged) -> dict[str, Any]:
    fields = msgspec.structs.asdict(judged)
    return {
        "as_of": rfc3339(judged.as_of),
        "examples": judged.examples,
        **{name: fields[name] for name in MEASURES},
        "calibration": [
            {"examples": number, "predicted": predicted, "actual": actual}
            for number, predicted, actual in zip(
                judged.calibration_counts,
                judged.calibration_predicted,
                judged.calibration_actual,
                strict=True,
            )
        ],
    }
