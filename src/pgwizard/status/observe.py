"""Observes a release: watches and polls its sources, and yields a ``Snapshot`` for each burst of observations.

``observe`` never ends, ``look`` ends once every source has answered. It decides nothing: ``probes`` parses an
answer, ``reduce`` puts it into the snapshot, ``verdict`` judges the snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pgwizard.clock import Clock
from pgwizard.errors import DeadlineError, Finding, Forbidden, PgwizardError, PreflightError, describe_defect
from pgwizard.kube import jobs
from pgwizard.kube.api import (
    CLAIM,
    CRONJOB,
    EVENT,
    JOB,
    POD,
    STATEFULSET,
    Cluster,
    Object,
    Ref,
    Resource,
    WatchEvent,
    find_object,
)
from pgwizard.kube.health import REFUSAL_REASON, Health
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.release import backups, records, rollout
from pgwizard.release.image_version import ImageVersion
from pgwizard.release.layout import Layout
from pgwizard.release.record import Record
from pgwizard.status import probes
from pgwizard.status.backup_files import BackupFiles
from pgwizard.status.listing import Listing
from pgwizard.status.observations import (
    ArchiveRead,
    ArchiverRead,
    BackupFilesRead,
    CertificateRead,
    CrashLogRead,
    JobPodSeen,
    JobRefused,
    ListRead,
    LogFailed,
    LogRead,
    ObjectSeen,
    Observation,
    Reading,
    ReleaseRead,
    RepositoryRead,
    SourceFailed,
    SourceSlow,
    VolumeRead,
    failure,
)
from pgwizard.status.reduce import reduce
from pgwizard.status.snapshot import (
    INFO_TIMEOUTS,
    IO_TIMEOUT_SECONDS,
    PACE_SECONDS,
    WATCHED_KINDS,
    ReleaseSummary,
    Snapshot,
)
from pgwizard.status.verdict import outage
from pgwizard.text import plain

POLL_SOURCES = (*PACE_SECONDS, "log")
"""The sources that are polled, and the logs that could not be read; all others are watched."""
_SOON_SECONDS = 1.5
"""After how long an unsettled record is read again."""
_SLOW_SECONDS = 5.0
"""A source that has not answered within this time is reported as slow: other than the store's, all answer at once."""
_BUSY = 1.5
"""How much longer a command may take on a busy machine."""
_CHEAP_SEGMENTS = 4_000
"""Up to this many segments the whole archive is listed each time: it takes half a second."""
_WHOLE_AGAIN = timedelta(hours=1)
"""How often a larger archive is listed as a whole: a gap in the middle of it shows then."""
_FEW_JOBS = 200
"""Up to this many Jobs of a namespace are all read. More take too long: 2,000 take most of a second of CPU."""
_LABEL = "app.kubernetes.io/name"
"""Jobs and pods of pgwizard have it. Its value proves nothing, as Argo CD and others rewrite labels."""
_AGAIN_SECONDS = 10.0
"""After how long a watch or a log that was refused is tried again."""


