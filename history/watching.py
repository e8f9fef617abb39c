"""How is Python stopped that goes on for too long? A watch raises in its thread."""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

AGAIN_S = 0.5  # then it is raised again, where something dropped it


class TooLong(BaseException):
    """Not an Exception, which a library might take for one of its own."""


class Watch:
    """Bounds the Python of the thread that makes it; what runs while it is paused does not count."""

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self._since: float | None = None  # None while paused
        self._of = threading.get_ident()
        self._lock = threading.RLock()
        self._ended = threading.Event()

    def bounded(self, call: Callable[[], T]) -> T:
        """What the call returns; raises TooLong in the midst of it, at its next step in Python."""
        threading.Thread(target=self._watch, name="history-watch", daemon=True).start()
        try:
            try:
                self.go_on()
                return call()
            finally:
                self._end()
        except TooLong:
            self._end()  # it may have been raised in the other one
            raise

    def pause(self) -> None:
        """From here on nothing is raised; raises TooLong where the time is over."""
        with self._lock:
            if self._since is not None:
                self._left_s -= time.monotonic() - self._since
                self._since = None
            _raise_in(self._of, None)  # not any more, if it is about to be
        if self._left_s <= 0:
            raise TooLong

    def go_on(self) -> None:
        self._since = time.monotonic()

    def _end(self) -> None:
        with self._lock:
            self._since = None
            _raise_in(self._of, None)
        self._ended.set()

    def _watch(self) -> None:
        wait_s = self._left_s
        while not self._ended.wait(max(wait_s, 0.01)):
            with self._lock:
                wait_s = self._left_s
                if self._since is not None:
                    wait_s -= time.monotonic() - self._since
                    if wait_s <= 0:
                        _raise_in(self._of, TooLong)
                        wait_s = AGAIN_S


def _raise_in(thread: int, what: type[BaseException] | None) -> None:
    """Have the thread raise it as soon as it runs Python; None takes back what it has not raised yet."""
    told = None if what is None else ctypes.py_object(what)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), told)
