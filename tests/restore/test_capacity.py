"""Whether the restore Job finds a place once the database has stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pgwizard.errors import PreflightError
from pgwizard.kube.api import LIMIT_RANGE, NODE, STATEFULSET, Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.restore import capacity
from pgwizard.simulator.cluster import SimCluster
from pgwizard.status.repository import Backup
from support import simtime
from support.faulting import cluster, deployed

RELEASE = ReleaseRef("default", "postgresql")


def spec(cpu: str, **more: Any) -> Object:
    return {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": "128Mi"}}}], **more}


def pod(name: str, cpu: str, **more: Any) -> Object:
    """One that waits for a node, unless it has one."""
    waits = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    status = {"phase": "Running"} if "nodeName" in more else {"phase": "Pending", "conditions": waits}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec(cpu, **more), "status": status}


NODE_OF_2 = {
    "metadata": {"name": "one", "labels": {"disk": "ssd"}},
    "status": {"allocatable": {"cpu": "2", "memory": "8Gi"}},
}
DATABASE = pod("postgresql-0", "1", nodeName="one")
OTHER = pod("other", "900m", nodeName="one")


@pytest.mark.parametrize(
    ("waiting", "rivals"),
    [
        (pod("web", "500m"), ["shop/web"]),
        (pod("web", "100m"), []),
        (pod("web", "1500m"), []),
        (pod("web", "500m", nodeSelector={"disk": "hdd"}), []),
        (pod("web", "500m", nodeSelector={"disk": "ssd"}), ["shop/web"]),
    ],
    ids=["takes the place", "fits beside", "fits nowhere", "belongs elsewhere", "belongs here"],
)
def test_a_pod_that_waits_for_the_database_s_place_is_found(waiting: Object, rivals: list[str]) -> None:
    assert capacity.rivals_for(spec("1"), NODE_OF_2, [DATABASE, OTHER, waiting]) == rivals


def on(sim: SimCluster, kind: Any, name: str, **parts: Any) -> None:
    metadata = {"name": name, **({"namespace": "default"} if kind != NODE else {})}
    sim.store.put({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts})


def test_a_new_volume_that_would_be_too_small_names_the_answer() -> None:
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    backup = Backup("20261128-000000F", "full", moment, moment, 11 * 1024**3, 1, "", "")

    async def scenario() -> None:
        sim = cluster()
        async with sim:
            await deployed(sim)
            await capacity.require_volume(sim, RELEASE, backup, is_answering=False)  # of what is there nothing is known
            gone = ReleaseRef(RELEASE.namespace, "gone")
            stateful = sim.store.peek(Ref(STATEFULSET, RELEASE.name, RELEASE.namespace))
            assert stateful is not None
            on(sim, STATEFULSET, gone.name, spec={**stateful["spec"], "replicas": 0})
            with pytest.raises(
                PreflightError, match=r" has 10Gi, and the database of backup .* takes 11Gi; "
            ) as refused:
                await capacity.require_volume(sim, gone, backup, is_answering=False)
            assert refused.value.hint.endswith("--set storage.size=SIZE")

    simtime.run(scenario())


def test_a_limit_range_that_refuses_the_job_stops_the_restore() -> None:
    async def scenario() -> None:
        sim = cluster()
        async with sim:
            await deployed(sim)
            await capacity.require(sim, RELEASE)
            on(sim, LIMIT_RANGE, "small", spec={"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]})
            with pytest.raises(
                PreflightError, match="the restore Job would be refused; nothing was touched"
            ) as refused:
                await capacity.require(sim, RELEASE)
            assert "LimitRange small" in refused.value.findings[0].text

    simtime.run(scenario())
