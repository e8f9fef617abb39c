"""Is Python stopped that takes too long, wherever it is, and left alone otherwise?"""

import time

import pytest

from history.watching import TooLong, Watch

LIMIT_S = 0.2


def spin() -> None:
    while True:
        pass


def test_what_ends_in_time_answers_and_nothing_is_raised_later() -> None:
    """Also not after the limit has passed."""
    assert Watch(LIMIT_S).bounded(lambda: 7) == 7
    for _ in range(10):
        time.sleep(LIMIT_S / 5)


def test_what_goes_on_is_stopped() -> None:
    """It need not help."""
    with pytest.raises(TooLong):
        Watch(LIMIT_S).bounded(spin)


def test_what_drops_it_is_stopped_again() -> None:
    """As an object's end or a library's callback may."""
    dropped = []

    def stubborn() -> None:
        try:
            spin()
        except BaseException as error:  # noqa: BLE001
            dropped.append(type(error))
        spin()

    with pytest.raises(TooLong):
        Watch(LIMIT_S).bounded(stubborn)
    assert dropped == [TooLong]


def test_an_error_of_its_own_comes_out() -> None:
    """The watch ends with it."""
    with pytest.raises(ZeroDivisionError):
        Watch(LIMIT_S).bounded(lambda: 1 / 0)


def test_a_pause_does_not_count() -> None:
    """What came before it and what comes after are added up."""
    watch = Watch(LIMIT_S)

    def paused() -> str:
        watch.pause()
        for _ in range(10):
            time.sleep(LIMIT_S / 5)
        watch.go_on()
        return "whole"

    assert watch.bounded(paused) == "whole"

    def overdue() -> None:
        time.sleep(2 * LIMIT_S)  # one call in C, which nothing can stop
        late.pause()

    late = Watch(LIMIT_S)
    with pytest.raises(TooLong):
        late.bounded(overdue)
