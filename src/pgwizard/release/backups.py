"""The backup Jobs of a release: one that is started now, a schedule that rests, and a Job's log.

These are the two writes that an operator makes from the status. It refuses to wait for what it has started: that is
seen in the next snapshots.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Literal

from pgwizard.errors import PreflightError
from pgwizard.kube.api import CRONJOB, JOB, POD, Cluster, Object, Ref, owners
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.text import fit, fit_line

TAIL_LINES = 200
"""Lines of a log that are read to find a cause."""


async def backup_now(cluster: Cluster, release: ReleaseRef, kind: Literal["full", "incr"], at: datetime) -> str:
    """Start a Job from the CronJob, as ``kubectl create job --from`` does; at names it. Returns the Job's name.

    Raises ClusterError with the server's reason.
    """
    names = Names.of(release.name)
    cron = await cluster.get(Ref(CRONJOB, names.full if kind == "full" else names.incremental, release.namespace))
    template, about = cron["spec"]["jobTemplate"], cron["metadata"]
    owner = {
        "apiVersion": CRONJOB.api_version,
        "kind": CRONJOB.kind,
        "name": about["name"],
        "uid": about["uid"],
        "controller": True,
    }
    metadata = {
        "name": f"{about['name'][:47]}-{int(at.timestamp()):x}",
        "namespace": release.namespace,
        "labels": (template.get("metadata") or {}).get("labels") or {},
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
        "ownerReferences": [owner],
    }
    job = {"apiVersion": JOB.api_version, "kind": JOB.kind, "metadata": metadata, "spec": template["spec"]}
    await cluster.create(job)
    return str(metadata["name"])


async def suspend(cluster: Cluster, cron: str, namespace: str, *, rest: bool) -> None:
    """Let a CronJob rest, or go on. The next apply brings back what the answers say. Raises ClusterError."""
    await cluster.patch(Ref(CRONJOB, cron, namespace), {"spec": {"suspend": rest}})


async def newest_first(cluster: Cluster, release: ReleaseRef) -> list[Object]:
    """The backup Jobs of a release, that of the first backup among them. Raises ClusterError."""
    jobs: list[Object] = []
    async with aclosing(cluster.pages(JOB, release.namespace, labels=_labels(release.name))) as pages:
        async for page in pages:
            jobs += [{**job, "apiVersion": JOB.api_version, "kind": JOB.kind} for job in page.items]
    return sorted(jobs, key=lambda job: str(job["metadata"].get("creationTimestamp", "")), reverse=True)


def _labels(name: str) -> str:
    return f"app.kubernetes.io/instance={name},app.kubernetes.io/component=backup"


async def log(
    cluster: Cluster, release: ReleaseRef, job: str, *, follow: bool = False, tail: int = TAIL_LINES
) -> AsyncGenerator[str, None]:
    """Lines of the newest pod of a Job of this release, fit for a terminal; with follow also those to come.

    Raises PreflightError where no pod is left, and ClusterError with the kubelet's reason where it has not started.
    """
    pods: list[Object] = []
    async with aclosing(cluster.pages(POD, release.namespace, labels=_labels(release.name))) as pages:
        async for page in pages:
            pods += [pod for pod in page.items if job in owners(pod, JOB.kind)]
    if not pods:
        raise PreflightError(f"Job {release.namespace}/{fit(job)} has no pod, so there is no log of it")
    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    container = newest["spec"]["containers"][0]["name"]
    lines = cluster.logs(release.namespace, newest["metadata"]["name"], container, follow=follow, tail=tail)
    async with aclosing(lines):
        async for line in lines:
            yield fit_line(line)
