"""A log as it comes: it follows the newest line until a reader scrolls up, and wraps again when its width changes.

Lines are passed to it, fit for a terminal; it reads nothing itself. Textual's own ``RichLog`` needs a millisecond for
each line that it wraps again: a long log stopped the application for a second at each new size of the terminal.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class Log(ScrollView, can_focus=True):
    """max_lines: how many lines are kept, the newest ones."""

    DEFAULT_CSS = "Log { padding: 0 1; background: $background; overflow-x: hidden; scrollbar-gutter: stable; }"

    def __init__(self, *, id: str, max_lines: int) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._lines: deque[tuple[str, str]] = deque()
        self._heights: deque[int] = deque()
        self._rows: list[tuple[str, str]] = []
        self._max_lines = max_lines
        self._next = 0
        self._width = 0
        self._follows = True

    @property
    def lines(self) -> list[str]:
        """The lines, unwrapped."""
        return [line for line, _ in self._lines]

    def write(self, line: str, style: str = "") -> None:
        """Add a line. style: ``bold``, ``dim`` or none. After ``restart`` a line that is there already stays."""
        if self._next < len(self._lines):
            if self._lines[self._next] == (line, style):
                self._next += 1
                return
            self._truncate()
        self._lines.append((line, style))
        self._wrap(line, style)
        self._next += 1
        if len(self._lines) > self._max_lines:
            self._drop_oldest()
        self._arrange()

    def restart(self) -> None:
        """The same log comes again from its start: what is shown stays in its place as far as it is the same."""
        self._next = 0

    def clear(self) -> None:
        """Another log is to come."""
        self._next = 0
        self._truncate()
        self._follows = True
        self._arrange()

    def _truncate(self) -> None:
        """Forget the lines from the next one on."""
        height = sum(islice(self._heights, self._next))
        while len(self._lines) > self._next:
            self._lines.pop()
            self._heights.pop()
        del self._rows[height:]

    def _drop_oldest(self) -> None:
        self._lines.popleft()
        height = self._heights.popleft()
        del self._rows[:height]
        self._next -= 1
        if not self._follows:
            self._scroll(self.scroll_offset.y - height)

    def _wrap(self, line: str, style: str) -> None:
        lines = wrap(line, self._width) if self._width else [line]
        self._rows += [(text, style) for text in lines]
        self._heights.append(len(lines))

    def _arrange(self) -> None:
        follows = self._follows
        self.virtual_size = Size(0, len(self._rows))
        self._follows = follows
        if follows:
            self._scroll(self.max_scroll_y)
        self.refresh()

    def _scroll(self, y: int) -> None:
        follows = self._follows
        self.scroll_to(y=y, animate=False, force=True)  # Textual shows its scroll bar only later
        self.vertical_scrollbar.position = self.scroll_y
        self._follows = follows

    def on_resize(self) -> None:
        """The line at the top stays there while the log is read; one that is followed stays at its end."""
        width = self.scrollable_content_region.width
        if width not in (0, self._width):
            top = self._line_at(self.scroll_offset.y)
            self._width = width
            self._rows.clear()
            self._heights.clear()
            for line, style in self._lines:
                self._wrap(line, style)
            self._arrange()
            if not self._follows:
                self._scroll(sum(islice(self._heights, top)))
        elif self._follows:
            self._scroll(self.max_scroll_y)

    def _line_at(self, row: int) -> int:
        """Which line a row belongs to."""
        end = 0
        for number, height in enumerate(self._heights):
            end += height
            if row < end:
                return number
        return 0

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Who scrolls up wants to read; who comes back to the end wants what is new."""
        super().watch_scroll_y(old_value, new_value)
        if new_value != old_value:
            self._follows = new_value >= self.max_scroll_y or (self._follows and new_value > old_value)

    def render_line(self, y: int) -> Strip:
        row, width, ground = self.scroll_offset.y + y, self.scrollable_content_region.width, self.rich_style
        if row >= len(self._rows):
            return Strip.blank(width, ground)
        text, style = self._rows[row]
        look = ground + Style.parse(style) if style else ground
        return Strip([Segment(text, look)], cell_len(text)).adjust_cell_length(width, ground)


def wrap(line: str, width: int) -> list[str]:
    """A line in rows of at most ``width`` cells, between words where there is one that fits."""
    rows: list[str] = []
    width = max(width, 2)  # a character may take two
    while cell_len(line) > width:
        head = chop_cells(line, width)[0]
        space = head.rfind(" ") if line[len(head)] != " " else len(head)
        if head[:space].strip() and space > 0:
            head = line[:space]
        rows.append(head.rstrip())
        line = line[len(head) :].lstrip()
    return [*rows, line] if line or not rows else rows
