"""Owns what answers behind a forwarded port: MinIO over TLS, with the certificate that its Secret holds now.

Every other port fails, in the kubelet's words.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pgwizard import errors
from pgwizard.kube.api import ByteStream, Object, Ref, Resource
from pgwizard.simulator.s3 import ObjectStore
from pgwizard.simulator.store import Store

_MINIO_PORT = 9000


class _Door:
    """The server's end of a TLS connection, without a socket."""

    def __init__(self, context: ssl.SSLContext, objects: ObjectStore) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._objects = objects
        self._request = bytearray()
        self._has_handshake = False
        self._over = False
        self._wake = asyncio.Event()

    async def read(self) -> bytes:
        """What the server sent."""
        while not self._out.pending and not self._over:
            self._wake.clear()
            await self._wake.wait()
        return self._out.read()

    async def write(self, data: bytes) -> None:
        """What the client sent."""
        self._in.write(data)
        try:
            self._go_on()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._over = True  # the alert for the client is already written
        self._wake.set()

    def _go_on(self) -> None:
        if not self._has_handshake:
            self._tls.do_handshake()
            self._has_handshake = True
        while not self._over:
            if data := self._tls.read(65536):
                self._request += data
                if answer := self._objects.serve(self._request):
                    self._tls.write(answer)
            else:
                self._over = True


@asynccontextmanager
async def connect(store: Store, objects: ObjectStore, pod: Object, port: int) -> AsyncIterator[ByteStream]:
    """Raises Unreachable where nothing listens."""
    metadata = pod["metadata"]
    secret = store.peek(Ref(Resource("v1", "Secret"), "minio-tls", metadata["namespace"]))
    refusal = errors.Unreachable(f"pod {metadata['name']}: failed to connect to localhost:{port}: connection refused")
    if (metadata.get("labels") or {}).get("app") != "minio" or port != _MINIO_PORT or secret is None:
        raise refusal
    try:
        context = _context(secret)
    except ssl.SSLError:  # a certificate of another key: the server does not start with it
        raise refusal from None
    yield _Door(context, objects)


def _context(secret: Object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = b"".join(base64.b64decode(secret["data"][key]) for key in ("tls.crt", "tls.key"))
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # OpenSSL reads a chain from a file only; the key is the example's own
        path = Path(folder, "minio.pem")
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
    return context
