"""given customers who buy in a rhythm / when time passes / then they are scored by what was learned."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from projections.scoring import snapshots
from projections.scoring.models import Logistic
from projections.times import DAY_MS
from schemas.codec import decode
from schemas.events import Event, ExampleMatured, ModelJudged, ModelPublished, ModelSwitchedOff
from streams import learner as learning
from streams.learner import CHECKPOINT, Learner
from streams.log import Append, Log
from streams.sqlite_log import SqliteLog
from streams.topics import EXAMPLES, MODELS, topic_specs
from tests.integration.api_client import Api, api_over
from tests.unit.streams.partition import order

START_MS = 10_000 * DAY_MS
REGULARS, LAPSED = 20, 20
DAYS = 120
TARGETS = "order_30d,order_7d"


def histories() -> list[Event]:
    """Regulars order every 10 days or so for as long as we look; the lapsed stop after 40 days."""
    chance = random.Random(7)
    events: list[Event] = []
    for n in range(REGULARS + LAPSED):
        name, last = ("regular", DAYS) if n < REGULARS else ("lapsed", 40)
        day = chance.uniform(0, 10)
        while day < last:
            events.append(order(f"{name}-{n}", START_MS + int(day * DAY_MS)))
            day += chance.uniform(7, 13)
    return sorted(events, key=lambda event: event.occurred_at)


async def lived_through(api: Api, targets: int = 2) -> None:
    """The histories are folded, everything is learned, and everybody is scored by it."""
    events = histories()
    for start in range(0, len(events), 100):
        await api.services.engine.append_events(events[start : start + 100])
    await api.settled()
    await eventually(lambda: _in_force(api, targets))
    await api.settled()


async def _in_force(api: Api, targets: int) -> bool:
    """Whether the newest snapshots are, and everything is learned."""
    offsets: dict[str, int] = {}
    for record in (await api.services.log.read(MODELS, 0, 0, 100_000)).records:
        if isinstance(event := decode(record.value or b""), ModelPublished):
            offsets[event.target] = record.offset
    in_force = api.services.read_model.parameters().models
    told = {target: model.offset for target, model in in_force.items()}
    return len(told) == targets and told == offsets and not await api.learner.lag()


async def eventually(holds: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.05)


async def events_of(log: Log, topic: str) -> list[Event]:
    records = (await log.read(topic, 0, 0, 100_000)).records
    return [decode(record.value or b"") for record in records]


async def test_customers_are_scored_by_what_was_learned(tmp_path: Path) -> None:
    """With reasons, under the snapshot's name; lists are sorted and filtered by it."""
    async with api_over(tmp_path, targets=TARGETS) as api:
        await lived_through(api)
        regular, lapsed = await api.get("/customers/regular-1"), await api.get("/customers/lapsed-30")
        assert set(regular["scores"]) == set(lapsed["scores"]) == {"order_7d", "order_30d"}
        score = regular["scores"]["order_30d"]
        assert score["probability"] > 0.6 > 0.4 > lapsed["scores"]["order_30d"]["probability"]
        assert score["model"] == "logistic"
        assert len(score["reasons"]) == 3
        assert all(reason["words"] for reason in score["reasons"])

        page = await api.get("/customers", sort="-scores.order_30d", limit=REGULARS)
        shown = [item["scores"]["order_30d"]["probability"] for item in page["items"]]
        assert shown == sorted(shown, reverse=True)
        assert sum(item["customer_id"].startswith("regular") for item in page["items"]) >= REGULARS - 3
        rest = await api.get("/customers", sort="-scores.order_30d", limit=500, cursor=page["next_cursor"])
        assert len(page["items"]) + len(rest["items"]) == REGULARS + LAPSED
        likely = await api.get("/customers", **{"min_score.order_30d": 0.5, "limit": 500})
        assert {item["customer_id"] for item in likely["items"]} == {
            item["customer_id"]
            for item in page["items"] + rest["items"]
            if item["scores"]["order_30d"]["probability"] >= 0.5
        }
        for query in ({"sort": "scores.rain"}, {"min_score.rain": 0.5}, {"min_score.order_30d": 2}):
            assert (await api.get("/customers", 422, **query))["errors"]


