"""Is a table read as one part once a load has ended?"""

import asyncio
from collections.abc import Iterator

import pytest

from history import merging, store
from history.store import History

PARTS = "SELECT count() FROM system.parts WHERE active AND table = {table:String} AND database = 'headwater'"
FILLED = """
INSERT INTO PageViewed (topic, partition, offset, event_id, customer_id, url, seal)
SELECT 'headwater.events', 0, number, generateUUIDv4(number), toString(cityHash64(number)), '/', 'whole'
FROM numbers({first:UInt64}, 60000)
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """One that merges nothing by itself, so that the parts are those that the tests make."""
    history = History.open(f"chdb://{tmp_path_factory.mktemp('history')}")
    history._client.command(
        "ALTER TABLE PageViewed MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1"
    )
    yield history
    history.close()


def parts(history: History) -> int:
    (found,) = history._client.query(PARTS, parameters={"table": "PageViewed"}).first_row
    return int(found)


def fill(history: History, times: int) -> None:
    (first,) = history._client.query("SELECT count() FROM PageViewed").first_row
    for n in range(times):
        history._client.command(FILLED, parameters={"first": first + n * 60_000})


def test_what_is_small_is_left_alone(history: History) -> None:
    """It is read fast as it is."""
    fill(history, 1)
    assert merging.loose(history._client) == {}


async def test_a_load_is_merged_once_it_stands_still(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two looks in a row find as many rows; then there is one part, and nothing more to do."""
    fill(history, 3)
    assert parts(history) == 4
    monkeypatch.setattr(store, "MERGE_EVERY_S", 0.1)
    merger = asyncio.create_task(history.keep_merged())
    async with asyncio.timeout(60):
        while parts(history) > 1:
            await asyncio.sleep(0.05)
    merger.cancel()
    await asyncio.gather(merger, return_exceptions=True)
    assert merging.loose(history._client) == {}
    assert history._client.query("SELECT count(), uniqExact(event_id) FROM PageViewed").first_row == (
        240_000,
        240_000,
    )


def test_a_table_is_merged_again_when_a_fifth_of_it_is_new(history: History) -> None:
    """So each row is rewritten a few times in all, however long the history grows."""
    fill(history, 1)
    assert merging.loose(history._client) == {"PageViewed": 300_000}
    merging.merge(history._client, "PageViewed")
    assert parts(history) == 1
