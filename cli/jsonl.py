"""What is in a file of events, one JSON object a line, and which of its lines are not events?"""

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

import msgspec

from schemas import document
from schemas.form import Fault, Invalid, parse

CHUNK_EVENTS = 500
CHUNK_BYTES = 512 * 1024
MOST_FAULTS = 20
SOURCE = "file"

Document = dict[str, object]


class Line(NamedTuple):
    number: int  # in the file, from 1
    text: bytes


class Checked(NamedTuple):
    """A whole file, read once: `faults` are sentences that begin with the line's number."""

    digest: str  # of its rows, as digest_of_first has it
    rows: int  # lines that are not blank
    faults: list[str]  # the first MOST_FAULTS


def lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                yield Line(number, text)


def _sentence(line: int, fault: Fault) -> str:
    return ": ".join(part for part in (f"line {line}", fault.field, fault.detail) if part)


def digest_of_first(path: Path, rows: int) -> str:
    """SHA-256 of the first rows, hex; blank lines, indents and the kind of line end make no difference."""
    digest = hashlib.sha256()
    for line in islice(lines(path), rows):
        digest.update(line.text.strip() + b"\n")
    return digest.hexdigest()


def check(path: Path, now_ms: int) -> Iterator[int | Checked]:
    """Read and validate the file as the API would: bytes read so far now and then, the result at the end."""
    digest = hashlib.sha256()
    rows = read = 0
    faults: list[str] = []
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            read += len(text)
            if row := text.strip():
                rows += 1
                digest.update(row + b"\n")
                if len(faults) < MOST_FAULTS:
                    faults += faults_of(Line(number, text), now_ms)
            if number % 1_000 == 0:
                yield read
    yield Checked(digest.hexdigest(), rows, faults[:MOST_FAULTS])


def faults_of(line: Line, now_ms: int) -> list[str]:
    """Why a line is not an event; empty if it is one."""
    if len(line.text) > CHUNK_BYTES:
        return [f"line {line.number}: {len(line.text)} bytes are more than {CHUNK_BYTES}: split the event."]
    try:
        parse(document.read(line.text), now_ms=now_ms, source=SOURCE)
    except document.NotJson as error:
        return [f"line {line.number}: not JSON ({error}): write one JSON object a line."]
    except Invalid as invalid:
        return [_sentence(line.number, fault) for fault in invalid.faults]
    return []


def chunks(path: Path, *, name: str, after_row: int) -> Iterator[list[Document]]:
    """The events after the first `after_row`, as many at once as the API takes.

    An event without an id gets one from the load's name and its row, the same on every run.
    """
    chunk: list[Document] = []
    size = 0
    for row, line in enumerate(lines(path)):
        if row < after_row:
            continue
        if chunk and (len(chunk) == CHUNK_EVENTS or size + len(line.text) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        event: Document = msgspec.json.decode(line.text, type=Document)
        event.setdefault("event_id", _id(name, row, line.text))
        event.setdefault("source", SOURCE)
        chunk.append(event)
        size += len(line.text)
    if chunk:
        yield chunk


def _id(name: str, row: int, text: bytes) -> str:
    return str(uuid5(NAMESPACE_OID, f"{name}/{row}/{text.strip().decode()}"))
