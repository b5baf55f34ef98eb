"""Restores a release in place, stage by stage. Each stage is safe to repeat, and the record says which is next.

The server is started only on a data directory whose recovery reached its target. Until then the release stays down,
and an apply refuses to start it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pgwizard.clock import Clock
from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import (
    AlreadyExists,
    JobFailed,
    NotFound,
    PgwizardError,
    PreflightError,
    RestoreFailed,
)
from pgwizard.kube import jobs, lease
from pgwizard.kube.api import (
    CLAIM,
    CRONJOB,
    JOB,
    POD,
    STATEFULSET,
    Access,
    Cluster,
    Object,
    Ref,
    find_object,
    list_objects,
)
from pgwizard.kube.commands import Commands
from pgwizard.kube.health import assess
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.release import backups, deletion, record, records, rights, rollout, stages
from pgwizard.release.layout import Layout
from pgwizard.release.stages import Event, Report, Stage
from pgwizard.restore import capacity, libraries, write_check
from pgwizard.restore import job as restore_job
from pgwizard.restore.job import Receipt
from pgwizard.restore.journal import Journal, RestoreStage, read_journal
from pgwizard.restore.locate import locate
from pgwizard.restore.report import plan_rows, receipt_text, unfinished_text
from pgwizard.restore.server import DatabaseServer
from pgwizard.restore.target import RecoveryTarget, RepositoryView, RestorePlan, TargetRefusal, choose, lsn_text
from pgwizard.restore.view import read_view
from pgwizard.status.snapshot import ReleaseSummary
from pgwizard.text import fit

FIRST_STAGE = "restore point"
"""Until it has ended, nothing is touched, and there is nothing to resume."""
STOP_SECONDS = 600.0
READY_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a restore would do, before anything is written. journal: of a restore that has not ended, if any.

    awaits_restore: whether the release is new, and was made to be restored. origin: the repository of another release
    that it is restored from, if any. lacks: permissions that are missing, none of which a plan needs.
    """

    release: ReleaseRef
    journal: Journal | None
    view: RepositoryView | None
    awaits_restore: bool = False
    origin: record.Origin | None = None
    lacks: tuple[Access, ...] = ()

    def shown_plan(self, journal: Journal) -> RestorePlan | None:
        """What to confirm; None where nothing is restored. The server of a new release has nothing to lose."""
        if journal.is_untouched_undo:
            return None
        return journal.plan if self.origin is None else replace(journal.plan, silence="")

    def rows(self, plan: RestorePlan) -> Mapping[str, str]:
        """What a restore would use, and what is lost, for people."""
        is_clone = self.origin is not None
        shown_plan = replace(plan, silence="") if is_clone else plan
        return plan_rows(shown_plan, is_new=self.awaits_restore, is_clone=is_clone)


async def prepare(cluster: Cluster, release: ReleaseRef) -> Preparation:
    """Read the release, which needs no permission to write. Raises PreflightError where it cannot be restored."""
    own_record, _ = await records.get(cluster, release)
    lacks = await lacking_writes(cluster, _accesses(release))
    unfinished_restore = own_record.unfinished_restore
    if unfinished_restore is not None:
        return Preparation(
            release,
            _journal(release, unfinished_restore),
            None,
            origin=own_record.origin if own_record.reads_origin else None,
            lacks=lacks,
        )
    summary = ReleaseSummary.of(own_record)
    if not summary.backups:
        raise PreflightError(f"release {release} takes no backups", hint="There is nothing to restore from.")
    if await find_object(cluster, _claim(release)) is None:
        creation = Access("create", "persistentvolumeclaims", "", release.namespace)
        lacks += await lacking_writes(cluster, [creation])
    return Preparation(
        release,
        None,
        await read_view(cluster, own_record),
        own_record.awaits_restore,
        own_record.origin if own_record.reads_origin else None,
        lacks,
    )


