"""``backup`` starts a backup now, ``logs`` prints the log of a Job: of a backup, a verification, a drill."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pgwizard.cli import connect
from pgwizard.cli.json_lines import JsonLine, NoteLine, WarningLine, explain_command
from pgwizard.cli.options import Invocation
from pgwizard.cli.run_lines import require_proof
from pgwizard.cli.table import BACKUP_TYPE, FOLLOW, JOB_KIND, JOB_NAME, TAIL
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import Interrupted, JobFailed, PreflightError
from pgwizard.kube.api import JOB, Cluster, Object, Ref
from pgwizard.kube.health import assess
from pgwizard.kube.jobs import has_succeeded
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, records
from pgwizard.release.layout import BackupType, Work
from pgwizard.release.record import absence
from pgwizard.status import probes
from pgwizard.status.observe import database_outage
from pgwizard.status.snapshot import Missing
from pgwizard.text import fit

_MOST_NAMES = 5
"""How many Jobs a message names."""
_WORK: dict[Work, str] = {"backup": "backup", "verify": "verification", "drill": "drill"}


@dataclass(frozen=True, slots=True)
class JobLine(JsonLine):
    """The Job of a backup that was started."""

    type_name = "job"
    namespace: str
    name: str
    backup: BackupType


@dataclass(frozen=True, slots=True)
class LogLine(JsonLine):
    """One line of a Job's log."""

    type_name = "log"
    job: str
    text: str


@dataclass(frozen=True, slots=True)
class FaultLine(JsonLine):
    """What the log of a failed Job means, on standard error. key: explained by ``pgwizard explain``."""

    type_name = "fault"
    key: str
    cause: str
    fix: str


def backup(call: Invocation, writer: Writer) -> None:
    """Start a Job. With ``--follow`` raises JobFailed where it fails."""
    kind = cast("BackupType", call[BACKUP_TYPE])
    hint = ""

    async def work(cluster: Cluster, now: Clock) -> None:
        nonlocal hint
        release = await connect.choose_release(call, cluster)
        layout = await records.find_layout(cluster, release)
        summary = await probes.summary(cluster, layout)
        if isinstance(summary, Missing):
            raise PreflightError(absence(release))
        if not summary.backups:
            raise PreflightError(
                f"release {release} takes no backups", hint="Set repository.enabled to true and apply."
            )
        if summary.is_restore_unfinished:
            raise records.unfinished_restore(release, cluster.commands)
        if (down := await database_outage(cluster, release, summary, now=now)) is not None:
            writer.note(f"warning: the backup would fail: {down.whole}", WarningLine.of(down))
        command = cluster.commands.pgwizard("logs", release.name, "-f", namespace=release.namespace)
        hint = f"A started backup continues in the cluster: {command}"
        job = fit(await backups.backup_now(cluster, layout, kind, now()))
        follow = "" if call[FOLLOW] else f"\nFollow it with: {command}"
        writer.line(f"started Job {release.namespace}/{job}{follow}", JobLine(release.namespace, job, kind))
        if call[FOLLOW]:
            await _follow(cluster, await cluster.get(Ref(JOB, job, release.namespace)), release, writer, now())

    connect.run(call, writer, work, has_release=True, interruption=lambda: Interrupted("stopped", hint=hint))


def logs(call: Invocation, writer: Writer) -> None:
    """Print the log of a Job. With ``--follow`` raises JobFailed where it fails."""

    async def work(cluster: Cluster, now: Clock) -> None:
        release = await connect.choose_release(call, cluster)
        job_name, kind = call[JOB_NAME], cast("Work", call[JOB_KIND])
        layout = await records.find_layout(cluster, release)
        jobs = await backups.newest_first(cluster, layout, None if job_name else kind)
        job = _job_named(jobs, release, job_name, "Job" if job_name else f"{_WORK[kind]} Job")
        if call[FOLLOW] and assess(job).status == "progressing" and not await has_succeeded(cluster, job):
            await _follow(cluster, job, release, writer, now())
            return
        name, health = fit(job["metadata"]["name"]), assess(job)
        has_failed = health.status == "failed"
        lines = backups.log(cluster, release, job["metadata"]["name"], tail=None if has_failed else call[TAIL])
        async with aclosing(lines):
            log = [line async for line in lines]
        for line in log[-call[TAIL] :]:
            writer.line(line, LogLine(name, line))
        if not has_failed:
            return
        fault = diagnose("\n".join([*log, health.message]))  # from the whole log, even if only its tail is shown
        if call[FOLLOW]:
            raise JobFailed(f"{Ref(JOB, name, release.namespace)} failed: {health.message}", fault=fault)
        if fault:
            more = f"More: {explain_command(fault.key)}"
            writer.note(f"Cause: {fault.cause}\nFix: {fault.fix}\n{more}", FaultLine(fault.key, fault.cause, fault.fix))

    connect.run(call, writer, work, has_release=True)


def _job_named(jobs: list[Object], release: ReleaseRef, name: str | None, kind: str) -> Object:
    """The Job with that name, or else the newest. kind: what it is called. Raises PreflightError."""
    if not jobs:
        raise PreflightError(f"release {fit(str(release))} has no {kind}")
    for job in jobs:
        if name in (None, job["metadata"]["name"]):
            return job
    names = ", ".join(fit(job["metadata"]["name"]) for job in jobs[:_MOST_NAMES])
    raise PreflightError(
        f"release {fit(str(release))} has no {kind} {fit(name or '')}", hint=f"The newest are: {names}."
    )


async def _follow(cluster: Cluster, job: Object, release: ReleaseRef, writer: Writer, at: datetime) -> None:
    """Print the log of a Job that runs, to its end. Raises NotProven where its backup cannot be relied on."""
    name = fit(job["metadata"]["name"])
    with connect.until_unread():
        findings = await backups.wait(
            cluster,
            job,
            lambda text: writer.note(f"· {text}", NoteLine(text)),
            lambda line: writer.line(line, LogLine(name, line)),
            at=at,
        )
    require_proof(release, findings)
