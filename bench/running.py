"""How is a measurement run? In a process of its own, on the cores it is given."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def measured(module: str, *arguments: object, cores: Iterable[int] | None = None) -> dict[str, float]:
    """What a measurement printed; `cores` are those that it may use, by default ours."""
    print(f"bench: {module} {' '.join(map(str, arguments))}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"bench.{module}", *map(str, arguments)]
    allowed = None if cores is None else set(cores)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=None if allowed is None else lambda: os.sched_setaffinity(0, allowed),
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-10_000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"       {result}", file=sys.stderr, flush=True)
    return result


def pin(pid: int, cores: Iterable[int]) -> None:
    """Let a process, with the threads that it has and will have, use these cores only."""
    allowed = set(cores)
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), allowed)
