"""What is in a file of events, one JSON object a line, and which of its lines are not events?"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

import msgspec

from schemas.form import Invalid, parse

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

    digest: str  # SHA-256 of the file, hex
    rows: int  # lines that are not blank
    faults: list[str]  # the first MOST_FAULTS


def lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                yield Line(number, text)


def check(path: Path, now_ms: int) -> Iterator[int | Checked]:
    """Read and validate the file as the API would: bytes read so far now and then, the result at the end."""
    digest = hashlib.sha256()
    rows = read = 0
    faults: list[str] = []
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            digest.update(text)
            read += len(text)
            if text.strip():
                rows += 1
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
        parse(msgspec.json.decode(line.text), now_ms=now_ms, source=SOURCE)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return [f"line {line.number}: not JSON ({error}): write one JSON object a line."]
    except Invalid as invalid:
        return [f"line {line.number}: {fault.field}: {fault.detail}" for fault in invalid.faults]
    return []


def chunks(path: Path, *, digest: str, after_row: int) -> Iterator[list[Document]]:
    """The events after the first `after_row`, as many at once as the API takes.

    An event without an id gets one from the file's digest and its line, the same on every load.
    """
    chunk: list[Document] = []
    size = 0
    for row, line in enumerate(lines(path)):
        if row < after_row:
            continue
        if chunk and (len(chunk) == CHUNK_EVENTS or size + len(line.text) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        document: Document = msgspec.json.decode(line.text, type=Document)
        document.setdefault("event_id", str(uuid5(NAMESPACE_OID, f"{digest}/{line.number}")))
        document.setdefault("source", SOURCE)
        chunk.append(document)
        size += len(line.text)
    if chunk:
        yield chunk
