"""A server that does nothing, to measure the load generator: one fixed response of the size of a product."""

from __future__ import annotations

import asyncio

BODY = b"x" * 1000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class NoopProtocol(asyncio.Protocol):
    """Responds to any data."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 (asyncio's signature)
        """Respond; each request is small enough to arrive whole."""
        self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def main() -> None:
    """Listen on a free port, print it, and serve."""
    server = await asyncio.get_running_loop().create_server(NoopProtocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
