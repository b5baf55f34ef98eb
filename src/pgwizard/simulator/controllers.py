"""Owns the table of controllers, and the one that empties a namespace."""

from __future__ import annotations

from collections.abc import Mapping

from pgwizard.kube.api import Ref
from pgwizard.simulator import pods, workloads
from pgwizard.simulator.runtime import Reconciler, Runtime


async def _namespace(rt: Runtime, ref: Ref) -> float | None:
    namespace = rt.store.peek(ref)
    if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
        return None
    await rt.clock.sleep(1)
    for obj in rt.store.everything():
        inside = Ref.of(obj)
        if inside.namespace == ref.name and rt.store.peek(inside) is not None:
            rt.store.remove(inside)
    if rt.store.peek(ref) is not None:
        rt.store.remove(ref)
    return None


RECONCILERS: Mapping[str, Reconciler] = {
    "StatefulSet": workloads.statefulset,
    "Job": workloads.job,
    "CronJob": workloads.cronjob,
    "Pod": pods.pod,
    "PersistentVolumeClaim": pods.claim,
    "Namespace": _namespace,
}
