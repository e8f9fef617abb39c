"""Is every projection a commutative monoid, bounded, and total?"""

from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections import (
    campaigns,
    customer,
    engagement,
    feedback,
    lifecycle,
    orders,
    permission,
    profile,
    rfm,
    service,
)
from projections.parameters import Boundaries, Parameters, Rules
from schemas.events import ClockTicked, Event
from tests.unit.projections.histories import adversarial, any_events, day, fold, histories

PROJECTIONS = [
    profile,
    orders,
    engagement,
    service,
    feedback,
    campaigns,
    permission,
    lifecycle,
    rfm,
    customer,
]
PARAMETERS = Parameters(
    rules=Rules(rhythm=True, rfm_window_days=90),
    boundaries=Boundaries(0, (1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), "USD", 10, 90),
    rates={"EUR/USD": "1.1", "JPY/USD": "0.0067"},
)
HISTORIES = histories() | st.lists(any_events(), max_size=6)
encode = msgspec.msgpack.Encoder(order="deterministic").encode

each_projection = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda module: module.__name__)
some = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@each_projection
@some
@given(events=HISTORIES, data=st.data())
def test_any_permutation_gives_the_same_state(
    projection: ModuleType, events: list[Event], data: st.DataObject
) -> None:
    """The order in which events come changes neither the state nor its bytes."""
    shuffled = list(events)
    data.draw(st.randoms(use_true_random=False)).shuffle(shuffled)
    state, other = fold(projection, events), fold(projection, shuffled)
    assert other == state
    assert encode(other) == encode(state)


@each_projection
@some
@given(events=HISTORIES, data=st.data())
def test_combining_two_folds_is_folding_both(
    projection: ModuleType, events: list[Event], data: st.DataObject
) -> None:
    """combine(fold(xs), fold(ys)) == fold(xs + ys)."""
    cut = data.draw(st.integers(0, len(events)))
    parts = projection.combine(fold(projection, events[:cut]), fold(projection, events[cut:]))
    assert parts == fold(projection, events)


@each_projection
@some
@given(xs=histories(45), ys=histories(45), zs=histories(45))
def test_combine_is_associative_and_commutative_with_zero(
    projection: ModuleType, xs: list[Event], ys: list[Event], zs: list[Event]
) -> None:
    """combine is a commutative monoid on states."""
    a, b, c = (fold(projection, events) for events in (xs, ys, zs))
    combine: Any = projection.combine
    assert combine(combine(a, b), c) == combine(a, combine(b, c))
    assert combine(a, b) == combine(b, a)
    assert combine(a, projection.zero()) == a == combine(projection.zero(), a)


@each_projection
def test_an_event_of_another_concern_changes_nothing(projection: ModuleType) -> None:
    """Engine events leave every customer state as it is."""
    tick = ClockTicked(event_id="e", occurred_at=1, received_at=1)
    assert projection.evolve(projection.zero(), tick) is projection.zero() or (
        projection is customer and customer.evolve(customer.zero(), tick) == customer.zero()
    )


@each_projection
@some
@given(events=HISTORIES, as_of=st.integers(0, day(5_000)))
def test_every_state_has_a_view(projection: ModuleType, events: list[Event], as_of: int) -> None:
    """A view is total and depends on state, as_of and parameters alone."""
    state = fold(projection, events)
    for parameters in (Parameters(), PARAMETERS):
        assert projection.view(state, as_of, parameters) == projection.view(state, as_of, parameters)


@some
@given(events=HISTORIES)
def test_a_packed_fold_is_the_fold(events: list[Event]) -> None:
    """unpack(evolve_packed(pack(s), e)) == evolve(s, e), and through bytes."""
    decode = msgspec.msgpack.Decoder(customer.Packed).decode
    state, packed = customer.zero(), customer.pack(customer.zero())
    for event in events:
        state = customer.evolve(state, event)
        packed = decode(encode(customer.evolve_packed(packed, event)))
    assert customer.unpack(packed) == state
    assert encode(customer.pack(state)) == encode(packed)


@some
@given(events=HISTORIES)
def test_a_customer_has_a_json_form(events: list[Event]) -> None:
    """Whatever happened, the body of GET /customers/{id} is JSON with the four sections of the contract."""
    body = customer.to_json(customer.view(fold(customer, events), day(3_000), PARAMETERS))
    assert msgspec.json.decode(msgspec.json.encode(body)).keys() >= {"profile", "orders", "lifecycle", "rfm"}


def test_nothing_is_seven_bytes_and_a_header() -> None:
    """A sub-state that no event touched is one byte."""
    assert encode(customer.pack(customer.zero())) == b"\x97" + b"\xc0" * 7


def test_a_row_is_bounded_whatever_is_sent() -> None:
    """With the longest texts, the most keys and the greatest numbers, a packed customer keeps its limit."""
    packed = customer.Packed()
    for event in adversarial(50):
        packed = customer.evolve_packed(packed, event)
    size = len(encode(packed))
    assert 10_000 < size <= customer.ROW_BYTES
