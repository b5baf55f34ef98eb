"""Ways through a SOCKS5 proxy; ``test_agreement`` compares where they lead with kubectl."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import aiohttp
import pytest
from yarl import URL

from pgwizard.kube.sockets import ServerSocket
from pgwizard.kube.socks import SocksProxy

SERVER = "http://api.test:6443"


def test_a_request_that_ends_before_it_takes_its_way_leaves_no_connection() -> None:
    asyncio.run(_cancel_before_the_way_is_taken())


async def _cancel_before_the_way_is_taken() -> None:
    opened, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(bytes([5, 0]))
        await reader.readexactly(5 + len("api.test") + 2)
        writer.write(bytes([5, 0, 0, 1, 127, 0, 0, 1, 0, 80]))
        assert await reader.read() == b""
        writer.close()
        closed.set()

    async def hang(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceConnectionCreateStartParams
    ) -> None:
        del session, context, params
        opened.set()
        await asyncio.Event().wait()

    hanging = aiohttp.TraceConfig()
    hanging.on_connection_create_start.append(hang)
    server = await asyncio.start_server(serve, "127.0.0.1")
    host, port = server.sockets[0].getsockname()
    async with server:
        proxy = SocksProxy(f"socks5://{host}:{port}", URL(SERVER), ServerSocket.make)
        async with aiohttp.ClientSession(
            connector=proxy.connector, trace_configs=[proxy.trace, hanging], timeout=aiohttp.ClientTimeout()
        ) as session:
            request = asyncio.ensure_future(session.get(SERVER))
            async with asyncio.timeout(300):
                await opened.wait()
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request
                await closed.wait()
