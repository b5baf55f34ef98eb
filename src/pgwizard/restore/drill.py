"""Proves that a release can be restored: its newest state into a throw-away volume, beside the running database.

The database is only read, for the timeline that it is on. Whatever ends a drill, its Job and volume are deleted.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from datetime import datetime

from pgwizard.clock import Clock
from pgwizard.errors import (
    AlreadyExists,
    ClusterError,
    DeadlineError,
    JobFailed,
    NotProven,
    PreflightError,
)
from pgwizard.kube import jobs
from pgwizard.kube.api import (
    JOB,
    POD,
    Access,
    Cluster,
    Object,
    Ref,
    list_objects,
    owners,
)
from pgwizard.kube.health import assess
from pgwizard.kube.jobs import ReportLine
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, drills, record, records, rights, rollout, stages
from pgwizard.release.layout import Layout
from pgwizard.release.record import DrillCheck, DrillResult, Record
from pgwizard.release.stages import Report, Stage
from pgwizard.restore import drill_job, scratch
from pgwizard.restore.drill_job import DrillPlan, DrillQuery
from pgwizard.restore.job import selector
from pgwizard.restore.target import RecoveryTarget, RepositoryView, TargetRefusal, choose
from pgwizard.restore.view import read_view
from pgwizard.status.snapshot import ReleaseSummary, moment
from pgwizard.status.wal import continuity
from pgwizard.text import fit, plain, span

CONTINUITY = "continuity"
"""The check that is made before the Job: whether the repository holds a backup and all WAL behind it."""
LONGEST_SECONDS = 6 * 3_600.0
"""How long a drill may take unless something else is asked for."""
_LATE_SECONDS = 60.0
"""How much later than the Job's own deadline its end is noticed at the latest."""
_FRESH_SECONDS = 60.0
_PROGRESS = ("drill: ", "replayed to ")
_CHECK = re.compile(r"[a-z]+ (passed|failed)\b")
"""In a line of the script: the end of a check that was made."""
_AGAIN = "Its Job is deleted. Run the drill again once the cause is fixed."


async def run(
    cluster: Cluster,
    release: ReleaseRef,
    report: Report,
    *,
    now: Clock,
    seconds: float = LONGEST_SECONDS,
    query: DrillQuery | None = None,
    report_left: ReportLine = lambda _: None,
) -> DrillResult:
    """Restore and check the newest state, and keep the result in the record. seconds: how long the Job may take.

    report_left: called with what is left in the cluster whenever that changes, for whoever stops the drill.

    A drill that this one finds running is followed. Raises PreflightError before anything is made, NotProven where the
    Job ended without a result, DeadlineError and ClusterError.
    """
    own_record, _ = await records.get(cluster, release)
    await rights.require(cluster, _accesses(release))
    if not ReleaseSummary.of(own_record).backups:
        raise PreflightError(f"release {release} takes no backups", hint="There is nothing to restore from.")
    if own_record.unfinished_restore is not None or own_record.awaits_restore:
        raise records.unfinished_restore(release, cluster.commands)
    result = await _Drill(cluster, release, report, now, seconds, query, report_left).result(own_record)
    own_record, _ = await records.get(cluster, release)
    await cluster.patch(record.secret_ref(release), record.drills_patch(own_record, result))
    return result


async def volume_size(cluster: Cluster, release: ReleaseRef) -> str:
    """The size of the volume that a drill takes until it ends, as a quantity. Raises ClusterError."""
    return plain((await scratch.read_template(cluster, release)).size)


def _accesses(release: ReleaseRef) -> list[Access]:
    kinds = (
        ("secrets", "", ("get", "patch")),
        ("statefulsets", "apps", ("get",)),
        ("persistentvolumeclaims", "", ("get",)),
        ("pods", "", ("get", "list", "watch")),
        ("pods/log", "", ("get",)),
        ("pods/exec", "", ("get", "create")),
        ("jobs", "batch", ("get", "list", "watch", "create", "delete")),
        ("events", "", ("list", "watch")),
    )
    return rights.in_namespace(release.namespace, kinds)


def plan_of(view: RepositoryView, now: datetime) -> tuple[DrillPlan | None, DrillCheck]:
    """What to restore, and what the continuity of the repository says of it; None where nothing can be restored.

    With a hole behind the newest backup the rest is still restored: it shows what such a restore would bring back.
    """
    plan = choose(view, RecoveryTarget("latest"), now)
    if not isinstance(plan, TargetRefusal):
        check = DrillCheck(CONTINUITY, "passed", 0, f"backup {plan.backup} and all WAL behind it are there")
        return DrillPlan(plan.options, plan.must_reach), check
    check = DrillCheck(CONTINUITY, "failed", 0, plan.text)
    reaches = [each for each in continuity(view.archive, view.whole_backups, view.timeline).reaches if each.is_usable]
    newest = view.archive.newest(view.timeline)
    if not reaches or newest is None:
        return None, check
    options = (f"--set={reaches[-1].backup.label}", f"--target-timeline={view.timeline}", "--type=default")
    return DrillPlan(options, newest.last * view.archive.segment_bytes), check


