"""Parts of the review: its headings, the problems, the answers beside their defaults, and a line to type into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import DataTable, Input, OptionList, Static
from textual.widgets.option_list import Option

from pgwizard.answers.schema import field_at, label_at, page_of, pages
from pgwizard.plan.plan import stand_ins
from pgwizard.text import plain, visible
from pgwizard.tui.widgets.folds import Folds
from pgwizard.tui.widgets.text_line import TextLine
from pgwizard.wizard.draft import Draft
from pgwizard.wizard.text_input import write_text

NO_PROBLEMS = "✓ no problems and no warnings"


class Headings(Static):
    """The sections on one line, the shown one between brackets; each with its key."""

    class Chosen(Message):
        """A section was clicked. number: from 0."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__(id="headings", markup=False)
        self._ends: list[int] = []

    def show(self, titles: Sequence[str], current: int) -> None:
        """current: the number of the section that is shown."""
        parts: list[tuple[str, str] | str] = []
        self._ends, end = [], 0
        for number, title in enumerate(titles):
            word = f"[{number + 1} {title}]" if number == current else f" {number + 1} {title} "
            parts.append((word, "bold" if number == current else "$text-muted"))
            end += len(word)
            self._ends.append(end)
        self.update(Content.assemble(*parts))

    def on_click(self, event: Click) -> None:
        """Choose the section under the pointer."""
        x = event.x - self.gutter.left
        number = next((number for number, end in enumerate(self._ends) if x < end), None)
        if number is not None:
            self.post_message(self.Chosen(number))


