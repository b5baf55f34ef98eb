"""A log as it comes: it follows the newest line until somebody scrolls up, and is broken anew where its width changes.

It refuses to read: lines are handed to it, fit to be shown.
"""

from __future__ import annotations

from collections import deque

from rich.text import Text
from textual.events import Resize
from textual.widgets import RichLog


class Log(RichLog):
    """kept: how many lines, at most."""

    DEFAULT_CSS = "Log { padding: 0 1; background: $background; scrollbar-size-horizontal: 0; }"

    def __init__(self, *, id: str, kept: int) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, markup=False, wrap=True, min_width=1, max_lines=kept)
        self._heard: deque[Text] = deque(maxlen=kept)
        self._broken_at = 0
        self._follows = True

    def hear(self, line: Text) -> None:
        """One more line."""
        self._heard.append(line)
        self._break(line)

    def forget(self) -> None:
        """Begin anew."""
        self._heard.clear()
        self.clear()
        self._follows = True

    def _break(self, line: Text) -> None:
        self.write(line, expand=True, scroll_end=self._follows)  # without expand: at 80 columns where no terminal is

    def on_resize(self, event: Resize) -> None:
        """Textual breaks a line once, when it is written."""
        width, before = event.size.width, self._broken_at
        self._broken_at = width or before
        if width and before not in (0, width):
            follows = self._follows
            self.clear()
            self._follows = follows
            for line in self._heard:
                self._break(line)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Who scrolls up wants to read; who comes back to the end wants what is new."""
        super().watch_scroll_y(old_value, new_value)
        if new_value != old_value:
            self._follows = new_value >= self.max_scroll_y or (self._follows and new_value > old_value)
