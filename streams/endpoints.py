"""May this address be called? Public ones over https; this machine too, where the engine runs on it alone.

What a name resolves to is checked, and exactly that is connected to: a second resolution is never asked for.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

REACH_S = 5.0
PORTS = {"https": 443, "http": 80}
GLOBAL_UNICAST = IPv6Network("2000::/3")
TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))  # 6to4 and Teredo lead to an IPv4 address

Address: TypeAlias = IPv4Address | IPv6Address


class Forbidden(ValueError):
    """The address may not be called; the message says why, and what to do."""


class Unreachable(ValueError):
    """Nothing answers there, or it may not be called; the message says what to do."""


def is_public(address: Address) -> bool:
    """Whether it is an address of the internet, and of nobody's own network."""
    if address.is_multicast or not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return True
    return address in GLOBAL_UNICAST and not any(address in tunnel for tunnel in TUNNELS)


def check_url(url: str, *, embedded: bool) -> None:
    """Check what can be said without resolving; raises Forbidden.

    An address in place of a name never comes to the resolver, so it is checked here.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in PORTS or not host.isascii() or not host or not _has_port(parts):
        raise Forbidden(f"{_shown(url)} is no URL of a webhook: write https://host/path.")
    if parts.scheme != "https" and not (embedded and _means_loopback(host)):
        raise Forbidden(
            f"{_shown(url)} is not https, which everything but this machine is called with, and this machine "
            "only by the embedded engine: write https://."
        )
    if (address := _literal(host)) is not None:
        _check(host, address, embedded=embedded)


class CheckedResolver(AbstractResolver):
    """Resolves names for aiohttp, which connects to what this returns; raises Forbidden."""

    def __init__(self, resolver: AbstractResolver, *, embedded: bool) -> None:
        self._resolver = resolver
        self._embedded = embedded

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            _check(host, ip_address(each["host"]), embedded=self._embedded)
        return found

    async def close(self) -> None:
        await self._resolver.close()


async def check_reachable(url: str, *, embedded: bool) -> None:
    """Check that the URL may be called and that something listens there; raises Unreachable within 5 s."""
    try:
        check_url(url, embedded=embedded)
        parts = urlsplit(url)
        async with asyncio.timeout(REACH_S):
            await _open(parts.hostname or "", parts.port or PORTS[parts.scheme], embedded=embedded)
    except Forbidden as error:
        raise Unreachable(str(error)) from error
    except TimeoutError as error:
        raise Unreachable(
            f"{_shown(url)} does not answer within {REACH_S:.0f} s: see that it runs, and try again."
        ) from error
    except OSError as error:
        raise Unreachable(
            f"{_shown(url)} cannot be reached ({error.strerror or error}): correct the address, or start "
            "what listens there."
        ) from error


async def _open(host: str, port: int, *, embedded: bool) -> None:
    """Open a connection to one of the host's addresses, and close it; raises the last one's OSError."""
    resolver = CheckedResolver(ThreadedResolver(), embedded=embedded)
    failure = OSError(f"{host} has no address")
    for each in await resolver.resolve(host, port):
        try:
            _, writer = await asyncio.open_connection(each["host"], each["port"])
        except OSError as error:
            failure = error
        else:
            writer.close()
            return
    raise failure


def _has_port(parts: SplitResult) -> bool:
    """Whether its port is one; other digits than ASCII's would be an address to some and a name to others."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _check(host: str, address: Address, *, embedded: bool) -> None:
    if is_public(address) or (embedded and address.is_loopback and _means_loopback(host)):
        return
    where = host if host == str(address) else f"{host} is at {address}, which"
    raise Forbidden(f"{where} is no public address: name a public one.")


def _means_loopback(host: str) -> bool:
    """Whether the host itself says that it is this machine: a name that resolves to it may be a trap."""
    address = _literal(host)
    return host == "localhost" if address is None else address.is_loopback


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _shown(url: str) -> str:
    """Without path and query, which may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
