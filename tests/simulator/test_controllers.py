"""Pods, claims, Jobs and CronJobs: how they go well, and every scripted way in which they do not."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pgwizard.errors import NotFound
from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.simulator.clock import ManualClock
from pgwizard.simulator.faults import ScriptedOutcome
from pgwizard.simulator.runtime import Runtime
from support.simulated import (
    CLAIM,
    CRONJOB,
    EVENT,
    JOB,
    POD,
    STATEFULSET,
    Cluster,
    job,
    listed,
    ref,
    run,
    secret,
    statefulset,
)

DATABASE = ref(POD, "postgresql-0")


def conditions(obj: Object) -> dict[str, str]:
    return {item["type"]: item["status"] for item in obj["status"].get("conditions", ())}


async def reasons(sim: Cluster, *, warning: bool = True) -> set[str]:
    kind = "Warning" if warning else "Normal"
    return {event["reason"] for event in await listed(sim, EVENT, fields=f"type={kind}")}


async def waiting(sim: Cluster) -> dict[str, Any]:
    pod = await sim.get(DATABASE)
    state: dict[str, dict[str, Any]] = pod["status"]["containerStatuses"][0]["state"]
    return state.get("waiting", {})


async def installed(sim: Cluster) -> Object:
    await sim.apply(statefulset())
    await sim.until(30)
    return await sim.get(DATABASE)


def test_a_defect_of_a_controller_is_raised_when_the_cluster_is_closed() -> None:
    async def fail(_: Runtime, __: Ref) -> float | None:
        raise KeyError("defect")

    async def scenario(sim: Cluster) -> None:
        sim.runtime._reconcilers = {"Job": fail}
        await sim.apply(job("a"))
        await sim.until(1)

    with pytest.raises(KeyError, match="defect"):
        run(scenario)


def test_a_stateful_set_becomes_ready() -> None:
    async def scenario(sim: Cluster) -> None:
        pod = await installed(sim)
        assert conditions(pod)["Ready"] == "True"
        assert pod["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
        status = (await sim.get(ref(STATEFULSET, "postgresql")))["status"]
        assert (status["readyReplicas"], status["observedGeneration"]) == (1, 1)
        assert status["currentRevision"] == status["updateRevision"]
        claim = await sim.get(ref(CLAIM, "postgresql-storage-postgresql-0"))
        assert claim["status"]["phase"] == "Bound"
        assert {"Scheduled", "Started", "SuccessfulCreate"} <= await reasons(sim, warning=False)
        assert not await reasons(sim)

    run(scenario)


def test_a_claim_grows() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        target = ref(CLAIM, "postgresql-storage-postgresql-0")
        await sim.patch(target, {"spec": {"resources": {"requests": {"storage": "20Gi"}}}})
        await sim.until(10)
        assert (await sim.get(target))["status"]["capacity"] == {"storage": "20Gi"}

    run(scenario)


def test_a_new_template_replaces_the_pod() -> None:
    async def scenario(sim: Cluster) -> None:
        before = await installed(sim)
        changed = statefulset()
        changed["spec"]["template"]["metadata"]["annotations"] = {"checksum": "2"}
        await sim.apply(changed)
        await sim.until(30)
        after = await sim.get(DATABASE)
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert conditions(after)["Ready"] == "True"

    run(scenario)


def test_orphans_are_adopted_and_not_restarted() -> None:
    async def scenario(sim: Cluster) -> None:
        before = await installed(sim)
        await sim.delete(ref(STATEFULSET, "postgresql"), propagation="Orphan")
        await sim.until(10)
        assert "ownerReferences" not in (await sim.get(DATABASE))["metadata"]
        await sim.apply(statefulset())
        await sim.until(10)
        after = await sim.get(DATABASE)
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        owner = (await sim.get(ref(STATEFULSET, "postgresql")))["metadata"]["uid"]
        assert after["metadata"]["ownerReferences"][0]["uid"] == owner

    run(scenario)


def test_deletion_takes_the_pod_and_leaves_the_claim() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        await sim.delete(ref(STATEFULSET, "postgresql"))
        await sim.until(10)
        with pytest.raises(NotFound):
            await sim.get(DATABASE)
        await sim.get(ref(CLAIM, "postgresql-storage-postgresql-0"))

    run(scenario)


@pytest.mark.parametrize(("kind", "reason"), [("image-pull", "ImagePullBackOff"), ("crash-loop", "CrashLoopBackOff")])
def test_a_container_that_does_not_start_waits_with_its_reason(kind: Any, reason: str) -> None:
    async def scenario(sim: Cluster) -> None:
        sim.outcomes.append(ScriptedOutcome(kind, "default/postgresql-0", lines=("FATAL:  out of luck",)))
        pod = await installed(sim)
        assert conditions(pod)["Ready"] == "False"
        assert (await waiting(sim))["reason"] == reason
        assert "BackOff" in await reasons(sim)
        if kind == "crash-loop":
            status = pod["status"]["containerStatuses"][0]
            assert status["restartCount"] >= 1
            assert status["lastState"]["terminated"]["exitCode"] == 1
            lines = [line async for line in sim.logs("default", "postgresql-0", "postgresql", tail=1)]
            assert lines == ["FATAL:  out of luck"]
        sim.outcomes.clear()
        await sim.until(400)
        assert conditions(await sim.get(DATABASE))["Ready"] == "True"

    run(scenario)


def test_unschedulable_and_unbound() -> None:
    async def scenario(sim: Cluster, kind: Any, expected: str) -> None:
        sim.outcomes.append(ScriptedOutcome(kind))
        pod = await installed(sim)
        assert pod["status"]["phase"] == "Pending"
        assert expected in await reasons(sim)
        sim.outcomes.clear()
        await sim.until(60)
        assert conditions(await sim.get(DATABASE))["Ready"] == "True"

    run(lambda sim: scenario(sim, "unschedulable", "FailedScheduling"))
    run(lambda sim: scenario(sim, "pvc-pending", "ProvisioningFailed"))


@pytest.mark.parametrize(("kind", "text"), [("quota", "exceeded quota"), ("pod-security", "violates PodSecurity")])
def test_pods_that_may_not_be_created(kind: Any, text: str) -> None:
    async def scenario(sim: Cluster) -> None:
        sim.outcomes.append(ScriptedOutcome(kind))
        await sim.apply(statefulset())
        await sim.until(15)
        with pytest.raises(NotFound):
            await sim.get(DATABASE)
        failed = await listed(sim, EVENT, fields="reason=FailedCreate,involvedObject.kind=StatefulSet")
        assert text in failed[0]["message"]
        assert failed[0]["count"] >= 2

    run(scenario)


def test_a_pod_starts_once_the_object_that_it_needs_exists() -> None:
    async def scenario(sim: Cluster) -> None:
        obj = statefulset()
        pod = obj["spec"]["template"]["spec"]
        pod["volumes"] = [{"name": "ca", "secret": {"secretName": "ca"}}]
        source = {"secretKeyRef": {"name": "login", "key": "username"}}
        pod["containers"][0]["env"] = [{"name": "POSTGRES_USER", "valueFrom": source}]
        await sim.apply(obj)
        await sim.until(20)
        mount = await listed(sim, EVENT, fields="reason=FailedMount")
        assert mount[0]["message"] == 'MountVolume.SetUp failed for volume "ca" : secret "ca" not found'
        await sim.apply(secret("ca", x="y"))
        await sim.apply(secret("login", password="y"))
        await sim.until(20)
        assert await waiting(sim) == {
            "reason": "CreateContainerConfigError",
            "message": "couldn't find key username in Secret default/login",
        }
        await sim.apply(secret("login", username="x", password="y"))
        await sim.until(20)
        assert conditions(await sim.get(DATABASE))["Ready"] == "True"

    run(scenario)


def test_a_stuck_rollout_is_stuck_only_when_ordered() -> None:
    async def scenario(sim: Cluster, policy: str) -> bool:
        sim.outcomes.append(ScriptedOutcome("never-ready"))
        await sim.apply(statefulset(podManagementPolicy=policy))
        await sim.until(30)
        before = (await sim.get(DATABASE))["metadata"]["uid"]
        sim.outcomes.clear()
        sim.outcomes.append(ScriptedOutcome("slow", seconds=10_000))
        changed = statefulset(podManagementPolicy=policy)
        changed["spec"]["template"]["metadata"]["annotations"] = {"fixed": "yes"}
        await sim.apply(changed)
        await sim.until(30)
        return bool((await sim.get(DATABASE))["metadata"]["uid"] != before)

    assert not run(lambda sim: scenario(sim, "OrderedReady"))
    assert run(lambda sim: scenario(sim, "Parallel"))


def test_the_hook_job_takes_one_full_backup() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(job("postgresql-pgbackrest-init"))
        await installed(sim)
        await sim.until(60)
        done = await sim.get(ref(JOB, "postgresql-pgbackrest-init"))
        assert conditions(done)["Complete"] == "True"
        await sim.delete(ref(JOB, "postgresql-pgbackrest-init"))
        await sim.apply(job("postgresql-pgbackrest-init"))
        await sim.until(60)
        answer = await sim.exec("default", "postgresql-0", "postgresql", ["pgbackrest", "info", "--output=json"])
        (stanza,) = json.loads(answer.stdout)
        assert [backup["type"] for backup in stanza["backup"]] == ["full"]
        assert stanza["status"] == {"code": 0, "message": "ok", "lock": {"backup": {"held": False}}}

    run(scenario)


def test_another_clusters_repository_fails_the_hook() -> None:
    async def scenario(sim: Cluster) -> None:
        sim.runtime.programs.repository("default").system_id = 1
        await installed(sim)
        await sim.apply(job("postgresql-pgbackrest-init"))
        await sim.until(60)
        failed = await sim.get(ref(JOB, "postgresql-pgbackrest-init"))
        assert conditions(failed)["Failed"] == "True"
        (pod,) = await listed(sim, POD, labels="job-name=postgresql-pgbackrest-init")
        lines = [line async for line in sim.logs("default", pod["metadata"]["name"], "pgbackrest")]
        assert any("[028]: backup and archive info files exist but do not match" in line for line in lines)

    run(scenario)


def test_an_owner_that_is_deleted_in_the_foreground_ends_after_its_pod() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        database = ref(STATEFULSET, "postgresql")
        await sim.delete(database, propagation="Foreground")
        ending = await sim.get(database)
        assert ending["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert "deletionTimestamp" in (await sim.get(DATABASE))["metadata"]
        await sim.until(10)
        for gone in (DATABASE, database):
            with pytest.raises(NotFound):
                await sim.get(gone)

    run(scenario)


def test_a_job_fails_after_its_retries_and_keeps_its_log() -> None:
    async def scenario(sim: Cluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/try*", lines=("ERROR: [039]: no",), exit_code=39))
        await sim.apply(job("try", backoff=1))
        await sim.until(120)
        failed = await sim.get(ref(JOB, "try"))
        assert failed["status"]["conditions"][-1]["reason"] == "BackoffLimitExceeded"
        assert failed["status"]["failed"] == 2
        pods = await listed(sim, POD, labels="job-name=try")
        assert pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 39

    run(scenario)


def test_a_job_has_a_deadline() -> None:
    async def scenario(sim: Cluster) -> None:
        sim.outcomes.append(ScriptedOutcome("slow", seconds=10_000))
        await sim.apply(job("slow", activeDeadlineSeconds=30))
        await sim.until(60)
        failed = await sim.get(ref(JOB, "slow"))
        assert failed["status"]["conditions"][-1]["reason"] == "DeadlineExceeded"

    run(scenario)


def cronjob() -> Object:
    spec = {"schedule": "0 2 * * 1-6", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": job("x")["spec"]}}
    metadata = {"name": "postgresql-pgbackrest-incr", "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


def test_a_cron_job_fires_and_keeps_its_history() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        await sim.apply(job("postgresql-pgbackrest-init"))
        await sim.apply(cronjob())
        await sim.until(7 * 86400)
        obj = await sim.get(ref(CRONJOB, "postgresql-pgbackrest-incr"))
        jobs = [item for item in await listed(sim, JOB) if item["metadata"].get("ownerReferences")]
        assert len(jobs) == 3
        assert obj["status"]["lastSuccessfulTime"] > obj["status"]["lastScheduleTime"]
        types = [backup["type"] for backup in sim.runtime.programs.repository("default").backups]
        assert types == ["full"] + ["incr"] * 6

    run(scenario)


@pytest.mark.parametrize(
    ("begin", "runs"),
    [
        pytest.param(datetime(2027, 3, 26, 12, tzinfo=UTC), ["27T01:30", "29T00:30"], id="a lost hour has no run"),
        pytest.param(
            datetime(2027, 10, 29, 12, tzinfo=UTC),
            ["30T00:30", "31T00:30", "31T01:30", "01T01:30"],
            id="a doubled hour has two",
        ),
    ],
)
def test_a_cron_job_runs_as_kubernetes_does_where_clocks_change(begin: datetime, runs: list[str]) -> None:
    async def scenario(sim: Cluster) -> None:
        berlin = cronjob()
        berlin["spec"] |= {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin", "failedJobsHistoryLimit": 9}
        await sim.apply(berlin)
        await sim.until(3 * 86_400)
        made = sorted(item["metadata"]["creationTimestamp"] for item in await listed(sim, JOB))
        assert [at[8:16] for at in made] == runs

    run(scenario, clock=ManualClock(begin.timestamp()))


def test_a_job_made_by_hand_from_a_cron_job() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        await sim.apply(job("postgresql-pgbackrest-init"))
        made = (await sim.apply(cronjob())).object
        await sim.until(60)
        manual = job("backup-now")
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": made["metadata"]["name"]}
        manual["metadata"]["ownerReferences"] = [owner | {"uid": made["metadata"]["uid"], "controller": True}]
        manual["metadata"]["annotations"] = {"cronjob.kubernetes.io/instantiate": "manual"}
        await sim.create(manual)
        await sim.until(60)
        assert sim.runtime.programs.repository("default").backups[-1]["type"] == "incr"

    run(scenario)


def test_logs_are_followed_to_the_end() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        await sim.apply(job("postgresql-pgbackrest-init"))
        await sim.until(1)
        (pod,) = await listed(sim, POD, labels="job-name=postgresql-pgbackrest-init")
        lines: list[str] = []

        async def follow() -> None:
            lines.extend(
                [line async for line in sim.logs("default", pod["metadata"]["name"], "pgbackrest", follow=True)]
            )

        task = asyncio.create_task(follow())
        await sim.until(60)
        await task
        assert lines[-1].endswith("expire command end: completed successfully (49ms)")

    run(scenario)


def test_programs() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)

        async def go(*command: str) -> Any:
            return await sim.exec("default", "postgresql-0", "postgresql", command)

        assert (await go("pg_isready", "-U", "postgres")).exit_code == 0
        assert (await go("pgbackrest", "--stanza=main", "backup")).exit_code == 55
        assert (await go("pgbackrest", "--stanza=main", "stanza-create")).exit_code == 0
        assert (await go("bash", "/etc/pgbackrest/backup.sh", "full")).exit_code == 0
        assert (await go("psql", "-Atc", "select pg_is_in_recovery()")).stdout == b"f\n"
        assert (await go("cobol")).exit_code == 127

    async def hurried(sim: Cluster) -> None:
        task = asyncio.create_task(scenario(sim))
        await sim.until(120)
        await task

    run(hurried)


def test_a_namespace_goes_with_what_is_in_it() -> None:
    async def scenario(sim: Cluster) -> None:
        await installed(sim)
        space = ref(Resource("v1", "Namespace"), "default", None)
        await sim.delete(space)
        assert (await sim.get(space))["status"]["phase"] == "Terminating"
        await sim.until(10)
        with pytest.raises(NotFound):
            await sim.get(space)
        assert not await listed(sim, POD)

    run(scenario)
