"""Following Jobs: several watches as one stream, recent events, and a Job to its end with its log."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pgwizard.errors import ClusterError, DeadlineError, Finding, JobFailed, NotFound
from pgwizard.kube.api import EVENT, JOB, POD, Cluster, Object, Ref, WatchEvent, find_object, list_objects
from pgwizard.kube.health import MESSAGE_CHARACTERS, REFUSAL_REASON, STUCK_REASONS, Health, assess, condition
from pgwizard.text import plain

GRACE_SECONDS = 20.0
"""How long a container may be stuck before it counts as failed: a registry or a Secret may be late."""
REFUSED_SECONDS = 5.0
"""How long admission may refuse a pod before that is a failure: a pod that ends may free quota."""
SILENT_SECONDS = 60.0
"""How long a webhook may not answer before that is a failure: its own pod may be restarting."""
TAIL_LINES = 20
CONTAINERS = frozenset({"init", "backup", "restore", "drill", "preview"})
"""What the container of a Job of ours is called; a mesh may inject others."""

ReportLine = Callable[[str], None]
Explain = Callable[[str], Finding | None]
"""Error text to what is known of its cause."""
IsLastLine = Callable[[str], bool]
"""Whether a container that logs this line has done its work, and can only end with 0."""
NOTABLE_REASONS = frozenset(
    {
        REFUSAL_REASON,
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """text: in words; grace_seconds: how long it may last before it is a failure."""

    text: str
    grace_seconds: float


_REFUSAL = re.compile(
    r"is forbidden: (?!error looking up service account)|denied the request|denied request|is invalid: "
)


def refusal(event: Object) -> Refusal | None:
    """How admission keeps a controller from creating a pod: quota, policy, webhook, Pod Security, SCC.

    None for every other event, also for a server that fails: the controller tries again.
    """
    message = event.get("message") or ""
    if event.get("reason") != REFUSAL_REASON:
        return None
    if "failed calling webhook" in message:
        return Refusal("a webhook of the cluster does not answer", SILENT_SECONDS)
    return Refusal("the cluster refuses the pod", REFUSED_SECONDS) if _REFUSAL.search(message) else None


def event_text(event: Object) -> str:
    """``reason: message``, fit for a terminal."""
    return f"{plain(event['reason'])}: {plain(event.get('message') or '', MESSAGE_CHARACTERS)}"


def is_about(event: WatchEvent, names: set[str]) -> bool:
    """Whether the event is about an object of the release."""
    if event.type == "SYNCED":
        return False
    if event.object.get("kind") != "Event":
        return True
    about = event.object.get("involvedObject") or event.object.get("regarding") or {}
    return about.get("name") in names


async def recent_events(cluster: Cluster, namespace: str, since: datetime) -> AsyncGenerator[WatchEvent, None]:
    """Events from now on, since an old one explains an old failure. Only those from before the watch are filtered by
    time: the clocks of the cluster and of this machine may differ.
    """
    is_synced = False
    async with aclosing(cluster.watch(EVENT, namespace)) as events:
        async for event in events:
            is_synced = is_synced or event.type == "SYNCED"
            if is_synced or _is_recent(event.object, since):
                yield event


def _is_recent(event: Object, since: datetime) -> bool:
    at = _moment(event.get("lastTimestamp") or event.get("eventTime"))
    return at is None or (since - at).total_seconds() < 10


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


async def tail(
    cluster: Cluster, namespace: str, pod: str, container: str, lines: int = TAIL_LINES, *, previous: bool = False
) -> list[str]:
    """The last lines of a container, made plain; empty where there are none. previous: of the run that ended last."""
    try:
        async with aclosing(cluster.logs(namespace, pod, container, tail=lines, previous=previous)) as log:
            return [plain(line) async for line in log]
    except ClusterError:
        return []


def own_container(pod: Object) -> str:
    """The name of the container that does the work of a Job's pod."""
    names = [str(container["name"]) for container in pod["spec"]["containers"]]
    return next((name for name in names if name in CONTAINERS), names[0])


