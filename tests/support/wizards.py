"""The wizard alone, open over a simulated cluster in simulated time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

from textual.pilot import Pilot

from pgwizard.clock import Clock, utc_now
from pgwizard.kube.api import Cluster
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import Save, Start
from support import simtime
from support.faulting import cluster as simulated
from support.screens import opened, settled, until


def with_wizard(
    scenario: Callable[[Pilot[int], Wizard], Awaitable[None]],
    size: tuple[int, int] = (120, 40),
    *,
    prepare: Callable[[SimCluster], None] = lambda _: None,
    raw: dict[str, Any] | None = None,
    save: Save = lambda *_: None,
    now: Clock = utc_now,
    **start: Any,
) -> None:
    """Play the scenario once the answers have been compared with the cluster. start: further fields of ``Start``."""

    async def connect(stack: AsyncExitStack) -> Cluster:
        sim = await stack.enter_async_context(simulated())
        prepare(sim)
        return sim

    async def main() -> None:
        app = WizardApp(Start(connect, save, now, raw=raw, **start))
        async with opened(app, size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Wizard) and app.connection.cluster is not None)
            wizard = cast("Wizard", app.screen)
            await until(pilot, lambda: wizard.checks.is_settled)
            await settled(pilot)
            await scenario(pilot, wizard)

    simtime.run(main())
