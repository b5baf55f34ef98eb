"""The manifests on a real API server that enforces Pod Security "restricted"."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgwizard.plan import manifests
from support.rigtools import LIVE, RESTRICTED, Kubectl, documents, golden_cases, golden_plan, own_namespace, pod_object

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE


@pytest.fixture(scope="module")
def restricted(kubectl_binary: str) -> Iterator[Kubectl]:
    with own_namespace(kubectl_binary, "pgw-restricted", *RESTRICTED) as kubectl:
        yield kubectl


def pods_of(rendered: list[manifests.Manifest]) -> Iterator[dict[str, Any]]:
    """Each pod that a workload would make: only pods are enforced upon, workloads are warned about."""
    for manifest in rendered:
        spec = manifest.object.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is None:
            continue
        claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
        volumes = [*template["spec"].get("volumes", []), *({"name": name, "emptyDir": {}} for name in claims)]
        pod_spec = {**template["spec"], "volumes": volumes}
        for absent in (
            "serviceAccountName",
            "priorityClassName",
            "runtimeClassName",
        ):  # no object of the rig has the name
            pod_spec.pop(absent, None)
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": manifest.role}, "spec": pod_spec}


def test_there_are_golden_cases() -> None:
    assert len(golden_cases()) > 6


@pytest.mark.parametrize("answers", golden_cases(), ids=lambda path: path.parent.name)
def test_golden_case_is_accepted_strictly_and_without_a_warning(restricted: Kubectl, answers: Path) -> None:
    whole = manifests.render(golden_plan(answers, f"release.namespace={restricted.namespace}"))
    rendered = [manifest for manifest in whole if manifest.role != "prometheus-rule"]  # the rig has no CRD of it
    strict = ("apply", "--dry-run=server", "--validate=strict", "--filename=-")

    printed, errors = restricted.run(*strict, data=documents(rendered))
    pods = {"apiVersion": "v1", "kind": "List", "items": list(pods_of(rendered))}
    restricted.run(*strict, data=json.dumps(pods).encode())

    assert len(printed.splitlines()) == len(rendered)
    assert "last-applied-configuration" in errors or not errors, errors
    warnings = [line for line in errors.splitlines() if line.strip() and "last-applied-configuration" not in line]
    assert not warnings


def test_the_namespace_does_enforce(restricted: Kubectl) -> None:
    lax = pod_object("lax")
    del lax["spec"]["containers"][0]["securityContext"]

    code, _, errors = restricted.outcome("apply", "--dry-run=server", "--filename=-", data=json.dumps(lax).encode())

    assert code != 0
    assert "violates PodSecurity" in errors
