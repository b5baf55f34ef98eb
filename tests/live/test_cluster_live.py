"""Commands, logs and ports of pods by a real kubelet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from pgwizard.errors import ApiError, DeadlineError, Invalid, NotFound, Unreachable
from pgwizard.kube.api import ExecResult, Object, Ref, Resource
from pgwizard.kube.client import KubeCluster, connect
from support.waiting import DEADLINE_SECONDS

T = TypeVar("T")
KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG")
IMAGE = "postgres:15-bookworm"
POD = Resource("v1", "Pod")
NAMESPACE = Resource("v1", "Namespace")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(KUBECONFIG is None, reason="PGWIZARD_TEST_KUBECONFIG names no cluster"),
]


def on_cluster(work: Callable[[KubeCluster], Awaitable[T]]) -> T:
    async def within() -> T:
        async with await connect(kubeconfig_file=KUBECONFIG) as cluster, asyncio.timeout(DEADLINE_SECONDS):
            return await work(cluster)

    return asyncio.run(within())


def pod(namespace: str, name: str, script: str) -> Object:
    main = {"name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [main]},
    }


async def begun(cluster: KubeCluster, obj: Object) -> None:
    async with contextlib.aclosing(
        cluster.watch(POD, obj["metadata"]["namespace"], fields=f"metadata.name={obj['metadata']['name']}")
    ) as events:
        async for event in events:
            if event.object.get("status", {}).get("phase") in {"Running", "Succeeded", "Failed"}:
                return


async def started(cluster: KubeCluster, obj: Object) -> None:
    # A new namespace gets its service account a moment later.
    for _ in range(100):
        try:
            await cluster.create(obj)
            break
        except ApiError as error:
            if "serviceaccount" not in str(error):
                raise
            await asyncio.sleep(0.1)
    await begun(cluster, obj)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace with the pod ``shell``, which sleeps."""
    name = f"streams-{uuid.uuid4().hex[:8]}"

    async def prepare(cluster: KubeCluster) -> None:
        await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await started(cluster, pod(name, "shell", "echo ready; exec sleep 600"))

    try:
        on_cluster(prepare)
        yield name
    finally:
        on_cluster(lambda cluster: cluster.delete(Ref(NAMESPACE, name)))


def shell(namespace: str, script: str, *, stdin: bytes = b"", timeout_seconds: float = DEADLINE_SECONDS) -> ExecResult:
    return on_cluster(
        lambda cluster: cluster.exec(
            namespace, "shell", "main", ["sh", "-c", script], stdin=stdin, timeout_seconds=timeout_seconds
        )
    )


def test_exec_keeps_stdout_and_stderr_apart(namespace: str) -> None:
    assert shell(namespace, "echo out; echo err >&2") == ExecResult(b"out\n", b"err\n", 0)


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_exec_exit_code(namespace: str, code: int) -> None:
    assert shell(namespace, f"exit {code}").exit_code == code


def test_exec_killed_by_a_signal(namespace: str) -> None:
    assert shell(namespace, "kill -9 $$").exit_code == 137


def test_exec_reads_stdin_to_its_end(namespace: str) -> None:
    data = os.urandom(300_000)
    result = shell(namespace, "cat", stdin=data)
    assert result.stdout == data
    assert result.exit_code == 0


def test_exec_that_does_not_read_its_stdin(namespace: str) -> None:
    assert shell(namespace, "exit 4", stdin=b"x" * 30_000).exit_code == 4


def test_exec_much_output(namespace: str) -> None:
    result = shell(namespace, "head -c 5000000 /dev/zero; head -c 100000 /dev/zero >&2")
    assert (len(result.stdout), len(result.stderr), result.exit_code) == (5_000_000, 100_000, 0)


def test_exec_deadline(namespace: str) -> None:
    with pytest.raises(DeadlineError, match="did not end within 1 s"):
        shell(namespace, "sleep 60", timeout_seconds=1)


def test_exec_in_a_missing_pod_is_an_error(namespace: str) -> None:
    async def scenario(cluster: KubeCluster) -> None:
        with pytest.raises(NotFound, match="absent"):
            await cluster.exec(namespace, "absent", "main", ["true"])
        with pytest.raises(Invalid, match="container absent is not valid"):
            await cluster.exec(namespace, "shell", "absent", ["true"])
        with pytest.raises(ApiError, match="executable file not found") as caught:
            await cluster.exec(namespace, "shell", "main", ["no-such-command"])
        assert "image" in caught.value.hint

    on_cluster(scenario)


