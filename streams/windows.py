"""Which messages are on their way to an endpoint, and when is it left alone?"""

from collections import deque

from streams.delivery_queue import Entry

FAILURES = 10  # in a row, after which an endpoint is left alone
PAUSE_MS = 1_000  # at first; then twice as long after each trial that fails
PAUSE_AT_MOST_MS = 60_000
NEVER_MS = 1 << 62
SIZE = 256  # messages of an endpoint in memory that wait for their turn, about


class Breaker:
    """A circuit breaker (Nygard, Release It!): open after FAILURES, then one trial at a time may pass."""

    def __init__(self, failures: int = 0) -> None:
        self._failures = failures
        self._pause_ms = PAUSE_MS
        self._is_trying = False
        self.retry_at = 0  # ms, the wall clock's

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    def may_call(self, now_ms: int) -> bool:
        return not self.is_open or (not self._is_trying and now_ms >= self.retry_at)

    @property
    def wake_at(self) -> int:
        """When a trial may begin, if it is open and none has."""
        return self.retry_at if self.is_open and not self._is_trying else NEVER_MS

    def begin(self) -> bool:
        """A call begins that may; whether it is a trial."""
        self._is_trying = self.is_open
        return self._is_trying

    def end(self, now_ms: int, *, is_trial: bool, failed: bool | None) -> None:
        """A call ended, or did not take place (None)."""
        if is_trial:
            self._is_trying = False
        if failed is None:
            return
        if not failed:
            self._failures, self._pause_ms = 0, PAUSE_MS
            return
        was_open = self.is_open
        self._failures += 1
        if is_trial:
            self._pause_ms = min(2 * self._pause_ms, PAUSE_AT_MOST_MS)
        if is_trial or (self.is_open and not was_open):  # else it began before it opened, and is no news
            self.retry_at = now_ms + self._pause_ms


class Window:
    """The messages to one endpoint that are in memory: a window of those that are due."""

    def __init__(self, endpoint: str, failures: int) -> None:
        """`failures` of attempts in a row, up to now."""
        self.endpoint = endpoint
        self.breaker = Breaker(failures)
        self.ready: deque[Entry] = deque()
        self.under_way = 0
        self.look_at = 0  # ms, the wall clock's: when the queue may have more

    @property
    def has_room(self) -> bool:
        return len(self.ready) < SIZE // 2

    @property
    def wake_at(self) -> int:
        """When there is something to do, if nothing else happens; NEVER_MS for never."""
        return min(
            self.look_at if self.has_room else NEVER_MS, self.breaker.wake_at if self.ready else NEVER_MS
        )
