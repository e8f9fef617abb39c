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
