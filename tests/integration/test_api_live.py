"""Does /live tell each follower what changes, and lose nothing over a reconnection?"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from fastapi.sse import KEEPALIVE_COMMENT

from api import live
from api.problems import Problem
from tests.integration.api_client import Api, api_over, order


class Told(NamedTuple):
    event: str
    data: Any
    id: str


def parse(chunk: bytes) -> list[Told]:
    """The events of a chunk of SSE bytes."""
    told = []
    for block in chunk.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            told.append(Told(fields["event"], msgspec.json.decode(fields["data"]), fields.get("id", "")))
    return told


async def until(stream: AsyncIterator[bytes], event: str, count: int = 1) -> list[Told]:
    """What the stream tells until `count` of `event` have come."""
    told: list[Told] = []
    async with asyncio.timeout(20):
        while sum(each.event == event for each in told) < count:
            told += parse(await anext(stream))
    return told


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as api:
        yield api


async def test_a_follower_is_told_of_summaries_transitions_and_its_customer(api: Api) -> None:
    """First how things are, then each change, with the bodies of the other calls."""
    stream = api.services.live.follow("ada", None)
    [now] = parse(await anext(stream))
    assert (now.event, now.data["customers"]) == ("summary", 0)
    await api.post(order("ada"), order("bob"))
    told = await until(stream, "transition", 2)
    assert {each.data["customer_id"] for each in told if each.event == "transition"} == {"ada", "bob"}
    told += [] if any(each.event == "customer" for each in told) else await until(stream, "customer")
    assert [each.data for each in told if each.event == "customer"][-1] == await api.get("/customers/ada")
    assert [each.data for each in told if each.event == "summary"][-1] == await api.get("/summary")
    await stream.aclose()  # type: ignore[attr-defined]
    assert api.services.live.followers == 0


async def test_last_event_id_resumes_where_the_follower_was(api: Api) -> None:
    """Nothing is told twice and nothing is left out, whatever happened in between."""
    first = api.services.live.follow(None, None)
    await anext(first)
    await api.post(*(order(f"a{n}") for n in range(10)))
    seen = [each for each in await until(first, "transition", 10) if each.event == "transition"]
    await first.aclose()  # type: ignore[attr-defined]
    await api.post(*(order(f"b{n}") for n in range(10)))
    everyone = {f"{letter}{n}" for letter in "ab" for n in range(10)}
    for place, each in enumerate(seen):
        again = api.services.live.follow(None, each.id)
        await anext(again)
        missed = await until(again, "transition", 19 - place)
        await again.aclose()  # type: ignore[attr-defined]
        told = [*seen[: place + 1], *(one for one in missed if one.event == "transition")]
        assert len(told) == 20
        assert {one.data["customer_id"] for one in told} == everyone


async def test_the_first_event_has_a_place_to_resume_from(api: Api) -> None:
    """A follower that was cut off before any transition misses none either."""
    stream = api.services.live.follow(None, None)
    [now] = parse(await anext(stream))
    await stream.aclose()  # type: ignore[attr-defined]
    await api.post(order("a"))
    again = api.services.live.follow(None, now.id)
    assert (await until(again, "transition"))[-1].data["customer_id"] == "a"
    await again.aclose()  # type: ignore[attr-defined]


async def test_places_of_another_log_begin_now(api: Api) -> None:
    """A page that stayed open over a new data directory is served, not refused."""
    await api.post(order("a"))
    for place in ("7", "9999.9999", "1.2.3"):
        stream = api.services.live.follow(None, place)
        assert [each.event for each in parse(await anext(stream))] == ["summary"]
        await stream.aclose()  # type: ignore[attr-defined]
    with pytest.raises(Problem, match="leave it out"):
        api.services.live.follow(None, "yesterday")


async def test_a_silent_stream_has_a_heartbeat(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment, so that proxies keep the connection and followers know that it lives."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    stream = api.services.live.follow(None, None)
    await anext(stream)
    async with asyncio.timeout(20):
        while await anext(stream) != KEEPALIVE_COMMENT:
            pass
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_follower_that_falls_behind_is_cut_off_and_resumes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its buffer is bounded, and what did not fit is on the log."""
    monkeypatch.setattr(live, "BUFFER_BYTES", 600)
    slow = api.services.live.follow(None, None)
    told = parse(await anext(slow))
    await api.post(*(order(f"a{n}") for n in range(10)))
    told += [each async for chunk in slow for each in parse(chunk)]
    monkeypatch.undo()
    again = api.services.live.follow(None, [each.id for each in told if each.id][-1])
    seen = sum(each.event == "transition" for each in told)
    assert seen < 10
    await until(again, "transition", 10 - seen)
    await again.aclose()  # type: ignore[attr-defined]


async def test_followers_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than fit is a 503, and a place is free again when one leaves."""
    monkeypatch.setattr(live, "FOLLOWERS", 1)
    stream = api.services.live.follow(None, None)
    await anext(stream)
    with pytest.raises(Problem) as refused:
        api.services.live.follow(None, None)
    assert refused.value.status == 503
    await stream.aclose()  # type: ignore[attr-defined]
    api.services.live.follow(None, None)


async def test_close_ends_every_stream(api: Api) -> None:
    """A server that stops must not wait for its followers; over HTTP the stream is server-sent events."""
    asking = asyncio.create_task(api.client.get("/live"))
    async with asyncio.timeout(20):
        while not api.services.live.followers:
            await asyncio.sleep(0.01)
        api.services.live.close()
        answer = await asking
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert parse(answer.content)[0].event == "summary"
