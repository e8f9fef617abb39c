"""What does a command say of an answer?"""

import httpx2
import pytest

from cli.client import Client
from cli.errors import Refused


async def said(status: int, content: bytes) -> object:
    """What GET gives where the server answers so."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, content=content))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await Client(http).get("/summary")


async def test_an_answer_is_its_json() -> None:
    """Values as they are."""
    assert await said(200, b'{"customers": 3}') == {"customers": 3}


@pytest.mark.parametrize("status", [200, 500, 502])
@pytest.mark.parametrize(
    "content", [b"", b"Internal Server Error", b"<html>", b"\xff\xfe", b"[]x", b'"text"x']
)
async def test_an_answer_that_is_not_headwaters_is_refused_in_one_sentence(
    status: int, content: bytes
) -> None:
    """No traceback: the address, the status, and where to look."""
    with pytest.raises(Refused, match=rf"/summary answered {status} with .*: look at the server's output\.$"):
        await said(status, content)


async def test_a_server_that_asks_for_a_key_is_told_as_what_to_set() -> None:
    """Whatever it says itself, of headers and pages, is not for a shell."""
    with pytest.raises(
        Refused, match=r"/summary asks for a key: set HEADWATER_API_KEY to the server's key\.$"
    ):
        await said(401, b'{"detail": "Send Authorization: Bearer KEY."}')


async def test_a_problem_without_a_sentence_is_refused_too() -> None:
    """JSON of somebody else's."""
    with pytest.raises(Refused, match="answered 503"):
        await said(503, b'{"error": "busy"}')


async def test_a_problem_says_its_sentence_and_each_of_several_faults() -> None:
    """A single fault is in the sentence already."""
    fault = '{"index": 1, "field": "amount", "detail": "is negative"}'
    with pytest.raises(Refused, match=r"^No\.$"):
        await said(422, f'{{"detail": "No.", "status": 422, "errors": [{fault}]}}'.encode())
    whole = '{"index": 1, "field": "", "detail": "is no object"}'
    with pytest.raises(Refused, match=r"^No\.\n  1: is no object\n  1: amount: is negative$"):
        await said(422, f'{{"detail": "No.", "errors": [{whole}, {fault}]}}'.encode())
    with pytest.raises(Refused, match=r"^No\.\n  1: amount: is negative\n  1: amount: is negative$"):
        await said(422, f'{{"detail": "No.", "errors": [{fault}, {fault}]}}'.encode())
