"""A release on a real cluster that others have changed: what a diff and an apply announce is what happens."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.admission import SIDECAR, mesh
from support.live_releases import CLAIM, FULL, POD, Done, Site, site
from support.rigtools import LIVE, LONG
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE, wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]

STATEFULSET = "statefulset/postgresql"
CONFIG = "configmap/postgresql-config"
ROLE = "role/postgresql-pgbackrest"
FORCE = "--force-conflicts"


@pytest.fixture(scope="module")
def place(kubectl_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path_factory.mktemp("release"), create=False) as scene:
        scene.apply()
        try:
            yield scene
        finally:  # with the finalizer of a case the namespace would never go away
            scene.kubectl.outcome(*patch(CONFIG, {"metadata": {"finalizers": None}}))


@dataclass(frozen=True, slots=True)
class Case:
    """What another does, in a kubectl command, and what an apply makes of it.

    changes: the objects that it writes. is_foreign: it takes fields of pgwizard's, which only force takes back.
    restarts: whether the apply makes another pod.
    """

    command: tuple[str, ...]
    changes: tuple[str, ...] = ()
    is_foreign: bool = False
    restarts: bool = False


def patch(target: str, change: Any, manager: str = "kubectl-patch", kind: str = "merge") -> tuple[str, ...]:
    return ("patch", target, f"--type={kind}", f"--field-manager={manager}", f"--patch={json.dumps(change)}")


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "postgresql", **fields}]}}}}


CASES = {
    "rollout restart": Case(("rollout", "restart", STATEFULSET)),
    "set env": Case(("set", "env", STATEFULSET, "--containers=postgresql", "EXTRA=1")),
    "set image": Case(
        ("set", "image", STATEFULSET, "postgresql=docker.io/aryan-laptophp/postgres-pgbackrest:15.0"),
        (STATEFULSET,),
        is_foreign=True,
        restarts=True,
    ),
    "set resources": Case(
        ("set", "resources", STATEFULSET, "--containers=postgresql", "--limits=memory=600Mi"),
        (STATEFULSET,),
        is_foreign=True,
        restarts=True,
    ),
    "a VPA": Case(
        patch(STATEFULSET, container(resources={"requests": {"cpu": "30m"}}), "vpa-updater", "strategic"),
        (STATEFULSET,),
        is_foreign=True,
        restarts=True,
    ),
    "scale to 0": Case(("scale", STATEFULSET, "--replicas=0"), (STATEFULSET,)),
    "scale to 2": Case(("scale", STATEFULSET, "--replicas=2"), (STATEFULSET,), is_foreign=True),
    "an edited ConfigMap": Case(
        patch(CONFIG, {"data": {"postgresql.conf": "shared_buffers = 1GB\n"}}), (CONFIG,), is_foreign=True
    ),
    "a label in the pod's template": Case(
        patch(STATEFULSET, {"spec": {"template": {"metadata": {"labels": {"team": "shop"}}}}})
    ),
    "an annotation": Case(("annotate", STATEFULSET, "team=shop")),
    "a finalizer": Case(patch(CONFIG, {"metadata": {"finalizers": ["example.com/kept"]}})),
    "a claim that was grown": Case(
        patch(f"pvc/{CLAIM}", {"spec": {"resources": {"requests": {"storage": "2147483648"}}}})
    ),
    "a suspended schedule": Case(patch(f"cronjob/{FULL}", {"spec": {"suspend": True}})),
    "another time zone": Case(
        patch(f"cronjob/{FULL}", {"spec": {"timeZone": "Europe/Berlin"}}), (f"cronjob/{FULL}",), is_foreign=True
    ),
    "an emptied Role": Case(patch(ROLE, {"rules": []}), (ROLE,), is_foreign=True),
    "a Role without rules": Case(patch(ROLE, {"rules": None}), (ROLE,), is_foreign=True),
    "a NodePort": Case(
        patch("service/postgresql", {"spec": {"type": "NodePort"}}), ("service/postgresql",), is_foreign=True
    ),
    "a label of Argo CD": Case(
        patch(
            "service/postgresql", {"metadata": {"labels": {"app.kubernetes.io/instance": "shop"}}}, "argocd-controller"
        )
    ),
}


def lines(done: Done, kind: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, done.out.splitlines()) if line["type"] == kind]


def announced(done: Done) -> dict[str, dict[str, Any]]:
    """Every object that changes, as kubectl names it."""
    items = {}
    for line in lines(done, "change"):
        kind, _, name = line["object"].partition(" ")
        if line["action"] != "unchanged":
            items[f"{kind.lower()}/{name.rpartition('/')[2]}"] = line
    return items


def uid(place: Site) -> str:
    code, output, _ = place.kubectl.outcome("get", "pod", POD, "--output=jsonpath={.metadata.uid}")
    return output.decode() if code == 0 else ""


@pytest.mark.parametrize("name", CASES)
def test_what_an_apply_announces_of_what_others_did_is_what_happens(place: Site, name: str) -> None:
    case = CASES[name]
    place.kubectl.run(*case.command)
    if STATEFULSET in case.command and "--replicas=0" not in case.command:
        place.kubectl.run("rollout", "status", STATEFULSET, KUBECTL_DEADLINE)
    if "--replicas=0" in case.command:
        wait_until("the pod is gone", lambda: uid(place) == "")
    options = (FORCE,) if case.is_foreign else ()
    if case.is_foreign:
        assert FORCE in place.apply({}, "--json", expect=6).output
    diff = place.pgwizard(*place.command({}, "--diff", "--dry-run", "--json", *options))
    assert tuple(sorted(key for key in announced(diff) if not key.startswith("job/"))) == case.changes
    assert all(line["diff"] for line in announced(diff).values())
    before = uid(place)
    done = place.apply({}, "--json", *options)
    assert announced(done).keys() == announced(diff).keys()
    assert any(line["restarts"] for line in announced(done).values()) is case.restarts
    assert (before not in ("", uid(place))) is case.restarts, "a pod that is not there is started, not restarted"
    assert place.settled()


def test_answers_in_another_spelling_settle(place: Site) -> None:
    spelt = {
        "tuning": {"memory": "536870912"},
        "resources": {"cpuRequest": "0.02", "cpuLimit": "2000m", "memoryRequest": "131072Ki"},
        "jobs": {"cpuLimit": "0.5"},
    }
    before = uid(place)
    done = place.apply(spelt, "--json")
    assert any(line["restarts"] for line in announced(done).values()) is (uid(place) != before)
    assert place.settled(spelt)


def test_a_growth_after_a_restart_by_kubectl_does_what_it_announces(place: Site) -> None:
    place.kubectl.run("rollout", "restart", STATEFULSET)
    place.kubectl.run("rollout", "status", STATEFULSET, KUBECTL_DEADLINE)
    grown = {"storage": {"size": "3Gi"}}
    before = uid(place)
    done = place.apply(grown, "--json")
    (database,) = [line for key, line in announced(done).items() if key == STATEFULSET]
    assert (database["action"], database["restarts"]) == ("replace", True)
    assert uid(place) != before
    assert place.settled(grown)


def is_stuck(place: Site, here: str) -> bool:
    """Whether the status says that a Job is kept running by its sidecar, with the exit code of a release at risk."""
    command = place.command(None, "status", "postgresql", here)
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    words = "does not end, and its schedule starts no other: its backup has ended"
    return done.returncode == 11 and words in done.stdout


def test_a_sidecar_that_a_running_release_gets_changes_nothing(place: Site) -> None:
    grown = {"storage": {"size": "3Gi"}}
    here = f"--namespace={place.kubectl.namespace}"
    place.apply(grown)
    with mesh(place.kubectl, "first", place.folder):
        place.kubectl.run("delete", "pod", POD)
        place.kubectl.run("rollout", "status", STATEFULSET, KUBECTL_DEADLINE)
        assert place.get("pod", POD)["spec"]["containers"][0]["name"] == SIDECAR
        before = uid(place)
        assert place.settled(grown)
        assert uid(place) == before
        count = len(place.backups())
        place.pgwizard(*place.command(None, "backup", "postgresql", "--type", "incr", here))
        wait_until("the backup is in the repository", lambda: len(place.backups()) == count + 1)
        # The kubelet is given a moment to end the Job, in which it is nobody's fault.
        wait_until("the status names the Job that does not end", lambda: is_stuck(place, here))
