"""Observing a cluster: what is seen, how soon, and what is read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.diagnose.row import Diagnosis
from pgwizard.errors import Finding, Forbidden, PgwizardError, PreflightError, Unreachable
from pgwizard.kube import health
from pgwizard.kube.api import NAMESPACE, POD, ROLE, ExecResult, Ref, Resource, WatchEvent
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, record, rollout, uninstall
from pgwizard.release.layout import Layout
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, ScriptedOutcome
from pgwizard.simulator.repository import DamagedFile
from pgwizard.status import listing, observe, probes, report
from pgwizard.status import snapshot as status_snapshot
from pgwizard.status.observations import LogFailed, LogRead, Observation
from pgwizard.status.snapshot import Missing, ReleaseSummary, Run, Snapshot, Volume
from pgwizard.status.verdict import judge, outage
from support.faulting import CRONJOB, JOB, SECRET, STATEFULSET, answers_of, applied, clock, deployed, live
from support.observing import applying, on, recorded, seen
from support.simtime import run
from support.snapshots import NOW, UNKNOWN_KEY, segment, state_and_reasons

OTHER_INSTANCE = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop-by-argocd"}


def test_a_new_release_is_recoverable_and_nothing_about_it_is_unknown() -> None:
    async def scenario(sim: SimCluster) -> None:
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert (snapshot.pending_sources, snapshot.failures) == ((), {})
        assert state_and_reasons(snapshot) == ("recoverable", [])
        assert snapshot.release is not None
        assert replace(snapshot.release, applied=None) == ReleaseSummary(
            1, "deployed", None, backups=True, superuser="postgres", pgbackrest="2.45"
        )
        assert snapshot.pgbackrest == "2.45"
        assert {str(ref): health.message for ref, health in snapshot.objects.items()} == {
            "PersistentVolumeClaim default/postgresql-storage-postgresql-0": "bound, 10Gi",
            "Pod default/postgresql-0": "ready",
            "StatefulSet default/postgresql": "1 of 1 pods ready",
        }
        assert [(item.kind, item.schedule, item.suspended) for item in snapshot.crons] == [
            ("full", "0 2 * * 0", False),
            ("incr", "0 2 * * 1-6", False),
            ("verify", "0 5 1 * *", False),
        ]
        assert [(item.kind, item.state) for item in snapshot.runs] == [("init", "succeeded")]
        assert [item.type for item in snapshot.backups] == ["full"]
        assert snapshot.backup_of(snapshot.runs[0]) == snapshot.backups[0]
        assert snapshot.volume == Volume(10_000_000_000, 6_100_000_000)
        assert snapshot.certificate is not None
        assert snapshot.certificate.source == "same"

    on(scenario)


def test_an_image_with_another_pgbackrest_than_the_answers_state_is_named_and_is_no_risk() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(images={"pgbackrestVersion": "2.55"}))
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        lines = [str(fact) for fact in report.facts(snapshot) if fact.label == "pgBackRest"]
        assert lines == ["! pgBackRest  the image has 2.45, not 2.55: correct images.pgbackrestVersion, and apply"]
        assert state_and_reasons(snapshot) == ("recoverable", [])

    on(scenario)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_role_without_rules_is_a_risk_to_the_next_backup(is_there: bool) -> None:
    async def scenario(sim: SimCluster) -> None:
        role = Ref(ROLE, "postgresql-pgbackrest", "default")
        if is_there:
            await sim.guest(manager="kubectl-edit").patch(role, {"rules": []})
        else:
            await sim.delete(role)
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        text = "the Role postgresql-pgbackrest lets no backup Job reach the database"
        assert state_and_reasons(snapshot) == ("at risk", [text])

    on(scenario)


def test_a_denied_source_is_reported_and_the_others_are_read() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [
            Fault("403", resource="pods/exec", times=None),
            Fault("403", verb="list", resource="cronjobs", times=None),
        ]
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert sorted(snapshot.failures) == ["archive", "archiver", "backups", "cronjobs", "repository", "volume"]
        assert all("denied by a fault" in why.text for why in snapshot.failures.values())
        assert judge(snapshot).state == "unknown"
        assert len(snapshot.objects) == 3

    on(scenario)


def test_a_denied_source_is_tried_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [Fault("503", resource="pods/exec", times=4), Fault("503", verb="list", resource="jobs", times=2)]
        result = await seen(sim, lambda snapshot: not snapshot.pending_sources and not snapshot.failures)
        assert judge(result).state == "recoverable"

    on(scenario)


def test_an_object_that_was_deleted_while_a_watch_was_lost_is_removed() -> None:
    ref = Ref(CRONJOB, "postgresql-pgbackrest-full", "default")

    async def scenario(sim: SimCluster) -> None:
        watch = sim.watch

        async def lost(*arguments: Any, **selected: Any) -> AsyncGenerator[WatchEvent, None]:
            async with aclosing(watch(*arguments, **selected)) as events:
                async for event in events:
                    yield event
                    if event.type == "SYNCED" and sim.store.peek(ref) is not None:
                        if arguments[0] == CRONJOB:
                            sim.store.remove(ref)
                        raise Unreachable("no route")

        sim.watch = lost  # type: ignore[method-assign]
        result = await seen(sim, lambda snapshot: not snapshot.pending_sources and not snapshot.failures)
        assert [item.name for item in result.crons] == ["postgresql-pgbackrest-incr", "postgresql-backup-verify"]
        assert state_and_reasons(result) == ("at risk", ["there is no schedule of full backups"])

    on(scenario)


def test_many_jobs_of_others_are_not_read_and_own_ones_are_found_whatever_their_labels_say() -> None:
    async def scenario(sim: SimCluster) -> None:
        own = sim.store.peek(Ref(JOB, "postgresql-pgbackrest-init", "default"))
        assert own is not None
        full = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "postgresql-pgbackrest-full", "uid": "full"}
        scheduled = {"name": "by-schedule", "uid": "own", "ownerReferences": [full], "labels": OTHER_INSTANCE}
        sim.store.put({**own, "metadata": {**own["metadata"], **scheduled}})
        for number in range(2_000):
            other = {"name": f"other-{number}", "uid": f"other-{number}", "labels": {"app": "other"}}
            sim.store.put({**own, "metadata": {**own["metadata"], **other}})
        watch, read = sim.watch, list[str]()

        async def counted(resource: Resource, *where: Any, **selected: Any) -> AsyncGenerator[WatchEvent, None]:
            async with aclosing(watch(resource, *where, **selected)) as events:
                async for event in events:
                    if resource == JOB and event.object:
                        read.append(event.object["metadata"]["name"])
                    yield event

        sim.watch = counted  # type: ignore[method-assign]
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert (
            sorted(read) == sorted(run.name for run in snapshot.runs) == ["by-schedule", "postgresql-pgbackrest-init"]
        )

    on(scenario)


def with_many_jobs(sim: SimCluster, **own: dict[str, str]) -> None:
    """Jobs of others, and one of the full schedule's for each name, with these labels."""
    init = sim.store.peek(Ref(JOB, "postgresql-pgbackrest-init", "default"))
    assert init is not None
    full = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "postgresql-pgbackrest-full", "uid": "full"}
    for name, labels in own.items():
        metadata = {"name": name, "uid": name, "ownerReferences": [full], "labels": labels}
        sim.store.put({**init, "metadata": {**init["metadata"], **metadata}})
    for number in range(300):
        other = {"name": f"other-{number}", "uid": f"other-{number}", "labels": {"app": "other"}}
        sim.store.put({**init, "metadata": {**init["metadata"], **other}})


