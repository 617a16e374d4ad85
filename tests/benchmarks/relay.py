"""Puts LM Studio on another machine: ``python -m tests.benchmarks.relay BACKEND PORT TLS_PORT CERTIFICATE DELAY_MS``.

Every byte arrives half of the round-trip time later, and the first ones of a connection a whole one later still: TCP's
handshake takes that. What comes to the second port is decrypted behind the delay, so that TLS's handshake takes its
round trips, too.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

from tests.benchmarks.children import end_with_parent

Handler = Callable[[StreamReader, StreamWriter], Awaitable[None]]
_BLOCK_BYTES = 1 << 18


async def _pass_on(reader: StreamReader, writer: StreamWriter, delay: float, wait_until: float = 0.0) -> None:
    """Send what arrives ``delay`` seconds later, and end as it ends."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            block = await reader.read(_BLOCK_BYTES)
        except OSError:
            block = b""
        due = max(loop.time(), wait_until) + delay
        if not block:
            loop.call_at(due, writer.close)
            return
        loop.call_at(due, writer.write, block)


def _handler(port: int, round_trip: float) -> Handler:
    """Return what connects a client to a port of this machine with so much delay between them."""

    async def handle(client: StreamReader, to_client: StreamWriter) -> None:
        connected_at = asyncio.get_running_loop().time() + round_trip
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _pass_on(client, to_server, round_trip / 2, connected_at), _pass_on(server, to_client, round_trip / 2)
        )

    return handle


async def _serve(backend: int, port: int, tls_port: int, certificate: str, round_trip: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    decrypting = await asyncio.start_server(_handler(backend, 0.0), "127.0.0.1", 0, ssl=context)
    behind = decrypting.sockets[0].getsockname()[1]
    far_tls = await asyncio.start_server(_handler(behind, round_trip), "127.0.0.1", tls_port)
    far = await asyncio.start_server(_handler(backend, round_trip), "127.0.0.1", port)
    await asyncio.gather(decrypting.serve_forever(), far_tls.serve_forever(), far.serve_forever())


def main() -> None:
    """Relay until the process ends."""
    end_with_parent()
    backend, port, tls_port, certificate, milliseconds = sys.argv[1:]
    asyncio.run(_serve(int(backend), int(port), int(tls_port), certificate, float(milliseconds) / 1000))


if __name__ == "__main__":
    main()
