"""What all panels have in common."""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Static

from pgwizard.errors import describe_defect
from pgwizard.tui.base import HostAccess
from pgwizard.tui.defects import ReportsDefects
from pgwizard.wizard.draft import Draft


class Panel(HostAccess, ReportsDefects, Vertical):
    """Shows what follows from a draft."""

    DEFAULT_CSS = """
    Panel { height: 1fr; overflow-y: auto; }
    Panel Static { height: auto; }
    Panel OptionList { height: 1fr; border: none; padding: 0; background: $background; }
    Panel OptionList:focus { background: $boost; border: none; }
    Panel OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    FOLLOW_SECONDS = 0.08
    """Between an answer and the panel, which is made once for what is typed in one go."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(classes="panel")
        self.draft = draft
        self.shown_text = Text()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(markup=False, classes="text")

    def on_mount(self) -> None:
        self.refresh_from(self.draft)

    def follow(self, draft: Draft) -> None:
        """Show what the draft comes to, in a moment."""
        self.draft = draft
        if self._timer is None:
            self._timer = self.set_timer(self.FOLLOW_SECONDS, self._catch_up)

    def _catch_up(self) -> None:
        self._timer = None
        self.refresh_from(self.draft)

    def refresh_from(self, draft: Draft) -> None:
        """Show what the draft comes to now. A defect of a panel must not cost the answers: it is shown in its place."""
        self.draft = draft
        if not self.is_composed:
            return
        try:
            self.show()
        except Exception as error:  # noqa: BLE001 - whatever it is, in a timer it would end the application
            self._update(Text(f"! {describe_defect(error)}"))

    @property
    def is_composed(self) -> bool:
        """False before its parts are mounted, and after they are removed with the page: timers may still come."""
        return bool(self.query(".text"))

    def show(self) -> None:
        """Show the text, and what else there is."""
        self._update(self.text())

    def _update(self, text: Text) -> None:
        self.shown_text = text
        self.query_one(".text", Static).update(hanging(text))

    def text(self) -> Text:
        """What is shown."""
        raise NotImplementedError


def hanging(text: Text) -> Group:
    """The text with wrapped lines below where they began: after their indent, or a label set off by blanks."""
    return Group(*map(_hang, text.split(allow_blank=True)))


def _hang(line: Text) -> RenderableType:
    begin = re.match(r" *(?:[^ ]+(?: [^ ]+)* {3,})?", line.plain)
    width = begin.end() if begin else 0
    if not width:
        return line
    table = Table.grid()
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(line[:width], line[width:])
    return table
