"""Which schema files are there? One .avsc a version of an event, in the folder of its domain."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent
DOMAINS = (
    "identity",
    "profile",
    "commerce",
    "behaviour",
    "service",
    "feedback",
    "marketing",
    "sales",
    "engine",
)


class EventFile(NamedTuple):
    domain: str
    name: str
    version: int
    schema: dict[str, Any]


def _read(domain: str, path: Path) -> EventFile:
    named = re.fullmatch(r"(\w+)\.v(\d+)\.avsc", path.name)
    schema = json.loads(path.read_text(encoding="utf-8"))
    if named is None or schema["name"] != named[1]:
        right = f"{schema['name']}.v<number>.avsc"
        raise ValueError(f"{domain}/{path.name} holds {schema['name']!r}: name it {right}")
    return EventFile(domain, named[1], int(named[2]), schema)


def newest(files: Iterable[EventFile]) -> list[EventFile]:
    """The newest version of each event, in the order of the files."""
    return list({file.name: file for file in files}.values())


EVENT_FILES: tuple[EventFile, ...] = tuple(
    sorted(
        (_read(domain, path) for domain in DOMAINS for path in (ROOT / domain).glob("*.avsc")),
        key=lambda file: (DOMAINS.index(file.domain), file.name, file.version),
    )
)
