"""The review: the answers as a whole before anything is applied.

It shows problems, answers that differ from their defaults, the manifests, and what they would change in the cluster.
Going to a question, exporting and applying are asked of the wizard by messages.
"""

from __future__ import annotations

from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message

from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.review_parts import FoldSearch, Headings, Prompt
from pgwizard.tui.widgets.review_sections import SECTIONS, ReviewSection, ReviewSections
from pgwizard.wizard.draft import Draft


class Review(Copies, Vertical):
    """Made once, shown again each time by ``enter`` and ``follow``."""

    DEFAULT_CSS = """
    Review { height: 1fr; }
    Review #headings { height: 1; padding: 0 1; background: $panel; }
    Review #sections { height: 1fr; }
    Review OptionList, Review OptionList:focus { height: 1fr; border: none; background: $background; padding: 0 1; }
    Review DataTable { height: 1fr; background: $background; }
    Review #hint { height: 1; padding: 0 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "section('problems')", "problems", show=False),
        Binding("2", "section('answers')", "answers", show=False),
        Binding("3", "section('manifests')", "manifests", show=False),
        Binding("4", "section('live')", "diff", show=False),
        Binding("f9", "screen.apply", "apply"),
        Binding("d", "compare", "diff", tooltip="show what an apply would change; nothing is written"),
        Binding("o", "only_changed", "differing", tooltip="show only answers that differ from their defaults, or all"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("n", "step(1)", "next match", show=False),
        Binding("N", "step(-1)", "previous match", show=False),
        Binding("e", "export", "export", tooltip="write a Helm chart, a kustomize base or manifests"),
        COPY,
        WRITE,
    ]
    HELP: ClassVar[str] = (
        "1 problems · 2 answers · 3 manifests · 4 diff against the cluster\n"
        "Enter on a problem or an answer goes to its question; on an object it unfolds. Left and Right fold and "
        "unfold, a unfolds all, Shift+Left and Shift+Right scroll long lines.\n"
        "o shows only the answers that differ from their defaults (≠).\n"
        "/ searches; n and N go to the next and the previous match.\n"
        "d shows what an apply would change in the cluster; nothing is written.\n"
        "e writes a Helm chart, a kustomize base or manifests. Ctrl+S saves the answers. F9 applies."
    )

    class ExportRequested(Message):
        """The answers are to be written for another tool."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.sections, self.headings, self.prompt, self.hint = ReviewSections(), Headings(), Prompt(), TextPart("hint")
        self._search = FoldSearch(self.prompt, lambda: self.sections.folds, self.hint.show)
        self._is_shown = False

    def compose(self) -> ComposeResult:
        yield self.headings
        yield self.sections
        yield self.prompt
        yield self.hint

    def on_resize(self) -> None:
        """The columns share the width."""
        if self._is_shown:
            self.sections.answers.show(self.draft)

    def enter(self) -> None:
        """Show the draft when the page is opened: problems first."""
        if self.draft.problems:
            self.sections.section = "problems"
        elif self.sections.section == "problems" and not self.draft.warnings:
            self.sections.section = "answers"
        self.follow()

    def follow(self) -> None:
        """Show the draft as it is now: the section and what is highlighted stay."""
        self._is_shown = True
        self.sections.follow(self.draft)
        self._show_section()

    def focus(self, scroll_visible: bool = True) -> Self:
        """The section gets it: the page itself has no keys to show."""
        self.sections.inner.focus(scroll_visible)
        return self

    def excerpt(self) -> Excerpt | None:
        return self.sections.excerpt(self.draft)

    def _show_section(self) -> None:
        sections = self.sections
        sections.open(sections.section, self.draft)
        self.headings.show(sections.titles(self.draft), SECTIONS.index(sections.section))
        self.hint.show(sections.hint())
        self.refresh_bindings()

    # ---- keys ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Only the keys of this section are shown."""
        sections = {"only_changed": ("answers",), "search": ("manifests", "live"), "step": ("manifests", "live")}
        return self.sections.section in sections.get(action, SECTIONS)

    def action_section(self, section: ReviewSection) -> None:
        self.sections.section = section
        self._show_section()
        self.focus()

    def on_headings_chosen(self, event: Headings.Chosen) -> None:
        self.action_section(SECTIONS[event.number])

    def action_only_changed(self) -> None:
        self.sections.answers.switch(self.draft)
        self.hint.show(self.sections.hint())

    def action_compare(self) -> None:
        self.action_section("live")
        self.sections.comparison.compare(self.draft)

    def action_search(self) -> None:
        self._search.ask()

    def action_step(self, by: int) -> None:
        self._search.step(by)

    def action_export(self) -> None:
        if self.draft.problems:
            self.notify("There are problems: 1 lists them", severity="warning", markup=False)
            return
        self.post_message(self.ExportRequested())

    def on_prompt_closed(self, event: Prompt.Closed) -> None:
        self.focus()
        if event.is_cancelled:
            self.hint.show(self.sections.hint())
