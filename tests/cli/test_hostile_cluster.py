"""A cluster whose objects hold escape sequences: none of them reaches a terminal, whatever is printed about it."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.kube.api import EVENT, Object, Ref
from pgwizard.simulator.cluster import SimCluster
from support import headless, simtime
from support.faulting import CONFIGMAP, CRONJOB, JOB, POD, SERVICE, STATEFULSET, deployed, live

HOSTILE = "\x1b]52;c;aGVsbG8=\x07\x1b[2J\u202egnp\u2028\x9b31m\r\u200b"


async def poison(sim: SimCluster) -> None:
    """A release, and what others may write into its objects and a controller about them."""
    async with sim:
        await deployed(sim)
        await sim.clock.sleep(5)
        evil = sim.guest(manager=f"kubectl{HOSTILE}")
        marks = {"metadata": {"annotations": {"note": HOSTILE}, "labels": {"app.kubernetes.io/managed-by": HOSTILE}}}
        for ref in (
            Ref(SERVICE, "postgresql", "default"),
            Ref(CONFIGMAP, "postgresql-config", "default"),
            Ref(CRONJOB, "postgresql-pgbackrest-full", "default"),
        ):
            await evil.patch(ref, marks)
        await evil.patch(Ref(CONFIGMAP, "postgresql-config", "default"), {"data": {"postgresql.conf": HOSTILE}})

    for resource, name in ((POD, "postgresql-0"), (STATEFULSET, "postgresql")):
        about = live(sim, resource, name)
        sim.store.put({**about, "metadata": {**about["metadata"], "annotations": {"note": HOSTILE}}})
    pod = live(sim, POD, "postgresql-0")
    waiting = {"name": f"postgresql{HOSTILE}", "state": {"waiting": {"reason": "ErrImagePull", "message": HOSTILE}}}
    conditions = [{"type": "Ready", "status": "False", "message": HOSTILE, "reason": HOSTILE}]
    sim.store.put({**pod, "status": {**pod["status"], "containerStatuses": [waiting], "conditions": conditions}})
    sim.store.put(event(pod))
    job = live(sim, JOB, "postgresql-pgbackrest-init")
    failed = [{"type": "Failed", "status": "True", "message": HOSTILE, "reason": HOSTILE}]
    sim.store.put({**job, "status": {**job["status"], "conditions": failed}})


def event(pod: Object) -> Object:
    about = {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": "default", "uid": pod["metadata"]["uid"]}
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": "postgresql-0.1", "namespace": "default"},
        "involvedObject": about,
        "reason": "Failed",
        "message": HOSTILE,
        "type": "Warning",
    }


def dangers(text: str) -> list[str]:
    """Every line with a character that a terminal acts on or hides."""
    return [line for line in text.split("\n") if not line.isprintable()]


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff", "answers.yaml"),
        ("diff", "answers.yaml", "--force-conflicts"),
        ("apply", "answers.yaml", "--timeout", "60"),
        ("status", "postgresql"),
        ("list",),
        ("logs", "postgresql"),
        ("uninstall", "postgresql", "--yes"),
    ],
    ids=" ".join,
)
def test_no_control_character_of_the_cluster_is_printed(
    sim: SimCluster, answers: str, arguments: tuple[Any, ...]
) -> None:
    simtime.run(poison(sim))
    done = headless.run(*arguments, "--demo")
    assert done.out or done.err
    assert dangers(done.out + done.err) == []
