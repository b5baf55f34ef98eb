"""The frame of the wizard: rail, page and panel side by side, as far as there is room for them."""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Static

from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.pages.pages import CONNECT, REVIEW, Pages
from pgwizard.tui.pages.question import QuestionRow
from pgwizard.tui.panels.base import Panel
from pgwizard.tui.panels.by_page import FOCUSABLE, PANELS
from pgwizard.tui.widgets.rail import Rail

NARROW, MIDDLE, WIDE = 90, 112, 140
"""Columns: below the first the rail becomes one line, below the second the panel folds away behind its key, and from
the last on the panel is as wide as the page."""
PANEL = 52
"""Columns of the panel beside a page."""


class Frame(ReportsDefects, Horizontal):
    """It shows what the pages and their draft are; below a page it says more about the question in focus."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(id="body")
        self.pages = pages
        self.is_unfolded = False
        """Whether the panel is shown in place of the page."""
        self._width = MIDDLE
        self._row: QuestionRow | None = None
        self._about = ""
        self._changing_panel = asyncio.Lock()

    def compose(self) -> ComposeResult:
        yield Rail()
        with Vertical(id="middle"):
            yield self.pages
            yield Static(id="about", markup=False)
        yield Vertical(id="panel")

    async def show_page(self, page: str) -> None:
        """Show a page, and then its panel."""
        self._row = None
        await self.pages.show(page)
        async with self._changing_panel:
            await self._panel.remove_children()
        self.is_unfolded = False
        self._lay_out()
        self.follow()
        self.call_after_refresh(self._complete)

    @work(group="complete", exit_on_error=False)
    async def _complete(self) -> None:
        """What can wait until the page is painted: its panel, and the page after it."""
        await self._show_panel()
        await self.pages.prepare()

    async def _show_panel(self) -> None:
        async with self._changing_panel:
            if self.pages.page in PANELS and not self._panel.children:
                await self._panel.mount(PANELS[self.pages.page](self.pages.draft))

    @property
    def _panel(self) -> Vertical:
        return self.query_one("#panel", Vertical)

    def follow(self) -> None:
        """Show the draft as it is now."""
        self.query_one(Rail).show(self.pages.marks())
        for panel in self._panel.query(Panel):
            panel.follow(self.pages.draft)
        self._show_about()

    # ---- the question in focus -------------------------------------------------------------------------------------

    def on_question_row_entered(self, event: QuestionRow.Entered) -> None:
        event.stop()
        self._row = event.row
        self._show_about()

    def _show_about(self) -> None:
        text = self._row.about() if self._row is not None and self._row.is_attached else ""
        if text != self._about:
            self._about = text
            line = self.query_one("#about", Static)
            lines = Content(text).wrap(max(line.content_size.width, 1))
            line.update(text, layout=len(lines) != line.content_size.height)  # the page is laid out again only for that

    # ---- the panel -------------------------------------------------------------------------------------------------

    @property
    def has_panel_key(self) -> bool:
        """Whether the panel of this page can be unfolded, or gone through."""
        return self.pages.page in PANELS and (self._is_folded or self.pages.page in FOCUSABLE)

    @property
    def _is_folded(self) -> bool:
        return self._width < MIDDLE

    async def turn_panel(self) -> None:
        """Unfold the panel, or fold it; where it is beside the page, focus it, or the page again."""
        await self._show_panel()
        self.is_unfolded = self._is_folded and not self.is_unfolded
        self._lay_out()
        inside = list(self._panel.query("OptionList").results(Widget))
        if inside and not inside[0].has_focus and (not self._is_folded or self.is_unfolded):
            inside[0].focus()
        elif self._row is not None and self._row.is_attached:
            self._row.control.focus()

    def on_resize(self, event: Resize) -> None:
        self._width = event.size.width
        self._lay_out()
        self.refresh_bindings()

    def _lay_out(self) -> None:
        """By styles of its own: a class of the screen would style every page again."""
        panel, has_panel = self._panel, self.pages.page in PANELS
        is_over = has_panel and self._is_folded and self.is_unfolded
        panel.display = has_panel and (is_over or not self._is_folded)
        panel.styles.width = "1fr" if is_over or self._width >= WIDE else PANEL
        self.query_one("#middle").display = not is_over
        self.query_one(Rail).display = self._width >= NARROW
        self.query_one("#about").display = self.pages.page not in (CONNECT, REVIEW)
