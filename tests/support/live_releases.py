"""A release on the real cluster, driven through the command line as an operator drives it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.rigtools import KUBECONFIG, Kubectl
from support.waiting import DEADLINE_SECONDS

POD = "postgresql-0"
_CONTAINER = "--container=postgresql"  # a mesh may put its own before it
CLAIM = f"postgresql-storage-{POD}"
FULL, INCREMENTAL = "postgresql-pgbackrest-full", "postgresql-pgbackrest-incr"
HOOK = "postgresql-pgbackrest-init"
LEASE = RECORD = "postgresql-pgwizard"
OURS = "secret,configmap,service,statefulset,serviceaccount,role,rolebinding,cronjob,job,pvc,lease"
SMALL: dict[str, Any] = {
    "storage": {"size": "1Gi"},
    "tuning": {
        "memory": "512Mi",
        "connections": 20,
        "parameters": {"max_wal_size": "256MB", "min_wal_size": "64MB"},
    },
    # Little is set aside, so that many releases fit on a node of two cores.
    "resources": {"cpuRequest": "20m", "memoryRequest": "128Mi"},
    "repository": {
        "bucket": "backups",
        "credentials": {"from": "env", "accessKey": "RIG_S3_ACCESS_KEY", "secretKey": "RIG_S3_SECRET_KEY"},
    },
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a run of the command line came to."""

    code: int
    out: str
    err: str

    @property
    def output(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Site:
    """A namespace and a repository path of its own, and the answers for a small release there."""

    kubectl: Kubectl
    folder: Path
    path: str
    create: bool = True
    variables: dict[str, str] = field(default_factory=dict)

    def command(self, answers: Mapping[str, Any] | None, *arguments: str) -> list[str]:
        """The command line that applies these answers, on top of the small ones."""
        place = [f"--kubeconfig={KUBECONFIG}"]
        if answers is None:
            return [sys.executable, "-m", "pgwizard", *arguments, *place]
        where: dict[str, Any] = {
            "release": {"namespace": self.kubectl.namespace, "createNamespace": self.create},
            "repository": {"path": self.path},
        }
        file = self.folder / "answers.yaml"
        file.write_text(json.dumps(merged(merged(SMALL, where), answers)))
        return [sys.executable, "-m", "pgwizard", "--headless", str(file), "--apply", *arguments, *place]

    def start(self, answers: Mapping[str, Any] | None, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(answers, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.variables},
        )

    def pgwizard(self, *command: str, expect: int = 0) -> Done:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
            env={**os.environ, **self.variables},
        )
        result = Done(done.returncode, done.stdout, done.stderr)
        assert result.code == expect, f"exit {result.code}, not {expect}\n{result.output}"
        return result

    def apply(self, answers: Mapping[str, Any] | None = None, *arguments: str, expect: int = 0) -> Done:
        return self.pgwizard(*self.command(answers or {}, *arguments), expect=expect)

    def settled(self, answers: Mapping[str, Any] | None = None) -> bool:
        """Whether one more apply finds nothing to do."""
        lines = [json.loads(line) for line in self.apply(answers, "--json").out.splitlines()]
        return any(line.get("outcome") == "unchanged" for line in lines)

    def uninstall(self, *arguments: str) -> Done:
        place = f"--namespace={self.kubectl.namespace}"
        return self.pgwizard(*self.command(None, "uninstall", "postgresql", place, *arguments))

    # -- what is there ---------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Any:
        return self.kubectl.json("get", kind, name)

    def versions(self, kinds: str = OURS) -> dict[str, str]:
        """The resourceVersion of every object that a run may write."""
        items = self.kubectl.json("get", kinds)["items"]
        return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in items}

    def in_pod(self, *command: str) -> str:
        return self.kubectl.run("exec", POD, _CONTAINER, "--", *command)[0].decode()

    def sql(self, statement: str) -> str:
        return self.in_pod("psql", "--username=postgres", "--dbname=myapp", "-Atc", statement).strip()

    def info(self) -> dict[str, Any]:
        output: list[dict[str, Any]] = json.loads(
            self.in_pod("pgbackrest", "--stanza=main", "--output=json", "--log-level-console=off", "info")
        )
        return output[0]

    def backups(self) -> list[str]:
        """The types of the valid backups, by pgBackRest's own word that all is well."""
        info = self.info()
        assert info["status"]["message"] == "ok", info["status"]
        return [backup["type"] for backup in info["backup"] if not backup["error"]]

    def pod_uid(self) -> str:
        return str(self.get("pod", POD)["metadata"]["uid"])

    def secret(self, name: str) -> dict[str, bytes]:
        return {key: base64.b64decode(value) for key, value in self.get("secret", name)["data"].items()}

    def holder(self) -> str:
        return str(self.get("lease", LEASE)["spec"].get("holderIdentity", ""))

    # -- backups ---------------------------------------------------------------------------------------------------

    def run_job(self, cronjob: str, name: str) -> None:
        self.kubectl.run("create", "job", name, f"--from=cronjob/{cronjob}")

    def ended(self, name: str) -> None:
        self.kubectl.wait_for_job(name)

    def logs(self, job: str) -> str:
        return self.kubectl.outcome("logs", f"job/{job}", "--tail=-1")[1].decode()

    def crashes(self) -> list[str]:
        """What the running server says of backends that ended badly: nothing that pgwizard starts may do that to it."""
        _, log, _ = self.kubectl.outcome("logs", POD, "--container=postgresql", "--tail=-1")
        signs = ("was terminated by signal", "terminating any other active server processes", "all server processes")
        return [line for line in log.decode(errors="replace").splitlines() if any(sign in line for sign in signs)]

    def forget_repository(self) -> None:
        """The bucket is shared: what was written is removed as far as it can be."""
        stanza = ("--stanza=main", "--log-level-console=off")
        self.kubectl.outcome("exec", POD, _CONTAINER, "--", "pgbackrest", *stanza, "stop")
        self.kubectl.outcome("exec", POD, _CONTAINER, "--", "pgbackrest", *stanza, "--force", "stanza-delete")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` on top of ``base``, mappings key by key; one that names the source of a secret replaces it whole."""
    items = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(items.get(key), Mapping) and "from" not in value
        items[key] = merged(items[key], value) if both else value
    return items


@contextlib.contextmanager
def site(binary: str, folder: Path, *labels: str, create: bool = True, prefix: str = "pgw-apply") -> Iterator[Site]:
    """A place for a release. create: pgwizard makes the namespace; else it is there, with these labels.

    prefix: how the namespace's name begins.
    """
    for name in ("RIG_S3_ACCESS_KEY", "RIG_S3_SECRET_KEY"):
        if name not in os.environ:
            pytest.skip(f"{name} is not set: no credentials for the S3 of the cluster")
    unique = uuid.uuid4().hex[:8]
    kubectl = Kubectl(binary, f"{prefix}-{unique}")
    place = Site(kubectl, folder, f"/pgwizard-live/{unique}", create)
    try:
        if not create:
            kubectl.run("create", "namespace", kubectl.namespace)
            if labels:
                kubectl.run("label", "namespace", kubectl.namespace, *labels)
        yield place
        assert place.crashes() == []
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            place.forget_repository()
        kubectl.outcome("delete", "namespace", kubectl.namespace, "--wait=false", "--ignore-not-found")
