"""Releases without a record: found by their objects, with the tool that manages them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pgwizard.errors import PreflightError
from pgwizard.kube.api import Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import live, ownership, records
from pgwizard.release.layout import Layout
from pgwizard.release.record import secret_ref
from pgwizard.simulator.cluster import SimCluster
from support.faulting import CONFIGMAP, STATEFULSET
from support.faulting import live as stored
from support.observing import on

RELEASE = ReleaseRef("default", "postgresql")


def unrecorded(sim: SimCluster, **metadata: Any) -> None:
    """As if another tool had installed the release: no record, and what that tool writes into the metadata."""
    sim.store.remove(secret_ref(RELEASE))
    result = copy.deepcopy(stored(sim, STATEFULSET, "postgresql"))
    result["metadata"] = {**result["metadata"], "managedFields": [], **metadata}
    sim.store.put(result)


def test_a_release_without_a_record_is_found_by_its_statefulset() -> None:
    async def scenario(sim: SimCluster) -> None:
        unrecorded(sim, annotations={"meta.helm.sh/release-name": "postgresql"})
        result = await live.find(sim, RELEASE)
        assert result is not None
        assert (result.manager, result.takes_backups, result.superuser, result.is_tls_verified) == (
            "Helm release postgresql",
            True,
            None,
            True,
        )
        usual = Layout.of(RELEASE)
        assert (result.layout.stanza, result.layout.claim, result.layout.ca) == (usual.stanza, usual.claim, usual.ca)
        assert result.option("repo1-s3-bucket") == "backups"
        assert [item.ref for item in await records.all_releases(sim, None)] == [RELEASE]
        assert await records.find_layout(sim, RELEASE) == result.layout

    on(scenario)


def test_what_needs_a_record_names_the_manager_and_what_works_without_one() -> None:
    async def scenario(sim: SimCluster) -> None:
        unrecorded(sim, labels={"argocd.argoproj.io/instance": "shop\x1b[2J"})
        with pytest.raises(PreflightError) as error:
            await records.get(sim, RELEASE)
        assert str(error.value) == ("release default/postgresql has no record: Argo CD application shop [2J manages it")
        assert "status, explain, backup, logs and verify work without one" in error.value.hint
        assert "import postgresql" in error.value.hint

    on(scenario)


def test_a_release_with_a_record_is_listed_once() -> None:
    async def scenario(sim: SimCluster) -> None:
        listed = await records.all_releases(sim, "default")
        assert [(item.ref, isinstance(item, live.LiveRelease)) for item in listed] == [(RELEASE, False)]
        assert await records.find_layout(sim, RELEASE) == Layout.of(RELEASE)

    on(scenario)


def test_a_configuration_that_cannot_be_read_leaves_the_usual_stanza() -> None:
    async def scenario(sim: SimCluster) -> None:
        unrecorded(sim)
        sim.store.remove(Ref(CONFIGMAP, "postgresql-pgbackrest-config", "default"))
        result = await live.find(sim, RELEASE)
        assert result is not None
        assert (result.layout.stanza, result.configuration, result.takes_backups) == ("main", {}, True)

    on(scenario)


@pytest.mark.parametrize(
    ("metadata", "manager", "deployer"),
    [
        ({}, "", ""),
        ({"labels": {"app.kubernetes.io/managed-by": "pgwizard"}}, "", ""),
        ({"managedFields": [{"manager": "pgwizard"}]}, "", ""),
        ({"managedFields": [{"manager": "kubectl-client-side-apply"}]}, "kubectl", ""),
        ({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}, "kubectl", ""),
        ({"annotations": {"meta.helm.sh/release-name": "db"}}, "Helm release db", "Helm release db"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "Helm", "Helm"),
        (
            {
                "labels": {"helm.toolkit.fluxcd.io/name": "db"},
                "annotations": {"meta.helm.sh/release-name": "shop-db"},
            },
            "Flux HelmRelease db",
            "Flux HelmRelease db",
        ),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "app.kubernetes.io/managed-by": "pgwizard"}},
            "Flux Kustomization apps",
            "Flux Kustomization apps",
        ),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/StatefulSet:default/postgresql"}},
            "Argo CD application shop",
            "Argo CD application shop",
        ),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD application shop", "Argo CD application shop"),
        # Argo CD that tracks by the label app.kubernetes.io/instance leaves nothing else
        ({"managedFields": [{"manager": "argocd-controller"}]}, "Argo CD", "Argo CD"),
        (
            {
                "managedFields": [{"manager": "argocd-controller", "operation": "Update"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "labels": {"app.kubernetes.io/managed-by": "pgwizard"},
            },
            "Argo CD",
            "Argo CD",
        ),
        ({"managedFields": [{"manager": "kustomize-controller"}]}, "Flux", "Flux"),
        # what it alone has set stays its own after a take-over
        (
            {
                "managedFields": [
                    {"manager": "argocd-controller", "operation": "Apply"},
                    {"manager": "pgwizard", "operation": "Apply"},
                ]
            },
            "",
            "",
        ),
    ],
)
def test_the_manager_is_read_from_the_metadata(metadata: dict[str, Any], manager: str, deployer: str) -> None:
    items: Object = {"metadata": metadata}
    assert (live.manager_of(items), ownership.deployer_of(items)) == (manager, deployer)
