"""Removes a release from a cluster: what would be deleted and what kept, then the deletion itself.

The volume and what it is read with stay unless they are to be purged; the repository in S3 is never touched. It
does not prompt: a face does, between ``removal`` and ``remove``.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgwizard.clock import Clock
from pgwizard.errors import PreflightError
from pgwizard.kube import api as kube_api
from pgwizard.kube import lease
from pgwizard.kube.api import CLAIM, JOB, NAMESPACE, SECRET, Cluster, Ref, list_objects
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.release import deletion, record, records, rights, stages
from pgwizard.release.stages import Event, Report


@dataclass(frozen=True, slots=True)
class Removal:
    """What an uninstall would delete, in order, and what it keeps and why. version: of the record it was read from."""

    record: record.Record
    version: str
    deletions: tuple[Ref, ...]
    remainder: tuple[tuple[Ref, str], ...]


async def removal(cluster: Cluster, release: ReleaseRef, *, purge_data: bool) -> Removal:
    """Read the record and decide what an uninstall would do.

    Raises PreflightError where it cannot be read. While a restore has not ended only the whole can be removed, its Jobs
    first: they write to the volume, and without the record a restore cannot be resumed.
    """
    own_record, version = await records.get(cluster, release)
    deletions = await _own_jobs(cluster, release, "drill", "preview")
    if own_record.unfinished_restore is not None and purge_data:
        deletions += await _own_jobs(cluster, release, "restore")
    elif own_record.unfinished_restore is not None:
        resume = cluster.commands.pgwizard("restore", release.name, namespace=release.namespace)
        raise PreflightError(
            f"a restore of release {release.name} in namespace {release.namespace} has not ended; nothing was deleted",
            hint=f"End it first, it resumes: {resume}",
        )
    remainder: list[tuple[Ref, str]] = []
    for ref in reversed(own_record.inventory):
        why = _why_kept(ref, release.name, purge_data=purge_data)
        if why is None:
            deletions.append(ref)
        else:
            remainder.append((ref, why))
    await rights.require_deletion(cluster, [*deletions, record.secret_ref(release), record.lease_ref(release)])
    return Removal(own_record, version, tuple(deletions), tuple(remainder))


async def _own_jobs(cluster: Cluster, release: ReleaseRef, *components: str) -> list[Ref]:
    """The Jobs that no inventory has: those that a person began. A CronJob's go with it."""
    labels = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component in ({','.join(components)})"
    jobs = await list_objects(cluster, JOB, release.namespace, labels=labels)
    names = [job["metadata"]["name"] for job in jobs if not job["metadata"].get("ownerReferences")]
    return [Ref(JOB, name, release.namespace) for name in names]


def _why_kept(ref: Ref, name: str, *, purge_data: bool) -> str | None:
    if ref.resource == NAMESPACE:
        return "a namespace may hold more than this release"
    names = Names.of(name)
    if ref.resource == SECRET and ref.name == names.ca:
        return "the mirrored certificate is retained"
    if purge_data:
        return None
    if ref.resource == CLAIM:
        return "it holds the database"
    if ref.resource == SECRET:
        return (
            "the database that is kept was made with it"
            if ref.name == names.credentials
            else "the repository is read with it"
        )
    return None


async def remove(plan: Removal, cluster: Cluster, report: Report, *, now: Clock) -> None:
    """Delete what ``removal`` named. Safe to repeat. Raises PreflightError where the release has changed since."""
    release = plan.record.ref
    ref = record.lease_ref(release)
    async with (
        lease.hold(cluster, ref, report=lambda text: report(Event("lock", "progress", text)), now=now),
        stages.enter("remove", report) as stage,
    ):
        live = await kube_api.find_object(cluster, record.secret_ref(release))
        if live is not None and live["metadata"]["resourceVersion"] != plan.version:
            raise PreflightError(
                f"release {release.name} in namespace {release.namespace} has changed since it was read; nothing "
                "was deleted",
                hint="Run it again: it looks again.",
            )
        deletions, others = await deletion.delete_ours(cluster, plan.deletions, stage)
        for target, uid in deletions.items():
            await deletion.wait_until_gone(cluster, target, uid, 180)
        await cluster.delete(record.secret_ref(release))
        await cluster.delete(ref)  # while we own it: once it is released, another run could take it
        stage.complete(f"{len(deletions)} deleted, {len(plan.remainder) + len(others)} kept")
