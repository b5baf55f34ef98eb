"""Failures on a real cluster: reported at once with their cause, and the next run continues from there."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live_releases import LEASE, POD, Site, site
from support.rigtools import IMAGE, LIVE, LONG, RESTRICTED, Kubectl, own_namespace, pod_object
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE, wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
CONF = """[global]
repo1-type=s3
repo1-path=/pgwizard-live/literal
repo1-s3-bucket=backups
repo1-s3-endpoint=minio.minio.svc:9000
repo1-s3-region=us-east-1
repo1-s3-uri-style=path
repo1-storage-verify-tls=y
repo1-s3-key=none
repo1-s3-key-secret=none
[main]
pg1-path=/tmp/data
"""


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A namespace that pgwizard is to make."""
    with site(kubectl_binary, tmp_path) as scene:
        yield scene


def test_the_plain_copy_of_the_certificate_is_not_trusted(kubectl_binary: str) -> None:
    """The architecture document's literal flow: this is why there are hash links and repo1-storage-ca-file."""
    certificate = Kubectl(kubectl_binary, "minio").json("get", "secret", "minio-tls")["data"]["tls.crt"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "minio-ca"}, "data": {"tls.crt": certificate}}
    configuration = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}}
    pod = pod_object("literal")
    restricted = pod["spec"]["containers"][0]["securityContext"]
    pod["spec"]["volumes"] = [
        {"name": "ca", "secret": {"secretName": "minio-ca"}},
        {"name": "certs", "emptyDir": {}},
        {"name": "conf", "configMap": {"name": "conf"}},
    ]
    pod["spec"]["initContainers"] = [
        {
            "name": "minio-ca-init",
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["cp", "/ca/tls.crt", "/etc/ssl/certs/minio-ca.crt"],
            "volumeMounts": [{"name": "ca", "mountPath": "/ca"}, {"name": "certs", "mountPath": "/etc/ssl/certs"}],
            "securityContext": restricted,
        }
    ]
    pod["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "certs", "mountPath": "/etc/ssl/certs", "readOnly": True},
        {"name": "conf", "mountPath": "/etc/pgbackrest"},
    ]
    items = [secret, {**configuration, "data": {"pgbackrest.conf": CONF}}, pod]
    with own_namespace(kubectl_binary, "pgw-literal", *RESTRICTED) as kubectl:
        kubectl.run("create", "-f-", data=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode())
        kubectl.run("wait", "--for=condition=Ready", "pod/literal", KUBECTL_DEADLINE)
        look = ("pgbackrest", "--config=/etc/pgbackrest/pgbackrest.conf", "--io-timeout=5", "repo-ls")
        assert "BEGIN CERTIFICATE" in kubectl.exec("literal", "cat", "/etc/ssl/certs/minio-ca.crt").decode()
        code, output, errors = kubectl.outcome("exec", "literal", "--", *look)
        assert code == 95, (code, output, errors)
        assert "[095]" in output.decode() + errors
        assert "[18] self" in output.decode() + errors
        # The same with the file named gets as far as S3's opinion of the key.
        trusting = (*look, "--repo1-storage-ca-file=/etc/ssl/certs/minio-ca.crt")
        code, output, errors = kubectl.outcome("exec", "literal", "--", *trusting)
        assert "[095]" not in output.decode() + errors
        assert "403" in output.decode() + errors


def test_a_wrong_image_is_reported_early_and_the_right_one_recovers(place: Site) -> None:
    with place.start({"images": {"postgresql": f"{IMAGE}-typo"}}, "--timeout", "3600") as run:
        output = run.communicate(timeout=DEADLINE_SECONDS)[0]  # long before the end of its own wait
    assert run.returncode == 8, output
    assert "cannot start: container minio-ca-init" in output
    assert "Cause: The node cannot resolve the registry's name " in output  # it has no way out
    assert f"{IMAGE}-typo" in output
    assert place.holder() == ""

    place.apply()
    assert place.backups() == ["full"]

    broken = place.apply({"images": {"postgresql": f"{IMAGE}-typo"}}, expect=8)
    assert "15.0-typo" in broken.err
    place.apply()
    assert place.settled()
    assert place.backups() == ["full"]


