"""What the live tests share: kubectl with a deadline on every call, namespaces that go away, and rendered answers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgwizard.cli.source import Source, resolve_plan
from pgwizard.plan import manifests
from pgwizard.plan.plan import Plan
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE, wait_until

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG")
LIVE = [
    pytest.mark.live,
    pytest.mark.skipif(KUBECONFIG is None, reason="PGWIZARD_TEST_KUBECONFIG names no cluster"),
]
LONG = pytest.mark.long
IMAGE = "aryan-laptophp/postgres-pgbackrest:15.0"
CHECKOUT = Path(__file__).parents[2]
GOLDEN = CHECKOUT / "tests" / "golden"
RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn", "audit")]


def first_at_least(values: Iterable[int]) -> list[Any]:
    """As parameters, of which all but the first are long."""
    first, *others = values
    return [first, *(pytest.param(value, marks=LONG) for value in others)]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl in one namespace."""

    binary: str
    namespace: str = "default"

    def run(self, *arguments: str, data: bytes = b"", check: bool = True) -> tuple[bytes, str]:
        """What it printed on stdout and stderr."""
        code, output, errors = self.outcome(*arguments, data=data)
        assert code == 0 or not check, f"kubectl {' '.join(arguments)}: exit {code}\n{errors}"
        return output, errors

    def outcome(self, *arguments: str, data: bytes = b"") -> tuple[int, bytes, str]:
        """Exit code, stdout, stderr."""
        done = subprocess.run(
            [self.binary, f"--kubeconfig={KUBECONFIG}", f"--namespace={self.namespace}", *arguments],
            input=data,
            capture_output=True,
            timeout=2 * DEADLINE_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def wait_for_job(self, name: str) -> None:
        """Until it has succeeded. One that failed, or never ends, is an error with what its pods printed."""
        end = self.wait_for_end(name)
        if end != "Complete":
            logs = self.outcome("logs", f"job/{name}", "--all-containers", "--tail=60")[1]
            described = self.outcome("describe", "pods")[1]
            raise AssertionError(f"Job {name}: {end or 'no end'}\n{(logs + described).decode(errors='replace')}")

    def wait_for_end(self, job: str) -> str:
        """Until a Job has ended: Complete or Failed; empty where it has not within the deadline.

        Each look is a request of its own: a watch of kubectl's has missed the end of a Job on a busy machine.
        """
        output = '--output=jsonpath={.status.conditions[?(@.status=="True")].type}'
        ends = set[str]()

        def has_ended() -> bool:
            ends.update({*self.outcome("get", "job", job, output)[1].decode().split()} & {"Complete", "Failed"})
            return bool(ends)

        with contextlib.suppress(AssertionError):
            wait_until(f"Job {job} has ended", has_ended)
        return next(iter(ends), "")

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "-o", "json")[0])

    def exec(self, pod: str, *command: str, data: bytes = b"") -> bytes:
        """Run a command in a pod's first container."""
        stdin = ["--stdin"] if data else []
        return self.run("exec", *stdin, pod, "--", *command, data=data)[0]


_IN_A_FOLDER = """
folder="$(mktemp -d)" && cd "$folder" && tar -x -f - && bash script.sh
code=$?
rm -rf "$folder"
exit "$code"
"""


@dataclass(frozen=True, slots=True)
class Shell:
    """A pod of the chart's image that sleeps."""

    kubectl: Kubectl
    pod: str

    def run(self, script: str, files: Mapping[str, str] | None = None) -> bytes:
        """Run a bash script in a fresh folder that holds these files; its stdout."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, text in {**(files or {}), "script.sh": script}.items():
                content = text.encode()
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return self.kubectl.exec(self.pod, "bash", "-c", _IN_A_FOLDER, data=archive.getvalue())


def find_kubectl() -> str | None:
    return shutil.which("kubectl") or shutil.which("kubectl", path=os.environ.get("KUBEBUILDER_ASSETS", ""))


@contextlib.contextmanager
def own_namespace(binary: str, prefix: str, *labels: str) -> Iterator[Kubectl]:
    """A namespace of its own; deleted at the end without waiting."""
    kubectl = Kubectl(binary, f"{prefix}-{uuid.uuid4().hex[:8]}")
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        if labels:
            kubectl.run("label", "namespace", kubectl.namespace, *labels)
        kubectl.run("wait", "--for=create", "serviceaccount/default", KUBECTL_DEADLINE)
        yield kubectl
    finally:
        kubectl.run("delete", "namespace", kubectl.namespace, "--wait=false")


def pod_object(name: str) -> dict[str, Any]:
    """A pod of the chart's image that sleeps, as uid 999, meeting Pod Security "restricted"."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 999,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "shell",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", "3600"],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def plan_of(answers: Path, *overrides: str, ca_file: Path | None = None) -> Plan:
    """The plan of a file of answers, read as the command line reads it."""
    return resolve_plan(Source(str(answers), overrides, str(ca_file) if ca_file else None))[0]


def documents(rendered: list[manifests.Manifest]) -> bytes:
    return "---\n".join(manifest.text for manifest in rendered).encode()


def configuration(rendered: list[manifests.Manifest], name: str) -> str:
    """A configuration file out of the rendered ConfigMaps, as the kubelet mounts it."""
    for manifest in rendered:
        if manifest.object["kind"] == "ConfigMap" and name in manifest.object["data"]:
            return str(manifest.object["data"][name])
    raise KeyError(name)


def golden_cases() -> list[Path]:
    """The golden cases, and the example that a new operator begins with."""
    return [*sorted(GOLDEN.glob("*/answers.yaml")), CHECKOUT / "examples" / "answers.yaml"]


def golden_plan(answers: Path, *overrides: str) -> Plan:
    tls = yaml.safe_load(answers.read_text()).get("tls", {})
    public_authorities = "source" in tls and tls["source"] is None
    ca_file = GOLDEN / "ca.crt" if GOLDEN in answers.parents and not public_authorities else None
    return plan_of(answers, *overrides, ca_file=ca_file)
