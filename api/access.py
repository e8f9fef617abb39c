"""Who may ask, by which name? Only this machine, until a key is set: a web page must not reach an engine."""

from collections.abc import Set

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem
from streams.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # where to listen, and no name of this engine


def host_name(header: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if it is not one."""
    header = header.strip().lower()
    if header.startswith("["):
        name, closed, port = header[1:].partition("]")
        well_formed = closed and (port == "" or (port[0] == ":" and port[1:].isdigit()))
        return name if well_formed else ""
    name, colon, port = header.partition(":")
    return name if not colon or port.isdigit() else ""


def check(settings: Settings) -> None:
    """Raises ValueError for settings that no API is served with: without a key for an address that other
    machines could reach, or with a server name that is none."""
    if settings.host not in LOOPBACK_NAMES and settings.api_key is None:
        raise ValueError(
            f"HEADWATER_HOST is {settings.host!r}, which other machines could reach: "
            "set HEADWATER_API_KEY (openssl rand -hex 32 prints one), or use 127.0.0.1."
        )
    server_names(settings)


def server_names(settings: Settings) -> frozenset[str]:
    """The names that a request may give as its Host. Raises ValueError for one that is no name."""
    given = [each.strip() for each in settings.server_names.split(",") if each.strip()]
    for each in given:
        if not host_name(each) or "/" in each:
            raise ValueError(
                f"HEADWATER_SERVER_NAMES has {each!r}: write names as they stand in an address, "
                "such as crm.example.org or [2001:db8::1], with commas between."
            )
    return (LOOPBACK_NAMES | {settings.host.lower()} | set(map(host_name, given))) - EVERY_ADDRESS


def refuse_other_sites(request: Request) -> None:
    """Raises a Problem (403) for what a page of another origin has a browser ask: a GET may cost much, too.

    Browsers say in Sec-Fetch-Site who asks, no other client does; and no such page can send a bearer's key.
    """
    asker = request.headers.get("sec-fetch-site", "none").lower()
    scheme = request.headers.get("authorization", "").partition(" ")[0]
    if asker not in ("same-origin", "none") and scheme.lower() != "bearer":
        raise Problem(
            403,
            f"A page of another site asks (Sec-Fetch-Site is {asker[:40]!r}): enter this address yourself, "
            "or open /ui/reports.",
        )


class HostCheck:
    """Refuse requests that name another host: DNS rebinding would let any web page read the answers."""

    def __init__(self, app: ASGIApp, names: Set[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and host_name(hosts[0]) in self._names:
            await self._app(scope, receive, send)
            return
        given = ", ".join(hosts) or "nothing"
        refusal = Problem(
            421,
            f"The Host header names {given!r}, not this engine: use one of {', '.join(sorted(self._names))}, "
            "or add yours to HEADWATER_SERVER_NAMES.",
        )
        await refusal.response()(scope, receive, send)
