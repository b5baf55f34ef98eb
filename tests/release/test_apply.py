"""What an apply does, read from the requests that it makes and from what is then in the simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pgwizard.errors import Interrupted, JobFailed, OutputError, OwnershipConflict, PreflightError
from pgwizard.kube.api import Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import apply, backups, record, records, survey
from pgwizard.release.changes import Change, cost
from pgwizard.release.layout import Layout
from pgwizard.release.stages import Event
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, Killed, Request, ScriptedOutcome
from pgwizard.status import observe
from pgwizard.status.verdict import judge
from support.faulting import (
    CLAIM,
    CONFIGMAP,
    CRONJOB,
    JOB,
    NAMESPACE,
    POD,
    ROLE,
    SECRET,
    STATEFULSET,
    answers_of,
    applied,
    clock,
    deployed,
    live,
    on,
    secret,
    taken_over,
)

DATABASE = Ref(STATEFULSET, "postgresql", "default")
VOLUME = Ref(CLAIM, "postgresql-storage-postgresql-0", "default")


def uid(sim: SimCluster) -> str:
    result: str = live(sim, POD, "postgresql-0")["metadata"]["uid"]
    return result


# ---- installing and applying again ---------------------------------------------------------------------------------


def test_an_install_writes_in_order_after_everything_was_tried() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim)
        assert result.outcome is not None
        assert result.outcome.result == "deployed"
        assert result.writes == [
            "apply secrets/postgresql-pgwizard",
            "apply serviceaccounts/postgresql-pgbackrest",
            "create secrets/postgresql",
            "apply secrets/postgresql",
            "apply secrets/postgresql-minio-ca",
            "apply configmaps/postgresql-config",
            "apply configmaps/postgresql-pgbackrest-config",
            "apply roles/postgresql-pgbackrest",
            "apply rolebindings/postgresql-pgbackrest",
            "apply services/postgresql",
            "apply statefulsets/postgresql",
            "apply cronjobs/postgresql-pgbackrest-full",
            "apply cronjobs/postgresql-pgbackrest-incr",
            "apply cronjobs/postgresql-backup-verify",
            "create jobs/postgresql-pgbackrest-init",
            "apply secrets/postgresql-pgwizard",
        ]
        first_write = next(request.number for request in result.requests if request.is_write)
        tried = [request.number for request in result.requests if request.dry_run]
        assert len(tried) == 13
        assert max(tried) < first_write

    on(scenario)


def test_an_object_that_disappears_during_the_review_stops_the_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "AGES_SECONDS", -1.0)

    async def scenario(sim: SimCluster) -> None:
        async def approve(_: Sequence[Change]) -> bool:
            sim.store.remove(Ref(SECRET, "postgresql-pgbackrest-s3", "default"))
            return True

        first = len(sim.requests)
        with pytest.raises(PreflightError, match="postgresql-pgbackrest-s3 does not exist"):
            await apply.run(
                apply.ReleaseRequest(answers_of()), sim, lambda _: None, approve, apply.Options(), now=clock(sim)
            )
        assert not [request for request in sim.requests[first:] if request.is_write]

    on(scenario)


def test_a_moved_repository_is_warned_of_since_old_backups_stay_behind() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        result = await applied(sim, answers_of(repository={"path": "/elsewhere"}))
        assert result.texts("warning") == [f"repository.path: {STAY}"]

    on(scenario)


STAY = (
    "existing backups stay in backups/postgresql at minio.minio.svc:9000: the new location starts with a full "
    "backup and has no history"
)


def test_a_repository_without_a_backup_can_be_moved_without_a_warning() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.faults.append(Fault("403", "apply", "configmaps", writes_only=True))
        result = await applied(sim, answers_of(repository={"bucket": "nobucket"}))
        assert result.texts("warning") == [f"repository.bucket: {STAY}"]
        assert result.error is not None
        sim.faults.clear()
        assert (await applied(sim)).texts("warning") == []

    on(scenario)


def test_a_closed_output_during_the_first_backup_leaves_no_revision_in_state_applying() -> None:
    """As ``pgwizard apply | head -1`` does: the exit code is the reader's, the record is that of a failure."""

    async def scenario(sim: SimCluster) -> None:
        lines: list[str] = []

        def report(event: Event) -> None:
            if lines or event.kind == "log":
                lines.append(event.text)
                raise BrokenPipeError if len(lines) == 1 else OutputError("standard output is closed")

        async def approve(_: Sequence[Change]) -> bool:
            return True

        with pytest.raises(BrokenPipeError):
            await apply.run(apply.ReleaseRequest(answers_of()), sim, report, approve, apply.Options(), now=clock(sim))
        kept = record.read(live(sim, SECRET, "postgresql-pgwizard"))
        assert [revision.outcome for revision in kept.revisions] == ["failed"]
        assert (await applied(sim)).error is None

    on(scenario)