class Again:
    """Wakes ``observe`` early. Each source has an event of its own, so that no request is lost."""

    def __init__(self) -> None:
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.soon: Collection[str] = ()
        """Sources that are polled again soon, rather than at their pace."""
        self.urgent: set[str] = set()
        """Sources to read as a whole, even if a part is known."""

    def ask(self, *sources: str) -> None:
        """Poll these sources now."""
        self.urgent.update(sources)
        for source in sources:
            self._events[source].set()

    async def due(self, source: str, seconds: float) -> None:
        """Return when it is time to poll a source again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SOON_SECONDS if source in self.soon else seconds):
                await self._events[source].wait()
        self._events[source].clear()


async def observe(
    cluster: Cluster,
    release: ReleaseRef,
    *,
    now: Clock,
    again: Again | None = None,
    io_timeout_seconds: int = IO_TIMEOUT_SECONDS,
    is_one_of_many: bool = False,
) -> AsyncGenerator[Snapshot, None]:
    """Snapshots, one for each burst of observations, without end. Use ``contextlib.aclosing``, which ends all tasks.

    is_one_of_many: whether one watch of Jobs serves all releases, and what only the screen of one shows is left out.

    A release without a record is observed by its live objects. Raises PreflightError where there is no such release,
    and ClusterError where it cannot be read. A source that fails later is listed in ``failures``, and polled again.
    """
    there, _ = await records.find(cluster, release)
    record_or_live = there or await records.get_live(cluster, release)
    layout = Layout.of(release) if isinstance(record_or_live, Record) else record_or_live.layout
    summary = await probes.summary_of(cluster, record_or_live)
    snapshot = reduce(Snapshot(release, now(), commands=cluster.commands), ReleaseRead(now(), summary))
    again = again or Again()
    image = ImageVersion(cluster, release)
    queue: asyncio.Queue[Observation] = asyncio.Queue(maxsize=1_000)  # back pressure: a flood waits at the server
    questions: dict[str, Callable[[datetime], Awaitable[Reading]]] = {
        # The slowest first: all are asked at once, and the last answer is the one that is waited for.
        "backups": _BackupFilesReader(cluster, layout, io_timeout_seconds).read,
        "archive": _ArchiveReader(cluster, layout, io_timeout_seconds, again).read,
        "repository": lambda at: _read_repository(cluster, layout, io_timeout_seconds, at),
        "release": lambda at: _read_release(cluster, layout, at),
        "archiver": lambda at: _read_archiver(cluster, layout, (snapshot.release or summary).superuser, at),
        "volume": lambda at: _read_volume(cluster, layout, at),
        "certificate": lambda at: _read_certificate(cluster, layout, image, at),
    }
    narrowing = asyncio.create_task(_job_labels(cluster, layout, is_one_of_many=is_one_of_many))
    tasks: list[asyncio.Task[Any]] = [
        narrowing,
        *(
            asyncio.create_task(_watch(cluster, resource, layout, queue, now, narrowing=narrowing))
            for resource in WATCHED_KINDS
        ),
        asyncio.create_task(
            _logs(
                lambda job: backups.log(cluster, release, job),
                lambda: [Ref(JOB, run.real_name, release.namespace) for run in snapshot.runs_without_log],
                queue,
                again,
            )
        ),
        asyncio.create_task(_crash_logs(cluster, layout, lambda: snapshot.crash, queue, again)),
        asyncio.create_task(_watch_job_pods(cluster, release, queue, now, narrowing)),
        asyncio.create_task(_watch_refusals(cluster, release, queue, now)),
    ]
    asking: dict[str, asyncio.Task[None]] = {}
    last_request: set[str] = set()
    try:
        yield snapshot
        while True:
            for source, ask in questions.items():
                if source in snapshot.sources and source not in asking:  # an apply may have turned backups on
                    polling = _poll(source, ask, queue, now, again, is_read=source == "release")
                    asking[source] = asyncio.create_task(polling)
            for source in asking.keys() - set(snapshot.sources):
                asking[source].cancel()
                tasks.append(asking.pop(source))
            before = snapshot
            snapshot = reduce(snapshot, await queue.get())
            while not queue.empty():  # one snapshot for a burst of changes
                snapshot = reduce(snapshot, queue.get_nowait())
            again.soon = ("release",) if snapshot.is_changing else ()
            again.ask(*_worth_asking(before, snapshot))
            unread = {run.uid for run in snapshot.runs_without_log}
            if unread - last_request:
                again.ask("log")
            if snapshot.crash is not None and before.crash is None:
                again.ask("crash log")
            last_request = unread
            yield snapshot
    finally:
        tasks += asking.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _worth_asking(before: Snapshot, after: Snapshot) -> Collection[str]:
    """The sources to poll after a change: the record after any, since an apply may have caused it.

    The others once a backup has ended, or once the pod is ready.
    """
    ready = {ref for ref, health in after.objects.items() if ref.resource == POD and health.status == "ready"}
    if any(ref in before.objects and before.objects[ref].status != "ready" for ref in ready):
        return POLL_SOURCES
    running = {run.uid for run in before.runs if run.state == "running"}
    has_ended = any(run.uid in running and run.state != "running" for run in after.runs)
    if has_ended:
        return ("release", "repository", "archive", "backups", "archiver", "volume")
    if after.walk is not None and after.walk is not before.walk and after.walk.has_new_hole:
        return ("archive",)
    are_listed = not any(resource.plural in before.pending_sources for resource in WATCHED_KINDS)
    is_touched = (are_listed and _objects(before) != _objects(after)) or before.is_changing < after.is_changing
    return ("release",) if is_touched else ()


def _objects(snapshot: Snapshot) -> tuple[Any, ...]:
    """The watched objects that an apply changes."""
    runs = [(run.uid, run.state) for run in snapshot.runs]
    return (snapshot.objects, [replace(cron, last=None, succeeded=None) for cron in snapshot.crons], runs)


async def look(
    cluster: Cluster, release: ReleaseRef, *, now: Clock, timeout_seconds: float = 30, is_one_of_many: bool = False
) -> Snapshot:
    """One snapshot, once every source has answered or failed, or at the deadline. Raises as ``observe``.

    Where the archiver is ahead, the repository is read again, until that is known to be new WAL or dropped WAL.
    """
    snapshot, again = None, Again()
    io_timeout = min(max(int(timeout_seconds / (_BUSY * INFO_TIMEOUTS)), 1), 2 * IO_TIMEOUT_SECONDS)
    with contextlib.suppress(TimeoutError):
        observation = observe(
            cluster, release, now=now, again=again, io_timeout_seconds=io_timeout, is_one_of_many=is_one_of_many
        )
        async with asyncio.timeout(timeout_seconds), aclosing(observation) as snapshots:
            async for snapshot in snapshots:
                if snapshot.pending_sources:
                    continue
                if snapshot.walk and snapshot.walk.has_new_hole and "archive" not in snapshot.failures:
                    continue  # ``observe`` reads it again
                if snapshot.missing_wal or not snapshot.has_newer_wal or "repository" in snapshot.failures:
                    break
                again.ask("repository")
    if snapshot is None:
        raise DeadlineError(f"the record of release {release} was not read within {timeout_seconds:.0f} s")
    for source in snapshot.pending_sources:
        if source in snapshot.sources:  # the log of a failed Job is not a source
            late = Finding(text=f"no answer within {timeout_seconds:.0f} s")
            snapshot = reduce(snapshot, SourceFailed(now(), source, late))
    return snapshot


async def database_outage(
    cluster: Cluster, release: ReleaseRef, summary: ReleaseSummary, *, now: Clock
) -> Finding | None:
    """``verdict.outage`` of a release that is not observed: reads only its StatefulSet and its pod.

    None, too, where they may not be read.
    """
    snapshot = Snapshot(release, now(), summary, commands=cluster.commands)
    names = Names.of(release.name)
    for resource, name in ((STATEFULSET, names.release), (POD, names.pod)):
        ref = Ref(resource, name, release.namespace)
        try:
            live = await find_object(cluster, ref)
        except Forbidden:
            return None
        if live is not None:
            snapshot = reduce(snapshot, ObjectSeen(now(), ref, {**live, "kind": resource.kind}))
        snapshot = reduce(snapshot, ListRead(now(), resource))
    return outage(snapshot)


async def _job_labels(cluster: Cluster, layout: Layout, *, is_one_of_many: bool) -> str:
    """A selector that spares reading many Jobs of others; empty where all are to be read.

    All are read, too, where one of the release's own has lost its label: only the metadata is looked at for that.
    """
    if is_one_of_many or not layout.has_record:
        return ""
    namespace = layout.release.namespace
    with contextlib.suppress(Exception):  # the watch reports why Jobs cannot be read
        async with aclosing(cluster.pages(JOB, namespace, metadata_only=True, limit=1)) as pages:
            async for page in pages:
                if (page.remaining or 0) < _FEW_JOBS:
                    return ""
                break
        async with aclosing(cluster.pages(JOB, namespace, labels=f"!{_LABEL}", metadata_only=True)) as pages:
            async for page in pages:
                if any(_is_own(JOB, job, layout) for job in page.items):
                    return ""
        return _LABEL
    return ""


async def _watch(
    cluster: Cluster,
    resource: Resource,
    layout: Layout,
    queue: asyncio.Queue[Observation],
    now: Clock,
    *,
    narrowing: asyncio.Task[str],
) -> None:
    namespace = layout.release.namespace
    name = {STATEFULSET: layout.release.name, POD: layout.pod, CLAIM: layout.claim}.get(resource)
    fields = f"metadata.name={name}" if name else ""  # labels prove nothing: Argo CD and others rewrite them
    labels = await narrowing if resource == JOB else ""
    objects: set[Ref] = set()
    while True:
        there: set[Ref] = set()
        try:
            async with aclosing(cluster.watch(resource, namespace, labels=labels, fields=fields)) as events:
                async for event in events:
                    if event.type != "SYNCED" and not _is_own(resource, event.object, layout):
                        continue
                    if labels and event.type == "DELETED" and await _is_there(cluster, resource, event.object):
                        labels = ""  # it has lost its label: from now on all are read
                        break
                    observation = _observation(resource, event, namespace, now())
                    if isinstance(observation, ListRead):  # a new watch does not report earlier deletions
                        for ref in objects - there:
                            await queue.put(ObjectSeen(now(), ref))
                        objects = there
                    elif observation.object is None:
                        there.discard(observation.ref)
                    else:
                        there.add(observation.ref)
                    await queue.put(observation)
        except Exception as error:  # noqa: BLE001 - a source that is no longer polled would look unchanged
            await queue.put(SourceFailed(now(), resource.plural, failure(_why(error))))
        objects |= there
        await asyncio.sleep(_AGAIN_SECONDS)


async def _is_there(cluster: Cluster, resource: Resource, obj: Object) -> bool:
    metadata = obj["metadata"]
    return await find_object(cluster, Ref(resource, metadata["name"], metadata["namespace"])) is not None


async def _watch_job_pods(
    cluster: Cluster,
    release: ReleaseRef,
    queue: asyncio.Queue[Observation],
    now: Clock,
    narrowing: asyncio.Task[str],
) -> None:
    """Watch the pods of Jobs; the uid tells which Job is the release's."""
    labels = ",".join(filter(None, ("job-name", await narrowing)))
    while True:
        async with _optional_watch(cluster.watch(POD, release.namespace, labels=labels)) as events:
            async for event in events:
                if event.type not in ("SYNCED", "DELETED"):
                    await queue.put(JobPodSeen(now(), event.object))


