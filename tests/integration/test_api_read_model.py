"""Does the read model say what the changelog says, after any batch, restart or change of parameters?"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from api import store_file
from api.lists import CustomerQuery, TransitionQuery
from api.problems import Problem
from api.read_model import ReadModel
from projections.parameters import Boundaries, Parameters
from projections.times import DAY_MS
from schemas.codec import encode
from schemas.events import Event, LifecycleChanged
from streams.log import Append, Chunk
from streams.rows import PARTITION_KEY, CustomerRow, encode_partition, encode_row
from streams.sqlite_log import SqliteLog
from streams.topics import CUSTOMERS, TRANSITIONS, topic_specs
from tests.unit.api.test_columns import NOON, order, partition, row, traits

EURO = Parameters(rates={"EUR/USD": "2"})


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(tmp_path / "log.db", topic_specs(2))
    yield log
    await log.close()


class Following:
    """A read model that follows a log while the test runs."""

    def __init__(self, path: Path, log: SqliteLog) -> None:
        self.path, self.log = path, log

    async def __aenter__(self) -> ReadModel:
        self.model = await ReadModel.open(self.path, self.log)
        self.task = asyncio.create_task(self.model.run())
        for topic in (CUSTOMERS, TRANSITIONS):
            ends = await self.log.end_offsets(topic)
            waiting = asyncio.create_task(self.model.wait_for(topic, ends))
            await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                waiting.cancel()
                self.task.result()
        return self.model

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.model.close()


async def change(
    log: SqliteLog, rows: Mapping[str, CustomerRow | None], at: int = NOON, on: int = 0, **parameters: object
) -> None:
    """Append what a run would: rows (None deletes), then the partition row."""
    batch = [Append(CUSTOMERS, on, key.encode(), row and encode_row(row)) for key, row in rows.items()]
    batch.append(Append(CUSTOMERS, on, PARTITION_KEY, encode_partition(partition(at, **parameters))))
    await log.append(batch)


def moved(customer_id: str, to_stage: str, at: int, from_stage: str | None = None) -> LifecycleChanged:
    return LifecycleChanged(
        event_id="00000000-0000-4000-8000-000000000003",
        occurred_at=at,
        received_at=at,
        customer_id=customer_id,
        from_stage=from_stage,
        to_stage=to_stage,
        reason="because",
        late=False,
        rules_version="default",
        cause_topic="headwater.events",
        cause_partition=0,
        cause_offset=0,
    )


async def ids(model: ReadModel, **query: object) -> list[str]:
    """All the ids that a query lists, page by page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = await model.customers(CustomerQuery(**query, cursor=cursor))  # type: ignore[arg-type]
        found += [each.customer_id for each in page]
        if cursor is None:
            return found


def staged(stage: str, *events: Event) -> CustomerRow:
    return replace(row(*events), stage=stage)


async def test_rows_are_listed_and_summed(tmp_path: Path, log: SqliteLog) -> None:
    """Filters, sorts and sums speak of the newest row of each customer, over all partitions."""
    await change(log, {"a": staged("new", order(100)), "b": staged("active", order(300), order(1, NOON + 9))})
    await change(log, {"c": staged("active", order(200))}, at=NOON - 5, on=1)
    await change(log, {"a": staged("active", order(100), order(50, NOON + 1))})
    async with Following(tmp_path / "r.db", log) as model:
        totals = model.totals()
        assert (totals.customers, totals.orders, totals.net_minor) == (3, 5, 651)
        assert {stage: count for stage, count in totals.stages.items() if count} == {"active": 3}
        assert model.as_of_ms() == NOON - 5
        assert await ids(model) == ["b", "a", "c"]
        assert await ids(model, sort="orders.net", descending=False) == ["a", "c", "b"]
        assert await ids(model, sort="orders.count", stage="active") == ["b", "a", "c"]
        assert await ids(model, stage="new") == []
        found = model.customer("c")
        assert found is not None
        assert found.partition.stream_time_ms == NOON - 5
        assert model.customer("nobody") is None


@pytest.mark.parametrize("descending", [True, False])
async def test_pages_follow_each_other_without_gap_or_repeat(
    tmp_path: Path, log: SqliteLog, descending: bool
) -> None:
    """Any page size lists every customer once, ties in order of the id."""
    await change(log, {f"c{n:02}": staged("new", order(n % 3)) for n in range(20)})
    async with Following(tmp_path / "r.db", log) as model:
        everyone = sorted(
            (f"c{n:02}" for n in range(20)), key=lambda c: (int(c[1:]) % 3, c), reverse=descending
        )
        for limit in (1, 3, 20, 500):
            assert await ids(model, sort="orders.net", descending=descending, limit=limit) == everyone


async def test_a_cursor_of_another_sort_is_refused(tmp_path: Path, log: SqliteLog) -> None:
    """A cursor is a place in one order only."""
    await change(log, {"a": row(), "b": row()})
    async with Following(tmp_path / "r.db", log) as model:
        _, cursor = await model.customers(CustomerQuery(limit=1))
        with pytest.raises(Problem, match="sort=-last_seen_at"):
            await model.customers(CustomerQuery(limit=1, sort="orders.net", cursor=cursor))


