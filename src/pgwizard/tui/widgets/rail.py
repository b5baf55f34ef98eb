"""The pages of the wizard in a column, each with its mark."""

from __future__ import annotations

from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widgets import Static


class Rail(Static):
    """``✓`` answered, ``●`` here, ``!`` needs a look, ``·`` to come."""

    class Chosen(Message):
        """A page was clicked."""

        def __init__(self, page: str) -> None:
            super().__init__()
            self.page = page

    def __init__(self) -> None:
        super().__init__(id="rail", markup=False)
        self.entries: list[tuple[str, str]] = []

    def show(self, entries: list[tuple[str, str]]) -> None:
        """(mark, page) from the top."""
        if entries == self.entries:
            return
        self.entries = entries
        text = Text()
        for mark, page in entries:
            text.append(f"{mark} {page}\n", "bold" if mark == "●" else "")
        self.update(text, layout=False)  # it is as high as the screen, whatever it shows

    def on_click(self, event: Click) -> None:
        line = event.y - self.gutter.top
        if 0 <= line < len(self.entries):
            self.post_message(self.Chosen(self.entries[line][1]))
