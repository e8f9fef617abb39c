"""Are only public addresses called, and exactly those that were checked?"""

import asyncio
import socket
from ipaddress import ip_address

import pytest
from aiohttp import ClientConnectorError, ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.endpoints import CheckedResolver, Forbidden, Unreachable, check_reachable, check_url, is_public

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "127.0.0.1",
    "169.254.169.254",  # metadata of clouds
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:8.8.8.8",  # mapped
    "::ffff:127.0.0.1",
    "64:ff9b::808:808",  # NAT64
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff0e::1",
]


class Names(AbstractResolver):
    """Says what a list says, once for each call."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_address_is_public(address: str) -> None:
    """Nor one of a network that leads to them."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """Of both versions."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("embedded", [True, False])
async def test_a_name_at_a_private_address_is_refused(address: str, embedded: bool) -> None:
    """Whatever else it resolves to, and also by the embedded engine."""
    resolver = CheckedResolver(Names(["93.184.215.14", address]), embedded=embedded)
    with pytest.raises(Forbidden, match="no public address: name a public one"):
        await resolver.resolve("hooks.example", 443)


async def test_the_embedded_engine_may_call_this_machine_by_its_own_name() -> None:
    """And nobody else may."""
    assert await CheckedResolver(Names(["127.0.0.1", "::1"]), embedded=True).resolve("localhost", 80)
    with pytest.raises(Forbidden):
        await CheckedResolver(Names(["127.0.0.1"]), embedded=False).resolve("localhost", 80)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https://",
        "https://10.0.0.1/",
        "https://[::ffff:7f00:1]/",
        "https://169.254.169.254/latest/meta-data",
    ],
)
@pytest.mark.parametrize("embedded", [True, False])
def test_urls_that_may_never_be_called(url: str, embedded: bool) -> None:
    """Without https, without a host, or at a private address."""
    with pytest.raises(Forbidden):
        check_url(url, embedded=embedded)


@pytest.mark.parametrize("url", ["http://localhost:9/", "http://127.0.0.1:9/", "https://[::1]/"])
def test_this_machine_is_called_by_the_embedded_engine_alone(url: str) -> None:
    """With or without https."""
    check_url(url, embedded=True)
    with pytest.raises(Forbidden):
        check_url(url, embedded=False)


def test_what_is_refused_is_told_without_its_path() -> None:
    """Which may hold a secret."""
    with pytest.raises(Forbidden) as refused:
        check_url("http://hooks.example/T0KEN?key=T0KEN", embedded=False)
    assert "T0KEN" not in str(refused.value)


async def test_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that would resolve to this machine the second time is not resolved a second time."""
    called = []

    async def connect(_loop: object, _socket: object, address: tuple[str, int]) -> None:
        called.append(address)
        raise OSError("no network in a unit test")

    monkeypatch.setattr(type(asyncio.get_running_loop()), "sock_connect", connect)
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    connector = TCPConnector(resolver=CheckedResolver(names, embedded=False))
    async with ClientSession(connector=connector) as session:
        with pytest.raises(ClientConnectorError):
            await session.get("https://rebinding.example/")
    assert called == [("93.184.215.14", 443)]
    assert names.answers == [["127.0.0.1"]]


async def test_what_listens_is_reachable() -> None:
    """A connection is opened to it, and nothing is sent."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await check_reachable(f"http://127.0.0.1:{port}/hook", embedded=True)
    with pytest.raises(Unreachable, match="write https://"):
        await check_reachable(f"http://127.0.0.1:{port}/hook", embedded=False)
    server.close()
    await server.wait_closed()
    with pytest.raises(Unreachable, match="cannot be reached"):
        await check_reachable(f"http://127.0.0.1:{port}/hook", embedded=True)


async def test_what_has_no_address_is_unreachable() -> None:
    """The message says what to correct."""
    with pytest.raises(Unreachable, match="correct the address"):
        await check_reachable("https://hooks.invalid/", embedded=True)
