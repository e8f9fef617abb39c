"""Does folding a partition announce each stage once, at its moment, whatever the runs?"""

import uuid
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import Event, LifecycleRulesSet, PageViewed
from streams import fold as fold_module
from streams.log import Record
from streams.outputs import output_id
from streams.rows import encode_row
from streams.topics import partition_for
from tests.unit.streams.partition import (
    APPENDED_MS,
    DAY_MS,
    Partition,
    day,
    event_id,
    folded,
    order,
    tick,
)


def page(customer: str, at: int) -> PageViewed:
    return PageViewed(
        event_id=event_id((customer, at)), customer_id=customer, occurred_at=at, received_at=at, url="/"
    )


def rules(at: int, **changes: int) -> LifecycleRulesSet:
    return LifecycleRulesSet(
        event_id=event_id(("rules", at)), occurred_at=at, received_at=at, version=f"v{at}", **changes
    )


def test_a_customer_goes_through_the_stages_of_silence_at_their_moments() -> None:
    """One order, then nothing: each stage is announced when its day comes, with one tick at the end."""
    assert folded(order("a", day(0)), tick(day(400))).stages("a") == [
        ("new", day(0)),
        ("at_risk", day(61)),
        ("dormant", day(181)),
        ("churned", day(366)),
    ]


def test_time_passes_by_other_customers_events_too() -> None:
    """Stream time is the partition's: b's order lets a's moment come, before b's own."""
    partition = folded(order("a", day(0)), order("b", day(61)))
    assert [(t.customer_id, t.to_stage) for t in partition.transitions()] == [
        ("a", "new"),
        ("a", "at_risk"),
        ("b", "new"),
    ]


def test_due_moments_fire_in_order_of_due_then_customer() -> None:
    """One tick fires several customers' moments as if time had passed slowly."""
    partition = folded(order("c", day(0)), order("b", day(1)), order("a", day(1)), tick(day(70)))
    fired = [(t.customer_id, t.occurred_at) for t in partition.transitions()[3:]]
    assert fired == sorted(fired, key=lambda due: (due[1], due[0]))
    assert [customer for customer, _ in fired] == ["c", "a", "b"]


def test_a_moment_at_the_time_of_an_event_fires_before_it() -> None:
    """An order at the very moment of the change comes after the change."""
    assert folded(order("a", day(0)), order("a", day(61))).stages("a") == [
        ("new", day(0)),
        ("at_risk", day(61)),
        ("active", day(61)),
    ]


def test_an_order_moves_the_due_moment() -> None:
    """The moment that the first order set never comes once a second one is there."""
    assert folded(order("a", day(0)), order("a", day(50)), tick(day(100))).stages("a") == [
        ("new", day(0)),
        ("active", day(50)),
    ]


def test_a_late_order_announces_one_transition_at_stream_time_marked_late() -> None:
    """An event behind stream time changes state; what was announced in between stays as it was."""
    partition = folded(order("a", day(0)), tick(day(100)), order("a", day(70)))
    last = partition.transitions()[-1]
    assert (last.to_stage, last.occurred_at, last.late) == ("active", day(100), True)
    assert len(partition.transitions()) == 3


def test_a_customer_without_an_order_is_announced_a_prospect_once() -> None:
    """The first event of any kind announces; later ones that change no stage do not."""
    partition = folded(page("a", day(0)), page("a", day(1)))
    assert partition.stages("a") == [("prospect", day(0))]
    assert partition.transitions()[0].from_stage is None


def test_a_repeated_event_id_changes_nothing() -> None:
    """The second of two records with one id is dropped: rows, counts and outputs are as without it."""
    once, twice = folded(order("a", day(0))), folded(order("a", day(0)), order("a", day(0)))
    assert twice.table == once.table
    assert twice.outputs == once.outputs
    assert (twice.row.events, twice.row.position) == (1, 2)


def test_an_id_is_known_for_64_events() -> None:
    """The 64th event back is a repeat, the 65th is not known any more."""
    pages = [page("a", day(n)) for n in range(64)]
    assert folded(*pages, pages[0]).row.events == 64
    assert folded(*pages, page("a", day(64)), pages[0]).row.events == 66


AHEAD = Record(0, b"a", encode(order("a", APPENDED_MS + 300_001)), APPENDED_MS)
OTHER_KEY = Record(0, b"b", encode(order("a", day(0))), APPENDED_MS)
NO_KEY = Record(0, None, encode(order("a", day(0))), APPENDED_MS)
CONTROL_KEY = Record(0, b"\x00partition", encode(order("\x00partition", day(0))), APPENDED_MS)
TICK_AHEAD = Record(0, None, encode(tick(APPENDED_MS + 300_001)), APPENDED_MS)
BAD_ID = Record(0, b"a", encode(msgspec.structs.replace(order("a", 0), event_id="1")), APPENDED_MS)
EMPTY = Record(0, b"a", None, APPENDED_MS)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (AHEAD, "5 minutes"),
        (TICK_AHEAD, "5 minutes"),
        (OTHER_KEY, "key"),
        (NO_KEY, "key"),
        (CONTROL_KEY, "customer_id"),
        (BAD_ID, "event_id"),
        (EMPTY, ""),
        (b"", ""),
        (b"\x00\x00\x00\xff\xffbody", "65535"),
        (b"not avro", ""),
        (encode(order("a", 0))[:-1], ""),
        (encode(order("a", 0)) + b"\x00", ""),
    ],
)
def test_what_cannot_be_folded_fails_once_with_its_bytes_and_the_rest_goes_on(
    bad: Record | bytes, reason: str
) -> None:
    """One ProcessingFailed names topic, partition, offset and reason; events around it are folded."""
    partition = folded(order("a", day(0)), bad, order("b", day(1)))
    (failure,) = partition.failures()
    assert (failure.topic, failure.partition, failure.offset) == ("headwater.events", 0, 1)
    assert reason in failure.reason
    assert (failure.key, failure.value) == (partition.records[1].key, partition.records[1].value)
    assert (partition.row.events, partition.row.failed, partition.row.stream_time_ms) == (2, 1, day(1))