async def _stopped_while_it_waits(sim: SimCluster, meanwhile: Callable[[], Awaitable[Any]] | None = None) -> None:
    waiting = asyncio.Event()

    def report(event: Event) -> None:
        if event.stage == "wait":
            waiting.set()

    async def approve(_: Sequence[Change]) -> bool:
        return True

    release = apply.ReleaseRequest(answers_of())
    task = asyncio.create_task(apply.run(release, sim, report, approve, apply.Options(), now=clock(sim)))
    await waiting.wait()
    if meanwhile is not None:
        await meanwhile()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_revision_that_was_stopped_is_interrupted_and_the_next_apply_continues_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        await _stopped_while_it_waits(sim)
        kept = record.read(live(sim, SECRET, "postgresql-pgwizard"))
        assert [(each.number, each.outcome) for each in kept.revisions] == [(1, "interrupted")]
        assert (await applied(sim)).error is None
        kept = record.read(live(sim, SECRET, "postgresql-pgwizard"))
        assert [(each.number, each.outcome) for each in kept.revisions] == [(1, "deployed")]

    on(scenario)


def test_an_apply_that_is_stopped_leaves_the_record_of_another_run_alone() -> None:
    async def scenario(sim: SimCluster) -> None:
        others = record.Record(ReleaseRef("default", "postgresql"), salt="another run's")

        async def write() -> None:
            await sim.apply(others.secret(), force=True)

        await _stopped_while_it_waits(sim, write)
        assert record.read(live(sim, SECRET, "postgresql-pgwizard")) == others

    on(scenario)


def test_the_stages_are_reported_in_order() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim)
        ended = [event.stage for event in result.events if event.kind == "done"]
        assert ended == [stage for stage in apply.STAGES if stage != "prune"]

    on(scenario)


def test_the_record_lists_the_objects_of_the_release() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        release_record = record.read(live(sim, SECRET, "postgresql-pgwizard"))
        assert [(revision.number, revision.outcome) for revision in release_record.revisions] == [(1, "deployed")]
        assert DATABASE in release_record.inventory
        assert VOLUME in release_record.inventory
        for ref in release_record.inventory:
            assert sim.store.peek(ref) is not None

    on(scenario)


def test_the_record_lists_objects_before_they_are_created() -> None:
    def killed_at_the_first_object(request: Request) -> Any:
        return "kill-before" if request.is_write and request.resource == "serviceaccounts" else None

    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(killed_at_the_first_object)
        with pytest.raises(Killed):
            await applied(sim)
        release_record = record.read(live(sim, SECRET, "postgresql-pgwizard"))
        assert len(release_record.inventory) == 14
        assert [revision.outcome for revision in release_record.revisions] == ["applying"]

    on(scenario)


def test_a_second_apply_writes_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        again = await deployed(sim)
        assert again.outcome is not None
        assert again.outcome.result == "unchanged"
        assert [request for request in again.requests if request.is_write] == []
        assert set(again.actions().values()) == {"unchanged"}

    on(scenario)


def test_an_upgrade_writes_what_changes_and_restarts_the_pod() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = uid(sim)
        result = await deployed(sim, answers_of(tuning={"connections": 200}, schedule={"full": "0 3 * * 0"}))
        changed = {ref: action for ref, action in result.actions().items() if action != "unchanged"}
        assert changed == {
            "ConfigMap default/postgresql-config": "update",
            "StatefulSet default/postgresql": "update",
            "CronJob default/postgresql-pgbackrest-full": "update",
            "Job default/postgresql-pgbackrest-init": "replace",
        }
        assert result.writes == [
            "apply secrets/postgresql-pgwizard",
            "apply configmaps/postgresql-config",
            "apply statefulsets/postgresql",
            "apply cronjobs/postgresql-pgbackrest-full",
            "delete jobs/postgresql-pgbackrest-init",
            "create jobs/postgresql-pgbackrest-init",
            "apply secrets/postgresql-pgwizard",
        ]
        assert uid(sim) != before
        assert live(sim, CRONJOB, "postgresql-pgbackrest-full")["spec"]["schedule"] == "0 3 * * 0"
        assert "1 valid full backup(s) found: no new one is taken" in result.texts("log")
        numbers = [revision.number for revision in record.read(live(sim, SECRET, "postgresql-pgwizard")).revisions]
        assert numbers == [1, 2]

    on(scenario)


def test_a_new_schedule_does_not_restart_the_pod() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = uid(sim)
        await deployed(sim, answers_of(schedule={"full": "0 3 * * 0"}))
        assert uid(sim) == before

    on(scenario)


