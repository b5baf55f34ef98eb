"""The list of candidates, which stays quick at ten thousand of them: only lines in view are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from pgwizard.text import plain
from pgwizard.tui.widgets.candidate_text import days_text, verdict
from pgwizard.wizard.candidates import Candidate, Search

if TYPE_CHECKING:
    from datetime import datetime

WIDE = 100
"""Columns from which the subject has one of its own."""
FAINT = Style(dim=True)


class SecretList(ScrollView, can_focus=False):
    """The rows, one line each, of which only those in view are drawn. The filter has the keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"secret-list--cursor", "secret-list--good", "secret-list--bad"}
    DEFAULT_CSS = """
    SecretList { height: 1fr; overflow-x: hidden; overflow-y: scroll; }
    SecretList > .secret-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground;
        text-style: bold; }
    SecretList > .secret-list--good { color: $text-success; text-style: bold; }
    SecretList > .secret-list--bad { color: $text-warning; }
    """

    class Moved(Message):
        """Another row is under the cursor, or other rows are in view: by a key, by the mouse, or by a new size."""

    def __init__(self, search: Search, current: tuple[str, str]) -> None:
        super().__init__(id="secrets")
        self.heads = Static(id="heads", markup=False)
        """The titles of the columns, for the line above."""
        self.search = search
        self.current = current
        self.rows: Sequence[Candidate] = ()
        self.cursor = 0
        self.has_moved = False
        self.today: datetime | None = None
        self._ground, self._columns, self._width = Style.null(), (0, 0, 0, 0, 0), 0

    @property
    def row(self) -> Candidate | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def in_view(self) -> Sequence[Candidate]:
        """The rows that are seen."""
        top = round(self.scroll_offset.y)
        return self.rows[top : top + max(1, self.size.height)]

    def show(self, rows: Sequence[Candidate], cursor: int) -> None:
        self.rows = rows
        self.cursor = max(0, min(cursor, len(rows) - 1))
        self.set_reactive(SecretList.virtual_size, Size(0, len(rows)))  # to assign it would lay out the whole screen
        self.vertical_scrollbar.window_virtual_size = len(rows)
        self.vertical_scrollbar.window_size = self.container_size.height
        self.scroll_y = self.validate_scroll_y(self.scroll_y)
        with self.prevent(self.Moved):
            self._follow()
        self.refresh()

    def _follow(self) -> None:
        top, height = round(self.scroll_offset.y), max(1, self.size.height)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def _go(self, cursor: int) -> None:
        self.has_moved = True
        before, self.cursor = self.cursor, max(0, min(cursor, len(self.rows) - 1))
        if before != self.cursor:
            with self.prevent(self.Moved):
                self._follow()
            top, width = round(self.scroll_offset.y), self.size.width
            self.refresh(*(Region(0, line - top, width, 1) for line in (before, self.cursor)))
        self.post_message(self.Moved())

    def move(self, step: int) -> None:
        """So many rows up or down."""
        self._go(self.cursor + step)

    def page(self, step: int) -> None:
        """As many rows as are seen."""
        self._go(self.cursor + step * max(1, self.size.height - 1))

    def end(self, *, last: bool) -> None:
        """The first or the last row."""
        self._go(len(self.rows) - 1 if last else 0)

    async def on_click(self, event: Click) -> None:
        """A click moves here, a second one chooses."""
        number = round(self.scroll_offset.y) + event.y
        if number < len(self.rows):
            self._go(number)
            if event.chain > 1:
                await self.run_action("screen.choose")

    def on_resize(self) -> None:
        """The cursor stays in sight, and the titles above their columns."""
        self.heads.update(Text(self._heads()), layout=False)
        with self.prevent(self.Moved):
            self._follow()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Other rows are in view."""
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self.post_message(self.Moved())

    def _heads(self) -> str:
        titles = {"ca": ("kind", "subject", "ends", "would it verify?")}
        names = titles.get(self.search.purpose, ("kind", "keys", "", "what speaks for it"))
        return "".join(
            fit_cell(name, width) for name, width in zip(("  namespace/secret", *names), self._widths(), strict=True)
        )

    def _widths(self) -> tuple[int, int, int, int, int]:
        """Columns: place, kind, subject or keys, end, verdict."""
        width = max(40, self.scrollable_content_region.width)
        if width < WIDE - 2:  # subject and end are below the list
            kind = 15 if self.search.purpose == "ca" else 0  # of a key pair the verdict says as much
            place = min(40, (width - kind) * 11 // 20)
            return place, kind, 0, 0, width - kind - place
        ends, kind = 11 if self.search.purpose == "ca" else 0, 18
        rest = width - kind - ends
        place, subject = min(60, rest * 36 // 100), min(60, rest * 26 // 100)
        return place, kind, subject, ends, rest - place - subject

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines in view. Textual's own way looks up style, border and padding for each one: most of a paint.

        So there is none of these: no border, padding or opacity would be drawn.
        """
        self._ground, self._columns = self.rich_style, self._widths()
        self._width = self.scrollable_content_region.width
        filters, (_, background) = self.get_line_filters(), self.background_colors
        strips = [self.render_line(y).crop_extend(crop.x, crop.right, self._ground) for y in crop.line_range]
        for line_filter in filters:
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """One row, or a blank line."""
        number = round(self.scroll_offset.y) + y
        width, plain_style = self._width, self._ground
        if not 0 <= number < len(self.rows):
            return Strip.blank(width, plain_style)
        row = self.rows[number]
        cells = [
            fit_cell(text, size)
            for text, size in zip(self._cells(row, here=number == self.cursor), self._columns, strict=True)
        ]
        if number == self.cursor:
            style = self.get_component_rich_style("secret-list--cursor")
            return Strip([Segment("".join(cells), style)]).adjust_cell_length(width, style)
        tone = "good" if row.ok else "bad" if row.ok is False else None
        tone_style = self.get_component_rich_style(f"secret-list--{tone}", partial=True) if tone else FAINT
        body = plain_style if row.keys else plain_style + FAINT
        segments = [Segment("".join(cells[:4]), body), Segment(cells[4], plain_style + tone_style)]
        return Strip(segments).adjust_cell_length(width, plain_style)

    def _cells(self, row: Candidate, *, here: bool) -> tuple[str, str, str, str, str]:
        mark = "▸" if here else "•" if (row.namespace, row.secret) == self.current else " "
        first = row.first
        if self.search.purpose != "ca":
            place = row.place
            what = ", ".join(row.keys or row.others)
        else:
            place = row.place if row.keys in {(), ("tls.crt",)} else f"{row.place} · {row.keys[0]}"
            what = first.subject if first else ", ".join(row.others)
        ends = days_text(first.days_left(self.today)) if first and self.today else ""
        count = len(row.bundle.certificates) if row.bundle else 1
        kind = f"{row.kind} ({count})" if count > 1 else str(row.kind)
        if kind == "not a certificate" and self._widths()[1] < len(kind):
            kind = "no certificate"
        return f"{mark} {plain(place, 200)}", kind, plain(what, 120), ends, verdict(row)


def fit_cell(text: str, size: int) -> str:
    """Exactly so many cells, the last one blank; what is cut off says so. Nothing for a column of no size."""
    if not size:
        return ""
    return f"{set_cell_size(text, size - 2)}… " if cell_len(text) >= size else set_cell_size(text, size)
