"""Many releases at once: what is shared, what is spread over time, and what is known of each."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from pgwizard.errors import ClusterError
from pgwizard.kube.api import POD, SECRET, STATEFULSET, Cluster, Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.record import TYPE
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, FaultKind, Request
from pgwizard.status import fleet, observe
from pgwizard.status.fleet_report import rows, totals
from pgwizard.status.shared_cluster import SharedCluster
from pgwizard.status.snapshot import Snapshot
from support.faulting import clock, live
from support.faulting import secret as named_secret
from support.fleets import multiply
from support.observing import on

HOME = ReleaseRef("default", "postgresql")


def test_every_release_is_read_once_over_shared_watches() -> None:
    async def scenario(sim: SimCluster) -> None:
        copies = multiply(sim, 5)
        result = await fleet.look(sim, now=clock(sim))
        assert result.is_complete
        assert set(result.releases) == {HOME, *copies}
        assert totals(rows(result)) == "6 releases: 6 recoverable"
        assert result.requests["watch"] == 7, "one for each kind, however many releases there are"
        assert sum(result.requests.values()) <= 16 * len(result.releases)

    on(scenario)


def test_a_record_that_cannot_be_read_is_a_line_of_its_own() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.store.put({**named_secret("broken-pgwizard", "default"), "type": TYPE})
        result = rows(await fleet.look(sim, now=clock(sim)))
        assert [(each.ref.name, each.state) for each in result] == [
            ("broken", "unknown"),
            ("postgresql", "recoverable"),
        ]
        assert result[0].worst is not None
        assert result[0].worst.text == "Secret default/broken-pgwizard holds no record of a release"

    on(scenario)


def test_a_release_is_seen_to_change_and_a_new_one_to_appear() -> None:
    async def scenario(sim: SimCluster) -> None:
        async with asyncio.timeout(3_600), aclosing(fleet.observe(sim, now=clock(sim))) as fleets:
            states: list[list[str]] = []
            async for item in fleets:
                states.append([each.state for each in rows(item) if not each.is_loading])
                if states[-1] == ["recoverable"] and len(item.releases) == 1:
                    multiply(sim, 1)
                    sim.store.remove(Ref(STATEFULSET, "postgresql", "default"))
                if len(states[-1]) == 2 and "recoverable" in states[-1] and "at risk" in states[-1]:
                    return

    on(scenario)


def test_a_release_whose_pods_lack_the_usual_label_is_observed_when_it_appears_later() -> None:
    async def scenario(sim: SimCluster) -> None:
        async with asyncio.timeout(3_600), aclosing(fleet.observe(sim, now=clock(sim))) as fleets:
            async for found in fleets:
                if len(found.releases) == 1 and found.is_complete:
                    (copied,) = multiply(sim, 1)
                    sim.store.remove(Ref(SECRET, "postgresql-pgwizard", copied.namespace))
                    for kind, name in ((STATEFULSET, "postgresql"), (POD, "postgresql-0")):
                        obj = live(sim, kind, name, copied.namespace)
                        template = obj["spec"]["template"] if kind is STATEFULSET else obj
                        del template["metadata"]["labels"]["app.kubernetes.io/name"]
                        sim.store.put(obj)
                if [each.state for each in rows(found)] == ["recoverable", "recoverable"]:
                    return

    on(scenario)


def test_a_release_that_is_gone_is_shown_as_such_and_then_left_out() -> None:
    async def scenario(sim: SimCluster) -> None:
        (copied,) = multiply(sim, 1)
        states: list[str] = []
        is_removed = False
        async with asyncio.timeout(3_600), aclosing(fleet.observe(sim, now=clock(sim))) as fleets:
            async for found in fleets:
                if found.is_complete and not is_removed:
                    is_removed = True
                    for obj in [each for each in sim.store.everything() if _is_in(each, copied.namespace)]:
                        sim.store.remove(Ref.of(obj))
                if copied not in found.releases:
                    break
                states += [each.state for each in rows(found) if each.ref == copied]
        assert "gone" in states, states
        assert copied not in found.snapshots

    on(scenario)


def _is_in(obj: Object, namespace: str) -> bool:
    return bool(obj["metadata"].get("namespace") == namespace)


def test_a_defect_in_reading_one_release_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(sim: SimCluster) -> None:
        (copied,) = multiply(sim, 1)
        look = observe.look

        async def failing(shared: Cluster, release: ReleaseRef, **options: Any) -> Snapshot:
            if release == copied:
                raise KeyError("spec")
            return await look(shared, release, **options)

        monkeypatch.setattr(observe, "look", failing)
        shown = rows(await fleet.look(sim, now=clock(sim)))
        assert [(each.ref, each.state) for each in shown] == [(copied, "unknown"), (HOME, "recoverable")]
        assert shown[0].worst is not None
        assert "KeyError" in shown[0].worst.text

    on(scenario)


def test_polls_are_spread_over_a_minute() -> None:
    async def scenario(sim: SimCluster) -> None:
        multiply(sim, 10)
        at: Counter[int] = Counter()

        async with asyncio.timeout(3_600), aclosing(fleet.observe(sim, now=clock(sim))) as fleets:
            first, before = None, 0
            async for each in fleets:
                if not each.is_complete:
                    continue
                seconds = each.at.timestamp()
                first = seconds if first is None else first
                at[int((seconds - first) // 10)] += each.requests["exec"] - before if before else 0
                before = each.requests["exec"]
                if seconds - first > 240:
                    break
        usual = sum(at[tenth] for tenth in range(6, 24)) / 18
        assert max(at[tenth] for tenth in range(6, 24)) <= 3 * usual, dict(at)

    on(scenario)


def test_the_shared_watch_ends_for_all_and_begins_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        shared = SharedCluster(sim)
        for _ in range(2):
            names = []
            async with aclosing(shared.watch(POD, "default", fields="metadata.name=postgresql-0")) as events:
                async for event in events:
                    if event.type == "SYNCED":
                        break
                    names.append(event.object["metadata"]["name"])
            assert names == ["postgresql-0"]
        assert shared.requests["watch"] == 1
        await shared.stop()
        assert live(sim, POD, "postgresql-0")

    on(scenario)


def _refuse(allowed: str) -> Callable[[Request], FaultKind | None]:
    """Lists and watches are refused but in one namespace; namespaces themselves may be listed."""
    return lambda request: (
        "403"
        if request.verb in ("list", "watch") and request.resource != "namespaces" and request.namespace != allowed
        else None
    )


def test_where_not_all_namespaces_may_be_listed_those_that_may_are_shown() -> None:
    async def scenario(sim: SimCluster) -> None:
        multiply(sim, 2)
        sim.faults.append(_refuse("team-001"))
        result = await fleet.look(sim, now=clock(sim))
        assert [(each.ref, each.state) for each in rows(result)] == [
            (ReleaseRef("team-001", "postgresql"), "recoverable")
        ]
        assert re.fullmatch(
            r"1 of \d+ namespaces are shown: Secrets of the others may not be listed", result.left_out
        ), result.left_out

    on(scenario)


def test_where_namespaces_may_not_be_listed_either_that_of_the_connection_is_shown() -> None:
    async def scenario(sim: SimCluster) -> None:
        multiply(sim, 2)
        sim.faults += [_refuse("default"), Fault("403", "list", "namespaces", times=None)]
        async with asyncio.timeout(3_600), aclosing(fleet.observe(sim, now=clock(sim))) as fleets:
            result = await anext(each async for each in fleets if each.is_complete)
        assert [(each.ref, each.state) for each in rows(result)] == [(HOME, "recoverable")]
        assert result.left_out == "only namespace default is shown: the others may not be listed"

    on(scenario)


def test_releases_that_may_not_be_listed_are_an_error() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault("403", "list", "secrets", times=None))
        with pytest.raises(ClusterError, match="forbidden"):
            await fleet.look(sim, now=clock(sim))

    on(scenario)
