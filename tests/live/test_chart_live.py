"""The exported chart with the real helm: from nothing to a valid backup, and over a release that pgwizard applied."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.headless import GOLDEN
from support.helm import HELM
from support.live_releases import HOOK, Site, merged, site
from support.rigtools import KUBECONFIG, LIVE, LONG
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")]

SECRETS: dict[str, Any] = {
    "credentials": {"from": "existing", "secret": "superuser"},
    "repository": {"credentials": {"from": "existing", "secret": "s3"}},
}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A restricted namespace with the Secrets that the chart refers to."""
    with site(kubectl_binary, tmp_path, "pod-security.kubernetes.io/enforce=restricted", create=False) as scene:
        for name, values in (
            ("superuser", {"username": "postgres", "password": "of-a-test"}),
            ("s3", {"accessKey": os.environ["RIG_S3_ACCESS_KEY"], "secretKey": os.environ["RIG_S3_SECRET_KEY"]}),
        ):
            literals = [f"--from-literal={key}={value}" for key, value in values.items()]
            scene.kubectl.run("create", "secret", "generic", name, *literals)
        yield scene


def exported(place: Site, answers: dict[str, Any]) -> Path:
    """The chart for these answers, as the command line writes it."""
    place.command(merged(SECRETS, answers))  # writes the file of answers
    chart = place.folder / "chart"
    place.pgwizard(*place.command(None, "export", str(place.folder / "answers.yaml"), "-o", str(chart))[:-1])
    return chart


