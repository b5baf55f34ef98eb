"""One of a few words, chosen on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from pgwizard.answers.schema import NOTHING, SOME

_LABELS = {NOTHING: "none", SOME: "a Secret", "existing": "existing Secret"}
"""Tags that people read better in other words."""
_GAP = 3


def _width(option: str) -> int:
    return len(f"(•) {_LABELS.get(option, option)}") + _GAP


class Choice(Widget, can_focus=True):
    """``( ) web  (•) mixed``: Left and Right choose, and a click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "choose", show=False),
        Binding("right,space", "move(1)", "choose", show=False),
        Binding("enter", "submit", "next question", show=False),
    ]
    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another word is chosen."""

        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

        @property
        def control(self) -> Choice:
            return self.choice

    class Submitted(Message):
        """Enter: the next question is wanted."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, options: Sequence[str], value: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self.options = tuple(options)
        self.set_reactive(Choice.value, value)

    def render(self) -> RenderResult:
        text = Text(overflow="ellipsis", no_wrap=True)
        for number, line in enumerate(self._lines(self.size.width)):
            text.append("\n" if number else "")
            for option in line:
                mark = "(•)" if option == self.value else "( )"
                text.append(f"{mark} {_LABELS.get(option, option)}   ", "bold" if option == self.value else "")
        return text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return len(self._lines(width))

    def _lines(self, width: int) -> list[list[str]]:
        """The words in lines, a mark never apart from its word."""
        lines, cells_before = [list[str]()], 0
        for option in self.options:
            cells = _width(option)
            if lines[-1] and cells_before + cells - _GAP > width:
                lines.append([])
                cells_before = 0
            lines[-1].append(option)
            cells_before += cells
        return lines

    def action_move(self, step: int) -> None:
        """Choose the word beside; after the last one comes the first."""
        here = self.options.index(self.value) if self.value in self.options else 0
        self._choose(self.options[(here + step) % len(self.options)])

    def action_submit(self) -> None:
        self.post_message(self.Submitted(self))

    def on_click(self, event: Click) -> None:
        lines, start = self._lines(self.size.width), 0
        for option in lines[event.y] if event.y < len(lines) else ():
            if start <= event.x < start + _width(option):
                self._choose(option)
                return
            start += _width(option)

    def _choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self, value))
