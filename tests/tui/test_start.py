"""How the application begins: what it does once, and what it leaves to the machine that it runs on."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack

from pgwizard.cli import start
from pgwizard.clock import utc_now
from pgwizard.kube.api import Cluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.start import Start
from support import simtime
from support.screens import opened, until


async def never(_: AsyncExitStack) -> Cluster:
    raise NotImplementedError


def test_the_command_line_alone_takes_what_is_loaded_out_of_garbage_collection() -> None:
    frozen, calls = gc.get_freeze_count(), list[str]()

    async def main() -> None:
        screen = "textual.screen:Screen"
        app = WizardApp(Start(never, lambda *_: None, utc_now, screen=screen, on_load=lambda: calls.append("loaded")))
        async with opened(app) as pilot:
            await until(pilot, lambda: calls == ["loaded"])

    simtime.run(main())
    assert gc.get_freeze_count() <= frozen  # fewer where something frozen has been let go since
    assert start.start(demo=True).on_load is gc.freeze
