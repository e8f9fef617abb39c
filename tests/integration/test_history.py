"""Does the history hold every record of the log once, whatever is on the log and whenever it is killed?"""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.archive import HistoryWriter, Refused
from history.client import HistoryUnavailable
from history.guard import QueryRefused
from history.store import History
from schemas import codec, form
from schemas.events import (
    ClockTicked,
    Event,
    LifecycleChanged,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    PageViewed,
    ProcessingFailed,
)
from schemas.registry import RegistryUnavailable
from tests.registries import adopted, double, newer_order, register, written
from tests.strategies import customer_events

EVENTS, TRANSITIONS, FAILED = "headwater.events", "headwater.transitions", "headwater.failed"
NOON = 1_700_000_000_000


class Record(NamedTuple):
    offset: int
    value: bytes | None


def records(*events: Event | bytes | None, first: int = 0) -> list[Record]:
    values = [codec.encode(event) if isinstance(event, Event) else event for event in events]
    return [Record(first + index, value) for index, value in enumerate(values)]


def ids() -> dict[str, object]:
    return {"event_id": str(uuid.uuid4()), "occurred_at": NOON, "received_at": NOON}


def order(
    customer_id: str = "ann", order_id: str = "o-1", amount_minor: int = 1000, **given: object
) -> OrderPlaced:
    known = {
        "customer_id": customer_id,
        "order_id": order_id,
        "amount_minor": amount_minor,
        "currency": "USD",
    }
    return OrderPlaced(**(ids() | known | given))


def page(customer_id: str = "ann", **given: object) -> PageViewed:
    return PageViewed(**(ids() | {"customer_id": customer_id, "url": "https://shop/x"} | given))


@pytest.fixture(scope="module")
def opened(history_url: str) -> Iterator[History]:
    history = History.open(history_url)
    yield history
    history.close()


FILLED = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND total_rows > 0 AND name != 'migrations'
"""


@pytest.fixture
def history(opened: History) -> Iterator[History]:
    """Nothing is archived yet."""
    opened.writer = HistoryWriter(opened._client)
    yield opened
    for (name,) in opened._client.query(FILLED).result_rows:
        opened._client.command(f"TRUNCATE TABLE {name}")


def archive(history: History, topic: str, runs: Mapping[int, Sequence[Record]]) -> list[Refused]:
    refused = history.writer.write(topic, runs)
    history.writer.note(topic, {partition: run[-1].offset + 1 for partition, run in runs.items()})
    return refused


async def rows(history: History, query: str) -> list[list[object]]:
    return (await history.sql(query)).rows


COUNTS = "SELECT count(), uniqExact(topic, partition, offset) FROM records"


async def test_what_is_archived_is_there_once_and_resumed_after(history: History) -> None:
    """Runs of several partitions and types arrive whole, and the next offset is known."""
    writer = history.writer
    assert writer.resume(EVENTS, 0) == 0
    assert archive(history, EVENTS, {0: records(order(), page(), order()), 3: records(page("bob"))}) == []
    assert (writer.resume(EVENTS, 0), writer.resume(EVENTS, 3), writer.resume(EVENTS, 1)) == (3, 1, 0)
    assert await rows(history, "SELECT type, partition, offset FROM events ORDER BY ALL") == [
        ["OrderPlaced", 0, 0],
        ["OrderPlaced", 0, 2],
        ["PageViewed", 0, 1],
        ["PageViewed", 3, 0],
    ]
    assert await history.archived() == {(EVENTS, 0): 3, (EVENTS, 3): 1}


async def test_records_that_come_again_change_nothing(history: History) -> None:
    """An overlapping run only adds what is new."""
    run = records(order(), page(), order(), page())
    archive(history, EVENTS, {0: run[:3]})
    archive(history, EVENTS, {0: run[1:]})
    archive(history, EVENTS, {0: run})
    assert await rows(history, COUNTS) == [[4, 4]]


async def test_what_another_producer_wrote_is_archived_as_it_is_folded(history: History) -> None:
    """A schema that only the external registry has: its records are rows of ours, each once."""
    schema = newer_order(default="")
    with double() as there, adopted(there.url):
        number = register(there.url, "headwater.OrderPlaced", schema)
        newer = [written(number, schema, order("bob", f"b-{n}"), gift_note="hi") for n in range(3)]
        run = records(order("ann", "a-1"), newer[0], newer[1][:-1], newer[1], order("ann", "a-2"))
        runs = {0: run, 1: records(newer[2])}
        there.answers_all = 503, {}
        with pytest.raises(RegistryUnavailable):
            archive(history, EVENTS, runs)
        there.answers_all = None
        (refused,) = archive(history, EVENTS, runs)
        assert (refused.partition, refused.offset) == (0, 2)
    assert await rows(history, "SELECT order_id, partition, offset FROM OrderPlaced ORDER BY ALL") == [
        ["a-1", 0, 0],
        ["a-2", 0, 4],
        ["b-0", 0, 1],
        ["b-1", 0, 3],
        ["b-2", 1, 0],
    ]


async def test_killed_between_insert_and_note_a_record_is_still_there_once(history: History) -> None:
    """Tables that were written before the crash drop the offsets that they have."""
    run = records(order(), page(), order(), page("bob"), page())
    archive(history, EVENTS, {0: run[:1]})
    history.writer.write(EVENTS, {0: run[:4]})
    restarted = HistoryWriter(history._client)
    assert restarted.resume(EVENTS, 0) == 1
    restarted.write(EVENTS, {0: run[1:]})
    restarted.write(EVENTS, {0: run[1:]})
    assert history._client.query(COUNTS).result_rows == [(5, 5)]
    assert await rows(history, "SELECT count() FROM events") == [[5]]


async def test_an_error_of_the_engine_is_raised_and_the_same_write_then_works(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not the records' fault refuses none of them."""
    client = history.writer._client
    run = records(order(), page())

    def full(*args: object, **kwargs: object) -> None:
        raise DatabaseError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", code=243)

    with monkeypatch.context() as patched:
        patched.setattr(client, "raw_insert", full)
        with pytest.raises(DatabaseError):
            archive(history, EVENTS, {0: run})
    assert archive(history, EVENTS, {0: run}) == []
    assert await rows(history, COUNTS) == [[2, 2]]


