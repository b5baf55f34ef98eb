"""Both faces find the same: the wizard's problems and warnings, and what a headless diff reports."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from pgwizard.cli import connect as cli_connect
from pgwizard.clock import utc_now
from pgwizard.kube.api import NODE, STORAGE_CLASS, ByteStream, Cluster, ListPage, Object, Ref, Resource
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, FaultRule
from pgwizard.simulator.pods import NODE as NODE_NAME
from pgwizard.tui.app import WizardApp
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import Start
from support import simtime
from support.faulting import answers_of, deployed
from support.headless import run
from support.screens import opened, until
from support.sized_pods import limit_range, quota


class OldCluster(SimCluster):
    async def version(self) -> str:
        return "v1.27.16+k3s1"


class SilentNodes(SimCluster):
    async def pages(self, resource: Resource, *where: Any, **how: Any) -> AsyncGenerator[ListPage, None]:
        if resource == NODE:
            await asyncio.sleep(3600)
        async for page in super().pages(resource, *where, **how):
            yield page


class SilentPort(SimCluster):
    @contextlib.asynccontextmanager
    async def port_forward(self, namespace: str, pod: str, port: int) -> AsyncIterator[ByteStream]:
        await asyncio.sleep(3600)
        async with super().port_forward(namespace, pod, port) as stream:
            yield stream


Arrange = Callable[[SimCluster], Awaitable[None]]
EXISTING = {"from": "existing", "namespace": "default", "secret": "postgresql-pgbackrest-s3"}


async def as_it_is(_: SimCluster) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """A world, answers in it, and how the findings begin, as ``severity question: text``."""

    answers: dict[str, Any]
    expected: list[str]
    arrange: Arrange = as_it_is
    kind: type[SimCluster] = SimCluster


def images(*names: str) -> Arrange:
    async def arrange(sim: SimCluster) -> None:
        node = sim.store.peek(Ref(NODE, NODE_NAME))
        assert node is not None
        sim.store.put({**node, "status": {"images": [{"names": list(names)}]}})

    return arrange


async def without_nodes(sim: SimCluster) -> None:
    sim.rules.deny("list", "nodes")


def denying(verb: str, resource: str, namespace: str = "*") -> Arrange:
    async def arrange(sim: SimCluster) -> None:
        sim.rules.deny(verb, resource, namespace)

    return arrange


def with_limits(*objects: Object) -> Arrange:
    async def arrange(sim: SimCluster) -> None:
        for obj in objects:
            sim.store.put(obj)

    return arrange


async def without_a_default_class(sim: SimCluster) -> None:
    obj = sim.store.peek(Ref(STORAGE_CLASS, "standard"))
    assert obj is not None
    sim.store.put({**obj, "metadata": {**obj["metadata"], "annotations": {}}})


def released(**sections: Any) -> Arrange:
    async def arrange(sim: SimCluster) -> None:
        await deployed(sim, answers_of(**sections))

    return arrange


async def with_a_repository_of_another_version(sim: SimCluster) -> None:
    await deployed(sim)
    obj = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
    assert obj is not None
    kept = record.read(obj)
    assert kept.last is not None
    answers = {**kept.last.answers, "repository": {**kept.last.answers["repository"], "shards": 2}}
    await sim.apply(replace(kept, revisions=(replace(kept.last, answers=answers),)).secret(), force=True)


async def with_a_record_of_another_version(sim: SimCluster) -> None:
    await deployed(sim)
    await sim.patch(
        Ref.of(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgresql-pgwizard", "namespace": "default"}}
        ),
        {"data": {"record": "e30="}},
    )


def failing(fault: FaultRule) -> Arrange:
    async def arrange(sim: SimCluster) -> None:
        sim.faults.append(fault)

    return arrange


CASES = {
    "the defaults": Case({}, []),
    "a certificate that the server does not send": Case(
        {"tls": {"source": {"namespace": "staging", "secret": "minio-wrong-name"}}},
        ["warning tls.source: minio.minio.svc:9000 would be refused: [18]"],
    ),
    "an endpoint without a Service": Case(
        {"repository": {"endpoint": "nowhere.minio.svc:9000"}},
        ["warning repository.endpoint: Service minio/nowhere does not exist"],
    ),
    "an endpoint of a port that the Service does not have": Case(
        {"repository": {"endpoint": "minio.minio.svc:9111"}},
        ["warning repository.endpoint: Service minio/minio has no port 9111; its ports: 9000, 9001"],
    ),
    "an endpoint that is down": Case(
        {"repository": {"endpoint": "127.0.0.1:1"}, "images": {"pgbackrestVersion": "2.60"}},
        [
            "warning repository.endpoint: 127.0.0.1 is the pod itself, not this machine",
            "warning repository.endpoint: 127.0.0.1:1 cannot be reached from this machine: Connect",
        ],
    ),
    "an endpoint that is reached from the cluster alone": Case(
        {"repository": {"endpoint": "s3.example.com"}},
        ["warning repository.endpoint: s3.example.com:443 cannot be reached from this machine"],
    ),
    "the public authorities, and an endpoint that is down": Case(
        {"repository": {"endpoint": "127.0.0.1:1"}, "tls": {"source": None}, "images": {"pgbackrestVersion": "2.60"}},
        [
            "warning repository.endpoint: 127.0.0.1 is the pod itself, not this machine",
            "warning repository.endpoint: 127.0.0.1:1 cannot be reached from this machine",
        ],
    ),
    "an unencrypted endpoint that is down": Case(
        {
            "repository": {"endpoint": "http://127.0.0.1:1"},
            "tls": {"verify": False},
            "images": {"pgbackrestVersion": "2.60"},
        },
        [
            "warning repository.endpoint: 127.0.0.1 is the pod itself, not this machine",
            "warning repository.endpoint: 127.0.0.1:1 cannot be reached from this machine",
            "warning tls.verify: false: backups go to whoever answers",
        ],
    ),
    "an older server": Case(
        {},
        [
            (
                "warning release.namespace: this cluster runs Kubernetes v1.27.16+k3s1: pgwizard needs 1.30 or newer "
                "to run commands in a pod"
            )
        ],
        kind=OldCluster,
    ),
    "a path that another release uses": Case(
        {},
        ["warning repository.path: staging/postgresql backs up to backups/postgresql at minio.minio.svc:9000 as well"],
        released(release={"namespace": "staging"}, repository={"credentials": EXISTING}),
    ),
    "a second release in the namespace": Case(
        {"release": {"name": "second"}, "repository": {"path": "/second", "credentials": EXISTING}},
        ["warning release.name: this creates a second release: default/postgresql is not changed"],
        released(),
    ),
    "a repository that moves": Case(
        {"repository": {"path": "/elsewhere"}},
        ["warning repository.path: existing backups stay in backups/postgresql at minio.minio.svc:9000"],
        released(),
    ),
    "a recorded repository that cannot be read": Case(
        {"repository": {"path": "/elsewhere"}},
        ["warning repository.path: revision 1 of the record cannot be read: whether the repository moves is not"],
        with_a_repository_of_another_version,
    ),
    "an image that no node lists": Case(
        {},
        ["warning images.postgresql: no node lists aryan-laptophp/postgres-pgbackrest:15.0: build it (image/Con"],
        images("docker.io/library/postgres:15"),
    ),
    "an image that is never pulled": Case(
        {"images": {"pullPolicy": "Never"}},
        ["warning images.postgresql: no node lists aryan-laptophp/postgres-pgbackrest:15.0: load it onto the nodes"],
        images(),
    ),
    "nodes that may not be listed": Case(
        {},
        ["warning images.postgresql: whether a node has aryan-laptophp/postgres-pgbackrest:15.0 is unknown"],
        without_nodes,
    ),
    "a StorageClass that does not exist": Case(
        {"storage": {"storageClass": "fast"}},
        ["warning storage.storageClass: StorageClass fast does not exist: the volume would wait for it"],
    ),
    "no default StorageClass": Case(
        {}, ["warning storage.storageClass: no StorageClass is the default"], without_a_default_class
    ),
    "a list of StorageClasses that may not be read": Case(
        {},
        ["warning storage.storageClass: not checked: no permission to list StorageClasses"],
        denying("list", "storageclasses"),
    ),
    "a pod that a LimitRange refuses": Case(
        {},
        [
            "error initContainer.memoryRequest: the memory request of container minio-ca-init of the database's",
            "error jobs.memoryRequest: the memory request of container wait-for-revision of the pod of a",
        ],
        with_limits(limit_range(min={"memory": "64Mi"})),
    ),
    "a quota without room for the pod, and one without room for the volume": Case(
        {"tuning": {"memory": "4Gi"}},
        [
            "error tuning.memory: the database's pod needs 4Gi, and the quota small has 2Gi of limits.memory left",
            "error storage.size: the volume needs 10Gi, and the quota small has 8Gi of requests.storage left",
        ],
        with_limits(quota({"limits.memory": "3Gi", "requests.storage": "8Gi"}, {"limits.memory": "1Gi"})),
    ),
    "limits that may not be listed": Case(
        {},
        ["warning release.namespace: not checked: no permission to list LimitRanges and ResourceQuotas"],
        denying("list", "limitranges"),
    ),
    "an S3 server behind pods without the right to port-forward": Case(
        {},
        ["warning repository.endpoint: not checked: no permission to port-forward to the S3 server"],
        denying("create", "pods/portforward"),
    ),
    "releases of other namespaces that may not be listed": Case(
        {},
        ["warning repository.path: not checked against other namespaces: no permission to list Secrets there"],
        denying("list", "secrets", ""),
    ),
    "a list that fails": Case(
        {},
        ["warning storage.storageClass: not checked: the list of StorageClasses: "],
        failing(Fault("500", "list", "storageclasses", times=None)),
    ),
    "a list that does not come": Case(
        {},
        ["warning images.postgresql: not checked: the list of nodes: no answer within 10 s"],
        kind=SilentNodes,
    ),
    "a class that does not exist, and a list of nodes that does not come": Case(
        {"pods": {"priorityClass": "high", "nodeSelector": {"disk": "ssd"}}},
        [
            "error pods.priorityClass: PriorityClass high does not exist: the API server would refuse the pods",
            "warning images.postgresql: not checked: the list of nodes: no answer within 10 s",
        ],
        kind=SilentNodes,
    ),
    "an endpoint that does not answer": Case(
        {},
        ["warning repository.endpoint: minio.minio.svc:9000 did not answer a TLS handshake within 8 s"],
        kind=SilentPort,
    ),
    "an answer that is wrong by itself, beside one that the cluster contradicts": Case(
        {
            "credentials": {"from": "existing", "secret": "not-there"},
            "tuning": {"parameters": {"shared_buffers": "128M"}},
            "storage": {"storageClass": "fast"},
        },
        [
            "error credentials.secret: Secret default/not-there does not exist",
            "error tuning.parameters.shared_buffers: '128M': 'M' is not a unit of it",
            "warning storage.storageClass: StorageClass fast does not exist",
        ],
    ),
    "a certificate Secret without the key": Case(
        {"tls": {"source": {"key": "ca.crt"}}},
        ["error tls.source.key: Secret minio/minio-tls has no key ca.crt"],
    ),
    "what an installed release keeps": Case(
        {"release": {"database": "shop"}, "storage": {"size": "9Gi"}},
        [
            "error release.database: only the first start creates a database, and it created myapp",
            "error storage.size: the volume has 10Gi and cannot shrink to 9Gi",
        ],
        released(),
    ),
    "a record that cannot be read": Case(
        {},
        ["error release.name: Secret default/postgresql-pgwizard holds no record of a release"],
        with_a_record_of_another_version,
    ),
}


async def world(case: Case) -> SimCluster:
    async with case.kind(speed=200) as sim:
        await case.arrange(sim)
    return sim


async def found_by_the_wizard(sim: SimCluster, answers: dict[str, Any]) -> set[str]:
    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(sim)

    app = WizardApp(Start(connect, lambda *_: None, utc_now, raw=answers))
    async with opened(app, (120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Wizard) and app.connection.cluster is not None)
        await until(pilot, lambda: all(worker.is_finished for worker in app.workers))
        draft = cast("Wizard", app.screen).draft
        return {f"{each.severity} {each}" for each in (*draft.problems, *draft.warnings)}


def found_headless(sim: SimCluster, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    @contextlib.asynccontextmanager
    async def connected(_: cli_connect.ClusterSource) -> AsyncIterator[Cluster]:
        async with sim:
            yield sim

    monkeypatch.setattr(cli_connect, "open_cluster", connected)
    monkeypatch.setattr(asyncio, "run", simtime.run)
    Path("answers.yaml").write_text(yaml.safe_dump(answers) if answers else "release: {}\n")
    done = run("diff", "answers.yaml", "--json")
    lines = [json.loads(line) for line in (done.out + done.err).splitlines()]
    items = [("warning", line["problem"]) for line in lines if line.get("kind") == "warning"]
    items += [("error", problem) for line in lines if line["type"] == "error" for problem in line["problems"]]
    return {f"{kind} {': '.join(filter(None, (item['path'], item['message'])))}" for kind, item in items}


@pytest.mark.parametrize("name", CASES)
def test_the_wizard_and_a_headless_diff_find_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    sim = simtime.run(world(case))
    headless = copy.deepcopy(sim)
    wizard = simtime.run(found_by_the_wizard(sim, case.answers))
    assert wizard == found_headless(headless, case.answers, monkeypatch)
    assert len(wizard) == len(case.expected)
    assert all(any(each.startswith(begin) for each in wizard) for begin in case.expected), wizard
