"""The keys at the foot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from pgwizard.tui.keys import key_name
from pgwizard.tui.widgets.keyline import KeyLine
from support import simtime
from support.screens import click, opened, press, settled


class Page(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "again", "again"),
        Binding("f6", "never", "not now"),
        Binding("x", "letter", "a letter"),
        Binding("f8", "hidden", "hidden", show=False),
    ]
    AUTO_FOCUS = ""
    again = 0

    def compose(self) -> ComposeResult:
        yield Input()
        yield KeyLine()

    def action_again(self) -> None:
        self.again += 1

    def action_letter(self) -> None:
        self.set_focus(self.query_one(Input))

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        return None if action == "never" else True


def played(scenario: Callable[[Pilot[None], Page, KeyLine], Awaitable[None]], width: int = 80) -> None:
    async def main() -> None:
        app: App[None] = App()
        async with opened(app, size=(width, 10)) as pilot:
            page = Page()
            await app.push_screen(page)
            await settled(pilot)
            await scenario(pilot, page, page.query_one(KeyLine))

    simtime.run(main())


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (60, " f5 again  f6 not now  x a letter              ▏ ^p palette "),
        (40, " f5 again  f6 not now  x a letter "),
    ],
)
def test_the_palette_is_dropped_first_on_a_narrow_screen(width: int, line: str) -> None:
    async def scenario(_pilot: Pilot[None], _page: Page, keys: KeyLine) -> None:
        assert str(keys.render()) == line

    played(scenario, width)


def test_what_every_screen_has_stays_where_there_is_no_room_for_all() -> None:
    class Everywhere(App[None]):
        BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "help", "help")]

    async def main() -> None:
        app = Everywhere()
        async with opened(app, size=(30, 10)) as pilot:
            await app.push_screen(Page())
            await settled(pilot)
            assert str(app.screen.query_one(KeyLine).render()) == " f5 again  f1 help "

    simtime.run(main())


def test_keys_of_screen_and_application_with_one_action_name_are_both_shown() -> None:
    class Everywhere(App[None]):
        BINDINGS: ClassVar[list[BindingType]] = [Binding("f1,f2", "again", "help")]

    async def main() -> None:
        app = Everywhere()
        async with opened(app, size=(80, 10)) as pilot:
            await app.push_screen(Page())
            await settled(pilot)
            assert str(app.screen.query_one(KeyLine).render()).startswith(
                " f5 again  f6 not now  x a letter  f1 help  "
            )

    simtime.run(main())


def test_the_last_line_shows_the_keys_of_the_focused_widget() -> None:
    async def scenario(pilot: Pilot[None], _page: Page, keys: KeyLine) -> None:
        await press(pilot, "x")
        await settled(pilot)
        assert str(keys.render()).split("  ")[:3] == [" f5 again", "f6 not now", ""]

    played(scenario)


def test_a_click_is_as_good_as_the_key() -> None:
    async def scenario(pilot: Pilot[None], page: Page, keys: KeyLine) -> None:
        await click(pilot, keys, offset=(2, 0))
        await settled(pilot)
        assert page.again == 1

    played(scenario)


def test_behind_another_screen_it_is_not_painted_and_catches_up_afterwards() -> None:
    async def scenario(pilot: Pilot[None], page: Page, keys: KeyLine) -> None:
        await pilot.app.push_screen(Page())
        page.set_focus(page.query_one(Input))
        await settled(pilot)
        assert "a letter" in str(keys.render())
        pilot.app.pop_screen()
        await settled(pilot)
        assert "a letter" not in str(keys.render())

    played(scenario)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ctrl+n", "Ctrl+N"),
        ("shift+left", "Shift+Left"),
        ("f9", "F9"),
        ("enter", "Enter"),
        ("escape", "Esc"),
        ("pagedown", "PgDn"),
        ("slash", "/"),
        ("n", "n"),
        ("N", "N"),
    ],
)
def test_keys_are_named_as_on_the_keyboard(key: str, name: str) -> None:
    assert key_name(key) == name
