"""What a log-in asks for is on the screen at once, and Esc ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from textual.pilot import Pilot

from pgwizard.cli import start
from pgwizard.clock import utc_now
from pgwizard.kube.api import Cluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.navigation import WIZARD
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import Start
from support import simtime
from support.faulting import cluster as simulated
from support.logins import CODE, has_ended, kubeconfig, pid_of_plugin
from support.screens import opened, painted, press, settled, until

STATUS = "pgwizard.tui.screens.status:StatusScreen"


class Waiting:
    """A cluster whose log-in writes lines and waits until a person has logged in."""

    def __init__(self) -> None:
        self.show: Callable[[str], object] = lambda _: None
        self.logged_in = asyncio.Event()
        self.ended: list[str] = []

    def follow(self, show: Callable[[str], object]) -> None:
        self.show = show

    async def connect(self, stack: AsyncExitStack) -> Cluster:
        self.show("open https://log.in")
        self.show("and enter [b]AB-12[/b]")
        try:
            await self.logged_in.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return await stack.enter_async_context(simulated())


def logging_in(scenario: Callable[[Pilot[int], Waiting], Awaitable[None]], screen: str = WIZARD) -> None:
    async def main() -> None:
        waiting = Waiting()
        app = WizardApp(Start(waiting.connect, lambda *_: None, utc_now, screen=screen, follow_login=waiting.follow))
        async with opened(app, (100, 30)) as pilot:
            await until(pilot, lambda: "AB-12" in painted(pilot))
            await settled(pilot)
            await scenario(pilot, waiting)

    simtime.run(main())


def trouble(pilot: Pilot[int]) -> list[str]:
    """What is above the lists of the first page."""
    return painted(pilot.app.screen.query_one("#trouble")).splitlines()


@pytest.mark.parametrize("screen", [WIZARD, STATUS])
def test_the_instructions_of_a_login_are_shown_while_it_waits(screen: str) -> None:
    async def scenario(pilot: Pilot[int], waiting: Waiting) -> None:
        for line in ("open https://log.in", "and enter [b]AB-12[/b]"):
            assert line in painted(pilot)
        waiting.logged_in.set()
        await until(pilot, lambda: "AB-12" not in painted(pilot))

    logging_in(scenario, screen)


def test_esc_cancels_a_login_and_f5_tries_again() -> None:
    async def scenario(pilot: Pilot[int], waiting: Waiting) -> None:
        assert trouble(pilot) == [
            "This cluster asks you to log in. Esc cancels.",
            "open https://log.in",
            "and enter [b]AB-12[/b]",
        ]
        assert "Esc cancel" in painted(pilot).splitlines()[-1]
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, Wizard)
        assert waiting.ended == ["cancelled"]
        assert trouble(pilot) == [
            "✗ the log-in was cancelled",
            "F5 reconnects. The questions can be answered without a cluster.",
        ]
        assert "Esc cancel" not in painted(pilot).splitlines()[-1]
        waiting.logged_in.set()
        await press(pilot, "f5")
        await until(pilot, lambda: "cancelled" not in painted(pilot))

    logging_in(scenario)


def test_a_login_that_is_renewed_shows_its_lines_over_whatever_is_on_the_screen() -> None:
    async def scenario(pilot: Pilot[int], waiting: Waiting) -> None:
        waiting.logged_in.set()
        await until(pilot, lambda: "AB-12" not in painted(pilot))
        await press(pilot, "ctrl+n")
        waiting.show("enter [i]CD-34")
        await until(pilot, lambda: "enter [i]CD-34" in painted(pilot))

    logging_in(scenario)


def test_esc_ends_the_plugin_of_a_kubeconfig(tmp_path: Path) -> None:
    async def main() -> None:
        app = WizardApp(start.start(kubeconfig=str(kubeconfig(tmp_path, f"{CODE}; sleep 300"))))
        async with opened(app, (100, 30)) as pilot:
            await until(pilot, lambda: "and enter  [31mAB-12" in painted(pilot))
            assert not has_ended(pid_of_plugin(tmp_path))
            await press(pilot, "escape")
            await until(pilot, lambda: has_ended(pid_of_plugin(tmp_path)))
            assert trouble(pilot)[0] == "✗ the log-in was cancelled"

    simtime.run(main())
