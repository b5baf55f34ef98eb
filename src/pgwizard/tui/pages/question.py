"""One question on a page: its label and control on a line, its help or its problem below."""

from __future__ import annotations

import re

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Label, Static

from pgwizard.answers.questions import Question
from pgwizard.answers.schema import QuestionPath
from pgwizard.tui.pages.choice import Choice


def widget_id(path: QuestionPath) -> str:
    """The id of a question's control; the path in the file is the same with dots."""
    return "q-" + "-".join(path)


def in_words(text: str, *, nothing: str) -> str:
    """A help text about the file, in the words of a page. nothing: the word for null there. What is quoted stays."""
    words = {"null": nothing, "true": "yes", "false": "no"}
    return re.sub(r"(?<!\")\b(null|true|false)\b", lambda match: words[match[0]], text)


class QuestionRow(Vertical):
    """A question of a page. It decides nothing: its problem comes from the draft."""

    class Entered(Message):
        """This question has the focus now."""

        def __init__(self, row: QuestionRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, path: QuestionPath, question: Question, control: Widget, default: str = "") -> None:
        super().__init__(classes="row")
        self.path = path
        self.question = question
        self.control = control
        self._default = default
        self._help = in_words(question.help, nothing="none" if isinstance(control, Choice) else "empty")
        self._problem = self._warning = ""
        self._below = Static(classes="help", markup=False)

    def compose(self) -> ComposeResult:
        with Horizontal(classes="line"):
            yield Label(self.question.label, classes="label", markup=False)
            yield self.control
        yield self._below

    def on_mount(self) -> None:
        self._update()

    def show(self, problem: str, warning: str = "") -> None:
        """Show the problem, else the warning, else the help."""
        if (problem, warning) != (self._problem, self._warning):
            self._problem, self._warning = problem, warning
            self.set_class(bool(problem), "wrong")
            self.set_class(bool(warning) and not problem, "warned")
            self._update()

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

    def _update(self) -> None:
        problem = f"✗ {self._problem}" if self._problem else f"! {self._warning}" if self._warning else ""
        self._below.update(problem or self._help)