GOOD = codec.encode(page("good"))
BAD = {
    "no value": None,
    "nothing": b"",
    "no header": b"junk",
    "unknown schema": b"\x00\x00\x00\xff\xffbody",
    "surplus byte": GOOD + b"\x00",
    "surplus bytes": GOOD + b"abc",
    "a byte short": GOOD[:-1],
    "no body": GOOD[:5],
    "bad length": GOOD[:5] + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + GOOD[5:],
    "bad uuid": GOOD[:6] + b"z" * 36 + GOOD[42:],
}


async def test_many_bad_records_cost_an_insert_each(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the twenty inserts that it takes to find one among a thousand by halves."""
    inserts = 0
    insert = history._client.raw_insert

    def counted(*arguments: object, **options: object) -> object:
        nonlocal inserts
        inserts += 1
        return insert(*arguments, **options)

    monkeypatch.setattr(history._client, "raw_insert", counted)
    run = records(*([page(f"c{n}") if n % 100 else BAD["a byte short"] for n in range(1_000)]))
    assert len(archive(history, EVENTS, {0: run})) == 10
    assert inserts == 12  # all, the sound ones, and ten
    assert await rows(history, "SELECT count() FROM PageViewed") == [[990]]


@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_record_is_refused_alone(history: History, bad: str) -> None:
    """The records around it arrive as they are, and the partition goes on behind it."""
    good = [page(f"c{number}") for number in range(8)]
    run = records(*good[:5], BAD[bad], *good[5:])
    (refused,) = archive(history, EVENTS, {2: run})
    assert (refused.partition, refused.offset) == (2, 5)
    assert refused.reason
    assert history.writer.resume(EVENTS, 2) == 9
    found = await rows(history, "SELECT offset, customer_id, url FROM PageViewed ORDER BY offset")
    assert found == [
        [record.offset, event.customer_id, event.url]
        for record, event in zip([*run[:5], *run[6:]], good, strict=True)
    ]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_arbitrary_bytes_never_disturb_their_neighbours(history: History, data: st.DataObject) -> None:
    """Whatever follows a valid header, the record after it is read as it was written."""
    first = history.writer.resume(EVENTS, 0)
    body = data.draw(st.binary(max_size=80))
    after = order("neighbour", f"o-{first}")
    archive(history, EVENTS, {0: records(codec.encode(order())[:5] + body, after, first=first)})
    assert await rows(history, f"SELECT customer_id FROM OrderPlaced WHERE offset = {first + 1}") == [
        ["neighbour"]
    ]


async def test_events_shows_a_repeated_event_once(history: History) -> None:
    """A client's retry lies twice on the log and once in the history: the first stays."""
    repeated = order()
    retry = order(event_id=repeated.event_id, occurred_at=NOON + 5, amount_minor=7)
    archive(history, EVENTS, {0: records(repeated, retry)})
    archive(history, EVENTS, {0: records(retry, order(), first=2)})
    assert await rows(history, "SELECT count(), uniqExact(event_id) FROM events") == [[2, 2]]
    assert await rows(history, "SELECT sum(amount_minor), count() FROM OrderPlaced") == [[2000, 2]]
    assert await rows(history, f"SELECT offset FROM events WHERE event_id = '{repeated.event_id}'") == [[0]]


async def test_events_leaves_out_what_the_engine_could_not_process(history: History) -> None:
    """A record with a failure counts in events and orders no more than in the projections."""
    archive(history, EVENTS, {0: records(order(), order("zoe"))})
    failure = ProcessingFailed(
        topic=EVENTS, partition=0, offset=1, reason="wrong key", value=b"\xff\x00", **ids()
    )
    archive(history, FAILED, {0: records(failure, failure)})
    assert await rows(history, "SELECT customer_id FROM events") == [["ann"]]
    assert await rows(history, "SELECT customer_id FROM orders") == [["ann"]]
    assert await rows(
        history, "SELECT reason, origin_topic, origin_partition, origin_offset FROM failed"
    ) == [["wrong key", EVENTS, 0, 1]]


def changed(customer_id: str, before: str | None, to_stage: str, at: int) -> LifecycleChanged:
    cause = {
        "cause_topic": EVENTS,
        "cause_partition": 0,
        "cause_offset": 0,
        "rules_version": "1",
        "late": False,
    }
    told = {"customer_id": customer_id, "from_stage": before, "to_stage": to_stage, "reason": "said so"}
    return LifecycleChanged(**(ids() | cause | told | {"occurred_at": at}))


async def test_stages_is_what_was_announced_last(history: History) -> None:
    """The order of announcement decides, not the time: a late event's transition is the newest."""
    late = changed("ann", "dormant", "active", NOON)
    run = records(changed("ann", None, "new", NOON), changed("ann", "new", "dormant", NOON + 9), late, late)
    archive(history, TRANSITIONS, {0: run, 1: records(changed("bob", None, "new", NOON))})
    assert await rows(history, "SELECT customer_id, stage FROM stages ORDER BY 1") == [
        ["ann", "active"],
        ["bob", "new"],
    ]
    assert await rows(history, "SELECT count(), countIf(from_stage IS NULL) FROM transitions") == [[4, 2]]
    assert await rows(history, "SELECT count() FROM events") == [[0]]


async def test_orders_nets_refunds_and_cancellations(history: History) -> None:
    """An order's net is what was paid less refunds, and nothing once it is cancelled."""
    known = {"customer_id": "ann"}
    archive(
        history,
        EVENTS,
        {
            0: records(
                order(order_id="a"),
                order(order_id="b"),
                order(order_id="c"),
                OrderRefunded(order_id="b", amount_minor=300, currency="USD", **known, **ids()),
                OrderRefunded(order_id="b", amount_minor=100, currency="USD", **known, **ids()),
                OrderRefunded(order_id="c", amount_minor=100, currency="USD", **known, **ids()),
                OrderCancelled(order_id="c", **known, **ids()),
            )
        },
    )
    found = await rows(
        history, "SELECT order_id, refunded_minor, cancelled, net_minor FROM orders ORDER BY order_id"
    )
    assert found == [["a", 0, False, 1000], ["b", 400, False, 600], ["c", 100, True, 0]]


async def test_a_timeline_is_newest_first_page_by_page(history: History) -> None:
    """Pages join up without a gap, ties in time included, and hold that customer's events only."""
    mine = [page(occurred_at=NOON + number // 2) for number in range(5)]
    lines = (OrderLine(sku="s", quantity=2, unit_price_minor=500),)
    mine.append(order(occurred_at=NOON - 1, lines=lines, channel="web"))
    tick = ClockTicked(**ids())
    archive(history, EVENTS, {0: records(*mine, page("bob"), tick)})
    archive(history, TRANSITIONS, {0: records(changed("ann", None, "new", NOON))})
    whole = await history.timeline("ann", limit=10)
    assert whole.next_cursor is None
    newest_first = sorted(mine, key=lambda event: (event.occurred_at, mine.index(event)), reverse=True)
    assert whole.items == [form.render(event) for event in newest_first]
    paged, cursor = [], None
    for _ in range(3):
        part = await history.timeline("ann", limit=2, cursor=cursor)
        paged, cursor = paged + part.items, part.next_cursor
    assert (paged, cursor) == (whole.items, None)
    assert (await history.timeline("nobody")).items == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_every_event_comes_back_in_its_json_form(history: History, data: st.DataObject) -> None:
    """No field of any event is lost or changed between the log and the timeline."""
    customer_id = str(uuid.uuid4())
    event = data.draw(customer_events(customer_id=customer_id))
    first = history.writer.resume(EVENTS, 0)
    assert archive(history, EVENTS, {0: records(event, first=first)}) == []
    assert (await history.timeline(customer_id)).items == [form.render(event)]


@pytest.mark.usefixtures("opened")
async def test_a_reopened_history_goes_on_where_it_was(history_url: str) -> None:
    """Tables and migrations are made once; a second start finds them."""
    history = History.open(history_url, "reopened")
    archive(history, EVENTS, {0: records(order())})
    history.close()
    again = History.open(history_url, "reopened")
    assert again.writer.resume(EVENTS, 0) == 1
    assert await rows(again, "SELECT count() FROM events") == [[1]]
    assert await rows(again, "SELECT count() = uniqExact(number) FROM migrations") == [[1]]
    again.close()


LONG = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"


@pytest.mark.usefixtures("opened")
async def test_closing_stops_a_running_query_and_drops_those_that_wait(history_url: str) -> None:
    """A stop does not wait for an analyst: the query ends by being killed, not by its limit."""
    history = History.open(history_url, "closed")
    running, waiting = (asyncio.create_task(history.sql(LONG)) for _ in range(2))
    processes = "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number) = 1%'"
    while history._client.query(processes).result_rows[0][0] < 2:  # the second is this query itself
        await asyncio.sleep(0.05)
    await asyncio.to_thread(history.close)
    with pytest.raises(QueryRefused, match="QUERY_WAS_CANCELLED"):
        await running
    with pytest.raises(asyncio.CancelledError):
        await waiting


PROGRAM = """
import sys
from history.store import History
from tests.integration.test_history import EVENTS, archive, order, page, records
history = History.open(sys.argv[1])
print("open", flush=True)
first = history.writer.resume(EVENTS, 0)
while True:
    archive(history, EVENTS, {0: records(*(make() for make in [order, page] * 20), first=first)})
    first += 40
    print(first, flush=True)
"""


CHECK = """
import asyncio, sys
from history.store import History
from tests.integration.test_history import EVENTS, archive, order, page, records
history = History.open(sys.argv[1])
first = history.writer.resume(EVENTS, 0)
archive(history, EVENTS, {0: records(*(make() for make in [order, page] * 20), first=first)})
query = "SELECT count(), uniqExact(topic, partition, offset), max(offset) + 1 FROM records"
print(asyncio.run(history.sql(query)).rows[0])
"""


def test_a_second_process_is_told_what_to_do(tmp_path: Path) -> None:
    """The directory of a running engine is refused, with the remedy."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, f"chdb://{tmp_path}"], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        second = subprocess.run(
            [sys.executable, "-c", PROGRAM, f"chdb://{tmp_path}"], capture_output=True, text=True, timeout=60
        )
        os.kill(owner.pid, signal.SIGKILL)
    assert second.returncode == 1
    assert HistoryUnavailable.__name__ in second.stderr
    assert "stop the other process" in second.stderr


@pytest.fixture
def url_of_another(history_url: str, tmp_path: Path) -> str:
    """One that this process has not open."""
    return f"chdb://{tmp_path}" if history_url.startswith("chdb:") else f"{history_url}killed"


def test_kill_9_loses_nothing_and_doubles_nothing(url_of_another: str) -> None:
    """Three kills at whatever moment, and what was cut off is made whole by the next run."""
    acknowledged = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url_of_another], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            for _ in range(5):
                said = writer.stdout.readline().decode().strip()
                acknowledged = max(acknowledged, int(said) if said.isdigit() else 0)
            os.kill(writer.pid, signal.SIGKILL)
    done = subprocess.run(
        [sys.executable, "-c", CHECK, url_of_another], capture_output=True, text=True, timeout=60
    )
    count, distinct, reached = (int(number) for number in done.stdout.strip("[]\n ").split(","))
    assert count == distinct == reached
    assert reached >= acknowledged > 0
