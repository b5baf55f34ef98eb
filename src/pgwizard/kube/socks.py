"""Connections by a SOCKS5 proxy, such as ``ssh -D`` opens. aiohttp knows HTTP proxies alone.

Source: RFC 1928, and RFC 1929 for a name and password. As in Go the proxy looks up the server's name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pgwizard.kube.sockets import ProxyFailure, ServerSocket

_PORT = 1080
_VERSION, _CONNECT = 5, 1
_NO_LOGIN, _PASSWORD = 0, 2
_IPV4, _NAME, _IPV6 = 1, 3, 4
_REFUSALS = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


class _Unresolved(AbstractResolver):
    """Leaves every name to the proxy: what it answers is never dialled."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return [ResolveResult(hostname=host, host="0.0.0.0", port=port, family=socket.AF_INET, proto=0, flags=0)]  # noqa: S104 - nothing listens

    async def close(self) -> None:
        pass


class SocksProxy:
    """Ways to one server. A session that has ``connector`` and ``trace`` takes a new one for each connection: aiohttp
    waits for its trace before it connects, and takes the socket that it is given then.
    """

    def __init__(self, proxy: str, server: URL, make_socket: Callable[[aiohttp.AddrInfoType], ServerSocket]) -> None:
        """proxy: its URL, which may hold a name and password."""
        parts = urlsplit(proxy)
        self._proxy = parts.hostname or "", parts.port or _PORT
        self._proxy_login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self._server = server
        self._make_socket = make_socket
        self._tunnels: dict[asyncio.Task[Any] | None, ServerSocket] = {}
        """By the task of the request: aiohttp waits for its trace and makes its socket there."""
        self.connector = aiohttp.TCPConnector(
            limit=0, resolver=_Unresolved(), socket_factory=lambda _: self._tunnels.pop(asyncio.current_task())
        )
        self.trace = aiohttp.TraceConfig()
        self.trace.on_connection_create_start.append(self._open)
        self.trace.on_request_exception.append(self._discard)

    async def _open(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceConnectionCreateStartParams,
    ) -> None:
        """Have a way to the server ready. Raises ProxyFailure, and aiohttp's error where it takes too long."""
        del context, params
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(session.timeout.sock_connect):
                connection = await self._dial(loop)
                try:
                    await self._request(loop, connection, self._server.raw_host or "", self._server.port or 0)
                except BaseException:
                    connection.close()
                    raise
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"connection timeout to host {self._server.host}") from error
        except OSError as error:
            raise ProxyFailure(*error.args) from error
        connection.is_tunnel = True
        self._tunnels[asyncio.current_task()] = connection

    async def _discard(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestExceptionParams,
    ) -> None:
        """Close what a request that ended early has left untaken."""
        del session, context, params
        if connection := self._tunnels.pop(asyncio.current_task(), None):
            connection.close()

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> ServerSocket:
        """A connection to the proxy: the first of its addresses that takes one. Raises OSError."""
        host, port = self._proxy
        failure: OSError = _failure(f"the proxy {host} has no address")
        for address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = self._make_socket(address)
            try:
                await loop.sock_connect(connection, address[4])
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise failure

    async def _request(self, loop: asyncio.AbstractEventLoop, connection: ServerSocket, host: str, port: int) -> None:
        """Ask the proxy for a way to the server. Raises OSError where it has none."""

        async def read(count: int) -> bytes:
            data = b""
            while len(data) < count:
                part = await loop.sock_recv(connection, count - len(data))
                if not part:
                    raise _failure("the proxy hung up")
                data += part
            return data

        login = self._proxy_login
        methods = bytes([_NO_LOGIN, _PASSWORD]) if login else bytes([_NO_LOGIN])
        await loop.sock_sendall(connection, bytes([_VERSION, len(methods)]) + methods)
        version, method = await read(2)
        if version != _VERSION:
            raise _failure("what answers is no SOCKS5 proxy")
        if method == _PASSWORD and login:
            name, password = (part.encode() for part in login)
            await loop.sock_sendall(connection, bytes([1, len(name)]) + name + bytes([len(password)]) + password)
            if (await read(2))[1]:
                raise _failure("the SOCKS proxy refused the name and password")
        elif method != _NO_LOGIN:
            raise _failure("the SOCKS proxy wants a name and password, or what is not supported")
        await loop.sock_sendall(connection, bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2, "big"))
        _, reply, _, kind = await read(4)
        if reply:
            raise _failure(f"the SOCKS proxy has no way to the server: {_REFUSALS.get(reply, reply)}")
        bound = (await read(1))[0] if kind == _NAME else {_IPV4: 4, _IPV6: 16}.get(kind, 0)
        await read(bound + 2)  # where the proxy speaks from


def _failure(text: str) -> OSError:
    """With a text for people in place of the system's."""
    return ConnectionError(0, text)


def _address(host: str) -> bytes:
    """A host as SOCKS writes it. Raises OSError for a name that is too long for it."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        name = host.encode("ascii", "replace")
        if len(name) > 255:  # one byte holds the length
            raise _failure("the server's name is too long for SOCKS") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed
