"""The wizard: pages of questions, and what follows from the answers beside them.

It brings its units together: the pages with their draft, the live checks, the autosave, what can be chosen from the
cluster. It contains no rule and sends no request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from pgwizard.answers.schema import QuestionPath, field_at, label_at, page_of
from pgwizard.plan.names import ReleaseRef
from pgwizard.text import visible
from pgwizard.tui.autosave import Autosave
from pgwizard.tui.base import BaseScreen, Command
from pgwizard.tui.chooser import Chooser
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.destination import NAMESPACE, Destination
from pgwizard.tui.left_drafts import LeftDrafts
from pgwizard.tui.live_checks import CheckResults, LiveChecks
from pgwizard.tui.navigation import Applied, OpenApply
from pgwizard.tui.pages.connect import Connect
from pgwizard.tui.pages.form import Form
from pgwizard.tui.pages.frame import NARROW, Frame
from pgwizard.tui.pages.namespaces import NamespaceColumn
from pgwizard.tui.pages.pages import CONNECT, REVIEW, Pages
from pgwizard.tui.pages.releases import ReleaseColumn
from pgwizard.tui.pages.review import Review
from pgwizard.tui.panels.tls import TlsPanel
from pgwizard.tui.saving import Saving
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.rail import Rail
from pgwizard.tui.widgets.review_parts import Jump
from pgwizard.tui.widgets.review_sections import counts
from pgwizard.wizard.draft import Draft, dump, without_defaults, worth_keeping

CHECKED_SECONDS = 5.0
"""How long an apply waits for the live checks of the last answers."""
_HELP = {
    CONNECT: "Choose the cluster and the namespace of a new release, or a release to look at or to change.",
    REVIEW: "All answers, the manifests, and what an apply would change. Nothing is written before you approve.",
}


class Wizard(ReportsDefects, BaseScreen[None]):
    """See the module. raw: the answers of a release to change, as nested keys of the file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "page(1)", "next", tooltip="next page"),
        Binding("f7,ctrl+b", "page(-1)", "back", tooltip="previous page; every answer is kept"),
        Binding("f2", "panel", "panel", tooltip="show the panel, or go into it"),
        Binding("f3", "take", "best CA", tooltip="select the proposed certificate"),
        Binding("ctrl+z", "undo", "undo", show=False, tooltip="undo the last answer, and go to its question"),
        Binding("escape", "leave", "leave", tooltip="back to the previous screen"),
        Binding("f9", "apply", "apply", tooltip="show what would change, and apply it after you approve"),
        Binding("ctrl+s", "save", "save", tooltip="save the answers as a file: references only, no secret values"),
    ]

    def __init__(self, raw: dict[str, Any] | None = None) -> None:
        super().__init__()
        draft = Draft(without_defaults(raw or {}))
        self.release_to_change = ReleaseRef.of(draft.answers) if raw else None
        """None for a new release."""
        self.pages = Pages(draft)
        self.frame = Frame(self.pages)
        self.chooser = Chooser(self.pages)
        self.saving = Saving(self)
        self.destination = Destination(self.pages, is_chosen=bool(raw))
        self.checks: LiveChecks
        self.autosave: Autosave
        self._going = asyncio.Lock()

    @property
    def draft(self) -> Draft:
        return self.pages.draft

    @property
    def keeps_answers(self) -> bool:
        """See ScreenPart."""
        return self.is_mounted and self.autosave.is_open and worth_keeping(self.draft.raw)

    @property
    def page(self) -> str:
        """The page that is shown; empty for none yet."""
        return self.pages.page

    def compose(self) -> ComposeResult:
        if self.start.raw and self.release_to_change is None and not self.draft.raw:
            self.pages.draft = Draft(self.start.raw)
            self.destination.is_chosen = True
        yield Static(id="header", markup=False)
        yield self.frame
        yield KeyLine()

    async def on_mount(self) -> None:
        """Begin with the first page; answers from a file, or of a release, begin with their first questions."""
        self.checks = LiveChecks(
            self.connection,
            self.start.folder,
            partial(self.run_worker, group="checks", exit_on_error=False),
            answers=lambda: self.draft.answers,
            release=lambda: self.release_to_change,
            now=self.start.now,
            learn=self._learn,
        )
        self.autosave = Autosave(
            self.start.drafts,
            partial(self.run_worker, group="autosave", exit_on_error=False),
            lambda: self.draft.raw,
            partial(self.notify, severity="warning", markup=False),
        )
        self.watch(self.app, "link", self._follow_link)
        has_answers = bool(self.release_to_change or self.draft.raw)
        await self.go(self.pages.order[1] if has_answers else CONNECT)
        self._open_autosave(offer=not has_answers or self.release_to_change is not None)
        self.host.applied.subscribe(self, self._after_apply)

    def on_unmount(self) -> None:
        self.checks.close()
        self.autosave.close()

    # ---- pages -----------------------------------------------------------------------------------------------------

    async def go(self, page: str, question: QuestionPath | None = None) -> None:
        """Show a page, at a question of it."""
        async with self._going:  # a key and a click may come while the page before is being made
            self.chooser.propose(None)
            await self.frame.show_page(page)
            self._show_header()
            self.refresh_bindings()
            self.pages.focus_page(question)

    async def action_go(self, page: str) -> None:
        await self.go(page)

    async def action_page(self, step: int) -> None:
        page = self.pages.beside(step)
        if page is not None:
            await self.go(page)

    async def jump(self, path: str) -> None:
        """Go to the question of a dotted path. An answer that no question asks for can only be left out."""
        question = tuple(path.split("."))
        if field_at(question, self.draft.tag) is None and self.draft.value(question) != "":
            self.pages.forget(question)
            self.notify(f"removed: {visible(path)}", markup=False)
            return
        await self.go(page_of(path), question)

    @on(Form.Finished)
    @on(ReleaseColumn.NewWanted)
    async def _next_page(self) -> None:
        await self.action_page(1)

    async def on_rail_chosen(self, event: Rail.Chosen) -> None:
        await self.go(event.page)

    async def on_jump(self, event: Jump) -> None:
        await self.jump(event.path)

    def help_text(self) -> str:
        """See ScreenPart."""
        page = self.page
        return f"{page}\n{_HELP.get(page, 'Enter accepts an answer. Every default is a good first answer.')}"

    def commands(self) -> Iterator[Command]:
        """See ScreenPart."""
        for page in self.pages.order:
            yield Command(f"page {page}", "go to this page; every answer is kept", f"go({page!r})")

    # ---- answers ---------------------------------------------------------------------------------------------------

    def on_pages_answered(self, event: Pages.Answered) -> None:
        """Marks, panel, live checks and autosave follow each answer."""
        if event.path[:2] == NAMESPACE and not event.adopted:
            self.destination.is_chosen = True
        if event.path[0] in ("repository", "images"):
            self.chooser.propose(None)  # it was compared with another server
        self.checks.answer_changed(event.path[0])
        self.autosave.keep()
        self._follow()
        if event.path[0] == "tls":
            self.refresh_bindings()

    def on_namespace_column_chosen(self, event: NamespaceColumn.Chosen) -> None:
        self.destination.choose(event.target, self.draft.answers.release.namespace, exists=event.exists)

    def on_namespace_column_loaded(self, event: NamespaceColumn.Loaded) -> None:
        self.destination.listed(event.names, self.draft.answers.release.namespace)

    async def on_form_choices_wanted(self, event: Form.ChoicesWanted) -> None:
        await self.chooser.choose(event.path, event.question)

    def on_tls_panel_proposed(self, event: TlsPanel.Proposed) -> None:
        self.chooser.propose(event.candidate)
        self.refresh_bindings()

    def action_take(self) -> None:
        self.chooser.take_proposed()

    async def action_undo(self) -> None:
        """Undo the last answer, on whatever page it is."""
        path = self.pages.undo()
        self.app.clear_notifications()  # each press would add one
        if path is None:
            self.notify("nothing to undo", markup=False)
        elif self.page in (CONNECT, REVIEW):
            self.notify(f"undone: {label_at(path, self.draft.tag)[0]}", markup=False)
        else:
            await self.go(page_of(".".join(path)), path)

    async def _replace(self, raw: dict[str, Any], page: str) -> None:
        """Other answers in place of these."""
        await self.pages.replace(raw)
        self.destination.is_chosen = True
        await self.go(page)
        self.checks.start()

    @work(group="autosave", exit_on_error=False)
    async def _open_autosave(self, *, offer: bool) -> None:
        await self.autosave.open()
        if offer:
            left = LeftDrafts(self, self.autosave, self._restore)
            await left.offer(self.release_to_change, has_answers=lambda: worth_keeping(self.draft.raw))

    async def _restore(self, raw: dict[str, Any]) -> None:
        await self._replace(raw, self.pages.order[1])
        self.autosave.keep()

    # ---- the cluster -----------------------------------------------------------------------------------------------

    def _follow_link(self) -> None:
        cluster = self.connection.cluster
        if cluster is None:
            self.chooser.propose(None)
        elif self.destination.connected(cluster.namespace):
            for page in self.query(Connect):
                page.aim(cluster.namespace)
        self._show_header()
        self.checks.connection_changed()

    def _learn(self, learned: CheckResults) -> None:
        warnings = self.draft.cluster_warnings if learned.warnings is None else learned.warnings
        self.pages.learn(learned.facts, learned.problems, warnings)
        self._follow()

    async def _after_apply(self, applied: Applied) -> None:
        """Applied answers are no draft any more, here or in a wizard that changes the same release."""
        if not applied.complete:
            return
        release = ReleaseRef.of(applied.answers)
        if self.draft.answers == applied.answers:
            self.release_to_change = release
            self.autosave.forget()
        elif self.release_to_change == release:
            self.autosave.forget()
            await self._replace(without_defaults(dump(applied.answers)), self.page)
        self.pages.reload()

    async def action_apply(self) -> None:
        """Open the apply; answers with problems go to the review instead."""
        if self.connection.cluster is None and self.connection.trouble is None:
            self.notify("still connecting to the cluster", severity="warning", markup=False)
            return
        if self.draft.problems:  # what was corrected a moment ago may not be looked up yet
            await self.checks.wait(CHECKED_SECONDS)
        if self.draft.problems:
            await self.go(REVIEW)
            self.notify("not applied: the answers have problems", severity="warning", markup=False)
            return
        self.open_screen(OpenApply(self.draft.answers, self.release_to_change), self._apply_closed)

    async def _apply_closed(self, question: str | None) -> None:
        """question: what a failure goes back to."""
        if question:
            await self.jump(question)

    # ---- files -----------------------------------------------------------------------------------------------------

    @work(group="save", exclusive=True, exit_on_error=False)
    async def action_save(self) -> None:
        if await self.saving.save(self.draft):
            self.autosave.forget()

    @work(group="export", exclusive=True, exit_on_error=False)
    async def _export(self, folder: str) -> None:
        await self.saving.export(self.draft, folder)

    def on_review_export_requested(self, event: Review.ExportRequested) -> None:
        self._export(event.folder)

    # ---- what is shown ---------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._show_header()

    def _follow(self) -> None:
        self.frame.follow()
        self._show_header()

    def _show_header(self) -> None:
        if not self.page:
            return
        release = self.draft.answers.release
        is_narrow = self.size.width < NARROW
        place = f"{self.pages.place}{counts(self.draft)}   " if is_narrow else ""  # in place of the rail and its marks
        demo = ("DEMO: simulated   " if is_narrow else f"{DEMO}   ") if self.start.demo else ""
        text = f"pgwizard   {demo}{place}{release.namespace}/{release.name}   {self.host.link}"
        self.query_one("#header", Static).update(text, layout=False)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Keys are shown where they do something."""
        if action == "leave":
            return self.frame.is_unfolded or self.has_way_back
        if action == "take":
            return self.page == "TLS" and self.chooser.proposed is not None
        return action != "panel" or self.frame.has_panel_key

    async def action_panel(self) -> None:
        await self.frame.turn_panel()

    async def action_leave(self) -> None:
        """Fold the panel; else back to the screen before. The answers are kept as a draft."""
        if self.frame.is_unfolded:
            await self.action_panel()
        elif self.has_way_back:
            self.dismiss()
