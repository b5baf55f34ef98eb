"""A live release that others have changed: status, dry run and apply read it, and what an apply announces happens."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import Finding, Forbidden, PreflightError
from pgwizard.kube.api import Object, Ref, WriteResult, find_object
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, record, records, uninstall
from pgwizard.release.layout import Layout
from pgwizard.simulator.cluster import SimCluster
from pgwizard.status import observe
from pgwizard.status.verdict import outage
from support.faulting import (
    CLAIM,
    CONFIGMAP,
    CRONJOB,
    JOB,
    POD,
    SECRET,
    SERVICE,
    STATEFULSET,
    applied,
    clock,
    live,
)
from support.observing import on
from support.snapshots import state_and_reasons

RELEASE = ReleaseRef("default", "postgresql")
INSTANCE = "app.kubernetes.io/instance"
FULL, INCREMENTAL = "postgresql-pgbackrest-full", "postgresql-pgbackrest-incr"


async def changed(sim: SimCluster, ref: Ref, change: Callable[[Object], Any], manager: str) -> None:
    """What a person or a controller writes: the object with a change, as that field manager."""
    new = copy.deepcopy(await sim.get(ref))
    change(new)
    await sim.guest(manager=manager).patch(ref, new)
    await sim.clock.sleep(60)  # controllers act


def inventory(sim: SimCluster) -> tuple[Ref, ...]:
    return record.read(live(sim, SECRET, "postgresql-pgwizard")).inventory


async def relabelled(sim: SimCluster) -> None:
    """As ``kubectl label --overwrite`` does, and Argo CD with the name of its application; on the templates too."""

    def change(obj: Object) -> None:
        obj["metadata"].setdefault("labels", {})[INSTANCE] = "shop"
        if obj["kind"] == "CronJob":
            template = obj["spec"]["jobTemplate"]
            template["metadata"]["labels"][INSTANCE] = "shop"
            template["spec"]["template"]["metadata"]["labels"][INSTANCE] = "shop"

    refs = [*inventory(sim), record.secret_ref(RELEASE), Ref(POD, "postgresql-0", "default")]
    for ref in refs:
        await changed(sim, ref, change, "argocd-controller")


def test_a_release_whose_labels_another_tool_rewrote_is_found_by_its_names() -> None:
    async def scenario(sim: SimCluster) -> None:
        def metadata_alone(obj: Object) -> None:
            obj["metadata"].setdefault("labels", {})[INSTANCE] = "shop"

        for ref in (*inventory(sim), record.secret_ref(RELEASE)):
            await changed(sim, ref, metadata_alone, "argocd-controller")
        uid = live(sim, POD, "postgresql-0")["metadata"]["uid"]

        seen = await observe.look(sim, RELEASE, now=clock(sim))
        assert state_and_reasons(seen) == ("recoverable", [])
        assert [cron.kind for cron in seen.crons] == ["full", "incr", "verify"]
        assert seen.release is not None
        assert await observe.database_outage(sim, RELEASE, seen.release, now=clock(sim)) is None

        again = await applied(sim)
        assert again.outcome is not None
        assert (again.outcome.headline, again.writes) == ("Already up to date.", [])
        assert live(sim, SERVICE, "postgresql")["metadata"]["labels"][INSTANCE] == "shop"
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == uid

        job = await backups.backup_now(sim, Layout.of(RELEASE), "full", clock(sim)())
        await sim.clock.sleep(600)
        jobs = await backups.newest_first(sim, Layout.of(RELEASE))
        assert [item["metadata"]["name"] for item in jobs] == [job, "postgresql-pgbackrest-init"]
        log = [line async for line in backups.log(sim, RELEASE, job)]
        assert any("backup command end: completed successfully" in line for line in log)

        assert [item.ref for item in await records.releases(sim, "default")] == [RELEASE]
        removal = await uninstall.removal(sim, RELEASE, purge_data=True)
        await uninstall.remove(removal, sim, lambda _: None, now=clock(sim))
        assert sim.store.peek(Ref(STATEFULSET, "postgresql", "default")) is None
        assert sim.store.peek(Ref(CLAIM, "postgresql-storage-postgresql-0", "default")) is None

    on(scenario)


def test_an_object_of_the_record_stays_ours_where_another_tool_is_named_in_its_label() -> None:
    async def scenario(sim: SimCluster) -> None:
        def helm(obj: Object) -> None:
            obj["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"

        ref = Ref(STATEFULSET, "postgresql", "default")
        await changed(sim, ref, helm, "kubectl-label")
        uid = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        dry = await applied(sim, dry_run=True)
        assert dry.error is None
        again = await applied(sim)
        assert again.outcome is not None
        assert (again.outcome.headline, again.writes) == ("Already up to date.", [])
        tuned = await applied(sim, Answers.model_validate({"storage": {"size": "20Gi"}}))
        assert tuned.error is None
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == uid

    on(scenario)


def test_a_job_belongs_to_the_release_whose_cron_job_made_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        await relabelled(sim)
        job = await backups.backup_now(sim, Layout.of(RELEASE), "incr", clock(sim)())
        mine = live(sim, JOB, job)
        other = copy.deepcopy(mine)
        other["metadata"] = {"name": "lookalike", "namespace": "default", "labels": {INSTANCE: "postgresql"}}
        for key in ("selector", "manualSelector"):
            other["spec"].pop(key, None)
        other["spec"]["template"]["metadata"] = {}
        other.pop("status", None)
        await sim.guest(manager="kubectl-create").create(other)
        await sim.clock.sleep(600)
        seen = await observe.look(sim, RELEASE, now=clock(sim))
        assert {run.name: run.kind for run in seen.runs} == {job: "incr", "postgresql-pgbackrest-init": "init"}

    on(scenario)


def template(change: Callable[[dict[str, Any]], Any]) -> Callable[[Object], Any]:
    return lambda obj: change(obj["spec"]["template"])


CHANGES: list[Any] = [
    pytest.param(
        Ref(STATEFULSET, "postgresql", "default"),
        template(lambda pod: pod["spec"]["containers"].append({"name": "istio-proxy", "image": "istio/proxyv2:1.27"})),
        "kubectl-edit",
        id="a sidecar in the pod's template",
    ),
    pytest.param(
        Ref(STATEFULSET, "postgresql", "default"),
        template(lambda pod: pod["spec"]["containers"].insert(0, {"name": "a-proxy", "image": "istio/proxyv2:1.27"})),
        "kubectl-edit",
        id="a sidecar before the database",
    ),
    pytest.param(
        Ref(STATEFULSET, "postgresql", "default"),
        template(
            lambda pod: pod["metadata"]["annotations"].update(
                {"kubectl.kubernetes.io/restartedAt": "2026-11-28T06:00:00Z"}
            )
        ),
        "kubectl-rollout",
        id="a restart by kubectl",
    ),
    pytest.param(
        Ref(STATEFULSET, "postgresql", "default"),
        template(lambda pod: pod["spec"].update(priorityClassName="high", nodeSelector={"disk": "ssd"})),
        "kubectl-edit",
        id="fields of the template that pgwizard does not write",
    ),
    pytest.param(
        Ref(STATEFULSET, "postgresql", "default"),
        template(
            lambda pod: pod["spec"]["containers"][0]["resources"]["limits"].update({"ephemeral-storage": "1500m"})
        ),
        "autopilot",
        id="a quantity in thousandths",
    ),
    pytest.param(
        Ref(CRONJOB, FULL, "default"), lambda obj: obj["spec"].update(suspend=True), "kubectl-patch", id="suspended"
    ),
    pytest.param(
        Ref(CLAIM, "postgresql-storage-postgresql-0", "default"),
        lambda obj: obj["spec"]["resources"]["requests"].update(storage="3e10"),
        "kubectl-patch",
        id="a claim that was grown",
    ),
    pytest.param(
        Ref(CONFIGMAP, "postgresql-pgbackrest-config", "default"),
        lambda obj: obj["data"].update({"extra.conf": "of another tool\n"}),
        "kubectl-edit",
        id="a key of another tool in a ConfigMap",
    ),
    pytest.param(
        Ref(SERVICE, "postgresql", "default"),
        lambda obj: obj["spec"].update(externalIPs=["192.0.2.7"]),
        "kubectl-patch",
        id="a Service with an address",
    ),
]


@pytest.mark.parametrize(("ref", "change", "manager"), CHANGES)
def test_what_an_apply_announces_of_a_changed_release_happens(
    ref: Ref, change: Callable[[Object], Any], manager: str
) -> None:
    async def scenario(sim: SimCluster) -> None:
        await changed(sim, ref, change, manager)
        uid, version = live(sim, POD, "postgresql-0")["metadata"]["uid"], live(sim, ref.resource, ref.name)

        seen = await observe.look(sim, RELEASE, now=clock(sim))
        assert seen.failures == {}
        assert outage(seen) is None

        dry = await applied(sim, dry_run=True)
        assert dry.error is None
        again = await applied(sim)
        assert again.outcome is not None
        assert again.outcome.headline == "Already up to date."
        assert [item for item in again.outcome.changes if item.action != "unchanged"] == []
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == uid
        assert live(sim, ref.resource, ref.name) == version

    on(scenario)


def test_an_apply_and_a_dry_run_warn_of_a_suspended_schedule_and_leave_it_so() -> None:
    async def scenario(sim: SimCluster) -> None:
        await backups.set_suspend(sim, FULL, "default", suspend=True)
        warned = Finding(
            text="the schedule postgresql-pgbackrest-full is suspended, and this apply does not resume it",
            severity="warning",
            key="status-suspended",
            fix="Resume it: pgwizard status, key s.",
        )
        size = Answers.model_validate({"schedule": {"full": "0 3 * * 0"}})
        for run in (await applied(sim, dry_run=True), await applied(sim), await applied(sim, size)):
            assert run.error is None
            assert [event.finding for event in run.events if event.kind == "warning"] == [warned]
        assert live(sim, CRONJOB, FULL)["spec"]["suspend"] is True
        assert live(sim, CRONJOB, FULL)["spec"]["schedule"] == "0 3 * * 0"

        await backups.set_suspend(sim, FULL, "default", suspend=False)
        assert [event for event in (await applied(sim)).events if event.kind == "warning"] == []

    on(scenario)


def test_an_apply_during_a_restore_does_not_advise_to_resume_what_the_restore_has_suspended() -> None:
    async def scenario(sim: SimCluster) -> None:
        kept, _ = await records.get(sim, RELEASE)
        reached = record.Restoration(
            "2026-11-28T10:00:00+00:00", is_finished=False, details={"receipt": {"lsn": "0/1"}}
        )
        await sim.apply(kept.with_restore(reached).secret(), force=True)
        for schedule in (FULL, INCREMENTAL):
            await backups.set_suspend(sim, schedule, "default", suspend=True)
        run = await applied(sim, dry_run=True)
        assert run.error is None
        assert [event.finding for event in run.events if event.kind == "warning"] == [
            Finding(
                text="the schedules are suspended by a restore that has not ended",
                severity="warning",
                fix="It resumes them at its end. Where it was stopped: pgwizard restore postgresql -n default",
            )
        ]

    on(scenario)


@pytest.mark.parametrize(("sidecar", "restarts"), [(False, False), (True, True)])
def test_a_growth_announces_a_restart_where_the_pod_has_what_a_new_stateful_set_would_lack(
    sidecar: bool, restarts: bool
) -> None:
    async def scenario(sim: SimCluster) -> None:
        if sidecar:
            ref, change, manager = CHANGES[0].values
            await changed(sim, ref, change, manager)
        uid = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        grown = await applied(sim, Answers.model_validate({"storage": {"size": "20Gi"}}))
        assert grown.outcome is not None
        (database,) = [item for item in grown.outcome.changes if item.ref.resource == STATEFULSET]
        assert (database.action, database.restarts) == ("replace", restarts)
        assert database.why == "the volume grows from 10Gi" + ("" if restarts else "; the pod keeps running")
        assert (live(sim, POD, "postgresql-0")["metadata"]["uid"] != uid) is restarts

    on(scenario)


@pytest.mark.parametrize("full", ["jobs.batch", "statefulsets.apps"])
def test_a_quota_that_is_full_of_the_release_s_own_objects_does_not_stop_an_upgrade(
    full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(sim: SimCluster) -> None:
        create, refused = sim.create, list[str]()
        uid = live(sim, POD, "postgresql-0")["metadata"]["uid"]

        async def limited(obj: Object, *, dry_run: bool = False) -> WriteResult:
            ref = Ref.of(obj)
            if f"{ref.resource.plural}.{ref.resource.group}" == full and dry_run:
                refused.append(ref.name)
                counted = f"count/{full}"
                raise Forbidden(
                    f'{full} "{ref.name}" is forbidden: exceeded quota: small, requested: {counted}=1, '
                    f"used: {counted}=1, limited: {counted}=1",
                    status=403,
                )
            return await create(obj, dry_run=dry_run)

        monkeypatch.setattr(sim, "create", limited)
        grown = await applied(sim, Answers.model_validate({"storage": {"size": "20Gi"}}))
        assert grown.outcome is not None
        assert len(refused) == 1
        (database,) = [item for item in grown.outcome.changes if item.ref.resource == STATEFULSET]
        assert (database.action, database.restarts) == ("replace", False)
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == uid

    on(scenario)


@pytest.mark.parametrize("counted", ["jobs.batch", "statefulsets.apps"])
@pytest.mark.parametrize("recounts", [True, False])
def test_a_quota_that_counts_the_deleted_object_for_a_moment_longer_is_waited_for(
    counted: str, recounts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(sim: SimCluster) -> None:
        refusals = list[str]()

        def quota(write: Callable[..., Awaitable[WriteResult]]) -> Callable[..., Awaitable[WriteResult]]:
            async def limited(obj: Object, *, dry_run: bool = False, **options: bool) -> WriteResult:
                ref = Ref.of(obj)
                is_counted = f"{ref.resource.plural}.{ref.resource.group}" == counted
                if is_counted and await find_object(sim, ref) is None:
                    if not dry_run:
                        refusals.append(ref.name)
                    if dry_run or not recounts or len(refusals) < 4:
                        raise Forbidden(
                            f'{counted} "{ref.name}" is forbidden: exceeded quota: small, '
                            f"requested: count/{counted}=1, used: count/{counted}=1, limited: count/{counted}=1",
                            status=403,
                        )
                return await write(obj, dry_run=dry_run, **options)

            return limited

        monkeypatch.setattr(sim, "create", quota(sim.create))
        if counted == "statefulsets.apps":
            monkeypatch.setattr(sim, "apply", quota(sim.apply))
        grown = await applied(
            sim, Answers.model_validate({"storage": {"size": "20Gi"}, "schedule": {"full": "0 3 * * 0"}})
        )
        if recounts:
            assert grown.outcome is not None
            assert grown.outcome.result == "deployed"
            assert refusals == [refusals[0]] * 4
        else:
            assert "exceeded quota: small" in str(grown.error)

    on(scenario)


def test_a_refusal_of_an_object_that_is_tried_under_another_name_has_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(sim: SimCluster) -> None:
        async def refuse(obj: Object, *, dry_run: bool = False) -> WriteResult:
            raise Forbidden(f'jobs.batch "{obj["metadata"]["name"]}" is forbidden: no', status=403)

        monkeypatch.setattr(sim, "create", refuse)
        run = await applied(sim, Answers.model_validate({"schedule": {"full": "0 3 * * 0"}}))
        assert isinstance(run.error, PreflightError)
        assert [finding.text for finding in run.error.findings] == [
            'jobs.batch "postgresql-pgbackrest-init" is forbidden: no'
        ]

    on(scenario)


def test_a_growth_after_a_restart_by_kubectl_announces_that_the_pod_restarts_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        ref, change, manager = next(item.values for item in CHANGES if item.id == "a restart by kubectl")
        await changed(sim, ref, change, manager)
        uid = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        grown = await applied(sim, Answers.model_validate({"storage": {"size": "20Gi"}}))
        assert grown.outcome is not None
        (database,) = [item for item in grown.outcome.changes if item.ref.resource == STATEFULSET]
        assert database.restarts == (live(sim, POD, "postgresql-0")["metadata"]["uid"] != uid)

    on(scenario)
