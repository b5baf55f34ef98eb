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

from pgwizard.tui.base import Hosted
from pgwizard.tui.defects import SaysDefects
from pgwizard.wizard.draft import Draft


class Panel(Hosted, SaysDefects, Vertical):
    """Something that follows from the draft."""

    DEFAULT_CSS = """
    Panel { height: 1fr; overflow-y: auto; }
    Panel Static { height: auto; }
    Panel OptionList { height: 1fr; border: none; padding: 0; background: $background; }
    Panel OptionList:focus { background: $boost; border: none; }
    Panel OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, draft: Draft) -> None:
        super().__init__(classes="panel")
        self.draft = draft
        self.shown = Text()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(markup=False, classes="text")

    FOLLOW_SECONDS = 0.08
    """So that a panel is made once for what is typed in one go."""

    def on_mount(self) -> None:
        """Shown at once."""
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
        """Show what the draft comes to now. A panel decides nothing: its defect must not cost the answers."""
        self.draft = draft
        if not self._there:
            return
        try:
            self.show()
        except Exception as error:  # noqa: BLE001 - whatever it is, in a timer it would end the application
            self._tell(Text(f"! a defect of pgwizard itself: {type(error).__name__}"))

    @property
    def _there(self) -> bool:
        """Not before it is made, nor while it goes with its page, when a timer or another size may still ask."""
        return bool(self.query(".text"))

    def show(self) -> None:
        """Show the text, and what else there is."""
        self._tell(self.text())

    def _tell(self, text: Text) -> None:
        self.shown = text
        self.query_one(".text", Static).update(hanging(text))

    def text(self) -> Text:
        """What is shown."""
        raise NotImplementedError


def hanging(text: Text) -> Group:
    """The text with lines that go on below where they began: after their indent, or a label set off by blanks."""
    return Group(*map(_hung, text.split(allow_blank=True)))


def _hung(line: Text) -> RenderableType:
    begin = re.match(r" *(?:[^ ]+(?: [^ ]+)* {3,})?", line.plain)
    width = begin.end() if begin else 0
    if not width:
        return line
    table = Table.grid()
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(line[:width], line[width:])
    return table
