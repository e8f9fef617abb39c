"""When is an endpoint left alone, and when is it tried again?"""

from hypothesis import given
from hypothesis import strategies as st

from streams.windows import FAILURES, NEVER_MS, PAUSE_AT_MOST_MS, PAUSE_MS, Breaker


def call(breaker: Breaker, now_ms: int, *, failed: bool) -> None:
    breaker.end(now_ms, is_trial=breaker.begin(), failed=failed)


def opened(now_ms: int = 0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        call(breaker, now_ms, failed=True)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    """A success between them begins the count anew."""
    breaker = Breaker()
    for down in [True] * (FAILURES - 1) + [False] + [True] * (FAILURES - 1):
        call(breaker, 0, failed=down)
    assert not breaker.is_open
    call(breaker, 0, failed=True)
    assert breaker.is_open
    assert not breaker.may_call(PAUSE_MS - 1)


def test_then_one_trial_at_a_time_may_pass() -> None:
    """It closes where that succeeds; where it fails the pause is twice as long, up to a minute."""
    breaker, now_ms, pauses = opened(), 0, []
    for _ in range(10):
        pauses.append(breaker.wake_at - now_ms)
        now_ms = breaker.wake_at
        assert breaker.may_call(now_ms)
        is_trial = breaker.begin()
        assert not breaker.may_call(now_ms)
        assert breaker.wake_at == NEVER_MS
        breaker.end(now_ms, is_trial=is_trial, failed=True)
    assert pauses == [min(PAUSE_MS << n, PAUSE_AT_MOST_MS) for n in range(10)]
    now_ms = breaker.wake_at
    call(breaker, now_ms, failed=False)
    assert not breaker.is_open
    assert breaker.may_call(now_ms)


def test_a_trial_that_made_no_call_is_none() -> None:
    """The next message may try."""
    breaker = opened()
    now_ms = breaker.wake_at
    breaker.end(now_ms, is_trial=breaker.begin(), failed=None)
    assert breaker.is_open
    assert breaker.may_call(now_ms)


def test_calls_of_before_it_opened_make_no_pause_longer() -> None:
    """They end late, and are no news."""
    breaker = Breaker()
    calls = [breaker.begin() for _ in range(FAILURES + 20)]
    for now_ms, is_trial in enumerate(calls):
        breaker.end(now_ms, is_trial=is_trial, failed=True)
    assert breaker.wake_at == FAILURES - 1 + PAUSE_MS


def test_what_failed_before_a_restart_still_counts() -> None:
    """A restart does not burst: the first call is a trial."""
    breaker = Breaker(FAILURES)
    assert breaker.may_call(0)
    assert breaker.begin()
    assert not breaker.may_call(0)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), max_size=200))
def test_it_always_calls_again(history: list[tuple[int, bool]]) -> None:
    """Whatever happened, a minute later at most a call may be made."""
    breaker, now_ms = Breaker(), 0
    for wait_ms, down in history:
        now_ms += wait_ms
        if breaker.may_call(now_ms):
            call(breaker, now_ms, failed=down)
    assert breaker.may_call(now_ms + PAUSE_AT_MOST_MS)
