"""The cluster's Secrets looked through: what is found, what is read, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from pgwizard.clock import utc_now
from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding, Unauthorized
from pgwizard.kube.api import SECRET, Ref
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tls import handshake
from pgwizard.tui.widgets.candidate_text import reason_text
from pgwizard.wizard import browse as wizard_browse
from pgwizard.wizard.browse import Batch, Readable, browse, contents
from pgwizard.wizard.candidates import Candidate, Purpose, Search
from support import headless

CA = Search("ca", Endpoint.parse("minio.minio.svc:9000"), "default")
NOW = datetime.now(UTC)


def browsed(
    search: Search = CA,
    prepare: Callable[[SimCluster], None] = lambda _: None,
    readable: Readable | None = None,
) -> tuple[list[Candidate], list[Batch], SimCluster]:
    """The rows in order, all batches, and the cluster with its requests."""

    async def scenario() -> tuple[list[Candidate], list[Batch], SimCluster]:
        async with SimCluster() as sim:
            prepare(sim)
            items: dict[str, list[Candidate]] = {}
            batches = []
            async with contextlib.aclosing(browse(sim, search, utc_now, readable)) as stream:
                async for batch in stream:
                    batches.append(batch)
                    for place in {row.place for row in batch.rows}:
                        items[place] = [row for row in batch.rows if row.place == place]
            return sorted((row for rows in items.values() for row in rows), key=lambda row: row.order), batches, sim

    return asyncio.run(scenario())


def summaries(rows: Sequence[Candidate]) -> dict[str, tuple[str, bool | None, str]]:
    return {row.place: (row.kind, row.ok, reason_text(row)) for row in rows}


# ---- certificates --------------------------------------------------------------------------------------------------


def test_a_secret_with_two_certificates_keeps_both_rows_after_a_new_verdict() -> None:
    def furnish(sim: SimCluster) -> None:
        obj = sim.store.peek(Ref(SECRET, "minio-tls", "minio"))
        assert obj is not None
        for number in range(120):
            both = {"ca.crt": obj["data"]["tls.crt"], "tls.crt": obj["data"]["tls.crt"]}
            metadata = {"name": f"issued-{number:03}", "namespace": "shop"}
            sim.store.put(sim.store.birth({**obj, "metadata": metadata, "data": both}))

    rows, _, _ = browsed(prepare=furnish)
    kept = [row.keys for row in rows if row.secret.startswith("issued-")]
    assert len(kept) == 240
    assert all(row.ok for row in rows if row.secret.startswith("issued-"))


@pytest.mark.parametrize("all_at_once", [True, False])
def test_credentials_that_are_refused_end_the_browse(all_at_once: bool) -> None:
    def refuse(sim: SimCluster) -> None:
        sim.faults = [lambda request: "401" if request.verb == "list" and request.resource == "secrets" else None]
        if not all_at_once:
            sim.rules.deny("list", "secrets", "")

    with pytest.raises(Unauthorized):
        browsed(prepare=refuse)


@pytest.mark.parametrize(("endpoint", "place"), [("minio.minio.svc:9000", "minio/minio-tls"), ("nowhere:9000", None)])
def test_only_a_certain_match_is_proposed(endpoint: str, place: str | None) -> None:
    async def scenario() -> Candidate | None:
        async with SimCluster() as sim:
            return await wizard_browse.best(sim, Search("ca", Endpoint.parse(endpoint), "default"), utc_now)

    row = asyncio.run(scenario())
    assert (row.place if row else None) == place


def test_the_server_s_certificate_is_first_and_every_other_has_its_reason() -> None:
    rows, batches, _ = browsed()
    assert (rows[0].place, rows[0].keys, rows[0].ok) == ("minio/minio-tls", ("tls.crt",), True)
    result = summaries(rows)
    expected = {
        "minio/minio-tls": ("self-signed", True, "this very certificate is what the server sends"),
        "cert-manager/root-ca": ("CA", False, "did not sign this one: the server's certificate is self-signed"),
        "shop/web-tls": ("chain", False, "did not sign this one: the server's certificate is self-signed"),
        "ingress-nginx/tenant-1-tls": ("leaf", False, "not a CA, and it is not what the server sends"),
        "default/old-minio": ("self-signed", False, "expired 3 d ago"),
        "staging/minio-next": ("self-signed", False, "begins only in 1 d"),
        "staging/empty": ("not a certificate", None, "tls.crt is empty"),
        "staging/certificate-only": ("not read", None, ""),
    }
    assert {place: result[place] for place in expected} == expected
    assert result["staging/der-certificate"][2].startswith("tls.crt is a certificate in DER form")
    assert batches[-1].is_done
    assert [row.ok for row in rows].count(True) == 1


def test_only_the_contents_of_tls_secrets_are_requested() -> None:
    rows, _, sim = browsed()
    gets = [request for request in sim.requests if request.resource == "secrets" and request.verb == "get"]
    assert gets == []
    assert {row.kind for row in rows if row.namespace == "shop" and row.secret != "web-tls"} == {"not read"}


def test_a_likely_authority_is_read_when_it_comes_into_view() -> None:
    rows, _, _ = browsed()
    hopeful = {row.place for row in rows if row.hopeful}
    assert {"cert-manager/trust-bundle", "staging/certificate-only"} <= hopeful
    assert not hopeful & {"shop/registry", "shop/sh.helm.release.v1.shop.v1"}


def test_a_server_that_cannot_be_reached_leaves_the_verdict_open() -> None:
    rows, batches, _ = browsed(Search("ca", Endpoint.parse("gone.minio.svc:9000"), "default"))
    assert {row.ok for row in rows} == {None}
    assert batches[-1].server_answer == Finding(
        text="Service minio/gone does not exist", fix="Check the endpoint's name and namespace."
    )
    assert "cannot be tried from here" in summaries(rows)["minio/minio-tls"][2]


# ---- rights, and what goes wrong on the way ------------------------------------------------------------------------


def test_without_permission_to_list_everywhere_each_namespace_is_checked() -> None:
    def prepare(sim: SimCluster) -> None:
        sim.rules.deny("list", "secrets", "")
        sim.rules.deny("list", "secrets", "staging")

    rows, batches, sim = browsed(prepare=prepare)
    assert rows[0].place == "minio/minio-tls"
    assert "staging" not in {row.namespace for row in rows}
    assert [(item.namespace, item.finding.text, item.finding.fix) for batch in batches for item in batch.denials] == [
        ("staging", "Secrets may not be listed there", "Check: kubectl -n staging auth can-i list secrets")
    ]
    assert not [r for r in sim.requests if r.resource == "secrets" and r.namespace in {None, "staging"}]


def test_without_permission_to_list_namespaces_the_likely_ones_are_searched() -> None:
    def prepare(sim: SimCluster) -> None:
        sim.rules.deny("list", "secrets", "")
        sim.rules.deny("list", "namespaces")

    rows, batches, _ = browsed(prepare=prepare)
    assert {row.namespace for row in rows} == {"default", "minio"}
    (denied,) = [item for batch in batches for item in batch.denials]
    assert denied.finding.text == (
        "namespaces may not be listed, so only default, minio are searched; type a name for another"
    )


def test_five_thousand_namespaces_of_which_one_may_be_read() -> None:
    def prepare(sim: SimCluster) -> None:
        sim.rules.deny("list", "secrets", "")
        sim.rules.deny("list", "secrets", "many-*")
        for number in range(5000):
            sim.store.put(
                sim.store.birth({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"many-{number}"}})
            )

    rows, batches, _ = browsed(prepare=prepare)
    assert rows[0].place == "minio/minio-tls"
    assert sum(len(batch.denials) for batch in batches) == 5000
    assert batches[-1].is_done


def test_a_browse_that_is_left_early_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _turn in range(20):  # the end of a connection takes its turns
                await asyncio.sleep(0)

    async def scenario() -> set[asyncio.Task[Any]]:
        async with SimCluster() as sim, contextlib.aclosing(browse(sim, CA, utc_now)) as stream:
            async for batch in stream:
                if batch.certificates_read:
                    break
        return asyncio.all_tasks() - {asyncio.current_task()}

    monkeypatch.setattr(handshake, "handshake", silent)
    assert asyncio.run(scenario()) == set()


@pytest.mark.parametrize("kind", ["403", "500", "reset-before"])
def test_the_failure_of_one_namespace_does_not_end_the_search(kind: Any) -> None:
    def prepare(sim: SimCluster) -> None:
        sim.rules.deny("list", "secrets", "")
        sim.faults = [lambda r: kind if r.resource == "secrets" and r.namespace == "shop" else None]

    rows, batches, _ = browsed(prepare=prepare)
    assert rows[0].place == "minio/minio-tls"
    assert "shop" not in {row.namespace for row in rows}
    failed = [finding.text for batch in batches for finding in batch.failures]
    denied = [item.namespace for batch in batches for item in batch.denials]
    assert len([*failed, *denied]) == 1
    assert "shop" in [*failed, *denied][0]
    assert batches[-1].is_done


def test_an_expired_continuation_begins_the_list_again() -> None:
    rows, batches, _ = browsed(prepare=lambda sim: setattr(sim, "faults", [Fault("410", "list", "secrets", nth=2)]))
    assert len({row.place for row in rows}) == 41
    assert not [finding for batch in batches for finding in batch.failures]


def test_a_list_that_always_expires_is_reported_as_incomplete() -> None:
    _, batches, _ = browsed(
        prepare=lambda sim: setattr(sim, "faults", [Fault("410", "list", "secrets", nth=2, times=None)])
    )
    assert [finding for batch in batches for finding in batch.failures] == [
        Finding(text="the list of Secrets changes faster than it can be read: it is not complete")
    ]
    assert batches[-1].is_done


def test_a_permission_that_is_lost_during_the_search_is_reported() -> None:
    rows, batches, _ = browsed(prepare=lambda sim: setattr(sim, "faults", [Fault("403", "list", "secrets", nth=2)]))
    assert rows[0].place == "minio/minio-tls"
    assert len([item for batch in batches for item in batch.denials]) == 1


def reviews(sim: SimCluster) -> int:
    return sum(request.verb == "review" for request in sim.requests)


def test_a_granted_permission_is_not_reviewed_again_until_a_refusal() -> None:
    granted: Readable = set()
    assert [reviews(browsed(readable=granted)[2]), granted] == [1, {None}]
    assert reviews(browsed(readable=granted)[2]) == 0
    _, batches, _ = browsed(prepare=lambda sim: sim.rules.deny("list", "secrets"), readable=granted)
    assert [item.namespace for batch in batches for item in batch.denials] == [""]
    assert granted == set()


def test_a_denied_permission_is_reviewed_again() -> None:
    granted: Readable = set()
    browsed(prepare=lambda sim: sim.rules.deny("list", "secrets"), readable=granted)
    assert [reviews(browsed(readable=granted)[2]), granted] == [1, {None}]


def read(
    place: str, search: Search = CA, prepare: Callable[[SimCluster], Any] = lambda _: None
) -> tuple[Candidate, ...]:
    async def scenario() -> tuple[Candidate, ...]:
        async with SimCluster() as sim:
            prepare(sim)
            namespace, _, name = place.partition("/")
            server = await wizard_browse.ask_endpoint(sim, search)
            return await contents(sim, Ref(SECRET, name, namespace), search, server, NOW)

    return asyncio.run(scenario())


def test_a_config_map_of_the_name_of_a_missing_secret_is_pointed_out() -> None:
    def publish(sim: SimCluster) -> None:
        metadata = {"name": "trust", "namespace": "shop"}
        data = {"ca.crt": headless.CA.read_text()}
        sim.store.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    (row,) = read("shop/trust", prepare=publish)
    assert reason_text(row).startswith(
        "Secret shop/trust does not exist, but a ConfigMap of that name has certificates. Set "
    )


def test_a_key_pair_in_a_config_map_of_the_name_of_a_missing_secret_is_pointed_out() -> None:
    def publish(sim: SimCluster) -> None:
        metadata = {"name": "bucket", "namespace": "shop"}
        data = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
        sim.store.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    (row,) = read("shop/bucket", Search("s3", namespace="shop"), prepare=publish)
    text = reason_text(row)
    assert text.startswith(
        "Secret shop/bucket does not exist, but a ConfigMap of that name has AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY. Move them into a Secret"
    )
    assert "hush-hush" not in text


def test_one_secret_is_read_when_it_is_opened() -> None:
    (row,) = read("cert-manager/trust-bundle")
    assert (row.kind, row.keys, row.ok) == ("CA", ("ca.crt",), False)


def test_a_deleted_or_denied_secret_is_reported() -> None:
    assert [(row.kind, reason_text(row)) for row in read("shop/never")] == [("cannot be read", "does not exist")]
    denied = read("shop/web-tls", prepare=lambda sim: sim.rules.deny("get", "secrets", "shop"))
    assert [(row.kind, reason_text(row)) for row in denied] == [
        ("cannot be read", "may not be read. Check: kubectl -n shop auth can-i get secrets/web-tls")
    ]
    broken = read("shop/web-tls", prepare=lambda sim: setattr(sim, "faults", [Fault("500", "get", "secrets")]))
    assert broken[0].kind == "cannot be read"


# ---- credentials ---------------------------------------------------------------------------------------------------


def test_the_key_pair_of_the_own_namespace_comes_first() -> None:
    rows, _, sim = browsed(Search("s3", Endpoint.parse("minio.minio.svc:9000"), "default"))
    assert (rows[0].place, rows[0].keys, reason_text(rows[0])) == (
        "default/postgresql-pgbackrest-s3",
        ("accessKey", "secretKey"),
        "has accessKey and secretKey",
    )
    assert [r.resource for r in sim.requests if r.resource == "pods/portforward"] == []


@pytest.mark.parametrize("purpose", ["database", "passphrase"])
def test_only_the_release_s_own_namespace_is_searched(purpose: Purpose) -> None:
    rows, _, sim = browsed(Search(purpose, namespace="shop"))
    assert {row.namespace for row in rows} == {"shop"}
    assert {r.namespace for r in sim.requests if r.resource == "secrets"} == {"shop"}


def test_the_superuser_of_a_basic_auth_secret_is_found() -> None:
    rows, _, _ = browsed(Search("database", namespace="shop"))
    assert (rows[0].place, rows[0].keys) == ("shop/database", ("username", "password"))
