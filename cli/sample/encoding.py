"""How is the sample encoded without holding up the fold? By a process of its own, which needs no GIL of ours.

`python -m cli.sample.encoding DATASET ROW SHIFT_DAYS RECEIVED_AT` writes batches of encoded events from there
on: 4 bytes of length, then msgpack. It ends with the process that reads, whatever ends that: the pipe breaks.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import islice

import msgspec

from cli import sample
from schemas.registry import RegistryRefused
from streams.loading import BATCH_ROWS, Encoded, encoded
from streams.runtime import tune
from streams.schema_ids import adopt
from streams.settings import Settings

_decode = msgspec.msgpack.Decoder(list[Encoded]).decode


@asynccontextmanager
async def encoding(
    name: str, first_row: int, *, shift_days: int, received_at: int
) -> AsyncIterator[AsyncIterator[list[Encoded]]]:
    """Batches of the sample's events from `first_row` on; ends early where the process fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__, name, str(first_row), str(shift_days), str(received_at)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        async with aclosing(_batches(process)) as batches:
            yield batches
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # wait() alone would wait for what nobody reads


async def _batches(process: asyncio.subprocess.Process) -> AsyncGenerator[list[Encoded]]:
    assert process.stdout is not None
    with suppress(asyncio.IncompleteReadError):  # its end
        while True:
            length = await process.stdout.readexactly(4)
            yield _decode(await process.stdout.readexactly(int.from_bytes(length)))


def main(name: str, first_row: int, shift_days: int, received_at: int) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end without a word
    tune()
    try:
        adopt(Settings())
    except RegistryRefused as refused:
        sys.exit(f"headwater: {refused}")
    dataset = sample.Dataset(name)
    events = sample.events(dataset, first_row, shift_days=shift_days, received_at=received_at)
    while batch := [encoded(event) for event in islice(events, BATCH_ROWS)]:
        data = msgspec.msgpack.encode(batch)
        sys.stdout.buffer.write(len(data).to_bytes(4) + data)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
