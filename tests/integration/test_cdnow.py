"""Does the whole sample, loaded, say what the raw file says, and does nothing interrupt that?"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from streams.loading import Progress, loads
from streams.log import Log
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, topic_specs
from tests.browser.harness import Server
from tests.cdnow import LAST_DAY, Expected, day_of, dollars, expected
from tests.headwater import headwater, start

KILLS = 10
LOAD = ("demo", "--original-dates", "--until-loaded", "--json", "--data-dir")


@pytest.fixture(scope="module")
def api(cdnow_loaded: tuple[Path, str]) -> Iterator[httpx2.Client]:
    """The API over the loaded sample, served by a later process."""
    server = Server(cdnow_loaded[0])
    try:
        server.start()
        with httpx2.Client(base_url=server.address, timeout=60) as client:
            yield client
    finally:
        server.stop()


@pytest.fixture(scope="module")
def cdnow() -> Expected:
    return expected()


def test_the_file_says_what_is_published(cdnow: Expected) -> None:
    """The numbers of the contract, so that the recomputation itself is held to something."""
    assert (cdnow.customers, cdnow.orders, cdnow.revenue) == (23_570, 69_659, "2500315.63")
    assert cdnow.stages == {
        "prospect": 0,
        "new": 0,
        "active": 2_393,
        "at_risk": 2_057,
        "dormant": 2_976,
        "churned": 15_220,
        "won_back": 924,
    }
    assert cdnow.boundaries == {
        "r": [141, 432, 485, 512],
        "f": [1, 1, 2, 4],
        "m": ["15.36", "31.35", "59.92", "133.95"],
    }


def test_the_command_prints_the_summary_and_nothing_else(
    cdnow_loaded: tuple[Path, str], cdnow: Expected
) -> None:
    """Standard output is one JSON object, with the file's numbers."""
    summary = json.loads(cdnow_loaded[1])
    assert_summary(summary, cdnow)
    assert summary["as_of"] == "1998-06-30T00:00:00Z"


def test_the_summary_says_what_the_file_says(api: httpx2.Client, cdnow: Expected) -> None:
    """GET /summary, after a restart."""
    assert_summary(api.get("/summary").json(), cdnow)


def test_the_customers_say_what_the_file_says(api: httpx2.Client, cdnow: Expected) -> None:
    """GET /customers, every page, customer by customer."""
    found = {customer["customer_id"]: customer for customer in every_customer(api)}
    assert len(found) == cdnow.customers
    assert Counter(each["lifecycle"]["stage"] for each in found.values()) == Counter(cdnow.stages)
    assert str(sum(Decimal(each["orders"]["net"]) for each in found.values())) == cdnow.revenue
    differing = {
        name: each
        for name, each in found.items()
        if (
            each["orders"]["count"],
            each["orders"]["net"],
            each["orders"]["last_at"][:10],
            each["lifecycle"]["stage"],
        )
        != (
            (wanted := cdnow.by_customer[name]).orders,
            dollars(wanted.net_minor),
            wanted.last_on,
            wanted.stage,
        )
    }
    assert not differing


def test_sql_over_the_history_says_what_the_file_says(api: httpx2.Client, cdnow: Expected) -> None:
    """POST /sql: counts, revenue, stages, each customer's orders, and the boundaries in force."""
    [[orders, customers, revenue]] = rows(
        api, "select count(), uniqExact(customer_id), sum(net_minor) from orders where currency = 'USD'"
    )
    assert (int(orders), int(customers), dollars(int(revenue))) == (
        cdnow.orders,
        cdnow.customers,
        cdnow.revenue,
    )
    stages = {stage: int(n) for stage, n in rows(api, "select stage, count() from stages group by stage")}
    assert stages == {stage: n for stage, n in cdnow.stages.items() if n}
    each = rows(
        api,
        "select o.customer_id, count(), sum(net_minor), toDate(max(placed_at)), any(stage) "
        "from orders as o join stages as s on o.customer_id = s.customer_id group by o.customer_id",
    )
    assert {name: (int(n), int(net), last, stage) for name, n, net, last, stage in each} == {
        name: (c.orders, c.net_minor, c.last_on, c.stage) for name, c in cdnow.by_customer.items()
    }
    [[r, f, m]] = rows(api, "select r, f, m_minor from RfmBoundariesSet order by occurred_at desc limit 1")
    boundaries = {"r": list(map(int, r)), "f": list(map(int, f)), "m": [dollars(int(minor)) for minor in m]}
    assert boundaries == cdnow.boundaries


