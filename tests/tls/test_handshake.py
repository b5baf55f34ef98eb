"""A TLS handshake with the endpoint: through a pod behind its Service, or over TCP; every way of its failing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pgwizard.endpoint import Endpoint
from pgwizard.errors import DeadlineError, Finding, PgwizardError, Unreachable
from pgwizard.kube.api import Ref, Resource
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tls.certificates import read_bundle
from pgwizard.tls.handshake import Handshake, handshake, verify
from pgwizard.tls.names import Rules
from support.chains import issue
from support.waiting import DEADLINE_SECONDS

ENDPOINT = "minio.minio.svc:9000"
SERVICE = Ref(Resource("v1", "Service"), "minio", "minio")
POD = Ref(Resource("v1", "Pod"), "minio-0", "minio")


def on(scenario: Callable[[SimCluster], Awaitable[None]]) -> None:
    async def main() -> None:
        async with SimCluster() as sim:
            await scenario(sim)

    asyncio.run(main())


def refused(endpoint: str, prepare: Callable[[SimCluster], Awaitable[Any]] | None = None) -> tuple[str, str]:
    """Message and hint."""
    failures: list[PgwizardError] = []

    async def scenario(sim: SimCluster) -> None:
        if prepare is not None:
            await prepare(sim)
        with pytest.raises(PgwizardError) as caught:
            await handshake(sim, Endpoint.parse(endpoint))
        failures.append(caught.value)

    on(scenario)
    return failures[0].message, failures[0].hint


# ---- inside the cluster --------------------------------------------------------------------------------------------


def test_the_chain_is_seen_through_the_pod_behind_the_service() -> None:
    async def scenario(sim: SimCluster) -> None:
        for host in ("minio.minio.svc", "minio.minio.svc.cluster.local", "MINIO.minio.SVC"):
            sent = await handshake(sim, Endpoint.parse(f"{host}:9000"))
            assert (sent.tls, [c.subject for c in sent.chain.certificates]) == ("TLS 1.3", ["CN=minio.minio.svc"])
        assert {(r.verb, r.name) for r in sim.requests if r.resource == "pods/portforward"} == {("create", "minio-0")}

    on(scenario)


def test_a_chosen_certificate_is_tried_for_real() -> None:
    async def scenario(sim: SimCluster) -> None:
        sent = await handshake(sim, Endpoint.parse(ENDPOINT))
        now = datetime.now(UTC)
        result = await verify(sim, Endpoint.parse(ENDPOINT), sent.chain, Rules(), now)
        assert result.finding is None
        other = await verify(sim, Endpoint.parse(ENDPOINT), read_bundle(issue("other", ca=True).pem), Rules(), now)
        assert other.finding == Finding("tls.source", "[18] self-signed certificate")
        odd = await verify(sim, Endpoint.parse("minio.minio.svc.odd:9000"), sent.chain, Rules(), now)
        assert odd.finding is not None
        assert odd.finding.question == "repository.endpoint"
        assert odd.finding.text.endswith(", not for minio.minio.svc.odd")

    on(scenario)


def test_a_named_port_of_the_pod_is_found() -> None:
    async def name_it(sim: SimCluster) -> None:
        pod = await sim.get(POD)
        pod["spec"]["containers"][0]["ports"][0]["name"] = "s3"
        sim.store.put(pod)
        await sim.patch(SERVICE, {"spec": {"ports": [{"name": "api", "port": 9000, "targetPort": "s3"}]}})

    async def scenario(sim: SimCluster) -> None:
        await name_it(sim)
        assert isinstance(await handshake(sim, Endpoint.parse(ENDPOINT)), Handshake)

    on(scenario)


def service(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 9000}], **spec}}


async def aliases(sim: SimCluster) -> None:
    """Services that are names of others, one of them of itself."""
    for name, target in (("s3", "minio.minio.svc.cluster.local"), ("loop", "loop.default.svc"), ("odd", "a..b")):
        await sim.create(service(name, "default", type="ExternalName", externalName=target))


@pytest.mark.parametrize("host", ["minio.minio", "minio.minio.svc.", "s3", "s3.default.svc", "minio-0.minio.minio.svc"])
def test_a_service_is_found_by_every_name_that_a_pod_may_use(host: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await aliases(sim)
        sent = await handshake(sim, Endpoint.parse(f"{host}:9000"), namespace="default")
        assert sent.chain.certificates[0].subject == "CN=minio.minio.svc"

    on(scenario)


@pytest.mark.parametrize(
    ("endpoint", "message", "hint"),
    [
        (
            "backups.minio.minio.svc:9000",
            "no pod of Service minio/minio is called backups: the cluster's DNS does not know that name",
            "Set repository.uriStyle to path where it is the bucket, unless a DNS server of yours knows it.",
        ),
        ("loop.default.svc:9000", "Service default/loop is an alias that leads nowhere", "Correct its externalName."),
        ("odd.default.svc:9000", "Service default/odd is an alias that leads nowhere", "Correct its externalName."),
    ],
)
def test_a_name_that_leads_to_no_pod_is_refused_with_the_reason(endpoint: str, message: str, hint: str) -> None:
    assert refused(endpoint, aliases) == (message, hint)


def test_a_short_name_that_is_no_service_is_looked_up_outside_the_cluster() -> None:
    message, hint = refused("nowhere.invalid:9000")
    assert message.startswith("nowhere.invalid:9000 cannot be reached from this machine: ")
    assert hint == "Pods may still reach it."


def test_a_proxy_in_between_is_named() -> None:
    assert refused("gone.minio.svc:9000")[0] == "Service minio/gone does not exist"
    assert refused("minio.minio.svc:1")[0] == "Service minio/minio has no port 1; its ports: 9000, 9001"
    assert "connection refused" in refused("minio.minio.svc:9001")[0]

    async def unready(sim: SimCluster) -> None:
        pod = await sim.get(POD)
        pod["status"]["conditions"] = []
        sim.store.put(pod)

    assert refused(ENDPOINT, unready) == (
        "no pod of Service minio/minio is ready",
        "See kubectl -n minio get pods",
    )

    async def selects_none(sim: SimCluster) -> None:
        await sim.patch(SERVICE, {"spec": {"selector": None}})

    assert refused(ENDPOINT, selects_none)[0] == "Service minio/minio selects no pods, so it cannot be tried from here"

    async def unnamed(sim: SimCluster) -> None:
        await sim.patch(SERVICE, {"spec": {"ports": [{"port": 9000, "targetPort": "what"}]}})

    assert refused(ENDPOINT, unnamed)[0] == "Service minio/minio leads to port what, which its pods do not have"

    async def denied(sim: SimCluster) -> None:
        sim.faults = [Fault("403", "get", "services")]

    assert "forbidden" in refused(ENDPOINT, denied)[0].lower()


# ---- over TCP ------------------------------------------------------------------------------------------------------


def over_tcp(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    deadline_seconds: float = DEADLINE_SECONDS,
    **how: Any,
) -> Handshake | PgwizardError:
    handlers: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing is left open behind a test."""
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            with contextlib.suppress(OSError):
                await answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            handlers.discard(task)

    async def main() -> Handshake | PgwizardError:
        async with SimCluster(example=False) as sim:
            server = await asyncio.start_server(handle, "127.0.0.1", 0, **how)
            port = server.sockets[0].getsockname()[1]
            try:
                return await handshake(sim, Endpoint.parse(f"127.0.0.1:{port}"), deadline_seconds=deadline_seconds)
            except PgwizardError as error:
                return error
            finally:
                server.close()
                while handlers:
                    await asyncio.wait(handlers)

    return asyncio.run(main())


