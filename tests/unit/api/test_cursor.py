"""Does a cursor lead back to its place, and nothing else anywhere?"""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursor import from_cursor, to_cursor
from api.problems import Problem


class Place(NamedTuple):
    value: int
    customer_id: str


@given(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(codec="utf-8")))
def test_a_cursor_leads_back_to_its_place(value: int, customer_id: str) -> None:
    """Any place survives the way through a URL."""
    cursor = to_cursor(Place(value, customer_id))
    assert from_cursor(cursor, Place) == Place(value, customer_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text() | st.binary().map(lambda data: to_cursor([data.hex()])))
def test_any_other_text_is_refused(text: str) -> None:
    """What no list gave is a 422, never a failure."""
    with pytest.raises(Problem) as refused:
        from_cursor(text, Place)
    assert refused.value.status == 422
