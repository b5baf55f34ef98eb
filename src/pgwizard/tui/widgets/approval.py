"""The approval of an apply: what changes and what that costs, and a yes, for which losses want the name typed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from pgwizard.release.changes import Change, cost, count_text
from pgwizard.text import visible
from pgwizard.tui.widgets.change_folds import change_folds
from pgwizard.tui.widgets.folds import Folds
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.text_line import TextLine

ASKS = "Press y to apply. Enter shows a change. Nothing has been written yet."


class Approval(Vertical):
    """name: of the release, which is typed where objects are deleted."""

    DEFAULT_CSS = """
    Approval { height: 1fr; }
    Approval #costs { height: auto; max-height: 7; overflow-y: auto; display: none; padding: 0 1;
        color: $text-warning; }
    Approval Folds { border-top: solid $panel-lighten-3; border-title-color: $text-muted; }
    Approval TextLine { display: none; padding: 0 1; background: $boost; }
    """

    class Prompted(Message):
        """What to do now. text: for people."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, name: str) -> None:
        super().__init__(id="approval")
        self._release = name
        self._delete_count = 0
        self._answer: asyncio.Future[bool] | None = None

    def compose(self) -> ComposeResult:
        """Costs, changes, and the line for the name."""
        yield TextPart("costs")
        yield Folds(id="changes")
        yield TextLine(id="typed", placeholder=self._release)

    def restart(self) -> None:
        """No changes are known yet."""
        self._answer = None
        self._show((), [])
        self.query_one(Folds).border_title = "changes"
        self.query_one(Folds).focus()

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is waited for."""
        return self._answer is not None and not self._answer.done()

    async def ask(self, changes: Sequence[Change]) -> bool:
        """Show the changes, and what they mean; returns once they are approved."""
        costs = [f"! {change.ref}: {loss}" for change in changes if (loss := cost(change))]
        self._show(changes, costs)
        self.query_one(Folds).border_title = Text(f"changes: {count_text(changes)}")
        self._delete_count = sum(change.action == "delete" for change in changes)
        self._answer = asyncio.get_running_loop().create_future()
        self.post_message(self.Prompted(ASKS))
        return await self._answer

    def _show(self, changes: Sequence[Change], costs: Sequence[str]) -> None:
        self.query_one(Folds).show(change_folds(changes))
        costs_line = self.query_one("#costs", TextPart)
        costs_line.show("\n".join(map(visible, costs)))
        costs_line.display = bool(costs)
        self.query_one(Input).display = False

    def approve(self) -> None:
        """Yes; where objects are deleted, once the name is typed."""
        if not self._delete_count:
            self._confirm()
            return
        name_input = self.query_one(Input)
        name_input.value, name_input.display = "", True
        name_input.focus()
        objects = "1 object" if self._delete_count == 1 else f"{self._delete_count} objects"
        self.post_message(
            self.Prompted(f"To delete {objects}, type the release's name, {self._release}, and press Enter.")
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The name, or something else."""
        event.stop()
        if event.value.strip() == self._release:
            self._confirm()
        else:
            self.notify(f"Not the release's name, {self._release}: nothing was applied", markup=False)

    def take_back(self) -> bool:
        """Leave the line for the name; False where it is not open."""
        name_input = self.query_one(Input)
        if not name_input.display:
            return False
        name_input.display = False
        self.query_one(Folds).focus()
        self.post_message(self.Prompted(ASKS))
        return True

    def _confirm(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(True)
