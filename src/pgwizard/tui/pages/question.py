"""One question on a page: its label and control on a line, its help or its problem below.

A row paints its texts itself. With a widget for each text, a page took twice as long to mount and to paint.
"""

from __future__ import annotations

import re
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from pgwizard.answers.questions import Question
from pgwizard.answers.schema import QuestionPath
from pgwizard.tui.pages.choice import Choice

LABEL_COLUMNS = 22
INDENT = "  "
"""Before the line below."""


def widget_id(path: QuestionPath) -> str:
    """The id of a question's control; the path in the file is the same with dots."""
    return "q-" + "-".join(path)


def in_words(text: str, *, nothing: str) -> str:
    """A help text about the file, in the words of a page. nothing: the word for null there. What is quoted stays."""
    words = {"null": nothing, "true": "yes", "false": "no"}
    return re.sub(r"(?<!\")\b(null|true|false)\b", lambda match: words[match[0]], text)


class QuestionRow(Widget):
    """A question of a page. It decides nothing: its problem comes from the draft."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"question--help"}
    DEFAULT_CSS = f"""
    QuestionRow {{ height: auto; layout: vertical; }}
    QuestionRow > .question--help {{ color: $text-muted; }}
    QuestionRow.wrong > .question--help {{ color: $text-error; text-style: bold; }}
    QuestionRow.warned > .question--help {{ color: $text-warning; }}
    QuestionRow > Input, QuestionRow > Choice {{ width: 1fr; margin: 0 0 0 {LABEL_COLUMNS}; }}
    """

    class Entered(Message):
        """This question has the focus now."""

        def __init__(self, row: QuestionRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, path: QuestionPath, question: Question, control: Widget, default: str = "") -> None:
        super().__init__()
        self.path = path
        self.question = question
        self.control = control
        self._default = default
        self._help = in_words(question.help, nothing="none" if isinstance(control, Choice) else "empty")
        self._problem = self._warning = ""
        self._label = Content(question.label).wrap(LABEL_COLUMNS - 1)

    def compose(self) -> ComposeResult:
        yield self.control

    def on_mount(self) -> None:
        self.watch(self.control, "has_focus", self._show_focus, init=False)

    def _show_focus(self) -> None:
        self.refresh()

    def render(self) -> Content:
        label, below = Style(bold=True, reverse=self.control.has_focus), self.get_visual_style("question--help")
        labels = [line.stylize(label) for line in self._label]
        gap = [Content()] * (self.control.outer_size.height - len(labels))
        lines = [line.stylize(below) for line in self._lines_below(self.size.width)]
        return Content("\n").join([*labels, *gap, *lines])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        control = self.control.get_content_height(container, viewport, width - LABEL_COLUMNS)
        return max(control, len(self._label)) + len(self._lines_below(width))

    def _lines_below(self, width: int) -> list[Content]:
        problem = f"✗ {self._problem}" if self._problem else f"! {self._warning}" if self._warning else ""
        lines = Content(problem or self._help).wrap(max(width - len(INDENT), 1))
        return [line.pad_left(len(INDENT)) for line in lines]

    def show(self, problem: str, warning: str = "") -> None:
        """Show the problem, else the warning, else the help."""
        if (problem, warning) != (self._problem, self._warning):
            self._problem, self._warning = problem, warning
            self.set_class(bool(problem), "wrong")
            self.set_class(bool(warning) and not problem, "warned")
            self.refresh(layout=True)

    def on_descendant_focus(self) -> None:
        self.call_after_refresh(self.scroll_visible, animate=False)  # with the line below it
        self.post_message(self.Entered(self))

    def about(self) -> str:
        """What the row has no room for: the help that a problem replaces, the default, the key of the list."""
        more = [self._help] * bool(self._problem or self._warning)
        if self._default:
            more.append(f"default: {self._default}")
        if self.question.choices:
            more.append("F4 lists the choices")
        return " · ".join(more)
