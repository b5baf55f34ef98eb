"""The image as image/Containerfile says it, and releases that run on it with backups proven by pgBackRest itself."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pgwizard.plan import manifests
from support.rigtools import CHECKOUT, IMAGE, LIVE, LONG, RESTRICTED, Kubectl, documents, own_namespace, plan_of
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
RIG = Path(os.environ.get("PGWIZARD_TEST_RIG") or CHECKOUT.parent / "shared" / "rig" / "rig")
POD, FULL, INCREMENTAL = "postgresql-0", "postgresql-pgbackrest-full", "postgresql-pgbackrest-incr"
HOOK = "postgresql-pgbackrest-init"
PASSPHRASE = 'a passphrase with "quotes" and $(X)'


@dataclass(frozen=True, slots=True)
class Running:
    """A release whose hook Job is done."""

    kubectl: Kubectl
    rendered: list[manifests.Manifest]

    def in_pod(self, *command: str) -> str:
        return self.kubectl.exec(POD, *command).decode()

    def info(self) -> dict[str, Any]:
        output: list[dict[str, Any]] = json.loads(
            self.in_pod("pgbackrest", "--stanza=main", "--output=json", "--log-level-console=off", "info")
        )
        return output[0]

    def backups(self) -> list[str]:
        return [backup["type"] for backup in self.info()["backup"] if not backup["error"]]

    def sql(self, statement: str, user: str, database: str = "myapp") -> str:
        return self.in_pod("psql", f"--username={user}", f"--dbname={database}", "-Atc", statement).strip()

    def again(self) -> None:
        """Run the same hook Job a second time."""
        self.kubectl.run("delete", "job", HOOK, KUBECTL_DEADLINE)
        hook = [manifest for manifest in self.rendered if manifest.role == "init-job"]
        self.kubectl.run("apply", "--filename=-", data=documents(hook))
        self.kubectl.wait_for_job(HOOK)

    def start(self, cronjob: str) -> None:
        """Start a backup now, as its CronJob would."""
        self.kubectl.run("create", "job", "now", f"--from=cronjob/{cronjob}")
        self.kubectl.wait_for_job("now")


@pytest.fixture
def ca_file(kubectl_binary: str, tmp_path: Path) -> Path:
    """The certificate of the rig's MinIO, as an operator would fetch it."""
    secret = Kubectl(kubectl_binary, "minio").json("get", "secret", "minio-tls")
    file = tmp_path / "minio.crt"
    file.write_bytes(base64.b64decode(secret["data"]["tls.crt"]))
    return file


@pytest.fixture
def s3_keys() -> tuple[str, str]:
    try:
        return os.environ["RIG_S3_ACCESS_KEY"], os.environ["RIG_S3_SECRET_KEY"]
    except KeyError as missing:
        pytest.skip(f"{missing} is not set: no credentials for the S3 of the cluster")


@contextlib.contextmanager
def release(
    kubectl_binary: str, answers: dict[str, Any], ca_file: Path, s3_keys: tuple[str, str], folder: Path, user: str
) -> Iterator[Running]:
    """Answers in, a running release out: in a namespace that enforces Pod Security, on a repository path of its own."""
    with own_namespace(kubectl_binary, "pgw-release", *RESTRICTED) as kubectl:
        path = f"/pgwizard-live/{uuid.uuid4().hex}"
        file = folder / "answers.yaml"
        file.write_text(json.dumps(answers))
        own = (f"release.namespace={kubectl.namespace}", f"repository.path={path}")
        shared_node = ("resources.cpuRequest=10m", "resources.memoryRequest=64Mi")
        plan = plan_of(file, *own, *shared_node, ca_file=ca_file)
        secrets = {
            "postgresql": {"username": user, "password": "a password with 'quotes' and $(X)"},
            "postgresql-pgbackrest-s3": {"accessKey": s3_keys[0], "secretKey": s3_keys[1]},
            "cipher": {"passphrase": PASSPHRASE},
        }
        made = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
            for name, data in secrets.items()
        ]
        kubectl.run("create", "-f-", data=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}).encode())
        running = Running(kubectl, manifests.render(plan))
        try:
            kubectl.run("apply", "--validate=strict", "--filename=-", data=documents(running.rendered))
            kubectl.wait_for_job(HOOK)
            yield running
        finally:
            # The bucket is shared: what was written is removed as far as it can be.
            stanza = ("--stanza=main", "--log-level-console=off")
            kubectl.outcome("exec", POD, "--", "pgbackrest", *stanza, "stop")
            kubectl.outcome("exec", POD, "--", "pgbackrest", *stanza, "--force", "stanza-delete")


def test_the_containerfile_builds_and_the_default_answers_run_on_it(
    kubectl_binary: str, ca_file: Path, s3_keys: tuple[str, str], tmp_path: Path
) -> None:
    if not RIG.is_file():
        pytest.skip(f"{RIG}: no rig to build an image with; PGWIZARD_TEST_RIG names one")
    subprocess.run([str(RIG), "image", str(CHECKOUT / "image"), IMAGE], check=True, timeout=DEADLINE_SECONDS)

    answers = {"release": {"name": "postgresql"}}
    with release(kubectl_binary, answers, ca_file, s3_keys, tmp_path, "postgres") as running:
        running.kubectl.run("wait", "--for=condition=Ready", f"pod/{POD}", KUBECTL_DEADLINE)
        info = running.info()
        assert running.backups() == ["full"]
        assert info["status"]["message"] == "ok"
        assert info["cipher"] == "none"
        assert running.sql("SHOW shared_buffers", "postgres") == "256MB"

        running.again()
        assert running.backups() == ["full"]

        running.start(INCREMENTAL)
        assert running.backups() == ["full", "incr"]


def test_another_superuser_with_cipher_zst_and_background_archiving(
    kubectl_binary: str, ca_file: Path, s3_keys: tuple[str, str], tmp_path: Path
) -> None:
    answers = {
        "credentials": {"from": "generate", "username": "app"},
        "repository": {"cipher": {"from": "existing", "secret": "cipher"}},
        "compression": {"type": "zst"},
        "advanced": {"archiveAsync": True},
        "tuning": {"memory": "512Mi"},
    }
    with release(kubectl_binary, answers, ca_file, s3_keys, tmp_path, "app") as running:
        assert running.backups() == ["full"]
        assert running.info()["cipher"] == "aes-256-cbc"
        assert running.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'app'", "app") == "t"
        assert running.sql("SELECT failed_count FROM pg_stat_archiver", "app") == "0"

        running.start(FULL)
        running.again()
        assert running.backups() == ["full", "full"]


def test_without_verification(kubectl_binary: str, ca_file: Path, s3_keys: tuple[str, str], tmp_path: Path) -> None:
    answers = {
        "tls": {"verify": False},
        "compression": {"type": "lz4"},
        "advanced": {"networkPolicy": True},
        "tuning": {"memory": "512Mi"},
    }
    with release(kubectl_binary, answers, ca_file, s3_keys, tmp_path, "postgres") as running:
        assert running.backups() == ["full"]
        assert running.in_pod("sh", "-c", "ls /etc/ssl/certs/minio-ca.crt || true") == ""