async def lacking_writes(cluster: Cluster, needs: Sequence[Access]) -> tuple[Access, ...]:
    """The permissions to write that are missing. Raises PreflightError where one to read is."""
    missing = await rights.lacking(cluster, needs)
    if any(map(rights.reads, missing)):
        rights.refuse(cluster, missing)
    return tuple(missing)


async def plan_to(
    cluster: Cluster, preparation: Preparation, target: RecoveryTarget | TargetRefusal, now: Clock
) -> RestorePlan | TargetRefusal:
    """The restore that reaches a target, or why none does."""
    if isinstance(target, TargetRefusal):
        return target
    if preparation.view is None:
        raise PreflightError(f"a restore of release {preparation.release} has not ended")
    place = await locate(cluster, preparation.release, preparation.view, target)
    return place if isinstance(place, TargetRefusal) else choose(preparation.view, place, now())


async def plan_undo(cluster: Cluster, preparation: Preparation, now: Clock) -> Journal | TargetRefusal:
    """The way back to what the newest restore left. Raises PreflightError where there is nothing to undo."""
    live_record, _ = await records.get(cluster, preparation.release)
    restorations = [each for each in live_record.restorations if each.has_receipt]
    if not restorations or preparation.view is None:
        raise PreflightError(f"release {preparation.release} was not restored: there is nothing to undo")
    last = _journal(preparation.release, restorations[-1])
    if last.is_clone:
        raise PreflightError(
            f"release {preparation.release} is a clone, and was not restored since: there is nothing to undo",
            hint="Any earlier moment since it was made can be restored: --to TIME.",
        )
    if last.is_finished:
        raise PreflightError(
            f"the last restore of release {preparation.release} was finished: there is nothing to undo",
            hint="An earlier moment can be restored, as long as retention keeps it: --to TIME.",
        )
    plan = choose(preparation.view, RecoveryTarget("latest", timeline=last.plan.left), now())
    if isinstance(plan, TargetRefusal):
        return plan
    if last.undo is not None:
        plan = replace(plan, must_reach=max(plan.must_reach, last.undo.must_reach))
    return replace(new_journal(plan, now), is_undo=True)


def _journal(release: ReleaseRef, restoration: record.Restoration) -> Journal:
    try:
        return read_journal(restoration)
    except ValueError as error:
        raise PreflightError(f"release {release}: {error}", hint="Use the version that began it.") from error


def _claim(release: ReleaseRef) -> Ref:
    return Ref(CLAIM, Names.of(release.name).claim, release.namespace)


def _accesses(release: ReleaseRef) -> list[Access]:
    kinds = (
        ("secrets", "", ("get", "patch")),
        ("statefulsets", "apps", ("get", "list", "watch", "patch")),
        ("pods", "", ("get", "list", "watch")),
        ("pods/log", "", ("get",)),
        ("pods/exec", "", ("get", "create")),
        ("jobs", "batch", ("get", "list", "watch", "create", "delete")),
        ("cronjobs", "batch", ("get", "patch")),
        ("persistentvolumeclaims", "", ("get", "list", "watch")),
        ("events", "", ("list", "watch")),
        ("leases", "coordination.k8s.io", ("get", "create", "update")),
    )
    return rights.in_namespace(release.namespace, kinds)


def resume(journal: Journal, *, is_undo: bool) -> Journal:
    """A restore that has not ended, to be continued; or undone, as long as the server has not been started.

    An undo that was stopped is continued by an undo as well. Raises PreflightError where it can no longer be undone.
    """
    if journal.is_undo or not is_undo:
        return journal
    if journal.undo is None or not journal.is_before("start"):
        raise _unfinished_error(journal)
    again = replace(journal, plan=journal.undo, id=f"{journal.id.removesuffix('u')}u", is_undo=True)
    if not journal.is_touched and not journal.plan.silence:
        return again.at_stage("start")
    return again.at_stage(_again(journal))


def _unfinished_error(journal: Journal) -> PreflightError:
    return PreflightError(
        f"a restore to {journal.plan.target} has not ended, and its server has been started",
        hint="Where another pgwizard runs it, wait for its end; else run restore without --to and --undo: it resumes.",
    )


