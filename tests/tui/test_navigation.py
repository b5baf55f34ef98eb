"""Screens ask for each other by messages: the application opens them, goes back to them, and tells what was applied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from textual.pilot import Pilot

from pgwizard.answers.questions import Answers
from pgwizard.clock import utc_now
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.app import WizardApp
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.navigation import Applied, OpenMessages, OpenStatus, OpenWizard
from pgwizard.tui.screens.messages import Messages
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import Start
from support import simtime
from support.faulting import cluster as simulated
from support.faulting import deployed
from support.screens import opened, press, settled, until


class Blank(BaseScreen[None]):
    """The first screen."""


def played(scenario: Callable[[Pilot[int], WizardApp], Awaitable[None]]) -> None:
    async def main() -> None:
        sim = simulated()

        async def connect(stack: AsyncExitStack) -> Cluster:
            return await stack.enter_async_context(sim)

        await deployed(sim, Answers())
        app = WizardApp(Start(connect, lambda *_: None, utc_now, screen=f"{__name__}:Blank"))
        async with opened(app, (120, 40)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Blank) and app.connection.connect_event.is_set())
            await scenario(pilot, app)

    simtime.run(main())


def kinds(app: WizardApp) -> list[str]:
    return [type(screen).__name__ for screen in app.screen_stack[1:]]


def blank(app: WizardApp) -> Blank:
    assert isinstance(app.screen, Blank)
    return app.screen


def test_a_screen_gets_the_result_of_the_screen_that_it_opened() -> None:
    async def scenario(pilot: Pilot[int], app: WizardApp) -> None:
        ends: list[Any] = []
        blank(app).open_screen(OpenMessages("lease"), ends.append)
        await until(pilot, lambda: isinstance(app.screen, Messages))
        assert ends == []
        await press(pilot, "escape")
        assert kinds(app) == ["Blank"]
        assert ends == [None]

    played(scenario)


def test_an_open_status_below_is_returned_to() -> None:
    async def scenario(pilot: Pilot[int], app: WizardApp) -> None:
        ends: list[Any] = []
        blank(app).open_screen(OpenStatus(ReleaseRef("default", "postgresql")))
        await until(pilot, lambda: isinstance(app.screen, StatusScreen) and app.screen.release is not None)
        status = app.screen
        assert isinstance(status, StatusScreen)
        status.open_screen(OpenWizard(None), ends.append)
        await until(pilot, lambda: isinstance(app.screen, Wizard) and app.screen.page != "")
        assert isinstance(app.screen, Wizard)
        app.screen.open_screen(OpenStatus(ReleaseRef("default", "postgresql")))
        await until(pilot, lambda: app.screen is status)
        await settled(pilot)
        assert kinds(app) == ["Blank", "StatusScreen"]
        assert ends == [None]
        await press(pilot, "escape")

    played(scenario)


def test_the_status_of_another_release_opens_over_the_one_below() -> None:
    async def scenario(pilot: Pilot[int], app: WizardApp) -> None:
        blank(app).open_screen(OpenStatus(ReleaseRef("default", "postgresql")))
        await until(pilot, lambda: isinstance(app.screen, StatusScreen) and app.screen.release is not None)
        assert isinstance(app.screen, StatusScreen)
        app.screen.open_screen(OpenStatus(ReleaseRef("staging", "postgresql")))
        await until(pilot, lambda: kinds(app) == ["Blank", "StatusScreen", "StatusScreen"])
        await press(pilot, "escape", "escape")

    played(scenario)


def test_the_first_screen_has_no_way_back() -> None:
    async def scenario(pilot: Pilot[int], app: WizardApp) -> None:
        first = blank(app)
        assert not first.has_way_back
        first.open_screen(OpenMessages())
        await until(pilot, lambda: isinstance(app.screen, Messages))
        assert isinstance(app.screen, Messages)
        assert app.screen.has_way_back
        await press(pilot, "escape")

    played(scenario)


def test_an_apply_is_published_to_every_screen() -> None:
    async def scenario(pilot: Pilot[int], app: WizardApp) -> None:
        published: list[bool] = []
        app.applied_signal.subscribe(blank(app), lambda applied: published.append(applied.complete))
        blank(app).open_screen(OpenMessages())
        await until(pilot, lambda: isinstance(app.screen, Messages))
        app.post_message(Applied(Answers(), complete=False))
        app.post_message(Applied(Answers(), complete=True))
        await settled(pilot)
        assert published == [False, True]
        await press(pilot, "escape")

    played(scenario)
