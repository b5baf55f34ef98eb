"""Tables of the status: they change only where something changed, and nothing of them is beyond their edge.

They show what they are given. They refuse to know what a row means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

_LINES, _NARROWEST = 2, 10
"""Lines of a row at most, and characters of what goes on in the second one at least."""


class Rows(DataTable[Text]):
    """A table that changes only where something changed, and keeps its cursor; on its first row it stays there.

    Nothing of it is beyond its edge. spare: columns that are left out, in this order, until the rest fits; then the
    last column goes on in a second line.
    """

    def __init__(self, titles: Sequence[str], *, id: str, spare: Sequence[int] = ()) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._shown: dict[str, tuple[str, ...]] = {}
        self._titles, self._spare = titles, spare
        self._columns: tuple[int, ...] = ()
        self._last_width = 0

    def show(self, rows: Mapping[str, tuple[str, ...]], empty: str = "") -> None:
        """Show these, by key, in this order; or where there are none, what is said instead."""
        rows = rows or {"": (empty,)}
        fitting = self._fitting(list(rows.values()))
        if rows == self._shown and fitting == (self._columns, self._last_width):
            return
        last = fitting[0][-1]
        if (
            fitting == (self._columns, self._last_width)
            and list(rows) == list(self._shown)
            and all(cells[last] == self._shown[key][last] for key, cells in rows.items())
        ):
            for key, cells in rows.items():
                for number in self._columns:
                    if cells[number] != self._shown[key][number]:
                        self.update_cell(key, str(number), Text(cells[number]), update_width=True)
        else:
            here, first = self.here, self.cursor_row == 0
            self._columns, self._last_width = fitting
            self.clear(columns=True)
            for number in self._columns:
                self.add_column(self._titles[number], key=str(number))
            for key, cells in rows.items():
                lines = wrap(cells[last], self._last_width, max_lines=_LINES, placeholder=" …") or [""]
                shown = [*(cells[number] for number in self._columns[:-1]), "\n".join(lines)]
                self.add_row(*map(Text, shown), key=key, height=len(lines))
            if not first and here in rows:
                self.move_cursor(row=list(rows).index(here))
        self._shown = dict(rows)

    def _fitting(self, rows: Sequence[tuple[str, ...]]) -> tuple[tuple[int, ...], int]:
        """The columns that fit, and how wide the last one may be."""
        edge = 2 * self.cell_padding
        width = (self.size.width or 1_000) - 1  # which the scroll bar may take
        columns = list(range(len(rows[0])))
        needed = {
            number: edge + max(cell_len(text) for text in (self._titles[number], *(cells[number] for cells in rows)))
            for number in columns
        }
        for number in self._spare:
            if sum(needed[kept] for kept in columns) > width and number in columns:
                columns.remove(number)
        rest = width - edge - sum(needed[kept] for kept in columns[:-1])
        return tuple(columns), max(min(rest, needed[columns[-1]] - edge), _NARROWEST)

    @property
    def here(self) -> str:
        """The key of the row under the cursor; empty for none."""
        keys = list(self._shown)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else ""


class Jobs(Rows):
    """Backup Jobs, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "details", tooltip="why a Job failed, and what to do")
    ]