def test_a_change_by_hand_is_shown_as_a_conflict() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        config = live(sim, CONFIGMAP, "postgresql-config")
        data = {**config["data"], "postgresql.conf": "max_connections = 7\n"}
        by_hand = {**{key: config[key] for key in ("apiVersion", "kind")}, "data": data}
        by_hand["metadata"] = {"name": "postgresql-config", "namespace": "default"}
        await sim.guest(manager="kubectl-edit").apply(by_hand, force=True)
        result = await applied(sim)
        assert isinstance(result.error, OwnershipConflict)
        assert "kubectl-edit" in str(result.error)
        assert "postgresql.conf" in str(result.error)
        assert result.error.hint == "Take the fields over with --force-conflicts where that is meant."
        assert result.writes == []
        taken = await applied(sim, force_conflicts=True)
        assert taken.error is None
        assert "apply configmaps/postgresql-config" in taken.writes
        assert live(sim, CONFIGMAP, "postgresql-config")["data"] == config["data"]

    on(scenario)


# ---- without writing -----------------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await applied(sim, dry_run=True)
        assert result.outcome is not None
        assert result.outcome.result == "dry-run"
        assert set(result.actions().values()) == {"create"}
        assert [request for request in result.requests if request.is_write] == []

    on(scenario)


def test_without_approval_nothing_is_written() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await applied(
            sim,
            answers_of(release={"namespace": "new", "createNamespace": True}, repository={"enabled": False}),
            approve=False,
        )
        assert isinstance(result.error, Interrupted)
        assert result.error.message == "not approved: nothing was written"
        assert [request for request in result.requests if request.is_write] == []

    on(scenario)


def test_with_no_wait_the_run_ends_once_the_hook_job_exists() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await applied(sim, wait=False)
        assert result.outcome is not None
        assert result.outcome.result == "applied"
        assert result.writes[-1] == "create jobs/postgresql-pgbackrest-init"
        later = await deployed(sim)
        assert later.outcome is not None
        assert later.outcome.result == "deployed"
        assert "create jobs/postgresql-pgbackrest-init" not in later.writes

    on(scenario)


# ---- namespaces and owners -----------------------------------------------------------------------------------------


def test_a_record_from_before_the_scheduled_verification_gets_it_announced_and_applied() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(schedule={"verify": None}))
        secret = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
        assert secret is not None
        kept = record.read(secret)
        assert kept.last is not None
        schedule = {
            key: value for key, value in kept.last.answers["schedule"].items() if key not in ("verify", "drill")
        }
        older = replace(kept.last, answers={**kept.last.answers, "schedule": schedule})
        await sim.apply(replace(kept, revisions=(older,)).secret(), force=True)

        answers = answers_of(**older.answers)
        looked = await applied(sim, answers, dry_run=True)
        cronjob = Ref(CRONJOB, "postgresql-backup-verify", "default")
        assert looked.outcome is not None
        announced = [change for change in looked.outcome.changes if change.action != "unchanged"]
        assert [(change.action, change.ref) for change in announced if change.ref.resource == CRONJOB] == [
            ("create", cronjob)
        ]
        assert not any(change.restarts or change.action == "delete" for change in announced)
        assert not looked.writes
        upgraded = await deployed(sim, answers)
        assert [change for change in upgraded.shown if change.action != "unchanged"] == announced
        assert live(sim, CRONJOB, cronjob.name)["spec"]["schedule"] == "0 5 1 * *"
        again = await deployed(sim, answers)
        assert again.outcome is not None
        assert again.outcome.result == "unchanged"

    on(scenario)


ELSEWHERE = {"repository": {"enabled": False}, "tls": {"verify": False, "source": None}}


def test_a_missing_namespace_is_created_if_the_answers_request_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim, answers_of(release={"namespace": "new", "createNamespace": True}, **ELSEWHERE))
        assert result.writes[0] == "apply namespaces/new"
        assert live(sim, NAMESPACE, "new", None)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
            "restricted"
        )
        assert live(sim, POD, "postgresql-0", "new")["status"]["phase"] == "Running"

    on(scenario)


def test_a_missing_namespace_is_refused_if_the_answers_do_not_request_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await applied(sim, answers_of(release={"namespace": "new"}, **ELSEWHERE))
        assert isinstance(result.error, PreflightError)
        assert str(result.error) == (
            "the cluster does not have what the answers name; nothing was written\n"
            "  release.namespace: namespace new does not exist: set release.createNamespace to true, or run kubectl "
            "create namespace new"
        )
        assert result.writes == []

    on(scenario)


def test_an_existing_namespace_is_not_changed() -> None:
    async def scenario(sim: SimCluster) -> None:
        before = live(sim, NAMESPACE, "staging", None)
        result = await deployed(sim, answers_of(release={"namespace": "staging", "createNamespace": True}, **ELSEWHERE))
        assert "apply namespaces/staging" not in result.writes
        assert live(sim, NAMESPACE, "staging", None) == before

    on(scenario)


