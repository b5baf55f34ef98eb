"""The help of a screen: what it is for, and its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Static

from pgwizard.tui.widgets.dialogs import Window
from pgwizard.tui.widgets.keyline import KeyLine

EVERYWHERE = (
    ("Tab", "next question or list; Shift+Tab goes back"),
    ("Ctrl+P", "every command by its name, and the themes"),
)
MARKS = "✓ answered   ● here   ! needs a look   · to come   ✗ failed   - left out"
DOCS = "Ctrl+P, messages: every message with its cause and what to do. docs/answers.md explains every question."


class Help(Window):
    """What a screen is for, and its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1,question_mark,enter", "leave", "back", show=False)]

    def __init__(self, text: str, keys: Sequence[tuple[str, str]]) -> None:
        """keys: each with what it does."""
        super().__init__()
        table = Table.grid(padding=(0, 2))
        table.add_column(width=12, justify="right", no_wrap=True)
        table.add_column()
        for key, does in (*keys, *EVERYWHERE):
            table.add_row(Text(key, "bold"), does)
        self._text = Group(Text(f"{text.strip()}\n"), table, Text(f"\n{MARKS}\n{DOCS}"))

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Help", classes="title")
            with VerticalScroll():
                yield Static(self._text, markup=False)
        yield KeyLine()


def keys_of(screen: Screen[Any]) -> list[tuple[str, str]]:
    """The keys that pgwizard binds on a screen, each with what it does; keys of editing and scrolling are left out."""
    keys, keys_before = [], set()
    for node, binding, _, _ in screen.active_bindings.values():
        if binding.description and binding.action not in keys_before and binding.action in _own_actions(type(node)):
            keys_before.add(binding.action)
            keys.append((screen.app.get_key_display(binding), binding.tooltip or binding.description))
    return keys


def _own_actions(kind: type[DOMNode]) -> set[str]:
    """The actions that pgwizard binds in a class; those of Textual, which edit a line or scroll, are left out."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("pgwizard.")]
    return {binding.action for each in ours for binding in Binding.make_bindings(each.__dict__.get("BINDINGS", ()))}
