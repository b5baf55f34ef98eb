"""The pages of the wizard, and the draft that they show: a change of one is a change of the other."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from pgwizard.answers import schema
from pgwizard.answers.schema import QuestionPath
from pgwizard.errors import Finding
from pgwizard.plan.plan import Facts
from pgwizard.tui.base import HostAccess
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.destination import NAMESPACE, Destination
from pgwizard.tui.pages.connect import Connect
from pgwizard.tui.pages.form import Form
from pgwizard.tui.pages.namespaces import NamespaceColumn
from pgwizard.tui.pages.order import CONNECT, REVIEW, PageOrder
from pgwizard.tui.pages.review import Review
from pgwizard.wizard.draft import Draft

PAUSE_SECONDS = 0.25
"""Before each page that is made ahead, which takes some 50 ms."""


class Pages(HostAccess, ReportsDefects, ContentSwitcher):
    """One page is shown at a time. It is made when it is shown first, or ahead while a person answers."""

    class Answered(Message):
        """A question has another answer. is_adopted: by what the cluster says, not by a person."""

        def __init__(self, path: QuestionPath, *, is_adopted: bool = False) -> None:
            super().__init__()
            self.path = path
            self.is_adopted = is_adopted

    def __init__(self, draft: Draft) -> None:
        super().__init__(id="pages")
        self.draft = draft
        self.order = PageOrder()
        self.destination = Destination(self, is_chosen=False)
        self._making = asyncio.Lock()
        self._is_preparing = False

    @property
    def page(self) -> str:
        """The page that is shown; empty for none yet."""
        return self.order.page

    def on_mount(self) -> None:
        self.watch(self.app, "link", self._follow_link)

    # ---- pages -----------------------------------------------------------------------------------------------------

    async def show(self, page: str) -> None:
        """Show a page; ``focus_page`` is to follow."""
        is_new = await self._add(page)
        self.current = f"page-{page}"
        self.order.visit(page)
        if page == CONNECT and not is_new:  # it loads by itself when it is made
            self.reload()

    async def prepare(self) -> None:
        """Make the pages ahead, so that they only have to be shown: one at a time, and keys come first."""
        if self._is_preparing:
            return
        self._is_preparing = True
        try:
            while page := self._next_missing():
                await asyncio.sleep(PAUSE_SECONDS)
                await self._add(page)
        finally:
            self._is_preparing = False

    def _next_missing(self) -> str | None:
        """The review is not made ahead: it compares with the cluster as soon as it is there."""
        return next((page for page in self.order.ahead if page != REVIEW and not self.query(f"#page-{page}")), None)

    async def _add(self, page: str) -> bool:
        """Make a page, out of sight. False where it was made before."""
        async with self._making:
            if self.query(f"#page-{page}"):
                return False
            new = self._make(page)
            new.id = f"page-{page}"
            new.display = False
            await self.mount(new)
            return True

    def focus_page(self, question: QuestionPath | None = None) -> None:
        """Focus a question of the page, or where the page begins."""
        page = self.query_one(f"#page-{self.page}")
        if isinstance(page, Review):
            page.enter()
            page.focus()
        elif isinstance(page, Connect):
            page.focus_first()
        elif isinstance(page, Form):
            page.show_problems()
            if question is None or not page.focus_question(question):
                page.focus_first()

    def _make(self, page: str) -> Widget:
        if page == CONNECT:
            return Connect(self.draft.answers.release.namespace)
        if page == REVIEW:
            return Review(self.draft)
        return Form(self.draft, schema.sections_of(page))

    def reload(self) -> None:
        """List releases and namespaces again, where the first page is shown."""
        if self.page == CONNECT:
            self.query_one(Connect).reload()

    # ---- the draft -------------------------------------------------------------------------------------------------

    def on_form_answered(self, event: Form.Answered) -> None:
        event.stop()
        self._pass_on(event.path)

    def give(self, path: QuestionPath, value: Any) -> None:
        """Answer a question from elsewhere than its own control."""
        self.draft.give(path, value)
        self._show_answer(path)

    def adopt(self, path: QuestionPath, value: Any) -> None:
        """Answer a question by what the cluster says. It cannot be undone."""
        self.draft.adopt(path, value)
        self._show_answer(path, is_adopted=True)

    def forget(self, path: QuestionPath) -> None:
        """Leave a question at its default."""
        self.draft.forget(path)
        self._show_answer(path)

    def undo(self) -> QuestionPath | None:
        """Undo the last answer. Returns its question; None where there is nothing to undo."""
        path = self.draft.undo()
        if path is not None:
            self._show_answer(path)
        return path

    def _show_answer(self, path: QuestionPath, *, is_adopted: bool = False) -> None:
        for form in self.query(Form):
            form.show_answer(path)
            form.show_problems()
        self._pass_on(path, is_adopted=is_adopted)

    def _pass_on(self, path: QuestionPath, *, is_adopted: bool = False) -> None:
        if path[:2] == NAMESPACE and not is_adopted:
            self.destination.is_chosen = True
        self.post_message(self.Answered(path, is_adopted=is_adopted))

    def load(self, raw: dict[str, Any]) -> None:
        """Other answers, before a page is made."""
        self.draft = Draft(raw, self.draft.facts)
        self.destination.is_chosen = True

    async def replace(self, raw: dict[str, Any]) -> None:
        """Other answers: every page is made again when it is shown."""
        async with self._making:
            self.load(raw)
            self.current = None  # or a new page of the same name would not be shown
            await self.remove_children()

    def learn(self, facts: Facts, problems: tuple[Finding, ...], warnings: tuple[Finding, ...] | None = None) -> None:
        """Show what the cluster says about the answers. warnings: None where those from before stay."""
        self.draft.learn(facts, problems, self.draft.cluster_warnings if warnings is None else warnings)
        for form in self.query(Form):
            form.show_problems()
        if self.page == REVIEW:
            self.query_one(Review).follow()

    # ---- the namespace ---------------------------------------------------------------------------------------------

    def on_namespace_column_chosen(self, event: NamespaceColumn.Chosen) -> None:
        self.destination.choose(event.target, self.draft.answers.release.namespace, exists=event.exists)

    def on_namespace_column_loaded(self, event: NamespaceColumn.Loaded) -> None:
        self.destination.follow_list(event.names, self.draft.answers.release.namespace)

    def _follow_link(self) -> None:
        cluster = self.connection.cluster
        if cluster is not None and self.destination.follow_context(cluster.namespace):
            for page in self.query(Connect):
                page.aim(cluster.namespace)
