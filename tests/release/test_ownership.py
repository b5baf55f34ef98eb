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
from support.live_releases import merged

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


def fields_of(*containers: str) -> dict[str, Any]:
    """The fields of a pod's template with these containers, as managedFields writes them."""
    names: dict[str, Any] = {f'k:{{"name":"{name}"}}': {".": {}, "f:image": {}} for name in containers}
    return {"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:containers": names, "f:volumeClaimTemplates": {}}}


def own(fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": "pgwizard", "operation": "Apply", "fieldsV1": fields}


def tried(fields: dict[str, Any]) -> Object:
    """An object as a dry run of pgwizard's apply gives it."""
    return {"metadata": {"managedFields": [own(fields)]}}


def test_the_end_of_a_management_removes_marks_and_passes_the_fields_that_both_write_to_pgwizard() -> None:
    obj = marked({**flux("helm"), "team": "data"}, {**HELM, "note": "kept"})
    theirs = {"manager": "helm-controller", "operation": "Apply", "fieldsV1": fields_of("postgresql")}
    others = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    obj["metadata"]["managedFields"] = [theirs, others]
    assert ending_patch(obj, tried(fields_of("postgresql"))) == {
        "metadata": {
            "labels": dict.fromkeys(flux("helm")),
            "annotations": dict.fromkeys(HELM),
            "managedFields": [own(fields_of("postgresql")), others],
        }
    }
    metadata = without_marks(obj)["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"team": "data"}, {"note": "kept"})


def test_what_the_tool_alone_has_set_stays_its_own_so_that_an_apply_does_not_remove_it() -> None:
    obj = marked(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    annotations: dict[str, Any] = {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}
    theirs = fields_of("postgresql", "exporter") | {"f:metadata": {"f:annotations": annotations}}
    entry = {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": theirs}
    obj["metadata"]["managedFields"] = [entry]
    left: dict[str, Any] = {"f:spec": {"f:containers": {'k:{"name":"exporter"}': {".": {}, "f:image": {}}}}}
    assert ending_patch(obj, tried({"f:metadata": {"f:annotations": {"f:a": {}}}, **spec_of("postgresql")})) == {
        "metadata": {
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": None},
            "managedFields": [
                own({"f:metadata": {"f:annotations": {"f:a": {}}}, **spec_of("postgresql")}),
                {**entry, "fieldsV1": left},
            ],
        }
    }


def spec_of(*containers: str) -> dict[str, Any]:
    return {"f:spec": fields_of(*containers)["f:spec"]}


def test_fields_that_pgwizard_owns_already_stay_its_own() -> None:
    obj = marked(annotations=HELM)
    before = own(fields_of("postgresql", "of-an-earlier-apply"))
    helm = {"manager": "helm", "operation": "Apply", "fieldsV1": fields_of("postgresql")}
    obj["metadata"]["managedFields"] = [before, helm]
    assert ending_patch(obj, tried(fields_of("postgresql")))["metadata"]["managedFields"] == [before]


def test_claim_templates_are_left_to_helm_because_the_server_fills_in_defaults_there() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:volumeClaimTemplates": {}}}
    statefulset = {"metadata": {"managedFields": [{"manager": "pgwizard", "fieldsV1": fields}]}}
    kept = {"manager": "pgwizard", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    assert disowning_patch(statefulset) == {"metadata": {"managedFields": [kept]}}


# ---- a release that Helm manages ------------------------------------------------------------------------------------


async def adopted_by_helm(sim: SimCluster, **of_helm: int) -> None:
    """As Helm leaves a release that it has adopted: Helm's marks, Helm's fields, Helm's history.

    of_helm: fields of the StatefulSet's spec that only Helm sets.
    """
    await deployed(sim)
    for ref in [Ref.of(obj) for obj in sim.store.everything() if _is_release_s(obj)]:
        obj = sim.store.peek(ref)
        assert obj is not None
        metadata = obj["metadata"]
        fields: dict[str, Any] = {}
        for entry in metadata["managedFields"]:
            fields = merged(fields, entry["fieldsV1"])
        if obj["kind"] == "StatefulSet":
            obj = merged(obj, {"spec": of_helm})
            fields = merged(fields, {"f:spec": {f"f:{name}": {} for name in of_helm}})
        entries = [{**metadata["managedFields"][0], "manager": "helm", "operation": "Apply", "fieldsV1": fields}]
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


def test_what_only_helm_has_set_is_kept_where_a_release_is_taken_over() -> None:
    async def scenario(sim: SimCluster) -> None:
        await adopted_by_helm(sim, minReadySeconds=7)
        password = live(sim, SECRET, "postgresql")["data"]
        result = await applied(sim, take_over=True)
        assert result.error is None
        assert live(sim, STATEFULSET, "postgresql")["spec"]["minReadySeconds"] == 7
        assert live(sim, SECRET, "postgresql")["data"] == password

    on(scenario)


NO_BACKUPS = {"enabled": False}  # a pod that pgwizard has made has a mark of its S3 credentials


async def applied_by_kubectl(sim: SimCluster) -> None:
    """A release without a record whose objects kubectl has applied."""
    await deployed(sim, answers_of(repository=NO_BACKUPS))
    await sim.delete(Ref(SECRET, "postgresql-pgwizard", "default"))
    for obj in filter(_is_release_s, sim.store.everything()):
        entries = [{**entry, "manager": "kubectl-client-side-apply"} for entry in obj["metadata"]["managedFields"]]
        sim.store.put({**obj, "metadata": {**obj["metadata"], "managedFields": entries}})


def test_a_conflict_with_kubectl_says_how_to_take_the_release_over() -> None:
    async def scenario(sim: SimCluster) -> None:
        await applied_by_kubectl(sim)
        result = await applied(sim, answers_of(repository=NO_BACKUPS, resources={"cpuRequest": "300m"}))
        assert isinstance(result.error, OwnershipConflict)
        assert 'conflict with "kubectl-client-side-apply"' in str(result.error)
        assert "pgwizard apply live.yaml --take-over" in (result.error.hint or "")

    on(scenario)


def test_a_release_of_kubectl_is_taken_over_without_a_restart() -> None:
    async def scenario(sim: SimCluster) -> None:
        await applied_by_kubectl(sim)
        pod = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        result = await applied(sim, answers_of(repository=NO_BACKUPS), take_over=True)
        assert result.error is None
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == pod
        managers = {entry["manager"] for entry in live(sim, SERVICE, "postgresql")["metadata"]["managedFields"]}
        assert managers == {"pgwizard"}

        changed = await deployed(sim, answers_of(repository=NO_BACKUPS, resources={"cpuRequest": "300m"}))
        assert "apply statefulsets/postgresql" in changed.writes, "and without a conflict"

    on(scenario)


async def applied_by_argo_cd(sim: SimCluster) -> None:
    """A release without a record that Argo CD has applied; it tracks its objects by app.kubernetes.io/instance."""
    await deployed(sim, answers_of(repository=NO_BACKUPS))
    await sim.delete(Ref(SECRET, "postgresql-pgwizard", "default"))
    for obj in filter(_is_release_s, sim.store.everything()):
        entries = [{**entry, "manager": "argocd-controller"} for entry in obj["metadata"]["managedFields"]]
        sim.store.put({**obj, "metadata": {**obj["metadata"], "managedFields": entries}})


@pytest.mark.parametrize("options", [{}, {"force_conflicts": True}], ids=["plain", "forced"])
def test_a_release_that_argo_cd_tracks_by_a_label_is_refused_though_no_field_differs(options: dict[str, Any]) -> None:
    async def scenario(sim: SimCluster) -> None:
        await applied_by_argo_cd(sim)
        result = await applied(sim, answers_of(repository=NO_BACKUPS), **options)
        assert isinstance(result.error, OwnershipConflict)
        assert "  StatefulSet default/postgresql belongs to Argo CD" in str(result.error).splitlines()
        assert result.writes == []

        taken = await applied(sim, answers_of(repository=NO_BACKUPS), take_over=True)
        assert taken.error is None
        assert other_owner(live(sim, STATEFULSET, "postgresql")) is None

    on(scenario)


def test_a_namespace_of_another_tool_is_used_as_it_is() -> None:
    """The answers may ask for the namespace; one that exists is never written."""

    async def scenario(sim: SimCluster) -> None:
        labels = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
        await sim.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "orders", "labels": labels}})
        answers = answers_of(release={"namespace": "orders", "createNamespace": True}, repository=NO_BACKUPS)
        result = await deployed(sim, answers)
        assert not [write for write in result.writes if "namespaces" in write]

    on(scenario)


def test_a_stateful_set_of_an_operator_is_left_alone() -> None:
    async def scenario(sim: SimCluster) -> None:
        await applied_by_kubectl(sim)
        statefulset = live(sim, STATEFULSET, "postgresql")
        owner = {"apiVersion": "example.com/v1", "kind": "PostgresCluster", "name": "shop", "uid": "7"}
        statefulset["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        sim.store.put(statefulset)
        result = await applied(sim, answers_of(repository=NO_BACKUPS), take_over=True)
        assert "belongs to PostgresCluster shop, whose operator would undo each change" in str(result.error)
        assert result.writes == []

    on(scenario)


def test_no_second_server_starts_beside_one_in_a_container_of_another_name() -> None:
    async def scenario(sim: SimCluster) -> None:
        await applied_by_kubectl(sim)
        statefulset = live(sim, STATEFULSET, "postgresql")
        statefulset["spec"]["template"]["spec"]["containers"][0]["name"] = "db"
        sim.store.put(statefulset)
        result = await applied(sim, answers_of(repository=NO_BACKUPS), take_over=True)
        assert "its database is in container db; a second server would start beside it" in str(result.error)
        assert result.writes == []

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
