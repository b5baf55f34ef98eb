"""One screen alone in an application, for parts that need no more than a screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from textual.pilot import Pilot

from pgwizard.clock import Clock, utc_now
from pgwizard.kube.api import Cluster
from pgwizard.tui.base import BaseApp, BaseScreen
from pgwizard.tui.start import Connector, Save, Start
from support import simtime
from support.screens import opened


async def no_cluster(_: AsyncExitStack) -> Cluster:
    raise NotImplementedError


class _Alone(BaseApp):
    def get_default_screen(self) -> BaseScreen[None]:
        return BaseScreen()

    async def on_unmount(self) -> None:
        await self.connection.close()


def with_screen(
    scenario: Callable[[Pilot[int], BaseScreen[None]], Awaitable[None]],
    *,
    connect: Connector = no_cluster,
    save: Save = lambda *_: None,
    now: Clock = utc_now,
    **start: Any,
) -> None:
    """Play the scenario on an empty screen. start: further fields of ``Start``."""

    async def main() -> None:
        app = _Alone(Start(connect, save, now, **start))
        async with opened(app, (120, 40)) as pilot:
            screen: Any = app.screen
            await scenario(pilot, screen)

    simtime.run(main())
