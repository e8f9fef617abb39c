"""How do the .avsc files become Python types? `python -m schemas.generate` writes schemas/events.py."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from schemas.files import EVENT_FILES, EventFile, newest

OUT = Path(__file__).with_name("events.py")

HEADER = '''"""What can happen? One frozen Struct an event, written by `python -m schemas.generate`.

Edit the .avsc files, not this. Times (`*_at`, `as_of`) are ms since the epoch, UTC; dates (`*_on`) are days
since it; money (`*_minor`) is in minor units of the currency. Each field's `doc` is in its .avsc file.
"""

from msgspec import Struct, field


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """What every event has."""

    event_id: str
    occurred_at: int
    received_at: int
    source: str = "api"


class CustomerEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something happened with one customer; customer_id is the record's key."""

    customer_id: str
    channel: str | None = None


class EngineEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something that the engine itself tells: the time, parameters in force, conclusions."""

    source: str = "engine"
'''

BASES = {
    "Event": {"event_id", "occurred_at", "received_at", "source"},
    "CustomerEvent": {"event_id", "customer_id", "occurred_at", "received_at", "source", "channel"},
    "EngineEvent": {"event_id", "occurred_at", "received_at", "source"},
}
PRIMITIVES = {
    "string": "str",
    "int": "int",
    "long": "int",
    "double": "float",
    "boolean": "bool",
    "bytes": "bytes",
}


def python_type(avro: Any) -> str:
    match avro:
        case str():
            return PRIMITIVES[avro]
        case ["null", other]:
            return f"{python_type(other)} | None"
        case {"type": "array", "items": items}:
            return f"tuple[{python_type(items)}, ...]"
        case {"type": "map", "values": values}:
            return f"dict[str, {python_type(values)}]"
        case {"type": "record", "name": str(name)}:
            return name
        case {"type": str(primitive)}:
            return PRIMITIVES[primitive]
    raise ValueError(f"no Python type for the Avro type {avro!r}: use one that schemas/generate.py knows")


def python_default(avro_field: dict[str, Any]) -> str:
    match avro_field:
        case {"default": {}}:
            return " = field(default_factory=dict)"
        case {"default": []}:
            return " = ()"
        case {"default": str(text)}:
            return f' = "{text}"'
        case {"default": value}:
            return f" = {value!r}"
    return ""


def struct(record: dict[str, Any], base: str, inherited: set[str]) -> str:
    head = f"class {record['name']}({base}, frozen=True, kw_only=True, gc=False):"
    fields = [f for f in record["fields"] if f["name"] not in inherited]
    lines = [f"    {f['name']}: {python_type(f['type'])}{python_default(f)}" for f in fields]
    return "\n".join([head, f'    """{record["doc"]}"""', "", *lines]).rstrip()


def nested(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        f["type"]["items"]
        for f in record["fields"]
        if isinstance(f["type"], dict) and isinstance(f["type"].get("items"), dict)
    ]


def base_of(file: EventFile) -> str:
    if file.domain == "engine":
        return "EngineEvent"
    return "CustomerEvent" if any(f["name"] == "customer_id" for f in file.schema["fields"]) else "Event"


def source() -> str:
    """The text of events.py: the newest version of each event, with the records inside it before it."""
    files = newest(EVENT_FILES)
    parts = [HEADER.rstrip()]
    for file in files:
        base = base_of(file)
        parts += [struct(record, "Struct", set()) for record in nested(file.schema)]
        parts.append(struct(file.schema, base, BASES[base]))
    table = "".join(f'    "{file.name}": {file.name},\n' for file in files)
    parts.append(f"EVENT_TYPES: dict[str, type[Event]] = {{\n{table}}}")
    return formatted("\n\n\n".join(parts) + "\n")


def formatted(code: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", OUT.name, "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout  # noqa: S603


if __name__ == "__main__":
    OUT.write_text(source(), encoding="utf-8")
