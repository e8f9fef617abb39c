"""Do the compact structures keep what they say, against plain ones without a bound?"""

from collections import Counter

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from projections.compact import MAX_MINOR, OTHER, Latest, Tally, clip, count, hash64, id64, put

LATEST = Latest("QH", limit=4)
records = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12)
entries = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 100)), max_size=20)


@generated(records)
def test_latest_keeps_the_greatest_of_a_multiset(added: list[tuple[int, int]]) -> None:
    """Equal records are kept as often as they came."""
    kept = b""
    for record in added:
        kept = LATEST.add(kept, *record)
    assert LATEST.items(kept) == sorted(added)[-4:]
    assert LATEST.size(kept) == min(4, len(added))


@pytest.mark.parametrize("keep_greatest", [True, False])
@generated(added=entries)
def test_a_tally_keeps_whole_counts_of_the_keys_it_keeps(
    keep_greatest: bool, added: list[tuple[int, int]]
) -> None:
    """The four greatest keys, or the four least, with the sums of all that was added to them."""
    tally = Tally("B", counters=2, limit=4, keep_greatest=keep_greatest)
    table, number, total = b"", Counter[int](), Counter[int]()
    for key, amount in added:
        table = tally.add(table, (key,), 1, amount)
        number[key] += 1
        total[key] += amount
    kept = sorted(number)[-4:] if keep_greatest else sorted(number)[:4]
    assert list(tally.items(table)) == [((key,), (number[key], total[key])) for key in kept]


def test_a_counter_stops_at_the_greatest_64_bit_number() -> None:
    """Stopping is the same in every order, where wrapping or failing would not be."""
    tally = Tally("B", counters=1, limit=4, keep_greatest=True)
    table = tally.add(tally.add(b"", (1,), MAX_MINOR), (1,), 5)
    assert list(tally.items(table)) == [((1,), (MAX_MINOR,))]


@generated(st.lists(st.sampled_from("abcdefg"), max_size=30))
def test_count_keeps_the_alphabetically_first_keys(keys: list[str]) -> None:
    """Three keys by name, everything else together as other."""
    counts: dict[str, int] = {}
    for key in keys:
        counts = count(counts, key, 3)
    named = sorted(set(keys))[:3]
    rest = len([key for key in keys if key not in named])
    assert counts == {key: keys.count(key) for key in named} | ({OTHER: rest} if rest else {})


def test_put_keeps_the_keys_written_last() -> None:
    """An older value changes nothing, and the key written longest ago goes."""
    values = put({}, {"a": (1, 0, "x"), "b": (2, 0, "x"), "c": (3, 0, "x")}, 2)
    assert values == {"b": (2, 0, "x"), "c": (3, 0, "x")}
    assert put(values, {"b": (1, 9, "old"), "a": (0, 0, "old")}, 2) == values


def test_clip_cuts_between_letters() -> None:
    """A text is cut to bytes, never within a letter."""
    assert [clip("añ", limit) for limit in (0, 1, 2, 3)] == ["", "a", "a", "añ"]


def test_hashes_and_ids_are_the_same_on_every_machine() -> None:
    """They are part of rows: these numbers may never change without a new fold version."""
    assert hash64("order-1") == 0x2599000E8C1B023D
    assert id64("01890a5d-ac96-774b-bcce-b302099a8057") == 0x01890A5DAC96774B
    assert id64("not a uuid") == hash64("not a uuid")