async def _watch_refusals(cluster: Cluster, release: ReleaseRef, queue: asyncio.Queue[Observation], now: Clock) -> None:
    """Events about pods that Jobs cannot create."""
    fields = f"involvedObject.kind={JOB.kind},reason={REFUSAL_REASON}"
    while True:
        async with _optional_watch(cluster.watch(EVENT, release.namespace, fields=fields)) as events:
            async for event in events:
                about = event.object.get("involvedObject") or {}
                if event.type not in ("SYNCED", "DELETED") and (refusal := jobs.refusal(event.object)):
                    why = f"{refusal.text}: {jobs.event_text(event.object)}"
                    await queue.put(JobRefused(now(), str(about.get("uid")), why))


@contextlib.asynccontextmanager
async def _optional_watch(
    events: AsyncGenerator[WatchEvent, None],
) -> AsyncGenerator[AsyncGenerator[WatchEvent, None], None]:
    """A watch that only adds details to the Jobs: it may fail, and is tried again later."""
    with contextlib.suppress(Exception):
        async with aclosing(events):
            yield events
    await asyncio.sleep(_AGAIN_SECONDS)


def _is_own(resource: Resource, obj: Object, layout: Layout) -> bool:
    if resource == CRONJOB:
        return layout.is_schedule(obj) or layout.is_check(obj)
    return resource != JOB or layout.is_backup(obj) or layout.is_check(obj)


