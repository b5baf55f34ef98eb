"""Many lines, by object: what ``Review`` shows of manifests and changes, and ``Apply`` of changes.

It does not know what the lines mean; text of others is spelt out where it is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from pgwizard.text import plain, visible


@dataclass(frozen=True, slots=True)
class Fold:
    """One object: a title, and the lines that are seen when it is unfolded. diff: whether the lines are one."""

    title: str
    lines: tuple[str, ...] = ()
    diff: bool = False


_KEY = re.compile(r"(\s*(?:- )*)((?:\"[^\"]+\"|[\w./-]+):)(?=\s|$)")
_TITLE = -1


class Folds(ScrollView, can_focus=True):
    """Objects that fold, with a cursor, a search and colours. Only the lines on the screen are ever looked at twice."""

    DEFAULT_CSS = """
    Folds { height: 1fr; scrollbar-size-horizontal: 0; }
    Folds > .folds--title { text-style: bold; }
    Folds > .folds--cursor { background: $panel; }
    Folds:focus > .folds--cursor { background: $primary-muted; }
    Folds > .folds--key { color: $text-primary; }
    Folds > .folds--remark { text-style: dim; }
    Folds > .folds--added { color: $text-success; }
    Folds > .folds--removed { color: $text-error; }
    Folds > .folds--found { text-style: bold underline; background: $warning-muted; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "folds--title",
        "folds--cursor",
        "folds--key",
        "folds--remark",
        "folds--added",
        "folds--removed",
        "folds--found",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "turn", "fold", show=False),
        Binding("space", "turn", "fold", show=False),
        Binding("a", "turn_all", "fold all", show=False),
        Binding("up", "move(-1)", "previous line", show=False),
        Binding("down", "move(1)", "next line", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(-1)", "first", show=False),
        Binding("end", "edge(1)", "last", show=False),
        Binding("left", "fold", "fold", show=False),
        Binding("right", "unfold", "unfold", show=False),
        Binding("shift+left", "slide(-8)", "left", show=False),
        Binding("shift+right", "slide(8)", "right", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.folds: tuple[Fold, ...] = ()
        self.open: set[int] = set()
        self.cursor = 0
        self._rows: list[tuple[int, int]] = []
        self._width = 0
        self._sought = ""

    def show(self, folds: Iterable[Fold]) -> None:
        """Other objects, all folded, the first under the cursor."""
        self.folds = tuple(folds)
        self.open.clear()
        self.cursor, self._sought = 0, ""
        self._width = max((len(line) for fold in self.folds for line in (*fold.lines, fold.title)), default=0) + 6
        self._arrange()
        self.scroll_home(animate=False)

    @property
    def current(self) -> Fold | None:
        """The object under the cursor."""
        return self.folds[self._rows[self.cursor][0]] if self._rows else None

    def find(self, text: str) -> str:
        """Look for a text from the cursor on, upper and lower case alike; says where it is among all its places."""
        self._sought = text.casefold()
        return self.step(0)

    def step(self, by: int) -> str:
        """The next place (1), the one before (-1), or the nearest from here on (0); unfolds what it is in."""
        places = self._places()
        if not places:
            self.refresh()
            return f"'{plain(self._sought, 40)}' was not found" if self._sought else "/ searches"
        here = self._rows[self.cursor]
        if by >= 0:
            after = (number for number, place in enumerate(places) if place > here or (by == 0 and place == here))
            number = next(after, 0)
        else:
            number = next((number for number in reversed(range(len(places))) if places[number] < here), -1)
        self._go(places[number])
        return f"'{plain(self._sought, 40)}': {number % len(places) + 1} of {len(places)}"

    # ---- keys

    def action_move(self, step: int) -> None:
        """The line above or below."""
        self._put(self.cursor + step)

    def action_page(self, step: int) -> None:
        """A screen up or down."""
        self._put(self.cursor + step * max(1, self.size.height - 1))

    def action_edge(self, side: int) -> None:
        """The first or the last line."""
        self._put(0 if side < 0 else len(self._rows))

    def action_slide(self, columns: int) -> None:
        self.scroll_relative(x=columns, animate=False)

    def action_turn(self) -> None:
        """Fold or unfold the object under the cursor."""
        if self._rows:
            self._open(self._rows[self.cursor][0] not in self.open)

    def action_fold(self) -> None:
        """Fold the object under the cursor."""
        self._open(False)

    def action_unfold(self) -> None:
        """Unfold the object under the cursor."""
        self._open(True)

    def action_turn_all(self) -> None:
        """Unfold all; fold all where all are unfolded."""
        whole = {number for number, fold in enumerate(self.folds) if fold.lines}
        here = self._rows[self.cursor][0] if self._rows else 0
        self.open = set() if self.open >= whole else whole
        self._arrange()
        self._go((here, _TITLE))

    def on_click(self, event: Click) -> None:
        """A click on a title folds it; on any line it moves the cursor."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y + self.scroll_offset.y >= len(self._rows):
            return
        self._put(offset.y + self.scroll_offset.y)
        if self._rows[self.cursor][1] == _TITLE:
            self.action_turn()

    # ---- lines

    def render_line(self, y: int) -> Strip:
        first_column, top = self.scroll_offset
        width, row = self.size.width, top + y
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        here = row == self.cursor
        ground = self.rich_style + self._style("cursor") if here else self.rich_style
        text = Text("› " if here else "  ").append_text(self._text(*self._rows[row]))
        strip = Strip(text.render(self.app.console)).apply_style(ground)
        visible_width = self.scrollable_content_region.width  # less than the width where there is a scroll bar
        if strip.cell_length > first_column + visible_width:
            strip = Strip([*strip.crop(0, first_column + visible_width - 1), Segment("…", ground)])
        return strip.crop_extend(first_column, first_column + width, ground)

    def _text(self, number: int, line: int) -> Text:
        fold = self.folds[number]
        if line == _TITLE:
            sign = " " if not fold.lines else "▾" if number in self.open else "▸"
            size = f"   {len(fold.lines)} lines" if fold.lines and number not in self.open else ""
            text = Text(f"{sign} ").append(visible(fold.title), self._style("title"))
            text.append(size, self._style("remark"))
        else:
            text = Text("    ").append_text(self._line(visible(fold.lines[line]), diff=fold.diff))
        if self._sought:
            text.highlight_regex(f"(?i){re.escape(self._sought)}", self._style("found"))
        return text

    def _line(self, line: str, *, diff: bool) -> Text:
        if diff:
            name = {"+": "added", "-": "removed", "@": "remark"}.get(line[:1], "")
            return Text(line, self._style(name) if name else "")
        if line.lstrip().startswith("#"):
            return Text(line, self._style("remark"))
        text, key = Text(line), _KEY.match(line)
        if key:
            text.stylize(self._style("key"), key.start(2), key.end(2))
        return text

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"folds--{name}", partial=True)

    # ---- places

    def _places(self) -> list[tuple[int, int]]:
        if not self._sought:
            return []
        return [
            (number, line)
            for number, fold in enumerate(self.folds)
            for line, text in enumerate((fold.title, *fold.lines), start=_TITLE)
            if self._sought in text.casefold()
        ]

    def _arrange(self) -> None:
        self._rows = [
            (number, line)
            for number, fold in enumerate(self.folds)
            for line in range(_TITLE, len(fold.lines) if number in self.open else 0)
        ]
        self.virtual_size = Size(self._width, len(self._rows))
        self.cursor = min(self.cursor, max(0, len(self._rows) - 1))
        self.refresh()

    def _open(self, is_open: bool) -> None:
        if not self._rows:
            return
        number = self._rows[self.cursor][0]
        if is_open and self.folds[number].lines:
            self.open.add(number)
        else:
            self.open.discard(number)
        self._arrange()
        self._go((number, _TITLE))

    def _go(self, place: tuple[int, int]) -> None:
        if place[1] != _TITLE and place[0] not in self.open:
            self.open.add(place[0])
            self._arrange()
        if place in self._rows:
            self._put(self._rows.index(place))

    def _put(self, row: int) -> None:
        self.cursor = min(max(0, row), max(0, len(self._rows) - 1))
        region = Region(self.scroll_offset.x, self.cursor, 1, 1)
        self.scroll_to_region(region, animate=False, force=True, x_axis=False)
        self.refresh()
