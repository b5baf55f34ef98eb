"""Whether the restore Job finds a place once the database's pod has given up its own, and its volume holds what is
restored: what the cluster tells before.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from pgwizard.errors import ClusterError, DeadlineError, Forbidden, PreflightError
from pgwizard.kube.api import (
    CLAIM,
    JOB,
    LIMIT_RANGE,
    NODE,
    POD,
    RESOURCE_QUOTA,
    STATEFULSET,
    Cluster,
    Object,
    Ref,
    Resource,
    find_object,
    list_objects,
)
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.quantities import human_size, read_quantity
from pgwizard.release import limits
from pgwizard.release.layout import Layout
from pgwizard.status import probes
from pgwizard.status.repository import Backup
from pgwizard.text import fit, plain

_MOST_SHOWN = 3
_SIZES = ("cpu", "memory")


async def require(cluster: Cluster, release: ReleaseRef) -> None:
    """Raises PreflightError where the Job's pod would be refused, or another pod waits for the same place.

    What may not be listed is not checked.
    """
    pod = await find_object(cluster, Ref(POD, Names.of(release.name).pod, release.namespace))
    stateful = await cluster.get(Ref(STATEFULSET, release.name, release.namespace))
    pod_spec = stateful["spec"]["template"]["spec"]
    ranges = await _objects(cluster, LIMIT_RANGE, release.namespace)
    quotas = await _objects(cluster, RESOURCE_QUOTA, release.namespace)
    demand = limits.Demand(
        [limits.PodDemand("the pod of the restore Job", pod_spec, {}, pod["spec"] if pod else None)], None, {JOB: 1}
    )
    findings = limits.findings(demand, limits.NamespaceLimits(ranges, quotas))
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise PreflightError("the restore Job would be refused; nothing was touched", errors)
    if pod is not None and (node := str(pod["spec"].get("nodeName") or "")):
        live = await find_node(cluster, node)
        pods = await _objects(cluster, POD, None)
        if live is not None and (rivals := rivals_for(pod_spec, live, pods)):
            names = ", ".join(rivals[:_MOST_SHOWN]) + (", ..." if len(rivals) > _MOST_SHOWN else "")
            raise PreflightError(
                f"node {plain(node)} has no room for pods that wait: {names}. One of them would take the place of the "
                "database once it stops, and the restore Job would wait for another; nothing was touched",
                hint="Scale them down, or add a node, and run the restore again.",
            )


async def require_volume(cluster: Cluster, release: ReleaseRef, backup: Backup, *, is_answering: bool) -> None:
    """Raises PreflightError where the volume cannot hold the database of a backup.

    The file system tells, and not the claim: many a StorageClass does not enforce its size. A volume that no server
    has mounted is taken for what it will be asked for; of one that only a stopped server has, nothing is known.
    """
    claim, size = Names.of(release.name).claim, backup.size
    if is_answering:
        with contextlib.suppress(ValueError, ClusterError, DeadlineError):  # it is no reason to restore nothing
            size = (await probes.volume(cluster, Layout.of(release))).size
    elif await find_object(cluster, Ref(CLAIM, claim, release.namespace)) is None:
        stateful = await cluster.get(Ref(STATEFULSET, release.name, release.namespace))
        template = stateful["spec"]["volumeClaimTemplates"][0]
        size = int(read_quantity(template["spec"]["resources"]["requests"]["storage"]) or size)
    if size < backup.size:
        raise PreflightError(
            f"volume claim {claim} in namespace {release.namespace} has {human_size(size)}, and the database of backup "
            f"{fit(backup.label)} takes {human_size(backup.size)}; nothing was touched",
            hint="Raise storage.size, apply, and run the restore again."
            if is_answering
            else "Uninstall the release, and restore it again with a larger one: --set storage.size=SIZE",
        )


async def find_node(cluster: Cluster, name: str) -> Object | None:
    """The node; None where it may not be read."""
    with contextlib.suppress(Forbidden):
        return await find_object(cluster, Ref(NODE, name))
    return None


def rivals_for(spec: Object, node: Object, pods: Sequence[Object]) -> list[str]:
    """The pods that wait for a node, could run on this one, and would take the place that the database gives up.

    spec: of the pod that gives it up and needs it again. A pod that has room beside it is none of them.
    """
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    free = {size: amount for size in _SIZES if (amount := read_quantity(allocatable.get(size))) is not None}
    name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
    totals = Counter[str]()
    for pod in pods:
        if pod["spec"].get("nodeName") == name and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            totals.update(dict(_requests(pod["spec"])))
    own, rivals = dict(_requests(spec)), []
    for pod in pods:
        if pod["spec"].get("nodeName") or not _awaits_node(pod):
            continue
        selector = pod["spec"].get("nodeSelector") or {}
        if any(labels.get(key) != value for key, value in selector.items()):
            continue
        size = dict(_requests(pod["spec"]))
        would_fit = all(totals[each] - own[each] + size[each] <= free[each] for each in free)
        fits_beside = all(totals[each] + size[each] <= free[each] for each in free)
        if would_fit and not fits_beside:
            rivals.append(plain(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"))
    return rivals


def _awaits_node(pod: Object) -> bool:
    conditions: list[dict[str, Any]] = (pod.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "PodScheduled" and each.get("status") == "False" for each in conditions)


def _requests(spec: Object) -> Iterator[tuple[str, Decimal]]:
    return ((size, limits.amount(spec, f"requests.{size}")) for size in _SIZES)


async def _objects(cluster: Cluster, kind: Resource, namespace: str | None) -> list[Object]:
    with contextlib.suppress(Forbidden):
        return await list_objects(cluster, kind, namespace)
    return []