def _why(error: Exception) -> str:
    """Why there is no answer; for a bug in pgwizard only its type."""
    if isinstance(error, PgwizardError):
        return plain(error.message)
    return describe_defect(error)


def _observation(resource: Resource, event: WatchEvent, namespace: str, at: datetime) -> ObjectSeen | ListRead:
    if event.type == "SYNCED":
        return ListRead(at, resource)
    ref = Ref(resource, event.object["metadata"]["name"], namespace)
    return ObjectSeen(at, ref, None if event.type == "DELETED" else {**event.object, "kind": resource.kind})


async def _poll(
    source: str,
    ask: Callable[[datetime], Awaitable[Reading]],
    queue: asyncio.Queue[Observation],
    now: Clock,
    again: Again,
    *,
    is_read: bool,
) -> None:
    """Ask at the pace of the source. is_read: it was read just now, so it is asked only when that is due again."""
    if is_read:
        await again.due(source, PACE_SECONDS[source])
    while True:
        since = now()  # an answer is as old as its request
        try:
            with _reported_if_slow(source, since, queue, now):
                observation: Observation = await ask(since)
        except ValueError as error:  # the message of the program
            observation = SourceFailed(now(), source, failure(plain(str(error))))
        except Exception as error:  # noqa: BLE001 - a source that fails silently would look up to date
            observation = SourceFailed(now(), source, failure(_why(error)))
        await queue.put(observation)
        await again.due(source, PACE_SECONDS[source])