def test_a_whole_chain_comes_over_tcp() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True)
    leaf = issue("leaf", middle, names=("localhost",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(leaf.pem + middle.pem + leaf.key_pem)
        file.flush()
        context.load_cert_chain(file.name)

    async def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    sent = over_tcp(nothing, ssl=context)
    assert isinstance(sent, Handshake)
    assert [c.subject for c in sent.chain.certificates] == ["CN=leaf", "CN=middle"]


def test_plain_http_is_named() -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    error = over_tcp(http)
    assert isinstance(error, Unreachable)
    assert error.message.endswith("speaks plain HTTP, not TLS")
    assert error.hint.startswith("Turn TLS on at the server")


def test_a_server_that_speaks_something_else_or_hangs_up_is_named() -> None:
    async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        await reader.read(10)
        writer.close()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    for server in (ssh, silent):
        error = over_tcp(server)
        assert isinstance(error, Unreachable)


def test_a_server_that_does_not_answer_ends_at_the_deadline() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    error = over_tcp(wait, 0.5)
    assert isinstance(error, DeadlineError)
    assert "did not answer a TLS handshake within 0.5 s" in error.message


@pytest.mark.parametrize("host", ["a..example.com", ".example.com", f"{64 * 'a'}.example.com", "minio.minio.svc.a..b"])
def test_a_host_that_dns_cannot_hold_is_unreachable(host: str) -> None:
    assert refused(f"{host}:9000") == (
        f"{host} cannot be a host name",
        "Correct the endpoint: expected 1 to 63 characters between two dots.",
    )


def test_a_port_without_a_listener_is_unreachable() -> None:
    message, hint = refused("127.0.0.1:1")
    assert message.startswith("127.0.0.1:1 cannot be reached from this machine: ")
    assert hint == "Pods may still reach it."