def test_all_objects_that_others_own_are_named_at_once() -> None:
    async def scenario(sim: SimCluster) -> None:
        other = sim.guest(manager="helm")
        service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 5432}]}}
        helm = {"meta.helm.sh/release-name": "shop-db"}
        await other.apply({**service, "metadata": {"name": "postgresql", "namespace": "default", "annotations": helm}})
        labels = {"app.kubernetes.io/managed-by": "argocd"}
        metadata = {"name": "postgresql-config", "namespace": "default", "labels": labels}
        await other.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        result = await applied(sim)
        assert isinstance(result.error, OwnershipConflict)
        assert sorted(str(result.error).splitlines()) == [
            "  ConfigMap default/postgresql-config belongs to argocd",
            "  Service default/postgresql belongs to Helm release shop-db",
            "another tool owns what would be written; nothing was written",
        ]
        assert result.writes == []
        assert result.error.hint.startswith("Change them with the tool they belong to, or choose another release.name.")
        forced = await applied(sim, force_conflicts=True)
        assert isinstance(forced.error, OwnershipConflict)
        assert str(forced.error) == str(result.error)

    on(scenario)


# ---- what the repository leaves behind -----------------------------------------------------------------------------


def test_turning_the_repository_off_deletes_its_objects_but_no_secret() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        secrets = {obj["metadata"]["name"] for obj in sim.store.find(SECRET, "default")}
        result = await deployed(sim, answers_of(repository={"enabled": False}))
        deleted = [write.removeprefix("delete ") for write in result.writes if write.startswith("delete")]
        assert deleted == [
            "cronjobs/postgresql-backup-verify",
            "jobs/postgresql-pgbackrest-init",
            "cronjobs/postgresql-pgbackrest-incr",
            "cronjobs/postgresql-pgbackrest-full",
            "rolebindings/postgresql-pgbackrest",
            "roles/postgresql-pgbackrest",
            "configmaps/postgresql-pgbackrest-config",
            "serviceaccounts/postgresql-pgbackrest",
        ]
        assert {obj["metadata"]["name"] for obj in sim.store.find(SECRET, "default")} == secrets
        assert sim.store.peek(VOLUME) is not None
        assert sim.store.peek(Ref(ROLE, "postgresql-pgbackrest", "default")) is None
        again = await deployed(sim, answers_of(repository={"enabled": False}))
        assert again.writes == []

    on(scenario)


def test_objects_that_another_tool_took_over_are_not_counted_as_pruned() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        taken_over(sim, Ref(ROLE, "postgresql-pgbackrest", "default"))
        result = await deployed(sim, answers_of(repository={"enabled": False}))
        assert [event.text for event in result.events if event.stage == "prune" and event.kind == "done"] == [
            "7 deleted, 1 kept"
        ]

    on(scenario)


# ---- growth --------------------------------------------------------------------------------------------------------


def grown(size: str = "20Gi", **storage: Any) -> Any:
    return answers_of(storage={"size": size, **storage})


def test_a_volume_grows_and_the_pod_keeps_running() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before, old = uid(sim), live(sim, STATEFULSET, "postgresql")["metadata"]["uid"]
        result = await deployed(sim, grown())
        assert result.writes[:4] == [
            "apply secrets/postgresql-pgwizard",
            "patch persistentvolumeclaims/postgresql-storage-postgresql-0",
            "delete statefulsets/postgresql",
            "apply statefulsets/postgresql",
        ]
        assert uid(sim) == before
        assert live(sim, STATEFULSET, "postgresql")["metadata"]["uid"] != old
        assert live(sim, CLAIM, VOLUME.name)["status"]["capacity"] == {"storage": "20Gi"}
        assert (await deployed(sim, grown())).writes == []

    on(scenario)


