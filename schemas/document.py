"""What does a JSON text say, if it says each thing once?"""

import json
from typing import Any

import msgspec


class NotJson(ValueError):
    """The text is no JSON, or says something twice; the message says where."""


def read(text: bytes) -> object:
    """The decoded text; raises NotJson, also for NaN, encodings other than UTF-8 and a repeated key.

    msgspec keeps the last of several values of a key in silence, so the standard library looks for them.
    """
    try:
        document: object = msgspec.json.decode(text)
        json.loads(text, object_pairs_hook=_once)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise NotJson(str(error)) from error
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the key {json.dumps(twice[:80])} stands twice in one object")
    return found