def test_execs_side_by_side(namespace: str) -> None:
    async def scenario(cluster: KubeCluster) -> None:
        commands = (cluster.exec(namespace, "shell", "main", ["sh", "-c", f"echo {n}; exit {n}"]) for n in range(8))
        results = await asyncio.gather(*commands)
        assert [(result.stdout, result.exit_code) for result in results] == [(b"%d\n" % n, n) for n in range(8)]

    on_cluster(scenario)


def test_cancelled_exec_leaves_nothing(namespace: str) -> None:
    async def scenario(cluster: KubeCluster) -> None:
        task = asyncio.create_task(cluster.exec(namespace, "shell", "main", ["sleep", "60"], stdin=b"x"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    on_cluster(scenario)


def test_logs_are_followed_until_the_container_ends(namespace: str) -> None:
    async def scenario(cluster: KubeCluster) -> None:
        script = r"echo one; printf 'bad \377 byte\r\n'; head -c 200000 /dev/zero | tr '\0' x; echo; sleep 1; echo end"
        await started(cluster, pod(namespace, "talker", script))
        async with contextlib.aclosing(cluster.logs(namespace, "talker", "main", follow=True)) as lines:
            got = [line async for line in lines]
        assert got[:2] == ["one", "bad \ufffd byte"]
        assert "".join(got[2:-1]) == "x" * 200_000
        assert max(map(len, got)) == 1 << 16
        assert got[-1] == "end"
        async with contextlib.aclosing(cluster.logs(namespace, "talker", "main", tail=1)) as lines:
            assert [line async for line in lines] == ["end"]

    on_cluster(scenario)


def test_logs_of_a_missing_pod_are_an_error(namespace: str) -> None:
    async def scenario(cluster: KubeCluster) -> None:
        for name, container, error in (("absent", "main", NotFound), ("shell", "absent", Invalid)):
            with pytest.raises(error, match="absent"):
                await anext(cluster.logs(namespace, name, container))

    on_cluster(scenario)


def test_following_a_log_can_be_stopped(namespace: str) -> None:
    async def scenario(cluster: KubeCluster) -> None:
        async with contextlib.aclosing(cluster.logs(namespace, "shell", "main", follow=True)) as lines:
            assert await anext(lines) == "ready"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    on_cluster(scenario)


async def minio(cluster: KubeCluster) -> str:
    async with contextlib.aclosing(cluster.pages(POD, "minio")) as pages:
        return str((await anext(pages)).items[0]["metadata"]["name"])


def test_tls_through_a_forwarded_port() -> None:
    async def scenario(cluster: KubeCluster) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="minio.minio.svc")
        async with cluster.port_forward("minio", await minio(cluster), 9000) as stream:

            async def through(step: Callable[[], T]) -> T:
                while True:
                    try:
                        return step()
                    except ssl.SSLWantReadError:
                        await stream.write(outgoing.read())
                        incoming.write(await stream.read())

            await through(tls.do_handshake)
            assert b"minio" in (tls.getpeercert(binary_form=True) or b"")
            tls.write(b"GET /minio/health/live HTTP/1.0\r\nHost: minio\r\n\r\n")
            await stream.write(outgoing.read())
            assert (await through(lambda: tls.read(1000))).startswith(b"HTTP/1.0 200")

    on_cluster(scenario)


def test_a_port_without_a_listener_is_an_error() -> None:
    async def scenario(cluster: KubeCluster) -> None:
        name = await minio(cluster)
        async with cluster.port_forward("minio", name, 9999) as stream:
            with pytest.raises(Unreachable, match="refused"):
                await stream.read()
        async with cluster.port_forward("minio", name, 9999) as stream:
            await asyncio.sleep(0.3)
            with pytest.raises(Unreachable, match="refused"):
                await stream.write(b"hello")
        with pytest.raises(NotFound):
            async with cluster.port_forward("minio", "absent", 9000):
                pass

    on_cluster(scenario)


def test_a_forwarded_port_ends() -> None:
    async def scenario(cluster: KubeCluster) -> None:
        async with cluster.port_forward("minio", await minio(cluster), 9000) as stream:
            await stream.write(b"GET / HTTP/1.0\r\n\r\n")
            received = b""
            while data := await stream.read():
                received += data
        assert received.startswith(b"HTTP/1.0 400")

    on_cluster(scenario)
