"""Which bodies are taken?"""

import pytest
from starlette.requests import Request
from starlette.types import Message

from api.bodies import MAX_BODY_BYTES, read_json
from api.problems import Problem


def request(body: bytes, content_type: str | None = "application/json") -> Request:
    """A request whose body comes in chunks, as from a network."""
    chunks = [body[start : start + 65_536] for start in range(0, len(body), 65_536)] or [b""]

    async def receive() -> Message:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
async def test_json_is_read(content_type: str) -> None:
    """UTF-8 JSON is taken under each of its names."""
    assert await read_json(request('{"a": "é"}'.encode(), content_type)) == {"a": "é"}


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
async def test_other_content_types_are_refused(content_type: str | None) -> None:
    """What a web page could send without asking first is a 415."""
    with pytest.raises(Problem) as refused:
        await read_json(request(b"{}", content_type))
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"{}{}",
        b'"\xff"',
        b'"\\ud800"',
        b"1e999",
        b"[" * 100_000,
        b"1" * 9_999,
    ],
)
async def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Broken, endless and deep documents are a 400, never a failure."""
    with pytest.raises(Problem) as refused:
        await read_json(request(body))
    assert refused.value.status == 400


async def test_a_body_over_the_limit_is_refused() -> None:
    """One MiB is taken, one byte more is a 413."""
    full = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'
    assert await read_json(request(full)) == "x" * (MAX_BODY_BYTES - 2)
    with pytest.raises(Problem) as refused:
        await read_json(request(full + b" "))
    assert refused.value.status == 413


async def test_a_key_that_stands_twice_is_refused() -> None:
    """Neither of its values is taken in silence, however deep it is or however it is written."""
    for body in (b'{"a": 1, "b": [{"a": 1, "c": {}, "\\u0061": 2}]}', b'{"a": 1, "a": 1}'):
        with pytest.raises(Problem, match='the key "a" stands twice') as refused:
            await read_json(request(body))
        assert refused.value.status == 400


async def test_an_empty_body_is_told_as_such() -> None:
    """Not as a fault of the parser."""
    with pytest.raises(Problem, match="The body is empty: send") as refused:
        await read_json(request(b" \n"))
    assert refused.value.status == 400


async def test_a_number_of_too_many_digits_is_a_problem() -> None:
    """No failure of the engine."""
    with pytest.raises(Problem) as refused:
        await read_json(request(b"9" * 10_000))
    assert refused.value.status == 400
