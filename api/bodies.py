"""What did the caller send? JSON of a bounded size, or a problem that says what to send instead."""

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from starlette.requests import Request

from api.problems import FieldError, Problem
from schemas import document

MAX_BODY_BYTES = 1 << 20


JSON = "application/json"
T = TypeVar("T")


async def read_json(request: Request) -> object:
    """The body, decoded. Raises Problem: 415 (content type), 413 (over 1 MiB), 400 (not JSON)."""
    require_json(request)
    body = await _read(request)
    if not body.strip():
        raise Problem(400, "The body is empty: send what this call takes, as /docs describes it.")
    try:
        return document.read(body)
    except document.NotJson as error:
        raise Problem(
            400, f"The body is not JSON ({error}): correct it; NaN and Infinity are not JSON."
        ) from error


async def read_as(request: Request, kind: type[T], example: str) -> T:
    """The body as a Struct. Raises Problem, as read_json does, and 422 with `example` for another shape."""
    try:
        return msgspec.convert(await read_json(request), kind)
    except msgspec.ValidationError as error:
        detail = f"{error}: send {example}"
        named = re.search(r"(?:field `|`\$\.)(\w+)", str(error))
        field = named[1] if named else ""
        raise Problem(422, f"{detail}.", errors=[FieldError(0, field, detail)]) from error


def require_json(request: Request, kinds: Sequence[str] = (JSON,)) -> None:
    """Raises Problem (415) for another content type, also where the body says nothing: a page of another
    origin can send those, but not JSON."""
    content_type = request.headers.get("content-type", "")
    kind, _, parameters = content_type.partition(";")
    charset = parameters.replace('"', "").replace(" ", "").lower()
    if kind.strip().lower() not in kinds or charset not in ("", "charset=utf-8"):
        raise Problem(415, f"The Content-Type is {content_type[:80]!r}: send UTF-8 JSON as application/json.")


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Problem(413, f"The body is over {MAX_BODY_BYTES:,} bytes: send it in several requests.")
    return bytes(body)
