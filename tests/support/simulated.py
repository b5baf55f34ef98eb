"""What the tests of the simulated cluster share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.plan.cron import next_run
from pgwizard.simulator.clock import ManualClock
from pgwizard.simulator.cluster import SimCluster

T = TypeVar("T")
CONFIGMAP = Resource("v1", "ConfigMap")
SECRET = Resource("v1", "Secret")
POD = Resource("v1", "Pod")
CLAIM = Resource("v1", "PersistentVolumeClaim")
EVENT = Resource("v1", "Event")
JOB = Resource("batch/v1", "Job")
CRONJOB = Resource("batch/v1", "CronJob")
STATEFULSET = Resource("apps/v1", "StatefulSet")


class Cluster(SimCluster):
    """A simulated cluster whose time a test moves."""

    def __init__(self, clock: ManualClock | None = None, **options: Any) -> None:
        self.manual = clock or ManualClock()
        options = {"example": False, "next_run": next_run, **options}
        super().__init__(clock=self.manual, **options)

    async def until(self, seconds: float = 30) -> None:
        self.runtime.ensure_running()
        await self.manual.advance(seconds)


def run(scenario: Callable[[Cluster], Awaitable[T]], cluster: Cluster | None = None, **options: Any) -> T:
    """Run a scenario against a cluster; the cluster is closed after it."""

    async def main() -> T:
        async with cluster or Cluster(**options) as sim:
            return await scenario(sim)

    return asyncio.run(main())


def configmap(name: str = "a", namespace: str = "default", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def secret(name: str, namespace: str = "default", **text: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": text}


def statefulset(name: str = "postgresql", **changes: Any) -> Object:
    labels = {"app": name}
    container = {"name": "postgresql", "image": "aryan-laptophp/postgres-pgbackrest:15.0"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    spec: dict[str, Any] = {
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        "volumeClaimTemplates": [{"metadata": {"name": "postgresql-storage"}, "spec": claim}],
    }
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec | changes}


def job(name: str, *, backoff: int = 0, **spec: Any) -> Object:
    container = {"name": "pgbackrest", "image": "aryan-laptophp/postgres-pgbackrest:15.0"}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    metadata = {"name": name, "namespace": "default"}
    whole = {"template": pod, "backoffLimit": backoff} | spec
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": whole}


def ref(resource: Resource, name: str, namespace: str | None = "default") -> Ref:
    return Ref(resource, name, namespace)


async def listed(
    sim: SimCluster, resource: Resource, namespace: str | None = "default", **options: Any
) -> list[Object]:
    return [obj async for page in sim.pages(resource, namespace, **options) for obj in page.items]
