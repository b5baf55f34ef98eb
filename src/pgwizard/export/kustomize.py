"""A kustomize base and an overlay from a plan. Pure: texts by their path in the folder.

The base is what ``render`` writes, without the Secrets that have no values. The overlay holds the choices that differ
between environments, each as a patch with the value of the answers: it changes nothing until it is edited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pgwizard.plan.manifests import ORDER, SECRETS_TO_CREATE, render
from pgwizard.plan.plan import Plan

BASE = "base"
OVERLAY = "overlays/default"
_HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def kustomize(plan: Plan) -> dict[str, str]:
    """The files of base and overlay, by their path."""
    manifests = [manifest for manifest in render(plan) if manifest.role not in SECRETS_TO_CREATE]
    files = {f"{BASE}/{manifest.role}.yaml": manifest.text for manifest in manifests}
    resources = "".join(f"  - {manifest.role}.yaml\n" for manifest in manifests)
    files[f"{BASE}/kustomization.yaml"] = f"{_HEAD}resources:\n{resources}"
    files[f"{OVERLAY}/kustomization.yaml"] = "\n".join(_overlay(plan, {manifest.role for manifest in manifests})) + "\n"
    return files


def file_names() -> frozenset[str]:
    """Every path that an export may write."""
    return frozenset(
        {*(f"{BASE}/{role}.yaml" for role in ORDER), f"{BASE}/kustomization.yaml", f"{OVERLAY}/kustomization.yaml"}
    )


def _overlay(plan: Plan, roles: set[str]) -> Iterator[str]:
    yield _HEAD.rstrip("\n")
    yield "resources:\n  - ../../base"
    yield "# Each patch holds the value of the base: change it here for one environment."
    yield "# PostgreSQL's parameters follow from the memory limit: for another limit export again."
    yield "patches:"
    container = "/spec/template/spec/containers/0"
    yield from _patch(
        "StatefulSet",
        plan.names.release,
        {
            f"{container}/image": plan.image,
            f"{container}/resources/limits/cpu": plan.cpu_limit,
            f"{container}/resources/requests/cpu": plan.cpu_request,
            f"{container}/resources/requests/memory": plan.memory_request,
        },
    )
    for role, name, schedule in (
        ("full-cronjob", plan.names.full, plan.full_schedule),
        ("incremental-cronjob", plan.names.incremental, plan.incremental_schedule),
    ):
        if role in roles:
            yield from _patch("CronJob", name, {"/spec/schedule": schedule, "/spec/timeZone": plan.time_zone})


def _patch(kind: str, name: str, values: dict[str, str]) -> Iterator[str]:
    yield f"  - target:\n      kind: {kind}\n      name: {json.dumps(name)}\n    patch: |-"
    for path, value in values.items():
        yield f"      - op: replace\n        path: {path}\n        value: {json.dumps(value)}"