@pytest.mark.parametrize(
    ("size", "why"),
    [("15Gi", "the volume grows from 15Gi"), ("20Gi", "the volume has grown to 20Gi already")],
)
def test_a_volume_that_was_grown_by_hand_grows_from_its_own_size(size: str, why: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await sim.patch(VOLUME, {"spec": {"resources": {"requests": {"storage": size}}}})
        result = await deployed(sim, answers_of(storage={"size": "20Gi"}))
        shown = [change.why for change in result.shown if change.ref == DATABASE]
        assert shown == [f"{why}; the pod keeps running"]

    on(scenario)


def test_a_volume_that_grows_beside_another_change_does_not_claim_that_the_pod_keeps_running() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = uid(sim)
        result = await deployed(sim, answers_of(storage={"size": "20Gi"}, tuning={"memory": "2Gi"}))
        assert [change.why for change in result.shown if change.ref == DATABASE] == ["the volume grows from 10Gi"]
        assert uid(sim) != before

    on(scenario)


@pytest.mark.parametrize("size", ["5Gi", "10239Mi"])
def test_a_volume_never_shrinks(size: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        result = await applied(sim, grown(size))
        assert isinstance(result.error, PreflightError)
        assert f"storage.size: the volume has 10Gi and cannot shrink to {size}" in str(result.error)
        assert result.writes == []

    on(scenario)


@pytest.mark.parametrize("storage", [{"size": "5Gi"}, {"size": "20Gi"}, {"storageClass": "standard"}])
def test_without_a_volume_the_stateful_set_is_replaced_by_one_that_claims_another(storage: dict[str, str]) -> None:
    async def scenario(sim: SimCluster) -> None:
        claim = Ref(CLAIM, "postgresql-storage-postgresql-0", "default")
        await deployed(sim)
        sim.store.remove(Ref(POD, "postgresql-0", "default"))
        sim.store.remove(claim)
        result = await applied(sim, answers_of(storage=storage), dry_run=True)
        assert result.error is None
        assert result.outcome is not None
        (database,) = [item for item in result.outcome.changes if item.ref.resource == STATEFULSET]
        assert (database.action, database.why, cost(database)) == ("replace", "it has no volume yet", "")
        again = await applied(sim, answers_of(storage=storage), wait=False)
        assert again.error is None
        template = live(sim, STATEFULSET, "postgresql")["spec"]["volumeClaimTemplates"][0]["spec"]
        assert template["resources"]["requests"]["storage"] == storage.get("size", "10Gi")
        assert template.get("storageClassName") == storage.get("storageClass")

    on(scenario)


def test_the_same_size_in_another_spelling_is_no_change() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = uid(sim)
        await deployed(sim, grown("10240Mi"))
        assert uid(sim) == before
        assert (await deployed(sim, grown("10240Mi"))).writes == []

    on(scenario)


def test_the_same_memory_in_another_spelling_restarts_no_pod() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(tuning={"memory": "2Gi"}))
        before = uid(sim)
        respelt = await deployed(sim, answers_of(tuning={"memory": "2147483648"}, jobs={"memoryLimit": "134217728"}))
        assert respelt.outcome is not None
        assert not any(change.restarts for change in respelt.outcome.changes)
        assert uid(sim) == before
        limits = live(sim, STATEFULSET, "postgresql")["spec"]["template"]["spec"]["containers"][0]["resources"]
        assert limits["limits"]["memory"] == "2Gi"

    on(scenario)


@pytest.mark.parametrize(
    ("size", "stored"), [("10.3Gi", "11059540788"), ("10.5Gi", "10752Mi"), ("20480Mi", "20Gi"), ("20.5G", "20500M")]
)
def test_a_size_that_the_server_writes_in_another_way_is_the_same_size_at_the_next_apply(
    size: str, stored: str
) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, grown(size))
        claim, workload = live(sim, CLAIM, VOLUME.name), live(sim, STATEFULSET, "postgresql")
        assert claim["spec"]["resources"]["requests"]["storage"] == stored
        assert workload["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == stored
        again = await deployed(sim, grown(size))
        assert again.outcome is not None
        assert (again.outcome.result, again.writes) == ("unchanged", [])

    on(scenario)


def fractional(sim: SimCluster, size: str = "11059540787200m") -> None:
    """The release as a pgwizard left it that sent a size as it was answered, which the server keeps in thousandths."""
    claim, workload = live(sim, CLAIM, VOLUME.name), live(sim, STATEFULSET, "postgresql")
    (template,) = workload["spec"]["volumeClaimTemplates"]
    for obj in (claim, template):
        obj["spec"]["resources"]["requests"]["storage"] = size
    sim.store.put(claim)
    sim.store.put(workload)


@pytest.mark.parametrize(
    "answers",
    [
        {"storage": {"size": "10.3Gi"}},
        {"tuning": {"memory": "1.3Gi"}, "resources": {"memoryRequest": "1.1Gi"}},
    ],
)
def test_a_size_with_a_fraction_of_a_byte_draws_no_server_warning(answers: dict[str, Any]) -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim, answers_of(**answers))
        assert "fractional" not in "".join(str(event) for event in result.events)

    on(scenario)


def test_a_size_that_the_server_keeps_in_thousandths_is_the_same_size_and_no_change() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, grown("10.3Gi"))
        fractional(sim)
        again = await deployed(sim, grown("10.3Gi"))
        assert again.outcome is not None
        assert (again.outcome.result, again.writes) == ("unchanged", [])
        assert "fractional" not in "".join(str(event) for event in again.events)
        tuned = await deployed(sim, answers_of(storage={"size": "10.3Gi"}, tuning={"connections": 30}))
        assert "apply statefulsets/postgresql" in tuned.writes
        assert "delete statefulsets/postgresql" not in tuned.writes

    on(scenario)


