"""The Lease: free, owned by a live or a dead run, lost, and released on every way out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgwizard.errors import Locked, NotFound
from pgwizard.kube import lease as kube_lease
from pgwizard.kube.api import NAMESPACE, Object, Ref
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from support.faulting import LEASE, applied, clock, cluster, deployed, live
from support.simtime import run

REF = Ref(LEASE, "postgresql-pgwizard", "default")


def on(scenario: Callable[[SimCluster], Awaitable[None]]) -> None:
    """A scenario on a cluster of its own."""

    async def main() -> None:
        async with cluster() as sim:
            await scenario(sim)

    run(main())


def holder(sim: SimCluster) -> str:
    return str(live(sim, LEASE, REF.name)["spec"].get("holderIdentity", ""))


def lease(owner: str, seconds_ago: float = 0) -> Object:
    """A Lease that another run renewed so long ago."""
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return kube_lease._lease(REF, owner, lambda: at)


async def hold_for(sim: SimCluster, seconds: float, reports: list[str] | None = None, **options: Any) -> None:
    async with kube_lease.hold(
        sim, REF, now=clock(sim), report=(reports if reports is not None else []).append, **options
    ):
        await asyncio.sleep(seconds)


async def living(sim: SimCluster, owner: str) -> None:
    """Another run that renews its Lease."""
    while True:
        current = await sim.get(REF)
        fresh = lease(owner)
        fresh["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
        await sim.replace(fresh)
        await asyncio.sleep(kube_lease.RENEW_SECONDS)


def test_a_free_lock_is_acquired_renewed_and_released() -> None:
    async def scenario(sim: SimCluster) -> None:
        seen: list[tuple[str, str]] = []
        async with kube_lease.hold(sim, REF, now=clock(sim), report=pytest.fail, holder="me"):
            for _ in range(3):
                seen.append((holder(sim), live(sim, LEASE, REF.name)["spec"]["renewTime"]))
                await asyncio.sleep(kube_lease.RENEW_SECONDS + 1)
        assert [owner for owner, _ in seen] == ["me"] * 3
        assert len({renewed for _, renewed in seen}) == 3
        assert holder(sim) == ""
        await hold_for(sim, 1)

    on(scenario)


def test_a_holder_names_the_person_and_the_machine() -> None:
    assert kube_lease._me().count("@") == 1
    assert kube_lease._me() != kube_lease._me()


def test_the_lock_of_a_live_run_is_left_alone() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(lease("anna@host/1"))
        other = asyncio.create_task(living(sim, "anna@host/1"))
        reports: list[str] = []
        with pytest.raises(Locked) as caught:
            await hold_for(sim, 1, reports)
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        assert len(reports) == 1
        moment = r"at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        waiting = "waiting 15 s to see whether it lives"
        assert re.fullmatch(rf"anna@host/1 held the lock {moment}: {waiting}", reports[0])
        busy = "Lease default/postgresql-pgwizard: anna@host/1 is writing to this release, last seen"
        assert re.fullmatch(f"{busy} {moment}", caught.value.message)
        assert caught.value.exit_code == 10
        assert holder(sim) == "anna@host/1"

    on(scenario)


def test_a_lock_whose_holder_does_not_renew_it_is_taken_over_after_watching() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(lease("dead@host/1"))
        loop, reports = asyncio.get_running_loop(), list[str]()
        start = loop.time()
        await hold_for(sim, 0, reports)
        assert loop.time() - start == kube_lease.DURATION_SECONDS + 1
        assert len(reports) == 1

    on(scenario)


@pytest.mark.parametrize("seconds_ago", [-3600, 0, 3600, 1e8])
def test_a_clock_that_differs_steals_nothing(seconds_ago: float) -> None:
    """However old the Lease looks from here, its holder is watched first."""

    async def scenario(sim: SimCluster) -> None:
        await sim.create(lease("anna@host/1", seconds_ago))
        loop, reports = asyncio.get_running_loop(), list[str]()
        start = loop.time()
        await hold_for(sim, 0, reports)
        assert loop.time() - start == kube_lease.DURATION_SECONDS + 1
        assert len(reports) == 1

    on(scenario)


def test_a_lease_that_cannot_be_read_is_watched_too() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(lease("anna@host/1"))
        sim.store.put({**live(sim, LEASE, REF.name), "spec": {"holderIdentity": "anna@host/1", "renewTime": "soon"}})
        reports: list[str] = []
        await hold_for(sim, 0, reports)
        assert len(reports) == 1

    on(scenario)


def test_a_lock_that_is_lost_stops_the_writer() -> None:
    async def scenario(sim: SimCluster) -> None:
        after = list[str]()

        async def writer() -> None:
            async with kube_lease.hold(sim, REF, now=clock(sim), report=pytest.fail, holder="me"):
                stolen = lease("thief")
                stolen["metadata"]["resourceVersion"] = live(sim, LEASE, REF.name)["metadata"]["resourceVersion"]
                await sim.replace(stolen)
                await asyncio.sleep(60)
                after.append("still writing")

        with pytest.raises(Locked) as caught:
            await writer()
        assert caught.value.message == (
            "the lock Lease default/postgresql-pgwizard was lost while writing: it is held by thief"
        )
        assert after == []
        assert holder(sim) == "thief"
        await asyncio.sleep(0)  # the task continues: its cancellation was undone

    on(scenario)


def test_a_namespace_that_is_deleted_is_named_as_the_cause() -> None:
    async def scenario(sim: SimCluster) -> None:
        namespace = Ref(NAMESPACE, "shop")
        ref = Ref(LEASE, "postgresql-pgwizard", "shop")

        async def writer() -> None:
            async with kube_lease.hold(sim, ref, now=clock(sim), report=pytest.fail, holder="me"):
                await sim.delete(namespace)
                await asyncio.sleep(60)

        with pytest.raises(NotFound) as caught:
            await writer()
        assert caught.value.message == "namespace shop was deleted, with everything in it"

    on(scenario)


def test_a_deleted_lease_is_a_lost_lock() -> None:
    async def scenario(sim: SimCluster) -> None:
        async def writer() -> None:
            async with kube_lease.hold(sim, REF, now=clock(sim), report=pytest.fail, holder="me"):
                await sim.delete(REF)
                await asyncio.sleep(60)

        with pytest.raises(Locked, match="was lost while writing"):
            await writer()

    on(scenario)


def test_one_failed_renewal_does_not_stop_the_writer() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault("503", "update", "leases"))
        await hold_for(sim, 30)
        assert holder(sim) == ""

    on(scenario)


def test_a_lock_that_cannot_be_renewed_until_it_ends_stops_the_writer() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault("503", "update", "leases", times=None))
        with pytest.raises(Locked, match="was lost while writing"):
            await hold_for(sim, 60)

    on(scenario)


def test_a_defect_while_renewing_stops_the_writer_and_releases_the_lock() -> None:
    async def scenario(sim: SimCluster) -> None:
        async def broken(_: float) -> None:
            await asyncio.sleep(1)
            raise KeyError("defect")

        begin = asyncio.get_running_loop().time()
        with pytest.raises(KeyError):
            await hold_for(sim, 600, sleep=broken)
        assert asyncio.get_running_loop().time() - begin < 10
        assert holder(sim) == ""

    on(scenario)


@pytest.mark.parametrize("error", [RuntimeError("defect"), Locked("of another kind"), KeyboardInterrupt()])
def test_a_lock_is_released_after_a_failure(error: BaseException) -> None:
    async def scenario(sim: SimCluster) -> None:
        with pytest.raises(type(error)):
            async with kube_lease.hold(sim, REF, now=clock(sim), report=pytest.fail):
                raise error
        assert holder(sim) == ""

    on(scenario)


def test_a_cancelled_run_releases_its_lock() -> None:
    async def scenario(sim: SimCluster) -> None:
        task = asyncio.create_task(hold_for(sim, 60))
        await asyncio.sleep(7)
        assert holder(sim) != ""
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert holder(sim) == ""

    on(scenario)


def test_a_cancellation_while_the_lock_is_released_is_not_lost() -> None:
    async def scenario(sim: SimCluster) -> None:
        async def sleep(seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                await asyncio.sleep(2)  # a renewal that does not end at once

        task = asyncio.create_task(hold_for(sim, 1, sleep=sleep))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(2)

    on(scenario)


def test_one_of_two_racing_runs_wins() -> None:
    async def scenario(sim: SimCluster) -> None:
        inside, most = 0, 0

        async def one(name: str) -> None:
            nonlocal inside, most
            async with kube_lease.hold(sim, REF, now=clock(sim), report=lambda _: None, holder=name):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(60)
                inside -= 1

        results = await asyncio.gather(*(one(f"run {n}") for n in range(5)), return_exceptions=True)
        assert most == 1
        assert [type(result).__name__ for result in results].count("NoneType") == 1
        assert [type(result).__name__ for result in results].count("Locked") == 4

    on(scenario)


def test_a_second_apply_at_the_same_time_is_locked_out_and_writes_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        first = asyncio.create_task(applied(sim))
        await asyncio.sleep(0.5)
        second = await applied(sim.guest())
        outcome = await first
        assert outcome.error is None
        assert isinstance(second.error, Locked)
        assert len(sim.runtime.programs.repository("default").backups) == 1
        assert (await deployed(sim)).writes == []

    on(scenario)


def test_a_release_that_changed_since_it_was_read_is_not_written_to() -> None:
    async def scenario(sim: SimCluster) -> None:
        def meanwhile(request: Any) -> None:
            if request.verb == "create" and request.resource == "leases":
                record = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgresql-pgwizard"}}
                record["metadata"]["namespace"] = "default"  # type: ignore[index]
                sim.store.put(sim.store.birth(record))

        sim.faults.append(meanwhile)
        outcome = await applied(sim)
        assert isinstance(outcome.error, Locked)
        assert outcome.error.message == "another run changed this release meanwhile; nothing was written"
        assert outcome.writes == []
        assert sim.store.peek(Ref(LEASE, "postgresql-pgwizard", "default")) is not None
        assert holder(sim) == ""

    on(scenario)
