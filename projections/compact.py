"""How does a history of any length fit into a small row, whatever the order in which it came?

Every structure here is a commutative monoid: adding the same entries in any order gives equal bytes, and a
bound drops the same entries in every order. `Latest` and `Tally` keep fixed-width big-endian records in one
sorted byte string: bytes compare as the values do, decoding a row costs one copy, and size has a ceiling.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from uuid import UUID

MAX_MINOR = 2**63 - 1  # sums stop here: msgpack and ClickHouse hold no more
OTHER = "other"  # where a count map puts the keys it has no room for


def hash64(text: str) -> int:
    """A stable 64-bit hash of an identifier."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def id64(event_id: str) -> int:
    """The first 64 bits of an event id: breaks ties between events of one instant."""
    try:
        return UUID(event_id).int >> 64
    except ValueError:  # a producer that does not keep to UUIDs still gets a stable order
        return hash64(event_id)


def clip(text: str, limit: int) -> str:
    """The text, cut to at most `limit` bytes of UTF-8."""
    if 4 * len(text) <= limit or len(data := text.encode()) <= limit:
        return text
    return data[:limit].decode(errors="ignore")


class Latest:
    """Codec of "the latest `limit` records of a multiset": a sorted byte string, the latest record last.

    The first field is the time; every field is unsigned or fixed bytes, so that byte order is value order.
    Equal records are two records.
    """

    def __init__(self, layout: str, limit: int) -> None:
        self._record = struct.Struct(">" + layout)
        self._records = [struct.Struct(">" + layout * number) for number in range(limit + 1)]
        self._fields = len(self._record.unpack(bytes(self._record.size)))
        self.width = self._record.size
        self.limit = limit
        self._capacity = self.width * limit

    def add(self, kept: bytes, *fields: int | bytes) -> bytes:
        record = self._record.pack(*fields)
        if record >= kept[-self.width :]:  # in order of time, as nearly always
            return (kept + record)[-self._capacity :]
        return self._join([*self._split(kept), record])

    def merge(self, a: bytes, b: bytes) -> bytes:
        return self._join([*self._split(a), *self._split(b)])

    def items(self, kept: bytes) -> list[tuple[Any, ...]]:
        """The records, the earliest first."""
        return list(self._record.iter_unpack(kept))

    def columns(self, kept: bytes, *fields: int) -> list[tuple[Any, ...]]:
        """Each of the fields (0 is the time) of all records, the earliest first."""
        flat = self._records[len(kept) // self.width].unpack(kept)
        return [flat[field :: self._fields] for field in fields]

    def time_from_end(self, kept: bytes, place: int) -> int | None:
        """The time (8 bytes) of the last record but `place` - 1; None where there are fewer."""
        start = len(kept) - place * self.width
        return int.from_bytes(kept[start : start + 8]) if start >= 0 else None

    def size(self, kept: bytes) -> int:
        return len(kept) // self.width

    def _split(self, kept: bytes) -> Iterator[bytes]:
        return (kept[start : start + self.width] for start in range(0, len(kept), self.width))

    def _join(self, records: list[bytes]) -> bytes:
        return b"".join(sorted(records)[-self.limit :])


class Tally:
    """Codec of "counters by key": a sorted byte string of the `limit` greatest keys (or the least).

    Counters are unsigned and stop at MAX_MINOR; they only ever grow, so that stopping commutes.
    """

    def __init__(self, key_layout: str, counters: int, limit: int, *, keep_greatest: bool) -> None:
        self._key = struct.Struct(">" + key_layout)
        self._counters = struct.Struct(f">{counters}Q")
        self.width = self._key.size + self._counters.size
        self._capacity = self.width * limit
        self._keep_greatest = keep_greatest

    def add(self, table: bytes, key: tuple[int | bytes, ...], *amounts: int) -> bytes:
        packed_key = self._key.pack(*key)
        place = len(table) - self.width
        if not table.startswith(packed_key, max(place, 0)):  # mostly it is the last
            place = self._place(table, packed_key)
        if table.startswith(packed_key, place):
            kept = self._counters.unpack_from(table, place + self._key.size)
            total = [a + b if a + b < MAX_MINOR else MAX_MINOR for a, b in zip(kept, amounts, strict=True)]
            return table[:place] + packed_key + self._counters.pack(*total) + table[place + self.width :]
        grown = table[:place] + packed_key + self._counters.pack(*amounts) + table[place:]
        return grown[-self._capacity :] if self._keep_greatest else grown[: self._capacity]

    def merge(self, a: bytes, b: bytes) -> bytes:
        for key, amounts in self.items(b):
            a = self.add(a, key, *amounts)
        return a

    def items(self, table: bytes) -> Iterator[tuple[tuple[Any, ...], tuple[int, ...]]]:
        """(key, counters), in order of key."""
        for start in range(0, len(table), self.width):
            key = self._key.unpack_from(table, start)
            yield key, self._counters.unpack_from(table, start + self._key.size)

    def _place(self, table: bytes, key: bytes) -> int:
        """Where the key's record starts, or would: searched from the end, where recent months are."""
        width, place = self.width, len(table)
        while place and table[place - width : place - width + len(key)] >= key:
            place -= width
        return place


def count(counts: Mapping[str, int], key: str, limit: int, by: int = 1) -> dict[str, int]:
    """The counts with `key` counted: the `limit` alphabetically first keys, the rest together as `other`."""
    counted = {**counts, key: counts.get(key, 0) + by}
    if len(counted) > limit and len(counted) > len(counts):
        named = sorted(counted.keys() - {OTHER})
        for surplus in named[limit:]:
            counted[OTHER] = counted.get(OTHER, 0) + counted.pop(surplus)
    return counted


def merge_counts(a: Mapping[str, int], b: Mapping[str, int], limit: int) -> dict[str, int]:
    merged = dict(a)
    for key, number in b.items():
        merged = count(merged, key, limit, number)
    return merged


# A written value: (time, event id, …), so that the last writer's is the greatest.
V = TypeVar("V", bound=tuple[Any, ...])


def later(a: V | None, b: V | None) -> V | None:
    """The last writer's value; None is never written."""
    if a is None or b is None:
        return b if a is None else a
    return b if a < b else a


def put(values: Mapping[str, V], written: Mapping[str, V], limit: int) -> dict[str, V]:
    """Last writer wins for each key; the `limit` keys written last stay."""
    merged = dict(values)
    for key, value in written.items():
        known = merged.get(key)
        if known is None or known < value:
            merged[key] = value
    if len(merged) > limit:
        by_age = sorted(merged.items(), key=lambda item: (item[1][:2], item[0]))
        merged = dict(by_age[-limit:])
    return merged
