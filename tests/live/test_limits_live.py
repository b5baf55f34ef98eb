"""LimitRanges and quotas on a real cluster: pgwizard refuses just what the API server refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pgwizard.kube.api import Object
from pgwizard.release import limits
from pgwizard.release.limits import ClaimDemand, Demand, NamespaceLimits, PodDemand
from support.rigtools import LIVE, LONG, Kubectl, own_namespace
from support.sized_pods import limit_range, manifests_of, quota
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]

OBJECTS = manifests_of()
CLAIM = ClaimDemand("10Gi", "standard")
IN_HIGH = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
NOT_IN_HIGH = {"scopeName": "PriorityClass", "operator": "NotIn", "values": ["high"]}
CASES = [
    *(
        limit_range(**item)
        for item in (
            {"min": {"memory": "64Mi"}},
            {"min": {"memory": "32Mi", "cpu": "20m"}},
            {"min": {"cpu": "0.05"}},
            {"max": {"memory": "1Gi"}},
            {"max": {"memory": "1023Mi"}},
            {"max": {"cpu": "500m"}},
            {"max": {"ephemeral-storage": "1Gi"}},
            {"min": {"ephemeral-storage": "1Gi"}},
            {"max": {"ephemeral-storage": "1Gi"}, "default": {"ephemeral-storage": "512Mi"}},
            {"maxLimitRequestRatio": {"cpu": "20"}},
            {"maxLimitRequestRatio": {"cpu": "25"}},
            {"maxLimitRequestRatio": {"memory": "1"}},
            {"maxLimitRequestRatio": {"memory": "4"}},
            {"type": "Pod", "max": {"cpu": "2"}},
            {"type": "Pod", "max": {"memory": "128Mi"}},
            {"type": "Pod", "min": {"memory": "64Mi"}},
            {"type": "Pod", "maxLimitRequestRatio": {"cpu": "8"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "9Gi"}},
            {"type": "PersistentVolumeClaim", "min": {"storage": "10e9"}},
        )
    ),
    *(
        quota(hard, {}, **scopes)
        for hard, scopes in (
            ({"requests.cpu": "250m"}, {}),
            ({"requests.cpu": "249m"}, {}),
            ({"cpu": "19m"}, {}),
            ({"memory": "1Gi"}, {}),
            ({"limits.memory": "100Mi"}, {}),
            ({"limits.cpu": "1"}, {}),
            ({"requests.ephemeral-storage": "1"}, {}),
            ({"pods": "0"}, {}),
            ({"count/pods": "0"}, {}),
            ({"count/pods": "1"}, {}),
            ({"pods": "0"}, {"scopes": ["BestEffort"]}),
            ({"pods": "0"}, {"scopes": ["NotBestEffort"]}),
            ({"pods": "0"}, {"scopes": ["Terminating"]}),
            ({"pods": "0"}, {"scopes": ["NotTerminating"]}),
            ({"pods": "0"}, {"scopes": ["PriorityClass"]}),
            ({"pods": "0"}, {"scopes": ["CrossNamespacePodAffinity"]}),
            ({"pods": "0"}, {"scopeSelector": {"matchExpressions": [IN_HIGH]}}),
            ({"pods": "0"}, {"scopeSelector": {"matchExpressions": [NOT_IN_HIGH]}}),
            ({"requests.storage": "9Gi"}, {}),
            ({"requests.storage": "10Gi"}, {}),
            ({"persistentvolumeclaims": "0"}, {}),
            ({"count/persistentvolumeclaims": "0"}, {}),
            ({"standard.storageclass.storage.k8s.io/requests.storage": "1Gi"}, {}),
            ({"fixed.storageclass.storage.k8s.io/requests.storage": "1Gi"}, {}),
            ({"standard.storageclass.storage.k8s.io/persistentvolumeclaims": "0"}, {}),
        )
    ),
]


@pytest.fixture(scope="module")
def kubectl(kubectl_binary: str) -> Iterator[Kubectl]:
    with own_namespace(kubectl_binary, "admis-limits") as place:
        yield place


def pod_of(demand: PodDemand) -> Object:
    """A pod of these sizes, and nothing else that could be refused."""
    spec: dict[str, Any] = {"restartPolicy": "Never"}
    for group in ("initContainers", "containers"):
        kept = ("name", "image", "resources")
        spec[group] = [{key: item[key] for key in kept} for item in demand.spec.get(group) or ()]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sized"}, "spec": spec}


def claim_of(demand: ClaimDemand) -> Object:
    resources = {"requests": {"storage": demand.size}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": demand.storage_class}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "sized"}, "spec": spec}


def refusal(kubectl: Kubectl, obj: Object) -> str:
    """The server's words to a dry run; empty where it would make the object."""
    data = json.dumps(obj).encode()
    code, _, errors = kubectl.outcome("create", "--dry-run=server", "--filename=-", data=data)
    assert code == 0 or "is forbidden" in errors, errors
    return errors


def test_pods_and_volumes_are_refused_as_the_server_refuses_them(kubectl: Kubectl) -> None:
    database, backup = limits.pods(OBJECTS, None, None)
    differing, refused = [], 0
    for number, case in enumerate(CASES):
        kind, name = case["kind"].lower(), f"case-{number}"
        body = {**case, "metadata": {"name": name}}
        body.pop("status", None)
        kubectl.run("create", "--filename=-", data=json.dumps(body).encode())

        def is_counted(kind: str = kind, name: str = name) -> bool:
            return kind == "limitrange" or bool(kubectl.json("get", kind, name).get("status", {}).get("used"))

        wait_until("the quota is counted", is_counted)
        live = kubectl.json("get", kind, name)
        known = NamespaceLimits([live] if kind == "limitrange" else [], [] if kind == "limitrange" else [live])
        for what, demand, obj in (
            ("database", Demand([database]), pod_of(database)),
            ("backup", Demand([backup]), pod_of(backup)),
            ("claim", Demand([], CLAIM), claim_of(CLAIM)),
        ):
            ours, theirs = limits.findings(demand, known), refusal(kubectl, obj)
            refused += bool(theirs)
            if bool(ours) != bool(theirs):
                differing.append((what, case["spec"], [item.whole for item in ours], theirs))
        kubectl.run("delete", kind, name)
    assert differing == []
    assert refused > 20