def _own_state(pod: Object) -> dict[str, Any]:
    statuses = pod.get("status", {}).get("containerStatuses") or []
    own = own_container(pod)
    return next((status.get("state") or {} for status in statuses if status["name"] == own), {})


def exit_code(pod: Object) -> int | None:
    """The exit code of the container that does the work; None until it has ended."""
    code: int | None = _own_state(pod).get("terminated", {}).get("exitCode")
    return code


def end_time(pod: Object) -> str:
    """When that container ended, as Kubernetes writes it; empty before."""
    return str(_own_state(pod).get("terminated", {}).get("finishedAt") or "")


async def has_succeeded(cluster: Cluster, job: Object, is_last_line: IsLastLine | None = None) -> bool:
    """Whether the backup is done; its Job may not be: its controller is late, or waits for an injected container.

    is_last_line: see ``wait_job``.
    """
    if assess(job).status != "progressing":
        return assess(job).status == "ready"
    metadata = job["metadata"]
    selector = f"job-name={metadata['name']}"
    for pod in await list_objects(cluster, POD, metadata["namespace"], labels=selector):
        if not _is_of(pod, metadata["uid"]):
            continue
        code = exit_code(pod)
        if code == 0 or (code is None and is_last_line and await _has_logged(cluster, pod, is_last_line)):
            return True
    return False


async def _has_logged(cluster: Cluster, pod: Object, is_last_line: IsLastLine) -> bool:
    about = pod["metadata"]
    lines = await tail(cluster, about["namespace"], about["name"], own_container(pod))
    return any(map(is_last_line, lines))


def _is_of(pod: Object, job_uid: str) -> bool:
    """A pod of an earlier Job of that name may still be there."""
    return any(owner.get("uid") == job_uid for owner in pod["metadata"].get("ownerReferences") or ())


# ---- the hook Job --------------------------------------------------------------------------------------------------


