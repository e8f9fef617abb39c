"""Which id has each schema? The built-in registry: ids for ever, kept in schemas/ids.lock.json.

`python -m schemas.registry lock` gives each new .avsc file an id and refuses one that changed since. Where
an external registry gives the ids (schemas/external.py), those are in force, and this module tells them.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from schemas.files import EVENT_FILES, EventFile

LOCK = Path(__file__).with_name("ids.lock.json")
NAMESPACE = "headwater"

Lock = dict[str, dict[str, dict[str, Any]]]  # subject -> version -> {"id", "sha256"}


class Registered(NamedTuple):
    id: int
    subject: str
    version: int
    schema: dict[str, Any]  # as published, with doc, pii and logical types


class UnknownSchema(LookupError):
    """No such id, subject or version in the registry."""


class RegistryRefused(Exception):
    """The external registry cannot be used; the message is one sentence with the remedy."""


class RegistryUnavailable(RegistryRefused):
    """The external registry tells neither the schema of an id nor that there is none: ask again."""

    def __init__(self, schema_id: int, why: str) -> None:
        super().__init__(why)
        self.schema_id = schema_id


# The module's state, set once in a process: ids in force instead of the lock file's; other schemas met
_external: dict[tuple[str, int], int] = {}
_met: dict[int, dict[str, Any]] = {}


def put_in_force(ids: Mapping[tuple[str, int], int]) -> None:
    """Let these ids, (subject, version) -> id, hold in this process; none bring the lock file's back.

    For schemas.codec.use, which a process calls once, before it reads or writes any event.
    """
    _external.clear()
    _external.update(ids)
    _met.clear()
    _ids.cache_clear()
    _subjects.cache_clear()


def meet(schema_id: int, schema: dict[str, Any]) -> None:
    """Remember what a record on the log was written with, which is no schema of ours."""
    _met[schema_id] = schema


def subject_of(name: str) -> str:
    return f"{NAMESPACE}.{name}"


def schema_id(name: str) -> int:
    """The id of the newest version of the event called name."""
    return lookup(subject_of(name), "latest").id


def schema(schema_id: int) -> dict[str, Any]:
    """The published schema with that id, or another that was met on the log; raises UnknownSchema."""
    return _met[schema_id] if schema_id in _met else by_id(schema_id).schema


def by_id(schema_id: int) -> Registered:
    """What is registered under that id; raises UnknownSchema."""
    try:
        return _ids()[schema_id]
    except KeyError:
        run = f"ids run from {min(_ids())} to {max(_ids())}"
        raise UnknownSchema(f"no schema has the id {schema_id}: {run}") from None


def all_registered() -> list[Registered]:
    """Every version of every schema, in the order of ids."""
    return sorted(_ids().values())


def subjects() -> list[str]:
    return sorted(_subjects())


def versions(subject: str) -> list[int]:
    """The versions of a subject, ascending; raises UnknownSchema."""
    try:
        return sorted(_subjects()[subject])
    except KeyError:
        raise UnknownSchema(f"no subject {subject!r}: GET /registry/subjects lists them") from None


def lookup(subject: str, version: int | Literal["latest"]) -> Registered:
    """One version of a subject; raises UnknownSchema."""
    known = versions(subject)
    wanted = known[-1] if version == "latest" else version
    if wanted not in known:
        raise UnknownSchema(f"{subject} has no version {version}: it has {', '.join(map(str, known))}")
    return _subjects()[subject][wanted]


@cache
def _ids() -> dict[int, Registered]:
    lock: Lock = json.loads(LOCK.read_text(encoding="utf-8"))
    return {entry.id: entry for entry in (_registered(file, lock) for file in EVENT_FILES)}


@cache
def _subjects() -> dict[str, dict[int, Registered]]:
    found: dict[str, dict[int, Registered]] = {}
    for entry in all_registered():
        found.setdefault(entry.subject, {})[entry.version] = entry
    return found


def _registered(file: EventFile, lock: Lock) -> Registered:
    subject = subject_of(file.name)
    locked = lock.get(subject, {}).get(str(file.version))
    if locked is None:
        raise UnknownSchema(f"{subject} v{file.version} has no id: run `python -m schemas.registry lock`")
    in_force = _external.get((subject, file.version)) or int(locked["id"])
    return Registered(in_force, subject, file.version, file.schema)


def fingerprint(schema: dict[str, Any]) -> str:
    """SHA-256 of all that must never change: everything but the docs and the layout."""
    text = json.dumps(_without_docs(schema), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_docs(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_docs(value) for key, value in part.items() if key != "doc"}
    return [_without_docs(item) for item in part] if isinstance(part, list) else part


def locked(files: tuple[EventFile, ...], lock: Lock) -> Lock:
    """The lock, with ids for new files; raises ValueError if a published schema changed or is gone."""
    ids = [entry["id"] for by_version in lock.values() for entry in by_version.values()]
    following = max(ids, default=0) + 1
    grown: Lock = {subject: dict(by_version) for subject, by_version in lock.items()}
    present = set()
    for file in files:
        subject, version, digest = subject_of(file.name), str(file.version), fingerprint(file.schema)
        present.add((subject, version))
        known = grown.setdefault(subject, {}).get(version)
        if known is None:
            grown[subject][version] = {"id": following, "sha256": digest}
            following += 1
        elif known["sha256"] != digest:
            raise ValueError(
                f"{file.name}.v{version}.avsc changed after it was published: undo that and "
                f"write {file.name}.v{file.version + 1}.avsc"
            )
    gone = {(subject, version) for subject in lock for version in lock[subject]} - present
    if gone:
        raise ValueError(f"published schemas are missing: restore the .avsc files of {sorted(gone)}")
    return grown


def main(arguments: list[str]) -> int:
    if arguments != ["lock"]:
        sys.stderr.write("usage: python -m schemas.registry lock\n")
        return 2
    lock: Lock = json.loads(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}
    LOCK.write_text(json.dumps(locked(EVENT_FILES, lock), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