def helm(place: Site, *arguments: str | Path, code: int = 0) -> str:
    assert HELM is not None
    command = [HELM, f"--kubeconfig={KUBECONFIG}", f"--namespace={place.kubectl.namespace}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE_SECONDS, check=False)
    assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
    return done.stdout + done.stderr


def test_helm_installs_tests_upgrades_and_removes_a_release_with_a_valid_backup(place: Site) -> None:
    chart = exported(place, {})
    helm(place, "install", "postgresql", chart, "--wait", KUBECTL_DEADLINE)
    assert place.backups() == ["full"]
    assert "Succeeded" in helm(place, "test", "postgresql", KUBECTL_DEADLINE)
    pod = place.pod_uid()

    owned = place.apply(SECRETS, expect=6)
    assert "belongs to Helm release postgresql" in owned.output

    helm(place, "upgrade", "postgresql", chart, "--set=jobs.memoryLimit=192Mi", "--wait", KUBECTL_DEADLINE)
    assert (place.pod_uid(), place.backups()) == (pod, ["full"]), "neither restarted nor backed up again"
    helm(place, "rollback", "postgresql", "1", "--wait", KUBECTL_DEADLINE)
    assert (place.pod_uid(), place.backups()) == (pod, ["full"])
    helm(place, "uninstall", "postgresql", "--wait", KUBECTL_DEADLINE)
    kept = {f"{item['kind']}/{item['metadata']['name']}" for item in place.kubectl.json("get", "secret,pvc")["items"]}
    assert {"Secret/postgresql-minio-ca", "PersistentVolumeClaim/postgresql-storage-postgresql-0"} <= kept


@LONG
def test_helm_takes_over_a_release_of_pgwizard_without_a_restart(place: Site) -> None:
    place.apply(SECRETS)
    before = place.pod_uid()
    chart = exported(place, {})
    helm(
        place, "upgrade", "--install", "postgresql", chart, "--take-ownership", "--force-conflicts", "--wait",
        KUBECTL_DEADLINE,
    )  # fmt: skip
    assert (place.pod_uid(), place.backups()) == (before, ["full"])
    assert place.get("job", HOOK)["status"]["succeeded"] == 1
    assert (
        "recoverable"
        in place.pgwizard(
            *place.command(None, "status", "postgresql", f"--namespace={place.kubectl.namespace}", "--json")
        ).out.lower()
    )


def nothing_is_created(place: Site) -> bool:
    """Whether the namespace has the two Secrets of the test alone: no object, and no release of Helm's."""
    result = place.kubectl.json("get", "statefulset,cronjob,service,role,job,pvc,secret")["items"]
    return {item["metadata"]["name"] for item in result} <= {"superuser", "s3"}


_CIPHER = {"repository": {"cipher": {"from": "existing", "secret": "cipher"}}}


def _patch(secret: str, *changes: str) -> tuple[str, ...]:
    return ("patch", "secret", secret, "--type=json", f"--patch=[{','.join(changes)}]")


@LONG
@pytest.mark.parametrize(
    ("change", "answers", "expected"),
    [
        (("delete", "secret", "superuser"), {}, "Secret {}/superuser does not exist"),
        (("delete", "secret", "s3"), {}, "Secret {}/s3 does not exist"),
        (("get", "secret"), _CIPHER, "Secret {}/cipher does not exist"),
        (
            _patch("superuser", '{"op": "remove", "path": "/data/password"}'),
            {},
            "Secret {}/superuser has no key password; its keys: username",
        ),
        (
            _patch("s3", '{"op": "remove", "path": "/data/accessKey"}', '{"op": "remove", "path": "/data/secretKey"}'),
            {},
            "Secret {}/s3 has no key accessKey; its keys: none",
        ),
        (
            _patch("s3", '{"op": "replace", "path": "/data/secretKey", "value": ""}'),
            {},
            "Secret {}/s3, key secretKey is empty",
        ),
        (
            _patch("s3", '{"op": "replace", "path": "/data/secretKey", "value": "YQo="}'),
            {},
            "Secret {}/s3, key secretKey begins or ends with a blank or a line break",
        ),
        (
            _patch("superuser", '{"op": "replace", "path": "/data/password", "value": "/////w=="}'),
            {},
            "Secret {}/superuser, key password is not text in UTF-8: no container would start with it",
        ),
        (
            _patch("s3", '{"op": "replace", "path": "/data/secretKey", "value": "YQBi"}'),
            {},
            "Secret {}/s3, key secretKey is not text in UTF-8: no container would start with it",
        ),
        (
            ("get", "secret"),
            {"tls": {"source": {"namespace": "minio", "secret": "missing", "key": "tls.crt"}}},
            "Secret minio/missing does not exist; it should hold the certificate to trust",
        ),
        (
            ("get", "secret"),
            {"tls": {"source": {"namespace": "minio", "secret": "minio-tls", "key": "other.crt"}}},
            "Secret minio/minio-tls has no key other.crt; its keys: tls.crt, tls.key",
        ),
        (
            ("get", "secret"),
            {"tls": {"source": {"namespace": "minio", "secret": "minio-tls", "key": "tls.key"}}},
            "holds a private key: give the certificate alone (the key must not leave the server)",
        ),
        (
            ("get", "secret"),
            {"tls": {"source": {"namespace": "minio", "secret": "minio-root", "key": "rootUser"}}},
            "is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----",
        ),
    ],
)
def test_helm_stops_where_pgwizard_stops_and_in_its_words(
    place: Site, change: tuple[str, ...], answers: dict[str, Any], expected: str
) -> None:
    chart = exported(place, answers)
    place.kubectl.run(*change)
    words = expected.format(place.kubectl.namespace)
    assert words in helm(place, "install", "postgresql", chart, code=1)
    assert nothing_is_created(place)
    assert words in " ".join(place.apply(merged(SECRETS, answers), expect=5).output.split())
    helm(place, "template", "postgresql", chart, f"--set-file=tls.certificate={GOLDEN / 'ca.crt'}")


@LONG
def test_helm_stops_without_the_right_to_read_the_certificate(place: Site) -> None:
    """A user who may do everything in the namespace, and nothing in that of the S3 server."""
    chart = exported(place, {})
    user = f"owner-of-{place.kubectl.namespace}"
    place.kubectl.run("create", "rolebinding", user, "--clusterrole=admin", f"--user={user}")
    reason = f'secrets "minio-tls" is forbidden: User "{user}" cannot get resource "secrets"'
    assert reason in helm(place, "install", "postgresql", chart, f"--kube-as-user={user}", code=1)
    assert nothing_is_created(place)