async def test_search_finds_words_of_ids_and_traits_as_they_are_now(tmp_path: Path, log: SqliteLog) -> None:
    """Each word must begin a word; accents and case do not matter, nor what FTS5 reads as syntax."""
    await change(
        log, {"cust-42": row(traits(email="ada@example.com", city="Zürich")), "b": row(traits(city="Bonn"))}
    )
    await change(log, {"b": row(traits(city="Zug", plan='a "gold" one'))})
    async with Following(tmp_path / "r.db", log) as model:
        for q, found in {
            "ZURICH": ["cust-42"],
            "ada@exam": ["cust-42"],
            "cust-4": ["cust-42"],
            "zu": ["b", "cust-42"],
            "zu exam": ["cust-42"],
            "bonn": [],
            'gold"': ["b"],
            "NOT OR AND (": [],
            "@@": [],
            "text:zu": [],
        }.items():
            assert sorted(await ids(model, q=q)) == found, q


async def test_a_tombstone_removes_a_customer(tmp_path: Path, log: SqliteLog) -> None:
    """Deleted is deleted from lists, sums and search."""
    await change(log, {"a": row(order(100), traits(city="Bonn")), "b": row(order(7))})
    async with Following(tmp_path / "r.db", log):
        pass
    await change(log, {"a": None, "never": None})
    async with Following(tmp_path / "r.db", log) as model:
        assert await ids(model) == ["b"]
        assert await ids(model, q="bonn") == []
        assert (model.totals().customers, model.totals().net_minor) == (1, 7)


@pytest.mark.parametrize("rows", [3, 1_100])
async def test_a_change_of_rates_reaches_every_row(tmp_path: Path, log: SqliteLog, rows: int) -> None:
    """Sums and sorts are under the rates in force, also of customers of whom nothing new is heard."""
    await change(log, {f"c{n}": row(order(n, currency="EUR")) for n in range(rows)})
    async with Following(tmp_path / "r.db", log) as model:
        assert model.totals().net_minor == 0
        assert model.totals().unconverted["EUR"] == sum(range(rows))
    await change(log, {}, rates=EURO.rates)
    async with Following(tmp_path / "r.db", log) as model:
        assert model.totals().net_minor == 2 * sum(range(rows))
        assert not +model.totals().unconverted
        assert (await ids(model, sort="orders.net"))[:2] == [f"c{rows - 1}", f"c{rows - 2}"]


class Busy(SqliteLog):
    """A log on which something new lies at every look, once it is `busy`."""

    busy = False

    async def read(self, topic: str, partition: int, offset: int, max_records: int) -> Chunk:
        if self.busy and (topic, partition) == (CUSTOMERS, 1):
            await change(self, {"busy": row(order(1))}, on=1)
        return await super().read(topic, partition, offset, max_records)


async def test_a_change_of_rates_reaches_every_row_under_steady_traffic(tmp_path: Path) -> None:
    """Rows are derived again beside what arrives, not once nothing does."""
    log = await Busy.open(tmp_path / "log.db", topic_specs(2))
    await change(log, {f"c{n}": row(order(1, currency="EUR")) for n in range(1_100)})
    async with Following(tmp_path / "r.db", log) as model:
        log.busy = True
        await change(log, {}, rates=EURO.rates)
        async with asyncio.timeout(60):
            await model.wait_for(CUSTOMERS, await log.end_offsets(CUSTOMERS))
        assert not +model.totals().unconverted
        log.busy = False
    await log.close()


async def test_a_change_of_the_base_currency_reaches_every_row(tmp_path: Path, log: SqliteLog) -> None:
    """What was the base currency becomes one among others."""
    await change(log, {"a": row(order(100)), "b": row(order(3, currency="EUR"))})
    await change(log, {}, base_currency="EUR")
    async with Following(tmp_path / "r.db", log) as model:
        assert (model.totals().net_minor, dict(+model.totals().unconverted)) == (3, {"USD": 100})


async def test_a_restart_resumes_and_loses_nothing(tmp_path: Path, log: SqliteLog) -> None:
    """The offsets are in the transaction of the rows."""
    path = tmp_path / "r.db"
    await change(log, {"a": row(order(1))})
    async with Following(path, log) as model:
        before = model.next_offsets()
    await change(log, {"b": row(order(10))})
    async with Following(path, log) as model:
        assert (model.totals().customers, model.totals().net_minor) == (2, 11)
        assert model.next_offsets()[CUSTOMERS, 0] == before[CUSTOMERS, 0] + 2