@contextlib.contextmanager
def _reported_if_slow(source: str, since: datetime, queue: asyncio.Queue[Observation], now: Clock) -> Iterator[None]:
    def report() -> None:
        with contextlib.suppress(asyncio.QueueFull):  # it only explains why nothing changes
            queue.put_nowait(SourceSlow(now(), source, since))

    timer = asyncio.get_running_loop().call_later(_SLOW_SECONDS, report)
    try:
        yield
    finally:
        timer.cancel()


async def _read_release(cluster: Cluster, layout: Layout, at: datetime) -> ReleaseRead:
    return ReleaseRead(at, await probes.summary(cluster, layout))


async def _read_repository(cluster: Cluster, layout: Layout, io_timeout_seconds: int, at: datetime) -> RepositoryRead:
    return RepositoryRead(at, await probes.repository(cluster, layout, io_timeout_seconds))


class _ArchiveReader:
    """Lists the archive: the whole if that is cheap or long ago, else what may have changed."""

    def __init__(self, cluster: Cluster, layout: Layout, io_timeout_seconds: int, again: Again) -> None:
        self._cluster = cluster
        self._layout = layout
        self._io_timeout_seconds = io_timeout_seconds
        self._again = again
        self._listing: Listing | None = None
        self._whole_at: datetime | None = None

    async def read(self, at: datetime) -> ArchiveRead:
        last = self._listing
        is_due = self._whole_at is None or at - self._whole_at >= _WHOLE_AGAIN or "archive" in self._again.urgent
        self._again.urgent.discard("archive")
        if last is None or is_due or last.count <= _CHEAP_SEGMENTS:
            last, self._whole_at = None, at
        self._listing = await probes.archive(self._cluster, self._layout, self._io_timeout_seconds, last)
        return ArchiveRead(at, self._listing)


class _BackupFilesReader:
    """Compares the files of the backups with their manifests: all of them once, then what changes."""

    def __init__(self, cluster: Cluster, layout: Layout, io_timeout_seconds: int) -> None:
        self._cluster = cluster
        self._layout = layout
        self._io_timeout_seconds = io_timeout_seconds
        self._files = BackupFiles()

    async def read(self, at: datetime) -> BackupFilesRead:
        self._files = await probes.compared_files(self._cluster, self._layout, self._io_timeout_seconds, self._files)
        return BackupFilesRead(at, self._files)


async def _read_archiver(cluster: Cluster, layout: Layout, superuser: str | None, at: datetime) -> ArchiverRead:
    return ArchiverRead(at, await probes.archiver(cluster, layout, superuser))


async def _read_volume(cluster: Cluster, layout: Layout, at: datetime) -> VolumeRead:
    return VolumeRead(at, await probes.volume(cluster, layout))


async def _read_certificate(cluster: Cluster, layout: Layout, image: ImageVersion, at: datetime) -> CertificateRead:
    return CertificateRead(at, await probes.certificate(cluster, layout, image, at))


async def _crash_logs(
    cluster: Cluster,
    layout: Layout,
    crash: Callable[[], Health | None],
    queue: asyncio.Queue[Observation],
    again: Again,
) -> None:
    """Read the end of the log while a server crashes: a later crash may have another cause."""
    while True:
        if (health := crash()) is not None:
            try:
                lines = await rollout.crash_log(cluster, layout.release, health, layout.container)
            except Exception as error:  # noqa: BLE001 - the log of a later crash is still to be read
                lines = [f"(not read: {_why(error)})"]
            await queue.put(CrashLogRead(lines))
        await again.due("crash log", _AGAIN_SECONDS)


async def _logs(
    read: Callable[[str], AsyncGenerator[str, None]],
    unread: Callable[[], Sequence[Ref]],
    queue: asyncio.Queue[Observation],
    again: Again,
) -> None:
    """Read the ends of the logs of failed Jobs, one after another. Only a Job without a pod is not tried again."""
    while True:
        for job in unread():
            try:
                async with aclosing(read(job.name)) as lines:
                    observation: Observation = LogRead(job, [line async for line in lines])
            except Exception as error:  # noqa: BLE001 - the logs of other Jobs are still to be read
                observation = LogFailed(job, _why(error), is_final=isinstance(error, PreflightError))
            await queue.put(observation)
        await again.due("log", _AGAIN_SECONDS)
