"""Do loads over HTTP, and what else appends, answer as a client can act on?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streams.log import LogUnavailable
from tests.integration.api_client import Api, api_over, order

DISK_FULL = "The log cannot be written (disk full): free disk space."


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as api:
        yield api


async def load(api: Api, *, rows: int, first_row: int = 0) -> Any:
    """Append one event of a load of `rows`."""
    chunk = {"digest": "0" * 64, "rows": rows, "first_row": first_row, "events": [order(f"c{first_row}")]}
    return await api.client.post("/loads/a%2Fb", json=chunk)


async def unavailable(*_: object) -> None:
    raise LogUnavailable(DISK_FULL)


def refused(answer: Any) -> str:
    """What a 503 tells to do."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


async def test_a_load_goes_on_until_it_is_done(api: Api) -> None:
    """Each chunk says how far it is, and its events count as accepted."""
    assert (await load(api, rows=2)).json() | {"digest": ""} == {
        "digest": "",
        "rows": 2,
        "row": 1,
        "done": False,
    }
    assert (await load(api, rows=2, first_row=1)).json()["done"]
    assert "headwater_events_accepted_total 2.0" in (await api.client.get("/metrics")).text


async def send(api: Api, name: str, digest: str, events: int, **more: object) -> Any:
    chunk = {"digest": digest * 64, "rows": 2, "first_row": 0, "events": [order("c")] * events}
    return await api.client.post(f"/loads/{name}", json=chunk | more)


async def test_a_load_is_begun_without_events(api: Api) -> None:
    """It says where to go on, and a wall clock waits for it from then on; nothing counts as accepted."""
    assert (await send(api, "x", "a", 0)).json()["row"] == 0
    assert await api.get("/loads/x") == {"digest": "a" * 64, "rows": 2, "row": 0, "done": False}
    assert "headwater_events_accepted_total 0.0" in (await api.client.get("/metrics")).text


async def test_a_source_that_grew_goes_on(api: Api) -> None:
    """With the digest of the rows that were known; without it, or with another one, 409."""
    await send(api, "x", "a", 2)
    grown = {"rows": 3, "first_row": 2}
    for more in ({}, {"digest_before": "c" * 64}):
        refused = await send(api, "x", "b", 1, **grown, **more)
        assert (refused.status_code, "from other rows" in refused.text) == (409, True)
    told = (await send(api, "x", "b", 1, **grown, digest_before="a" * 64)).json()
    assert told == {"digest": "b" * 64, "rows": 3, "row": 3, "done": True}


async def test_the_same_rows_under_another_name_are_a_conflict(api: Api) -> None:
    """409 naming the load that has them, unless they are to be loaded again."""
    await send(api, "x", "a", 2)
    refused = await send(api, "y", "a", 2)
    assert (refused.status_code, "as 'x' already" in refused.json()["detail"]) == (409, True)
    assert (await send(api, "y", "a", 2, again=True)).json()["done"]


async def test_a_load_is_given_up(api: Api) -> None:
    """It is done where it is; giving it up again changes nothing."""
    await load(api, rows=2)
    for _ in range(2):
        told = (await api.client.delete("/loads/a%2Fb")).json()
        assert (told["row"], told["rows"], told["done"]) == (1, 2, True)
    assert await api.get("/loads/a%2Fb") == told


async def test_a_load_that_never_was_is_not_given_up(api: Api) -> None:
    """404, naming it."""
    assert "'a/b'" in (await api.get("/loads/a%2Fb", 404))["detail"]
    assert (await api.client.delete("/loads/a%2Fb")).status_code == 404


async def test_a_log_that_cannot_be_written_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the log's reason and what to do, from each call that appends."""
    await api.post(order("a"))
    await load(api, rows=2)
    monkeypatch.setattr(api.services.engine, "calibrate", unavailable)
    monkeypatch.setattr(api.services.log, "producer", unavailable)
    for answer, remedy in (
        (await api.client.post("/rfm/calibrate", json={}), "Ask again."),
        (await load(api, rows=2, first_row=1), "Run the load again."),
        (await api.client.delete("/loads/a%2Fb"), "Give it up again."),
    ):
        assert DISK_FULL in refused(answer)
        assert refused(answer).endswith(remedy)


async def test_a_load_is_done_though_its_calibration_failed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are on the log, whatever becomes of the boundaries after them."""
    monkeypatch.setattr(api.services.engine, "calibrate", unavailable)
    api.client._transport.raise_app_exceptions = True  # type: ignore[attr-defined]
    assert (await load(api, rows=1)).json()["done"]