def test_a_job_of_the_release_without_its_label_is_seen_among_many_others() -> None:
    async def scenario(sim: SimCluster) -> None:
        with_many_jobs(sim, stripped={}, marked=OTHER_INSTANCE)
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert {run.name for run in snapshot.runs} == {"stripped", "marked", "postgresql-pgbackrest-init"}

    on(scenario)


def test_a_job_of_the_release_that_loses_its_label_stays_in_view() -> None:
    async def scenario(sim: SimCluster) -> None:
        with_many_jobs(sim, scheduled=OTHER_INSTANCE)
        stripped = False

        def is_read_again(snapshot: Snapshot) -> bool:
            nonlocal stripped
            names = {run.name for run in snapshot.runs}
            job = sim.store.peek(Ref(JOB, "scheduled", "default"))
            assert job is not None
            if "scheduled" in names and not stripped:
                stripped = True
                sim.store.put({**job, "metadata": {**job["metadata"], "labels": {}}})
                sim.store.put({**job, "metadata": {**job["metadata"], "name": "later", "uid": "later", "labels": {}}})
            assert not stripped or "scheduled" in names
            return "later" in names

        await seen(sim, is_read_again)

    on(scenario)


def test_a_defect_replaces_the_answer_and_the_source_is_polled_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        execute, watch = sim.exec, sim.watch
        broken = True

        async def odd(*arguments: Any, **limits: Any) -> ExecResult:
            if broken:
                raise KeyError("secret")
            return await execute(*arguments, **limits)

        async def blind(*arguments: Any, **selected: Any) -> AsyncGenerator[WatchEvent, None]:
            if broken:
                raise KeyError("secret")
            async with aclosing(watch(*arguments, **selected)) as events:
                async for event in events:
                    yield event

        sim.exec, sim.watch = odd, blind  # type: ignore[method-assign]

        def mended(snapshot: Snapshot) -> bool:
            nonlocal broken
            if broken and not snapshot.pending_sources:
                assert snapshot.failures == dict.fromkeys(
                    (
                        *("statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs"),
                        *("volume", "repository", "archive", "backups", "archiver"),
                    ),
                    Finding(text="a bug in pgwizard: KeyError"),
                )
                broken = False
            return not snapshot.failures and not snapshot.pending_sources

        assert judge(await seen(sim, mended)).state == "recoverable"

    on(scenario)