@dataclass
class _JobWatch:
    """What the watches have shown of one Job so far, and its log.

    error_code: that of a container that failed while another keeps its pod, and so the Job, from ending.
    early: pods that came before the Job, which tells its own from those of an earlier one.
    on_last_line: called when ``is_last_line`` is true of a line.
    """

    cluster: Cluster
    job: Ref
    report: ReportLine
    log: ReportLine
    explain: Explain
    is_last_line: IsLastLine | None = None
    on_last_line: Callable[[], None] = lambda: None
    has_last_line: bool = False
    last: str = "its pod is awaited"
    lines: list[str] = field(default_factory=list)
    reports: set[str] = field(default_factory=set)
    followers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    stuck_since: float | None = None
    has_pod: bool = False
    refusal: Refusal | None = None
    refused_since: float = 0
    error_code: int = 0
    job_uid: str = ""
    early: list[Object] = field(default_factory=list)
    failed_pods: set[str] = field(default_factory=set)

    def take(self, event: WatchEvent) -> Health | None:
        """The Job's health, where the event shows it: ready as soon as its container has ended with 0.

        Only the Job itself says that it failed, since it tries again. Raises JobFailed once it is gone.
        """
        obj, kind = event.object, event.object.get("kind")
        if kind == "Job":
            if event.type == "DELETED":
                command = self.cluster.commands.kubectl("get", "namespace", str(self.job.namespace))
                raise JobFailed(
                    f"{self.job} was deleted while it ran",
                    hint=f"See whether its namespace is being deleted: {command}. If not, run it again.",
                )
            self.job_uid = obj["metadata"]["uid"]
            early, self.early = self.early, []
            healths = [health for pod in early if (health := self._take_pod(pod))]
            health = assess(obj)
            return healths[0] if healths and health.status == "progressing" else health
        if kind == "Pod" and event.type != "DELETED":
            if self.job_uid:
                return self._take_pod(obj)
            self.early.append(obj)
        elif is_about(event, {self.job.name, *self.followers}) and obj.get("reason") in NOTABLE_REASONS:
            self._report_once(event_text(obj))
            if obj["reason"] == REFUSAL_REASON and self._is_about_job(obj) and (now := refusal(obj)) != self.refusal:
                self.refusal, self.refused_since = now, asyncio.get_running_loop().time()
        return None

    def _is_about_job(self, event: Object) -> bool:
        """Not about an earlier Job of that name."""
        about = event.get("involvedObject") or {}
        return about.get("kind") == JOB.kind and about.get("uid", self.job_uid) in (self.job_uid, "")

    def _take_pod(self, pod: Object) -> Health | None:
        if not _is_of(pod, self.job_uid):
            return None
        self.has_pod, self.refusal = True, None
        self._follow(pod)
        health, code = assess(pod), exit_code(pod)
        if code == 0:
            return Health("ready", "complete")
        self.error_code = code if code and pod.get("status", {}).get("phase") == "Running" else 0
        if self.error_code or (health.status == "failed" and health.reason not in STUCK_REASONS):
            self.failed_pods.add(pod["metadata"]["name"])
            self._report_once(self._retry_cause() or health.message)
        elif health.status == "failed" or (health.status == "progressing" and not self.lines):
            self._report_once(health.message)  # once it logs, its log says more
        if health.reason not in STUCK_REASONS and not self.error_code:
            self.stuck_since = None
        elif self.stuck_since is None:
            self.stuck_since = asyncio.get_running_loop().time()
        return None

    @property
    def fault(self) -> Finding | None:
        """The cause, from the log and the last known state."""
        return self.explain("\n".join([self.last, *self.lines]))

    def failure(self, obj: Object) -> JobFailed:
        failure = condition(obj, "Failed")
        why = plain(failure.get("message") or "")
        job = self.job
        return JobFailed(
            f"{job} failed: {why}",
            fault=self.fault,
            hint=f"See {self._kubectl('logs', f'job/{job.name}')}. Run it again after the fix.",
            log=self.lines[-TAIL_LINES:],
            is_overdue=failure.get("reason") == "DeadlineExceeded",
        )

    def check_stuck(self, now: float) -> None:
        """Raises JobFailed if the Job's pod could not start or end within the grace period."""
        refusal = self.refusal
        if refusal is not None and not self.has_pod and now - self.refused_since >= refusal.grace_seconds:
            raise JobFailed(
                f"{self.job} cannot start: {refusal.text}: {self.last}",
                fault=self.fault,
                hint=f"Run it again after the fix. The Job tries again by itself: "
                f"{self._kubectl('describe', 'job', self.job.name)}",
            )
        if self.stuck_since is not None and now - self.stuck_since >= GRACE_SECONDS:
            if self.error_code:
                raise JobFailed(
                    f"{self.job} failed with exit code {self.error_code}, but another container keeps its pod running, "
                    "so it is not tried again",
                    fault=self.fault,
                    hint="Exclude the namespace from the injection of sidecars, delete the Job, and run it again.",
                    log=self.lines[-TAIL_LINES:],
                )
            raise JobFailed(
                f"{self.job} cannot start: {self.last}",
                fault=self.fault,
                hint=f"See {self._kubectl('describe', 'pod', '-l', f'job-name={self.job.name}')}",
            )

    def _kubectl(self, *words: str) -> str:
        return self.cluster.commands.kubectl(*words, namespace=self.job.namespace)

    async def drain(self) -> None:
        """The last lines of a container arrive a moment after its end."""
        if self.followers:
            await asyncio.wait(self.followers.values(), timeout=5)

    def check_followers(self) -> None:
        """Raises the error of a follower, such as that of a log that can no longer be printed."""
        for task in self.followers.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close(self) -> None:
        """End every follower."""
        for task in self.followers.values():
            task.cancel()
        await asyncio.gather(*self.followers.values(), return_exceptions=True)

    def _report_once(self, text: str) -> None:
        self.last = text
        if text not in self.reports:
            self.reports.add(text)
            self.report(text)

    def _read_line(self, line: str) -> None:
        if " DETAIL: " in line:  # one line per file keeps the stream busy; people only need the total
            if share := re.search(r"([0-9]+)\.[0-9]+%\)", line):
                self._report_once(f"{int(share[1]) // 10 * 10} % of the files are done")
            return
        self.lines.append(line)
        del self.lines[:-400]
        self.log(line)
        if match := re.search(r"INFO: ([a-z-]+) command begin", line):
            self._report_once(f"pgBackRest runs {match[1]}")
        if " ERROR: " in line and (fault := self.explain(line)):  # the Job retries for a long time
            self._report_once(f"a try failed: {fault.cause}")
        if self.is_last_line is not None and self.is_last_line(line):
            self.has_last_line = True
            self.on_last_line()

    def _retry_cause(self) -> str:
        """Why a try failed, from its whole log: the line of the error need not say it."""
        fault = self.explain("\n".join(self.lines))
        return f"a try failed: {fault.cause}" if fault else ""

    def _follow(self, pod: Object) -> None:
        """Read along with the Job's own container, each pod of it once, as soon as it runs."""
        name, container = pod["metadata"]["name"], own_container(pod)
        if name in self.followers or not {"running", "terminated"} & set(_own_state(pod)):
            return

        async def read() -> None:
            with contextlib.suppress(ClusterError):
                log = self.cluster.logs(pod["metadata"]["namespace"], name, container, follow=True)
                async with aclosing(log) as lines:
                    async for line in lines:
                        self._read_line(plain(line))
            if name in self.failed_pods and (cause := self._retry_cause()):  # the last lines may arrive late
                self._report_once(cause)

        self.followers[name] = asyncio.create_task(read(), name=f"log of {name}")