class Jump(Message):
    """Go to a question. path: dotted, as in the file."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class ProblemOption(Option):
    """A problem or a warning. It knows its question: the list may be made again while Enter is on its way."""

    def __init__(self, prompt: Table, question: str) -> None:
        super().__init__(prompt)
        self.question = question


class ProblemList(OptionList):
    """The problems of a draft, then its warnings."""

    def __init__(self) -> None:
        super().__init__(id="problems", markup=False)

    def show(self, draft: Draft) -> None:
        """The one that is highlighted stays so while it is there."""
        here = self.highlighted_option
        question = here.question if isinstance(here, ProblemOption) else ""
        self.clear_options()
        rows = [*(("✗", item) for item in draft.problems), *(("!", item) for item in draft.warnings)]
        for mark, problem in rows:
            place = tuple(problem.question.split("."))
            label = label_at(place, draft.tag)[0] if problem.question else "all answers"
            is_open = not problem.question or field_at(place, draft.tag) is not None
            text = Table.grid(padding=(0, 1))
            text.add_row(Text(mark, "bold"), Text.assemble((label, "bold"), f"   {problem.question}"))
            text.add_row("", Text(visible(problem.text) + ("" if is_open else " · Enter removes it")))
            self.add_option(ProblemOption(text, problem.question))
        if not rows:
            self.add_option(Option(NO_PROBLEMS, disabled=True))
        else:
            questions = [problem.question for _, problem in rows]
            self.highlighted = questions.index(question) if question in questions else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if isinstance(event.option, ProblemOption):
            self.post_message(Jump(event.option.question))


_QUESTION_WIDTH = 28
"""The longest label, and a blank before and after it."""


class AnswersTable(DataTable[Text | str]):
    """Every answer by page; ``≠`` marks one that differs from its default. The key of a row is its question."""

    def __init__(self) -> None:
        super().__init__(id="answers", cursor_type="row", zebra_stripes=False)
        self.only_changed = False
        self._draft: Draft | None = None
        self._room = 0

    def switch(self, draft: Draft) -> None:
        """Leave out answers that are their defaults, or show them again."""
        self.only_changed = not self.only_changed
        self.show(draft)

    def show(self, draft: Draft) -> None:
        """The cursor stays in its row."""
        self._draft, self._room = draft, self.size.width
        row = self.cursor_row
        self.clear(columns=True)
        self.add_column("", width=1)
        room = max(30, self.size.width - 12)  # less the sign, the gaps and a scroll bar
        question_width = min(_QUESTION_WIDTH, room // 2)
        answer_width = (room - question_width) * 2 // 3
        default_width = room - question_width - answer_width
        for title, width in (("question", question_width), ("answer", answer_width), ("default", default_width)):
            self.add_column(title, width=width)
        page, order, others = "", pages(), stand_ins(draft.answers)
        for path, value, default in sorted(draft.rows(), key=lambda row: order.index(page_of(row[0][0]))):
            differs = value != default
            if self.only_changed and not differs:
                continue
            label, place = label_at(path, draft.tag)
            question = ".".join(place)
            current = answer_text(value) if value is not None else others.get(question, "none")
            lines = [part for line in current.split("\n") for part in wrap(line, answer_width) or [""]]
            usual = answer_text(default) if default is not None else others.get(question, "none")
            if page != page_of(question):
                page = page_of(question)
                self.add_row("", Text(page, "bold underline"), "", "")
            self.add_row(
                Text("≠" if differs else "", "bold"),
                Text(f" {label}"),
                Text("\n".join(lines), "bold" if differs else ""),
                Text(usual if differs else "", "dim", no_wrap=True, overflow="ellipsis"),
                height=len(lines),
                key=question,
            )
        if not self.row_count:
            self.add_row("", "every answer is its default", "", "")
        self.move_cursor(row=max(1, row), animate=False)  # the first row is a page's name

    def on_resize(self) -> None:
        """Fit the columns: a table that is filled while it is hidden has no width yet."""
        if self._draft is not None and self.size.width not in (0, self._room):
            self.show(self._draft)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key.value:
            self.post_message(Jump(event.row_key.value))


def answer_text(value: object) -> str:
    """An answer in a cell: each entry of several on a line of its own."""
    if isinstance(value, dict):
        entries = [write_text({name: entry}) for name, entry in value.items()]
    elif isinstance(value, list):
        entries = [write_text([entry]) for entry in value]
    else:
        entries = [write_text(value)]
    return "\n".join(plain(entry, 60) for entry in entries) or "none"


class Prompt(TextLine):
    """A line to type into, for one purpose at a time. It has an Esc of its own: the screen's would leave the wizard."""

    DEFAULT_CSS = "Prompt { display: none; padding: 0 1; background: $boost; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", tooltip="close the prompt")]

    class Closed(Message):
        """It was closed. is_cancelled: without an answer."""

        def __init__(self, *, is_cancelled: bool) -> None:
            super().__init__()
            self.is_cancelled = is_cancelled

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._enter: Callable[[str], None] = _ignore
        self._type: Callable[[str], None] = _ignore

    def ask(
        self, placeholder: str, value: str, enter: Callable[[str], None], type_: Callable[[str], None] | None = None
    ) -> None:
        """Open it. enter: called with what was typed, once it is closed by Enter; type_: at each key."""
        self._enter, self._type = enter, _ignore
        self.placeholder, self.value, self.display = placeholder, value, True
        self._type = type_ or _ignore
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self._type(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.display = False
        self._enter(event.value)
        self.post_message(self.Closed(is_cancelled=False))

    def action_close(self) -> None:
        """Close it without an answer."""
        self.display = False
        self.post_message(self.Closed(is_cancelled=True))


def _ignore(_: str) -> None:
    pass


class FoldSearch:
    """A search through the objects of the section that is shown. show: shows how far it is."""

    def __init__(self, prompt: Prompt, folds: Callable[[], Folds | None], show: Callable[[str], None]) -> None:
        self._prompt, self._folds, self._show = prompt, folds, show

    def ask(self) -> None:
        """Open the prompt: the first match is shown as it is typed."""
        self._prompt.ask("search", "", self._stay, self._find)

    def step(self, by: int) -> None:
        """Go to the next match (1), or to the one before (-1)."""
        if (folds := self._folds()) is not None:
            self._show(folds.step(by))

    def _find(self, text: str) -> None:
        if (folds := self._folds()) is not None:
            self._show(folds.find(text))

    def _stay(self, _: str) -> None:
        if (folds := self._folds()) is not None:
            self._show(f"{folds.step(0)} · n: next, N: previous")
