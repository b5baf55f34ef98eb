"""Waits until what was applied works, and says why it does not as soon as the cluster knows.

The StatefulSet, its pod, its volume claim and their events are watched together; what a pod that cannot start says
goes out at once, not at the deadline. It refuses to change anything but one: a pod of an old revision that blocks its
own replacement is deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pgwizard.errors import ClusterError, DeadlineError, FirstBackupFailed, NotFound, RolloutFailed
from pgwizard.health import SAID_CHARACTERS, STUCK, Health, assess, condition
from pgwizard.kinds import CLAIM, EVENT, JOB, POD, STATEFULSET
from pgwizard.kubeapi import Cluster, Object, Ref, Resource, WatchEvent, plain
from pgwizard.plan import Plan

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
    """What the watches have shown of one release so far. listed: the kinds of which all that exist were told."""

    pod_name: str
    backups: bool
    listed: set[str] = field(default_factory=set)
    statefulset: Object | None = None
    pod: Object | None = None
    claim: Object | None = None
    said_by_event: str = ""
    stuck_since: float | None = None
    stuck_revision_since: float | None = None
    said: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether what is not known here is not there either."""
        return {"StatefulSet", "Pod"} <= self.listed

    def take(self, event: WatchEvent) -> None:
        if event.type == "SYNCED":
            self.listed.add(str(event.object.get("kind")))
            return
        obj = None if event.type == "DELETED" else event.object
        match event.object.get("kind"):
            case "StatefulSet":
                self.statefulset = obj
            case "Pod":
                self.pod = obj
            case "PersistentVolumeClaim":
                self.claim = obj
            case "Event" if obj is not None and obj.get("reason") in _TELLING:
                self.said_by_event = _told(obj)

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
        if self.pod["metadata"].get("deletionTimestamp"):
            return Health("progressing", self._stopping(self.pod))
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

    def _stopping(self, pod: Object) -> str:
        """How long it may take: PostgreSQL does not end before its WAL is archived, or the kubelet ends it."""
        limit = pod["metadata"].get("deletionGracePeriodSeconds")  # 0 once its containers have ended
        limit = limit or pod.get("spec", {}).get("terminationGracePeriodSeconds")
        why = ", while its last WAL is archived" if self.backups else ""
        return "the old pod is stopping" + (f": up to {limit} s{why}" if limit else "")


def _told(event: Object) -> str:
    """What an event says."""
    return f"{plain(event['reason'])}: {plain(event.get('message') or '', SAID_CHARACTERS)}"


async def wait_ready(cluster: Cluster, plan: Plan, timeout_seconds: float, said: Said) -> str:
    """Wait until the pod of the newest revision is Ready. Returns what to say of it.

    Raises RolloutFailed once a container is stuck, with its last log lines, and DeadlineError.
    """
    namespace, names = plan.namespace, plan.names
    seen = _Seen(names.pod, plan.backups)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    watches = [
        _marked(cluster.watch(STATEFULSET, namespace, fields=f"metadata.name={names.release}"), STATEFULSET),
        _marked(cluster.watch(POD, namespace, fields=f"metadata.name={names.pod}"), POD),
        cluster.watch(CLAIM, namespace, fields=f"metadata.name=postgresql-storage-{names.pod}"),
        _events(cluster, namespace),
    ]
    claim = f"postgresql-storage-{names.pod}"
    async with _merged(watches) as events:
        while True:
            event = await _next(events, min(deadline, loop.time() + 1) - loop.time())
            if event is not None and (event.type == "SYNCED" or _concerns(event, {names.release, names.pod, claim})):
                seen.take(event)
            health = seen.health()
            if health.status == "ready":
                return f"{names.pod} is ready"
            if seen.complete and health.message not in seen.said:
                seen.said.append(health.message)
                said(health.message)
            await _unblock(cluster, seen, loop.time(), said)
            if _is_stuck(seen, health, loop.time()):
                raise await _failure(cluster, plan, health)
            if loop.time() >= deadline:
                raise DeadlineError(
                    f"{names.pod} in {namespace} was not ready after {timeout_seconds:.0f} s: {health.message}",
                    hint=_advice(health.message)
                    or "The cluster goes on. Run it again to go on watching; --timeout makes it longer.",
                )


def _concerns(event: WatchEvent, names: set[str]) -> bool:
    """Whether it is about the release's own objects."""
    if event.type == "SYNCED":
        return False
    if event.object.get("kind") != "Event":
        return True
    about = event.object.get("involvedObject") or event.object.get("regarding") or {}
    return about.get("name") in names