@pytest.mark.parametrize("damage", ["schema", "fold", "bytes"])
async def test_a_file_that_other_code_wrote_is_filled_again(
    tmp_path: Path, log: SqliteLog, damage: str
) -> None:
    """A cache of another version, or a damaged one, is no reason to stop."""
    path = tmp_path / "r.db"
    await change(log, {"a": row(order(1))})
    async with Following(path, log):
        pass
    if damage == "bytes":
        store_file.discard(path)
        path.write_bytes(b"nothing that SQLite knows" * 400)
    else:
        with sqlite3.connect(path) as db:
            db.execute(f"UPDATE versions SET {damage} = -1")
            db.execute("UPDATE customers SET net_minor = 7")
        db.close()
    async with Following(path, log) as model:
        assert (model.totals().customers, model.totals().net_minor) == (1, 1)
        assert await ids(model) == ["a"]


async def test_a_file_ahead_of_the_log_is_filled_again(tmp_path: Path, log: SqliteLog) -> None:
    """A log that was put back from a copy is the truth."""
    await change(log, {"a": row(order(1))})
    async with Following(tmp_path / "r.db", log):
        pass
    other = await SqliteLog.open(tmp_path / "other.db", topic_specs(2))
    async with Following(tmp_path / "r.db", other) as model:
        assert model.totals().customers == 0
    await other.close()


async def test_rows_of_an_older_fold_are_left_out(tmp_path: Path, log: SqliteLog) -> None:
    """A rebuild writes every customer again; what it superseded may still lie on the log."""
    await log.append([Append(CUSTOMERS, 0, b"shaped otherwise", b"\x92\x00\xc0")])
    await change(log, {"old": replace(row(order(1)), fold_version=0), "new": row(order(2))})
    async with Following(tmp_path / "r.db", log) as model:
        assert await ids(model) == ["new"]


async def test_an_id_of_odd_characters_is_one_customer(tmp_path: Path, log: SqliteLog) -> None:
    """Whatever a producer of its own put in a key, the second row replaces the first."""
    odd = ["\x00", "a\x00b", '"', "\\", "é", "e\u0301", "𝔞", " "]
    for minor in (1, 2):
        await change(log, {customer_id: row(order(minor)) for customer_id in odd})
    async with Following(tmp_path / "r.db", log) as model:
        assert (model.totals().customers, model.totals().net_minor) == (len(odd), 2 * len(odd))
        assert all(model.customer(customer_id) for customer_id in odd)


async def test_the_grid_and_the_percentiles_come_from_the_same_rows(tmp_path: Path, log: SqliteLog) -> None:
    """Every customer with an order is in one cell; sums pass 64 bits unharmed."""
    huge = 2**62
    given = {f"c{n}": row(order(huge, NOON - n * DAY_MS), order(1, NOON - n * DAY_MS)) for n in range(1, 6)}
    await change(log, {**given, "prospect": row(traits(city="Bonn"))})
    bounds = Boundaries(NOON, (1, 2, 3, 4), (1, 1, 1, 1), (0, 0, 0, 0), "USD", 5)
    async with Following(tmp_path / "r.db", log) as model:
        cells = await model.rfm_grid(bounds)
        assert len(cells) == 25
        assert {(c.r, c.f): c.customers for c in cells if c.customers} == {(r, 5): 1 for r in range(1, 6)}
        assert sum(c.net_minor for c in cells) == 5 * (huge + 1)
        found = await model.rfm_boundaries(NOON)
        assert found is not None
        assert (found.r, found.f, found.m_minor) == ((1, 2, 3, 4), (2, 2, 2, 2), (huge + 1,) * 4)
        assert (found.customers, found.currency) == (5, "USD")


async def test_nobody_has_no_boundaries(tmp_path: Path, log: SqliteLog) -> None:
    """Percentiles of nothing are none."""
    async with Following(tmp_path / "r.db", log) as model:
        assert await model.rfm_boundaries(NOON) is None
        assert model.as_of_ms() is None


async def test_transitions_are_listed_newest_first(tmp_path: Path, log: SqliteLog) -> None:
    """Filters hold together, pages follow each other, other records of the topic are passed over."""
    given = [
        moved("a", "new", 1),
        moved("a", "at_risk", 5, "new"),
        moved("b", "new", 3),
        moved("b", "new", 3),
    ]
    await log.append([Append(TRANSITIONS, n % 2, b"k", encode(event)) for n, event in enumerate(given)])
    await log.append([Append(TRANSITIONS, 0, b"k", value) for value in (None, b"no event", encode(order(1)))])

    async def listed(model: ReadModel, **query: object) -> Sequence[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        cursor: str | None = None
        while True:
            page, cursor = await model.transitions(TransitionQuery(**query, cursor=cursor))  # type: ignore[arg-type]
            found += [(event.customer_id, event.to_stage, event.occurred_at) for event in page]
            if cursor is None:
                return found

    newest_first = [("a", "at_risk", 5), ("b", "new", 3), ("b", "new", 3), ("a", "new", 1)]
    async with Following(tmp_path / "r.db", log) as model:
        assert await listed(model) == await listed(model, limit=1) == newest_first
        assert await listed(model, customer_id="a", from_stage="new") == newest_first[:1]
        assert await listed(model, to_stage="new", since_ms=2, limit=1) == newest_first[1:3]
        assert await listed(model, to_stage="won_back") == []
