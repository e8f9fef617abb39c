"""Is a data directory held by one process, and how it was set up kept?"""

import json
import os
from pathlib import Path

import pytest

from cli import directory
from cli.errors import Refused


def test_a_held_directory_is_refused_naming_its_holder(tmp_path: Path) -> None:
    """Two engines over one log would fence each other."""
    with (
        directory.held(tmp_path / "data"),
        pytest.raises(Refused, match=f"in use by process {os.getpid()}: stop it"),
        directory.held(tmp_path / "data"),
    ):
        pass


def test_a_released_directory_can_be_held_again(tmp_path: Path) -> None:
    """The lock goes with its process, not with a file."""
    with directory.held(tmp_path):
        pass
    with directory.held(tmp_path):
        pass


def test_a_new_directory_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds personal data; what someone else made stays as it is."""
    (tmp_path / "made").mkdir(mode=0o755)
    for name, mode in (("new", 0o700), ("made", 0o755)):
        with directory.held(tmp_path / name):
            assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_a_file_in_the_way_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """What is no directory cannot hold data."""
    (tmp_path / "data").touch()
    with pytest.raises(Refused, match="--data-dir"), directory.held(tmp_path / "data"):
        pass


def test_the_first_start_fixes_the_clock(tmp_path: Path) -> None:
    """Later starts keep it, whatever they ask for."""
    directory.fix(tmp_path, clock="events")
    assert directory.fix(tmp_path, clock="wall").clock == "events"


def test_the_first_load_fixes_the_shift(tmp_path: Path) -> None:
    """A directory that was served before gets its shift with the sample, and then keeps it."""
    assert directory.fix(tmp_path, clock="wall").shift_days is None
    assert directory.fix(tmp_path, clock="wall", shift_days=7).shift_days == 7
    assert directory.fix(tmp_path, clock="wall", shift_days=8).shift_days == 7
    assert directory.fixed(tmp_path) == directory.fix(tmp_path, clock="events")


def test_a_damaged_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Guessing the clock mode would mix two kinds of time."""
    (tmp_path / "engine.json").write_text("{}")
    with pytest.raises(Refused, match="is damaged"):
        directory.fix(tmp_path, clock="wall")


def test_a_server_is_found_while_it_holds_the_directory(tmp_path: Path) -> None:
    """Commands go through it, and only as long as it serves."""
    with directory.held(tmp_path):
        assert directory.server(tmp_path) is None
        with directory.announced(tmp_path, "http://127.0.0.1:1"):
            assert directory.server(tmp_path) == directory.Server(os.getpid(), "http://127.0.0.1:1")
        assert directory.server(tmp_path) is None


def test_the_address_of_a_server_that_died_is_ignored(tmp_path: Path) -> None:
    """kill -9 leaves the file, but no lock."""
    with directory.held(tmp_path):
        pass
    (tmp_path / "server.json").write_text(json.dumps({"pid": 1, "address": "http://127.0.0.1:1"}))
    assert directory.server(tmp_path) is None
