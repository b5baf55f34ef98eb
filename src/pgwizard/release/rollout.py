"""Waits for the database's pod, and fails with a cause as soon as the cluster shows one.

The StatefulSet, its pod, its volume claim and their events are watched together; why a pod cannot start
is reported at once, not at the deadline. Its only write: it deletes a pod of an old revision that blocks its
own replacement.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from pgwizard.errors import ClusterError, DeadlineError, Finding, RolloutFailed
from pgwizard.kube.api import CLAIM, POD, STATEFULSET, Cluster, Object, Ref, Resource, WatchEvent
from pgwizard.kube.health import REFUSAL_REASON, Health, assess
from pgwizard.kube.jobs import (
    GRACE_SECONDS,
    NOTABLE_REASONS,
    Refusal,
    ReportLine,
    event_text,
    is_about,
    merge_watches,
    next_event,
    recent_events,
    refusal,
    tail,
)
from pgwizard.plan.names import Names, ReleaseRef


@dataclass
class _Progress:
    """What is known of one release from its watches. complete_kinds: the kinds whose lists are complete."""

    pod_name: str
    backups: bool
    complete_kinds: set[str] = field(default_factory=set)
    statefulset: Object | None = None
    pod: Object | None = None
    claim: Object | None = None
    event_message: str = ""
    refusal: Refusal | None = None
    stuck_since: float | None = None
    stuck_revision_since: float | None = None
    reports: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all lists are complete: an unknown object does not exist."""
        return {"StatefulSet", "Pod"} <= self.complete_kinds

    def take(self, event: WatchEvent) -> None:
        if event.type == "SYNCED":
            self.complete_kinds.add(str(event.object.get("kind")))
            return
        obj = None if event.type == "DELETED" else event.object
        match event.object.get("kind"):
            case "StatefulSet":
                self.statefulset = obj
            case "Pod":
                self.pod = obj
            case "PersistentVolumeClaim":
                self.claim = obj
            case "Event" if obj is not None and obj.get("reason") in NOTABLE_REASONS:
                self.event_message, self.refusal = event_text(obj), refusal(obj)

    def health(self) -> Health:
        """The health of the release: the pod's, then the StatefulSet's, then an event's if neither has a reason."""
        if self.statefulset is None:
            return Health("progressing", "the StatefulSet does not exist yet")
        whole = assess(self.statefulset)
        if whole.status == "ready" and self.pod is not None and assess(self.pod).status == "ready":
            return whole
        if self.pod is None:
            return self._absence()
        if self.pod["metadata"].get("deletionTimestamp"):
            return Health("progressing", self._stopping(self.pod))
        pod = assess(self.pod)
        if pod.status == "ready":
            return Health("progressing", whole.message) if whole.status == "progressing" else whole
        if pod.status == "progressing" and self.claim is not None and not pod.reason:
            claim = assess(self.claim)
            if claim.status != "ready":
                event = f": {self.event_message}" if self.event_message else ""
                return Health("progressing", f"{claim.message}{event}", claim.reason)
        if not pod.reason and self.event_message and "started" in pod.message:
            return Health(pod.status, f"{pod.message} ({self.event_message})", pod.reason)
        return pod

    def _absence(self) -> Health:
        if self.refusal:
            return Health("failed", f"{self.refusal.text}: {self.event_message}", REFUSAL_REASON)
        event = f": {self.event_message}" if self.event_message else ""
        return Health("progressing", f"there is no pod yet{event}", self.event_message.partition(":")[0])

    def _stopping(self, pod: Object) -> str:
        """How long the pod may take to stop: PostgreSQL ends once its WAL is archived, or when the kubelet kills it."""
        limit = pod["metadata"].get("deletionGracePeriodSeconds")  # 0 once its containers have ended
        limit = limit or pod.get("spec", {}).get("terminationGracePeriodSeconds")
        why = ", while its last WAL is archived" if self.backups else ""
        return "the old pod is stopping" + (f": up to {limit} s{why}" if limit else "")


async def wait_ready(
    cluster: Cluster, release: ReleaseRef, timeout_seconds: float, report: ReportLine, *, backups: bool, at: datetime
) -> str:
    """Wait until the pod of the newest revision is Ready. Returns a summary. backups: whether WAL is archived; at: the
    time, in UTC.

    Raises RolloutFailed once a container is stuck, with its last log lines, and DeadlineError.
    """
    namespace, names = release.namespace, Names.of(release.name)
    claim = names.claim
    progress = _Progress(names.pod, backups)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    watches = [
        _with_kind(cluster.watch(STATEFULSET, namespace, fields=f"metadata.name={names.release}"), STATEFULSET),
        _with_kind(cluster.watch(POD, namespace, fields=f"metadata.name={names.pod}"), POD),
        cluster.watch(CLAIM, namespace, fields=f"metadata.name={claim}"),
        recent_events(cluster, namespace, at),
    ]
    async with merge_watches(watches) as events:
        while True:
            event = await next_event(events, min(deadline, loop.time() + 1) - loop.time())
            if event is not None and (event.type == "SYNCED" or is_about(event, {names.release, names.pod, claim})):
                progress.take(event)
            health = progress.health()
            if health.status == "ready":
                return f"{names.pod} is ready"
            if progress.complete and health.message not in progress.reports:
                progress.reports.append(health.message)
                report(health.message)
            await _unblock(cluster, progress, loop.time(), report)
            if _is_stuck(progress, health, loop.time()):
                raise await _failure(cluster, release, health)
            if loop.time() >= deadline:
                raise DeadlineError(
                    f"{names.pod} in {namespace} was not ready after {timeout_seconds:.0f} s: {health.message}",
                    fault=explain(health.message),
                    hint="The cluster continues. Run it again to keep watching; --timeout makes the wait longer.",
                )