async def wait_job(
    cluster: Cluster,
    job: Ref,
    timeout_seconds: float,
    report: ReportLine,
    log: ReportLine,
    *,
    explain: Explain,
    at: datetime,
    is_last_line: IsLastLine | None = None,
) -> None:
    """Wait for a Job, and follow its log. at: the time, in UTC.

    is_last_line: ends the wait about a second before the kubelet sees the end of the container.

    Raises JobFailed with cause and fix, DeadlineError, and what report and log raise.
    """
    namespace = job.namespace or ""
    live = await find_object(cluster, job)
    since = (
        _moment(live["metadata"].get("creationTimestamp")) if live else None
    )  # a refusal may have begun before the wait
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    watch = _JobWatch(cluster, job, report, log, explain, is_last_line)
    watches = [
        cluster.watch(JOB, namespace, fields=f"metadata.name={job.name}"),
        cluster.watch(POD, namespace, labels=f"job-name={job.name}"),
        recent_events(cluster, namespace, since or at),
    ]
    async with merge_watches(watches) as events:
        watch.on_last_line = lambda: events.put_nowait(WatchEvent("SYNCED", {}))  # ends the wait for an event
        try:
            while loop.time() < deadline:
                event = await next_event(events, min(deadline - loop.time(), 5))
                watch.check_followers()
                if watch.has_last_line:
                    return
                watch.check_stuck(loop.time())
                if event is None or event.type == "SYNCED":
                    continue
                health = watch.take(event)
                if health is not None and health.status != "progressing":
                    await watch.drain()
                    watch.check_followers()
                    if health.status == "failed":
                        raise watch.failure(event.object)
                    return
            raise DeadlineError(
                f"{job} had not ended after {timeout_seconds:.0f} s: {watch.last}",
                fault=watch.fault,
                hint="It continues in the cluster. Run it again to keep watching.",
            )
        finally:
            await watch.close()


# ---- several watches as one stream ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def merge_watches(watches: list[Any]) -> AsyncIterator[asyncio.Queue[WatchEvent | BaseException]]:
    """All events in one queue, errors of the watches too. Closes every watch on exit."""
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


async def next_event(events: asyncio.Queue[WatchEvent | BaseException], seconds: float) -> WatchEvent | None:
    """The next event, or None when none comes in time."""
    try:
        async with asyncio.timeout(
            max(0.01, seconds)
        ):  # before Python 3.12, wait_for can lose a Ctrl+C that arrives with an event
            event = await events.get()
    except TimeoutError:
        return None
    if isinstance(event, NotFound):
        return None
    if isinstance(event, BaseException):
        raise event
    return event
