"""Who manages a release, and what it takes for pgwizard to manage it, or for Helm."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.errors import OwnershipConflict
from pgwizard.kube.api import Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.ownership import adoptable, disowning_patch, ending_patch, other_owner, without_marks
from pgwizard.simulator.cluster import SimCluster
from support.faulting import POD, SECRET, SERVICE, STATEFULSET, answers_of, applied, deployed, live, on

HELM = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "default"}
ARGO_ID = "shop:apps/StatefulSet:default/postgresql"


def marked(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Object:
    return {"metadata": {"name": "postgresql", "labels": labels or {}, "annotations": annotations or {}}}


def flux(kind: str) -> dict[str, str]:
    return {f"{kind}.toolkit.fluxcd.io/name": "shop", f"{kind}.toolkit.fluxcd.io/namespace": "apps"}


@pytest.mark.parametrize(
    ("obj", "owner"),
    [
        (marked(annotations=HELM), "Helm release shop"),
        (marked(flux("helm"), HELM), "Flux HelmRelease shop"),
        (marked(flux("kustomize")), "Flux Kustomization shop"),
        (marked(annotations={"argocd.argoproj.io/tracking-id": ARGO_ID}), "Argo CD application shop"),
        (marked({"argocd.argoproj.io/instance": "shop"}), "Argo CD application shop"),
        (marked({"app.kubernetes.io/managed-by": "a\x1b[31mb"}), "a [31mb"),
        (marked({"app.kubernetes.io/managed-by": "pgwizard"}), None),
        (marked(), None),
    ],
)
def test_the_tool_that_manages_an_object_is_known_by_its_marks(obj: Object, owner: str | None) -> None:
    assert other_owner(obj) == owner


def test_a_label_of_another_tool_does_not_make_it_the_owner_of_what_the_record_lists_but_its_marks_do() -> None:
    assert other_owner(marked({"app.kubernetes.io/managed-by": "argocd"}), is_ours=True) is None
    assert other_owner(marked(annotations=HELM), is_ours=True) == "Helm release shop"


def test_keys_for_helm_do_not_make_helm_the_owner_until_helm_writes_them() -> None:
    stamped = adoptable(marked(), ReleaseRef("default", "shop"))
    assert stamped["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:meta.helm.sh/release-name": {}}}}
    entries = [{"manager": manager, "fieldsV1": fields} for manager in ("pgwizard", "helm")]
    stamped["metadata"]["managedFields"] = entries[:1]
    assert other_owner(stamped, is_ours=True) is None
    stamped["metadata"]["managedFields"] = entries
    assert other_owner(stamped, is_ours=True) == "Helm release shop"


def test_the_end_of_a_management_removes_marks_and_passes_fields_to_pgwizard() -> None:
    obj = marked({**flux("helm"), "team": "data"}, {**HELM, "note": "kept"})
    fields: dict[str, Any] = {"f:spec": {}}
    theirs = {"manager": "helm-controller", "operation": "Apply", "fieldsV1": fields}
    others = {"manager": "kubectl-edit", "operation": "Update"}
    obj["metadata"]["managedFields"] = [theirs, others]
    assert ending_patch(obj) == {
        "metadata": {
            "labels": dict.fromkeys(flux("helm")),
            "annotations": dict.fromkeys(HELM),
            "managedFields": [others, {"manager": "pgwizard", "operation": "Apply", "fieldsV1": fields}],
        }
    }
    metadata = without_marks(obj)["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"team": "data"}, {"note": "kept"})


def test_fields_that_pgwizard_owns_already_stay_its_own() -> None:
    obj = marked(annotations=HELM)
    own = {"manager": "pgwizard", "operation": "Apply"}
    obj["metadata"]["managedFields"] = [own, {"manager": "helm", "operation": "Apply"}]
    assert ending_patch(obj)["metadata"]["managedFields"] == [own]


def test_claim_templates_are_left_to_helm_because_the_server_fills_in_defaults_there() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:volumeClaimTemplates": {}}}
    statefulset = {"metadata": {"managedFields": [{"manager": "pgwizard", "fieldsV1": fields}]}}
    kept = {"manager": "pgwizard", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    assert disowning_patch(statefulset) == {"metadata": {"managedFields": [kept]}}


# ---- a release that Helm manages ------------------------------------------------------------------------------------


async def adopted_by_helm(sim: SimCluster) -> None:
    """As Helm leaves a release that it has adopted: Helm's marks, Helm's fields, Helm's history."""
    await deployed(sim)
    for ref in [Ref.of(obj) for obj in sim.store.everything() if _is_release_s(obj)]:
        obj = sim.store.peek(ref)
        assert obj is not None
        metadata = obj["metadata"]
        entries = [{**entry, "manager": "helm"} for entry in metadata["managedFields"]]
        labels = {**metadata["labels"], "app.kubernetes.io/managed-by": "Helm"}
        annotations = {**metadata.get("annotations", {}), **HELM}
        changed: dict[str, Any] = {"labels": labels, "annotations": annotations, "managedFields": entries}
        sim.store.put({**obj, "metadata": {**metadata, **changed}})
    history = {"name": "sh.helm.release.v1.postgresql.v1", "namespace": "default"}
    labels = {"owner": "helm", "name": "postgresql"}
    await sim.create({"apiVersion": "v1", "kind": "Secret", "metadata": {**history, "labels": labels}})


