"""A short-lived pod that reads the repository of a release whose database does not run.

It is made from the live pod template, so that certificate, credentials and configuration are the database's. It mounts
no volume of the release and has no token.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

from pgwizard.errors import ClusterError, DeadlineError, PreflightError
from pgwizard.kube.api import JOB, POD, STATEFULSET, Cluster, Ref, list_objects
from pgwizard.kube.health import assess
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, records, rights
from pgwizard.restore import job as restore_job

_START_SECONDS = 120.0
_LIFE_SECONDS = 1_800
"""So long may all of its commands take; it then ends by itself, and is deleted a minute later."""
_POLL_SECONDS = 0.5


@contextlib.asynccontextmanager
async def reader_pod(cluster: Cluster, release: ReleaseRef) -> AsyncIterator[str]:
    """The name of the pod; it is deleted at the end. Raises PreflightError where it does not start, or may not."""
    kinds = (("jobs", "batch", ("create", "delete")),)
    await rights.require(cluster, rights.in_namespace(release.namespace, kinds))
    stateful = await cluster.get(Ref(STATEFULSET, release.name, release.namespace))
    name = restore_job.job_name(release, f"read-{secrets.token_hex(3)}")
    ref = Ref(JOB, name, release.namespace)
    marks = await backups.job_marks(cluster, release)
    record, _ = await records.get(cluster, release)
    origin = record.origin if record.reads_origin else None
    job = restore_job.reader_manifest(stateful, release, name, _LIFE_SECONDS, marks, origin=origin)
    try:
        await cluster.create(job)
        yield await _running_pod(cluster, ref)
    finally:
        with contextlib.suppress(ClusterError, DeadlineError):  # it ends by itself
            await cluster.delete(ref)


async def _running_pod(cluster: Cluster, job: Ref) -> str:
    why = "there is no pod yet"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while True:
                for pod in await list_objects(cluster, POD, job.namespace, labels=f"job-name={job.name}"):
                    statuses = pod.get("status", {}).get("containerStatuses") or ()
                    if any("running" in each["state"] for each in statuses if each["name"] == "postgresql"):
                        return str(pod["metadata"]["name"])
                    why = assess({**pod, "kind": POD.kind}).message
                await asyncio.sleep(_POLL_SECONDS)
    command = cluster.commands.kubectl("describe", "job", job.name, namespace=job.namespace)
    raise PreflightError(
        f"the pod of {job}, which would read the repository, did not start in {_START_SECONDS:.0f} s: {why}",
        hint=f"Remove the cause, and run it again. See {command}",
    )