FAILS = ScriptedOutcome("job-failed", who="*/postgresql-pgbackrest-incr*", lines=(UNKNOWN_KEY,), exit_code=39)


def broken(snapshot: Snapshot) -> Run | None:
    return next((each for each in snapshot.runs if each.state == "failed"), None)


@pytest.mark.parametrize("is_requested", [False, True], ids=["at its pace", "at once on request"])
def test_a_log_that_could_not_be_read_is_read_the_next_time(is_requested: bool) -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [Fault("503", resource="pods/log", times=1)]
        again, unread = observe.Again(), list[tuple[str, float]]()
        await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", clock(sim)())

        def read(snapshot: Snapshot) -> bool:
            reading = broken(snapshot)
            if reading is not None and reading.unread and not unread:
                unread.append((reading.unread, sim.clock.now()))
                if is_requested:
                    again.ask(*observe.POLL_SOURCES)
            return reading is not None and reading.fault is not None

        result = await seen(sim, read, again)
        [(why, since)] = unread
        assert "fault" in why
        assert judge(result).reasons[0].key == "s3-unknown-key"
        assert (sim.clock.now() - since < 2) if is_requested else (8 < sim.clock.now() - since < 12)

    on(scenario, outcomes=[FAILS])


def test_a_log_that_may_not_be_read_delays_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", clock(sim)())
        await seen(sim, lambda snapshot: broken(snapshot) is not None)
        sim.faults = [Fault("403", resource="pods/log", times=None)]
        began = sim.clock.now()
        reading = broken(await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim)))
        assert sim.clock.now() - began < 10
        assert reading is not None
        assert (reading.tail, "denied by a fault" in reading.unread) == (None, True)

    on(scenario, outcomes=[FAILS])


def test_the_log_of_a_deleted_pod_is_not_requested_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        name = await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", clock(sim)())
        await seen(sim, lambda snapshot: broken(snapshot) is not None)
        for pod in sim.store.find(POD, "default"):
            if pod["metadata"]["name"].startswith(name):
                sim.store.remove(Ref.of(pod))
        reading = broken(await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim)))
        assert reading is not None
        assert reading.tail == (f"the log cannot be read: Job default/{name} has no pod, so there is no log of it",)

    on(scenario, outcomes=[FAILS])


def test_a_log_that_breaks_pgwizard_is_reported_and_the_next_one_is_read() -> None:
    async def read(job: str) -> AsyncGenerator[str, None]:
        if job == "first":
            raise KeyError("secret")
        yield "line"

    async def scenario() -> None:
        queue: asyncio.Queue[Observation] = asyncio.Queue()
        reading = asyncio.create_task(
            observe._logs(
                read, lambda: [Ref(JOB, name, "shop") for name in ("first", "second")], queue, observe.Again()
            )
        )
        first, second = (Ref(JOB, name, "shop") for name in ("first", "second"))
        assert await queue.get() == LogFailed(first, "a bug in pgwizard: KeyError")
        assert await queue.get() == LogRead(second, ["line"])
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    run(scenario())


def test_backups_are_polled_once_an_apply_elsewhere_turns_them_on() -> None:
    async def scenario(sim: SimCluster) -> None:
        recorded(sim, repository={"enabled": False})
        steps: list[str] = []

        def turned(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources:
                state = judge(snapshot).state
                if not steps and state == "not recoverable":
                    recorded(sim, repository={}, credentials={"from": "generate", "username": "owner"})
                    steps.append("on")
                elif steps == ["on"] and state == "recoverable" and is_polled():
                    recorded(sim, repository={"enabled": False})
                    steps.append("off")
                return steps == ["on", "off"] and state == "not recoverable"
            return False

        commands: list[list[str]] = []

        def note(command: list[str], _: bytes) -> ExecResult | None:
            commands.append(command)
            return None

        def is_polled() -> bool:
            return any(command[:4] == ["psql", "-XAtq", "-U", "owner"] for command in commands)

        sim.runtime.programs.answers.append(note)
        result = await seen(sim, turned)
        assert state_and_reasons(result) == ("not recoverable", ["this release makes no backups"])

    on(scenario)


def test_a_release_that_is_not_there_or_cannot_be_read_is_an_error() -> None:
    async def scenario(sim: SimCluster) -> None:
        with pytest.raises(PreflightError, match="there is no release other in namespace default"):
            await observe.look(sim, ReleaseRef("default", "other"), now=clock(sim))
        sim.faults = [Fault("403", resource="secrets", times=None)]
        with pytest.raises(Forbidden, match="denied by a fault"):
            await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))

    on(scenario)


