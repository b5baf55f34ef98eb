"""The frame of the wizard: it goes from page to page, with the rail and the panel beside them where there is room."""

from __future__ import annotations

import asyncio

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from pgwizard.answers.schema import QuestionPath, field_at, label_at, page_of
from pgwizard.text import visible
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.live_checks import CheckResults
from pgwizard.tui.pages.about import AboutLine
from pgwizard.tui.pages.form import Form
from pgwizard.tui.pages.header import NARROW, WizardHeader
from pgwizard.tui.pages.order import CONNECT, REVIEW
from pgwizard.tui.pages.pages import Pages
from pgwizard.tui.pages.panel_dock import PanelDock
from pgwizard.tui.pages.question import QuestionRow
from pgwizard.tui.pages.releases import ReleaseColumn
from pgwizard.tui.widgets.rail import Rail
from pgwizard.tui.widgets.review_parts import Jump


class Frame(ReportsDefects, Horizontal):
    """Every way to another page ends here. Its header is placed by the screen."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(id="body")
        self.pages = pages
        self.header, self.dock = WizardHeader(pages), PanelDock(pages)
        self._rail, self._about = Rail(), AboutLine()
        self._middle = Vertical(pages, self._about, id="middle")
        self._going = asyncio.Lock()
        """A key and a click may come while the page before is being made."""

    def compose(self) -> ComposeResult:
        yield self._rail
        yield self._middle
        yield self.dock

    # ---- from page to page -----------------------------------------------------------------------------------------

    async def go(self, page: str, question: QuestionPath | None = None) -> None:
        """Show a page, at a question of it; then its panel, and what else can wait until it is painted."""
        async with self._going:
            await self._go(page, question)

    async def _go(self, page: str, question: QuestionPath | None = None) -> None:
        with self.app.batch_update():  # painted once, with the focus, and not as soon as the old panel is gone
            self._about.turn_to(None)
            await self.pages.show(page)
            await self.dock.clear()
            self._lay_out()
            self.follow()
            self.refresh_bindings()
            self.pages.focus_page(question)
        self.call_after_refresh(self._complete)

    @work(group="complete", exit_on_error=False)
    async def _complete(self) -> None:
        await self.dock.fill()
        await self.pages.prepare()

    async def walk(self, step: int) -> None:
        """Go so many pages on (1) or back (-1); not beyond the ends."""
        async with self._going:
            page = self.pages.order.beside(step)
            if page is not None:
                await self._go(page)

    @on(Form.Finished)
    @on(ReleaseColumn.NewWanted)
    async def _next_page(self) -> None:
        await self.walk(1)

    async def on_rail_chosen(self, event: Rail.Chosen) -> None:
        await self.go(event.page)

    async def on_jump(self, event: Jump) -> None:
        await self.jump(event.path)

    async def jump(self, path: str) -> None:
        """Go to the question of a dotted path. An answer that no question asks for can only be left out."""
        question = tuple(path.split("."))
        if field_at(question, self.pages.draft.tag) is None and self.pages.draft.value(question) != "":
            self.pages.forget(question)
            self.notify(f"removed: {visible(path)}", markup=False)
            return
        await self.go(page_of(path), question)

    async def undo(self) -> None:
        """Undo the last answer, and go to its question, on whatever page it is."""
        path = self.pages.undo()
        self.app.clear_notifications()  # each press would add one
        if path is None:
            self.notify("nothing to undo", markup=False)
        elif self.pages.page in (CONNECT, REVIEW):
            self.notify(f"undone: {label_at(path, self.pages.draft.tag)[0]}", markup=False)
        else:
            await self.go(page_of(".".join(path)), path)

    # ---- what is shown ---------------------------------------------------------------------------------------------

    def learn(self, results: CheckResults) -> None:
        """Show what the cluster says about the answers."""
        self.pages.learn(results.facts, results.problems, results.warnings)
        self.follow()

    def follow(self) -> None:
        """Show the draft as it is now."""
        self._rail.show(self.pages.order.marks(self.pages.draft))
        self.dock.follow()
        self._about.follow()
        self.header.follow()

    def on_question_row_entered(self, event: QuestionRow.Entered) -> None:
        event.stop()
        self._about.turn_to(event.row)

    async def turn_panel(self) -> None:
        """Unfold the panel, or fold it; where it is beside the page, focus it, or the page again."""
        await self.dock.turn()
        self._lay_out()
        if not self.dock.take_focus():
            self._about.focus_question()

    def on_resize(self, event: Resize) -> None:
        self.dock.fit(event.size.width)
        self._rail.display = event.size.width >= NARROW
        self._lay_out()
        self.refresh_bindings()

    def _lay_out(self) -> None:
        self._middle.display = not self.dock.covers_page
        self._about.display = self.pages.page not in (CONNECT, REVIEW)