@dataclass
class _Drill:
    cluster: Cluster
    release: ReleaseRef
    report: Report
    now: Clock
    seconds: float
    query: DrillQuery | None
    report_left: ReportLine

    async def result(self, own_record: Record) -> DrillResult:
        began = self.now()
        async with stages.enter(CONTINUITY, self.report) as stage:
            running = await self._tidy(stage)
            await self._wait_for_backups(stage)
            view = await read_view(self.cluster, own_record)
            plan, check = plan_of(view, self.now())
            check = replace(check, seconds=round((self.now() - began).total_seconds(), 1))
            stage.complete(check.text)
        if plan is None:
            ended_at = self.now()
            seconds = (ended_at - began).total_seconds()
            return DrillResult(ended_at.isoformat(), round(seconds, 1), "", 0, "0/0", "", 0, 0, (check,))
        async with stages.enter("drill", self.report) as stage:
            result = await self._restore(plan, running, stage, began)
            failed_check = result.failed_check
            stage.complete(f"ended, and {failed_check.name} failed" if failed_check else "restored and checked")
        return replace(result, checks=(check, *result.checks))

    async def _tidy(self, stage: Stage) -> Ref | None:
        """Delete the Jobs that earlier drills have left. Returns one that still runs."""
        running = None
        for item in await self._jobs():
            job = {**item, "kind": JOB.kind}
            ref = Ref(JOB, job["metadata"]["name"], self.release.namespace)
            has_ended = assess(job).status == "failed" or await jobs.has_succeeded(self.cluster, job)
            if has_ended and await self._is_fresh(ref):
                continue
            if has_ended or job["metadata"].get("deletionTimestamp"):
                await scratch.delete(self.cluster, ref)
            elif self.query is not None:
                raise PreflightError(
                    f"{ref} is running a drill of release {self.release}, without this query",
                    hint="Wait for its end, or delete it.",
                )
            else:
                stage.progress(f"Job {fit(ref.name)} is running a drill: it is followed")
                running = ref
        return running

    async def _is_fresh(self, ref: Ref) -> bool:
        """Whether it has just ended: whoever started it may still read its result, and deletes it then."""
        ends = [moment(jobs.end_time(pod)) for pod in await self._pods(ref)]
        return any(at is not None and (self.now() - at).total_seconds() < _FRESH_SECONDS for at in ends)

    async def _pods(self, ref: Ref) -> list[Object]:
        of_name = await list_objects(self.cluster, POD, ref.namespace, labels=f"job-name={ref.name}")
        return [pod for pod in of_name if ref.name in owners(pod, JOB.kind)]

    async def _wait_for_backups(self, stage: Stage) -> None:
        """What expires after a backup may be what is being restored."""
        for job in await backups.newest_first(self.cluster, Layout.of(self.release)):
            if assess(job).status == "progressing":
                stage.progress(f"backup Job {fit(job['metadata']['name'])} runs: waiting for its end")
                with contextlib.suppress(JobFailed):
                    await backups.wait(self.cluster, job, stage.progress, stage.log, at=self.now())

    async def _jobs(self) -> list[Object]:
        labels = selector(self.release, drill_job.COMPONENT)
        return await list_objects(self.cluster, JOB, self.release.namespace, labels=labels)

    async def _restore(self, plan: DrillPlan, running: Ref | None, stage: Stage, began: datetime) -> DrillResult:
        ref = running or Ref(JOB, drill_job.job_name(self.release, self.now()), self.release.namespace)
        is_ours = running is None
        try:
            if running is not None:
                self.report_left(f"Job {fit(ref.name)} of another drill was not touched")
            else:
                template = await scratch.read_template(self.cluster, self.release)
                self.report_left(f"the drill's Job {ref.name} may still run")
                await self.cluster.create(
                    drill_job.manifest(
                        template, self.release, ref.name, plan, query=self.query, deadline_seconds=self.seconds
                    )
                )
            return await self._end(ref, stage, began)
        except AlreadyExists:
            is_ours = False
            raise
        finally:
            if is_ours:
                with contextlib.suppress(ClusterError, DeadlineError):  # then it is deleted some time after its end
                    await scratch.delete(self.cluster, ref)
                    self.report_left("the drill's Job was deleted")

    async def _end(self, ref: Ref, stage: Stage, began: datetime) -> DrillResult:
        def read(line: str) -> None:
            if line.startswith(_PROGRESS):
                text = line.removeprefix(_PROGRESS[0])
                stage.progress(text, is_result=_CHECK.match(text) is not None)
            else:
                stage.log(line)

        wait = jobs.wait_job(
            self.cluster,
            ref,
            self.seconds + _LATE_SECONDS,
            stage.progress,
            read,
            explain=rollout.explain,
            at=self.now(),
        )
        try:
            await wait
        except JobFailed as error:  # a check failed, or the Job did: then there is no receipt
            with contextlib.suppress(ValueError):
                return await self._receipt(ref, began)
            if error.is_overdue:
                text = f"the drill of release {self.release} had not ended after {span(self.seconds)}"
                raise DeadlineError(text, hint="Give it longer with --timeout.", log=error.log) from error
            text = f"the drill of release {self.release} has no result: {error.message}"
            raise NotProven(text, fault=error.fault, hint=_AGAIN, log=error.log) from error
        try:
            return await self._receipt(ref, began)
        except ValueError as error:
            text = f"the drill of release {self.release} has no result: {error}"
            raise NotProven(text, hint=_AGAIN) from error

    async def _receipt(self, ref: Ref, began: datetime) -> DrillResult:
        """Raises ValueError where the Job has left none that can be read."""
        ended_at = self.now()
        pods = await self._pods(ref)
        if not pods:
            raise ValueError("it has no pod")
        return drills.receipt_of(pods[-1], ended_at, (ended_at - began).total_seconds())
