"""Every message with its cause and what to do, found as one types; it opens at what a screen wants explained.

It shows the entries of ``pgwizard.diagnose.messages``, and before them findings that a screen passes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from pgwizard.diagnose import messages
from pgwizard.errors import Finding
from pgwizard.tui.widgets.dialogs import Window
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.text_line import TextLine

ENTRIES_SHOWN = 20
"""At once: who wants more types another word."""


class Messages(Window):
    """words: what to look for first; a link finds its own message alone. findings: of a release, to explain first."""

    DEFAULT_CSS = """
    Messages > Vertical { width: 100; height: 90%; }
    Messages VerticalScroll { height: 1fr; max-height: 100%; }
    """
    HELP: ClassVar[str] = (
        "Every message of pgwizard and of its logs, with its cause and its fix, as in docs/errors.md.\n"
        "Type words of a message, in any order."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "scroll up", show=False),
        Binding("down", "scroll(1)", "scroll down", show=False),
        Binding("pageup", "scroll(-10)", "page up", show=False),
        Binding("pagedown", "scroll(10)", "page down", show=False),
        Binding("enter", "leave", "back", show=False),
    ]

    def __init__(self, words: str = "", findings: Sequence[Finding] = ()) -> None:
        super().__init__()
        self._words = words
        self._findings = tuple(map(_entry_of, findings))

    def compose(self) -> ComposeResult:
        """The words to look for, how many messages have them, and those messages."""
        with Vertical():
            yield Static("Messages", classes="title", markup=False)
            yield TextLine(self._words, placeholder="type words of a message")
            yield Static(id="count", classes="hint", markup=False)
            with VerticalScroll(can_focus=False):
                yield Static(id="found", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        self._search(self._words)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._search(event.value)

    def _search(self, words: str) -> None:
        """Show the messages that hold these words."""
        every = (*self._findings, *messages.entries())
        matches = [entry for entry in every if entry.holds(words)]
        more = f", the first {ENTRIES_SHOWN} shown" if len(matches) > ENTRIES_SHOWN else ""
        self.query_one("#count", Static).update(f"{len(matches)} of {len(every)}{more}")
        self.query_one("#found", Static).update(_listing(matches[:ENTRIES_SHOWN]))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll the messages; the focus stays in the line."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _entry_of(finding: Finding) -> messages.Entry:
    return messages.Entry(finding.key, finding.text, finding.cause, finding.question, finding.fix)


def _listing(entries: Sequence[messages.Entry]) -> Group:
    return Group(*(line for entry in entries for line in _lines(entry)))


def _lines(entry: messages.Entry) -> Iterator[RenderableType]:
    yield Text(entry.text, "bold")
    for word, text in (("why", entry.cause), ("answer", entry.answer), ("fix", entry.fix)):
        if text:
            row = Table.grid(padding=(0, 1))
            row.add_column(width=6)
            row.add_column()
            row.add_row(Text(word, "dim"), Text(text))
            yield Padding(row, (0, 0, 0, 2))
    yield Text(f"  {entry.link}\n" if entry.link else "", "dim")
