"""Do the calls and commands say what is on its way, and try once more what was given up?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.codec import encode
from schemas.events import DeliveryRedriven
from streams.log import Append
from streams.topics import DECISIONS
from tests.integration.api_client import Api, api_over
from tests.integration.delivering import tell_rules, trigger
from tests.integration.engines import append, events
from tests.integration.test_delivery_queue import Subject, abandoned, attempted, decided
from tests.unit.streams.partition import order

SUBJECTS = [Subject(n) for n in range(8)]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Two messages of each of the triggers a to d, of which a's and b's first is parked, and c's refused."""
    async with api_over(tmp_path, partitions=1) as api:
        rules = "".join(trigger('file = "sink.jsonl"', name) for name in "abc")
        await tell_rules(api.services.log, rules)
        await append(api.services.log, [order("z", 5)])  # whose own messages are nobody's matter
        await api.settled()
        told = [
            *(decided(each) for each in SUBJECTS),
            *(attempted(each, 1, 1_000, 2_000) for each in SUBJECTS),
            *(abandoned(each, "parked", 10_000 * (each.number + 1)) for each in SUBJECTS[:2]),
            abandoned(SUBJECTS[2], "refused", 50_000),
        ]
        await api.services.log.append([Append(DECISIONS, 0, b"x", encode(each)) for each in told])
        await api.services.deliveries.caught_up()
        yield api


async def test_what_is_on_its_way_is_listed(api: Api) -> None:
    """By trigger, with its endpoint where it is in force, and how that does."""
    items = {each["trigger"]: each for each in (await api.get("/deliveries"))["items"]}
    assert list(items) == ["a", "b", "c", "d"]
    numbers = {name: (each["pending"], each["parked"], each["refused"]) for name, each in items.items()}
    assert numbers == {"a": (2, 1, 0), "b": (2, 1, 0), "c": (2, 0, 1), "d": (2, 0, 0)}
    assert items["d"]["endpoint"] is None


async def redriven(api: Api) -> list[str]:
    found = await events(api.services.log, DECISIONS)
    return [each.trigger for each in found if isinstance(each, DeliveryRedriven)]


@pytest.mark.parametrize(
    ("asked", "triggers"),
    [
        ({}, ["a", "b", "c"]),
        ({"trigger": "b"}, ["b"]),
        ({"trigger": "d"}, []),
        ({"since": "1970-01-01T00:00:20Z"}, ["b", "c"]),
    ],
)
async def test_what_was_given_up_is_redriven(api: Api, asked: dict[str, object], triggers: list[str]) -> None:
    """As asked, and once; a dry run only counts."""
    dry = await api.client.post("/deliveries/redrive", json=asked | {"dry_run": True})
    assert dry.json().pop("until") > "2026"
    assert dry.json() | {"until": ""} == {
        "messages": len(triggers),
        "more": False,
        "until": "",
        "dry_run": True,
    }
    assert await redriven(api) == []
    done = await api.client.post("/deliveries/redrive", json=asked)
    assert (done.json()["messages"], done.json()["more"]) == (len(triggers), False)
    assert await redriven(api) == triggers
    again = await api.client.post("/deliveries/redrive", json=asked)
    assert again.json()["messages"] == 0


@pytest.mark.parametrize(
    "asked", [{"since": "yesterday"}, {"trigger": 1}, {"triggers": "a"}, [], {"dry_run": "yes"}]
)
async def test_what_cannot_be_asked_is_refused(api: Api, asked: object) -> None:
    """With what to send instead."""
    answer = await api.client.post("/deliveries/redrive", json=asked)
    assert answer.status_code == 422
    assert answer.json()["detail"]


async def test_the_metrics_count_messages(api: Api) -> None:
    """By trigger and state."""
    text = (await api.client.get("/metrics")).text
    assert 'headwater_deliveries{state="parked",trigger="a"} 1.0' in text
    assert 'headwater_deliveries{state="pending",trigger="d"} 2.0' in text
