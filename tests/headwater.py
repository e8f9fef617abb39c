"""How do tests run the command? As a process; or in this one, where no engine has to start."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[1]
DONE_WITHIN_S = 600


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would set Headwater up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    return kept | more


def start(*arguments: str | Path, cwd: Path = ROOT, **more: str) -> subprocess.Popen[str]:
    """The command, running."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        cwd=cwd,
        env=environment(**{"PYTHONPATH": str(ROOT)} | more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def headwater(*arguments: str | Path, expect: int = 0, **more: str) -> tuple[str, str]:
    """Run the command to its end; its standard output and standard error."""
    process = start(*arguments, **more)
    try:
        out, err = process.communicate(timeout=DONE_WITHIN_S)
    finally:
        process.kill()
    assert process.returncode == expect, f"{arguments} ended with {process.returncode}:\n{out}\n{err}"
    return out, err


def ask(*arguments: str | Path, expect: int = 0) -> tuple[str, str]:
    """Run a command that goes through a server, or is refused, in this process: quicker.

    What it sets in the environment ends with it.
    """
    with patch.dict(os.environ):
        result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == expect, f"{arguments} ended with {result.exit_code}: {result.output}"
    return result.stdout, result.stderr