async def _marked(watch: AsyncGenerator[WatchEvent, None], resource: Resource) -> AsyncGenerator[WatchEvent, None]:
    """The watch, whose ``SYNCED`` says of which kind."""
    async with aclosing(watch) as events:
        async for event in events:
            yield WatchEvent("SYNCED", {"kind": resource.kind}) if event.type == "SYNCED" else event


async def _events(cluster: Cluster, namespace: str) -> AsyncGenerator[WatchEvent, None]:
    """Events from now on, since an old one explains an old failure. Only what is there already is judged by its time:
    the clocks of the cluster and of this machine may differ.
    """
    since, synced = datetime.now(UTC), False
    async with aclosing(cluster.watch(EVENT, namespace)) as events:
        async for event in events:
            synced = synced or event.type == "SYNCED"
            if synced or _is_recent(event.object, since):
                yield event


def _is_recent(event: Object, since: datetime) -> bool:
    try:
        at = datetime.fromisoformat(event.get("lastTimestamp") or event.get("eventTime") or "")
    except ValueError:
        return True
    return (since - at).total_seconds() < 10


def _is_stuck(seen: _Seen, health: Health, now: float) -> bool:
    """Stuck for longer than the grace; of a pod that is being replaced its old self does not count."""
    if health.status != "failed":
        if not _crashed_before(seen.pod):  # one that did is only between two crashes
            seen.stuck_since = None
        return False
    if seen.stuck_since is None:
        seen.stuck_since = now
    return now - seen.stuck_since >= GRACE_SECONDS


def _crashed_before(pod: Object | None) -> bool:
    status = (pod or {}).get("status", {})
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return any(container.get("restartCount") for container in every)


async def _unblock(cluster: Cluster, seen: _Seen, now: float, said: Said) -> None:
    """Delete the pod of an old revision: a StatefulSet waits for it to get ready before it replaces it."""
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


def _cause(text: str) -> str:
    from pgwizard import diagnose

    found = diagnose.diagnose(text)
    return found.cause if found else ""


