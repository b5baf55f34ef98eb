"""Observing a release over the application connection: what is shown without a release, and which one is chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from textual.pilot import Pilot

from pgwizard.errors import Unreachable
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.observer import ReleaseObserver
from support.alone import with_screen
from support.faulting import answers_of, deployed
from support.faulting import cluster as simulated
from support.screens import painted, press, until

Scenario = Callable[[Pilot[int], BaseScreen[None], SimCluster], Awaitable[None]]


def connected(scenario: Scenario, *names: str) -> None:
    """Play the scenario on a screen whose cluster has releases of these names."""
    sim = simulated()

    async def connect(stack: AsyncExitStack) -> Cluster:
        await stack.enter_async_context(sim)
        for name in names:
            await deployed(sim, answers_of(release={"name": name}, repository={"path": f"/{name}"}))
        return sim

    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await scenario(pilot, screen, sim)

    with_screen(main, connect=connect, now=lambda: datetime.fromtimestamp(sim.clock.now(), UTC))


def observer(screen: BaseScreen[None], release: ReleaseRef | None = None) -> tuple[ReleaseObserver, list[Any]]:
    """With a list that grows at each change."""
    changes: list[Any] = []
    return ReleaseObserver(screen, release, lambda: changes.append(None)), changes


def test_it_waits_for_the_connection_and_then_observes_the_only_release() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None], sim: SimCluster) -> None:
        observed, changes = observer(screen)
        observed.begin()
        assert observed.trouble_lines() == [f"· {screen.host.link}"]
        screen.connection.connect()
        await until(pilot, lambda: observed.watch.snapshot is not None)
        assert (str(observed.watch.release), observed.watch.server) == ("default/postgresql", sim.server)
        assert changes

    connected(scenario, "postgresql")


def test_the_reason_that_ended_a_watch_is_shown_and_reload_restarts_it() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None], _: SimCluster) -> None:
        observed, _changes = observer(screen, ReleaseRef("default", "postgresql"))
        observed.begin()
        screen.connection.connect()
        await until(pilot, lambda: observed.watch.snapshot is not None)
        screen.workers.cancel_group(screen, "observe")
        observed.watch.end(Unreachable("no route"))
        first, *_fixes, again, age = observed.trouble_lines()
        assert (first, again) == ("✗ no route", "Press r to try again.")
        assert age.startswith("Showing the last known state, ")
        observed.reload()
        assert observed.trouble is None
        await until(pilot, lambda: not observed.watch.is_stale)

    connected(scenario, "postgresql")


def test_of_several_releases_the_chosen_one_is_observed() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None], _: SimCluster) -> None:
        observed, _changes = observer(screen)
        observed.begin()
        screen.connection.connect()
        await until(pilot, lambda: "Which release?" in painted(pilot))
        assert "2 releases" in str(observed.trouble)
        await press(pilot, "down", "enter")
        await until(pilot, lambda: observed.watch.snapshot is not None)
        assert (str(observed.watch.release), observed.trouble) == ("default/b", None)

    connected(scenario, "a", "b")
