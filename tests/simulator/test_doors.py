"""MinIO behind a forwarded port: a real TLS handshake and the requests of a probe."""

from __future__ import annotations

import base64
import ssl

import pytest

from pgwizard.errors import Unreachable
from pgwizard.kube.api import ByteStream
from support.simulated import SECRET, Cluster, ref, run


class Client:
    """The client's end of TLS over a stream."""

    def __init__(self, stream: ByteStream, authority: str, host: str) -> None:
        self._stream = stream
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cadata=authority)
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)

    async def _exchange(self) -> None:
        if self._out.pending:
            await self._stream.write(self._out.read())
        self._in.write(await self._stream.read())

    async def shake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._exchange()
            else:
                return

    async def ask(self, request: str, body: str = "", key: str = "demo-backup") -> str:
        head = f"Host: minio\r\nAuthorization: AWS4-HMAC-SHA256 Credential={key}/20261123/eu/s3/aws4_request\r\n"
        self._tls.write(f"{request} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        while True:
            try:
                return self._tls.read(65536).decode()
            except ssl.SSLWantReadError:
                await self._exchange()


async def authority(sim: Cluster) -> str:
    obj = await sim.get(ref(SECRET, "minio-tls", "minio"))
    return base64.b64decode(obj["data"]["tls.crt"]).decode()


def test_write_list_read_and_delete() -> None:
    async def scenario(sim: Cluster) -> None:
        async with sim.port_forward("minio", "minio-0", 9000) as stream:
            client = Client(stream, await authority(sim), "minio.minio.svc")
            await client.shake()
            assert (await client.ask("PUT /backups/a/probe", "hello")).startswith("HTTP/1.1 200")
            assert "<Key>a/probe</Key>" in await client.ask("GET /backups/?list-type=2&prefix=a")
            assert (await client.ask("GET /backups/a/probe")).endswith("hello")
            assert (await client.ask("DELETE /backups/a/probe")).startswith("HTTP/1.1 204")
            assert "<Code>NoSuchKey</Code>" in await client.ask("GET /backups/a/probe")
            assert "<Code>NoSuchBucket</Code>" in await client.ask("GET /other/?list-type=2")
            assert "<Code>InvalidAccessKeyId</Code>" in await client.ask("GET /backups/?list-type=2", key="who")

    run(scenario, example=True)


def test_another_name_is_not_verified() -> None:
    async def scenario(sim: Cluster) -> None:
        async with sim.port_forward("minio", "minio-0", 9000) as stream:
            client = Client(stream, await authority(sim), "s3.example.com")
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.shake()

    run(scenario, example=True)


def test_nothing_listens_elsewhere() -> None:
    async def scenario(sim: Cluster) -> None:
        with pytest.raises(Unreachable, match="connection refused"):
            async with sim.port_forward("minio", "minio-0", 9001):
                pass

    run(scenario, example=True)
