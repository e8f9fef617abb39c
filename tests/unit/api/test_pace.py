"""Does the read model gather long only while much arrives?"""

import pytest

from api.pace import BULK_PAUSE_S, PAUSES, Pace

SHORT_S, MIDDLE_S = (pause for _, pause in PAUSES)
READ_AND_WRITE_S = 0.005


def paused(pace: Pace, records_a_second: float, reads: int) -> float:
    """The pause that `pace` comes to under a steady rate: each pause decides how much the next read has."""
    pause_s = SHORT_S
    for _ in range(reads):
        elapsed_s = pause_s + READ_AND_WRITE_S
        pause_s = pace.pause_s(round(records_a_second * elapsed_s), elapsed_s)
    return pause_s


@pytest.mark.parametrize(
    ("records_a_second", "pause_s"),
    [(1, SHORT_S), (600, SHORT_S), (1_800, SHORT_S), (3_000, MIDDLE_S), (6_000, BULK_PAUSE_S)],
)
@pytest.mark.parametrize("burst", [0, 20_000])
def test_a_steady_rate_has_its_pause_whatever_went_before(
    records_a_second: float, pause_s: float, burst: int
) -> None:
    """A burst lengthens the next few pauses, and what these gather does not lengthen those after."""
    pace = Pace()
    pace.pause_s(burst, 0.02)
    assert paused(pace, records_a_second, reads=100) == pause_s


def test_a_burst_is_felt() -> None:
    """What is being loaded is gathered from the start, not after a while."""
    assert Pace().pause_s(2_500, 0.02) == BULK_PAUSE_S


def test_one_list_of_events_after_silence_is_no_burst() -> None:
    """Nothing suggests that more will come."""
    assert Pace().pause_s(3_000, 60.0) == SHORT_S


def test_two_reads_at_one_moment_have_a_rate() -> None:
    """A clock that did not move divides nothing by zero."""
    assert Pace().pause_s(1, 0.0) == SHORT_S
