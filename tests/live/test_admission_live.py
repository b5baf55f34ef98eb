"""What others do to the pods of a release on a real cluster: sidecars of a mesh, and refusals of every kind."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.admission import OPT_OUT, SIDECAR, Place, denying_webhook, mesh, policy, silent_webhook
from support.live_releases import FULL, HOOK, POD, Site, site
from support.rigtools import LIVE, LONG, RESTRICTED, Kubectl
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A namespace that is there already, and enforces Pod Security "restricted"."""
    with site(kubectl_binary, tmp_path, *RESTRICTED, create=False) as scene:
        yield scene


def containers(place: Site, job: str) -> list[str]:
    """The containers of a Job's newest pod, init containers first."""
    pods = place.kubectl.json("get", "pods", f"--selector=job-name={job}")["items"]
    spec = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))["spec"]
    return [item["name"] for item in (*spec.get("initContainers", ()), *spec["containers"])]


# ---- sidecars ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["first", "last", "native"])
def test_a_sidecar_of_a_mesh_neither_hides_the_end_of_a_backup_nor_its_log(place: Site, where: Place) -> None:
    with mesh(place.kubectl, where, place.folder):
        installed = place.apply()
        assert SIDECAR in containers(place, HOOK)
        assert SIDECAR in [
            item["name"]
            for kind in ("initContainers", "containers")
            for item in place.get("pod", POD)["spec"].get(kind, ())
        ]
        assert "backup command end: completed successfully" in installed.output
        assert "proxy ready" not in installed.output
        assert place.backups() == ["full"]
        assert place.settled()

        here = f"--namespace={place.kubectl.namespace}"
        place.pgwizard(*place.command(None, "backup", "postgresql", "--type", "incr", here))
        wait_until("the backup is in the repository", lambda: place.backups() == ["full", "incr"])
        log = place.pgwizard(*place.command(None, "logs", "postgresql", here))
        assert "backup command end: completed successfully" in log.out
        assert "proxy ready" not in log.out


def test_a_label_of_the_jobs_keeps_a_mesh_out_of_them(place: Site) -> None:
    labels = {"jobs": {"labels": {OPT_OUT: False}, "annotations": {"linkerd.io/inject": "disabled"}}}
    with mesh(place.kubectl, "last", place.folder):
        place.apply(labels)
        assert containers(place, HOOK) == ["wait-for-revision", "wait-for-pod", "init"]
        place.ended(HOOK)
        place.run_job(FULL, "by-hand")
        place.ended("by-hand")
        assert containers(place, "by-hand") == ["backup"]
        job = place.get("job", "by-hand")["spec"]["template"]["metadata"]
        assert (job["labels"][OPT_OUT], job["annotations"]["linkerd.io/inject"]) == ("false", "disabled")
        assert place.settled(labels)


# ---- refusals ------------------------------------------------------------------------------------------------------


def limit_range(kubectl: Kubectl, **limits: Any) -> None:
    item = {"type": "Container", **limits}
    body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [item]}}
    kubectl.run("apply", "--filename=-", data=json.dumps(body).encode())


def refused(place: Site, answers: dict[str, Any], code: int) -> str:
    """The words of a run that ends by itself: one that waits for its time to pass ends with 7."""
    return place.apply(answers, expect=code).output


def test_a_limit_range_is_met_by_the_answers_that_are_named_before_anything_is_written(place: Site) -> None:
    limit_range(place.kubectl, min={"memory": "64Mi"}, maxLimitRequestRatio={"cpu": "20"})
    before = place.versions()
    output = refused(place, {}, 5)
    allowed, database = "and the LimitRange limits allows", "the database's pod"
    small = f"{allowed} 64Mi or more"
    # PostgreSQL's own container has 2 cores at most of 20m at least.
    for line in (
        f"the CPU limit of container postgresql of {database} is 100 times its request (2 to 20m), {allowed} 20 times",
        f"initContainer.memoryRequest: the memory request of container minio-ca-init of {database} is 32Mi, {small}",
        f"the memory request of container wait-for-revision of the pod of a backup is 32Mi, {small}",
    ):
        assert line in " ".join(output.split())
    assert place.versions() == before

    place.apply(
        {
            "resources": {"cpuRequest": "200m"},
            "initContainer": {"memoryRequest": "64Mi"},
            "jobs": {"cpuRequest": "25m", "memoryRequest": "64Mi"},
        }
    )
    assert place.backups() == ["full"]


