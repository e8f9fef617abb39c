"""How do the .avsc files become Python types? `python -m schemas.generate` writes schemas/events.py."""

import subprocess
import sys
from pathlib import Path

from schemas.rules import BOUNDS, RECORDS, Field, Record

OUT = Path(__file__).with_name("events.py")

HEADER = r'''"""What can happen? One frozen Struct an event, written by `python -m schemas.generate`.

Edit the .avsc files, not this. Each field's `doc` is there. Limits hold for what is decoded from the log.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

Uuid = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")]
CustomerId = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z", max_length=128)]
Millis = MILLIS  # since the epoch, UTC
Days = DAYS  # since 1970-01-01
Minor = MINOR  # money, in minor units of the record's currency
Long = LONG  # what JSON numbers hold exactly
Count = Annotated[int, Meta(ge=0, le=LONGEST)]
Positive = Annotated[int, Meta(ge=1, le=LONGEST)]
Double = DOUBLE  # finite


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """What every event has."""

    event_id: Uuid
    occurred_at: Millis
    received_at: Millis
    source: str = "api"


class CustomerEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something happened with one customer; customer_id is the record's key."""

    customer_id: CustomerId
    channel: str | None = None


class EngineEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something that the engine itself tells: the time, parameters in force, conclusions."""

    source: str = "engine"
'''
ALIASES = {"at": "Millis", "on": "Days", "money": "Minor", "long": "Long", "double": "Double"}
PLAIN = {"uuid": "Uuid", "string": "str", "currency": "str", "bytes": "bytes", "boolean": "bool"}
PLAIN |= {"int": "int", "map": "dict[str, str]"}
COMMON = {"event_id", "occurred_at", "received_at", "source"}
BASES = {"Event": COMMON, "EngineEvent": COMMON, "CustomerEvent": COMMON | {"customer_id", "channel"}}


def limited(f: Field) -> str:
    if f.kind == "double":
        return f"Annotated[float, Meta(ge={f.low!r}, le={f.high!r})]"
    return {0: "Count", 1: "Positive"}[int(f.low)]


def annotation(f: Field) -> str:
    if f.record:
        kind = f.record.name
    elif f.item:
        kind = f"tuple[{annotation(f.item)}, ...]"
    elif f.kind in BOUNDS and (f.low, f.high) != BOUNDS[f.kind]:
        kind = limited(f)
    elif f.name.endswith("customer_id") and (f.required or f.name != "customer_id"):
        kind = "CustomerId"
    else:
        kind = ALIASES.get(f.kind) or PLAIN[f.kind]
    return f"{kind} | None" if f.nullable else kind


def default(f: Field) -> str:
    if f.required:
        return ""
    if f.kind == "map":
        return " = field(default_factory=dict)"
    return f' = "{f.default}"' if isinstance(f.default, str) else f" = {f.default!r}"


def struct(record: Record, base: str) -> str:
    inherited = BASES.get(base, set())
    fields = [f"    {f.name}: {annotation(f)}{default(f)}" for f in record.fields if f.name not in inherited]
    head = f"class {record.name}({base}, frozen=True, kw_only=True, gc=False):"
    return "\n".join([head, f'    """{record.doc}"""', "", *fields]).rstrip()


def base_of(record: Record) -> str:
    if record.domain == "engine":
        return "EngineEvent"
    return "CustomerEvent" if any(f.name == "customer_id" for f in record.fields) else "Event"


def header() -> str:
    text = HEADER
    for kind, alias in ALIASES.items():
        low, high = BOUNDS[kind]
        python = "float" if kind == "double" else "int"
        text = text.replace(f"= {alias.upper()} ", f"= Annotated[{python}, Meta(ge={low!r}, le={high!r})] ")
    return text.replace("LONGEST", repr(BOUNDS["long"][1])).rstrip()


def source() -> str:
    """The text of events.py: the newest version of each event, with the records inside it before it."""
    parts = [header()]
    for record in RECORDS.values():
        inside = [f.item.record for f in record.fields if f.item and f.item.record]
        parts += [struct(r, "Struct") for r in inside] + [struct(record, base_of(record))]
    table = "".join(f'    "{name}": {name},\n' for name in RECORDS)
    parts.append(f"EVENT_TYPES: dict[str, type[Event]] = {{\n{table}}}")
    return formatted("\n\n\n".join(parts) + "\n")


def formatted(code: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", OUT.name, "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout  # noqa: S603


if __name__ == "__main__":
    OUT.write_text(source(), encoding="utf-8")
