"""A clone on the simulated cluster: another release with the data of its source, which is only read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import PreflightError
from pgwizard.kube.api import ExecResult
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import apply, clone, record
from pgwizard.release.changes import Change
from pgwizard.restore import creation, preview
from pgwizard.restore import run as restore_run
from pgwizard.restore.target import RecoveryTarget, RestorePlan, choose
from pgwizard.simulator.cluster import SimCluster
from support import simtime
from support.faulting import CONFIGMAP, JOB, SECRET, STATEFULSET, clock, cluster, live

SHOP = Answers.model_validate(
    {
        "release": {"namespace": "default"},
        "credentials": {"from": "generate", "username": "admin"},
        "repository": {"path": "/shop", "credentials": {"from": "existing"}},
        "tuning": {"parameters": {"shared_preload_libraries": "pg_cron"}},
    }
)
SOURCE, INTO = ReleaseRef("default", "postgresql"), ReleaseRef("staging", "copy")


async def yes(_: Sequence[Change]) -> bool:
    return True


async def shop() -> SimCluster:
    sim = cluster()
    await sim.__aenter__()
    await apply.run(apply.ReleaseRequest(SHOP), sim, lambda _: None, yes, apply.Options(), now=clock(sim))
    await sim.clock.sleep(600)
    return sim


async def cloned_objects(sim: SimCluster, **repository: Any) -> apply.ReleaseRequest:
    source = await clone.source_request(sim, SOURCE)
    request = await clone.clone_request(sim, source, INTO)
    answers = request.answers
    own = answers.repository.model_copy(update=repository)
    request = apply.ReleaseRequest(answers.model_copy(update={"repository": own}), request.secrets)
    origin = clone.origin_of(source.answers, str(SOURCE))
    await creation.create(request, sim, lambda _: None, yes, dry_run=False, now=clock(sim), origin=origin)
    return request


async def restored(sim: SimCluster) -> None:
    preparation = await restore_run.prepare(sim, INTO)
    assert preparation.view is not None
    assert preparation.origin is not None
    plan = choose(preparation.view, RecoveryTarget("latest"), clock(sim)())
    assert isinstance(plan, RestorePlan)
    await restore_run.run(INTO, restore_run.new_journal(plan, clock(sim)), sim, lambda _: None, now=clock(sim))


def kept(sim: SimCluster) -> record.Record:
    return record.read(live(sim, SECRET, "copy-pgwizard", "staging"))


def test_a_clone_has_the_sources_data_and_an_archive_of_its_own() -> None:
    async def scenario() -> None:
        sim = await shop()
        source = sim.runtime.programs.repository("default")
        before = copy.deepcopy(source)
        made = await cloned_objects(sim)
        assert live(sim, STATEFULSET, "copy", "staging")["spec"]["replicas"] == 0
        assert (
            "repo1-path=/staging/copy\n"
            in live(sim, CONFIGMAP, "copy-pgbackrest-config", "staging")["data"]["pgbackrest.conf"]
        )
        await restored(sim)
        own = sim.runtime.programs.repository("staging")
        assert source == before, "the source is only read"
        assert (own.system_id, own.timeline, [each["type"] for each in own.backups]) == (source.system_id, 2, ["full"])
        origin = kept(sim).origin
        assert origin is not None
        assert origin == record.Origin(
            "default/postgresql",
            "minio.minio.svc:9000",
            "backups",
            "us-east-1",
            "/shop",
            "path",
            source.backups[-1]["label"],
            origin.reached_at,
        )
        assert datetime.fromisoformat(origin.reached_at) < clock(sim)()
        assert not kept(sim).reads_origin
        again = await apply.run(made, sim, lambda _: None, yes, apply.Options(), now=clock(sim))
        assert again.result == "deployed"
        assert kept(sim).origin == origin
        with pytest.raises(PreflightError, match="is a clone, and was not restored since: there is nothing to undo"):
            await restore_run.plan_undo(sim, await restore_run.prepare(sim, INTO), clock(sim))
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_a_clone_is_previewed_before_it_is_restored() -> None:
    async def scenario() -> None:
        sim = await shop()
        await cloned_objects(sim)
        prepared = await preview.prepare(sim, INTO)
        target = RecoveryTarget("latest")
        plan = await restore_run.plan_to(sim, prepared, target, clock(sim))
        assert isinstance(plan, RestorePlan)
        opened = await preview.start(sim, prepared, target, plan, report=lambda _: None, now=clock(sim))
        assert opened.reached_state.at is not None
        [container] = live(sim, JOB, "copy-preview", "staging")["spec"]["template"]["spec"]["containers"]
        assert {"name": "PGBACKREST_REPO1_PATH", "value": "/shop"} in container["env"]
        assert await preview.end(sim, INTO, lambda _: None)
        await restored(sim)
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_a_source_that_was_corrected_before_the_restore_is_the_one_that_is_read() -> None:
    async def scenario() -> None:
        sim = await shop()
        request = await clone.clone_request(sim, await clone.source_request(sim, SOURCE), INTO)
        right = clone.origin_of(SHOP, str(SOURCE))
        for origin in (replace(right, path="/nowhere"), right):
            await creation.create(request, sim, lambda _: None, yes, dry_run=False, now=clock(sim), origin=origin)
            assert kept(sim).origin == origin
        again = await creation.create(request, sim, lambda _: None, yes, dry_run=False, now=clock(sim), origin=right)
        assert again is None, "nothing is left to apply"
        await restored(sim)
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_the_answers_of_a_clone_are_its_sources_with_jobs_and_subscriptions_asleep() -> None:
    async def scenario() -> None:
        sim = await shop()
        request = await clone.clone_request(sim, await clone.source_request(sim, SOURCE), ReleaseRef("other", "copy"))
        source, result = (each.model_dump(by_alias=True, mode="json") for each in (SHOP, request.answers))
        assert {name: section for name, section in result.items() if section != source[name]} == {
            "release": {"name": "copy", "namespace": "other", "createNamespace": True, "database": "myapp"},
            "repository": {
                **source["repository"],
                "path": "/other/copy",
                "credentials": {**source["repository"]["credentials"], "namespace": "default"},
            },
            "tuning": {
                **source["tuning"],
                "parameters": {
                    "shared_preload_libraries": "pg_cron",
                    "max_logical_replication_workers": "0",
                    "cron.launch_active_jobs": "off",
                },
            },
        }
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_an_archive_path_that_another_database_has_is_refused() -> None:
    async def scenario() -> None:
        sim = await shop()
        with pytest.raises(PreflightError, match=r"the clone would archive into default/postgresql \(backups/shop\)"):
            await cloned_objects(sim, path="/shop")
        await cloned_objects(sim)
        own = sim.runtime.programs.repository("staging")
        own.system_id = sim.runtime.programs.repository("default").system_id
        with pytest.raises(PreflightError, match="holds backups of the same database; nothing was restored"):
            await restore_run.prepare(sim, INTO)
        own.system_id = 7
        with pytest.raises(PreflightError, match="holds backups of another database, 7; nothing was restored"):
            await restore_run.prepare(sim, INTO)
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())


def test_an_image_of_another_major_version_is_refused() -> None:
    async def scenario() -> None:
        sim = await shop()
        await cloned_objects(sim)

        def newer(command: list[str], _: bytes) -> ExecResult | None:
            return ExecResult(b"postgres (PostgreSQL) 17.2\n", b"", 0) if command[0] == "postgres" else None

        sim.runtime.programs.answers.append(newer)
        with pytest.raises(PreflightError, match="are of PostgreSQL 15, and the image has PostgreSQL 17"):
            await restore_run.prepare(sim, INTO)
        await sim.__aexit__(None, None, None)

    simtime.run(scenario())
