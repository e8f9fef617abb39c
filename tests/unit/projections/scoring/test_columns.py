"""Does a column say of each customer what the features of that one say?"""

import math

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from projections import customer
from projections.scoring import columns, features
from projections.times import MAX_AT
from schemas.events import Event
from tests.unit.projections.histories import any_events, day, fold, histories, order

MOMENTS = st.integers(-10, 2_000).map(day) | st.integers(0, MAX_AT)
HISTORIES = histories() | st.lists(any_events(), max_size=8)


@settings(deadline=None)
@example([([order(MAX_AT)], MAX_AT), ([order(day(0), 2**62), order(day(1), 2**62 + 1)], day(2))])
@given(st.lists(st.tuples(HISTORIES, MOMENTS), max_size=6))
def test_features_by_column_are_those_of_each_customer(lives: list[tuple[list[Event], int]]) -> None:
    """To the bit, whoever else is among them."""
    states = [fold(customer, events) for events, _ in lives]
    moments = [as_of for _, as_of in lives]
    found = columns.by_column(states, moments)
    values = [tuple(None if math.isnan(value) else value for value in each) for each in found.T.tolist()]
    told = [features.of(state, as_of) for state, as_of in zip(states, moments, strict=True)]
    assert values == told
    assert [each.tobytes() for each in columns.packed(found)] == [features.packed(each) for each in told]
    assert np.array_equal(columns.of(states, moments), found, equal_nan=True)
