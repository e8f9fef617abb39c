"""Does a lane keep its connection while it is of use, and does a failed opening leave nothing open?"""

from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from history import store
from history.client import REPORTS, HistoryUnavailable, connect
from history.lane import Lane
from history.store import History

REFUSED = ["SELEC 1", "SELECT nonsense", "SELECT * FROM nowhere", "CREATE TABLE t (a UInt8) ENGINE = Memory"]
STOPPED = [
    "SELECT number FROM numbers(100000000000)",
    "SELECT number, throwIf(number = 900000) FROM numbers(1000000)",
]


class Connections:
    """Opens connections to one engine, and tells in what order they were opened and closed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.told: list[str] = []
        self.fails = False

    def open(self) -> Client:
        if self.fails:
            raise HistoryUnavailable("not now")
        return self.watched(connect(self._url, {**REPORTS, "max_execution_time": 1}))

    def watched(self, client: Client) -> Client:
        number = sum(each.startswith("opened") for each in self.told)
        self.told.append(f"opened {number}")
        closed = client.close

        def close() -> None:
            self.told.append(f"closed {number}")
            closed()

        setattr(client, "close", close)  # noqa: B010
        return client


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"chdb://{tmp_path_factory.mktemp('lane')}"


@pytest.fixture
def connections(url: str) -> Connections:
    return Connections(url)


@pytest.fixture
def lane(connections: Connections) -> Iterator[Lane]:
    lane = Lane("tested", connections.open)
    yield lane
    lane.close(lambda: None)


async def asked(lane: Lane, query: str) -> Any:
    return await lane.run(lambda client: client.raw_query(query, fmt="JSONCompactEachRow"))


async def test_a_statement_that_is_refused_costs_no_connection(lane: Lane, connections: Connections) -> None:
    """It has said nothing yet, so the next answer is whole."""
    for query in REFUSED:
        with pytest.raises(DatabaseError):
            await asked(lane, query)
        assert await asked(lane, "SELECT 7") == b"[7]\n"
    assert connections.told == ["opened 0"]


@pytest.mark.parametrize("query", STOPPED)
async def test_a_connection_that_a_stopped_query_spoilt_is_replaced(
    lane: Lane, connections: Connections, query: str
) -> None:
    """What was stopped is in no other answer; the new connection is there before the old one goes."""
    with pytest.raises(DatabaseError):
        await asked(lane, query)
    assert await asked(lane, "SELECT 7") == b"[7]\n"
    assert connections.told == ["opened 0", "opened 1", "closed 0"]


async def test_a_connection_that_cannot_be_replaced_yet_is_tried_again(
    lane: Lane, connections: Connections
) -> None:
    """No answer comes from one that is of no use, and none is lost for ever."""
    await lane.run(lambda client: client.close())
    with pytest.raises((DatabaseError, RuntimeError)):
        await asked(lane, "SELECT 7")
    connections.fails = True
    for _ in range(2):
        with pytest.raises(HistoryUnavailable, match="not now"):
            await asked(lane, "SELECT 7")
    connections.fails = False
    assert await asked(lane, "SELECT 7") == b"[7]\n"


@pytest.mark.parametrize("nth", range(6))
def test_what_was_opened_before_a_failure_is_closed(
    url: str, connections: Connections, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Whichever of the six connections cannot be opened, no other keeps the engine, which opens again."""

    def sometimes(*given: Any, **more: Any) -> Client:
        if len(connections.told) == nth:
            raise HistoryUnavailable("not this one")
        return connections.watched(connect(*given, **more))

    with monkeypatch.context() as patched:
        patched.setattr(store, "connect", sometimes)
        with pytest.raises(HistoryUnavailable, match="not this one"):
            History.open(url)
    opened = [f"opened {number}" for number in range(nth)]
    assert connections.told[:nth] == opened
    assert sorted(connections.told[nth:]) == [each.replace("opened", "closed") for each in opened]
    if nth == 5:
        History.open(url).close()
