"""Does a stopped command finish its clean-up?"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from cli.run import run_until_stopped


@pytest.fixture(autouse=True)
def switch_interval() -> Iterator[None]:
    """A command sets it for its whole process."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_cancel_the_clean_up(second: signal.Signals) -> None:
    """Whoever presses Ctrl-C twice loses nothing."""
    done: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), second)
            for _ in range(20):  # the loop takes a signal in at one of these
                await asyncio.sleep(0.005)
            done.append("cleaned up")

    run_until_stopped(work())
    assert done == ["cleaned up"]
