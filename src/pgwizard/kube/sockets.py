"""The sockets below every connection to the API server."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Self

import aiohttp


class ProxyFailure(aiohttp.ClientConnectionError, OSError):
    """The proxy cannot be reached or has no way to the server. Its arguments are those of an ``OSError``."""


class ServerSocket(socket.socket):
    """A connection that acknowledges data at once. A proxy on the way that keeps Nagle's algorithm (socat, many
    tunnels) holds the end of an answer back until then, and Linux lets it wait for 40 ms after a request of ours.
    """

    is_tunnel = False
    """Whether a proxy has connected it to the server, so that dialling changes nothing."""

    @classmethod
    def make(cls, address: aiohttp.AddrInfoType) -> Self:
        """One that does not block, and that TCP probes while it is silent: a dead path is noticed in about 30 s."""
        connection = cls(*address[:3])
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
                if hasattr(socket, option):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        return connection

    def connect(self, address: Any, /) -> None:
        """Connect to the address, unless this is a tunnel."""
        if not self.is_tunnel:
            super().connect(address)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send data, and acknowledge at once what has arrived."""
        count = super().send(data, flags)
        with contextlib.suppress(OSError, AttributeError):  # Linux alone has it, and forgets it with each request
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return count
