"""Certificates of a real cluster, checked against the chain that the MinIO server of the rig sends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pgwizard.clock import utc_now
from pgwizard.endpoint import Endpoint
from pgwizard.kube.api import SECRET, Ref
from pgwizard.kube.client import KubeCluster, connect
from pgwizard.tls import handshake
from pgwizard.tls.certificates import read_bundle
from pgwizard.tls.names import Rules
from pgwizard.tui.widgets.candidate_text import reason_text
from pgwizard.wizard.browse import ask_endpoint, browse, contents
from pgwizard.wizard.candidates import Candidate, Search
from support.headless import certificate, pem
from support.rigtools import KUBECONFIG, LIVE, own_namespace

T = TypeVar("T")
pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
ENDPOINT = Endpoint.parse("minio.minio.svc:9000")


def on(scenario: Callable[[KubeCluster], Awaitable[T]]) -> T:
    async def main() -> T:
        async with await connect(kubeconfig_file=KUBECONFIG) as cluster:
            return await scenario(cluster)

    return asyncio.run(main())


def test_the_real_server_is_seen_through_a_forwarded_port() -> None:
    async def scenario(cluster: KubeCluster) -> None:
        now = datetime.now(UTC)
        sent = await handshake.handshake(cluster, ENDPOINT)
        assert sent.tls == "TLS 1.3"
        assert Rules().refusal(sent.chain.certificates[0], "minio.minio.svc") == ""
        assert (await handshake.verify(cluster, ENDPOINT, sent.chain, Rules(), now)).verdict.ok
        other = await handshake.verify(cluster, ENDPOINT, read_bundle(pem(certificate("other"))), Rules(), now)
        assert other.finding is not None
        assert other.finding.text == "[18] self-signed certificate"
        wrong_name = Endpoint.parse("minio.minio.svc.wrong.name:9000")
        wrong = await handshake.verify(cluster, wrong_name, sent.chain, Rules(), now)
        assert wrong.finding is not None
        assert "not for minio.minio.svc.wrong.name" in wrong.finding.text

    on(scenario)


def test_the_authority_of_the_real_server_is_first_and_others_have_their_reasons(kubectl_binary: str) -> None:
    with own_namespace(kubectl_binary, "pgw-discovery") as kubectl:
        wrong = {
            "other": pem(certificate("other")),
            "old-ca": pem(certificate("old", begins=timedelta(days=-9), ends=timedelta(days=-2, minutes=-5))),
            "garbage": b"no certificate",
        }
        for name, value in wrong.items():
            data = {"tls.crt": b64encode(value).decode(), "tls.key": ""}
            obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
            kubectl.run("create", "-f", "-", data=json.dumps({**obj, "type": "kubernetes.io/tls"}).encode())

        async def scenario(cluster: KubeCluster) -> list[Candidate]:
            items: dict[tuple[str, str], list[Candidate]] = {}
            async with contextlib.aclosing(browse(cluster, Search("ca", ENDPOINT), utc_now)) as batches:
                async for batch in batches:
                    for row in batch.rows:
                        items[row.namespace, row.secret] = []
                    for row in batch.rows:
                        items[row.namespace, row.secret].append(row)
            return sorted((row for rows in items.values() for row in rows), key=lambda row: row.order)

        rows = on(scenario)
        assert (rows[0].place, rows[0].keys, rows[0].ok) == ("minio/minio-tls", ("tls.crt",), True)
        mine = {row.secret: (row.ok, reason_text(row)) for row in rows if row.namespace == kubectl.namespace}
        assert mine.pop("garbage")[1].startswith("tls.crt is not a certificate")
        assert {name: verdict for name, verdict in mine.items() if name in wrong} == {
            "other": (False, "did not sign this one: the server's certificate is self-signed"),
            "old-ca": (False, "expired 2 d ago"),
        }


def test_a_secret_that_was_just_deleted_is_reported() -> None:
    async def scenario(cluster: KubeCluster) -> None:
        search = Search("ca", ENDPOINT)
        rows = await contents(
            cluster,
            Ref(SECRET, "never", "default"),
            search,
            await ask_endpoint(cluster, search),
            certificate().not_valid_before_utc,
        )
        assert [reason_text(row) for row in rows] == ["does not exist"]

    on(scenario)
