"""Which disagreements does the doctor see, and which of them does it wait out?"""

from typing import Any

import msgspec
import pytest

from api.doctor import Found, checks
from projections.parameters import Parameters
from streams.loading import Progress
from streams.rows import PartitionRow, new_partition
from streams.topics import CUSTOMERS, EVENTS, TRANSITIONS


def partition(**changes: Any) -> PartitionRow:
    row = new_partition(Parameters())
    return msgspec.structs.replace(row, **({"position": 100, "events": 90, "customers": 7} | changes))


SOUND = Found(
    log={(EVENTS, 0): 100, (CUSTOMERS, 0): 50, (TRANSITIONS, 0): 20},
    folded={0: partition()},
    read_model_offsets={(CUSTOMERS, 0): 50, (TRANSITIONS, 0): 20},
    read_model_customers=7,
    archived={(EVENTS, 0): 100, (TRANSITIONS, 0): 20},
    history_events=90,
    history_customers=7,
    unfinished_loads={},
)


def wrong(**changes: Any) -> set[str]:
    return {check.what for check in checks(msgspec.structs.replace(SOUND, **changes)) if not check.ok}


def test_agreement_is_sound() -> None:
    """Nothing to say where all parts agree."""
    assert wrong() == set()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"folded": {0: partition(position=99)}}, "table follows the log"),
        ({"read_model_offsets": {(CUSTOMERS, 0): 50}}, "read model follows the table"),
        ({"read_model_customers": 6}, "read model has every customer"),
        ({"archived": {(EVENTS, 0): 100}}, "history follows the log"),
        ({"history_events": 89}, "history has every event"),
        ({"history_customers": 8}, "history has every event"),
        ({"folded": {0: partition(failed=1)}}, "every record was processed"),
        ({"unfinished_loads": {"mine.jsonl": Progress(digest="d", rows=9, row=3)}}, "every load is finished"),
    ],
)
def test_a_disagreement_is_named(changes: dict[str, Any], what: str) -> None:
    """Each part that does not follow is named, and only it."""
    assert wrong(**changes) == {what}


def test_counts_are_not_compared_while_records_are_on_their_way() -> None:
    """A part that is behind is said to be behind, not to be damaged."""
    assert wrong(archived={}, history_events=0, history_customers=0) == {"history follows the log"}
    assert wrong(read_model_offsets={}, read_model_customers=0) == {"read model follows the table"}


def test_an_unfinished_load_is_named_with_both_ways_to_end_it() -> None:
    """The remedy can be pasted into a shell, whatever the load is called."""
    unfinished = {"my file.jsonl": Progress(digest="d", rows=9, row=3)}
    *_, check = checks(msgspec.structs.replace(SOUND, unfinished_loads=unfinished))
    assert check.found == "'my file.jsonl' is at row 3 of 9"
    assert "run the same load again" in check.remedy
    assert "headwater events load --give-up 'my file.jsonl'" in check.remedy


def test_every_check_says_what_to_do() -> None:
    """No finding without a remedy."""
    assert all(check.remedy for check in checks(SOUND))
