"""Waits until what was applied works, and says why it does not as soon as the cluster knows.

The StatefulSet, its pod, its volume claim and their events are watched together; what a pod that cannot start says
goes out at once, not at the deadline. It refuses to change anything but one: a pod of an old revision that blocks its
own replacement is deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pgwizard.errors import ClusterError, DeadlineError, FirstBackupFailed, NotFound, RolloutFailed
from pgwizard.health import Health, assess, condition
from pgwizard.kubeapi import Cluster, Object, Ref, Resource, WatchEvent, plain
from pgwizard.plan import Plan
from pgwizard.preflight import CLAIM, JOB, STATEFULSET

POD = Resource("v1", "Pod")
EVENT = Resource("v1", "Event")
GRACE_SECONDS = 20.0
"""How long a container may be stuck before it is called failed: a registry or a Secret may be a moment late."""
TAIL_LINES = 20

Said = Callable[[str], None]
_TELLING = frozenset(
    {
        "FailedCreate",
        "FailedScheduling",
        "FailedMount",
        "FailedAttachVolume",
        "ProvisioningFailed",
        "Failed",
        "BackOff",
        "FailedCreatePodSandBox",
        "InspectFailed",
        "ErrImageNeverPull",
    }
)


@dataclass
class _Seen:
    """What the watches have shown of one release so far."""

    pod_name: str
    statefulset: Object | None = None
    pod: Object | None = None
    claim: Object | None = None
    said_by_event: str = ""
    stuck_since: float | None = None
    stuck_revision_since: float | None = None
    said: list[str] = field(default_factory=list)

    def take(self, event: WatchEvent) -> None:
        obj = None if event.type == "DELETED" else event.object
        match event.object.get("kind"):
            case "StatefulSet":
                self.statefulset = obj
            case "Pod":
                self.pod = obj
            case "PersistentVolumeClaim":
                self.claim = obj
            case "Event" if obj is not None and obj.get("reason") in _TELLING:
                self.said_by_event = f"{plain(obj['reason'])}: {plain(obj.get('message') or '')}"

    def health(self) -> Health:
        """One verdict: the pod's own words before the StatefulSet's, and an event where neither says why."""
        if self.statefulset is None:
            return Health("progressing", "the StatefulSet is not there yet")
        whole = assess(self.statefulset)
        if whole.status == "ready" and self.pod is not None and assess(self.pod).status == "ready":
            return whole
        if self.pod is None:
            said = f": {self.said_by_event}" if self.said_by_event else ""
            return Health("progressing", f"there is no pod yet{said}", self.said_by_event.partition(":")[0])
        pod = assess(self.pod)
        if pod.status == "ready":
            return Health("progressing", whole.message) if whole.status != "ready" else whole
        if pod.status == "progressing" and self.claim is not None and not pod.reason:
            claim = assess(self.claim)
            if claim.status != "ready":
                said = f": {self.said_by_event}" if self.said_by_event else ""
                return Health("progressing", f"{claim.message}{said}", claim.reason)
        if not pod.reason and self.said_by_event and "started" in pod.message:
            return Health(pod.status, f"{pod.message} ({self.said_by_event})", pod.reason)
        return pod


async def wait_ready(cluster: Cluster, plan: Plan, timeout_seconds: float, said: Said) -> str:
    """Wait until the pod of the newest revision is Ready. Returns what to say of it.

    Raises RolloutFailed once a container is stuck, with its last log lines, and DeadlineError.
    """
    namespace, names = plan.namespace, plan.names
    seen = _Seen(names.pod)
    since = datetime.now(UTC)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    watches = [
        cluster.watch(STATEFULSET, namespace, fields=f"metadata.name={names.release}"),
        cluster.watch(POD, namespace, fields=f"metadata.name={names.pod}"),
        cluster.watch(CLAIM, namespace, fields=f"metadata.name=postgresql-storage-{names.pod}"),
        cluster.watch(EVENT, namespace),
    ]
    claim = f"postgresql-storage-{names.pod}"
    async with _merged(watches) as events:
        while True:
            event = await _next(events, min(deadline, loop.time() + 1) - loop.time())
            if event is not None and _concerns(event, {names.release, names.pod, claim}, since):
                seen.take(event)
            health = seen.health()
            if health.status == "ready":
                return f"{names.pod} is ready"
            if health.message not in seen.said:
                seen.said.append(health.message)
                said(health.message)
            await _unblock(cluster, seen, loop.time(), said)
            if _is_stuck(seen, health, loop.time()):
                raise await _failure(cluster, plan, health)
            if loop.time() >= deadline:
                raise DeadlineError(
                    f"{names.pod} in namespace {namespace} was not ready after {timeout_seconds:.0f} s: {health.message}",
                    hint=_advice(health.message)
                    or "The cluster goes on. Run it again to go on watching, with a longer --timeout where it takes longer.",
                )


def _concerns(event: WatchEvent, names: set[str], since: datetime) -> bool:
    """Events of the release's own objects, from now on; an old one explains an old failure."""
    if event.type == "SYNCED":
        return False
    if event.object.get("kind") != "Event":
        return True
    about = event.object.get("involvedObject") or event.object.get("regarding") or {}
    if about.get("name") not in names:
        return False
    at = event.object.get("lastTimestamp") or event.object.get("eventTime") or ""
    try:
        return (since - datetime.fromisoformat(at)).total_seconds() < 10
    except ValueError:
        return True


