"""Who holds the data directory, and how was its engine fixed at the first start?

`lock` is held (flock) by the one process that has the engine open; `server.json` is its address, where it
serves one; `engine.json` fixes the clock mode and the sample's day shift for good.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from cli.errors import Refused

Clock = Literal["wall", "events"]
T = TypeVar("T")


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """engine.json: what every later start keeps."""

    clock: Clock
    shift_days: int | None = None  # of the sample's dates; None until it is loaded
    sample: str = "cdnow"  # whose dates these are
    created_at: str


class Server(msgspec.Struct, frozen=True):
    """server.json: the process that serves this directory."""

    pid: int
    address: str  # http://host:port


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Hold the directory, creating it; raises Refused where another process holds it."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # personal data: for its owner's eyes
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refused(
            f"Cannot use the data directory {data_dir} ({error.strerror}): name another with --data-dir."
        ) from error
    try:
        if not _locked(lock):
            raise Refused(_in_use(data_dir, os.pread(lock, 20, 0).decode().strip()))
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        (data_dir / "server.json").unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)


def _locked(lock: int, attempts: int = 10) -> bool:
    """Take the lock; a command that looks whether a server is there holds it for a moment, so try again."""
    for _ in range(attempts):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


def _in_use(data_dir: Path, pid: str) -> str:
    holder = f"process {pid}" if pid else "another process"
    return f"{data_dir} is in use by {holder}: stop it, or name another directory with --data-dir."


def fixed(data_dir: Path) -> Fixed | None:
    """How the directory was fixed; None before its first start."""
    return _read(data_dir / "engine.json", Fixed)


def fix(data_dir: Path, *, clock: Clock, shift_days: int | None = None, sample: str = "cdnow") -> Fixed:
    """Fix what is not fixed yet and return what is in force, which may differ from what was asked."""
    known = fixed(data_dir)
    if known is None:
        known = Fixed(
            clock=clock,
            shift_days=shift_days,
            sample=sample,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    elif known.shift_days is None and shift_days is not None:
        known = msgspec.structs.replace(known, shift_days=shift_days, sample=sample)
    else:
        return known
    _write(data_dir / "engine.json", known)
    return known


@contextmanager
def announced(data_dir: Path, address: str) -> Iterator[None]:
    """Tell other commands where the server is, as long as it serves."""
    path = data_dir / "server.json"
    _write(path, Server(os.getpid(), address))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def server(data_dir: Path) -> Server | None:
    """The server that holds the directory now; None where there is none (one that died left no lock)."""
    told = _read(data_dir / "server.json", Server)
    if told is None:
        return None
    lock = os.open(data_dir / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return told
    else:
        return None
    finally:
        os.close(lock)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise Refused(
            f"{path} is damaged ({error}): restore it from a backup, or start with another --data-dir."
        ) from error


def _write(path: Path, value: msgspec.Struct) -> None:
    """Replace the file at once, so that no reader and no crash sees half of it."""
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(value))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