@pytest.mark.parametrize("is_fractional", [False, True])
def test_a_size_with_a_fraction_of_a_byte_can_grow_and_is_shown_as_answered(
    is_fractional: bool,
) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, grown("10.3Gi"))
        if is_fractional:
            fractional(sim)
        shrunk = await applied(sim, grown("10.2Gi"))
        assert isinstance(shrunk.error, PreflightError)
        assert "storage.size: the volume has 10.3Gi and cannot shrink to 10.2Gi" in str(shrunk.error)
        result = await deployed(sim, grown("20Gi"))
        assert "the volume grows from 10.3Gi" in next(change.why for change in result.shown if change.ref == DATABASE)
        assert live(sim, CLAIM, VOLUME.name)["status"]["capacity"] == {"storage": "20Gi"}

    on(scenario)


async def enlarged(sim: SimCluster, size: str) -> None:
    """The volume claim after it was grown by hand."""
    await sim.patch(VOLUME, {"spec": {"resources": {"requests": {"storage": size}}}})
    await sim.clock.sleep(60)


def test_a_claim_that_was_grown_by_hand_is_no_change_until_the_size_is() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await enlarged(sim, "30Gi")
        assert (await deployed(sim)).writes == []
        result = await deployed(sim, grown("30Gi"))
        assert "delete statefulsets/postgresql" in result.writes
        assert (await deployed(sim, grown("30Gi"))).writes == []

    on(scenario)


@pytest.mark.parametrize(("by_hand", "shown"), [("30Gi", "30Gi"), ("32e9", "32G"), ("30.3Gi", "30.3Gi")])
def test_a_size_below_that_of_a_claim_that_was_grown_by_hand_is_refused_before_anything_is_written(
    by_hand: str, shown: str
) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await enlarged(sim, by_hand)
        result = await applied(sim, grown("20Gi"))
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == [
            f"storage.size: the volume has {shown} and cannot shrink to 20Gi: set storage.size to {shown}, or more"
        ]
        assert result.writes == []
        assert [problem.question for problem in (await survey.survey(sim, grown("20Gi"), at=clock(sim)())).errors] == [
            "storage.size"
        ]
        await deployed(sim, grown(shown))

    on(scenario)


def test_a_growth_that_never_took_place_can_be_undone() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await sim.patch(VOLUME, {"spec": {"resources": {"requests": {"storage": "30Gi"}}}})
        await deployed(sim, grown("20Gi"))
        assert live(sim, CLAIM, VOLUME.name)["spec"]["resources"]["requests"] == {"storage": "20Gi"}

    on(scenario)


def test_an_unreadable_live_size_is_left_to_the_server() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        claim = live(sim, CLAIM, VOLUME.name)
        sim.store.put({**claim, "spec": {**claim["spec"], "resources": {"requests": {"storage": "\x1b[2J"}}}})
        await applied(sim, grown("20Gi"))

    on(scenario)


def test_a_storage_class_that_cannot_expand_is_refused_before_anything_is_written() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, grown("10Gi", storageClass="fixed"))
        result = await applied(sim, grown("20Gi", storageClass="fixed"))
        assert isinstance(result.error, PreflightError)
        assert "storage.size: the volume of 10Gi cannot grow to 20Gi: " in str(result.error)
        assert "the storageclass that provisions the pvc must support resize" in str(result.error)
        assert result.writes == []

    on(scenario)


@pytest.mark.parametrize("size", ["10Gi", "20Gi"])
def test_another_storage_class_is_refused_in_words(size: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, grown("10Gi", storageClass="standard"))
        result = await applied(sim, grown(size, storageClass="fixed"))
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == [
            (
                "storage.storageClass: the StorageClass of a volume cannot be changed: keep standard; for "
                "another one, create a new release and restore into it"
            )
        ]
        assert result.writes == []

    on(scenario)


def test_naming_the_default_storage_class_is_a_change_of_the_stateful_set() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        result = await applied(sim, grown("10Gi", storageClass="standard"))
        assert isinstance(result.error, PreflightError)
        assert "keep null, the cluster's default (standard when it was created);" in str(result.error)

    on(scenario)


@pytest.mark.parametrize(
    ("made_with", "how"), [(True, "with them: set it to true"), (False, "without them: set it to false")]
)
def test_data_checksums_stay_as_the_first_start_made_them(made_with: bool, how: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(storage={"dataChecksums": made_with}))
        result = await applied(sim, answers_of(storage={"dataChecksums": not made_with}))
        assert isinstance(result.error, PreflightError)
        text = "storage.dataChecksums: only the first start decides about data checksums, and it made the database"
        assert [str(problem) for problem in result.error.findings] == [f"{text} {how}"]
        assert result.writes == []

    on(scenario)


