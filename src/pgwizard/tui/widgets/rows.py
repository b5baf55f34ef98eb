"""A table that changes only where something changed, and of which no column is beyond its edge.

It shows the cells that it gets; it does not know what a row means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import DataTable

_LINES, _NARROWEST = 2, 10
"""Lines of a row at most, and characters of a wrapped last column at least."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """numbers: the columns that are shown; widths: of each, in cells, without its padding."""

    numbers: tuple[int, ...]
    widths: tuple[int, ...]

    def cells(self, row: Sequence[str]) -> tuple[str, ...]:
        """The cells of a row that are shown, the last one wrapped."""
        last = wrap(row[self.numbers[-1]], self.widths[-1], max_lines=_LINES, placeholder=" …") or [""]
        return (*(row[number] for number in self.numbers[:-1]), "\n".join(last))


def _layout(
    titles: Sequence[str], rows: Sequence[Sequence[str]], width: int, padding: int, spare: Sequence[int]
) -> _Layout:
    numbers = list(range(len(rows[0])))
    widths = [max(cell_len(text) for text in (titles[number], *(row[number] for row in rows))) for number in numbers]
    for number in spare:
        if sum(widths[column] + padding for column in numbers) > width and number in numbers:
            numbers.remove(number)
    rest = width - padding - sum(widths[column] + padding for column in numbers[:-1])
    last = min(widths[numbers[-1]], max(rest, _NARROWEST))
    return _Layout(tuple(numbers), (*(widths[column] for column in numbers[:-1]), last))


class Rows(DataTable[Text]):
    """A table with a cursor that stays on its row; on the first row it stays there, whatever row that is.

    spare: columns that are left out, in this order, until the rest fits; then the last column wraps.
    """

    def __init__(self, titles: Sequence[str], *, id: str, spare: Sequence[int] = ()) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._titles, self._spare = titles, spare
        self._visible_cells: dict[str, tuple[str, ...]] = {}
        self._layout = _Layout((), ())

    def show(self, rows: Mapping[str, tuple[str, ...]], empty: str = "") -> None:
        """Show rows by their keys, in this order; where there are none, show ``empty`` in their place."""
        rows = rows or {"": (empty,)}
        width = (self.size.width or 1_000) - 1  # which the scroll bar may take
        layout = _layout(self._titles, list(rows.values()), width, 2 * self.cell_padding, self._spare)
        cells = {key: layout.cells(row) for key, row in rows.items()}
        if layout == self._layout and _lines(cells) == _lines(self._visible_cells):
            self._change(cells)
        else:
            self._layout = layout
            self._rebuild(cells)
        self._visible_cells = cells

    def _change(self, rows: Mapping[str, tuple[str, ...]]) -> None:
        for key, cells in rows.items():
            for number, (text, before) in enumerate(zip(cells, self._visible_cells[key], strict=True)):
                if text != before:
                    self.update_cell(key, str(self._layout.numbers[number]), Text(text))

    def _rebuild(self, rows: Mapping[str, tuple[str, ...]]) -> None:
        here, above = self.here if self.cursor_row else "", self.scroll_offset.y
        self.clear(columns=True)
        for number, width in zip(self._layout.numbers, self._layout.widths, strict=True):
            # Without a width Textual measures the cells after the next paint, and keeps the narrow cells of that paint.
            self.add_column(self._titles[number], key=str(number), width=width)
        for key, cells in rows.items():
            self.add_row(*map(Text, cells), key=key, height=cells[-1].count("\n") + 1)
        if here in rows:
            self.move_cursor(row=list(rows).index(here), scroll=False)
            self.scroll_to(y=above, animate=False, immediate=True)

    @property
    def here(self) -> str:
        """The key of the row under the cursor; empty for none."""
        keys = list(self._visible_cells)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else ""


def _lines(rows: Mapping[str, tuple[str, ...]]) -> list[tuple[str, int]]:
    """The keys of rows, and how many lines each takes."""
    return [(key, cells[-1].count("\n")) for key, cells in rows.items()]
