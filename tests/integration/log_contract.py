"""What must any log do? The suite that every implementation of streams.log.Log passes.

A test module subclasses LogContract and gives the `log` fixture; topics "plain" (2 partitions) and
"compacted" (1 partition) exist and are empty.
"""

import asyncio
from collections.abc import Sequence

import pytest

from streams.log import Append, Log, Position, ProducerFenced


def records(*values: str, topic: str = "plain", partition: int = 0) -> list[Append]:
    return [Append(topic, partition, value.encode(), value.encode()) for value in values]


async def values(log: Log, topic: str = "plain", partition: int = 0) -> list[bytes | None]:
    return [record.value for record in (await log.read(topic, partition, 0, 1_000)).records]


async def appended(log: Log, positions: Sequence[Position]) -> None:
    """Return once all is read: Kafka confirms a transaction a moment before it shows it."""
    for topic, partition, offset in positions:
        await log.wait({(topic, partition): offset}, timeout_s=60)


class LogContract:
    async def test_offsets_rise_by_one_in_each_partition(self, log: Log) -> None:
        """The positions of an append are in its order, counted a partition."""
        positions = await log.append(records("a", "b") + records("c", partition=1))
        assert positions == [Position("plain", 0, 0), Position("plain", 0, 1), Position("plain", 1, 0)]

    async def test_a_record_is_read_as_it_was_appended(self, log: Log) -> None:
        """Key, value and the given timestamp come back; a tombstone has no value."""
        await log.append([Append("plain", 0, b"k", b"v", 123), Append("plain", 0, None, None, 124)])
        assert [tuple(r) for r in (await log.read("plain", 0, 0, 10)).records] == [
            (0, b"k", b"v", 123),
            (1, None, None, 124),
        ]

    async def test_read_starts_at_the_offset_and_stops_at_the_limit(self, log: Log) -> None:
        """Reading is a window of consecutive offsets."""
        await log.append(records("a", "b", "c", "d"))
        assert [r.offset for r in (await log.read("plain", 0, 1, 2)).records] == [1, 2]

    async def test_read_at_the_end_is_empty(self, log: Log) -> None:
        """Nothing after the last record, and no error."""
        await log.append(records("a"))
        assert await log.read("plain", 0, 1, 10) == ([], 1)

    async def test_concurrent_appends_are_all_kept_in_some_order(self, log: Log) -> None:
        """Each acknowledged append has its own offsets, and is there."""
        answers = await asyncio.gather(*(log.append(records(str(n))) for n in range(50)))
        assert sorted(p.offset for (p,) in answers) == list(range(50))
        assert sorted(v or b"" for v in await values(log)) == sorted(str(n).encode() for n in range(50))

    async def test_wait_returns_at_once_where_a_record_is_there(self, log: Log) -> None:
        """A partition that has something at its offset ends the wait before its time is up."""
        await log.append(records("a"))
        async with asyncio.timeout(5):
            await log.wait({("plain", 0): 0}, timeout_s=60)

    async def test_wait_wakes_up_on_an_append(self, log: Log) -> None:
        """A reader at the end is told of the next record."""
        waiting = asyncio.create_task(log.wait({("plain", 0): 0, ("plain", 1): 0}, timeout_s=60))
        await asyncio.sleep(0)
        await log.append(records("a", partition=1))
        async with asyncio.timeout(5):
            await waiting

    async def test_wait_gives_up_after_its_timeout(self, log: Log) -> None:
        """Nothing arrives, and the reader goes on."""
        async with asyncio.timeout(5):
            await log.wait({("plain", 0): 0}, timeout_s=0.01)

    async def test_start_and_end_offsets(self, log: Log) -> None:
        """An empty partition starts at its end."""
        await log.append(records("a", "b"))
        assert list(await log.start_offsets("plain")) == [0, 0]
        assert list(await log.end_offsets("plain")) == [2, 0]

    async def test_a_transaction_spans_topics(self, log: Log) -> None:
        """What one transaction appends to several partitions is there together."""
        producer = await log.producer("p")
        await appended(log, await producer.transact(records("a") + records("b", topic="compacted")))
        assert await values(log) == [b"a"]
        assert await values(log, "compacted") == [b"b"]

    async def test_a_later_producer_fences_an_earlier_one(self, log: Log) -> None:
        """The refused transaction leaves nothing, and the later producer goes on."""
        zombie, owner = await log.producer("p"), await log.producer("p")
        with pytest.raises(ProducerFenced):
            await zombie.transact(records("zombie"))
        await appended(log, await owner.transact(records("owner")))
        assert await values(log) == [b"owner"]

    async def test_producers_of_other_ids_are_not_fenced(self, log: Log) -> None:
        """Fencing is by transactional id."""
        one, other = await log.producer("one"), await log.producer("other")
        await appended(log, await one.transact(records("a")))
        await appended(log, await other.transact(records("b")))
        assert await values(log) == [b"a", b"b"]

    async def test_committed_offsets_are_by_group(self, log: Log) -> None:
        """A group reads what it committed last, another group nothing."""
        await log.commit("g", {("plain", 0): 3, ("plain", 1): 1})
        await log.commit("g", {("plain", 0): 5})
        assert dict(await log.committed("g", "plain")) == {0: 5, 1: 1}
        assert dict(await log.committed("h", "plain")) == {}
