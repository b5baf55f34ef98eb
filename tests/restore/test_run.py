"""A restore in place on the simulated cluster: its stages, and what an interruption at any request leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import DeadlineError, JobFailed, PgwizardError, PreflightError, RestoreFailed, Unreachable
from pgwizard.kube.api import CLAIM, Cluster, ExecResult, Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.release.layout import Layout
from pgwizard.release.stages import Event
from pgwizard.restore import job as restore_job
from pgwizard.restore import run as restore_run
from pgwizard.restore.journal import Journal, read_journal
from pgwizard.restore.target import RecoveryTarget, RestorePlan, TargetRefusal, choose
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, FaultKind, Killed, Request, ScriptedOutcome
from pgwizard.status import probes
from pgwizard.status.snapshot import Archiver
from support.faulting import CRONJOB, JOB, POD, SECRET, STATEFULSET, applied, clock, live, on_release

RELEASE = ReleaseRef("default", "postgresql")
LATEST = RecoveryTarget("latest")
RESTORES = "default/postgresql-restore-*"
VOLUME = "postgresql-storage-postgresql-0"


@dataclass
class RestoreRun:
    """One restore: how it ended, and its events."""

    journal: Journal | None = None
    error: PgwizardError | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def stages(self) -> list[str]:
        """The stages that ended well."""
        return [event.stage for event in self.events if event.kind == "done"]


async def restored(sim: SimCluster, target: RecoveryTarget = LATEST, *, is_undo: bool = False) -> RestoreRun:
    """Restore, or resume what has not ended; what it raises is in ``error``."""
    result, now = RestoreRun(), clock(sim)
    try:
        preparation = await restore_run.prepare(sim, RELEASE)
        if preparation.journal is not None:
            journal = restore_run.resume(preparation.journal, is_undo=is_undo)
        else:
            assert preparation.view is not None
            undo = restore_run.plan_undo(sim, preparation, now) if is_undo else None
            plan = await undo if undo else choose(preparation.view, target, now())
            assert not isinstance(plan, TargetRefusal), plan
            journal = plan if isinstance(plan, Journal) else restore_run.new_journal(plan, now)
        result.journal = await restore_run.run(RELEASE, journal, sim, result.events.append, now=now)
    except PgwizardError as error:
        result.error = error
    return result


def kept(sim: SimCluster) -> record.Record:
    return record.read(live(sim, SECRET, "postgresql-pgwizard"))


def suspended(sim: SimCluster) -> list[bool]:
    return [
        bool(live(sim, CRONJOB, f"postgresql-pgbackrest-{kind}")["spec"].get("suspend")) for kind in ("full", "incr")
    ]


def timelines(sim: SimCluster) -> int:
    return sim.runtime.programs.repository("default").timeline


def fulls(sim: SimCluster) -> int:
    return sum(backup["type"] == "full" for backup in sim.runtime.programs.repository("default").backups)


def test_a_restore_ends_with_a_running_server_on_a_new_timeline_and_a_new_full_backup() -> None:
    async def scenario(sim: SimCluster) -> None:
        done = await restored(sim)
        assert done.error is None
        assert done.stages == ["restore point", "suspend", "stop", "restore", "start", "archive", "backup", "resume"]
        assert (timelines(sim), fulls(sim), suspended(sim)) == (2, 2, [False, False])
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 1
        assert [job for job in sim.store.find(JOB, "default") if "restore" in job["metadata"]["name"]] == []
        [restoration] = kept(sim).restorations
        assert restoration.is_finished
        assert read_journal(restoration) == done.journal

    on_release(scenario)


def test_the_job_is_the_database_s_pod_without_probes_and_outside_of_its_service() -> None:
    async def scenario(sim: SimCluster) -> None:
        jobs: list[Object] = []
        sim.store.listeners.append(lambda change: jobs.append(change[2]) if change[2]["kind"] == "Job" else None)
        await restored(sim)
        job = next(job for job in jobs if "-restore-" in job["metadata"]["name"])
        template = live(sim, STATEFULSET, "postgresql")["spec"]["template"]
        spec, origin = job["spec"]["template"]["spec"], template["spec"]
        [container], [database] = spec["containers"], origin["containers"]
        assert (job["spec"]["backoffLimit"], spec["restartPolicy"]) == (0, "Never")
        assert spec["automountServiceAccountToken"] is False
        for part in ("image", "env", "resources", "volumeMounts", "securityContext"):
            assert container[part] == database[part]
        assert spec["initContainers"] == origin["initContainers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe", "ports", "args"}.isdisjoint(container)
        assert container["command"][4:] == [
            "archived",
            "3",
            f"--set={sim.runtime.programs.repository('default').backups[0]['label']}",
            "--target-timeline=1",
            "--type=default",
            *database["args"],
        ]
        assert {
            "name": "postgresql-storage",
            "persistentVolumeClaim": {"claimName": "postgresql-storage-postgresql-0"},
        } in spec["volumes"]
        selector = {"app.kubernetes.io/component": "database"}.items()
        assert not selector <= job["spec"]["template"]["metadata"]["labels"].items()

    on_release(scenario)


def test_schedules_that_were_suspended_stay_so() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.change(
            Ref(CRONJOB, "postgresql-pgbackrest-incr", "default"),
            lambda obj: obj["spec"].update(suspend=True),
        )
        assert (await restored(sim)).error is None
        assert suspended(sim) == [False, True]

    on_release(scenario)


def test_a_restore_that_fails_leaves_the_database_down_until_one_succeeds() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES, lines=("FATAL: recovery ended before",)))
        failed = await restored(sim)
        assert isinstance(failed.error, RestoreFailed)
        assert "--undo" in failed.error.hint
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 0
        refused = await applied(sim)
        assert isinstance(refused.error, PreflightError)
        assert refused.error.message.startswith("a restore of release postgresql in namespace default has not ended")
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 0
        sim.outcomes.clear()
        again = await restored(sim)
        assert (again.error, again.stages[0]) == (None, "restore")
        assert (timelines(sim), suspended(sim)) == (2, [False, False])

    on_release(scenario)


def test_a_restore_that_failed_is_undone_without_a_look_at_the_server() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        await restored(sim, RecoveryTarget("time", at=clock(sim)()))
        sim.outcomes.clear()
        undone = await restored(sim, is_undo=True)
        assert undone.error is None
        assert undone.journal is not None
        assert (undone.journal.plan.type, undone.journal.plan.timeline) == ("default", 1)
        assert [job for job in sim.store.find(JOB, "default") if "-restore-" in job["metadata"]["name"]] == []

    on_release(scenario)


def test_a_restore_that_failed_before_it_touched_anything_is_undone_by_a_start() -> None:
    """As with a store that is down: another restore would need it too."""

    async def scenario(sim: SimCluster) -> None:
        failure = ScriptedOutcome("job-failed", RESTORES, lines=("5 could not be archived", "pgwizard-untouched"))
        sim.outcomes.append(failure)
        assert isinstance((await restored(sim)).error, RestoreFailed)
        undone = await restored(sim, is_undo=True)
        assert (undone.error, undone.stages) == (None, ["start", "resume"])
        assert (timelines(sim), fulls(sim), suspended(sim)) == (1, 1, [False, False])
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 1
        sim.outcomes.clear()
        assert isinstance((await restored(sim, is_undo=True)).error, PreflightError), "there is nothing to undo"

    on_release(scenario)


def test_a_data_directory_that_one_try_has_touched_stays_so() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        await restored(sim)
        sim.outcomes[:] = [ScriptedOutcome("job-failed", RESTORES, lines=("pgwizard-untouched",))]
        await restored(sim)
        assert read_journal(kept(sim).restorations[-1]).is_touched
        sim.outcomes.clear()
        undone = await restored(sim, is_undo=True)
        assert (undone.error, undone.stages[:2]) == (None, ["stop", "restore"])

    on_release(scenario)


def test_a_restore_that_failed_can_be_given_another_target() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        await restored(sim, RecoveryTarget("time", at=clock(sim)()))
        sim.outcomes.clear()
        preparation = await restore_run.prepare(sim, RELEASE)
        journal = await restore_run.redirect(sim, preparation, LATEST, clock(sim))
        assert isinstance(journal, Journal)
        assert (journal.plan.type, journal.plan.left, journal.plan.silence) == ("default", 1, "")
        assert preparation.journal is not None
        assert journal.id == f"{preparation.journal.id}-2"
        ended = await restore_run.run(RELEASE, journal, sim, lambda _: None, now=clock(sim))
        assert ended.receipt is not None
        assert (timelines(sim), suspended(sim)) == (2, [False, False])
        with pytest.raises(PreflightError, match="no restore of default/postgresql is open"):
            await restore_run.redirect(sim, await restore_run.prepare(sim, RELEASE), LATEST, clock(sim))

    on_release(scenario)


def test_the_same_target_resumes_and_begins_nothing_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        at = RecoveryTarget("time", at=clock(sim)())
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        await restored(sim, at)
        sim.outcomes.clear()
        found = await restore_run.prepare(sim, RELEASE)
        assert await restore_run.redirect(sim, found, at, clock(sim)) == found.journal
        assert found.journal is not None
        started = replace(found, journal=found.journal.at_stage("backup"))
        assert await restore_run.redirect(sim, started, at, clock(sim)) == started.journal
        with pytest.raises(PreflightError, match="its server has been started"):
            await restore_run.redirect(sim, started, LATEST, clock(sim))
        malformed = TargetRefusal("not-a-target", "yesterday is no target", "Give a time.")
        assert await restore_run.redirect(sim, started, malformed, clock(sim)) == malformed

    on_release(scenario)


def test_the_job_has_the_labels_and_annotations_that_the_answers_want_on_jobs() -> None:
    async def scenario(sim: SimCluster) -> None:
        jobs: list[Object] = []

        def mark(cron: Any) -> None:
            metadata = cron["spec"]["jobTemplate"]["spec"]["template"].setdefault("metadata", {})
            metadata.setdefault("labels", {})["team"] = "data"
            metadata["annotations"] = {"sidecar.istio.io/inject": "false"}

        sim.runtime.change(Ref(CRONJOB, "postgresql-pgbackrest-full", "default"), mark)
        sim.store.listeners.append(lambda change: jobs.append(change[2]) if change[2]["kind"] == "Job" else None)
        await restored(sim)
        job = next(job for job in jobs if "-restore-" in job["metadata"]["name"])
        for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
            assert metadata["labels"]["team"] == "data"
            assert metadata["labels"]["app.kubernetes.io/component"] == "restore"
            assert metadata["annotations"] == {"sidecar.istio.io/inject": "false"}

    on_release(scenario)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x; rm"},
        {"backup": "../other"},
        {"suspended": {"../cron": True}},
        {"plan": {"backup": "--repo1-path=/x"}},
        {"plan": {"value": "a\nb"}},
        {"plan": {"seconds": float("inf")}},
        {"plan": {"seconds": 1e308}},
        {"plan": {"bytes": 10**400}},
        {"plan": {"timeline": -1}},
        {"receipt": {"timeline": 1, "lsn": 1, "reason": "", "restore_seconds": 10**400, "recovery_seconds": 1}},
        {"plan": {"lost_since": "2026-11-28T10:00:00", "lost_until": "2026-11-28T10:30:00Z"}},
    ],
)
def test_a_record_with_other_texts_than_ours_is_not_followed(change: dict[str, Any]) -> None:
    plan = RestorePlan("t\x1b[2J", "20261128-103028F", 1, "default", "", False, 0, 1, None, None, 1, 1, 1)
    good = Journal("20261128-103028", "2026-11-28T10:30:28+00:00", plan).restoration()
    assert "\x1b" not in read_journal(good).plan.target
    more = {key: {**good.details[key], **value} if key == "plan" else value for key, value in change.items()}
    with pytest.raises(ValueError, match="cannot read"):
        read_journal(replace(good, details={**good.details, **more}))


def test_when_a_restore_began_is_read_from_where_it_is_checked() -> None:
    plan = RestorePlan("t", "20261128-103028F", 1, "default", "", False, 0, 1, None, None, 1, 1, 1)
    good = Journal("20261128-103028", "2026-11-28T10:30:28+00:00", plan).restoration()
    assert read_journal(replace(good, details={**good.details, "at": "\x1b[2J"})).at == "2026-11-28T10:30:28+00:00"


def test_a_journal_that_could_not_be_resumed_is_not_begun() -> None:
    async def scenario(sim: SimCluster) -> None:
        found = await restore_run.prepare(sim, RELEASE)
        assert found.view is not None
        plan = choose(found.view, LATEST, clock(sim)())
        assert isinstance(plan, RestorePlan)
        journal = restore_run.new_journal(replace(plan, type="name", value="vor März"), clock(sim))
        with pytest.raises(PreflightError, match="cannot read"):
            await restore_run.run(RELEASE, journal, sim, lambda _: None, now=clock(sim))
        assert kept(sim).restorations == ()

    on_release(scenario)


def test_a_receipt_short_of_the_plan_keeps_the_server_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgwizard.simulator.recovery.lsn", lambda _: "0/1000000")

    async def scenario(sim: SimCluster) -> None:
        failed = await restored(sim)
        assert isinstance(failed.error, RestoreFailed)
        assert "recovery ended at WAL position 0/1000000, and the archive goes to" in failed.error.message
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 0

    on_release(scenario)


def test_a_release_that_is_scaled_up_while_it_is_restored_is_not_relied_on() -> None:
    async def scenario(sim: SimCluster) -> None:
        def scale_up(change: Any) -> None:
            if change[1] == "ADDED" and change[2]["kind"] == "Job" and "-restore-" in change[2]["metadata"]["name"]:
                sim.store.listeners.remove(scale_up)
                ref = Ref(STATEFULSET, "postgresql", "default")
                asyncio.get_running_loop().call_soon(
                    sim.runtime.change, ref, lambda obj: obj["spec"].update(replicas=1)
                )

        sim.store.listeners.append(scale_up)
        failed = await restored(sim)
        assert isinstance(failed.error, RestoreFailed)
        assert "was scaled up while it was restored" in failed.error.message
        again = await restored(sim)
        assert (again.error, again.stages[0], timelines(sim)) == (None, "restore", 3), "it is restored once more"

    on_release(scenario)


def test_a_backup_that_fails_afterwards_is_taken_again_by_the_next_run() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/*full*"))
        failed = await restored(sim)
        assert isinstance(failed.error, JobFailed)
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 1
        sim.outcomes.clear()
        again = await restored(sim)
        assert (again.error, again.stages) == (None, ["backup", "resume"])

    on_release(scenario)


@pytest.mark.parametrize(
    ("resource", "verb", "state"),
    [
        ("cronjobs", "patch", "The database runs, and its backup schedules may be suspended until it has."),
        ("statefulsets", "patch", "The database may be down until it has."),
        ("jobs", "create", "The database is down until it has."),
    ],
)
def test_whatever_ends_a_restore_that_has_begun_is_shown_with_its_state_and_how_to_resume(
    resource: str, verb: str, state: str
) -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault("reset-before", verb, resource))
        failed = await restored(sim)
        assert isinstance(failed.error, Unreachable)
        assert f"The restore has not ended. {state}\nResume it: " in failed.error.hint
        assert (await restored(sim)).error is None

    on_release(scenario)


def test_a_check_that_fails_after_the_first_write_is_no_check_before_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        pod = live(sim, POD, "postgresql-0")
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        await restored(sim)
        sim.outcomes.clear()
        sim.store.put({**pod, "metadata": {**pod["metadata"], "name": "shell", "uid": "other"}})
        failed = await restored(sim)
        assert isinstance(failed.error, RestoreFailed)
        assert failed.error.message.startswith("pod shell in namespace default mounts volume claim")
        assert failed.error.hint.startswith("Delete it, and run the restore again.\nThe restore has not ended. ")

    on_release(scenario)


def test_a_schedule_that_was_deleted_meanwhile_does_not_keep_a_restore_from_its_end() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        await restored(sim)
        sim.outcomes.clear()
        sim.runtime.delete(Ref(CRONJOB, "postgresql-pgbackrest-incr", "default"))
        done = await restored(sim)
        assert (done.error, done.stages[-1]) == (None, "resume")
        assert "CronJob postgresql-pgbackrest-incr is gone: an apply creates it again" in [x.text for x in done.events]
        assert done.events[-1].text == "2 schedules"

    on_release(scenario)


def test_a_job_whose_receipt_is_gone_with_its_pod_restores_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(sim: SimCluster) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("pgwizard.release.backups.log", no_log)
            failed = await restored(sim)
        assert isinstance(failed.error, RestoreFailed)
        assert failed.error.message.endswith("has left no receipt: Job default/x has no pod, so there is no log of it")
        again = await restored(sim)
        assert (again.error, again.stages[0]) == (None, "restore")

    def no_log(*_: object, **__: object) -> AsyncIterator[str]:
        raise PreflightError("Job default/x has no pod, so there is no log of it")

    on_release(scenario)


def test_undo_goes_back_to_the_timeline_that_was_left_and_can_be_undone() -> None:
    async def scenario(sim: SimCluster) -> None:
        await restored(sim)
        for left, new in ((1, 3), (2, 4)):
            done = await restored(sim, is_undo=True)
            assert done.error is None
            assert done.journal is not None
            assert (done.journal.plan.timeline, timelines(sim)) == (left, new)

    on_release(scenario)


def test_an_undo_that_was_stopped_is_continued_by_an_undo_and_not_undone() -> None:
    async def scenario(sim: SimCluster) -> None:
        await restored(sim)
        sim.outcomes.append(ScriptedOutcome("job-failed", RESTORES))
        failed = await restored(sim, is_undo=True)
        assert isinstance(failed.error, RestoreFailed)
        assert "--undo" not in failed.error.hint
        sim.outcomes.clear()
        done = await restored(sim, is_undo=True)
        assert done.error is None
        assert done.journal is not None
        assert (done.journal.plan.timeline, timelines(sim)) == (1, 3)

    on_release(scenario)


def test_another_pod_that_mounts_the_volume_is_in_the_way() -> None:
    async def scenario(sim: SimCluster) -> None:
        pod = live(sim, POD, "postgresql-0")
        sim.store.put({**pod, "metadata": {**pod["metadata"], "name": "shell", "uid": "other"}})
        refused = await restored(sim)
        assert isinstance(refused.error, PreflightError)
        assert refused.error.message == (
            "pod shell in namespace default mounts volume claim postgresql-storage-postgresql-0 too"
        )
        assert kept(sim).restorations == ()

    on_release(scenario)


def test_a_backup_that_expires_before_the_restore_is_confirmed_stops_it_before_anything_is_touched() -> None:
    async def scenario(sim: SimCluster) -> None:
        preparation, now = await restore_run.prepare(sim, RELEASE), clock(sim)
        assert preparation.view is not None
        plan = choose(preparation.view, LATEST, now())
        assert isinstance(plan, RestorePlan)
        [expired] = sim.runtime.programs.repository("default").backups
        newer = {**expired, "label": "20991231-000000F"}
        sim.runtime.programs.repository("default").backups[:] = [newer]
        with pytest.raises(PreflightError) as refused:
            await restore_run.run(RELEASE, restore_run.new_journal(plan, now), sim, lambda _: None, now=now)
        assert str(refused.value.message) == (
            f"backup {expired['label']}, which the restore needs, is no longer in the repository, or is damaged"
        )
        assert (kept(sim).restorations, suspended(sim)) == ((), [False, False])
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 1

    on_release(scenario)


# ---- the server does not answer ----------------------------------------------------------------------------------


async def down(sim: SimCluster) -> None:
    sim.runtime.change(Ref(STATEFULSET, "postgresql", "default"), lambda obj: obj["spec"].update(replicas=0))
    await sim.clock.sleep(30)


def system_of_server(sim: SimCluster) -> int:
    return sim.runtime.programs.system_id("default")


def test_a_database_that_does_not_run_is_restored_without_a_restore_point() -> None:
    async def scenario(sim: SimCluster) -> None:
        commands: list[list[str]] = []

        def look(change: Any) -> None:
            if change[1] == "ADDED" and change[2]["kind"] == "Job":
                commands.append(change[2]["spec"]["template"]["spec"]["containers"][0].get("command") or [])

        await down(sim)
        sim.store.listeners.append(look)
        done = await restored(sim)
        assert done.error is None
        assert done.journal is not None
        assert (done.journal.plan.silence, done.journal.plan.must_reach > 0) == ("there is no pod", True)
        assert done.journal.undo is not None
        assert (done.stages[0], done.stages[-1]) == ("restore point", "resume")
        marked = next(event.text for event in done.events if event.kind == "done")
        assert marked == "none: the server does not answer"
        assert [words[4] for words in commands if "--type=default" in words] == ["unknown"]
        assert (timelines(sim), fulls(sim), suspended(sim)) == (2, 2, [False, False])
        assert [job for job in sim.store.find(JOB, "default") if "-restore-" in job["metadata"]["name"]] == []

    on_release(scenario)


def test_a_key_that_may_only_read_is_found_before_anything_is_touched_where_no_server_runs() -> None:
    def refused_by_store(command: Sequence[str], _: bytes) -> ExecResult | None:
        error = b"ERROR: [039]: HTTP request failed with 403 (Forbidden)"
        return ExecResult(b"", error, 39) if list(command[3:4]) == ["write-check"] else None

    async def scenario(sim: SimCluster) -> None:
        await down(sim)
        sim.runtime.programs.answers.append(refused_by_store)
        refused = await restored(sim)
        assert isinstance(refused.error, PreflightError)
        assert refused.error.message == (
            "release default/postgresql: its repository cannot be written to, and the restored database could not "
            "archive: pgbackrest ended with 39: ERROR: [039]: HTTP request failed with 403 (Forbidden)"
        )
        assert (refused.stages, kept(sim).restorations) == ([], ())
        assert [job for job in sim.store.find(JOB, "default") if "-restore-" in job["metadata"]["name"]] == []

    on_release(scenario)


def test_a_slow_comparison_of_files_does_not_stop_a_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object, **__: object) -> None:
        raise DeadlineError("it did not end within 120 s")

    monkeypatch.setattr("pgwizard.status.probes.compared_files", slow)

    async def scenario(sim: SimCluster) -> None:
        assert (await restored(sim)).error is None

    on_release(scenario)


def test_a_volume_that_is_too_small_is_refused_before_the_database_stops() -> None:
    def small(command: Sequence[str], _: bytes) -> ExecResult | None:
        return ExecResult(b"size avail\n1048576 1048576\n", b"", 0) if command[0] == "df" else None

    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.answers.append(small)
        refused = await restored(sim)
        assert isinstance(refused.error, PreflightError)
        assert " has 1Mi, and the database of backup " in refused.error.message
        assert refused.error.hint == "Raise storage.size, apply, and run the restore again."
        assert (refused.stages, kept(sim).restorations) == ([], ())

    on_release(scenario)


def test_a_key_that_may_only_read_is_found_before_the_database_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = probes.archiver

    async def refused_by_store(cluster: Cluster, layout: Layout, superuser: str | None) -> Archiver:
        archiver = await answer(cluster, layout, superuser)
        assert archiver.last_at is not None
        failed_at, fault = archiver.last_at + timedelta(seconds=1), diagnose("HTTP request failed with 403 (Forbidden)")
        return replace(archiver, last_wal="", failed_wal=archiver.last_wal, failed_at=failed_at, fault=fault)

    monkeypatch.setattr("pgwizard.status.probes.archiver", refused_by_store)

    async def scenario(sim: SimCluster) -> None:
        begin = sim.clock.now()
        refused = await restored(sim)
        assert isinstance(refused.error, DeadlineError)
        assert refused.error.fault is not None
        assert refused.error.fault.key == "s3-forbidden"
        assert refused.error.fault.fix.endswith("Repair the archiving, and run it again.")
        assert sim.clock.now() - begin < 120
        assert (refused.stages, kept(sim).restorations) == ([], ())

    on_release(scenario)


def test_a_server_that_answers_too_late_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object, **__: object) -> None:
        raise DeadlineError("it did not end within 20 s")

    monkeypatch.setattr("pgwizard.status.probes.archiver", slow)

    async def scenario(sim: SimCluster) -> None:
        refused = await restored(sim)
        assert isinstance(refused.error, PreflightError)
        assert refused.error.message.endswith("cannot be asked: it did not end within 20 s")

    on_release(scenario)


def test_a_reader_job_whose_creation_is_not_confirmed_is_deleted() -> None:
    async def scenario(sim: SimCluster) -> None:
        await down(sim)
        sim.faults.append(Fault("reset-after", "create", "jobs"))
        assert isinstance((await restored(sim)).error, Unreachable)
        assert [job for job in sim.store.find(JOB, "default") if "-read-" in job["metadata"]["name"]] == []

    on_release(scenario)


def test_a_reader_job_that_outlives_its_client_is_deleted_after_its_end() -> None:
    stateful = {"spec": {"template": {"spec": {"containers": [{"name": "postgresql"}]}}}}
    job = restore_job.reader_manifest(stateful, RELEASE, "x", 1_800, {}, origin=None)
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["ttlSecondsAfterFinished"]) == (1_800, 60)


def test_a_volume_claim_that_is_gone_is_made_again_before_the_server_can_fill_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        await down(sim)
        before = live(sim, CLAIM, VOLUME)
        sim.runtime.delete(Ref(CLAIM, VOLUME, "default"))
        done = await restored(sim)
        assert done.error is None
        claim = live(sim, CLAIM, VOLUME)
        assert claim["metadata"]["uid"] != before["metadata"]["uid"]
        assert claim["metadata"]["labels"] == before["metadata"]["labels"]
        assert claim["spec"]["resources"] == before["spec"]["resources"]
        assert system_of_server(sim) == sim.runtime.programs.repository("default").system_id

    on_release(scenario)


def test_an_empty_database_on_a_new_volume_gives_way_to_the_repository_s() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.change(Ref(CLAIM, VOLUME, "default"), lambda obj: obj["metadata"].update(uid="another"))
        done = await restored(sim)
        assert done.error is None
        assert done.journal is not None
        assert done.journal.plan.silence.startswith("it has another database: system identifier ")
        assert system_of_server(sim) == sim.runtime.programs.repository("default").system_id

    on_release(scenario)


def test_a_repository_that_was_never_the_release_s_own_is_not_restored() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.change(Ref(CLAIM, VOLUME, "default"), lambda obj: obj["metadata"].update(uid="another"))
        known = kept(sim)
        moved = {**known.revisions[-1].answers, "repository": {"path": "/other"}}
        revisions = (*known.revisions, replace(known.revisions[-1], number=2, outcome="failed", answers=moved))
        await sim.apply(replace(known, revisions=revisions).secret(), force=True)
        refused = await restored(sim)
        assert isinstance(refused.error, PreflightError)
        assert "holds backups of another database" in refused.error.message

    on_release(scenario)


def test_a_server_that_answers_again_archives_before_it_is_restored() -> None:
    async def scenario(sim: SimCluster) -> None:
        await down(sim)
        preparation = await restore_run.prepare(sim, RELEASE)
        assert preparation.view is not None
        plan = choose(preparation.view, LATEST, clock(sim)())
        assert isinstance(plan, RestorePlan)
        sim.runtime.change(Ref(STATEFULSET, "postgresql", "default"), lambda obj: obj["spec"].update(replicas=1))
        await sim.clock.sleep(60)
        with pytest.raises(PreflightError, match="answers now, and did not when the restore was planned"):
            await restore_run.run(
                RELEASE, restore_run.new_journal(plan, clock(sim)), sim, lambda _: None, now=clock(sim)
            )
        assert kept(sim).restorations == ()

    on_release(scenario)


def test_a_server_is_never_started_on_another_volume_than_the_restored_one() -> None:
    async def scenario(sim: SimCluster) -> None:
        def swap(_: Request) -> FaultKind | None:
            stage = kept(sim).restorations[-1].details["stage"] if kept(sim).restorations else ""
            if stage == "start":
                sim.faults.remove(swap)
                sim.runtime.change(Ref(CLAIM, VOLUME, "default"), lambda obj: obj["metadata"].update(uid="empty"))
            return None

        sim.faults.append(swap)
        failed = await restored(sim)
        assert isinstance(failed.error, RestoreFailed)
        assert "is gone since it was restored" in failed.error.message
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 0
        again = await restored(sim)
        assert (again.error, again.stages[0]) == (None, "restore")

    on_release(scenario)


# ---- killed at any request -------------------------------------------------------------------------------------------


def _counts(request: Request) -> bool:
    return request.is_write and request.resource not in ("leases", "pods/exec")


class _Killer:
    """Kills the client before its nth write from now on; whatever it still asks, as a process that is gone."""

    def __init__(self, nth: int) -> None:
        self._nth, self._seen = nth, 0

    def __call__(self, request: Request) -> FaultKind | None:
        self._seen += _counts(request)
        return "kill-before" if self._seen >= self._nth else None


class _Witness:
    """Whether the database's pod ever came back before a restore had succeeded."""

    def __init__(self, sim: SimCluster) -> None:
        self.violations: list[str] = []
        self._is_down = False
        sim.store.listeners.append(lambda change: self._look(change[1], change[2]))

    def _look(self, kind: str, obj: Object) -> None:
        name = obj["metadata"]["name"]
        if obj["kind"] == "StatefulSet" and obj["spec"]["replicas"] == 0:
            self._is_down = True
        done = any(item["type"] == "Complete" for item in obj.get("status", {}).get("conditions") or ())
        if obj["kind"] == "Pod" and "-restore-" in name:
            done = obj.get("status", {}).get("phase") == "Succeeded"
        if "-restore-" in name and done:
            self._is_down = False
        if obj["kind"] == "Pod" and name == "postgresql-0" and kind == "ADDED" and self._is_down:
            self.violations.append("the server was started before the restore had ended")


def _count_of_writes() -> int:
    counts: list[int] = []

    async def scenario(sim: SimCluster) -> None:
        first = len(sim.requests)
        await restored(sim)
        counts.append(sum(map(_counts, sim.requests[first:])))

    on_release(scenario)
    return counts[0]


def test_a_restore_that_is_killed_before_any_write_resumes() -> None:
    """To be killed after one is the same as before the next."""
    for nth in range(1, _count_of_writes() + 1):

        async def scenario(sim: SimCluster, nth: int = nth) -> None:
            witness = _Witness(sim)
            sim.faults.append(_Killer(nth))
            task = asyncio.create_task(restored(sim))
            await asyncio.wait([task])
            assert isinstance(task.exception(), Killed)
            sim.faults.clear()
            await sim.clock.sleep(20)
            again = await restored(sim)
            assert again.error is None, (nth, again.error)
            assert witness.violations == [], nth
            assert (timelines(sim), suspended(sim)) == (2, [False, False]), nth
            assert fulls(sim) in (2, 3), nth
            assert all(each.is_finished for each in kept(sim).restorations)
            assert [job for job in sim.store.find(JOB, "default") if "-restore-" in job["metadata"]["name"]] == [], nth

        on_release(scenario)
