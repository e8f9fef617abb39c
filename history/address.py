"""Which ClickHouse does a URL name? An engine in a directory, or a server, told without its password."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

FORM = "clickhouse://user:password@host:8123/database"
SCHEMES = {"clickhouse": False, "clickhouses": True}  # scheme -> over TLS
OPTIONS = frozenset({"verify", "ca_cert", "client_cert", "client_cert_key", "server_host_name"})
TLS_PORTS = {443, 8443}
DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
YES = {"1", "true", "yes", "on"}


class BadAddress(ValueError):
    """The URL names no ClickHouse; the message does not repeat it, as it may hold a password."""


class Embedded(NamedTuple):
    """chDB in a directory."""

    dsn: str
    database: str | None = None

    def __str__(self) -> str:
        return self.dsn


class Server(NamedTuple):
    """ClickHouse behind HTTP."""

    dsn: str  # with user and password, for the driver
    interface: str
    host: str
    port: int
    database: str | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.interface}://{host}:{self.port}"


def parse(url: str) -> Embedded | Server:
    """Of `chdb:///absolute/path` or `clickhouse://user:password@host:8123/database`; raises BadAddress."""
    if url.startswith("chdb:"):
        return Embedded(url)
    try:
        return _server(urlsplit(url))
    except BadAddress:
        raise
    except ValueError:
        raise _malformed() from None


def _server(parts: SplitResult) -> Server:
    if parts.scheme not in SCHEMES:
        raise BadAddress(f"HEADWATER_HISTORY_URL names neither chDB nor ClickHouse: write {FORM}")
    database = unquote(parts.path.strip("/"))
    if not parts.hostname or parts.fragment or "@" in parts.path + parts.query or "/" in database:
        raise _malformed()
    if database and not DATABASE_NAME.fullmatch(database):
        raise BadAddress(
            f"HEADWATER_HISTORY_URL has the database {database[:40]!r}: name one of letters, digits, _ and -"
        )
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    secure = options.pop("secure", "").lower() in YES or SCHEMES[parts.scheme] or parts.port in TLS_PORTS
    for name in sorted(options.keys() - OPTIONS):
        known = ", ".join(["secure", *sorted(OPTIONS)])
        raise BadAddress(f"HEADWATER_HISTORY_URL has no option {name[:40]!r}: leave it out, or use {known}")
    return Server(
        dsn=urlunsplit(("clickhouse", parts.netloc, "", urlencode(options), "")),
        interface="https" if secure else "http",
        host=parts.hostname,
        port=parts.port or (8443 if secure else 8123),
        database=database or None,
    )


def _malformed() -> BadAddress:
    return BadAddress(
        f"HEADWATER_HISTORY_URL cannot be read: write {FORM}, and in user and password @ as %40, : as %3A, "
        "/ as %2F, # as %23, ? as %3F and % as %25"
    )
