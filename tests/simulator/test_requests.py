"""Faults, the record of requests, permissions, lists and watches on a cluster whose past is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, get_args

import pytest

from pgwizard import errors
from pgwizard.kube.api import Access
from pgwizard.simulator.faults import AFTER_COMMIT, Fault, FaultKind, Killed
from support.simulated import CONFIGMAP, Cluster, configmap, listed, ref, run

EXPECTED: dict[FaultKind, type[BaseException]] = {
    "401": errors.Unauthorized,
    "403": errors.Forbidden,
    "409": errors.Conflict,
    "410": errors.Gone,
    "422": errors.Invalid,
    "429": errors.ServerFailure,
    "500": errors.ServerFailure,
    "503": errors.ServerFailure,
    "reset-before": errors.Unreachable,
    "reset-after": errors.Unreachable,
    "timeout-after": errors.Unreachable,
    "truncated": errors.Unreachable,
    "kill-before": Killed,
    "kill-after": Killed,
}


def test_every_fault_is_expected() -> None:
    assert set(EXPECTED) == set(get_args(FaultKind))


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_a_fault_strikes_once_and_persists_only_after_commit(kind: FaultKind) -> None:
    async def scenario(sim: Cluster) -> None:
        sim.faults.append(Fault(kind, resource="configmaps"))
        with pytest.raises(EXPECTED[kind]):
            await sim.apply(configmap(x="1"))
        assert len(await listed(sim, CONFIGMAP)) == (1 if kind in AFTER_COMMIT else 0)
        await sim.apply(configmap(x="1"))

    run(scenario)


def test_faults_by_position_name_and_function() -> None:
    async def scenario(sim: Cluster) -> None:
        sim.faults += [
            Fault("500", verb="apply", nth=2),
            Fault("409", name="c", times=None),
            lambda request: "403" if request.verb == "delete" else None,
        ]
        await sim.apply(configmap("a"))
        with pytest.raises(errors.ServerFailure):
            await sim.apply(configmap("b"))
        await sim.apply(configmap("b"))
        for _ in range(2):
            with pytest.raises(errors.Conflict):
                await sim.apply(configmap("c"))
        with pytest.raises(errors.Forbidden):
            await sim.delete(ref(CONFIGMAP, "a"))

    run(scenario)


def test_a_killed_run_leaves_its_writes_to_the_next() -> None:
    async def install(sim: Cluster) -> None:
        for name in "abc":
            await sim.apply(configmap(name, x="1"))

    cluster = Cluster(faults=[Fault("kill-after", number=2)])
    with pytest.raises(Killed):
        run(install, cluster)
    run(install, cluster)
    names = [obj["metadata"]["name"] for obj in cluster.store.find(CONFIGMAP)]
    assert names == ["a", "b", "c"]
    assert [request.name for request in cluster.requests] == ["a", "b", "a", "b", "c"]


def test_requests_are_recorded() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(configmap(), dry_run=True)
        await sim.apply(configmap())
        await sim.get(ref(CONFIGMAP, "a"))
        path = "/api/v1/namespaces/default/configmaps/a"
        assert [(r.verb, r.path, r.dry_run) for r in sim.requests] == [
            ("apply", path, True),
            ("apply", path, False),
            ("get", path, False),
        ]
        assert len([request for request in sim.requests if request.is_write]) == 1

    run(scenario)


def test_a_denial_in_the_words_of_the_server() -> None:
    async def scenario(sim: Cluster) -> None:
        sim.rules.deny("patch", "configmaps", "default")
        sim.rules.deny("create", "pods/exec")
        access = Access("create", "pods/exec", namespace="shop", name="x")
        assert await sim.check_access([access]) == {access: False}
        with pytest.raises(errors.Forbidden) as caught:
            await sim.apply(configmap())
        assert str(caught.value) == (
            'cannot apply ConfigMap default/a: configmaps "a" is forbidden: User "demo" cannot patch resource '
            '"configmaps" in API group "" in the namespace "default"'
        )
        assert caught.value.hint.endswith("kubectl -n default auth can-i patch configmaps/a")
        sim.rules.clear()
        await sim.apply(configmap())

    run(scenario)


def test_a_list_that_expires_half_read() -> None:
    async def scenario(sim: Cluster) -> None:
        for name in "abcde":
            await sim.create(configmap(name))
        pages = sim.pages(CONFIGMAP, "default", limit=2)
        async with contextlib.aclosing(pages):
            first = await anext(pages)
            assert (len(first.items), first.remaining) == (2, 3)
            await sim.create(configmap("aa"))
            second = await anext(pages)
            assert [obj["metadata"]["name"] for obj in second.items] == ["c", "d"]
            sim.store.compact()
            await sim.create(configmap("z"))
            with pytest.raises(errors.Gone):
                await anext(pages)

    run(scenario)


def test_a_watch_lists_again_after_410() -> None:
    async def scenario(sim: Cluster) -> list[Any]:
        await sim.create(configmap("gone"))
        await sim.create(configmap("kept"))
        seen: list[Any] = []

        async def follow() -> None:
            async with contextlib.aclosing(sim.watch(CONFIGMAP, "default")) as events:
                async for event in events:
                    name = event.object["metadata"]["name"] if event.object else None
                    seen.append((event.type, name))

        task = asyncio.create_task(follow())
        await sim.until(0)
        # a busy cluster: all this happens before the watch is read again
        for request in (sim.delete(ref(CONFIGMAP, "gone")), sim.create(configmap("new"))):
            sim.store.listeners, kept = [], sim.store.listeners
            await request
            sim.store.listeners = kept
        sim.store.compact()
        await sim.patch(ref(CONFIGMAP, "kept"), {"data": {"x": "1"}})
        sim.store.compact()
        await sim.until(0)
        task.cancel()
        return seen

    assert run(scenario) == [
        ("ADDED", "gone"),
        ("ADDED", "kept"),
        ("SYNCED", None),
        ("DELETED", "gone"),
        ("MODIFIED", "kept"),
        ("ADDED", "new"),
        ("SYNCED", None),
    ]


def test_a_closed_cluster_says_so() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.guest().close()
        await sim.version()
        await sim.close()
        with pytest.raises(RuntimeError):
            await sim.version()

    run(scenario)