def test_a_customer_of_another_partition_fails() -> None:
    """The lane folds only keys whose murmur2 hash is its own partition's."""
    (foreign,) = [name for name in ("a", "b", "c", "d", "e") if partition_for(name.encode(), 2) == 1][:1]
    partition = Partition().log(order(foreign, day(0)))
    run = fold_module.Run("headwater.events", 0, 0, 1, partition.records)

    async def effects() -> list[fold_module.Effects]:
        return [e async for e in fold_module.fold(run, partition.row, partition.table, partitions=2)]

    import asyncio

    (only,) = asyncio.run(effects())
    assert only.rows == {}
    assert only.partition.failed == 1


def test_new_rules_are_applied_to_every_customer_at_stream_time() -> None:
    """A change of thresholds announces the stages that they change, under their version."""
    partition = folded(
        order("a", day(0)), order("b", day(40)), tick(day(50)), rules(0, new_days=30), tick(day(71))
    )
    assert partition.stages("a") == [("new", day(0)), ("at_risk", day(50))]
    assert partition.stages("b") == [("new", day(40)), ("at_risk", day(71))]
    assert {t.rules_version for t in partition.transitions()} == {"default", "v0"}


def test_outputs_are_off_before_the_offset_that_a_rebuild_reached() -> None:
    """A rebuild folds again what was announced, and announces only what comes after."""
    partition = Partition().log(order("a", day(0)), b"bad", tick(day(70)), order("a", day(71)))
    partition.row = msgspec.structs.replace(partition.row, outputs_from=3)
    partition.fold()
    assert partition.stages("a") == [("active", day(71))]
    assert partition.failures() == []
    assert partition.row == msgspec.structs.replace(
        folded(order("a", day(0)), b"bad", tick(day(70)), order("a", day(71))).row, outputs_from=3
    )


moments = st.integers(0, 800).map(lambda n: n * DAY_MS // 2)
customers = st.sampled_from(["a", "b", "c"])
histories = st.lists(
    st.one_of(
        st.builds(order, customers, moments),
        st.builds(page, customers, moments),
        st.builds(tick, moments),
        st.builds(rules, moments, new_days=st.integers(1, 100), active_days=st.integers(1, 120)),
        st.just(b"bad"),
    ),
    max_size=30,
)


def results(partition: Partition) -> tuple[object, ...]:
    rows = {key: encode_row(row) for key, row in partition.table.stored.items()}
    return (rows, partition.table.index, partition.row, partition.outputs)


@given(histories, st.integers(1, 7))
def test_run_boundaries_are_invisible(history: Sequence[Event | bytes], run_size: int) -> None:
    """Rows, due index, partition row and outputs are the same however the log is cut into runs."""
    assert results(Partition().log(*history).fold(run_size)) == results(folded(*history))


@given(histories, st.integers(1, 5), st.integers(0, 60), st.integers(1, 3))
def test_a_crash_between_transactions_changes_nothing(
    history: Sequence[Event | bytes], run_size: int, crash_after: int, effects_at_most: int
) -> None:
    """Resuming from the last transaction's partition row gives what an uninterrupted fold gives."""
    whole = results(folded(*history))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "EFFECTS_AT_MOST", effects_at_most)
        patch.setattr(fold_module, "EFFECTS_A_RECORD", 0)
        partition = Partition().log(*history).fold(run_size, crash_after=crash_after).fold(run_size + 1)
    assert results(partition) == whole


@given(histories)
def test_the_announced_stage_is_the_one_at_stream_time(history: Sequence[Event | bytes]) -> None:
    """After any history each row's stage is its last transition's, and nothing due is left behind."""
    partition = folded(*history)
    for key, row in partition.table.stored.items():
        assert partition.stages(key.decode())[-1] == (row.stage, row.stage_since_ms)
        assert row.next_due_ms is None or row.next_due_ms > partition.row.stream_time_ms
    due = sorted((r.next_due_ms, k) for k, r in partition.table.stored.items() if r.next_due_ms is not None)
    assert due == partition.table.index


@given(histories)
def test_transition_ids_are_distinct(history: Sequence[Event | bytes]) -> None:
    """No two announcements share an id."""
    ids = [t.event_id for t in folded(*history).transitions()]
    assert len(ids) == len(set(ids))


def test_an_output_id_is_a_uuid_of_its_cause() -> None:
    """Version 8, RFC 9562 variant; another cause gives another id, and parts do not run together."""
    made = uuid.UUID(output_id("a", 1))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert str(made) == output_id("a", 1)
    assert len({output_id("a", 1), output_id("a1"), output_id("a", 2), output_id("b", 1)}) == 4