def test_a_release_removed_while_it_is_observed_is_reported_gone() -> None:
    async def scenario(sim: SimCluster) -> None:
        again = observe.Again()

        def gone(snapshot: Snapshot) -> bool:
            if (
                not snapshot.pending_sources
                and sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql"))) is not None
            ):
                sim.store.remove(record.secret_ref(ReleaseRef("default", "postgresql")))
                sim.runtime.delete(Ref(STATEFULSET, "postgresql", "default"))
                again.ask(*observe.POLL_SOURCES)
            return "release" in snapshot.failures

        result = await seen(sim, gone, again)
        assert result.failures["release"].text == "there is no release postgresql in namespace default"

    on(scenario)


def test_an_uninstall_shows_within_two_seconds_though_the_record_goes_last() -> None:
    """When it goes nothing is left that is watched and could tell."""

    async def scenario(sim: SimCluster) -> None:
        removing: list[asyncio.Task[None]] = []
        ended: list[float] = []

        async def remove() -> None:
            result = await uninstall.removal(sim, ReleaseRef("default", "postgresql"), purge_data=False)
            await uninstall.remove(result, sim, lambda _: None, now=clock(sim))
            ended.append(sim.clock.now())

        def gone(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources and not removing:
                removing.append(asyncio.create_task(remove()))
            return snapshot.is_gone

        result = await seen(sim, gone)
        await asyncio.gather(*removing)
        assert (result.missing or Missing("gone")).namespace == "there"
        assert result.at.timestamp() - ended[0] <= 2
        assert str(judge(result).reasons[1]) == (
            "still there: PersistentVolumeClaim default/postgresql-storage-postgresql-0"
        )

    on(scenario)


@pytest.mark.parametrize("denied", [False, True], ids=["the namespace may be read", "it may not"])
def test_a_namespace_deleted_while_it_is_observed_shows_within_seconds(denied: bool) -> None:
    async def scenario(sim: SimCluster) -> None:
        if denied:
            sim.faults = [Fault("403", verb="get", resource="namespaces", times=None)]
        begun: list[float] = []

        def gone(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources and not begun:
                begun.append(sim.clock.now())
                sim.runtime.delete(Ref(NAMESPACE, "default"))
            if not snapshot.is_gone or snapshot.missing is None or snapshot.objects or snapshot.crons:
                return False
            return denied or snapshot.missing.namespace == "gone"

        result = await seen(sim, gone)
        assert sim.clock.now() - begun[0] < 10
        assert result.missing is not None
        assert result.missing.namespace == ("unread" if denied else "gone")
        assert (result.missing.since or NOW).timestamp() - begun[0] < 3
        verdict = judge(result)
        assert verdict.state == "gone"
        assert len(verdict.reasons) == 1
        assert not any("denied by a fault" in str(reason) for reason in verdict.reasons)

    on(scenario)


def test_a_namespace_whose_deletion_hangs_is_named_while_its_release_runs() -> None:
    """A finalizer holds it, so the record and the database are there for long."""

    async def scenario(sim: SimCluster) -> None:
        namespace = sim.store.peek(Ref(NAMESPACE, "default"))
        assert namespace is not None
        namespace["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
        sim.store.put(namespace)
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert judge(snapshot).reasons[0].text == "namespace default is being deleted, with everything in it"

    on(scenario)


def test_a_backup_has_ended_with_its_container_and_a_sidecar_that_keeps_the_job_alive_is_a_risk() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("sidecar", "*/postgresql-pgbackrest-incr*"))
        at = datetime.fromtimestamp(sim.clock.now(), UTC)
        job = await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", at)

        def ended(snapshot: Snapshot) -> bool:
            return any(run.name == job and run.state == "succeeded" for run in snapshot.runs)

        result = await seen(sim, ended)
        assert judge(result).state == "recoverable"
        begun = sim.clock.now()
        result = await seen(sim, lambda snapshot: not snapshot.pending_sources and bool(judge(snapshot).reasons))
        assert sim.clock.now() - begun < 90
        text = (
            f"Job {job} does not end, and its schedule starts no other: its backup has ended, but another container "
            "keeps its pod running"
        )
        fix = f"Exclude the namespace from the injection of sidecars, then: kubectl -n default delete job {job}"
        assert [(reason.text, reason.fix) for reason in judge(result).reasons] == [(text, fix)]

    on(scenario)


def test_the_end_of_a_container_is_the_end_of_its_backup_even_before_the_job_has_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        at = datetime.fromtimestamp(sim.clock.now(), UTC)
        job = await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", at)

        def ended(snapshot: Snapshot) -> bool:
            return any(run.name == job and run.state == "succeeded" for run in snapshot.runs)

        result = await seen(sim, ended)
        assert health.assess(live(sim, JOB, job)).status == "progressing"
        assert result.runs[-1].ended is not None
        result = await seen(sim, lambda snapshot: ended(snapshot) and not snapshot.pending_sources)
        await sim.clock.sleep(120)
        assert health.assess(live(sim, JOB, job)).status == "ready"
        assert judge(result).state == "recoverable"

    on(scenario)


def test_a_release_that_comes_back_gets_a_new_verdict() -> None:
    async def scenario(sim: SimCluster) -> None:
        steps: list[str] = []
        kept = {
            ref: sim.store.peek(ref)
            for ref in (
                record.secret_ref(ReleaseRef("default", "postgresql")),
                Ref(STATEFULSET, "postgresql", "default"),
            )
        }

        def back(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources and not steps:
                for ref in kept:
                    sim.store.remove(ref)
                steps.append("removed")
            elif snapshot.is_gone and steps == ["removed"]:
                for obj in kept.values():
                    assert obj is not None
                    sim.store.put(obj)
                steps.append("there")
            return (
                steps == ["removed", "there"]
                and not snapshot.pending_sources
                and judge(snapshot).state == "recoverable"
            )

        assert (await seen(sim, back)).missing is None

    on(scenario)


def test_a_revision_that_is_applied_elsewhere_is_seen_within_two_seconds() -> None:
    """Of what is watched, other retention changes the first backup's Job alone, before the revision is deployed."""

    async def scenario(sim: SimCluster) -> None:
        applying: list[asyncio.Task[Any]] = []
        ended: list[float] = []

        def shown(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources and not applying:
                applying.append(asyncio.create_task(deployed(sim, answers_of(retention={"full": 5}))))
                applying[0].add_done_callback(lambda _: ended.append(sim.clock.now()))
            release = snapshot.release
            return release is not None and (release.revision, release.outcome) == (2, "deployed")

        await seen(sim, shown)
        assert sim.clock.now() - (ended[0] if ended else sim.clock.now()) <= 2
        await asyncio.gather(*applying)

    on(scenario)


def test_the_first_picture_needs_one_read_of_the_record() -> None:
    async def scenario(sim: SimCluster) -> None:
        first = len(sim.requests)
        await seen(sim, lambda snapshot: not snapshot.pending_sources)
        reads = [each for each in sim.requests[first:] if (each.verb, each.name) == ("get", "postgresql-pgwizard")]
        assert len(reads) == 1

    on(scenario)


def test_an_apply_without_a_watched_change_shows_soon_and_at_once_on_request() -> None:
    async def scenario(sim: SimCluster) -> None:
        again, changed = observe.Again(), list[float]()

        def renewed(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources and not changed:
                recorded(sim, credentials={"from": "generate", "username": "owner"})
                changed.append(sim.clock.now())
                again.ask("release")
            return snapshot.release is not None and snapshot.release.superuser == "owner"

        await seen(sim, renewed, again)
        assert sim.clock.now() - changed.pop() < 1
        recorded(sim, credentials={})
        await seen(sim, lambda snapshot: not snapshot.pending_sources)
        began = sim.clock.now()
        await seen(sim, renewed)
        assert sim.clock.now() - began <= 15

    on(scenario)


def test_half_an_hour_of_watching_polls_at_its_pace_and_leaves_no_task() -> None:
    async def scenario(sim: SimCluster) -> None:
        before, began = len(asyncio.all_tasks()), sim.clock.now()
        listeners = len(sim.store.listeners)
        count, first = 0, len(sim.requests)

        def over(snapshot: Snapshot) -> bool:
            nonlocal count
            count += 1
            assert len(snapshot.runs) <= status_snapshot.MAX_RUNS
            return sim.clock.now() - began >= 1_800

        result = await seen(sim, over)
        assert judge(result).state == "recoverable"
        assert count < 600
        execs = [request for request in sim.requests[first:] if request.resource == "pods/exec"]
        assert 260 < len(execs) < 320
        assert len(sim.store.listeners) == listeners
        assert len(asyncio.all_tasks()) == before

    on(scenario)


def test_a_deleted_file_of_a_backup_shows_within_a_minute_and_goes_away_with_its_return() -> None:
    async def scenario(sim: SimCluster) -> None:
        repository = sim.runtime.programs.repository("default")
        label = repository.backups[0]["label"]
        began, seconds = 0.0, list[float]()

        def over(snapshot: Snapshot) -> bool:
            nonlocal began
            if not began and not snapshot.pending_sources:
                assert judge(snapshot).state == "recoverable"
                repository.damaged_files[label] = [DamagedFile("bundle/1", 2_855_426)]
                began = sim.clock.now()
            if repository.damaged_files and judge(snapshot).state == "not recoverable":
                assert f"backup {label} cannot be restored: bundle/1 is missing" in state_and_reasons(snapshot)[1]
                seconds.append(sim.clock.now() - began)
                repository.damaged_files.clear()
                began = sim.clock.now()
            if seconds and judge(snapshot).state == "recoverable":
                seconds.append(sim.clock.now() - began)
            return len(seconds) == 2

        await seen(sim, over)
        assert max(seconds) <= 61

    on(scenario)


@pytest.mark.parametrize("stopped", [False, True], ids=["--no-wait", "stopped before the StatefulSet"])
def test_an_abandoned_apply_is_not_polled_fast_without_end(stopped: bool) -> None:
    async def scenario(sim: SimCluster) -> None:
        applying(sim)
        if stopped:
            sim.runtime.delete(Ref(STATEFULSET, "postgresql", "default"))
        began, counts = sim.clock.now(), dict[int, int]()

        def over(_: Snapshot) -> bool:
            for passed in (0, 600, 3_000, 3_600):
                if sim.clock.now() - began >= passed and passed not in counts:
                    counts[passed] = sum(request.name == "postgresql-pgwizard" for request in sim.requests)
            return 3_600 in counts

        await seen(sim, over)
        assert counts[600] - counts[0] > 200, "an apply that ends shows within two seconds"
        assert counts[3_600] - counts[3_000] <= 70

    on(scenario)


RETRIES = 9
"""How many times its --io-timeout ``pgbackrest info`` takes where the store does not answer: 4 in 2.45, 9 in 2.55."""
REFUSED = "[HostConnectError] unable to connect to 'minio.minio.svc:9000': [111] Connection refused"


def diagnosed(text: str) -> Diagnosis:
    known = diagnose(text)
    assert known is not None
    return known


def store_down(sim: SimCluster, timeouts: list[int]) -> None:
    """Make ``pgbackrest info`` try for as long as it does where the store refuses connections."""
    execute = sim.exec

    async def slow(*call: Any, **limits: Any) -> ExecResult:
        command = call[3]
        if command[-1] != "info":
            return await execute(*call, **limits)
        given = [part.partition("=")[2] for part in command if part.startswith("--io-timeout=")]
        timeouts.append(int(given[0]) if given else 60)
        await asyncio.sleep(RETRIES * timeouts[-1])
        status = {"code": 99, "message": REFUSED}
        answer = [{"name": "main", "status": {"code": 99, "message": "other"}, "repo": [{"status": status}]}]
        return ExecResult(json.dumps(answer).encode(), b"", 0)

    sim.exec = slow  # type: ignore[method-assign]


@pytest.mark.parametrize(("timeout_seconds", "io_timeout"), [(30, 2), (120, 8), (5, 1)])
def test_one_look_has_the_reason_of_a_store_that_is_down(timeout_seconds: float, io_timeout: int) -> None:
    async def scenario(sim: SimCluster) -> None:
        timeouts: list[int] = []
        store_down(sim, timeouts)
        snapshot = await observe.look(
            sim, ReleaseRef("default", "postgresql"), now=clock(sim), timeout_seconds=timeout_seconds
        )
        assert timeouts == [io_timeout]
        assert snapshot.pending_sources == ()
        ended = timeout_seconds > RETRIES * io_timeout
        assert snapshot.failures["repository"].text == (REFUSED if ended else f"no answer within {timeout_seconds} s")
        cause = diagnosed(REFUSED).cause if ended else f"no answer within {timeout_seconds} s"
        assert state_and_reasons(snapshot) == ("unknown", [f"the repository cannot be read: {cause}"])

    on(scenario)


def test_a_store_that_is_down_gets_a_longer_timeout_while_it_is_observed() -> None:
    async def scenario(sim: SimCluster) -> None:
        timeouts: list[int] = []
        store_down(sim, timeouts)
        result = await seen(sim, lambda snapshot: "repository" in snapshot.failures)
        assert timeouts == [5]
        assert result.failures["repository"].text == REFUSED

    on(scenario)


def test_a_store_that_does_not_answer_is_shown_while_pgbackrest_still_tries() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await seen(sim, lambda snapshot: not snapshot.pending_sources)
        assert "repository" not in result.slow_since
        store_down(sim, [])
        result = await seen(sim, lambda snapshot: "repository" in snapshot.slow_since)
        assert (result.at - result.slow_since["repository"]).total_seconds() == 5
        assert "· repository  no answer for 5 s, pgBackRest tries up to 50 s; reading" in map(str, report.facts(result))
        result = await seen(sim, lambda snapshot: "repository" in snapshot.failures)
        assert "repository" not in result.slow_since

    on(scenario)


def test_a_release_without_backups_is_seen_as_such() -> None:
    async def scenario(sim: SimCluster) -> None:
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert state_and_reasons(snapshot) == ("not recoverable", ["this release makes no backups"])
        assert (snapshot.crons, snapshot.pending_sources, snapshot.failures) == ((), (), {})

    on(scenario, answers={"repository": {"enabled": False}})


def test_one_look_distinguishes_dropped_wal_from_new_wal() -> None:
    own: list[int] = []

    def psql(command: list[str], _: bytes) -> ExecResult | None:
        dropping = f"900|{segment(900)}|2026-11-23 11:00:00+00|0|||{own[0]}|60|1|16777216|0\n0|0\n"
        return ExecResult(dropping.encode(), b"", 0) if command[0] == "psql" else None

    async def scenario(sim: SimCluster) -> None:
        own.append(sim.runtime.programs.repository("default").system_id)
        sim.runtime.programs.answers.append(psql)
        snapshot = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert snapshot.missing_wal == segment(900)
        assert judge(snapshot).reasons[0].key == "wal-dropped"

    on(scenario)


async def another(sim: SimCluster, namespace: str) -> None:
    """A second release, on the repository of the first one: its first backup fails."""
    sim.store.put(sim.store.birth({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    sim.store.put(
        {
            **live(sim, SECRET, "postgresql-pgbackrest-s3"),
            "metadata": {"name": "postgresql-pgbackrest-s3", "namespace": namespace},
        }
    )
    with pytest.raises(PgwizardError, match=r"first backup|Job"):
        await deployed(sim, answers_of(release={"namespace": namespace}))


def test_backups_of_another_release_do_not_make_this_one_recoverable() -> None:
    async def scenario(sim: SimCluster) -> None:
        await another(sim, "shop")
        programs = sim.runtime.programs
        theirs, ours = programs.repository("shop").system_id, programs.system_id("shop")
        assert theirs == programs.system_id("default") != ours
        reason = f"the repository holds another database's backups (system-id {theirs}; this database's is {ours})"
        first = await observe.look(sim, ReleaseRef("shop", "postgresql"), now=clock(sim))
        assert [run.state for run in first.runs] == ["failed"]
        assert state_and_reasons(first) == ("not recoverable", [reason])
        sim.runtime.delete(Ref(JOB, "postgresql-pgbackrest-init", "shop"))
        without = await observe.look(sim, ReleaseRef("shop", "postgresql"), now=clock(sim))
        assert (without.runs, without.backups, without.intact_backups, without.stored_bytes) == ((), (), (), 0)
        assert state_and_reasons(without) == ("not recoverable", [reason])
        assert state_and_reasons(await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))) == (
            "recoverable",
            [],
        )

    on(scenario)


def test_a_database_that_is_scaled_to_0_is_down_and_what_was_seen_of_it_before_stays() -> None:
    ref = Ref(STATEFULSET, "postgresql", "default")

    async def scenario(sim: SimCluster) -> None:
        again = observe.Again()
        states: list[str] = []

        def scaled(snapshot: Snapshot) -> bool:
            if not snapshot.pending_sources and not states:
                states.append(judge(snapshot).state)
                sim.runtime.change(ref, lambda obj: obj["spec"].update(replicas=0))
            if states and not any(known.resource == POD for known in snapshot.objects):
                again.ask("repository", "archive", "backups", "archiver", "volume")
            return {"repository", "archive", "backups", "archiver", "volume"} <= set(snapshot.failures)

        result = await seen(sim, scaled, again)
        assert states == ["recoverable"]
        assert state_and_reasons(result) == ("at risk", ["the database is down: its StatefulSet is scaled to 0"])
        assert report.run_cells(result, result.runs[0])[-1] == "29.3Mi → 3.66Mi"
        sim.runtime.change(ref, lambda obj: obj["spec"].update(replicas=1))
        back = await seen(sim, lambda snapshot: not snapshot.pending_sources and not snapshot.failures)
        assert state_and_reasons(back) == ("recoverable", [])

    on(scenario)


CRASH = ScriptedOutcome(
    "crash-loop",
    "default/postgresql-0",
    lines=("LOG:  starting PostgreSQL", "FATAL:  could not write lock file: No space left on device"),
    container="postgresql",
)


def test_a_server_that_crashes_is_diagnosed_from_its_log_as_an_apply_diagnoses_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(CRASH)
        await sim.delete(Ref(POD, "postgresql-0", "default"))
        actual = await seen(sim, lambda snapshot: bool(snapshot.crash_log))
        assert actual.crash_log is not None
        assert actual.crash_log[-1] == "FATAL: could not write lock file: No space left on device"
        reason = judge(actual).reasons[0]
        result = await applied(sim, answers_of(tuning={"connections": 42}))
        assert result.error is not None
        assert result.error.fault is not None
        assert (reason.key, reason.cause, reason.fix) == (
            result.error.fault.key,
            result.error.fault.cause,
            result.error.fault.fix,
        )
        sim.outcomes.clear()
        await sim.delete(Ref(POD, "postgresql-0", "default"))
        await seen(sim, lambda snapshot: snapshot.crash_log is None and outage(snapshot) is None)

    on(scenario)


def test_an_unknown_crash_shows_the_last_line_of_the_log() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(replace(CRASH, lines=("the moon is full",)))
        await sim.delete(Ref(POD, "postgresql-0", "default"))
        await seen(sim, lambda snapshot: snapshot.crash is not None)
        reading = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert judge(reading).reasons[0].cause == "its log ends with: the moon is full"

    on(scenario)


def test_a_defect_in_reading_the_log_of_a_crash_is_shown_and_the_log_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(CRASH)
        await sim.delete(Ref(POD, "postgresql-0", "default"))
        read, tries = rollout.crash_log, 0

        async def fail_once(*arguments: Any) -> list[str]:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise ZeroDivisionError
            return await read(*arguments)

        monkeypatch.setattr(rollout, "crash_log", fail_once)
        shown: list[tuple[str, ...]] = []

        def is_read(snapshot: Snapshot) -> bool:
            shown.append(snapshot.crash_log or ())
            return "No space left on device" in "".join(snapshot.crash_log or ())

        await seen(sim, is_read)
        assert ("(not read: a bug in pgwizard: ZeroDivisionError)",) in shown

    on(scenario)


def test_a_gap_in_a_large_archive_is_confirmed_by_a_second_full_listing() -> None:
    scopes: list[str] = []

    def large(command: list[str], _: bytes) -> ExecResult | None:
        if listing.NAME not in command[3:4]:
            return None
        scopes.append(command[5])
        folders = [f"{1:08X}{number:08X}" for number in range(20)]
        lines = ["archive 15-1", *(f"folder {folder}" for folder in folders)]
        for folder in folders if command[5] == "all" else folders[-1:]:
            lines += [f"read {folder}", f"run {folder}00000001 {folder}000000FF 1 1795814944"]
        return ExecResult("\n".join(lines).encode(), b"", 0)

    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.answers.append(large)
        await seen(sim, lambda snapshot: snapshot.archive_before is not None)
        assert scopes[:2] == ["all", "all"]
        again = observe.Again()
        await seen(sim, lambda _: len(scopes) >= 5, again)
        assert "newest" in scopes, "otherwise a poll reads the newest folders"

    on(scenario)


@pytest.mark.parametrize("scope", ["all", "newest"])
def test_the_simulated_cluster_lists_its_archive_as_the_script_does(scope: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        whole = await probes.archive(sim, Layout.of(ReleaseRef("default", "postgresql")), 5)
        known = whole if scope == "newest" else None
        result = await probes.archive(sim, Layout.of(ReleaseRef("default", "postgresql")), 5, known)
        assert result.runs.keys() == whole.runs.keys()

    on(scenario)


def test_a_job_whose_pod_admission_refuses_shows_the_words_of_the_policy() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("quota", "default/postgresql-pgbackrest-full*", message=POLICY))
        await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "full", clock(sim)())
        result = await seen(sim, lambda snapshot: any("denied" in run.message for run in snapshot.runs))
        (run,) = (run for run in result.runs if run.kind == "full")
        assert run.state == "running"
        assert run.message.startswith("waiting for its pod: the cluster refuses the pod: FailedCreate: ")
        assert POLICY in run.message

        sim.outcomes.clear()
        result = await seen(sim, lambda snapshot: [run.state for run in snapshot.runs] == ["succeeded"] * 2)
        assert [run.message for run in result.runs if run.kind == "full"] == ["complete"]

    on(scenario)


POLICY = "ValidatingAdmissionPolicy 'team-labels' with binding 'all' denied request: every pod needs the label team"
