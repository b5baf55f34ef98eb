"""What an uninstall takes away and what it keeps, read from what is then in the simulated cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pgwizard.errors import PreflightError
from pgwizard.kube.api import Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record, records, uninstall
from pgwizard.release.record import Restoration
from pgwizard.release.stages import Event, Report
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Killed, Request
from release.test_apply import DATABASE, VOLUME
from support.faulting import CLAIM, CRONJOB, JOB, SECRET, SERVICE, answers_of, clock, deployed, live, on, taken_over


async def removed(
    sim: SimCluster, name: str = "postgresql", *, purge_data: bool = False, report: Report = lambda _: None
) -> uninstall.Removal:
    plan = await uninstall.removal(sim, ReleaseRef("default", name), purge_data=purge_data)
    await uninstall.remove(plan, sim, report, now=clock(sim))
    return plan


def test_an_uninstall_keeps_the_data_and_the_secrets_that_it_needs() -> None:
    async def scenario(sim: SimCluster) -> None:
        before = {Ref.of(obj) for obj in sim.store.everything() if obj["metadata"].get("namespace") == "default"}
        await deployed(sim)
        plan = await removed(sim)
        assert {str(ref): why for ref, why in plan.remainder} == {
            "PersistentVolumeClaim default/postgresql-storage-postgresql-0": "it holds the database",
            "Secret default/postgresql": "the database that is kept was made with it",
            "Secret default/postgresql-minio-ca": "the mirrored certificate is retained",
        }
        await asyncio.sleep(60)  # the pods are stopping
        after = {Ref.of(obj) for obj in sim.store.everything() if obj["metadata"].get("namespace") == "default"}
        left = {ref for ref in after - before if ref.resource.kind != "Event"}
        assert left == {ref for ref, _ in plan.remainder}

    on(scenario)


def test_a_new_install_uses_the_kept_data() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        password, volume = live(sim, SECRET, "postgresql")["data"], live(sim, CLAIM, VOLUME.name)["metadata"]["uid"]
        await removed(sim)
        result = await deployed(sim)
        assert live(sim, SECRET, "postgresql")["data"] == password
        assert live(sim, CLAIM, VOLUME.name)["metadata"]["uid"] == volume
        assert "1 valid full backup(s) found: no new one is taken" in result.texts("log")
        assert result.outcome is not None
        assert result.outcome.headline == "Release is up. A valid full backup is in the repository."

    on(scenario)


def test_purging_deletes_the_data_and_keeps_the_certificate() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        plan = await removed(sim, purge_data=True)
        assert [str(ref) for ref, _ in plan.remainder] == ["Secret default/postgresql-minio-ca"]
        assert sim.store.peek(VOLUME) is None
        assert sim.store.peek(Ref(SECRET, "postgresql", "default")) is None
        assert sim.store.peek(Ref(SECRET, "postgresql-pgbackrest-s3", "default")) is not None

    on(scenario)


def test_while_a_restore_has_not_ended_only_everything_can_be_removed_its_job_first() -> None:
    release = ReleaseRef("default", "postgresql")

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        kept, _ = await records.get(sim, release)
        restoration = Restoration("2026-11-28T10:00:00+00:00", is_finished=False, details={})
        await sim.apply(kept.with_restore(restoration).secret(), force=True)
        labels = {"app.kubernetes.io/instance": "postgresql", "app.kubernetes.io/component": "restore"}
        first = live(sim, JOB, "postgresql-pgbackrest-init")
        job = {**first, "metadata": {"name": "postgresql-restore-1", "namespace": "default", "labels": labels}}
        sim.store.put({**job, "metadata": {**job["metadata"], "uid": "restore"}})
        with pytest.raises(PreflightError) as caught:
            await removed(sim)
        assert (str(caught.value), caught.value.hint) == (
            "a restore of release postgresql in namespace default has not ended; nothing was deleted",
            "End it first, it resumes: pgwizard restore postgresql -n default",
        )
        assert sim.store.peek(DATABASE) is not None

        plan = await removed(sim, purge_data=True)
        assert str(plan.deletions[0]) == "Job default/postgresql-restore-1"
        assert sim.store.peek(plan.deletions[0]) is None
        assert sim.store.peek(VOLUME) is None

    on(scenario)


def test_the_jobs_of_a_preview_and_of_a_drill_that_a_person_began_are_deleted_first() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        first = live(sim, JOB, "postgresql-pgbackrest-init")
        owner = {
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "postgresql-drill", "uid": "1"}]
        }
        for name, component, more in (
            ("postgresql-preview", "preview", {}),
            ("postgresql-drill-1", "drill", {}),
            ("postgresql-drill-29", "drill", owner),
        ):
            labels = {"app.kubernetes.io/instance": "postgresql", "app.kubernetes.io/component": component}
            about = {"name": name, "namespace": "default", "uid": name, "labels": labels, **more}
            sim.store.put({**first, "metadata": about})
        plan = await removed(sim)
        assert sorted(map(str, plan.deletions[:2])) == [
            "Job default/postgresql-drill-1",
            "Job default/postgresql-preview",
        ]
        assert [ref for ref in plan.deletions if ref.name == "postgresql-drill-29"] == []
        assert [sim.store.peek(ref) for ref in plan.deletions[:2]] == [None, None]

    on(scenario)


def test_a_killed_uninstall_resumes() -> None:
    def killed(request: Request) -> Any:
        return "kill-before" if request.verb == "delete" and request.resource == "services" else None

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.faults.append(killed)
        with pytest.raises(Killed):
            await removed(sim)
        sim.faults.clear()
        await removed(sim)
        assert sim.store.peek(DATABASE) is None
        assert sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql"))) is None

    on(scenario)


def test_an_uninstall_keeps_objects_that_another_tool_took_over() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        service, result = Ref(SERVICE, "postgresql", "default"), list[Event]()
        taken_over(sim, service)
        await removed(sim, report=result.append)
        assert [(event.kind, event.text) for event in result if event.kind in ("warning", "done")] == [
            ("warning", "Service default/postgresql belongs to Helm release shop by now: it is kept"),
            ("done", "10 deleted, 4 kept"),
        ]
        assert sim.store.peek(service) is not None
        assert sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql"))) is None

    on(scenario)


def test_an_object_whose_label_names_another_tool_is_deleted_by_the_record() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        service, cron = Ref(SERVICE, "postgresql", "default"), Ref(CRONJOB, "postgresql-pgbackrest-full", "default")
        result = list[Event]()
        labels = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "argocd"}}}
        for ref in (service, cron, VOLUME):
            await sim.guest(manager="argocd-controller").patch(ref, labels)
        await removed(sim, purge_data=True, report=result.append)
        assert [event.text for event in result if event.kind == "warning"] == []
        assert [ref for ref in (service, cron, VOLUME) if sim.store.peek(ref) is not None] == []

    on(scenario)


def test_an_object_of_the_same_name_that_another_tool_made_is_kept() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        service, result = Ref(SERVICE, "postgresql", "default"), list[Event]()
        made = live(sim, SERVICE, "postgresql")
        await sim.delete(service)
        labels = {"app.kubernetes.io/managed-by": "flux"}
        await sim.guest(manager="kustomize-controller").create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "postgresql", "namespace": "default", "labels": labels},
                "spec": {"ports": made["spec"]["ports"]},
            }
        )
        await removed(sim, report=result.append)
        assert [event.text for event in result if event.kind == "warning"] == [
            "Service default/postgresql belongs to flux by now: it is kept"
        ]
        assert sim.store.peek(service) is not None

    on(scenario)


def test_an_object_that_another_tool_creates_again_is_not_waited_for() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        service = live(sim, SERVICE, "postgresql")

        def recreate(request: Request) -> None:
            if request.verb == "get" and request.resource == "services" and sim.store.peek(Ref.of(service)) is None:
                sim.store.put({**service, "metadata": {**service["metadata"], "uid": "another"}})

        sim.faults.append(recreate)
        await removed(sim)
        assert live(sim, SERVICE, "postgresql")["metadata"]["uid"] == "another"
        assert sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql"))) is None

    on(scenario)


def test_objects_that_were_gone_before_are_not_counted_as_deleted() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        result = list[Event]()
        await sim.delete(Ref(SERVICE, "postgresql", "default"))
        await removed(sim, report=result.append)
        assert result[-1].text == "10 deleted, 3 kept"

    on(scenario)


def test_the_password_of_a_release_that_is_named_like_a_certificate_is_purged() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(release={"name": "shop-minio-ca"}))
        plan = await removed(sim, "shop-minio-ca", purge_data=True)
        assert [str(ref) for ref, _ in plan.remainder] == ["Secret default/shop-minio-ca-minio-ca"]
        assert sim.store.peek(Ref(SECRET, "shop-minio-ca", "default")) is None

    on(scenario)


def test_a_release_that_changed_since_it_was_read_is_not_removed() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        plan = await uninstall.removal(sim, ReleaseRef("default", "postgresql"), purge_data=False)
        await deployed(sim, answers_of(schedule={"full": "0 3 * * 0"}))
        with pytest.raises(PreflightError, match="has changed since it was read; nothing was deleted"):
            await uninstall.remove(plan, sim, lambda _: None, now=clock(sim))
        assert sim.store.peek(DATABASE) is not None

    on(scenario)


def test_a_missing_release_cannot_be_removed() -> None:
    async def scenario(sim: SimCluster) -> None:
        with pytest.raises(PreflightError) as caught:
            await removed(sim)
        assert caught.value.message == "there is no release postgresql in namespace default"
        assert caught.value.hint == "No other one is seen: -n names another namespace, and pgwizard installs one."

    on(scenario)