def test_a_secret_without_the_key_is_refused_before_anything_is_written(kubectl_binary: str, tmp_path: Path) -> None:
    with site(kubectl_binary, tmp_path, *RESTRICTED, create=False) as place:
        place.kubectl.run("create", "secret", "generic", "keys", "--from-literal=accessKey=a")
        before = place.versions()
        credentials = {"from": "existing", "secret": "keys"}
        refused = place.apply({"repository": {"credentials": credentials}}, expect=5)
        assert "has no key secretKey; its keys: accessKey" in refused.err
        assert place.versions() == before


def test_a_missing_variable_is_refused_before_anything_is_written(place: Site) -> None:
    credentials = {"from": "env", "accessKey": "RIG_S3_ACCESS_KEY", "secretKey": "NO_SUCH_VARIABLE"}
    refused = place.apply({"repository": {"credentials": credentials}}, expect=5)
    assert "NO_SUCH_VARIABLE is not set" in refused.err
    assert place.kubectl.outcome("get", "namespace", place.kubectl.namespace)[0] != 0


def test_a_wrong_s3_key_fails_with_its_cause_and_the_right_one_reaches_the_pod(place: Site) -> None:
    wrong = "a-wrong-secret-key"
    place.variables["RIG_S3_SECRET_KEY"] = wrong
    failed = place.apply(expect=9)
    assert "403" in failed.output
    assert "Cause:" in failed.err
    assert "Fix:" in failed.err
    assert wrong not in failed.output
    assert place.holder() == ""

    del place.variables["RIG_S3_SECRET_KEY"]
    password = place.secret("postgresql")
    place.apply()
    assert place.backups() == ["full"]
    assert place.secret("postgresql") == password


def test_ctrl_c_while_waiting_releases_the_lock_and_the_next_run_resumes(place: Site) -> None:
    run = place.start({})
    assert run.stdout is not None
    output = []
    for line in run.stdout:
        output.append(line)
        if line.startswith("· wait"):
            break
    run.send_signal(signal.SIGINT)
    output.append(run.communicate(timeout=DEADLINE_SECONDS)[0])
    assert run.returncode == 130, "".join(output)
    assert "Run it again at any time: it resumes." in "".join(output)
    assert place.holder() == ""

    place.apply()
    assert place.backups() == ["full"]


# ---- kill -9 ---------------------------------------------------------------------------------------------------------

KILLS = 10
"""In each of the two halves."""


@pytest.mark.parametrize("seed", [1, 2])
def test_an_apply_that_is_killed_at_random_moments_resumes(kubectl_binary: str, tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    kills = 0
    while kills < KILLS:
        with site(kubectl_binary, tmp_path) as place:
            password: dict[str, bytes] | None = None
            for left in range(KILLS - kills, -1, -1):
                run = place.start({}, "--json")
                killed = False
                try:
                    output, _ = run.communicate(timeout=moments.uniform(0, 12) if left else DEADLINE_SECONDS)
                except subprocess.TimeoutExpired:
                    run.kill()
                    output, _ = run.communicate()
                    killed = True
                assert killed or run.returncode == 0, output
                stored = stored_password(place)
                assert password in (None, stored), "the password changed"
                password = stored
                if not killed:
                    break
                assert left, "it did not end within 120 s"
                kills += 1
                forget_the_lock(place)
            assert place.backups() == ["full"]
            assert place.settled()
            assert stored_password(place) == password


def stored_password(place: Site) -> dict[str, bytes] | None:
    code, output, _ = place.kubectl.outcome("get", "secret", "postgresql", "-o", "json")
    return json.loads(output)["data"] if code == 0 else None


def forget_the_lock(place: Site) -> None:
    """A dead run's lock is watched for 16 s before it is taken over: too long for twenty runs."""
    place.kubectl.outcome("delete", "lease", LEASE, "--ignore-not-found")


def test_the_lock_of_a_run_that_was_killed_is_taken_over(place: Site) -> None:
    run = place.start({})
    wait_until("the pod is there", lambda: place.kubectl.outcome("get", "pod", POD)[0] == 0)
    run.kill()
    run.communicate()
    assert place.holder()
    resumed = place.apply()
    assert "waiting 15 s to see whether it lives" in resumed.out
    assert place.holder() == ""
    assert place.backups() == ["full"]
