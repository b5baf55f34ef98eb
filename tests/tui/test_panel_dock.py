"""The panel of a page: beside it, or in its place, or folded away; made once for each visit."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from pgwizard.tui.base import BaseScreen
from pgwizard.tui.pages.pages import Pages
from pgwizard.tui.pages.panel_dock import MIDDLE, WIDE, PanelDock
from pgwizard.tui.panels.base import Panel
from pgwizard.wizard.draft import Draft
from support.alone import with_screen
from support.screens import painted, settled, until


async def dock_of(screen: BaseScreen[None], page: str, columns: int) -> tuple[Pages, PanelDock]:
    """A dock beside a page that is not shown itself."""
    pages = Pages(Draft({}))
    dock = PanelDock(pages)
    await screen.mount(dock)
    pages.order.visit(page)
    dock.fit(columns)
    await dock.fill()
    return pages, dock


@pytest.mark.parametrize(
    ("page", "columns", "is_displayed", "has_key"),
    [
        ("Storage", MIDDLE, True, False),
        ("Storage", MIDDLE - 1, False, True),
        ("Tuning", MIDDLE, True, True),
        ("Release", MIDDLE, False, False),
        ("Release", MIDDLE - 1, False, False),
    ],
)
def test_a_panel_is_beside_its_page_or_behind_a_key(page: str, columns: int, is_displayed: bool, has_key: bool) -> None:
    async def scenario(_: Pilot[int], screen: BaseScreen[None]) -> None:
        dock = (await dock_of(screen, page, columns))[1]
        assert (dock.display, dock.has_key, dock.covers_page) == (is_displayed, has_key, False)

    with_screen(scenario)


def test_a_folded_panel_is_unfolded_in_place_of_the_page_and_folded_again() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        _, dock = await dock_of(screen, "Schedule", MIDDLE - 1)
        await dock.turn()
        await settled(pilot)
        assert (dock.covers_page, "In words" in painted(pilot)) == (True, True)
        await dock.turn()
        await settled(pilot)
        assert (dock.covers_page, "In words" in painted(pilot)) == (False, False)

    with_screen(scenario)


def test_a_panel_that_was_unfolded_is_folded_in_a_terminal_that_was_wider_meanwhile() -> None:
    """The focus is in the page again, which must not vanish under it."""

    async def scenario(__: Pilot[int], screen: BaseScreen[None]) -> None:
        _, dock = await dock_of(screen, "Schedule", MIDDLE - 1)
        await dock.turn()
        dock.fit(MIDDLE)
        dock.fit(MIDDLE - 1)
        assert (dock.is_unfolded, dock.covers_page, dock.display) == (False, False, False)

    with_screen(scenario)


def test_a_panel_in_a_wide_terminal_shares_the_width_with_the_page() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        _, dock = await dock_of(screen, "Schedule", MIDDLE)
        await settled(pilot)
        assert dock.size.width == 52
        dock.fit(WIDE)
        await settled(pilot)
        assert dock.size.width == 120

    with_screen(scenario)


def test_the_keys_go_into_a_list_once_and_only_where_it_is_seen() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        _, dock = await dock_of(screen, "Tuning", MIDDLE)
        await settled(pilot)
        assert dock.take_focus()
        await settled(pilot)
        assert isinstance(screen.focused, OptionList)
        assert not dock.take_focus()
        screen.set_focus(None)
        dock.fit(MIDDLE - 1)
        assert not dock.take_focus()

    with_screen(scenario)


def test_another_page_folds_the_panel_and_removes_it() -> None:
    async def scenario(_: Pilot[int], screen: BaseScreen[None]) -> None:
        pages, dock = await dock_of(screen, "Schedule", MIDDLE - 1)
        await dock.turn()
        pages.order.visit("Release")
        await dock.clear()
        await dock.fill()
        assert (dock.is_unfolded, dock.display, len(dock.query(Panel))) == (False, False, 0)

    with_screen(scenario)


def test_a_panel_is_made_once_and_follows_the_answers() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        pages, dock = await dock_of(screen, "Schedule", MIDDLE)
        panel = dock.query_one(Panel)
        await dock.fill()
        assert dock.query_one(Panel) is panel
        pages.draft.give(("schedule", "full"), "0 5 * * 6")
        dock.follow()
        await until(pilot, lambda: "At 05:00 on Saturday" in painted(dock))

    with_screen(scenario)