def _is_stuck(seen: _Seen, health: Health, now: float) -> bool:
    """Stuck for longer than the grace; of a pod that is being replaced its old self does not count."""
    if health.status != "failed":
        seen.stuck_since = None
        return False
    if seen.stuck_since is None:
        seen.stuck_since = now
    return now - seen.stuck_since >= GRACE_SECONDS


async def _unblock(cluster: Cluster, seen: _Seen, now: float, said: Said) -> None:
    """A StatefulSet waits for a pod that never gets ready before it replaces it: the pod of an old revision is deleted."""
    pod, statefulset = seen.pod, seen.statefulset
    if pod is None or statefulset is None or pod["metadata"].get("deletionTimestamp"):
        seen.stuck_revision_since = None
        return
    status = statefulset.get("status", {})
    current = statefulset["metadata"].get("generation", 0) == status.get("observedGeneration")
    revision = (pod["metadata"].get("labels") or {}).get("controller-revision-hash")
    old = current and revision is not None and revision != status.get("updateRevision")
    if not old or assess(pod).status == "ready":
        seen.stuck_revision_since = None
        return
    if seen.stuck_revision_since is None:
        seen.stuck_revision_since = now
    elif now - seen.stuck_revision_since >= 5:
        seen.stuck_revision_since = None
        said(f"{seen.pod_name} is stuck in an old revision: it is replaced")
        with contextlib.suppress(ClusterError):  # gone already, or new already: the watches will tell
            await cluster.delete(Ref.of({**pod, **_POD_KIND}), uid=pod["metadata"]["uid"])


_POD_KIND = {"apiVersion": POD.api_version, "kind": POD.kind}


async def _failure(cluster: Cluster, plan: Plan, health: Health) -> RolloutFailed:
    log: list[str] = []
    if health.reason in ("CrashLoopBackOff", "Error", "RunContainerError"):
        container = "minio-ca-init" if "minio-ca-init" in health.message else "postgresql"
        log = await tail(cluster, plan.namespace, plan.names.pod, container)
    said = "".join(f"\n    {line}" for line in log)
    return RolloutFailed(
        f"{plan.names.pod} in namespace {plan.namespace} cannot start: {health.message}{said}",
        hint=_advice("\n".join([health.message, *log]))
        or f"See kubectl -n {plan.namespace} describe pod {plan.names.pod}",
    )


def _advice(text: str) -> str:
    from pgwizard import diagnose  # its table of patterns is compiled only where something failed

    found = diagnose.diagnose(text)
    return f"Cause: {found.cause}\nFix: {found.fix}" if found else ""