def test_a_release_without_data_checksums_keeps_that_where_the_answers_name_none() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(storage={"dataChecksums": False}))
        again = await applied(sim, answers_of(storage={}))
        assert (again.error, again.writes) == (None, [])
        await deployed(sim, answers_of(storage={"size": "20Gi"}))
        variables = live(sim, STATEFULSET, "postgresql")["spec"]["template"]["spec"]["containers"][0]["env"]
        assert "POSTGRES_INITDB_ARGS" not in {each["name"] for each in variables}
        stored = (await records.get(sim, ReleaseRef("default", "postgresql")))[0].last
        assert stored is not None
        assert stored.answers["storage"] == {"size": "20Gi", "storageClass": None, "dataChecksums": False}

    on(scenario)


# ---- what the first start alone makes ------------------------------------------------------------------------------

SHOP = answers_of(release={"database": "shop"}, credentials={"from": "generate", "username": "owner"})
MADE_ONCE = [
    (
        "release.database: only the first start creates a database, and it created myapp: keep it, and create shop by "
        "SQL: CREATE DATABASE shop"
    ),
    (
        "credentials.username: only the first start creates a superuser, and it created postgres: keep it; create "
        "other roles by SQL: CREATE ROLE"
    ),
]


def test_another_superuser_or_database_is_refused_once_the_first_start_has_created_them() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        result = await applied(sim, SHOP)
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == MADE_ONCE
        assert result.writes == []

    on(scenario)


def test_an_install_that_failed_after_its_first_start_has_created_them_too() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/postgresql-pgbackrest-init*"))
        assert isinstance((await applied(sim)).error, JobFailed)
        sim.outcomes.clear()
        result = await applied(sim, SHOP)
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == MADE_ONCE

    on(scenario)


def test_a_database_that_is_down_after_a_failed_install_still_counts() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/postgresql-pgbackrest-init*"))
        assert isinstance((await applied(sim)).error, JobFailed)
        stopped = live(sim, STATEFULSET, "postgresql")
        sim.store.put({**stopped, "spec": {**stopped["spec"], "replicas": 0}, "status": {}})
        result = await applied(sim, SHOP)
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == MADE_ONCE
        assert result.writes == []

    on(scenario)


def test_a_release_without_its_volume_starts_over() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.store.remove(DATABASE)
        sim.store.remove(VOLUME)
        result = await applied(sim, SHOP, dry_run=True)
        assert result.error is None

    on(scenario)


@pytest.mark.parametrize(("username", "refused"), [("postgres", False), ("owner", True)])
def test_an_existing_secret_may_name_only_the_same_superuser(username: str, refused: bool) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await sim.create(secret("mine", username=username, password="secret"))
        result = await applied(sim, answers_of(credentials={"from": "existing", "secret": "mine"}), dry_run=True)
        assert (
            isinstance(result.error, PreflightError) and result.error.findings[0].question == "credentials.secret"
        ) == refused
        back = await deployed(sim)
        assert back.error is None

    on(scenario)


def test_an_existing_secret_cannot_be_replaced_after_the_first_start() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(secret("mine", username="owner", password="secret"))
        await deployed(sim, answers_of(credentials={"from": "existing", "secret": "mine"}))
        result = await applied(sim)
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == [
            (
                "credentials.username: only the first start creates a superuser, and it created another one: keep it; "
                "create other roles by SQL: CREATE ROLE"
            )
        ]
        same = answers_of(credentials={"from": "generate", "username": "owner"})
        refused = (await applied(sim, same, dry_run=True)).error
        assert isinstance(refused, PreflightError)
        assert [problem.question for problem in refused.findings] == ["credentials"]

    on(scenario)


STEPS = ["patch persistentvolumeclaims", "delete statefulsets", "apply statefulsets"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["kill-before", "kill-after"])
def test_a_killed_growth_resumes(step: str, kind: str) -> None:
    dead: list[bool] = []

    def killed(request: Request) -> Any:
        if dead:
            return "kill-before"
        if request.is_write and f"{request.verb} {request.resource}" == step:
            dead.append(True)
            return kind
        return None

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = uid(sim)
        sim.faults.append(killed)
        with pytest.raises(Killed):
            await applied(sim, grown())
        sim.faults.clear()
        await deployed(sim, grown())
        assert uid(sim) == before
        assert live(sim, CLAIM, VOLUME.name)["status"]["capacity"] == {"storage": "20Gi"}
        assert (await deployed(sim, grown())).writes == []

    on(scenario)


# ---- the hook Job --------------------------------------------------------------------------------------------------


