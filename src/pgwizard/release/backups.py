"""The Jobs of a release: start a backup, suspend a schedule, read or follow a Job's log."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from pgwizard.errors import AlreadyExists, Finding, PreflightError
from pgwizard.kube import jobs
from pgwizard.kube.api import CRONJOB, JOB, POD, Cluster, Object, Ref, find_object, list_objects, owners
from pgwizard.kube.commands import Commands
from pgwizard.kube.health import assess
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.release import rollout
from pgwizard.release.layout import BackupType, Layout, Work, backup_type
from pgwizard.text import fit, fit_line

TAIL_LINES = 200
"""Lines of a log that are read to find a cause."""
FIND_DAMAGE = "pg_amcheck names the damaged tables and indexes."
RESUME = "Resume it: pgwizard status, key s."
_PAGE_ERROR = re.compile(r" WARN: (invalid page checksums? found|page misalignment) in file ")
"""pgBackRest stores a damaged page with this warning, and ends with 0."""
_LAST_LINE = re.compile(
    r" INFO: expire command end: completed successfully|valid full backup\(s\) found: no new one is taken$"
)
"""After it a backup Job's script only ends, with 0. Another level of pgBackRest's log hides it."""
_NAMES_TRIED = 10
_JOB_NAME = re.compile(r"[-.a-z0-9]+")
_DEADLINE_SECONDS = 86_400
"""Of a Job that has none of its own."""


def damage_cause(backup_count: int = 1) -> str:
    """Why backups have page checksum errors."""
    return f"files of the database were damaged when {'it was' if backup_count == 1 else 'they were'} taken"


def full_backup_command(release: ReleaseRef, commands: Commands) -> str:
    """The command line that takes a full backup; the screen of the status has the key b for it."""
    return commands.pgwizard("backup", release.name, "--type", "full", namespace=release.namespace)


async def backup_now(cluster: Cluster, layout: Layout, kind: BackupType, at: datetime, *, expires: bool = True) -> str:
    """Start a Job from the CronJob, as ``kubectl create job --from`` does. Returns the Job's name.

    expires: whether older backups and their WAL expire after it, as after every other one. The name ends with the
    second of ``at``, or with a later one where other Jobs have that name. Raises ClusterError with the server's reason.
    """
    release = layout.release
    cron = await _schedule(cluster, layout, kind)
    template, about = cron["spec"]["jobTemplate"], cron["metadata"]
    if not expires:
        template = _without_expiry(template)
    owner = {
        "apiVersion": CRONJOB.api_version,
        "kind": CRONJOB.kind,
        "name": about["name"],
        "uid": about["uid"],
        "controller": True,
    }
    marks = template.get("metadata") or {}
    metadata = {
        "name": "",
        "namespace": release.namespace,
        "labels": marks.get("labels") or {},
        "annotations": {**(marks.get("annotations") or {}), "cronjob.kubernetes.io/instantiate": "manual"},
        "ownerReferences": [owner],
    }
    job = {"apiVersion": JOB.api_version, "kind": JOB.kind, "metadata": metadata, "spec": template["spec"]}
    first = int(at.timestamp())
    for second in range(first, first + _NAMES_TRIED):
        metadata["name"] = f"{about['name'][:47]}-{second:x}"
        try:
            await cluster.create(job)
            break
        except AlreadyExists:
            if second == first + _NAMES_TRIED - 1:
                raise
    return str(metadata["name"])


async def _schedule(cluster: Cluster, layout: Layout, kind: BackupType) -> Object:
    """The CronJob that takes backups of a type: by its name, or else the first that runs one."""
    release = layout.release
    names = Names.of(release.name)
    usual = Ref(CRONJOB, names.full if kind == "full" else names.incremental, release.namespace)
    if layout.has_record:
        return await cluster.get(usual)
    if (cronjob := await find_object(cluster, usual)) is not None:
        return cronjob
    schedules = filter(layout.is_schedule, await list_objects(cluster, CRONJOB, release.namespace))
    for cron in sorted(schedules, key=lambda each: str(each["metadata"]["name"])):
        if backup_type(cron, release.name) == kind:
            return cron
    word = "full" if kind == "full" else "incremental"
    raise PreflightError(
        f"release {release} has no CronJob that takes {word} backups",
        hint=f"A backup is a Job of it: none runs pgbackrest backup in {layout.pod}.",
    )


def _without_expiry(template: Object) -> Object:
    """The template of a backup Job with a variable for pgBackRest in the command that it runs in the pod."""
    clone = copy.deepcopy(template)
    for container in clone["spec"]["template"]["spec"]["containers"]:
        words = container.get("args") or []
        if "--" in words:
            place = words.index("--") + 1
            words[place:place] = ["env", "PGBACKREST_EXPIRE_AUTO=n"]
    return clone


async def wait(
    cluster: Cluster,
    job: Object,
    report: jobs.ReportLine,
    log: jobs.ReportLine,
    *,
    at: datetime,
    awaits_exit: bool = True,
) -> tuple[Finding, ...]:
    """Wait for a backup Job, and follow its log. at: the time, in UTC. Returns why its backup cannot be relied on.

    awaits_exit: whether its container must have ended; otherwise pgBackRest's last line is enough.

    Raises JobFailed with cause and fix, and DeadlineError.
    """
    page_errors = 0

    def read(line: str) -> None:
        nonlocal page_errors
        page_errors += bool(_PAGE_ERROR.search(line))
        log(line)

    deadline = job["spec"].get("activeDeadlineSeconds", _DEADLINE_SECONDS) + 60
    last = None if awaits_exit else _is_last_line
    await jobs.wait_job(cluster, Ref.of(job), deadline, report, read, explain=rollout.explain, at=at, is_last_line=last)
    if not page_errors:
        return ()
    return (damage_finding(),)


async def has_succeeded(cluster: Cluster, job: Object) -> bool:
    """Whether the backup of a Job is in the repository, however late its status is. Raises ClusterError."""
    return await jobs.has_succeeded(cluster, job, _is_last_line)


def _is_last_line(line: str) -> bool:
    return _LAST_LINE.search(line) is not None


def damage_finding() -> Finding:
    """The finding that the first full backup cannot be relied on."""
    text, fix = "the backup has page checksum errors", f"{FIND_DAMAGE} Then take a full backup."
    return Finding(text=text, severity="warning", key="status-damaged", cause=damage_cause(), fix=fix)


async def has_newer_full(cluster: Cluster, release: ReleaseRef) -> bool:
    """Whether a full backup has succeeded since the hook Job ended, and none is running. Raises ClusterError."""
    names = Names.of(release.name)
    backup_jobs = await newest_first(cluster, Layout.of(release))
    fulls = [job for job in backup_jobs if names.full in owners(job, CRONJOB.kind)]
    if any(assess(job).status == "progressing" for job in fulls):
        return False
    hook_end = next((_end(job) for job in backup_jobs if job["metadata"]["name"] == names.init), "")
    return hook_end != "" and any(assess(job).status == "ready" and _end(job) > hook_end for job in fulls)


def _end(job: Object) -> str:
    """When a Job succeeded: UTC to the second, always written alike, so that texts compare as times do."""
    return str((job.get("status") or {}).get("completionTime") or "")


async def job_marks(cluster: Cluster, release: ReleaseRef) -> Object:
    """The labels and annotations of the pods of backup Jobs, which policies of the cluster may ask for."""
    cron = await find_object(cluster, Ref(CRONJOB, Names.of(release.name).full, release.namespace))
    template = cron["spec"]["jobTemplate"]["spec"]["template"] if cron is not None else {}
    marks: Object = template.get("metadata") or {}
    return marks


async def set_suspend(cluster: Cluster, cron: str, namespace: str, *, suspend: bool) -> None:
    """Suspend a CronJob, or resume it; an apply leaves it so. Raises ClusterError."""
    await cluster.patch(Ref(CRONJOB, cron, namespace), {"spec": {"suspend": suspend}})


def suspension(cron: Object) -> Finding | None:
    """The warning of an apply about a CronJob; None where it is not suspended."""
    if not (cron.get("spec") or {}).get("suspend"):
        return None
    text = f"the schedule {fit(cron['metadata']['name'])} is suspended, and this apply does not resume it"
    return Finding(text=text, severity="warning", key="status-suspended", fix=RESUME)


async def newest_first(cluster: Cluster, layout: Layout, work: Work | None = "backup") -> list[Object]:
    """The Jobs of a release that do this work, or any: that of the first backup among them. Raises ClusterError."""
    jobs_there = await list_objects(cluster, JOB, layout.release.namespace)
    own = (job for job in jobs_there if (does := layout.work(job)) is not None and work in (None, does))
    whole = [{**job, "apiVersion": JOB.api_version, "kind": JOB.kind} for job in own]
    return sorted(whole, key=lambda job: str(job["metadata"].get("creationTimestamp", "")), reverse=True)


async def log(
    cluster: Cluster, release: ReleaseRef, job: str, *, follow: bool = False, tail: int | None = TAIL_LINES
) -> AsyncGenerator[str, None]:
    """Lines of the newest pod of a Job of this release, fit for a terminal; with follow also those to come.

    tail: how many of the last lines there are; None for all of them.

    Raises PreflightError where no pod is left, and ClusterError with the kubelet's reason where it has not started.
    """
    pods: list[Object] = []
    if _JOB_NAME.fullmatch(job):
        of_name = await list_objects(cluster, POD, release.namespace, labels=f"job-name={job}")
        pods = [pod for pod in of_name if job in owners(pod, JOB.kind)]
    if not pods:
        raise PreflightError(f"Job {release.namespace}/{fit(job)} has no pod, so there is no log of it")
    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    container = jobs.own_container(newest)
    lines = cluster.logs(release.namespace, newest["metadata"]["name"], container, follow=follow, tail=tail)
    async with aclosing(lines):
        async for line in lines:
            yield fit_line(line)
