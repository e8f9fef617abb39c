"""Is the sample that a process of its own encodes the sample?"""

import asyncio
import contextlib
from typing import Any

import pytest

from cli.sample import cdnow
from cli.sample.encoding import encoding
from streams.loading import encoded


@pytest.mark.parametrize("first_row", [0, 68_123])
async def test_the_encoded_rows_are_the_samples_from_the_row_on(first_row: int) -> None:
    """All of them, in their order, so that a load that was interrupted goes on with the same events."""
    async with encoding("cdnow", first_row, shift_days=3, received_at=1) as batches:
        rows = [row async for batch in batches for row in batch]
    expected = cdnow.events(first_row, shift_days=3, received_at=1)
    assert rows == [encoded(event) for event in expected]


async def test_who_stops_early_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a load, with more encoded than was read: the process is gone, at once."""
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def recorded(*args: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await start(*args, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", recorded)
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.timeout(30), encoding("cdnow", 0, shift_days=0, received_at=1) as batches:
            await anext(batches)
            await asyncio.sleep(1)  # the pipe is full by now
            assert [process.returncode for process in started] == [None]
            raise asyncio.CancelledError
    assert started[0].returncode is not None


async def test_beyond_the_last_row_there_is_nothing() -> None:
    """A load that has every row ends, and does not wait for more."""
    async with encoding("cdnow", 69_659, shift_days=0, received_at=1) as batches:
        assert [batch async for batch in batches] == []
