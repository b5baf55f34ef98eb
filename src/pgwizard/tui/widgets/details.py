"""A window with text to read, to copy, and to have explained."""

from __future__ import annotations

from io import StringIO
from typing import ClassVar

from rich.console import Console, Group
from rich.text import Text
from textual.binding import Binding, BindingType

from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.navigation import OpenMessages
from pgwizard.tui.widgets.dialogs import TextWindow

_WIDTH = 500
"""Columns of the copy: no line of it wraps."""


class Details(Copies, TextWindow):
    """link: the message that explains the text; empty for none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "explain", "explain", tooltip="show the message with its cause and fix"),
        COPY,
        WRITE,
    ]

    def __init__(self, title: str, text: Text | Group, link: str = "") -> None:
        super().__init__(title, text)
        self._link = link

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Only what is known can be explained."""
        return action != "explain" or bool(self._link)

    def action_explain(self) -> None:
        """Show the message that fits."""
        self.open_screen(OpenMessages(self._link))

    def excerpt(self) -> Excerpt:
        """The text as plain lines."""
        console = Console(file=StringIO(), width=_WIDTH, color_system=None)
        with console.capture() as plain:
            console.print(self.text)
        text = "\n".join(line.rstrip() for line in plain.get().splitlines()) + "\n"
        return Excerpt("the details", text, "details.txt")