def _is_release_s(obj: Object) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/managed-by") == "pgwizard" and obj["kind"] not in ("Pod", "Job", "Lease")


def test_an_apply_refuses_a_release_of_helm_and_says_how_to_take_it_over() -> None:
    async def scenario(sim: SimCluster) -> None:
        await adopted_by_helm(sim)
        result = await applied(sim)
        assert isinstance(result.error, OwnershipConflict)
        assert "  StatefulSet default/postgresql belongs to Helm release shop" in str(result.error).splitlines()
        assert result.error.hint == (
            "Change them with the tool they belong to, or choose another release.name. To manage them with pgwizard "
            "from now on: pgwizard import postgresql -o live.yaml -n default; then look at the differences, "
            "pgwizard diff live.yaml --take-over, and apply them, pgwizard apply live.yaml --take-over (docs/gitops.md)"
        )
        assert result.writes == []

    on(scenario)


def test_a_release_of_helm_is_taken_over_without_a_restart_and_without_helm_s_history() -> None:
    async def scenario(sim: SimCluster) -> None:
        await adopted_by_helm(sim)
        pod = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        result = await applied(sim, take_over=True)
        assert result.error is None
        assert result.outcome is not None
        assert not any(change.restarts for change in result.outcome.changes)
        assert result.outcome.headline == "Release is up. A valid full backup is in the repository."
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == pod
        assert "delete secrets/sh.helm.release.v1.postgresql.v1" in result.writes
        for resource in (STATEFULSET, SERVICE):
            actual = live(sim, resource, "postgresql")
            assert other_owner(actual) is None
            assert {entry["manager"] for entry in actual["metadata"]["managedFields"]} & {"helm"} == set()

        changed = await deployed(sim, answers_of(resources={"cpuRequest": "300m"}))
        assert "apply statefulsets/postgresql" in changed.writes, "and without a conflict"

    on(scenario)


def test_keys_for_helm_are_added_on_request_and_removed_without_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        pod = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        stamped = await applied(sim, adoptable=True)
        assert stamped.error is None
        keys = {"meta.helm.sh/release-name": "postgresql", "meta.helm.sh/release-namespace": "default"}
        assert live(sim, SERVICE, "postgresql")["metadata"]["annotations"] == keys
        assert live(sim, SERVICE, "postgresql")["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert "annotations" not in live(sim, SECRET, "postgresql")["metadata"] or not keys.items() & (
            live(sim, SECRET, "postgresql")["metadata"]["annotations"].items()
        )
        await deployed(sim)
        assert "annotations" not in live(sim, SERVICE, "postgresql")["metadata"]
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == pod

    on(scenario)
