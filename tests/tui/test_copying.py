"""Taking what a screen shows elsewhere: by the terminal's clipboard, or by a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import ClassVar

from textual.binding import BindingType
from textual.pilot import Pilot

from pgwizard.clock import utc_now
from pgwizard.errors import OutputError
from pgwizard.kube.api import Cluster
from pgwizard.tui.base import BaseApp, BaseScreen
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.start import Save, Start
from pgwizard.tui.widgets.dialogs import Line
from support import simtime
from support.screens import notices, opened, press, until

EXCERPT = Excerpt("the status", "first\nsecond\n", "status.txt")


class Shown(Copies, BaseScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [COPY, WRITE]
    shown: Excerpt | None = EXCERPT

    def excerpt(self) -> Excerpt | None:
        return self.shown


class Alone(BaseApp):
    def get_default_screen(self) -> Shown:
        return Shown()


def played(scenario: Callable[[Pilot[int]], Awaitable[None]], save: Save) -> None:
    async def connect(_: AsyncExitStack) -> Cluster:
        raise NotImplementedError

    async def main() -> None:
        async with opened(Alone(Start(connect, save, utc_now))) as pilot:
            await scenario(pilot)

    simtime.run(main())


def test_copying_names_what_was_sent_and_where_and_offers_a_file() -> None:
    async def scenario(pilot: Pilot[int]) -> None:
        await press(pilot, "c")
        assert pilot.app.clipboard == EXCERPT.text
        sent = "Sent the status (2 lines) to the terminal's clipboard (OSC 52)."
        assert notices(pilot) == [f"{sent} If the terminal ignores it, press w to write a file."]

    played(scenario, lambda *_: None)


def test_the_file_gets_the_name_that_is_typed() -> None:
    saved: list[tuple[str, str]] = []

    async def scenario(pilot: Pilot[int]) -> None:
        await press(pilot, "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, Line))
        await press(pilot, "escape", "w", "enter")
        await until(pilot, lambda: notices(pilot) == ["Wrote status.txt"])
        assert saved == [("status.txt", EXCERPT.text)]

    played(scenario, lambda path, text: saved.append((path, text)))


def test_a_file_that_cannot_be_written_is_an_error_with_its_reason() -> None:
    def refuse(path: str, _: str) -> None:
        raise OutputError(f"{path} exists already: nothing was written", hint="Give another name.")

    async def scenario(pilot: Pilot[int]) -> None:
        await press(pilot, "w", "enter")
        await until(pilot, lambda: bool(notices(pilot)))
        assert notices(pilot) == ["status.txt exists already: nothing was written. Give another name."]

    played(scenario, refuse)


def test_without_content_nothing_is_copied() -> None:
    async def scenario(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app.screen, Shown)
        pilot.app.screen.shown = None
        await press(pilot, "c", "w")
        assert (pilot.app.clipboard, notices(pilot), type(pilot.app.screen)) == ("", [], Shown)

    played(scenario, lambda *_: None)
