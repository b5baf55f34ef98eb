"""The wizard: pages of questions, and what follows from the answers beside them.

The screen binds keys and passes each answer on. ``pages.frame`` goes from page to page, ``pages.pages`` keeps the
answers, ``chooser`` lists what the cluster has, ``live_checks`` compares the answers with it, ``autosave`` and
``drafting`` keep them as a draft, ``saving`` writes files.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from pgwizard.answers.schema import QuestionPath
from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.autosave import Autosave
from pgwizard.tui.base import BaseScreen, Command
from pgwizard.tui.chooser import Chooser
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.drafting import Drafting
from pgwizard.tui.live_checks import LiveChecks
from pgwizard.tui.navigation import OpenApply
from pgwizard.tui.pages.form import Form
from pgwizard.tui.pages.frame import Frame
from pgwizard.tui.pages.order import CONNECT, REVIEW
from pgwizard.tui.pages.pages import Pages
from pgwizard.tui.panels.tls import TlsPanel
from pgwizard.tui.saving import Saving
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.wizard.draft import Draft, without_defaults, worth_keeping

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
        self._raw = raw
        self.pages = Pages(Draft(without_defaults(raw or {})))
        self.frame = Frame(self.pages)
        self.chooser = Chooser(self.pages)
        self.saving = Saving(self)
        self.checks: LiveChecks
        self.autosave: Autosave
        self.drafting: Drafting

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
        if self._raw:
            self.pages.destination.is_chosen = True
        elif self.start.raw:
            self.pages.load(self.start.raw)
        yield self.frame.header
        yield self.frame
        yield KeyLine()

    async def on_mount(self) -> None:
        """Begin with the first page; answers from a file, or of a release, begin with their first questions."""
        self.checks = LiveChecks(
            self.connection,
            self.start.folder,
            partial(self.run_worker, group="checks", exit_on_error=False),
            answers=lambda: self.draft.answers,
            release=lambda: self.drafting.release,
            now=self.start.now,
            learn=self.frame.learn,
        )
        self.autosave = Autosave(
            self.start.drafts,
            partial(self.run_worker, group="autosave", exit_on_error=False),
            lambda: self.draft.raw,
            partial(self.notify, severity="warning", markup=False),
        )
        release = ReleaseRef.of(self.draft.answers) if self._raw else None
        self.drafting = Drafting(self, self.frame, self.autosave, release, self.checks.start)
        self.watch(self.app, "link", self.checks.connection_changed)
        has_answers = bool(release or self.draft.raw)
        await self.go(self.pages.order.names[1] if has_answers else CONNECT)
        offering = self.drafting.open(offer=not has_answers or release is not None)
        self.run_worker(offering, group="autosave", exit_on_error=False)
        self.host.applied_signal.subscribe(self, self.drafting.follow_apply)

    def on_unmount(self) -> None:
        self.checks.close()
        self.autosave.close()

    async def go(self, page: str, question: QuestionPath | None = None) -> None:
        """Show a page, at a question of it."""
        await self.frame.go(page, question)

    action_go = go

    # ---- answers ---------------------------------------------------------------------------------------------------

    def on_pages_answered(self, event: Pages.Answered) -> None:
        """Marks, panel, live checks and autosave follow each answer."""
        self.checks.answer_changed(event.path[0])
        self.autosave.keep()
        self.frame.follow()
        if event.path[0] == "tls":
            self.refresh_bindings()

    async def on_form_choices_wanted(self, event: Form.ChoicesWanted) -> None:
        await self.chooser.choose(event.path, event.question)

    def on_tls_panel_proposed(self, event: TlsPanel.Proposed) -> None:
        self.chooser.propose(event.candidate)
        self.refresh_bindings()

    @work(group="export", exclusive=True, exit_on_error=False)
    async def on_review_export_requested(self) -> None:
        await self.saving.export(self.draft)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def help_text(self) -> str:
        page = self.page
        return f"{page}\n{_HELP.get(page, 'Enter accepts an answer. Every default is a good first answer.')}"

    def commands(self) -> Iterator[Command]:
        for page in self.pages.order.names:
            yield Command(f"page {page}", "go to this page; every answer is kept", f"go({page!r})")

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Keys are shown where they do something."""
        if action == "leave":
            return self.frame.dock.is_unfolded or self.has_way_back
        if action == "take":
            return self.page == "TLS" and self.chooser.proposal is not None
        return action != "panel" or self.frame.dock.has_key

    async def action_page(self, step: int) -> None:
        await self.frame.walk(step)

    async def action_panel(self) -> None:
        await self.frame.turn_panel()

    def action_take(self) -> None:
        self.chooser.take_proposed()

    async def action_undo(self) -> None:
        await self.frame.undo()

    async def action_apply(self) -> None:
        """Open the apply; answers with problems go to the review instead. A failure may go back to a question."""
        if self.connection.cluster is None and self.connection.trouble is None:
            self.notify("still connecting to the cluster", severity="warning", markup=False)
            return
        if self.draft.problems:  # what was corrected a moment ago may not be looked up yet
            await self.checks.wait(CHECKED_SECONDS)
        if self.draft.problems:
            await self.go(REVIEW)
            self.notify("not applied: the answers have problems", severity="warning", markup=False)
            return
        request = OpenApply(self.draft.answers, self.drafting.release)
        self.open_screen(request, lambda question: self.frame.jump(question) if question else None)

    @work(group="save", exclusive=True, exit_on_error=False)
    async def action_save(self) -> None:
        if await self.saving.save(self.draft):
            self.autosave.forget()

    async def action_leave(self) -> None:
        """Fold the panel; else back to the screen before. The answers are kept as a draft."""
        if self.frame.dock.is_unfolded:
            await self.frame.turn_panel()
        elif self.has_way_back:
            self.dismiss()
