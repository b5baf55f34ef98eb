"""The review: the answers as a whole before anything is applied.

It shows problems, answers that differ from their defaults, the manifests, and what they would change in the cluster.
Going to a question, exporting and applying are asked of the wizard by messages.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher, DataTable, Input, OptionList

from pgwizard.answers.questions import Answers
from pgwizard.plan import manifests
from pgwizard.plan.plan import Facts, resolve
from pgwizard.text import visible
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.widgets.comparison import Comparison
from pgwizard.tui.widgets.folds import Fold, Folds
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.review_parts import AnswersTable, Headings, ProblemList, ProblemOption, Prompt
from pgwizard.wizard.draft import Draft

EXPORT_FOLDER = "manifests"
ReviewSection = Literal["problems", "answers", "manifests", "live"]
SECTIONS: tuple[ReviewSection, ...] = ("problems", "answers", "manifests", "live")


def counts(draft: Draft) -> str:
    """How many problems and warnings there are: `` 2✗ 1!``; empty for none."""
    wrong, doubtful = len(draft.problems), len(draft.warnings)
    return "".join([f" {wrong}✗" if wrong else "", f" {doubtful}!" if doubtful else ""])


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
        Binding("f9", "apply", "apply"),
        Binding("d", "compare", "diff", tooltip="show what an apply would change; nothing is written"),
        Binding("o", "only_changed", "differing", tooltip="show only answers that differ from their defaults, or all"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("n", "step(1)", "next match", show=False),
        Binding("N", "step(-1)", "previous match", show=False),
        Binding("e", "export", "export", tooltip="write the manifests into a folder"),
        COPY,
        WRITE,
    ]
    HELP: ClassVar[str] = (
        "1 problems · 2 answers · 3 manifests · 4 what an apply would change in the cluster\n"
        "Enter on a problem or an answer goes to its question; on an object it unfolds\n"
        "(Left and Right fold and unfold, a unfolds all, Shift+Left and Shift+Right scroll long lines).\n"
        "o shows only the answers that differ from their defaults (≠). / searches, n and N go to the\n"
        "next and the previous match. d compares with the cluster; nothing is written.\n"
        "e writes the manifests into a folder. Ctrl+S saves the answers. F9 applies."
    )

    class Jump(Message):
        """Go to a question. path: dotted, as in the file."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    class ApplyRequested(Message):
        """The answers are to be applied."""

    class ExportRequested(Message):
        """The manifests are to be written, a file an object. folder: as it was typed."""

        def __init__(self, folder: str) -> None:
            super().__init__()
            self.folder = folder

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.section: ReviewSection = "answers"
        self._is_shown = False
        self._rendered: tuple[Answers, Facts] | None = None

    def compose(self) -> ComposeResult:
        """Headings, the section, the prompt, a hint."""
        yield Headings()
        with ContentSwitcher(id="sections", initial="answers"):
            yield ProblemList()
            yield AnswersTable()
            yield Folds(id="manifests")
            yield Comparison()
        yield Prompt()
        yield TextPart("hint")

    def on_resize(self) -> None:
        """The columns share the width."""
        if self._is_shown:
            self.query_one(AnswersTable).show(self.draft)

    def enter(self) -> None:
        """Show the draft when the page is opened: problems first."""
        if self.draft.problems:
            self.section = "problems"
        elif self.section == "problems" and not self.draft.warnings:
            self.section = "answers"
        self.follow()

    def follow(self) -> None:
        """Show the draft as it is now: the section and what is highlighted stay."""
        self._is_shown = True
        self.query_one(ProblemList).show(self.draft)
        self.query_one(AnswersTable).show(self.draft)
        comparison = self.query_one(Comparison)
        if not comparison.is_of(self.draft.answers):
            comparison.forget()
        self._show_section()

    def focus(self, scroll_visible: bool = True) -> Self:
        """The section gets it: the page itself has no keys to show."""
        self._inner.focus(scroll_visible)
        return self

    # ---- sections --------------------------------------------------------------------------------------------------

    def action_section(self, section: ReviewSection) -> None:
        """Show a section."""
        self.section = section
        self._show_section()
        self.focus()

    def on_headings_chosen(self, event: Headings.Chosen) -> None:
        """As its key does."""
        self.action_section(SECTIONS[event.number])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Only the keys of this section are shown."""
        wanted = {"only_changed": ("answers",), "search": ("manifests", "live"), "step": ("manifests", "live")}
        return self.section in wanted.get(action, SECTIONS)

    def _show_section(self) -> None:
        self.query_one("#sections", ContentSwitcher).current = self.section
        if self.section == "manifests":
            self._render_manifests()
        changed = sum(value != default for _, value, default in self.draft.rows())
        titles = (f"problems{counts(self.draft) or ' ✓'}", f"answers {changed}≠", "manifests", "diff against live")
        self.query_one(Headings).show(titles, SECTIONS.index(self.section))
        self._show_hint()
        self.refresh_bindings()

    @property
    def _inner(self) -> Widget:
        return self._folds or self.query_one(f"#{self.section}")

    @property
    def _folds(self) -> Folds | None:
        """The objects of the section that is shown; None where it has none."""
        if self.section == "live":
            return self.query_one(Comparison).folds
        return self.query_one("#manifests", Folds) if self.section == "manifests" else None

    def _show_hint(self) -> None:
        only_changed = self.query_one(AnswersTable).only_changed
        objects = len(self.query_one("#manifests", Folds).folds)
        self._hint(
            {
                "problems": "Enter goes to the question",
                "answers": "≠ differs from its default · Enter goes to the question · "
                + ("o: all" if only_changed else "o: only these"),
                "manifests": f"{objects} objects in apply order · / searches",
                "live": "d compares again; nothing is written · Enter unfolds an object · / searches",
            }[self.section]
        )

    def _hint(self, text: str) -> None:
        self.query_one("#hint", TextPart).show(text)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go to the question of a problem."""
        event.stop()
        if isinstance(event.option, ProblemOption):
            self.post_message(self.Jump(event.option.question))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Go to the question of an answer."""
        event.stop()
        if event.row_key.value:
            self.post_message(self.Jump(event.row_key.value))

    def action_only_changed(self) -> None:
        """Leave out answers that are their defaults, or show them again."""
        table = self.query_one(AnswersTable)
        table.only_changed = not table.only_changed
        table.show(self.draft)
        self._show_hint()

    def _render_manifests(self) -> None:
        """Once for the same answers and the same certificate: what is unfolded stays so."""
        wanted = (self.draft.answers, self.draft.facts)
        shown = self.query_one("#manifests", Folds)
        if self.draft.problems:
            self._rendered = None
            shown.show([Fold("The manifests appear here once there are no problems.")])
        elif self._rendered != wanted:
            self._rendered = wanted
            rendered = manifests.render(resolve(*wanted))
            shown.show(
                Fold(f"{item.object['kind']} {item.object['metadata']['name']}", tuple(item.text.splitlines()))
                for item in rendered
            )

    def action_compare(self) -> None:
        """Compare with the cluster. Nothing is written."""
        self.action_section("live")
        if self.draft.problems:
            self.query_one(Comparison).refuse("There are problems: 1 lists them. Compare once they are fixed.")
        else:
            self.query_one(Comparison).compare(self.draft.answers)

    # ---- the prompt ------------------------------------------------------------------------------------------------

    def action_apply(self) -> None:
        """The wizard applies, or tells why not."""
        self.post_message(self.ApplyRequested())

    def action_search(self) -> None:
        """Ask what to search for."""
        self.query_one(Prompt).ask("search", "search", "")

    def action_step(self, by: int) -> None:
        """Go to the next match, or to the previous one."""
        if self._folds is not None:
            self._hint(self._folds.step(by))

    def action_export(self) -> None:
        """Ask for the folder."""
        if self.draft.problems:
            self.notify("There are problems: 1 lists them", severity="warning", markup=False)
            return
        self.query_one(Prompt).ask("export", "folder for the manifests; it is replaced as a whole", EXPORT_FOLDER)
        self._hint("Enter writes one file per object into this folder · Esc cancels")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search for what is typed so far."""
        event.stop()
        if isinstance(event.input, Prompt) and event.input.display and event.input.purpose == "search" and self._folds:
            self._hint(self._folds.find(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search or export."""
        event.stop()
        event.input.display = False
        self.focus()
        purpose = cast("Prompt", event.input).purpose
        if purpose == "export" and event.value.strip():
            self.post_message(self.ExportRequested(event.value.strip()))
        elif purpose == "search" and self._folds is not None:
            self._hint(f"{self._folds.step(0)} · n: next, N: previous")

    def on_prompt_closed(self) -> None:
        """Back to the section."""
        self.focus()
        self._show_hint()

    # ---- copying ---------------------------------------------------------------------------------------------------

    def excerpt(self) -> Excerpt | None:
        """The object under the cursor, or the answers as a file."""
        if self._folds is None:
            return Excerpt("the answers", self.draft.text(), "answers.yaml")
        fold = self._folds.current
        if fold is None:
            return None
        title = visible(fold.title)
        name = "-".join(re.findall(r"[\w.]+", title)) or "object"
        return Excerpt(title, "\n".join(fold.lines) + "\n", f"{name}.yaml")