async def tail(cluster: Cluster, namespace: str, pod: str, container: str, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a container, made plain; empty where there are none."""
    try:
        async with aclosing(cluster.logs(namespace, pod, container, tail=lines)) as log:
            return [plain(line) async for line in log]
    except ClusterError:
        return []


# ---- the hook Job --------------------------------------------------------------------------------------------------


async def wait_job(cluster: Cluster, job: Ref, timeout_seconds: float, said: Said, logged: Said) -> str:
    """Wait for a Job, its log as it goes. Raises FirstBackupFailed with cause and fix, and DeadlineError."""
    namespace = job.namespace or ""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    watches = [
        cluster.watch(JOB, namespace, fields=f"metadata.name={job.name}"),
        cluster.watch(POD, namespace, labels=f"job-name={job.name}"),
        cluster.watch(EVENT, namespace),
    ]
    followers: dict[str, asyncio.Task[None]] = {}
    lines: list[str] = []
    heard: list[str] = []
    since = datetime.now(UTC)

    def hear(line: str) -> None:
        if " DETAIL: " in line:  # a line a file: they keep the stream busy, people need their sum
            if share := re.search(r"([0-9]+)\.[0-9]+%\)", line):
                tell(f"{int(share[1]) // 10 * 10} % of the files are stored")
            return
        lines.append(line)
        del lines[:-400]
        logged(line)

    def tell(text: str) -> None:
        if text not in heard:
            heard.append(text)
            said(text)

    last = "its pod is awaited"
    async with _merged(watches) as events:
        try:
            while True:
                event = await _next(events, min(deadline, loop.time() + 5) - loop.time())
                if event is not None and event.type != "SYNCED":
                    kind = event.object.get("kind")
                    if kind == "Pod" and event.type != "DELETED":
                        _follow(cluster, event.object, followers, hear)
                        last = assess(event.object).message
                        tell(last)
                    elif kind == "Event" and _concerns(event, {job.name, *followers}, since):
                        if event.object.get("reason") in _TELLING:
                            last = f"{plain(event.object['reason'])}: {plain(event.object.get('message') or '')}"
                            tell(last)
                    elif kind == "Job":
                        if event.type == "DELETED":
                            raise FirstBackupFailed(f"{job} was deleted while it ran", hint="Run it again.")
                        health = assess(event.object)
                        if health.status == "ready":
                            await _drained(followers)
                            return "a valid full backup is in the repository"
                        if health.status == "failed":
                            await _drained(followers)
                            raise _job_failure(job, event.object, lines)
                if loop.time() >= deadline:
                    raise DeadlineError(
                        f"{job} had not ended after {timeout_seconds:.0f} s: {last}",
                        hint=_advice("\n".join([last, *lines]))
                        or "It goes on in the cluster. Run it again to go on watching, with a longer --timeout.",
                    )
        finally:
            for task in followers.values():
                task.cancel()
            await asyncio.gather(*followers.values(), return_exceptions=True)


def _follow(cluster: Cluster, pod: Object, followers: dict[str, asyncio.Task[None]], hear: Said) -> None:
    """Read along with the Job's main container, each pod of it once, as soon as it runs."""
    name = pod["metadata"]["name"]
    statuses = pod.get("status", {}).get("containerStatuses") or []
    if name in followers or not any(
        "running" in s.get("state", {}) or "terminated" in s.get("state", {}) for s in statuses
    ):
        return
    container = pod["spec"]["containers"][0]["name"]

    async def read() -> None:
        with contextlib.suppress(ClusterError):
            async with aclosing(cluster.logs(pod["metadata"]["namespace"], name, container, follow=True)) as log:
                async for line in log:
                    hear(plain(line))

    followers[name] = asyncio.create_task(read(), name=f"log of {name}")


async def _drained(followers: dict[str, asyncio.Task[None]]) -> None:
    """The last lines of a container arrive a moment after its end."""
    if followers:
        await asyncio.wait(followers.values(), timeout=5)


def _job_failure(job: Ref, obj: Object, lines: list[str]) -> FirstBackupFailed:
    said = plain(condition(obj, "Failed").get("message") or "")
    text = "".join(f"\n    {line}" for line in lines[-TAIL_LINES:])
    return FirstBackupFailed(
        f"{job} failed: {said}{text}",
        hint=_advice("\n".join(lines))
        or f"See kubectl -n {job.namespace} logs job/{job.name}. Run it again after the fix.",
    )


# ---- several watches as one stream ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _merged(watches: list[Any]) -> AsyncIterator[asyncio.Queue[WatchEvent | BaseException]]:
    """All events in one queue; an error of one watch ends up there too. Every watch is closed on the way out."""
    queue: asyncio.Queue[WatchEvent | BaseException] = asyncio.Queue()

    async def pump(watch: Any) -> None:
        try:
            async with aclosing(watch) as events:
                async for event in events:
                    queue.put_nowait(event)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the reader of the queue
            queue.put_nowait(error)

    tasks = [asyncio.create_task(pump(watch)) for watch in watches]
    try:
        yield queue
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _next(events: asyncio.Queue[WatchEvent | BaseException], seconds: float) -> WatchEvent | None:
    """The next event, or None when none comes in time."""
    try:
        event = await asyncio.wait_for(events.get(), max(0.01, seconds))
    except TimeoutError:
        return None
    if isinstance(event, NotFound):
        return None
    if isinstance(event, BaseException):
        raise event
    return event