async def _with_kind(watch: AsyncGenerator[WatchEvent, None], resource: Resource) -> AsyncGenerator[WatchEvent, None]:
    """The watch, with the kind added to its ``SYNCED`` events."""
    async with aclosing(watch) as events:
        async for event in events:
            yield WatchEvent("SYNCED", {"kind": resource.kind}) if event.type == "SYNCED" else event


def _is_stuck(progress: _Progress, health: Health, now: float) -> bool:
    """Whether the pod is stuck for longer than the grace period; a pod that is being replaced does not count."""
    if health.status != "failed":
        if not _crashed_before(progress.pod):  # ready once: it is only between two crashes
            progress.stuck_since = None
        return False
    if progress.stuck_since is None:
        progress.stuck_since = now
    refusal = progress.refusal if health.reason == REFUSAL_REASON else None
    return now - progress.stuck_since >= (refusal.grace_seconds if refusal else GRACE_SECONDS)


def _crashed_before(pod: Object | None) -> bool:
    status = (pod or {}).get("status", {})
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return any(container.get("restartCount") for container in every)


async def _unblock(cluster: Cluster, progress: _Progress, now: float, report: ReportLine) -> None:
    """Delete the pod of an old revision: a StatefulSet waits for it to get ready before it replaces it."""
    pod, statefulset = progress.pod, progress.statefulset
    if pod is None or statefulset is None or pod["metadata"].get("deletionTimestamp"):
        progress.stuck_revision_since = None
        return
    status = statefulset.get("status", {})
    current = statefulset["metadata"].get("generation", 0) == status.get("observedGeneration")
    revision = (pod["metadata"].get("labels") or {}).get("controller-revision-hash")
    old = current and revision is not None and revision != status.get("updateRevision")
    if not old or assess(pod).status == "ready":
        progress.stuck_revision_since = None
        return
    if progress.stuck_revision_since is None:
        progress.stuck_revision_since = now
    elif now - progress.stuck_revision_since >= 5:
        progress.stuck_revision_since = None
        report(f"{progress.pod_name} is stuck in an old revision: it is replaced")
        with contextlib.suppress(ClusterError):  # deleted or replaced already: the watches will show it
            await cluster.delete(Ref.of({**pod, **_POD_KIND}), uid=pod["metadata"]["uid"])


_POD_KIND = {"apiVersion": POD.api_version, "kind": POD.kind}


def is_crash(health: Health) -> bool:
    """Whether a container of the pod crashes, so that its log has the reason."""
    return health.reason in ("CrashLoopBackOff", "Error", "RunContainerError")


async def crash_log(cluster: Cluster, release: ReleaseRef, health: Health, database: str = "postgresql") -> list[str]:
    """The last log lines of the crashing container of the database's pod; empty if none crashes.

    database: the container of the server. Where it was started again meanwhile, or the lines have no known cause, those
    of the run that ended last come before.
    """
    if not is_crash(health):
        return []
    container = "minio-ca-init" if "minio-ca-init" in health.message else database
    pod = Names.of(release.name).pod
    log = await tail(cluster, release.namespace, pod, container)
    if explain("\n".join(log)) is not None:
        return log
    before = await tail(cluster, release.namespace, pod, container, previous=True)
    return log if before == log else before + log


async def _failure(cluster: Cluster, release: ReleaseRef, health: Health) -> RolloutFailed:
    log, pod = await crash_log(cluster, release, health), Names.of(release.name).pod
    target = ("statefulset", release.name) if health.reason == REFUSAL_REASON else ("pod", pod)
    return RolloutFailed(
        f"{pod} in namespace {release.namespace} cannot start: {health.message}",
        fault=explain("\n".join([health.message, *log])),
        hint=f"See {cluster.commands.kubectl('describe', *target, namespace=release.namespace)}",
        log=log,
    )


def explain(text: str) -> Finding | None:
    """The known cause of an error text; None if no row matches."""
    from pgwizard.diagnose.diagnose import diagnose  # imported late: its patterns are compiled only after a failure

    return diagnose(text)
