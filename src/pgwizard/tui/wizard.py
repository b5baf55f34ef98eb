"""The wizard's frame: a rail of pages with their state, the page's questions, what follows from them beside it.

Pages come from the models; a page has code here only where it has a live panel. It refuses rules and requests.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Click, Resize
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Static

from pgwizard import preflight
from pgwizard.draft import Draft, page_of, pages, sections_of
from pgwizard.errors import OutputError, PgwizardError, Problem
from pgwizard.plan import Facts
from pgwizard.tui.form import Form
from pgwizard.tui.panels import PANELS
from pgwizard.tui.review import Review

if TYPE_CHECKING:
    from pgwizard.tui.app import WizardApp

SAVED = "answers.yaml"
NARROW, MIDDLE = 90, 100
"""Columns below which the rail becomes one line, and below which the panel hides behind its key."""


class Rail(Static):
    """``✓`` answered, ``●`` here, ``!`` needs a look, ``·`` to come."""

    def __init__(self) -> None:
        super().__init__(id="rail", markup=False)
        self.entries: list[tuple[str, str]] = []

    def show(self, entries: list[tuple[str, str]]) -> None:
        """(mark, page) from the top."""
        self.entries = entries
        text = Text()
        for mark, page in entries:
            text.append(f"{mark} {page}\n", "bold" if mark == "●" else "")
        self.update(text)

    async def on_click(self, event: Click) -> None:
        """Go to the page under the pointer."""
        line = event.y - self.gutter.top
        if 0 <= line < len(self.entries):
            await cast("Wizard", self.screen).go(self.entries[line][1])


class Wizard(Screen[None]):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "page(1)", "next"),
        Binding("ctrl+b", "page(-1)", "back"),
        Binding("f2", "panel", "panel"),
        Binding("f1", "help", "help"),
        Binding("ctrl+s", "save", "save"),
        Binding("f9", "apply", "apply"),
    ]
    page: reactive[str] = reactive("", init=False)

    def __init__(self, raw: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.draft = Draft(raw or {})
        self.order = [*pages(), "Review"]
        self.visited: set[str] = set()

    @property
    def wizard(self) -> WizardApp:
        """The application, typed."""
        return cast("WizardApp", self.app)

    def compose(self) -> ComposeResult:
        """Header, rail, page, panel, footer."""
        if self.wizard.start.raw and not self.draft.raw:
            self.draft = Draft(self.wizard.start.raw)
        yield Static(id="header", markup=False)
        with Horizontal(id="body"):
            yield Rail()
            yield ContentSwitcher(id="pages")
            yield Vertical(id="panel")
        yield Footer()

    async def on_mount(self) -> None:
        """Begin with the first page."""
        self.watch(self.app, "link", self._linked)
        await self.go(self.order[0])

    async def go(self, page: str) -> None:
        """Show a page; it is made when it is seen first."""
        self.visited.add(page)
        switcher = self.query_one("#pages", ContentSwitcher)
        if not switcher.query(f"#page-{page}"):
            await switcher.add_content(self._made(page), id=f"page-{page}")
        switcher.current = f"page-{page}"
        self.page = page
        panel = self.query_one("#panel", Vertical)
        await panel.remove_children()
        self.set_class(page not in PANELS, "alone")
        if page in PANELS:
            await panel.mount(PANELS[page](self.draft))
        self._refresh()
        shown = switcher.query_one(f"#page-{page}")
        if isinstance(shown, Review):
            shown.show_draft()
            shown.focus()
        else:
            shown.query("Choice, Input").first(Widget).focus()

    def _made(self, page: str) -> Widget:
        if page == "Review":
            return Review(self.draft)
        return Form(self.draft, sections_of(page))

    def on_form_answered(self, event: Form.Answered) -> None:
        """An answer changes marks and panel; another source of the certificate is looked up."""
        if event.path[0] == "tls":
            self._look_up()
        self._refresh()

    def _linked(self) -> None:
        self._header()
        self._look_up()

    def _look_up(self) -> None:
        if self.wizard.cluster is not None:
            self.run_worker(self._certificate(), name="read the certificate", group="certificate", exclusive=True)

    async def _certificate(self) -> None:
        cluster = self.wizard.cluster
        if cluster is None:
            return
        await asyncio.sleep(0.2)  # while somebody types, only what stands is looked up
        try:
            bundle, wrong = await preflight.certificate(cluster, self.draft.answers)
        except PgwizardError as error:
            bundle, wrong = None, (Problem("tls.source", error.message),)
        self.draft.learn(Facts(ca=bundle), wrong)
        self._refresh()
        for form in self.query(Form):
            form.tell()

    def on_resize(self, event: Resize) -> None:
        """Fold what does not fit."""
        self.set_class(event.size.width < NARROW, "narrow")
        self.set_class(event.size.width < MIDDLE, "folded")
        self._header()

    async def action_page(self, step: int) -> None:
        """The page before or after."""
        here = self.order.index(self.page) + step
        if 0 <= here < len(self.order):
            await self.go(self.order[here])

    async def action_apply(self) -> None:
        """Only answers in which nothing is wrong are applied; otherwise the review says what is."""
        if self.draft.problems:
            await self.go("Review")
            self.notify("something is still wrong: see the marks and the list", severity="warning", markup=False)
            return
        from pgwizard.tui.apply import Apply

        await self.app.push_screen(Apply(self.draft.answers))

    def action_save(self) -> None:
        """Write the answers beside where pgwizard was started; an existing file is kept."""
        try:
            self.wizard.start.save(SAVED, self.draft.text())
        except OutputError as error:
            self.notify(f"{error.message}. {error.hint}", severity="error", markup=False)
        else:
            self.notify(f"saved as {SAVED}: references only, no secret", markup=False)

    def action_help(self) -> None:
        """The keys and the marks."""
        self.notify(
            "tab: next question · left, right: other choice · ctrl+n, ctrl+b: pages · f2: panel · ctrl+s: save · "
            "f9: apply · ✓ answered  ● here  ! needs a look  · to come",
            timeout=10,
            markup=False,
        )

    def action_panel(self) -> None:
        """Show the panel where it is folded, or fold it."""
        self.toggle_class("unfolded")

    def _refresh(self) -> None:
        wrong = {page_of(problem.path) for problem in self.draft.problems}
        entries = []
        for page in self.order:
            mark = "✓" if page in self.visited else "·"
            entries.append(("●" if page == self.page else "!" if page in wrong else mark, page))
        self.query_one(Rail).show(entries)
        for panel in self.query_one("#panel").children:
            cast("Any", panel).refresh_from(self.draft)
        self._header()

    def _header(self) -> None:
        if not self.page:
            return
        release = self.draft.answers.release
        place = (
            f"{self.order.index(self.page) + 1}/{len(self.order)} {self.page}   " if self.has_class("narrow") else ""
        )
        demo = "DEMO: a simulated cluster in this process   " if self.wizard.start.demo else ""
        self.query_one("#header", Static).update(
            f"pgwizard   {demo}{place}{release.namespace}/{release.name}   {self.wizard.link}"
        )
