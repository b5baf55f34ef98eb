"""Policies that clusters enforce on pods: which ones a release meets, by itself or by an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from pgwizard.kube.api import Object
from support.admission import warning_policies
from support.rigtools import LIVE, LONG, Kubectl, own_namespace
from support.sized_pods import manifests_of
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]

EACH = "(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])).all(c, "
SECURITY = f"{EACH}has(c.securityContext) && has(c.securityContext."
SIZES = [
    f"has(c.resources.{kind}) && '{what}' in c.resources.{kind}"
    for kind in ("requests", "limits")
    for what in ("cpu", "memory")
]
LIMITS = f"{EACH}has(c.resources) && has(c.resources.limits) && "
POLICIES = {
    "read-only-root": f"{SECURITY}readOnlyRootFilesystem) && c.securityContext.readOnlyRootFilesystem)",
    "no-escalation": f"{SECURITY}allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation)",
    "no-capabilities": f"{SECURITY}capabilities) && 'ALL' in c.securityContext.capabilities.drop)",
    "seccomp": f"{SECURITY}seccompProfile) && c.securityContext.seccompProfile.type == 'RuntimeDefault')",
    "non-root": f"{SECURITY}runAsNonRoot) && c.securityContext.runAsNonRoot)",
    "no-host": "!has(object.spec.hostNetwork) && !has(object.spec.hostPID) && !has(object.spec.hostIPC)",
    "sizes": f"{EACH}has(c.resources) && {' && '.join(SIZES)})",
    "tagged": f"{EACH}c.image.contains(':') && !c.image.endsWith(':latest'))",
    "standard-labels": "has(object.metadata.labels) && 'app.kubernetes.io/name' in object.metadata.labels",
    "registry": f"{EACH}c.image.startsWith('registry.example.com/'))",
    "always-pulled": f"{EACH}c.imagePullPolicy == 'Always')",
    "pull-secret": "has(object.spec.imagePullSecrets)",
    "team": "has(object.metadata.labels) && 'team' in object.metadata.labels",
    "probes": "object.spec.containers.all(c, has(c.readinessProbe) && has(c.livenessProbe))",
    "no-token": "has(object.spec.automountServiceAccountToken) && !object.spec.automountServiceAccountToken",
    "ephemeral-storage": f"{LIMITS}'ephemeral-storage' in c.resources.limits)",
    "priority": "has(object.spec.priorityClassName) && object.spec.priorityClassName != ''",
    "runtime": "has(object.spec.runtimeClassName)",
    "high-user": "has(object.spec.securityContext.runAsUser) && object.spec.securityContext.runAsUser >= 10000",
}
NEVER = {"ephemeral-storage", "priority", "runtime", "high-user"}
"""No answer meets them."""
OF_JOBS = {"probes", "no-token"}
"""A Job ends, and its kubectl needs the token."""
ANSWERED = {"registry", "always-pulled", "pull-secret", "team"}
"""Met by answers, but for labels of the database's pod."""
ANSWERS = {
    "images": {
        "postgresql": "registry.example.com/postgres-pgbackrest:15.0",
        "kubectl": "registry.example.com/kubectl:v1.34.4",
        "pullPolicy": "Always",
        "pullSecrets": ["login"],
    },
    "jobs": {"labels": {"team": "shop"}},
}


@pytest.fixture
def kubectl(kubectl_binary: str) -> Iterator[Kubectl]:
    with own_namespace(kubectl_binary, "admis-policies") as place:
        yield place


def pod_of(objects: list[Object], kind: str) -> Object:
    """The pod that a workload of this kind makes, without volumes, which a dry run would look for."""
    (template,) = (obj["spec"]["template"] for obj in objects if obj["kind"] == kind)
    spec = {key: value for key, value in template["spec"].items() if key not in ("volumes", "serviceAccountName")}
    for group in ("initContainers", "containers"):
        spec[group] = [
            {key: value for key, value in item.items() if key not in ("volumeMounts", "env")}
            for item in spec.get(group, ())
        ]
    metadata = {**template["metadata"], "name": "tried"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "restartPolicy": "Never"}}


def violated(kubectl: Kubectl, pod: Object) -> set[str]:
    _, warnings = kubectl.run("create", "--dry-run=server", "--filename=-", data=json.dumps(pod).encode())
    return set(re.findall(r"policy ([a-z-]+) is not met", warnings))


def test_a_release_meets_the_usual_policies_by_itself_or_by_an_answer(kubectl: Kubectl) -> None:
    bare = {"name": "c", "image": "x", "imagePullPolicy": "Never"}
    bad: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bad"},
        "spec": {"containers": [bare], "hostNetwork": True},
    }
    with warning_policies(kubectl, {name: (rule, f"policy {name} is not met") for name, rule in POLICIES.items()}):
        wait_until("every policy is in force", lambda: violated(kubectl, bad) == set(POLICIES))
        plain, answered = manifests_of(), manifests_of(**ANSWERS)
        assert violated(kubectl, pod_of(plain, "StatefulSet")) == NEVER | ANSWERED
        assert violated(kubectl, pod_of(plain, "Job")) == NEVER | ANSWERED | OF_JOBS
        assert violated(kubectl, pod_of(answered, "StatefulSet")) == NEVER | {"team"}
        assert violated(kubectl, pod_of(answered, "Job")) == NEVER | OF_JOBS
