"""Parts of a screen: text that is painted only when it changes, and panes with a title that marks the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.widgets import Static


class Pane:
    """A framed part, before its own base. In focus, ``▸`` marks its title: colour alone may not be visible.

    Its screen styles the class ``pane``: Textual takes styles from one base only.
    """

    DEFAULT_CLASSES = "pane"
    border_title: Any
    _title = ""
    _is_marked = False

    def entitle(self, title: str) -> None:
        """Textual paints a frame again even for the title that it has."""
        if title != self._title:
            self._title = title
            self._show_title()

    def on_focus(self) -> None:
        self._is_marked = True
        self._show_title()

    def on_blur(self) -> None:
        self._is_marked = False
        self._show_title()

    def _show_title(self) -> None:
        self.border_title = Text(f"▸ {self._title}" if self._is_marked else self._title)


_DIGITS = str.maketrans("123456789", "000000000")


class TextPart(Static):
    """Text that is painted only when it changes."""

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, markup=False)
        self.text = ""
        """What it says, without styles."""

    def show(self, text: str, renderable: RenderableType | None = None) -> None:
        """renderable: the same with styles, or in columns."""
        if text != self.text:
            # Ages change every second: where nothing but digits differs, the whole screen need not be laid out again.
            has_other_size = text.translate(_DIGITS) != self.text.translate(_DIGITS)
            self.text = text
            self.update(Text(text) if renderable is None else renderable, layout=has_other_size)


class TextPane(Pane, TextPart):
    """Text in a frame."""


def grid(rows: Sequence[tuple[Text, ...]], gap: int = 2) -> Table:
    """Cells side by side with a gap of so many columns; only the last column wraps."""
    table = Table.grid(padding=(0, gap, 0, 0))
    for number in range(len(rows[0])):
        table.add_column(no_wrap=number < len(rows[0]) - 1)
    for row in rows:
        table.add_row(*row)
    return table
