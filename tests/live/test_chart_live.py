"""The exported chart with the real helm: from nothing to a valid backup, and over a release that pgwizard applied."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.helm import HELM
from support.live_releases import HOOK, Site, merged, site
from support.rigtools import KUBECONFIG, LIVE
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
    with site(kubectl_binary, tmp_path, "pod-security.kubernetes.io/enforce=restricted", create=False) as found:
        for name, values in (
            ("superuser", {"username": "postgres", "password": "of-a-test"}),
            ("s3", {"accessKey": os.environ["RIG_S3_ACCESS_KEY"], "secretKey": os.environ["RIG_S3_SECRET_KEY"]}),
        ):
            literals = [f"--from-literal={key}={value}" for key, value in values.items()]
            found.kubectl.run("create", "secret", "generic", name, *literals)
        yield found


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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("tls.source.secret=missing", "Secret minio/missing does not exist"),
        ("tls.source.key=other.crt", "Secret minio/minio-tls has no key other.crt"),
        ("tls.source.key=tls.key", "holds a private key"),
    ],
)
def test_a_certificate_that_cannot_be_read_stops_the_install_before_anything_is_created(
    place: Site, values: str, expected: str
) -> None:
    output = helm(place, "install", "postgresql", exported(place, {}), f"--set={values}", code=1)
    assert expected in output
    assert place.kubectl.json("get", "statefulset,cronjob,service,role,job")["items"] == []
