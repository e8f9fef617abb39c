"""Who has the key? A caller shows it, as bearer or Basic password; a browser, the session that it got for it.

No other page can act through a signed-in browser: SameSite=Strict keeps the cookie from requests of other
sites, a POST is JSON (api/bodies.py) and a DELETE is no form, so that neither comes from another origin, a
report is asked for by no page of another origin, and the Host is ours (api/access.py).
"""

import binascii
import hmac
import re
import time
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem

SESSION_S = 12 * 60 * 60
COOKIE = "headwater_session"

HEALTH = frozenset({"/healthz", "/readyz"})
SIGN_IN = "/sign-in"
STATIC = "/static/"  # what every page is made of; nothing in it is anyone's data
REGISTRY = "/registry/"

BEARER = 'Bearer realm="Headwater"'
BASIC = 'Basic realm="Headwater", charset="UTF-8"'

# Browsers drop tabs and line ends from addresses, and read a backslash as a slash.
LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f]*")


class Key:
    """One key, and the sessions that it signs.

    A session is its end and a keyed digest of that: every process with this key takes it, none with another.
    """

    def __init__(self, text: str, now: Callable[[], float] = time.time) -> None:
        self._key = text.encode()
        self._now = now

    def is_key(self, given: bytes) -> bool:
        return _same(given, self._key)

    def session(self) -> str:
        """A new session, for SESSION_S from now."""
        end = str(int(self._now()) + SESSION_S)
        return f"{end}.{self._signature(end)}"

    def is_session(self, given: str) -> bool:
        """Whether this key signed it, and it has not ended."""
        end, _, signature = given.partition(".")
        return _same(signature.encode(), self._signature(end).encode()) and self._now() < int(end)

    def is_shown_by(self, request: HTTPConnection) -> bool:
        """Whether the request has the key, or a session."""
        shown = credentials(request.headers.get("authorization", ""))
        return self.is_key(shown) or self.is_session(request.cookies.get(COOKIE, ""))

    def _signature(self, end: str) -> str:
        return hmac.new(self._key, f"headwater session until {end}".encode(), sha256).hexdigest()


def _same(given: bytes, expected: bytes) -> bool:
    """Compared in a time that tells neither content nor length."""
    return hmac.compare_digest(sha256(given).digest(), sha256(expected).digest())


def credentials(authorization: str) -> bytes:
    """The bearer token or any user's Basic password in an Authorization header; empty where there is none."""
    scheme, _, rest = authorization.partition(" ")
    return (
        rest.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else _basic(authorization)[1]
    )


def _basic(authorization: str) -> tuple[bytes, bytes]:
    """User name and password of a Basic header; both empty of any other."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        user, _, password = b64decode(rest.strip().encode("latin-1", "replace"), validate=True).partition(
            b":"
        )
    except binascii.Error:
        return b"", b""
    return user, password


def caller(request: HTTPConnection) -> str:
    """Who asks: `local` where no key is asked for, else the user name that came with the key, `browser`, or
    `key`. There is one key, so that a user name is what its holder says."""
    if getattr(request.app.state, "key", None) is None:
        return "local"
    user = _basic(request.headers.get("authorization", ""))[0].decode("utf-8", "replace")
    named = "".join(each for each in user if each.isprintable())[:128]
    return named or ("browser" if COOKIE in request.cookies else "key")


def local_path(path: str) -> str:
    """The path if it leads to a page of this engine, else the dashboard's: signing in leads nowhere else."""
    return path if LOCAL_PATH.fullmatch(path) else "/"


class KeyCheck:
    """Refuse requests without the key, but for the health checks; lead a person to the sign-in page."""

    def __init__(self, app: ASGIApp, key: Key) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        request = HTTPConnection(scope)
        if path in HEALTH or path == SIGN_IN or path.startswith(STATIC) or self._key.is_shown_by(request):
            await self._app(scope, receive, send)
        elif scope.get("method") in ("GET", "HEAD") and "text/html" in request.headers.get("accept", ""):
            await RedirectResponse(sign_in_for(scope), 303)(scope, receive, send)
        else:
            await refusal(path)(scope, receive, send)


def sign_in_for(scope: Scope) -> str:
    """The address of the sign-in page that leads back to what was asked."""
    asked: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    if scope["query_string"]:
        asked += b"?" + scope["query_string"]
    return SIGN_IN if asked == b"/" else f"{SIGN_IN}?next={quote(asked, safe='/')}"


def refusal(path: str) -> ASGIApp:
    """401. Only the registry's clients are told of Basic, for which a browser opens a window of its own."""
    detail = "This call needs the engine's key: send Authorization: Bearer KEY, or sign in at /sign-in."
    if not path.startswith(REGISTRY):
        return Problem(401, detail, headers={"WWW-Authenticate": BEARER}).response()
    challenges = {"WWW-Authenticate": f"{BEARER}, {BASIC}"}
    return Problem(401, detail, headers=challenges, error_code=401, message=detail).response()
