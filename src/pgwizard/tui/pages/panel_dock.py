"""Where the panel of a page is: beside the page, or, where there is no room, in its place once it is unfolded."""

from __future__ import annotations

import asyncio

from textual.containers import Vertical
from textual.widget import Widget

from pgwizard.tui.pages.pages import Pages
from pgwizard.tui.panels.base import Panel
from pgwizard.tui.panels.by_page import FOCUSABLE, PANELS

MIDDLE, WIDE = 112, 140
"""Columns: below the first the panel is folded away behind its key, from the last on it is as wide as the page."""
_BESIDE = 52
"""Columns of the panel beside a page."""


class PanelDock(Vertical):
    """Holds the panel of the page that is shown. A page without one has an empty dock, which is not displayed."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(id="panel")
        self._pages = pages
        self._width = MIDDLE
        self._changing = asyncio.Lock()
        self.is_unfolded = False
        """Whether the panel was unfolded in place of the page."""

    async def clear(self) -> None:
        """Remove the panel: another page is shown."""
        async with self._changing:
            await self.remove_children()
        self.is_unfolded = False
        self._lay_out()

    async def fill(self) -> None:
        """Make the panel of the page, if it has one and it is not there."""
        async with self._changing:
            if self._has_panel and not self.children:
                await self.mount(PANELS[self._pages.page](self._pages.draft))

    def follow(self) -> None:
        """Show what the draft comes to now."""
        for panel in self.query(Panel):
            panel.follow(self._pages.draft)

    def fit(self, columns: int) -> None:
        """columns: of the terminal."""
        self._width = columns
        self.is_unfolded = self.is_unfolded and self._is_folded
        self._lay_out()

    @property
    def has_key(self) -> bool:
        """Whether the panel of this page can be unfolded, or gone through."""
        return self._has_panel and (self._is_folded or self._pages.page in FOCUSABLE)

    @property
    def covers_page(self) -> bool:
        """Whether the panel is shown in place of the page."""
        return self._has_panel and self._is_folded and self.is_unfolded

    async def turn(self) -> None:
        """Unfold the panel, or fold it."""
        await self.fill()
        self.is_unfolded = self._is_folded and not self.is_unfolded
        self._lay_out()

    def take_focus(self) -> bool:
        """Focus the list of the panel. False where there is none to be seen, and where it has the focus already."""
        lists = list(self.query("OptionList").results(Widget))
        if not lists or lists[0].has_focus or (self._is_folded and not self.is_unfolded):
            return False
        lists[0].focus()
        return True

    @property
    def _has_panel(self) -> bool:
        return self._pages.page in PANELS

    @property
    def _is_folded(self) -> bool:
        return self._width < MIDDLE

    def _lay_out(self) -> None:
        """By styles of its own: a class of the screen would style every page again."""
        self.display = self._has_panel and (self.covers_page or not self._is_folded)
        self.styles.width = "1fr" if self.covers_page or self._width >= WIDE else _BESIDE