@pytest.mark.parametrize("customer_id", ["00004", "14048"])
def test_one_customer_says_what_the_file_says(api: httpx2.Client, cdnow: Expected, customer_id: str) -> None:
    """GET /customers/{id} of the two that the contract names."""
    found, wanted = api.get(f"/customers/{customer_id}").json(), cdnow.by_customer[customer_id]
    assert found["orders"]["count"] == wanted.orders
    assert found["orders"]["net"] == dollars(wanted.net_minor)
    assert found["orders"]["last_at"] == f"{wanted.last_on}T00:00:00Z"
    assert found["lifecycle"]["stage"] == wanted.stage


def test_the_named_customers_are_as_published(api: httpx2.Client, cdnow: Expected) -> None:
    """00004: 4 orders, 100.50, dormant; 14048: 217 orders, 8,976.33, active, all scores 5."""
    first, best = cdnow.by_customer["00004"], cdnow.by_customer["14048"]
    assert (first.orders, first.net_minor, first.last_on, first.stage) == (4, 100_50, "1997-12-12", "dormant")
    assert (best.orders, best.net_minor, best.stage) == (217, 8_976_33, "active")
    assert [api.get("/customers/14048").json()["rfm"][score] for score in "rfm"] == [5, 5, 5]


def test_the_boundaries_in_force_are_the_percentiles(api: httpx2.Client, cdnow: Expected) -> None:
    """GET /rfm: the inverted CDF over customers with an order."""
    boundaries = api.get("/rfm").json()["boundaries"]
    assert {score: boundaries[score] for score in "rfm"} == cdnow.boundaries


async def test_a_second_load_appends_nothing(cdnow_copy: Path, cdnow: Expected) -> None:
    """Running the same command again finds the load done and leaves the log as it was."""
    before = await ends(cdnow_copy)
    out, _ = headwater(*LOAD, cdnow_copy)
    assert await ends(cdnow_copy) == before
    assert_summary(json.loads(out), cdnow)


async def test_kills_at_random_moments_of_the_load_change_nothing(tmp_path: Path, cdnow: Expected) -> None:
    """kill -9 ten times, each start going on where the last one was; then the same totals."""
    data_dir = tmp_path / "data"
    reached = []
    for _ in range(KILLS):
        process = start(*LOAD, data_dir)
        assert process.stderr is not None
        for line in process.stderr:
            if "load_started" in line:
                break
        await asyncio.sleep(random.uniform(0, 3))  # the moment of the kill, not a wait
        process.kill()
        process.communicate()
        reached.append((await progress(data_dir)).row)
    assert any(0 < row < cdnow.orders for row in reached), f"no kill fell into the load: {reached}"
    assert reached == sorted(reached)
    out, _ = headwater(*LOAD, data_dir)
    assert_summary(json.loads(out), cdnow)
    assert "BAD" not in headwater("doctor", "--data-dir", data_dir)[0]


def test_on_the_wall_clock_the_last_day_is_the_day_of_loading(tmp_path: Path) -> None:
    """The demo shifts the file by whole days; its numbers are the file's, seen that many days later."""
    data_dir = tmp_path / "data"
    out, _ = headwater("demo", "--until-loaded", "--json", "--data-dir", data_dir)
    summary, fixed = json.loads(out), json.loads((data_dir / "engine.json").read_bytes())
    assert fixed["clock"] == "wall"
    assert fixed["created_at"][:10] == f"{LAST_DAY + timedelta(days=fixed['shift_days']):%Y-%m-%d}"
    assert_summary(summary, expected(day_of(summary["as_of"], fixed["shift_days"])))
    told = headwater(
        "sql",
        "-f",
        "csv",
        "--data-dir",
        data_dir,
        "select late, count() > 23570 from transitions group by late",
    )
    assert told[0].splitlines()[1:] == ["False,1"], "the past's transitions happened at their own moments"


def assert_summary(summary: dict[str, Any], cdnow: Expected) -> None:
    assert summary["customers"] == cdnow.customers
    assert summary["orders"] == summary["events"] == cdnow.orders
    assert summary["revenue"] == {"amount": cdnow.revenue, "currency": "USD"}
    assert summary["stages"] == cdnow.stages


def every_customer(api: httpx2.Client) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/customers", params={"limit": "500", **cursor}).json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def rows(api: httpx2.Client, query: str) -> list[list[Any]]:
    answer = api.post("/sql", json={"query": query, "max_rows": 100_000})
    assert answer.status_code == 200, answer.text
    assert not answer.json()["truncated"]
    found: list[list[Any]] = answer.json()["rows"]
    return found


async def opened(data_dir: Path) -> Log:
    return await SqliteLog.open(data_dir / "log.db", topic_specs(1))


async def ends(data_dir: Path) -> list[int]:
    log = await opened(data_dir)
    try:
        return list(await log.end_offsets(EVENTS))
    finally:
        await log.close()


async def progress(data_dir: Path) -> Progress:
    """How far the load is; before its first batch, nowhere."""
    log = await opened(data_dir)
    try:
        return (await loads(log)).get("cdnow", Progress(digest="", rows=0))
    finally:
        await log.close()