async def test_another_champion_learns_from_all_examples_again(tmp_path: Path) -> None:
    """Scores are its own from then on, it says so, and a day of its history is there once."""
    async with api_over(tmp_path, targets="order_7d") as api:
        await lived_through(api, targets=1)
        first = (await api.get("/models/order_7d"))["history"]["logistic"]
    async with api_over(tmp_path, targets="order_7d", champion="cohorts") as api:
        await eventually(lambda: _champion(api, "cohorts"))
        end = START_MS + DAYS * DAY_MS
        await api.services.engine.append_events([order("regular-1", end), order("lapsed-30", end)])
        await api.settled()
        score = (await api.get("/customers/regular-1"))["scores"]["order_7d"]
        assert score["model"] == "cohorts"
        assert len(score["reasons"]) == 3
        one = await api.get("/models/order_7d")
        assert [model["model"] for model in one["models"] if model["is_champion"]] == ["cohorts"]
        assert [point["as_of"] for point in one["history"]["logistic"]] == [point["as_of"] for point in first]


async def _champion(api: Api, name: str) -> bool:
    in_force = api.services.read_model.parameters().models
    return bool(in_force) and {each.model for each in in_force.values()} == {name}


async def test_boundaries_rank_everybody_at_once(tmp_path: Path) -> None:
    """As soon as they are told, and each customer's place is read from them."""
    async with api_over(tmp_path, targets=TARGETS) as api:
        await lived_through(api)
        assert (await api.get("/customers/regular-1"))["scores"]["order_30d"]["percentile"] is None
        await api.services.engine.calibrate(api.services.read_model)
        await api.settled()
        page = await api.get("/customers", sort="-scores.order_30d", limit=500)
        scores = [item["scores"]["order_30d"] for item in page["items"]]
        assert scores[0]["band"] == "high"
        assert scores[-1]["band"] == "low"
        percentiles = [score["percentile"] for score in scores]
        assert percentiles == sorted(percentiles, reverse=True)
        assert (percentiles[0], percentiles[-1]) == (95, 0)


async def test_models_say_how_good_they_are(tmp_path: Path) -> None:
    async with api_over(tmp_path, targets=TARGETS) as api:
        await lived_through(api)
        listed = {each["target"]: each for each in (await api.get("/models"))["items"]}
        assert set(listed) == {"order_30d", "order_7d"}
        one = await api.get("/models/order_7d")
        assert {model["model"] for model in one["models"]} == {"logistic", "cohorts", "trees"}
        champion = one["models"][0]
        assert champion["is_champion"]
        assert champion["cumulative"]["roc_auc"] > 0.5
        judged = champion["cumulative"]["calibration"]
        assert sum(each["examples"] for each in judged) == champion["cumulative"]["examples"]
        assert len(one["history"]["logistic"]) > 30
        assert (await api.get("/models/rain", 404))["detail"]
        metrics = (await api.client.get("/metrics")).text
        assert 'headwater_model_quality{measure="roc_auc",model="logistic",target="order_7d"}' in metrics


async def test_a_replay_of_the_examples_gives_the_same_snapshots(tmp_path: Path) -> None:
    """To the byte, in another process's log; a restart publishes no day twice."""
    async with api_over(tmp_path / "first", targets=TARGETS) as api:
        await lived_through(api)
        examples = (await api.services.log.read(EXAMPLES, 0, 0, 100_000)).records
        published = [e for e in await events_of(api.services.log, MODELS) if isinstance(e, ModelPublished)]
    assert len(published) > 60
    log = await SqliteLog.open(tmp_path / "second.db", topic_specs(2))
    try:
        await log.append([Append(EXAMPLES, 0, record.key, record.value) for record in examples])
        for _ in range(2):
            await learned(log, tmp_path)
            again = [e for e in await events_of(log, MODELS) if isinstance(e, ModelPublished)]
            assert again == published
            (tmp_path / CHECKPOINT).unlink()
        told = await events_of(log, EXAMPLES)
        assert all(isinstance(each, ExampleMatured) for each in told)
    finally:
        await log.close()


