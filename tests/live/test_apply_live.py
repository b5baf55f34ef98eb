"""Apply, upgrade and uninstall on a real cluster: real pods, real backups, a real S3 over TLS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.live_releases import CLAIM, FULL, HOOK, INCREMENTAL, LEASE, POD, RECORD, Site, site
from support.rigtools import LIVE, LONG, RESTRICTED, Kubectl
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
MINIO = {"namespace": "minio", "secret": "minio-tls", "key": "tls.crt"}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A namespace that pgwizard is to make."""
    with site(kubectl_binary, tmp_path) as scene:
        yield scene


@pytest.fixture
def prepared(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A namespace that is there already, and enforces Pod Security."""
    with site(kubectl_binary, tmp_path, *RESTRICTED, create=False) as scene:
        yield scene


def test_an_empty_cluster_gets_a_valid_backup_and_a_second_apply_writes_nothing(place: Site) -> None:
    odd = {"storage": {"size": "1.3Gi"}}  # no whole number of bytes
    first = place.apply(odd)
    assert "fractional" not in first.output
    assert place.get("pvc", CLAIM)["spec"]["resources"]["requests"]["storage"] == "1395864372"
    assert "Release is up. First full backup succeeded." in first.out
    assert place.backups() == ["full"]
    labels = place.get("namespace", place.kubectl.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    password = place.secret("postgresql")["password"].decode()
    assert password not in first.output
    assert place.sql("SHOW max_connections") == "20"

    place.kubectl.wait_for_job(HOOK)  # its controller writes that it is complete after the apply has ended
    before = place.versions()
    assert {f"Secret/{RECORD}", f"Lease/{LEASE}", f"Job/{HOOK}", f"PersistentVolumeClaim/{CLAIM}"} <= set(before)
    second = place.apply(odd)
    assert "Already up to date." in second.out
    assert place.versions() == before
    assert place.settled(odd)
    assert place.versions() == before


def test_an_upgrade_changes_what_it_must_and_no_more(place: Site) -> None:
    place.apply()
    password, uid = place.secret("postgresql"), place.pod_uid()

    larger = {"storage": {"size": "2Gi"}}
    assert "the volume grows from 1Gi" in place.apply({**larger}).out
    assert place.pod_uid() == uid
    assert place.get("pvc", CLAIM)["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert place.backups() == ["full"]

    # The pod keeps running with the new pgbackrest.conf, as soon as the kubelet has brought it.
    kept = {**larger, "retention": {"full": 5}}
    place.apply(kept)
    assert place.pod_uid() == uid
    assert "repo1-retention-full=5" in place.in_pod("cat", "/etc/pgbackrest/pgbackrest.conf")
    assert "valid full backup(s) found" in place.logs(HOOK)

    tuned = {
        **kept,
        "storage": {"size": "3Gi"},
        "tuning": {"connections": 30},
        "schedule": {"full": "30 3 * * 6"},
    }
    place.apply(tuned)
    assert place.sql("SHOW max_connections") == "30"
    assert place.pod_uid() != uid
    assert place.get("cronjob", FULL)["spec"]["schedule"] == "30 3 * * 6"
    assert place.get("pvc", CLAIM)["spec"]["resources"]["requests"]["storage"] == "3Gi"
    assert place.secret("postgresql") == password
    assert place.backups() == ["full"]
    assert place.settled(tuned)

    refused = place.apply({**tuned, "storage": {"size": "1Gi"}}, expect=5)
    assert "cannot shrink" in refused.err
    assert place.settled(tuned)

    by_hand = {"spec": {"resources": {"requests": {"storage": "6e9"}}}}
    place.kubectl.run("patch", "pvc", CLAIM, "--patch", json.dumps(by_hand))
    wait_until("the volume has grown", lambda: place.get("pvc", CLAIM)["status"]["capacity"]["storage"] == "6e9")
    refused = place.apply({**tuned, "storage": {"size": "4Gi"}}, expect=5)
    assert "the volume has 6G and cannot shrink to 4Gi: set storage.size to 6G, or more" in refused.err
    assert place.settled(tuned)


@LONG
def test_tls_off_and_on_again_keeps_the_database(place: Site) -> None:
    on: dict[str, object] = {"tls": {"verify": True}}
    off: dict[str, object] = {"tls": {"verify": False}}
    place.apply(on)
    place.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    for answers, group in ((off, 999), (on, 1001)):
        place.apply(answers)
        assert place.get("pod", POD)["spec"]["securityContext"]["fsGroup"] == group
        assert place.sql("SELECT answer FROM kept") == "42"
        # setgid comes from fsGroup, and means nothing to PostgreSQL
        assert place.in_pod("stat", "--format=%a %u", "/var/lib/postgresql/data/pgdata").strip()[-7:] == "700 999"
        place.in_pod("pgbackrest", "--stanza=main", "check")
    assert place.backups() == ["full"]


def another_certificate() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@LONG
def test_a_certificate_that_changes_at_its_source_is_followed(prepared: Site) -> None:
    kubectl = prepared.kubectl
    minio = Kubectl(kubectl.binary, "minio").json("get", "secret", "minio-tls")["data"]["tls.crt"]

    def publish(pem: bytes) -> None:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}}
        data = {**secret, "data": {"tls.crt": base64.b64encode(pem).decode()}}
        kubectl.run("apply", "--server-side", "--force-conflicts", "--filename=-", data=json.dumps(data).encode())

    publish(base64.b64decode(minio))
    answers = {"tls": {"source": {"namespace": kubectl.namespace, "secret": "source", "key": "tls.crt"}}}
    prepared.apply(answers)
    uid = prepared.pod_uid()

    bundle = base64.b64decode(minio) + another_certificate()
    publish(bundle)
    prepared.apply(answers)
    assert prepared.secret("postgresql-minio-ca")["tls.crt"].strip() == bundle.strip()
    assert prepared.pod_uid() != uid
    prepared.run_job(INCREMENTAL, "now")
    prepared.ended("now")
    assert prepared.backups() == ["full", "incr"]
    assert prepared.settled(answers)


def test_uninstall_keeps_the_data_and_a_new_install_finds_it(place: Site) -> None:
    place.apply()
    place.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    secrets = {name: place.secret(name) for name in ("postgresql", "postgresql-pgbackrest-s3", "postgresql-minio-ca")}
    claim = place.get("pvc", CLAIM)["metadata"]["uid"]

    output = place.uninstall("--yes").out
    assert "keep" in output
    assert set(place.versions()) == {
        "ConfigMap/kube-root-ca.crt",
        "ServiceAccount/default",
        f"PersistentVolumeClaim/{CLAIM}",
        *(f"Secret/{name}" for name in secrets),
    }
    assert {name: place.secret(name) for name in secrets} == secrets

    place.apply()
    assert place.sql("SELECT answer FROM kept") == "42"
    assert place.get("pvc", CLAIM)["metadata"]["uid"] == claim
    assert {name: place.secret(name) for name in secrets} == secrets
    assert place.backups() == ["full"]


@LONG
def test_the_repository_of_another_cluster_is_refused(place: Site) -> None:
    place.apply()
    place.uninstall("--yes", "--purge-data=postgresql")
    kept = set(place.versions("pvc,secret,statefulset,lease"))
    assert kept == {"Secret/postgresql-minio-ca"}

    refused = place.apply(expect=9)
    assert "[028]" in refused.output
    assert "another" in refused.err
    assert "repository.path" in refused.output

    place.apply({"repository": {"path": f"{place.path}-2"}})
    assert place.backups() == ["full"]


@LONG
def test_scheduled_backups_wait_for_each_other_and_wal_arrives_in_time(place: Site) -> None:
    place.apply({"tuning": {"archiveTimeoutSeconds": 5}})

    # Both at once: one runs, and is paused until the other follows it; that one runs its own after it.
    def is_sent(signal: str) -> bool:
        command = ("pkill", f"--signal={signal}", "--full", "^pgbackrest .*--type=full")
        return place.kubectl.outcome("exec", POD, "--container=postgresql", "--", *command)[0] == 0

    place.run_job(FULL, "full-now")
    wait_until("the full backup runs and is paused", lambda: is_sent("STOP"))
    place.run_job(INCREMENTAL, "incr-now")
    following = "backup.sh full is running: following it"
    wait_until("the other follows it", lambda: following in place.logs("incr-now"))
    assert is_sent("CONT")
    place.ended("full-now")
    place.ended("incr-now")
    assert place.backups() == ["full", "full", "incr"]

    # No backup runs any more that would switch to another segment: the timeout alone does.
    assert place.sql("SHOW archive_timeout") == "5s"
    place.sql("CREATE TABLE written AS SELECT 1")
    segment = place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    listing = ("pgbackrest", "--stanza=main", "repo-ls", "--recurse", "archive/main")
    wait_until(f"{segment} is in S3", lambda: segment in place.in_pod(*listing))