def test_a_failed_hook_job_is_created_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        lines = ("ERROR: [055]: unable to load info file",)
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/postgresql-pgbackrest-init*", lines=lines))
        result = await applied(sim)
        assert isinstance(result.error, JobFailed)
        failed = live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"]
        assert record.read(live(sim, SECRET, "postgresql-pgwizard")).revisions[-1].outcome == "failed"
        sim.outcomes.clear()
        again = await deployed(sim)
        assert again.writes == [
            "apply secrets/postgresql-pgwizard",
            "delete jobs/postgresql-pgbackrest-init",
            "create jobs/postgresql-pgbackrest-init",
            "apply secrets/postgresql-pgwizard",
        ]
        assert live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"] != failed
        numbers = [item.number for item in record.read(live(sim, SECRET, "postgresql-pgwizard")).revisions]
        assert numbers == [1]

    on(scenario)


def test_a_hook_job_of_the_same_spec_that_still_runs_is_waited_for() -> None:
    def killed(request: Request) -> Any:
        return "kill-before" if request.verb == "watch" and request.resource == "jobs" else None

    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(killed)
        with pytest.raises(Killed):
            await applied(sim)
        sim.faults.clear()
        first = live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"]
        again = await deployed(sim)
        assert "create jobs/postgresql-pgbackrest-init" not in again.writes
        assert live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"] == first

    on(scenario)


def test_a_first_backup_with_page_errors_is_a_finding_of_the_apply() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.has_damaged_pages = True
        result = await deployed(sim)
        assert result.outcome is not None
        assert result.outcome.headline == "Release is up, but its first full backup has page checksum errors."
        (finding,) = result.outcome.findings
        assert (finding.severity, finding.key) == ("warning", "status-damaged")
        assert "first backup: the backup has page checksum errors" in [
            f"{event.stage}: {event.finding.text}" for event in result.events if event.finding
        ]
        assert result.texts("done")[-2] == "a full backup is in the repository"
        verdict = judge(await observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim)))
        assert (verdict.state, verdict.reasons[0].key) == ("not recoverable", "status-damaged")

    on(scenario)


def test_a_damaged_first_backup_is_reported_again_without_another_one() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.has_damaged_pages = True
        await deployed(sim)
        first = live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"]
        again = await deployed(sim)
        assert again.outcome is not None
        assert (again.outcome.result, again.outcome.headline) == (
            "unchanged",
            "Already up to date, but its first full backup has page checksum errors.",
        )
        assert [finding.key for finding in again.outcome.findings] == ["status-damaged"]
        assert again.writes == []
        assert live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"] == first

    on(scenario)


def test_a_damaged_first_backup_is_still_reported_after_another_fix() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.has_damaged_pages = True
        await deployed(sim)
        first = live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"]
        await sim.delete(Ref(STATEFULSET, "postgresql", "default"))
        again = await deployed(sim)
        assert again.outcome is not None
        assert (again.outcome.result, [finding.key for finding in again.outcome.findings]) == (
            "deployed",
            ["status-damaged"],
        )
        assert again.texts("log") == []
        assert live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"] == first
        last = await deployed(sim)
        assert last.outcome is not None
        assert last.outcome.result == "unchanged"
        assert last.outcome.findings != ()

    on(scenario)


def test_a_damaged_first_backup_is_tried_again_once_for_each_newer_full_backup() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.has_damaged_pages = True
        await deployed(sim)
        await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "full", clock(sim)())
        running = await deployed(sim)
        assert running.outcome is not None
        assert (running.outcome.result, running.writes) == ("unchanged", [])
        await asyncio.sleep(60)
        again = await deployed(sim)
        assert again.outcome is not None
        assert [
            (change.ref.name, change.action) for change in again.outcome.changes if change.action != "unchanged"
        ] == [("postgresql-pgbackrest-init", "replace")]
        assert [finding.key for finding in again.outcome.findings] == ["status-damaged"]
        last = await deployed(sim)
        assert last.outcome is not None
        assert (last.outcome.result, last.writes) == ("unchanged", [])

    on(scenario)


def test_a_damaged_first_backup_is_not_taken_again_beside_a_valid_one() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.has_damaged_pages = True
        await deployed(sim)
        sim.runtime.programs.has_damaged_pages = False
        await backups.backup_now(sim, Layout.of(ReleaseRef("default", "postgresql")), "full", clock(sim)())
        await asyncio.sleep(60)
        again = await deployed(sim)
        assert again.outcome is not None
        assert again.outcome.findings == ()
        assert "1 valid full backup(s) found: no new one is taken" in again.texts("log")

    on(scenario)


def test_an_apply_without_findings_has_a_valid_first_backup() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim)
        assert result.outcome is not None
        assert result.outcome.headline == "Release is up. First full backup succeeded."
        assert result.outcome.findings == ()

    on(scenario)
