"""Who may ask? Only this machine, under a name of its own: a web page must not reach a local engine."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def host_name(header: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if it is not one."""
    header = header.strip().lower()
    if header.startswith("["):
        name, closed, port = header[1:].partition("]")
        well_formed = closed and (port == "" or (port[0] == ":" and port[1:].isdigit()))
        return name if well_formed else ""
    name, colon, port = header.partition(":")
    return name if not colon or port.isdigit() else ""


def require_loopback(host: str) -> None:
    """Raises ValueError for an address that other machines could reach."""
    if host not in LOOPBACK_NAMES:
        raise ValueError(
            f"HEADWATER_HOST is {host!r}, which other machines could reach: use 127.0.0.1, "
            "and a reverse proxy that authenticates where others must ask."
        )


class HostCheck:
    """Refuse requests that name another host: DNS rebinding would let any web page read the answers."""

    def __init__(self, app: ASGIApp, configured: str) -> None:
        self._app = app
        self._names = LOOPBACK_NAMES | {configured.lower()}

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
            f"The Host header names {given!r}, not this engine: use one of {', '.join(sorted(self._names))}.",
        )
        await refusal.response()(scope, receive, send)