def _again(journal: Journal) -> RestoreStage:
    """The stage at which a restore continues with another target."""
    return "suspend" if journal.is_before("stop") else "stop"


async def open_view(cluster: Cluster, preparation: Preparation) -> tuple[RepositoryView, Journal]:
    """What a restore that has not ended can be aimed at, and its journal, as long as the server has not been started.

    Raises PreflightError once it has been.
    """
    journal = preparation.journal
    if journal is None or not journal.is_before("start"):
        raise _unfinished_error(journal) if journal else PreflightError(f"no restore of {preparation.release} is open")
    own_record, _ = await records.get(cluster, preparation.release)
    # a try that failed may have left a timeline above the one that the server was on
    return replace(await read_view(cluster, own_record), timeline=journal.plan.left), journal


async def redirect(
    cluster: Cluster, preparation: Preparation, target: RecoveryTarget | TargetRefusal, now: Clock
) -> Journal | TargetRefusal:
    """A restore that has not ended, to another target, as long as the server has not been started.

    To the target that it has it is resumed, unless another backup leads there. Raises PreflightError once the
    server has been started, and for another target.
    """
    if isinstance(target, TargetRefusal):
        return target
    is_same = preparation.journal is not None and fit(str(target)) == preparation.journal.plan.target
    if preparation.journal is not None and is_same and not preparation.journal.is_before("start"):
        return preparation.journal
    view, journal = await open_view(cluster, preparation)
    plan = await plan_to(cluster, replace(preparation, view=view), target, now)
    if is_same and (isinstance(plan, TargetRefusal) or plan.options == journal.plan.options):
        return journal  # a server that is down does not reach until now any more
    if isinstance(plan, TargetRefusal):
        return plan
    if plan.is_newest and journal.undo is not None:
        plan = replace(plan, must_reach=max(plan.must_reach, journal.undo.must_reach))
    plan = replace(plan, silence=journal.plan.silence, archived_until=journal.plan.archived_until)
    stem, count = journal.id[:15], int(journal.id[16:].removesuffix("u") or 1)
    return replace(journal, plan=plan, id=f"{stem}-{count + 1}", is_undo=False).at_stage(_again(journal))


def new_journal(plan: RestorePlan, now: Clock) -> Journal:
    """A restore that is about to begin."""
    at = now()
    return Journal(f"{at:%Y%m%d-%H%M%S}", at.isoformat(timespec="seconds"), plan)


async def run(release: ReleaseRef, journal: Journal, cluster: Cluster, report: Report, *, now: Clock) -> Journal:
    """Restore, or resume a restore. Returns the journal of the restore that ended.

    Raises PreflightError before anything is touched, RestoreFailed where the target was not reached or a later check
    failed, and the errors of the cluster, of the rollout and of the backup. A run that failed or was killed is simply
    run again.
    """
    ref, restore = record.lease_ref(release), _Run(release, cluster, report, now, journal)
    try:
        async with lease.hold(cluster, ref, report=lambda text: report(Event("lock", "progress", text)), now=now):
            return await restore.all()
    except PgwizardError as error:
        if not restore.is_open:
            raise
        hint = _resume_hint(release, restore.journal, cluster.commands)
        if not isinstance(error, PreflightError):
            error.add_hint(hint)
            raise
        failure = RestoreFailed(
            error.message, findings=error.findings, hint=error.hint
        )  # a check before no first write
        failure.add_hint(hint)
        raise failure from error


def _resume_hint(release: ReleaseRef, journal: Journal, commands: Commands) -> str:
    """What a restore that has not ended leaves, and what to do."""
    again = commands.pgwizard("restore", release.name, namespace=release.namespace)
    hint = f"{unfinished_text(journal.stage)}\nResume it: {again}"
    if journal.undo is not None and journal.is_before("start") and not journal.is_undo:
        undo = commands.pgwizard("restore", release.name, "--undo", namespace=release.namespace)
        hint += f"\nBack to the state before the restore: {undo}"
    return hint