async def tail(cluster: Cluster, namespace: str, pod: str, container: str, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a container, made plain; empty where there are none."""
    try:
        async with aclosing(cluster.logs(namespace, pod, container, tail=lines)) as log:
            return [plain(line) async for line in log]
    except ClusterError:
        return []


# ---- the hook Job --------------------------------------------------------------------------------------------------


@dataclass
class _JobWatch:
    """What the watches have shown of one Job so far, and its log."""

    cluster: Cluster
    job: Ref
    said: Said
    logged: Said
    last: str = "its pod is awaited"
    lines: list[str] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)
    followers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    stuck_since: float | None = None
    failed: set[str] = field(default_factory=set)

    def take(self, event: WatchEvent) -> Health | None:
        """The Job's health, where the event is about the Job itself. Raises FirstBackupFailed once it is gone."""
        obj, kind = event.object, event.object.get("kind")
        if kind == "Job":
            if event.type == "DELETED":
                namespace = self.job.namespace
                raise FirstBackupFailed(
                    f"{self.job} was deleted while it ran",
                    hint=f"See whether its namespace goes: kubectl get namespace {namespace}. If not, run it again.",
                )
            return assess(obj)
        if kind == "Pod" and event.type != "DELETED":
            self._follow(obj)
            health = assess(obj)
            if health.status == "failed" and health.reason not in STUCK:
                self.failed.add(obj["metadata"]["name"])
                self._tell(self._tried() or health.message)
            elif health.status == "failed" or (health.status == "progressing" and not self.lines):
                self._tell(health.message)  # once it speaks, its log says more
            if health.reason not in STUCK:
                self.stuck_since = None
            elif self.stuck_since is None:
                self.stuck_since = asyncio.get_running_loop().time()
        elif _concerns(event, {self.job.name, *self.followers}) and obj.get("reason") in _TELLING:
            self._tell(_told(obj))
        return None

    def advice(self) -> str:
        """Cause and fix, from the log and from what was seen last."""
        return _advice("\n".join([self.last, *self.lines]))

    def failure(self, obj: Object) -> FirstBackupFailed:
        why = plain(condition(obj, "Failed").get("message") or "")
        text = "".join(f"\n    {line}" for line in self.lines[-TAIL_LINES:])
        job = self.job
        return FirstBackupFailed(
            f"{job} failed: {why}{text}",
            hint=self.advice() or f"See kubectl -n {job.namespace} logs job/{job.name}. Run it again after the fix.",
        )

    def check_stuck(self, now: float) -> None:
        """Raises FirstBackupFailed where the Job's pod has not been able to start for the grace."""
        if self.stuck_since is not None and now - self.stuck_since >= GRACE_SECONDS:
            raise FirstBackupFailed(
                f"{self.job} cannot start: {self.last}",
                hint=self.advice() or f"See kubectl -n {self.job.namespace} describe pod -l job-name={self.job.name}",
            )

    async def drained(self) -> None:
        """The last lines of a container arrive a moment after its end."""
        if self.followers:
            await asyncio.wait(self.followers.values(), timeout=5)

    async def closed(self) -> None:
        """End every follower."""
        for task in self.followers.values():
            task.cancel()
        await asyncio.gather(*self.followers.values(), return_exceptions=True)

    def _tell(self, text: str) -> None:
        self.last = text
        if text not in self.heard:
            self.heard.add(text)
            self.said(text)

    def _hear(self, line: str) -> None:
        if " DETAIL: " in line:  # a line a file: they keep the stream busy, people need their sum
            if share := re.search(r"([0-9]+)\.[0-9]+%\)", line):
                self._tell(f"{int(share[1]) // 10 * 10} % of the files are stored")
            return
        self.lines.append(line)
        del self.lines[:-400]
        self.logged(line)
        if begun := re.search(r"INFO: ([a-z-]+) command begin", line):
            self._tell(f"pgBackRest runs {begun[1]}")
        if " ERROR: " in line and (cause := _cause(line)):  # the Job tries again, for long; people need not wait for it
            self._tell(f"a try failed: {cause}")

    def _tried(self) -> str:
        """Why a try failed, from its whole log: the line of the error need not say it."""
        cause = _cause("\n".join(self.lines))
        return f"a try failed: {cause}" if cause else ""

    def _follow(self, pod: Object) -> None:
        """Read along with the Job's main container, each pod of it once, as soon as it runs."""
        name, statuses = pod["metadata"]["name"], pod.get("status", {}).get("containerStatuses") or []
        if name in self.followers or not any({"running", "terminated"} & set(s.get("state", {})) for s in statuses):
            return
        container = pod["spec"]["containers"][0]["name"]

        async def read() -> None:
            with contextlib.suppress(ClusterError):
                log = self.cluster.logs(pod["metadata"]["namespace"], name, container, follow=True)
                async with aclosing(log) as lines:
                    async for line in lines:
                        self._hear(plain(line))
            if name in self.failed and (tried := self._tried()):  # a log's last lines may come after its pod's end
                self._tell(tried)

        self.followers[name] = asyncio.create_task(read(), name=f"log of {name}")


async def wait_job(cluster: Cluster, job: Ref, timeout_seconds: float, said: Said, logged: Said) -> str:
    """Wait for a Job, its log as it goes. Raises FirstBackupFailed with cause and fix, and DeadlineError."""
    namespace = job.namespace or ""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    seen = _JobWatch(cluster, job, said, logged)
    watches = [
        cluster.watch(JOB, namespace, fields=f"metadata.name={job.name}"),
        cluster.watch(POD, namespace, labels=f"job-name={job.name}"),
        _events(cluster, namespace),
    ]
    async with _merged(watches) as events:
        try:
            while loop.time() < deadline:
                event = await _next(events, min(deadline - loop.time(), 5))
                seen.check_stuck(loop.time())
                if event is None or event.type == "SYNCED":
                    continue
                health = seen.take(event)
                if health is not None and health.status != "progressing":
                    await seen.drained()
                    if health.status == "failed":
                        raise seen.failure(event.object)
                    return "a valid full backup is in the repository"
            raise DeadlineError(
                f"{job} had not ended after {timeout_seconds:.0f} s: {seen.last}",
                hint=seen.advice() or "It goes on in the cluster. Run it again to go on watching.",
            )
        finally:
            await seen.closed()


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
        async with asyncio.timeout(max(0.01, seconds)):  # wait_for loses a Ctrl-C that meets an event, before 3.12
            event = await events.get()
    except TimeoutError:
        return None
    if isinstance(event, NotFound):
        return None
    if isinstance(event, BaseException):
        raise event
    return event
