"""The simulation against the truth: the same writes, in random order by several managers, on a real API server."""

from __future__ import annotations

import asyncio
import copy
import os
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pgwizard.errors import ApiError
from pgwizard.kube.api import Cluster, Object, Ref, Resource
from pgwizard.simulator.cluster import SimCluster
from support.headless import GOLDEN
from support.simulated import configmap, job, statefulset

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG")
MANAGERS = ("pgwizard", "kubectl", "helm")
ROUNDS = 40
SEEDS = int(os.environ.get("PGWIZARD_TEST_SEEDS", "3"))
_SIZES = ("1Gi", "2Gi", "1024Mi", "1.3Gi", "1.5Gi", "2e9", "1500M", "1073741824", "0.5Gi")
_OURS = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"}

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(KUBECONFIG is None, reason="PGWIZARD_TEST_KUBECONFIG names no cluster"),
]


def variants(kind: int, dice: random.Random) -> Object:
    """A manifest with a random part of what it could hold."""
    if kind == 0:
        return configmap("fuzz", **{key: dice.choice("12") for key in "abcd" if dice.random() < 0.5})
    if kind == 1:
        obj = statefulset("fuzz", replicas=0)
        main = obj["spec"]["template"]["spec"]["containers"][0]
        if dice.random() < 0.5:
            main["env"] = [{"name": name, "value": dice.choice("12")} for name in "ABC" if dice.random() < 0.6]
        if dice.random() < 0.5:
            main["ports"] = [{"containerPort": port} for port in (5432, 8432) if dice.random() < 0.6]
        if dice.random() < 0.5:
            main["resources"] = {"limits": {"memory": dice.choice(_SIZES), "cpu": dice.choice(["0.5", "1"])}}
        if dice.random() < 0.5:
            main["securityContext"] = {"runAsNonRoot": True} | ({"runAsUser": 999} if dice.random() < 0.5 else {})
        if dice.random() < 0.4:
            obj["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": dice.choice(["a", "b:1"])})
        if dice.random() < 0.4:
            volume: Object = (
                {"name": "v", "emptyDir": {}} if dice.random() < 0.5 else {"name": "v", "secret": {"secretName": "s"}}
            )
            obj["spec"]["template"]["spec"]["volumes"] = [volume]
        return obj
    if kind == 2:
        ports: list[Object] = [{"name": f"p{port}", "port": port} for port in (5432, 9187) if dice.random() < 0.8]
        spec: Object = {"selector": {"app": dice.choice("ab")}, "ports": ports or [{"name": "p1", "port": 1}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fuzz"}, "spec": spec}
    spec = {
        "schedule": dice.choice(["0 2 * * 0", "@daily"]),
        "suspend": True,
        "jobTemplate": {"spec": job("x")["spec"]},
    }
    if dice.random() < 0.5:
        spec["timeZone"] = "Etc/UTC"
    labels = {key: dice.choice("12") for key in "xy" if dice.random() < 0.5}
    metadata = {"name": "fuzz"} | ({"labels": labels} if labels else {})
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


def essence(obj: Object) -> Any:
    """What both must agree on."""
    result = copy.deepcopy(obj)
    owners = sorted(
        (entry["manager"], entry["operation"], entry["fieldsV1"])
        for entry in result["metadata"].get("managedFields", ())
        if entry.get("subresource") != "status"
    )
    for key in [*_OURS, "namespace"]:
        result["metadata"].pop(key, None)
    result.pop("status", None)
    for claim in result.get("spec", {}).get("volumeClaimTemplates", ()) if isinstance(result.get("spec"), dict) else ():
        claim.pop("status", None)
    for key in ("clusterIP", "clusterIPs"):
        result.get("spec", {}).pop(key, None)
    return result, owners


def differences(ours: Any, truth: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, ours, the server's) for each leaf that differs."""
    if isinstance(ours, dict) and isinstance(truth, dict):
        for key in ours | truth:
            yield from differences(ours.get(key), truth.get(key), f"{path}.{key}")
    elif isinstance(ours, (list, tuple)) and isinstance(truth, (list, tuple)) and len(ours) == len(truth):
        for index, (one, other) in enumerate(zip(ours, truth, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif ours != truth:
        yield path, ours, truth


async def outcome(cluster: Cluster, obj: Object, mode: str, namespace: str) -> Any:
    mine = copy.deepcopy(obj)
    mine["metadata"]["namespace"] = namespace
    try:
        if mode == "patch":
            fields: Object = {key: mine[key] for key in ("data", "spec") if key in mine}
            written = await cluster.patch(Ref.of(mine), fields)
        else:
            written = await cluster.apply(mine, force=mode == "force", dry_run=mode == "dry")
    except ApiError as error:
        return type(error).__name__, error.status, sorted(error.causes)
    return essence(written.object)


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_same_writes_have_the_same_results(kind: int, seed: int) -> None:
    from kube.test_cluster_contract import opened

    async def main() -> None:
        dice = random.Random(1000 * kind + seed)
        name = f"fuzz-{uuid.uuid4().hex[:8]}"
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        async with (
            SimCluster(example=False) as sim,
            opened("pgwizard") as one,
            opened("kubectl") as two,
            opened("helm") as three,
        ):
            real = dict(zip(MANAGERS, (one, two, three), strict=True))
            await one.create(space)
            try:
                for step in range(ROUNDS):
                    manager = dice.choice(MANAGERS)
                    mode = dice.choice(["apply", "apply", "force", "patch", "dry"])
                    obj = variants(kind, dice)
                    truth = await outcome(real[manager], obj, mode, name)
                    ours = await outcome(sim.guest(manager=manager), obj, mode, "default")
                    items = list(differences(ours, truth))
                    assert not items, f"step {step}, {manager} {mode} {obj}: (path, ours, the server's) {items}"
            finally:
                await one.delete(Ref(Resource("v1", "Namespace"), name))

    asyncio.run(main())


@pytest.mark.parametrize("case", ["defaults", "everything-changed", "encrypted-from-env", "no-backups"])
def test_rendered_manifests_are_stored_alike(case: str) -> None:
    """Defaults included. What follows from an object's uid differs by nature."""
    from kube.test_cluster_contract import opened

    folder = GOLDEN / case / "manifests"
    objects = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    assert objects

    async def main() -> None:
        async with SimCluster(example=False) as sim, opened("pgwizard") as real:
            for obj in [
                obj for obj in objects if obj["kind"] not in ("Namespace", "PrometheusRule")
            ]:  # has no CRD there
                truth = await outcome(real, obj, "dry", "default")
                ours = await outcome(sim, obj, "dry", "default")
                items = [item for item in differences(ours, truth) if "controller-uid" not in item[0]]
                assert not items, f"{obj['kind']}: (path, ours, the server's) {items}"

    asyncio.run(main())