@dataclass
class _Run:
    """A restore under way, with the release's lock."""

    release: ReleaseRef
    cluster: Cluster
    report: Report
    now: Clock
    journal: Journal
    is_current: bool = False
    stopped_at: datetime | None = None
    """When the server was stopped; None where another run did it, so that it was down for longer than a restore takes.
    """

    @property
    def is_open(self) -> bool:
        """Whether the record has this restore, so that it has to be resumed."""
        return self.is_current and not self.journal.is_before("suspend")

    async def all(self) -> Journal:
        _journal(self.release, self.journal.restoration())  # what is written must be readable by whoever resumes it
        own_record, _ = await records.get(self.cluster, self.release)
        unfinished_restore = own_record.unfinished_restore
        if (unfinished_restore is None) != (self.journal.stage == "restore point"):
            raise PreflightError(
                f"the restore of release {self.release} has begun or ended since it was read",
                hint="Run it again: it looks again.",
            )
        self.is_current = True
        if self.journal.is_before("suspend"):
            await self._mark()
        if self.journal.is_before("stop"):
            await self._suspend()
        if self.journal.is_before("restore"):
            await self._stop()
        if self.journal.is_before("start"):
            await self._restore()
        if self.journal.is_before("archive"):
            await self._start()
        if self.journal.is_before("backup"):
            await self._archive()
        if self.journal.is_before("resume"):
            await self._back_up()
        if self.journal.is_before("end"):
            await self._resume()
        return self.journal

    async def _write(self, journal: Journal) -> None:
        """Keep how far it has come, before the next stage begins."""
        own_record, _ = await records.get(self.cluster, self.release)
        await self.cluster.apply(_with_restore(own_record, journal).secret(), force=True)
        self.journal = journal

    async def _server(self) -> DatabaseServer:
        own_record, _ = await records.get(self.cluster, self.release)
        return DatabaseServer(self.cluster, self.release, ReleaseSummary.of(own_record).superuser)

    # ---- the stages --------------------------------------------------------------------------------------------------

    async def _mark(self) -> None:
        """A commit, a restore point and the end of the segment, archived: every moment until now can be reached, and
        this restore can be undone.
        """
        async with stages.enter(FIRST_STAGE, self.report) as stage:
            await _require_alone(self.cluster, self.release, ())
            await capacity.require(self.cluster, self.release)
            if self.journal.plan.silence:
                await self._skip_mark(stage)
                return
            server = await self._server()
            if finding := await libraries.check(self.cluster, self.release, server.superuser):
                stage.warning(finding)
            await self._wait_for_backups(stage)  # their expire may remove what the plan needs: it is checked below
            name = f"pgwizard-{self.journal.id}"
            hint = "A restore would delete WAL that only the volume has. Repair the archiving, and run it again."
            point = await server.mark(name, stage.progress, hint=hint)
            plan = self.journal.plan
            if plan.is_newest:
                plan = replace(plan, must_reach=point)
            undo = await self._undo_plan(point, plan)
            await self._write(replace(self.journal, plan=plan, undo=undo, stage="suspend"))
            stage.complete(f"{name} is archived")

    async def _skip_mark(self, stage: Stage) -> None:
        """Without a server there is no restore point: an undo brings back what the archive has."""
        plan, view = self.journal.plan, await self._view()
        if not view.silence:
            raise PreflightError(
                f"the server of release {self.release} answers now, and did not when the restore was planned; nothing "
                "was touched",
                hint="Run it again with the same target: what the server has not archived yet is archived first.",
            )
        await self._require_fit(view, plan)
        own_record, _ = await records.get(self.cluster, self.release)
        if own_record.reads_origin:
            await self._write(replace(self.journal, is_clone=True, stage="suspend"))
            stage.complete("none: the release is new")
            return
        backup = next(each for each in view.whole_backups if each.label == plan.backup)
        await write_check.require(self.cluster, self.release, backup)
        undo = choose(view, RecoveryTarget("latest", timeline=view.timeline), self.now())
        is_refusal = isinstance(undo, TargetRefusal)
        await self._write(
            replace(self.journal, undo=None if isinstance(undo, TargetRefusal) else undo, stage="suspend")
        )
        stage.complete("none: the server does not answer" + (", and there will be no undo" if is_refusal else ""))

    async def _view(self) -> RepositoryView:
        own_record, _ = await records.get(self.cluster, self.release)
        return await read_view(self.cluster, own_record)

    async def _undo_plan(self, point: int, plan: RestorePlan) -> RestorePlan:
        """The way back to the state of this moment. Raises PreflightError where the repository does not hold it."""
        view = await self._view()
        if view.silence:
            raise PreflightError(
                f"the server of release {self.release} does not answer any more: {view.silence}; nothing was touched",
                hint="Run it again with the same target.",
            )
        await self._require_fit(view, plan)
        undo = choose(view, RecoveryTarget("latest", timeline=view.timeline), self.now())
        if isinstance(undo, TargetRefusal):
            raise PreflightError(
                f"release {self.release} could not be brought back to its present state: {undo.text}; nothing was "
                "touched",
                hint=f"Take a full backup first: {backups.full_backup_command(self.release, self.cluster.commands)}",
            )
        size = view.archive.segment_bytes
        if undo.must_reach // size < point // size:
            raise PreflightError(
                f"the archive of release {self.release} ends at {lsn_text(undo.must_reach)} and lacks the restore "
                f"point at {lsn_text(point)}, although the server has archived it; nothing was touched",
                hint="See whether WAL is dropped (advanced.archivePushQueueMax) or deleted from the bucket.",
            )
        return replace(undo, must_reach=point)

    async def _require_fit(self, view: RepositoryView, plan: RestorePlan) -> None:
        """Raises PreflightError where the plan no longer fits the repository, or its backup not the volume."""
        if view.timeline != self.journal.plan.left:
            raise PreflightError(
                f"release {self.release} is on timeline {view.timeline} now, and was on {self.journal.plan.left} when "
                "the restore was planned; nothing was touched",
                hint="Run it again with the same target.",
            )
        backup = next((each for each in view.whole_backups if each.label == plan.backup), None)
        if backup is None:
            raise PreflightError(
                f"backup {fit(plan.backup)}, which the restore needs, is no longer in the repository, or is damaged",
                hint="Run the restore again with the same target: it chooses another one.",
            )
        await capacity.require_volume(self.cluster, self.release, backup, is_answering=not view.silence)

    async def _suspend(self) -> None:
        """No backup may begin while the server is down, and none that runs is ended."""
        async with stages.enter("suspend", self.report) as stage:
            names = Names.of(self.release.name)
            suspensions = dict(self.journal.suspended)
            for name in (names.full, names.incremental, names.verify, names.drill):
                cron = await find_object(self.cluster, Ref(CRONJOB, name, self.release.namespace))
                if cron is not None:
                    suspensions.setdefault(name, bool((cron.get("spec") or {}).get("suspend")))
            await self._write(replace(self.journal, suspended=suspensions))
            for name in suspensions:
                await self._set_suspend(name, stage, suspend=True)
            await self._wait_for_backups(stage)
            await self._write(self.journal.at_stage("stop"))
            stage.complete("no backup starts")

    async def _wait_for_backups(self, stage: Stage) -> None:
        for each in await backups.newest_first(self.cluster, Layout.of(self.release)):
            if assess(each).status == "progressing":
                if self.journal.plan.silence:  # without the server it cannot end
                    stage.progress(f"backup Job {fit(each['metadata']['name'])} is deleted")
                    await self.cluster.delete(Ref.of(each), uid=each["metadata"]["uid"])
                    continue
                stage.progress(f"backup Job {fit(each['metadata']['name'])} runs: waiting for its end")
                with contextlib.suppress(JobFailed):
                    await backups.wait(self.cluster, each, stage.progress, stage.log, at=self.now())

    async def _stop(self) -> None:
        async with stages.enter("stop", self.report) as stage:
            self.stopped_at = self.now()
            await self._take_down(stage)
            await self._write(self.journal.at_stage("restore"))
            stage.complete(f"{Names.of(self.release.name).pod} is gone")

    async def _take_down(self, stage: Stage) -> None:
        """Scale to 0, and wait until the pod is gone."""
        pod_name = Names.of(self.release.name).pod
        await _scale(self.cluster, self.release, 0)
        ref = Ref(POD, pod_name, self.release.namespace)
        if (pod := await find_object(self.cluster, ref)) is not None:
            stage.progress(f"{pod_name} is stopping: it archives its last WAL")
            await deletion.wait_until_gone(self.cluster, ref, pod["metadata"]["uid"], STOP_SECONDS)

    async def _restore(self) -> None:
        async with stages.enter("restore", self.report) as stage:
            name = restore_job.job_name(self.release, self.journal.id)
            ref = Ref(JOB, name, self.release.namespace)
            await self._take_down(stage)
            await self._delete_jobs(but=name)
            await _require_alone(self.cluster, self.release, (name,))
            was_touched = self.journal.is_touched
            await self._require_volume(stage)
            await self._start_job(ref)
            plan = self.journal.plan
            stage.progress(f"backup {plan.backup}, timeline {plan.timeline}: {plan.target}")
            try:
                receipt = await self._wait(ref, stage)
            except RestoreFailed as error:
                if not was_touched and restore_job.is_untouched(error.log):
                    await self._write(replace(self.journal, is_touched=False))
                raise
            if why := await self._doubt(plan, receipt):
                await self._delete_jobs()  # the next run restores once more, and does not follow this Job
                raise self._failure(f"release {self.release}: {why}")
            await self._write(replace(self.journal, receipt=receipt, stage="start"))
            stage.complete(receipt_text(receipt))

    async def _require_volume(self, stage: Stage) -> None:
        """The volume claim: where it is gone, a new one, before the StatefulSet's controller can fill it."""
        ref = _claim(self.release)
        live = await find_object(self.cluster, ref)
        if live is not None and live["metadata"].get("deletionTimestamp"):
            stage.progress(f"{ref} is being deleted")
            await deletion.wait_until_gone(self.cluster, ref, live["metadata"]["uid"], STOP_SECONDS)
            live = None
        if live is not None and live.get("status", {}).get("phase") == "Lost":
            command = self.cluster.commands.kubectl("delete", "pvc", ref.name, namespace=self.release.namespace)
            raise PreflightError(
                f"{ref} has lost its volume",
                hint=f"Delete it, and run the restore again; it makes a new one: {command}",
            )
        if live is None:
            stage.progress(f"{ref} is created: it was gone")
            stateful = await self.cluster.get(Ref(STATEFULSET, self.release.name, self.release.namespace))
            with contextlib.suppress(AlreadyExists):
                await self.cluster.create(restore_job.claim_manifest(stateful, ref))
            live = await self.cluster.get(ref)
        await self._write(replace(self.journal, claim=str(live["metadata"]["uid"]), is_touched=True))

    async def _start_job(self, ref: Ref) -> None:
        """One that runs or has succeeded is followed; one that failed is made again."""
        live = await find_object(self.cluster, ref)
        if live is not None and assess({**live, "kind": JOB.kind}).status == "failed":
            await self.cluster.delete(ref, uid=live["metadata"]["uid"])
            await deletion.wait_until_gone(self.cluster, ref, live["metadata"]["uid"], STOP_SECONDS)
            await _require_alone(self.cluster, self.release, ())
            live = None
        if live is None:
            stateful = await self.cluster.get(Ref(STATEFULSET, self.release.name, self.release.namespace))
            with contextlib.suppress(AlreadyExists):
                marks = await backups.job_marks(self.cluster, self.release)
                own_record, _ = await records.get(self.cluster, self.release)
                origin = own_record.origin if own_record.reads_origin else None
                job = restore_job.manifest(stateful, self.release, ref.name, self.journal.plan, marks, origin=origin)
                await deletion.write_in_place_of_deleted(lambda: self.cluster.create(job))

    async def _doubt(self, plan: RestorePlan, receipt: Receipt) -> str:
        """Why what was restored cannot be relied on; empty where it can."""
        stateful = await self.cluster.get(Ref(STATEFULSET, self.release.name, self.release.namespace))
        if stateful["spec"].get("replicas", 1):  # two servers, and neither sees the other's process id
            return "it was scaled up while it was restored, so its data directory cannot be relied on"
        return restore_job.shortfall(plan, receipt)

    async def _delete_jobs(self, but: str = "") -> None:
        """Delete the Jobs of restores of this release, one that still runs as well, and wait until they are gone."""
        labels = restore_job.selector(self.release, restore_job.COMPONENT)
        for job in await list_objects(self.cluster, JOB, self.release.namespace, labels=labels):
            if job["metadata"]["name"] == but:
                continue
            ref, uid = Ref(JOB, job["metadata"]["name"], self.release.namespace), job["metadata"]["uid"]
            await self.cluster.delete(ref, uid=uid, propagation="Foreground")
            await deletion.wait_until_gone(self.cluster, ref, uid, STOP_SECONDS)

    async def _wait(self, ref: Ref, stage: Stage) -> Receipt:
        def read(line: str) -> None:
            if line.startswith("replayed to "):
                stage.progress(line)
            else:
                stage.log(line)

        live = await self.cluster.get(ref)
        seconds = float(live["spec"].get("activeDeadlineSeconds", READY_SECONDS)) + 60
        try:
            await jobs.wait_job(
                self.cluster, ref, seconds, stage.progress, read, explain=rollout.explain, at=self.now()
            )
        except JobFailed as error:
            raise self._failure(error.message, error.log, "\n".join([error.message, *error.log])) from error
        try:
            log = [line async for line in backups.log(self.cluster, self.release, ref.name, tail=20)]
            return restore_job.receipt_of(log)
        except (ValueError, PreflightError, NotFound) as error:  # its pod may be gone: nothing would bring it back
            await self._delete_jobs()  # the next run restores once more, and does not follow this Job
            text = error.message if isinstance(error, PgwizardError) else str(error)
            raise self._failure(f"{ref} has left no receipt: {text}") from error

    def _failure(self, message: str, log: Sequence[str] = (), evidence: str = "") -> RestoreFailed:
        return RestoreFailed(message, fault=diagnose(evidence) if evidence else None, log=log)

    async def _start(self) -> None:
        async with stages.enter("start", self.report) as stage:
            await self._require_restored_volume()
            await _scale(self.cluster, self.release, 1)
            at, report = self.now(), stage.progress
            ready = await rollout.wait_ready(self.cluster, self.release, READY_SECONDS, report, backups=True, at=at)
            if await (await self._server()).is_recovering():
                see = self.cluster.commands.kubectl(
                    "logs", Names.of(self.release.name).pod, namespace=self.release.namespace
                )
                raise RestoreFailed(
                    f"release {self.release}: the server is still in recovery", hint=f"See what it waits for: {see}"
                )
            if self.stopped_at is not None:
                seconds = (self.now() - self.stopped_at).total_seconds()
                self.journal = replace(self.journal, down_seconds=round(seconds, 1))
            await self._write(self.journal.at_stage("resume" if self.journal.is_untouched_undo else "archive"))
            stage.complete(ready)

    async def _require_restored_volume(self) -> None:
        """On an empty volume the image would create a new, empty database."""
        ref = _claim(self.release)
        live = await find_object(self.cluster, ref)
        if self.journal.claim and (live is None or live["metadata"]["uid"] != self.journal.claim):
            await self._write(replace(self.journal, receipt=None, stage="restore"))
            await self._delete_jobs()
            raise self._failure(f"release {self.release}: {ref} is gone since it was restored")

    async def _archive(self) -> None:
        """Nothing proves the archive of the new timeline but a segment in it."""
        async with stages.enter("archive", self.report) as stage:
            if self.journal.is_clone:
                await (await self._server()).create_stanza()
            name, hint = f"pgwizard-{self.journal.id}-restored", "The restored database runs. Repair the archiving."
            await (await self._server()).mark(name, stage.progress, hint=hint)
            await self._write(self.journal.at_stage("backup"))
            stage.complete(f"timeline {self.journal.receipt.timeline if self.journal.receipt else 0} is archived")

    async def _back_up(self) -> None:
        """The newest backup may be of a timeline that is left; what an undo needs does not expire."""
        async with stages.enter("backup", self.report) as stage:
            job = await self._backup_job()
            for finding in await backups.wait(self.cluster, job, stage.progress, stage.log, at=self.now()):
                stage.warning(finding)
            await self._write(self.journal.at_stage("resume"))
            stage.complete("a full backup of the new timeline is in the repository")

    async def _backup_job(self) -> Object:
        if self.journal.backup:
            live = await find_object(self.cluster, Ref(JOB, self.journal.backup, self.release.namespace))
            if live is not None and assess({**live, "kind": JOB.kind}).status != "failed":
                return {**live, "apiVersion": JOB.api_version, "kind": JOB.kind}
        name = await backups.backup_now(self.cluster, Layout.of(self.release), "full", self.now(), expires=False)
        await self._write(replace(self.journal, backup=name))
        live = await self.cluster.get(Ref(JOB, name, self.release.namespace))
        return {**live, "apiVersion": JOB.api_version, "kind": JOB.kind}

    async def _resume(self) -> None:
        async with stages.enter("resume", self.report) as stage:
            count = 0
            for name, was_suspended in self.journal.suspended.items():
                if not was_suspended:
                    count += await self._set_suspend(name, stage, suspend=False)
            await self._delete_jobs()
            await self._write(self.journal.at_stage("end"))
            stage.complete(f"{count} schedules")

    async def _set_suspend(self, name: str, stage: Stage, *, suspend: bool) -> bool:
        """Whether the CronJob is there; what was deleted meanwhile must not keep a restore from its end."""
        try:
            await backups.set_suspend(self.cluster, name, self.release.namespace, suspend=suspend)
        except NotFound:
            stage.progress(f"CronJob {name} is gone: an apply creates it again")
            return False
        return True


