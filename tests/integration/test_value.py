"""given customers who ordered / when boundaries are computed / then each has a value, and a tier."""

import random
from pathlib import Path
from typing import Any

import pytest

from projections.times import DAY_MS
from schemas.codec import decode
from schemas.events import Event, ScoreBoundariesSet
from streams.engine import forget_projections
from streams.topics import EVENTS
from tests.integration.api_client import Api, api_over
from tests.integration.engines import settings_for
from tests.unit.streams.partition import order

START_MS = 10_000 * DAY_MS
CUSTOMERS, DAYS = 150, 200


def histories() -> list[Event]:
    """Each orders at a pace of its own and may be lost after any order; one is seen only on the last day."""
    chance = random.Random(3)
    events: list[Event] = [order("fresh", START_MS + DAYS * DAY_MS)]
    for n in range(CUSTOMERS):
        gap, day = chance.uniform(5, 60), chance.uniform(0, 60)
        while day < DAYS:
            events.append(order(f"c-{n}", START_MS + int(day * DAY_MS)))
            if chance.random() < 0.15:
                break
            day += chance.expovariate(1 / gap)
    return sorted(events, key=lambda event: event.occurred_at)


async def loaded(api: Api) -> None:
    await api.services.engine.append_events(histories())
    await api.settled()


async def calibrated(api: Api) -> None:
    await api.services.engine.calibrate(api.services.read_model)
    await api.settled()


async def values(api: Api) -> dict[str, Any]:
    page = await api.get("/customers", limit=500)
    return {item["customer_id"]: item["value"] for item in page["items"]}


async def test_boundaries_give_every_customer_a_value(tmp_path: Path) -> None:
    """Null before; then the tiers are in the order of what is expected, and A brings 80 % of it."""
    async with api_over(tmp_path) as api:
        await loaded(api)
        before = (await api.get("/customers/fresh"))["value"]
        assert before == {"historic": "10.00", "expected_12_months": None, "tier": None, "currency": "USD"}
        await calibrated(api)
        seen = await values(api)
        ranked = sorted(seen.values(), key=lambda each: -float(each["expected_12_months"]))
        tiers = [each["tier"] for each in ranked]
        assert tiers == sorted(tiers)
        assert set(tiers) == {"A", "B", "C"}
        expected = [float(each["expected_12_months"]) for each in ranked]
        assert sum(expected[: tiers.count("A")]) / sum(expected) == pytest.approx(0.8, abs=0.02)
        one = await api.get("/customers/fresh")
        assert one["value"] == seen["fresh"]
        assert one["value"]["historic"] == one["orders"]["net"]


async def test_a_replay_gives_the_same_values(tmp_path: Path) -> None:
    """What they are computed from is an event on every partition."""
    async with api_over(tmp_path) as api:
        await loaded(api)
        await calibrated(api)
        first = await values(api)
        for partition in range(2):
            records = (await api.services.log.read(EVENTS, partition, 0, 100_000)).records
            told = [decode(record.value or b"") for record in records]
            (boundaries,) = [each for each in told if isinstance(each, ScoreBoundariesSet)]
            assert (boundaries.target, boundaries.currency, boundaries.customers) == ("value", "USD", 151)
    await forget_projections(settings_for(tmp_path))
    async with api_over(tmp_path) as api:
        await api.settled()
        assert await values(api) == first


async def test_a_value_may_be_discounted(tmp_path: Path) -> None:
    """By half a year of HEADWATER_DISCOUNT_RATE: 21 % a year are 10 %."""
    found = []
    for name, rate in (("plain", 0.0), ("discounted", 0.21)):
        async with api_over(tmp_path / name, discount_rate=rate) as api:
            await loaded(api)
            await calibrated(api)
            found.append(await values(api))
    plain, discounted = (float(each["fresh"]["expected_12_months"]) for each in found)
    assert abs(discounted - plain / 1.1) <= 0.011
