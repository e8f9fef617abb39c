"""Does the demo tell its user where it is, and do the three things that it says to try work as pasted?"""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx2

from tests.headwater import ROOT, environment, headwater, start

STOPPED_WITHIN_S = 30
SHOWN_WITHIN_S = 30
PASTED = re.compile(r"^   (\S.+)$", re.MULTILINE)


def shell(command: str) -> str:
    """What a user's shell prints when the line is pasted into it."""
    environ = environment(PYTHONPATH=str(ROOT))
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def test_what_the_demo_says_to_try_works_as_pasted(cdnow_copy: Path) -> None:
    """The curl of a customer, the SQL, the order that changes a stage; then Ctrl-C: exit 0."""
    process = start("demo", "--data-dir", cdnow_copy, "--port", "0")
    try:
        assert process.stderr is not None
        told = ""
        while "Ctrl-C stops it" not in told:
            line = process.stderr.readline()
            assert line, f"the demo ended: {told}"
            told += line
        read, ask, order = PASTED.findall(told)
        address = told.partition("Headwater is at ")[2].split()[0]
        customer = json.loads(shell(read))
        assert customer["lifecycle"]["stage"] == "dormant"
        assert "1997" in shell(ask)
        assert httpx2.get(f"{address}/ui/customers/{customer['customer_id']}").status_code == 200
        assert f"{address}/ui/customers/{customer['customer_id']} " in told
        assert json.loads(shell(order))["accepted"] == 1
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while json.loads(shell(read))["lifecycle"]["stage"] != "won_back":
            assert time.monotonic() < deadline, "the order changed no stage"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=STOPPED_WITHIN_S)
        assert process.returncode == 0, err
        assert out == ""
    finally:
        process.kill()


def test_a_directory_keeps_its_clock(tmp_path: Path) -> None:
    """The sample's own dates cannot be asked of a directory that runs on the wall clock."""
    (tmp_path / "engine.json").write_text('{"clock": "wall", "created_at": "2026-01-01T00:00:00+00:00"}')
    _, err = headwater("demo", "--original-dates", "--data-dir", tmp_path, expect=2)
    assert "runs on the wall clock since 2026-01-01" in err
    assert "--data-dir" in err
