"""Who has the key, and who has a session of it?"""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from api.keys import COOKIE, SESSION_S, Key, credentials, local_path

TEXT = "correct-horse-battery"
NOW = 1_800_000_000.0


def key(text: str = TEXT, at: float = NOW) -> Key:
    return Key(text, now=lambda: at)


def request(*headers: tuple[str, str]) -> HTTPConnection:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return HTTPConnection({"type": "http", "path": "/", "headers": raw})


def test_a_session_ends() -> None:
    """It is taken up to its end, by any process with the key, and not from then on."""
    session = key().session()
    assert key(at=NOW + SESSION_S - 1).is_session(session)
    assert not key(at=NOW + SESSION_S).is_session(session)


def test_another_key_ends_every_session() -> None:
    """Changing the key signs everyone out."""
    assert not key("another-horse-battery").is_session(key().session())


def test_a_session_does_not_hold_the_key() -> None:
    """Who reads the cookie learns no key."""
    assert TEXT not in key().session()
    assert not key().is_key(key().session().encode())


@given(position=st.integers(0, 74), to=st.characters(max_codepoint=255))
def test_a_session_that_was_changed_is_none(position: int, to: str) -> None:
    """Whichever character it is, of the end or of the signature."""
    session = key().session()
    assert len(session) == 75
    changed = session[:position] + to + session[position + 1 :]
    assert key().is_session(changed) == (changed == session)


@pytest.mark.parametrize(
    "session", ["", ".", "9999999999", "9999999999.", f".{'0' * 64}", f"9999999999.{'0' * 64}", "ü.ü"]
)
def test_what_was_not_signed_is_no_session(session: str) -> None:
    """Least of all one that names its own end."""
    assert not key().is_session(session)


def test_a_later_end_needs_its_own_signature() -> None:
    """A session cannot be prolonged by whoever has it."""
    end, _, signature = key().session().partition(".")
    assert not key().is_session(f"{int(end) + 1}.{signature}")
    assert not key().is_session(f"0{end}.{signature}")


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [
        (f"Bearer {TEXT}", TEXT),
        (f"bearer  {TEXT} ", TEXT),
        ("Basic " + b64encode(f"anyone:{TEXT}".encode()).decode(), TEXT),
        ("BASIC " + b64encode(b":a:b").decode(), "a:b"),
        ("Basic " + b64encode(TEXT.encode()).decode(), ""),
        ("Basic not*base64", ""),
        ("Basic ü", ""),
        (f"Digest {TEXT}", ""),
        (TEXT, ""),
        ("", ""),
    ],
)
def test_the_key_is_read_from_either_scheme(authorization: str, shown: str) -> None:
    """Their names are in any case, the user is anyone, a password may have colons; nonsense is no key."""
    assert credentials(authorization) == shown.encode()


@pytest.mark.parametrize("wrong", [b"", TEXT[:-1].encode(), (TEXT + "x").encode(), TEXT.upper().encode()])
def test_only_the_whole_key_is_the_key(wrong: bytes) -> None:
    """No part of it, no other case."""
    assert key().is_key(TEXT.encode())
    assert not key().is_key(wrong)


def test_either_the_key_or_a_session_is_enough() -> None:
    """A proxy may send an Authorization of its own beside the browser's cookie."""
    cookie = ("cookie", f"other=1; {COOKIE}={key().session()}")
    assert key().is_shown_by(request(cookie))
    assert key().is_shown_by(request(cookie, ("authorization", "Basic cHJveHk6cHJveHk=")))
    assert key().is_shown_by(request(("authorization", f"Bearer {TEXT}"), ("cookie", f"{COOKIE}=old")))
    assert not key().is_shown_by(request(("cookie", f"{COOKIE}={TEXT}")))
    assert not key().is_shown_by(request())


@pytest.mark.parametrize("path", ["/", "/ui/customers/a%2Fb", "/docs?x=1#/events", "/summary?next=https://x"])
def test_a_path_of_this_engine_is_where_signing_in_leads(path: str) -> None:
    """With its query and its fragment."""
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        " //evil.example",
        "/x\\..\\\\evil.example",
        "evil.example",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(path: str) -> None:
    """Not to another host, however a browser would read the address."""
    assert local_path(path) == "/"