def test_a_quota_without_room_for_the_pod_is_named_before_anything_is_written(place: Site) -> None:
    place.kubectl.run("create", "quota", "small", "--hard=limits.memory=256Mi,count/jobs.batch=1")
    before = place.versions()
    output = " ".join(refused(place, {}, 5).split())
    assert (
        "tuning.memory: the database's pod needs 512Mi, and the quota small has 256Mi of limits.memory left" in output
    )
    assert place.versions() == before

    place.kubectl.run("patch", "quota", "small", '--patch={"spec":{"hard":{"limits.memory":"1Gi"}}}')
    place.apply()
    assert place.backups() == ["full"]
    # The quota counts the one Job that there is; the next one takes its place.
    grown = {"storage": {"size": "2Gi"}, "schedule": {"full": "0 3 * * 0"}}
    place.apply(grown)
    assert place.settled(grown)


WORDS = "the platform team wants a label team: ask in channel 7"
LABELLED = "has(object.metadata.labels) && 'team' in object.metadata.labels"


def test_a_policy_that_denies_a_config_map_refuses_before_anything_is_written(place: Site) -> None:
    with policy(place.kubectl, "", "configmaps", LABELLED, WORDS):
        before = place.versions()
        assert WORDS in refused(place, {}, 5)
        assert place.versions() == before


def test_a_policy_that_denies_the_job_refuses_before_anything_is_written(place: Site) -> None:
    with policy(place.kubectl, "batch", "jobs", LABELLED, WORDS):
        before = place.versions()
        assert WORDS in refused(place, {}, 5)
        assert place.versions() == before
        place.apply({"jobs": {"labels": {"team": "shop"}}})
        assert place.backups() == ["full"]


@pytest.mark.parametrize(
    ("whose", "code", "object_name"),
    [("database", 8, "postgresql-0 in namespace"), ("backup", 9, f"Job {{namespace}}/{HOOK}")],
)
def test_a_policy_that_denies_a_pod_ends_the_wait_with_its_message(
    place: Site, whose: str, code: int, object_name: str
) -> None:
    expression = f"object.metadata.labels['app.kubernetes.io/component'] != '{whose}'"
    with policy(place.kubectl, "", "pods", expression, WORDS):
        output = refused(place, {}, code)
    assert object_name.format(namespace=place.kubectl.namespace) in output
    assert "cannot start: the cluster refuses" in output
    assert WORDS in output
    wait_until("the next apply succeeds", lambda: succeeds(place))  # the API server may know the policy a little longer


def succeeds(place: Site) -> bool:
    """Whether an apply ends with 0."""
    with contextlib.suppress(AssertionError):
        place.apply()
        return True
    return False


@pytest.mark.parametrize(("group", "resource"), [("batch", "jobs"), ("apps", "statefulsets"), ("batch", "cronjobs")])
def test_a_webhook_that_denies_an_object_refuses_before_anything_is_written(
    place: Site, group: str, resource: str
) -> None:
    with denying_webhook(place.kubectl, group, resource, WORDS, place.folder) as name:
        before = place.versions()
        output = refused(place, {}, 5)
        assert f'admission webhook "{name}" denied the request: {WORDS}' in " ".join(output.split())
        assert place.versions() == before


def test_a_webhook_that_denies_pods_ends_the_wait_with_its_words(place: Site) -> None:
    with denying_webhook(place.kubectl, "", "pods", WORDS, place.folder) as name:
        output = " ".join(refused(place, {}, 8).split())
    assert "cannot start: the cluster refuses" in output
    assert f'admission webhook "{name}" denied the request: {WORDS}' in output
    assert f"The cluster's policy {name} refused the object" in output


def test_a_webhook_that_denies_jobs_since_the_dry_run_is_named_with_its_words(place: Site) -> None:
    place.apply()
    changed = {"schedule": {"full": "0 3 * * 0"}}
    with denying_webhook(place.kubectl, "batch", "jobs", WORDS, place.folder) as name:
        output = " ".join(refused(place, changed, 5).split())
        assert f'admission webhook "{name}" denied the request: {WORDS}' in output
        backup = place.pgwizard(
            *place.command(None, "backup", "postgresql", f"--namespace={place.kubectl.namespace}"), expect=4
        )
        assert f'admission webhook "{name}" denied the request: {WORDS}' in " ".join(backup.output.split())
    assert place.backups() == ["full"]


def test_a_webhook_that_does_not_answer_ends_the_wait_with_its_name(place: Site) -> None:
    with silent_webhook(place.kubectl) as name:
        output = refused(place, {}, 8)
    assert "cannot start: a webhook of the cluster does not answer" in output
    assert f"The cluster's webhook {name} does not answer" in output
