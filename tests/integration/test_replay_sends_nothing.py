"""Can a replay send? A rebuild folds decisions that are still to be sent, and no socket opens."""

import asyncio
import subprocess
import sys
from pathlib import Path

from cli.compose import running
from tests.headwater import DONE_WITHIN_S, ROOT, environment
from tests.integration.delivering import tell_rules, webhook
from tests.integration.engines import append
from tests.integration.receiver import SECRET, Receiver, receiver
from tests.unit.streams.partition import order

WATCHED = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        print("OPENED", event, arguments, file=sys.stderr, flush=True)
sys.addaudithook(watch)
from cli.main import app
app()
"""


def watched(*arguments: str | Path) -> subprocess.Popen[str]:
    """The command, saying of each socket that opens."""
    return subprocess.Popen(
        [sys.executable, "-c", WATCHED, *map(str, arguments)],
        cwd=ROOT,
        env=environment(
            PYTHONPATH=str(ROOT), HEADWATER_WEBHOOK_SECRET_DEFAULT=SECRET, HEADWATER_CLOCK="events"
        ),
        stderr=subprocess.PIPE,
        text=True,
    )


async def decided(path: Path, there: Receiver) -> None:
    """Leave decisions that nobody has sent."""
    async with running(path, clock="events") as parts:
        await tell_rules(parts.engine.log, webhook(there.url))
        await append(parts.engine.log, (order(f"c{n}", 5 + n) for n in range(50)))
        await parts.settled()
        await parts.services.deliveries.caught_up()
        assert parts.services.deliveries.queue.counts == {("welcome", "pending"): 50}


async def test_a_rebuild_opens_no_socket(tmp_path: Path) -> None:
    """It folds the log again, decisions and all; they stay as they were, and a server sends them then."""
    async with receiver() as there:
        await decided(tmp_path, there)
        rebuild = watched("rebuild", "--data-dir", tmp_path)
        _, said = await asyncio.to_thread(rebuild.communicate, timeout=DONE_WITHIN_S)
        assert rebuild.returncode == 0, said
        assert "OPENED" not in said
        assert not there.calls
        serve = watched("serve", "--data-dir", tmp_path, "--port", "0")
        try:
            async with asyncio.timeout(DONE_WITHIN_S):
                while len(there.calls) < 50:
                    assert serve.poll() is None
                    await asyncio.sleep(0.05)
        finally:
            serve.terminate()
            _, said = await asyncio.to_thread(serve.communicate, timeout=DONE_WITHIN_S)
        assert "OPENED socket.connect" in said
        assert len({call.id for call in there.calls}) == 50