def _with_restore(own_record: record.Record, journal: Journal) -> record.Record:
    """With the restore; a clone keeps which state of its source it began with."""
    new_record, receipt = own_record.with_restore(journal.restoration()), journal.receipt
    if not journal.is_clone or new_record.origin is None or receipt is None:
        return new_record
    reached_at = receipt.reached_at.isoformat() if receipt.reached_at else ""
    return replace(new_record, origin=replace(new_record.origin, backup=journal.plan.backup, reached_at=reached_at))


async def _scale(cluster: Cluster, release: ReleaseRef, replicas: int) -> None:
    await cluster.patch(Ref(STATEFULSET, release.name, release.namespace), {"spec": {"replicas": replicas}})


async def _require_alone(cluster: Cluster, release: ReleaseRef, own_jobs: Sequence[str]) -> None:
    """No other pod may mount the volume: a node lets several do so, and the server's lock file crosses no pod."""
    names = Names.of(release.name)
    for pod in await list_objects(cluster, POD, release.namespace):
        name, labels = pod["metadata"]["name"], pod["metadata"].get("labels") or {}
        claims = [
            (volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in pod["spec"].get("volumes") or ()
        ]
        has_ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if names.claim not in claims or has_ended or name == names.pod or labels.get("job-name") in own_jobs:
            continue
        raise PreflightError(
            f"pod {fit(name)} in namespace {release.namespace} mounts volume claim {names.claim} too",
            hint="Delete it, and run the restore again.",
        )
