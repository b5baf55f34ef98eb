"""What is known of one release as it changes, without a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pgwizard.errors import Unreachable
from pgwizard.plan.names import ANY_RELEASE, PartialReleaseRef, ReleaseRef
from pgwizard.release.records import ListedRelease
from pgwizard.simulator.cluster import SimCluster
from pgwizard.status.verdict import judge
from pgwizard.tui.release_watch import ReleaseWatch
from support.faulting import answers_of, clock, deployed
from support.observing import on


class Watched:
    """A watch in a task of its own, and what it reported."""

    def __init__(self, sim: SimCluster, target: ReleaseRef | PartialReleaseRef = ANY_RELEASE) -> None:
        self.ahead = timedelta()
        self.offered: list[list[str]] = []
        self._changes = asyncio.Event()
        self._clock = clock(sim)
        self.watch = ReleaseWatch(target, self._now, self._changes.set, self._offer)
        self.task = asyncio.create_task(self.watch.run(sim))

    def _now(self) -> datetime:
        return self._clock() + self.ahead

    def _offer(self, there: Sequence[ListedRelease], namespace: str) -> None:
        self.offered.append([str(each.ref) for each in there if namespace])

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(7_200):
            while not reached():
                self._changes.clear()
                await self._changes.wait()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_the_only_release_of_the_namespace_is_observed_until_the_watch_ends() -> None:
    async def scenario(sim: SimCluster) -> None:
        watched = Watched(sim)
        watch = watched.watch
        await watched.until(lambda: watch.snapshot is not None and not watch.snapshot.pending_sources)
        assert (watch.release, watch.server) == (ReleaseRef("default", "postgresql"), sim.server)
        assert watched.offered == []
        assert watch.current is not None
        assert judge(watch.current).state == "recoverable"
        await watched.stop()
        watch.end(Unreachable("no route"))
        assert (watch.is_stale, str(watch.trouble)) == (True, "no route")
        watched.ahead = timedelta(minutes=10)
        assert watch.age_seconds is not None
        assert 600 <= watch.age_seconds < 601
        assert watch.current is not None
        assert judge(watch.current).state == "unknown"
        assert {why.text for why in watch.current.failures.values()} == {"no longer watched"}

    on(scenario)


def test_with_several_releases_none_is_observed_until_one_is_chosen() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(release={"name": "another"}, repository={"path": "/another"}))
        watched = Watched(sim)
        await watched.task
        assert watched.offered == [["default/another", "default/postgresql"]]
        assert "2 releases" in str(watched.watch.trouble)
        named = Watched(sim, ReleaseRef("default", "another"))
        await named.until(lambda: named.watch.snapshot is not None)
        assert named.offered == []
        await named.stop()

    on(scenario)


def test_a_release_of_another_namespace_is_offered() -> None:
    async def scenario(sim: SimCluster) -> None:
        watched = Watched(sim, PartialReleaseRef("staging"))
        await watched.task
        assert watched.offered == [["default/postgresql"]]
        assert watched.watch.snapshot is None

    on(scenario)
