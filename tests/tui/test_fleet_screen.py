"""The screen of all releases: Enter opens one, a filter narrows the lines."""

from __future__ import annotations

from contextlib import AsyncExitStack

from pgwizard.kube.api import Cluster
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.start import Start
from support.faulting import clock
from support.fleets import multiply
from support.observing import on
from support.screens import opened, painted, until


def test_enter_opens_the_release_under_the_cursor_and_esc_comes_back() -> None:
    async def scenario(sim: SimCluster) -> None:
        multiply(sim, 3)

        async def connect(_: AsyncExitStack) -> Cluster:
            return sim

        start = Start(connect, lambda *_: None, clock(sim), screen="pgwizard.tui.screens.fleet:FleetScreen")
        async with opened(WizardApp(start), (120, 40)) as pilot:
            await until(pilot, lambda: "4 releases: 4 recoverable" in painted(pilot))
            await pilot.press("slash", *"team-001", "enter")
            await until(pilot, lambda: "1 release: 1 recoverable" in painted(pilot))
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen) and "RECOVERABLE" in painted(pilot))
            assert "team-001/postgresql" in painted(pilot)
            await pilot.press("escape")
            await until(pilot, lambda: "1 release: 1 recoverable" in painted(pilot))
            await pilot.press("escape")
            await until(pilot, lambda: "4 releases: 4 recoverable" in painted(pilot))

    on(scenario)
