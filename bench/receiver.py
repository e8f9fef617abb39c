"""What does a benchmark deliver to? The cheapest receiver there is: it answers 204 to whatever comes.

`python -m bench.receiver` prints its port.
"""

import asyncio

from streams.runtime import tune

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
LENGTH = b"content-length: "


class Takes(asyncio.Protocol):
    """Reads requests off a connection, as many as come on it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (head := self._got.find(b"\r\n\r\n")) >= 0:
            at = self._got.lower().find(LENGTH, 0, head) + len(LENGTH)
            end = head + 4 + int(self._got[at : self._got.index(b"\r\n", at)])
            if len(self._got) < end:
                return
            self._got = self._got[end:]
            self._transport.write(ANSWER)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Takes, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    tune()
    asyncio.run(main())
