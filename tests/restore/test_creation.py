"""A release that is gone, made again from its repository on the simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import PreflightError
from pgwizard.kube.api import NAMESPACE, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import apply, record
from pgwizard.release.changes import Change
from pgwizard.restore import creation
from pgwizard.restore import run as restore_run
from pgwizard.restore.target import RecoveryTarget, RestorePlan, choose
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import FaultKind, Killed, Request
from support import simtime
from support.faulting import CRONJOB, JOB, POD, SECRET, STATEFULSET, clock, cluster, live

PLACE = {"endpoint": "minio.minio.svc:9000", "bucket": "backups", "path": "/shop"}
ANSWERS = Answers.model_validate(
    {
        "release": {"namespace": "gone", "createNamespace": True},
        "repository": {**PLACE, "credentials": {"from": "existing", "namespace": "default"}},
    }
)
REQUEST = apply.ReleaseRequest(ANSWERS)
RELEASE = ReleaseRef("gone", "postgresql")


async def yes(_: Sequence[Change]) -> bool:
    return True


async def create(sim: SimCluster, request: apply.ReleaseRequest = REQUEST) -> apply.ApplyOutcome | None:
    return await creation.create(request, sim, lambda _: None, yes, dry_run=False, now=clock(sim))


async def lost() -> SimCluster:
    """A cluster in which the release was, and of which its bucket is left."""
    sim = cluster()
    await sim.__aenter__()
    await apply.run(REQUEST, sim, lambda _: None, yes, apply.Options(), now=clock(sim))
    await sim.clock.sleep(600)
    await sim.delete(Ref(NAMESPACE, "gone"))
    await sim.clock.sleep(120)
    assert sim.store.find(POD, "gone") == []
    return sim


async def restored(sim: SimCluster) -> None:
    preparation = await restore_run.prepare(sim, RELEASE)
    assert preparation.view is not None
    plan = choose(preparation.view, RecoveryTarget("latest"), clock(sim)())
    assert isinstance(plan, RestorePlan)
    await restore_run.run(RELEASE, restore_run.new_journal(plan, clock(sim)), sim, lambda _: None, now=clock(sim))


def kept(sim: SimCluster) -> record.Record:
    return record.read(live(sim, SECRET, "postgresql-pgwizard", "gone"))


def test_a_release_that_is_gone_is_made_without_its_server_and_restored() -> None:
    async def scenario() -> None:
        sim = await lost()
        pods = list[str]()
        sim.store.listeners.append(
            lambda change: pods.append(change[2]["metadata"]["name"]) if change[2]["kind"] == "Pod" else None
        )
        made = await create(sim)
        assert made is not None
        assert (made.result, kept(sim).awaits_restore) == ("applied", True)
        assert live(sim, STATEFULSET, "postgresql", "gone")["spec"]["replicas"] == 0
        assert sim.store.find(JOB, "gone") == []
        assert pods == []
        with pytest.raises(PreflightError, match="a restore of release postgresql in namespace gone has not ended"):
            await apply.run(REQUEST, sim, lambda _: None, yes, apply.Options(), now=clock(sim))
        assert await create(sim) is None

        await restored(sim)
        repository = sim.runtime.programs.repository("gone")
        assert (repository.timeline, sum(each["type"] == "full" for each in repository.backups)) == (2, 2)
        assert sim.runtime.programs.system_id("gone") == repository.system_id
        assert (kept(sim).awaits_restore, len(kept(sim).restorations)) == (False, 1)
        assert not live(sim, CRONJOB, "postgresql-pgbackrest-full", "gone")["spec"].get("suspend")
        again = await apply.run(REQUEST, sim, lambda _: None, yes, apply.Options(), now=clock(sim))
        assert again.result == "deployed"
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_a_creation_that_was_stopped_resumes() -> None:
    async def scenario() -> None:
        sim = await lost()

        def struck(request: Request) -> FaultKind | None:
            return "kill-before" if request.is_write and request.resource == "statefulsets" else None

        sim.faults.append(struck)
        task = asyncio.create_task(create(sim))
        await asyncio.wait([task])
        assert isinstance(task.exception(), Killed)
        sim.faults.clear()
        await sim.clock.sleep(60)
        assert await create(sim) is not None
        assert live(sim, STATEFULSET, "postgresql", "gone")["spec"]["replicas"] == 0
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_a_release_that_exists_or_shares_its_repository_is_refused() -> None:
    async def scenario() -> None:
        sim = cluster()
        async with sim:
            await apply.run(REQUEST, sim, lambda _: None, yes, apply.Options(), now=clock(sim))
            with pytest.raises(PreflightError, match="release postgresql in namespace gone exists"):
                await create(sim)
            other = ANSWERS.model_copy(
                update={"release": ANSWERS.release.model_copy(update={"namespace": "elsewhere"})}
            )
            with pytest.raises(PreflightError, match="release gone/postgresql backs up to backups/shop too"):
                await create(sim, apply.ReleaseRequest(other))

    simtime.run(scenario())