async def learned(log: Log, path: Path, count: int | None = None) -> Learner:
    """Run a learner until it has learned everything, and stop it."""
    learner = Learner(log, log.append, path / CHECKPOINT)
    task = asyncio.create_task(learner.run())

    async def done() -> bool:
        return task.done() or not await learner.lag()

    await eventually(done)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return learner


async def test_a_recorded_score_is_what_its_snapshot_says(tmp_path: Path) -> None:
    """Every prediction that was kept, to the bit, recomputed from the snapshot that it names."""
    async with api_over(tmp_path, targets="order_7d") as api:
        await lived_through(api, targets=1)
        end = START_MS + DAYS * DAY_MS
        for n in range(4):
            await api.services.engine.append_events([order("regular-1", end + n * 7 * DAY_MS)])
            await api.settled()
        log = api.services.log
        examples = [e for e in await events_of(log, EXAMPLES) if isinstance(e, ExampleMatured)]
        kept = [each for each in examples if each.model_offset is not None]
        assert len(kept) > REGULARS
        for each in kept:
            (record,) = (await log.read(MODELS, 0, each.model_offset or 0, 1)).records
            published = decode(record.value or b"")
            assert isinstance(published, ModelPublished)
            scorer = snapshots.Scorer(published.model, published.snapshot)
            values = learning.features.unpacked(each.features)
            assert scorer.many([values]) == [each.probability]


async def test_a_repeated_example_is_learned_once(tmp_path: Path) -> None:
    async with api_over(tmp_path / "first", targets="order_7d") as api:
        await lived_through(api, targets=1)
        examples = (await api.services.log.read(EXAMPLES, 0, 0, 100_000)).records
    log = await SqliteLog.open(tmp_path / "second.db", topic_specs(2))
    try:
        await log.append([Append(EXAMPLES, 0, r.key, r.value) for r in examples for _ in range(2)])
        learner = await learned(log, tmp_path)
        assert learner.learned.targets["order_7d"].learned == len(examples)
    finally:
        await log.close()


async def test_a_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    """Half, a restart, and the other half give what the whole gives."""
    async with api_over(tmp_path / "first", targets="order_7d") as api:
        await lived_through(api, targets=1)
        examples = (await api.services.log.read(EXAMPLES, 0, 0, 100_000)).records
    half, whole = [await SqliteLog.open(tmp_path / name, topic_specs(2)) for name in ("half.db", "whole.db")]
    try:
        batch = [Append(EXAMPLES, 0, record.key, record.value) for record in examples]
        (tmp_path / "whole").mkdir()
        await whole.append(batch)
        await learned(whole, tmp_path / "whole")
        for part in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
            await half.append(part)
            await learned(half, tmp_path)
        assert await quality(half) == await quality(whole)
    finally:
        await half.close()
        await whole.close()


async def quality(log: Log) -> Sequence[Event]:
    return [e for e in await events_of(log, MODELS) if isinstance(e, ModelJudged | ModelPublished)]


class Failing(Logistic):
    """A model that raises at its hundredth lesson."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons = 0

    def learn_one(self, x: Any, y: bool) -> None:
        self.lessons += 1
        if self.lessons == 100:
            raise ValueError("no more lessons")
        super().learn_one(x, y)


async def test_a_shadow_that_fails_is_switched_off_and_a_champion_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are told on the log and counted; scores go on."""
    monkeypatch.setattr(learning, "MODELS", {"logistic": Failing, "shadow": Failing})
    async with api_over(tmp_path, targets="order_7d") as api:
        await lived_through(api, targets=1)
        told = [e for e in await events_of(api.services.log, MODELS) if isinstance(e, ModelSwitchedOff)]
        assert {(each.model, each.is_off) for each in told} >= {("logistic", False), ("shadow", True)}
        assert "no more lessons" in told[0].reason
        shadow = (await api.get("/models/order_7d"))["models"][1]
        assert (shadow["model"], shadow["is_off"]) == ("shadow", True)
        metrics = (await api.client.get("/metrics")).text
        assert 'headwater_model_failures{model="shadow",target="order_7d"} 1.0' in metrics
        assert (await api.get("/customers/regular-1"))["scores"]["order_7d"]["model"] == "logistic"
