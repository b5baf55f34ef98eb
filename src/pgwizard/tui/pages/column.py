"""A column of the first page: a title, a list that a filter narrows, and a line about the list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from pgwizard.tui.base import HostAccess
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.widgets.filtered_list import FilteredList


class Column(HostAccess, ReportsDefects, Vertical):
    """See the module. The line says whether the list is loading, denied, unreachable or complete."""

    DEFAULT_CSS = """
    Column { width: 1fr; padding: 0 1 0 0; }
    Column .title { text-style: bold; }
    Column:focus-within { padding: 0 1 0 0; }
    Column:focus-within .title { text-style: bold reverse; }
    Column .note { color: $text-muted; height: auto; max-height: 16; }
    Column FilteredList { height: auto; }
    Column FilteredList OptionList { height: auto; max-height: 60vh; }
    """
    TITLE: ClassVar[str]
    LIST: ClassVar[str]
    """The id of the list."""
    FREE: ClassVar[bool] = False
    """Whether a name that is not listed may be typed."""
    WAITING = "waiting for the cluster"

    def compose(self) -> ComposeResult:
        yield Static(self.TITLE, classes="title")
        yield FilteredList(free=self.FREE, id=self.LIST)
        yield Static(self.WAITING, id=f"{self.LIST}-note", classes="note", markup=False)

    @property
    def filtered_list(self) -> FilteredList:
        return self.query_one(FilteredList)

    def note(self, text: str) -> None:
        """Show a line below the list; none where it is empty."""
        line = self.query_one(".note", Static)
        line.update(text)
        line.display = bool(text)

    def focus_filter(self) -> None:
        """Focus the filter, which has the keys of the list."""
        self.query_one("FilterInput").focus()
