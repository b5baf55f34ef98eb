"""TLS with the S3 endpoint: what it sends, and whether a chosen certificate verifies it.

An endpoint inside the cluster is reached through a ready pod behind its Service, by the API server's port-forward, with
the true name in SNI; any other one over TCP. namespace: of the release, in which its pods look up a name without dots;
empty where none is known. It makes no requests: no byte of S3 and no credential is ever sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

from pgwizard.endpoint import Endpoint, ServiceName
from pgwizard.errors import DeadlineError, Finding, Forbidden, NotFound, Unreachable
from pgwizard.kube.api import POD, SERVICE, ByteStream, Cluster, Object, Ref, list_objects
from pgwizard.text import plain
from pgwizard.tls.certificates import Bundle, read_bundle
from pgwizard.tls.chain import ChainReason, ChainVerdict, would_verify
from pgwizard.tls.names import Rules

DEADLINE_SECONDS = 8.0
_CHUNK = 65536
_LONGEST_ALIAS = 3
"""So many Services of the type ExternalName are followed."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a server sends in its handshake: its own certificate first. tls: such as ``TLS 1.3``; seconds: it took."""

    chain: Bundle
    tls: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``chain`` says of the chain that the server sent in a handshake. seconds: the handshake took."""

    verdict: ChainVerdict
    seconds: float

    @property
    def finding(self) -> Finding | None:
        """Why pgBackRest would refuse the server, or why that is not known; None where it would trust it."""
        verdict = self.verdict
        if verdict.ok:
            return None
        if verdict.ok is None:
            return Finding("tls.source", f"the certificate {verdict.why}", severity="warning")
        if verdict.reason in {ChainReason.HOST, ChainReason.ADDRESS}:
            return Finding("repository.endpoint", verdict.why)
        return Finding("tls.source", verdict.message)


async def handshake(
    cluster: Cluster, endpoint: Endpoint, *, namespace: str = "", deadline_seconds: float = DEADLINE_SECONDS
) -> Handshake:
    """What the endpoint sends, trusted or not.

    Raises Unreachable where it cannot be reached or does not speak TLS, DeadlineError where it does not answer in time,
    and what the cluster raises; each says what to do.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only to see what is sent; nothing else is exchanged over this connection
    begin = time.perf_counter()
    async with _open(cluster, endpoint, namespace, "did not answer a TLS handshake within", deadline_seconds) as stream:
        tls = await _exchange(stream, context, endpoint)
    pem = b"".join(ssl.DER_cert_to_PEM_cert(der).encode() for der in _sent_chain(tls))
    try:
        chain = read_bundle(pem)
    except ValueError as error:
        raise Unreachable(f"{plain(str(endpoint))}: what the server sends in its handshake {error}") from None
    return Handshake(chain, (tls.version() or "TLS").replace("TLSv", "TLS "), time.perf_counter() - begin)


async def reach(
    cluster: Cluster, endpoint: Endpoint, *, namespace: str = "", deadline_seconds: float = DEADLINE_SECONDS
) -> None:
    """A connection to the endpoint and nothing more, for one that speaks no TLS. Raises as ``handshake`` does."""
    async with _open(cluster, endpoint, namespace, "did not take a connection within", deadline_seconds):
        return


async def verify(
    cluster: Cluster,
    endpoint: Endpoint,
    bundle: Bundle,
    rules: Rules,
    now: datetime,
    *,
    namespace: str = "",
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Verification:
    """A real handshake, and whether pgBackRest would trust its chain with these certificates alone.

    Raises as ``handshake`` does.
    """
    answer = await handshake(cluster, endpoint, namespace=namespace, deadline_seconds=deadline_seconds)
    return Verification(would_verify(bundle, answer.chain, endpoint.host, now, rules), answer.seconds)


@contextlib.asynccontextmanager
async def _open(
    cluster: Cluster, endpoint: Endpoint, namespace: str, what: str, deadline_seconds: float
) -> AsyncIterator[ByteStream]:
    """A connection that lasts until the deadline."""
    if not endpoint.has_possible_host:  # getaddrinfo and OpenSSL would end in a UnicodeError
        raise Unreachable(
            f"{plain(endpoint.host, 80)} cannot be a host name",
            hint="Correct the endpoint: expected 1 to 63 characters between two dots.",
        )
    try:
        async with asyncio.timeout(deadline_seconds), _connect(cluster, endpoint, namespace) as stream:
            yield stream
    except TimeoutError:
        raise DeadlineError(
            f"{_place(endpoint)} {what} {deadline_seconds:g} s",
            hint="Check that it is the port of the S3 API, and that no firewall or network policy blocks it.",
        ) from None


async def _exchange(stream: ByteStream, context: ssl.SSLContext, endpoint: Endpoint) -> ssl.SSLObject:
    incoming, sending = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, sending, server_hostname=endpoint.host)
    first = b""
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise _no_tls(endpoint, first, plain(error.reason or "the handshake failed")) from None
        else:
            return tls
        if sending.pending:
            await stream.write(sending.read())
        data = await stream.read()
        if not data:
            raise _no_tls(endpoint, first, "the server hung up during the handshake")
        first = (first + data)[:16]
        incoming.write(data)


