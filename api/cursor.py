"""Where does the next page of a list begin? After the last row of this one, whatever has been added since."""

import base64
import binascii
from typing import TypeVar

import msgspec

from api.problems import Problem

T = TypeVar("T")


def to_cursor(place: object) -> str:
    """An opaque text for a place in a list."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def from_cursor(text: str, shape: type[T]) -> T:
    """The place that `to_cursor` wrote; a Problem (422) if it did not write this."""
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        return msgspec.json.decode(data, type=shape)
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError) as error:
        raise Problem(
            422,
            f"cursor {text[:80]!r} is not of this list: pass its last next_cursor, or leave it out.",
        ) from error
