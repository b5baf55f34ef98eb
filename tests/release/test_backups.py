"""Backups that are started now, schedules that rest, and the logs of Jobs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pgwizard.errors import Forbidden, NotFound, PreflightError
from pgwizard.kube.api import Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups
from pgwizard.release.layout import Layout
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, ScriptedOutcome
from pgwizard.status import observe
from pgwizard.status.repository import RepositoryInfo
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import judge
from support.faulting import CRONJOB, JOB, clock, live
from support.observing import on, seen
from support.snapshots import FIT_NAME, HOSTILE_NAME, UNKNOWN_KEY


def test_a_backup_now_is_seen_running_and_done() -> None:
    async def scenario(sim: SimCluster) -> None:
        name = await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", clock(sim)())
        made = live(sim, JOB, name)
        assert made["metadata"]["ownerReferences"][0]["name"] == "postgresql-pgbackrest-incr"
        assert made["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
        states: list[str] = []

        def done(snapshot: Snapshot) -> bool:
            states.extend(item.state for item in snapshot.runs if item.name == name)
            return len(snapshot.backups) == 2

        result = await seen(sim, done)
        assert list(dict.fromkeys(states)) == ["running", "succeeded"]
        assert [item.type for item in result.backups] == ["full", "incr"]
        assert [line async for line in backups.log(sim, ReleaseRef("default", "postgresql"), name)][-1].endswith(
            "expire command end: completed successfully (49ms)"
        )

    on(scenario)


def test_two_backups_of_one_second_are_two_jobs() -> None:
    async def scenario(sim: SimCluster) -> None:
        release, at = ReleaseRef("default", "postgresql"), clock(sim)()
        names = [await backups.backup_now(sim, Layout.of(release), "incr", at) for _ in range(2)]
        assert len(set(names)) == len([live(sim, JOB, name) for name in names]) == 2

    on(scenario)


def test_a_full_backup_of_a_release_with_a_long_name_counts_as_full() -> None:
    """Its Job's name is cut before it says what it takes."""
    name = "a-release-whose-name-fills-its-limit"

    async def scenario(sim: SimCluster) -> None:
        await asyncio.sleep(5)  # the controller sees the end of the first Job
        job = await backups.backup_now(sim, Layout.of(ReleaseRef("default", name)), "full", clock(sim)())
        snapshot = await observe.look(sim, ReleaseRef("default", name), now=clock(sim))
        assert [(run.kind, run.state) for run in snapshot.runs if run.name == job] == [("full", "running")]
        empty = judge(replace(snapshot, repository=RepositoryInfo(())))
        assert empty.reasons[0].fix == f"Job {job} is taking one."

    on(scenario, answers={"release": {"namespace": "default", "name": name}})


def test_a_backup_that_fails_names_cause_and_fix() -> None:
    fate = ScriptedOutcome("job-failed", who="*/postgresql-pgbackrest-incr*", lines=(UNKNOWN_KEY,), exit_code=39)

    async def scenario(sim: SimCluster) -> None:
        name = await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", clock(sim)())
        result = await seen(sim, lambda snapshot: any(item.fault for item in snapshot.runs))
        broken = next(item for item in result.runs if item.name == name)
        assert (broken.state, broken.tail) == ("failed", (UNKNOWN_KEY,))
        assert broken.fault is not None
        assert broken.fault.fix
        assert judge(result).state == "at risk"
        assert judge(result).reasons[0].key == broken.fault.key

    on(scenario, outcomes=[fate])


def test_a_refused_backup_has_the_server_s_reason() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [Fault("403", verb="create", resource="jobs")]
        with pytest.raises(Forbidden, match="denied by a fault"):
            await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "full", clock(sim)())
        sim.faults = []
        await sim.delete(Ref(CRONJOB, "postgresql-pgbackrest-full", "default"))
        with pytest.raises(NotFound, match="postgresql-pgbackrest-full"):
            await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "full", clock(sim)())

    on(scenario)


def test_a_schedule_is_suspended_and_resumed() -> None:
    async def scenario(sim: SimCluster) -> None:
        name = "postgresql-pgbackrest-incr"
        await backups.set_suspend(sim, name, "default", suspend=True)
        resting = await seen(sim, lambda snapshot: any(item.suspended for item in snapshot.crons))
        assert [item.name for item in resting.crons if resting.next_run(item) is None] == [name]
        await backups.set_suspend(sim, name, "default", suspend=False)
        reading = await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim))
        assert [item.suspended for item in reading.crons] == [False, False, False]
        sim.faults = [Fault("403", verb="patch", resource="cronjobs")]
        with pytest.raises(Forbidden, match="denied by a fault"):
            await backups.set_suspend(sim, name, "default", suspend=True)

    on(scenario)


def test_a_job_without_a_pod_has_no_log() -> None:
    async def scenario(sim: SimCluster) -> None:
        for name, fit in (("none", "none"), (HOSTILE_NAME, FIT_NAME)):
            with pytest.raises(PreflightError) as caught:
                _ = [line async for line in backups.log(sim, ReleaseRef("default", "postgresql"), name)]
            assert str(caught.value) == f"Job default/{fit} has no pod, so there is no log of it"

    on(scenario)