def _no_tls(endpoint: Endpoint, first: bytes, reason: str) -> Unreachable:
    if first.startswith(b"HTTP/"):
        return Unreachable(
            f"{_place(endpoint)} speaks plain HTTP, not TLS",
            hint="Turn TLS on at the server. Before 2.58 pgBackRest cannot do without, whatever tls.verify says.",
        )
    return Unreachable(
        f"{_place(endpoint)} does not speak TLS: {reason}", hint="Check that it is the port of the S3 API."
    )


def _sent_chain(tls: ssl.SSLObject) -> list[bytes]:
    """The chain as DER, the server's own certificate first."""
    if hasattr(tls, "get_unverified_chain"):  # from Python 3.13 on
        return list(tls.get_unverified_chain())
    chain = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # noqa: SLF001  # the same, unpublished
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in chain or ()]


def _place(endpoint: Endpoint) -> str:
    """Host and port, the latter even where it is the usual one."""
    return f"{endpoint.host}:{endpoint.port}"


# ---- the way there -------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _connect(
    cluster: Cluster, endpoint: Endpoint, namespace: str, aliases: int = _LONGEST_ALIAS
) -> AsyncIterator[ByteStream]:
    place = endpoint.service(namespace)
    spec = None if place is None else await _service_spec(cluster, place)
    if place is None or spec is None:
        async with _tcp(endpoint) as stream:
            yield stream
    elif spec.get("type") == "ExternalName":
        alias = replace(endpoint, host=plain(str(spec.get("externalName")), 253))
        if not aliases or not alias.has_possible_host:
            raise Unreachable(f"{place} is an alias that leads nowhere", hint="Correct its externalName.")
        async with _connect(cluster, alias, namespace, aliases - 1) as stream:
            yield stream
    else:
        pod, number = await _find_pod(cluster, place, spec, endpoint.port)
        async with cluster.port_forward(place.namespace, pod, number) as stream:
            yield stream


async def _service_spec(cluster: Cluster, place: ServiceName) -> Object | None:
    """The Service's; None where the host is no Service, or may be another name than that of one."""
    try:
        return (await cluster.get(Ref(SERVICE, place.name, place.namespace))).get("spec") or {}
    except NotFound:
        if place.is_certain:
            raise Unreachable(f"{place} does not exist", hint="Check the endpoint's name and namespace.") from None
    except Forbidden:
        if place.is_certain:
            raise
    return None


class _Tcp:
    """A ``ByteStream`` over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(_CHUNK)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


@contextlib.asynccontextmanager
async def _tcp(endpoint: Endpoint) -> AsyncIterator[ByteStream]:
    host, place = endpoint.host, _place(endpoint)
    try:
        reader, writer = await asyncio.open_connection(host, endpoint.port)
    except OSError as error:
        inside = "" if "." in host or endpoint.is_address else f" Inside the cluster write {host}.NAMESPACE.svc."
        raise Unreachable(
            f"{place} cannot be reached from this machine: {plain(error.strerror or str(error))}",
            hint=f"Pods may still reach it.{inside}",
        ) from None
    try:
        yield _Tcp(reader, writer)
    except OSError as error:
        raise Unreachable(f"{place}: the connection was lost: {plain(error.strerror or str(error))}") from None
    finally:
        writer.transport.abort()  # the server needs no close_notify, and sending one could block


async def _find_pod(cluster: Cluster, where: ServiceName, spec: Object, port: int) -> tuple[str, int]:
    """A ready pod behind the Service, and the port of it that the Service's port leads to."""
    selector = spec.get("selector") or {}
    if not selector:
        raise Unreachable(f"{where} selects no pods, so it cannot be tried from here", hint="Pods may reach it.")
    ports = spec.get("ports") or []
    leading = next((entry for entry in ports if entry.get("port") == port), None)
    if leading is None and spec.get("clusterIP") != "None":
        numbers = ", ".join(str(entry.get("port")) for entry in ports) or "none"
        raise Unreachable(f"{where} has no port {port}; its ports: {numbers}", hint="Correct the endpoint's port.")
    pods = await _ready(cluster, where.namespace, selector)
    if not pods:
        command = cluster.commands.kubectl("get", "pods", namespace=where.namespace)
        raise Unreachable(f"no pod of {where} is ready", hint=f"See {command}")
    if where.pod:
        pods = [pod for pod in pods if pod["metadata"]["name"] == where.pod]
        if not pods:
            raise Unreachable(
                f"no pod of {where} is called {plain(where.pod, 63)}: the cluster's DNS does not know that name",
                hint="Set repository.uriStyle to path where it is the bucket, unless a DNS server of yours knows it.",
            )
    # A headless Service is only a name: clients connect to the pod's own port.
    target = port if leading is None or spec.get("clusterIP") == "None" else leading.get("targetPort", port)
    for pod in pods:
        number = _number(pod, target)
        if number is not None:
            return str(pod["metadata"]["name"]), number
    raise Unreachable(f"{where} leads to port {plain(str(target), 40)}, which its pods do not have")


async def _ready(cluster: Cluster, namespace: str, selector: dict[str, str]) -> list[Object]:
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    return [pod for pod in await list_objects(cluster, POD, namespace, labels=labels) if _is_ready(pod)]


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def _number(pod: Object, target: int | str) -> int | None:
    if isinstance(target, int) or target.isdecimal():
        return int(target)
    for container in (pod.get("spec") or {}).get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target:
                return int(port["containerPort"])
    return None
