"""The frame of the wizard: what is beside the page, by the width of the terminal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from pgwizard.tui.pages.header import NARROW
from pgwizard.tui.pages.panel_dock import MIDDLE, PanelDock
from pgwizard.tui.screens.wizard import Wizard
from support.screens import painted, press, resize
from support.wizards import with_wizard

PANEL = "StorageClasses"
"""A line of the panel beside the page Storage."""


@pytest.mark.parametrize(
    ("width", "has_rail", "has_panel"),
    [(NARROW - 1, False, False), (NARROW, True, False), (MIDDLE - 1, True, False), (MIDDLE, True, True)],
)
def test_the_rail_and_the_panel_are_shown_where_there_is_room(width: int, has_rail: bool, has_panel: bool) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot)
        assert ("● Storage" in painted(pilot)) is has_rail
        assert (PANEL in painted(pilot)) is has_panel

    with_wizard(scenario, (width, 40))


@pytest.mark.parametrize("key", ["escape", "f2"])
def test_a_folded_panel_takes_the_place_of_the_page_and_gives_it_back(key: str) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot, "f2")
        assert PANEL in painted(pilot)
        assert "Size  " not in painted(pilot)
        assert "F2 panel" in painted(pilot)
        await press(pilot, key)
        assert "Size  " in painted(pilot)
        assert PANEL not in painted(pilot)

    with_wizard(scenario, (80, 24))


def test_a_page_without_a_panel_has_no_key_for_one() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot)
        assert "F2 panel" in painted(pilot)
        await wizard.go("Release")
        await press(pilot, "f2")
        assert "F2 panel" not in painted(pilot)
        assert "Namespace  " in painted(pilot)

    with_wizard(scenario, (80, 24))


def test_a_panel_that_was_unfolded_folds_with_the_next_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot, "f2", "ctrl+n", "f7")
        assert "Size  " in painted(pilot)

    with_wizard(scenario, (80, 24))


def test_a_wider_terminal_shows_the_panel_beside_the_page_again() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await resize(pilot, 80, 24)
        assert PANEL not in painted(pilot)
        await resize(pilot, 120, 40)
        assert PANEL in painted(pilot)
        assert "Size  " in painted(pilot)

    with_wizard(scenario, (120, 40))


def test_the_last_line_of_the_page_is_about_the_question_in_focus() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Release")
        await press(pilot, "tab")
        assert "default: default · F4 lists the choices" in painted(pilot)
        await press(pilot, "tab", "tab")
        assert "default: myapp" in painted(pilot)

    with_wizard(scenario)


def test_the_rail_marks_a_page_with_a_problem_at_once() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot, "end", "x", "ctrl+n")
        assert "! Storage" in painted(pilot)

    with_wizard(scenario)


def test_the_next_question_is_painted_without_the_rest_of_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole screen at each Enter takes a third longer than what has changed."""
    whole: list[Wizard] = []
    render = Wizard.render

    def noted(self: Wizard) -> Any:
        whole.append(self)
        return render(self)

    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Tuning")
        await press(pilot, "enter")
        monkeypatch.setattr(Wizard, "render", noted)
        await press(pilot, "enter", "enter")
        assert whole == []

    with_wizard(scenario)


def test_a_page_is_painted_first_with_its_question_in_focus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture without it, while the panel of the page before is removed, costs as much as the one that counts."""
    clear = PanelDock.clear

    async def clear_slowly(dock: PanelDock) -> None:
        await asyncio.sleep(1)
        await clear(dock)

    monkeypatch.setattr(PanelDock, "clear", clear_slowly)
    pictures: list[tuple[str | None, str | None]] = []

    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        def note(_: object) -> None:
            pictures.append((wizard.pages.current, wizard.focused.id if wizard.focused else None))

        await wizard.go("Storage")
        await press(pilot)
        wizard.screen_layout_refresh_signal.subscribe(wizard, note, immediate=True)
        await wizard.go("Tuning")
        await press(pilot)
        assert set(pictures) == {("page-Tuning", "q-tuning-profile")}

    with_wizard(scenario, (120, 40))


def test_two_steps_at_once_are_two_pages() -> None:
    """A key and a click may come while a page is being made."""

    async def scenario(_: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Database")
        await asyncio.gather(wizard.frame.walk(1), wizard.frame.walk(1))
        assert wizard.page == "Tuning"
        await asyncio.gather(wizard.frame.walk(-1), wizard.frame.walk(-1))
        assert wizard.page == "Database"

    with_wizard(scenario)


def test_a_key_that_is_typed_ahead_finds_the_panel_of_the_new_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot, "ctrl+n", "f2", "down")
        assert isinstance(pilot.app.focused, OptionList)
        assert pilot.app.focused.highlighted == 0

    with_wizard(scenario)


def test_a_key_that_is_typed_ahead_of_the_next_page_answers_its_first_question() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Database")
        await press(pilot, "shift+tab", "enter", "end", "x")
        assert wizard.page == "Storage"
        assert wizard.draft.raw == {"storage": {"size": "10Gix"}}

    with_wizard(scenario)
