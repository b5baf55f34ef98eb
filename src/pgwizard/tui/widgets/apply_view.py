"""What is seen of an apply: its stages, the approval or the log, how it ended, and what can be done now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Vertical

from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.text import visible
from pgwizard.tui.base import HostAccess
from pgwizard.tui.widgets.approval import Approval
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.outcomes import OutcomeBox, OutcomeRow
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.stages import Stages

LOG_LINES_KEPT = 5_000


class ApplyView(HostAccess, Vertical):
    """stages: those that are expected; name: of the release."""

    DEFAULT_CSS = """
    ApplyView { height: 1fr; }
    ApplyView Log { border-top: solid $panel-lighten-3; border-title-color: $text-muted; height: 1fr; min-height: 2; }
    ApplyView OutcomeBox { max-height: 55vh; }
    ApplyView.-alone OutcomeBox { height: 1fr; max-height: 100%; }
    ApplyView #prompt { height: auto; padding: 0 1; text-style: bold; }
    """

    def __init__(self, stages: Sequence[str], name: str) -> None:
        super().__init__()
        self._stages, self._release = tuple(stages), name

    def compose(self) -> ComposeResult:
        yield Stages(self._stages)
        yield OutcomeBox()
        yield Approval(self._release)
        yield Log(id="log", kept=LOG_LINES_KEPT)
        yield TextPart("prompt")

    def on_mount(self) -> None:
        self.set_interval(0.5, self._count_seconds)

    def _count_seconds(self) -> None:
        self.query_one(Stages).show(self.start.now())

    def restart(self) -> None:
        """Nothing is known of the run yet."""
        self.query_one(Stages).restart()
        self.query_one(OutcomeBox).show(())
        log = self.query_one(Log)
        log.clear()
        log.border_title = "progress"
        log.display = False
        approval = self.query_one(Approval)
        approval.display = True
        approval.restart()

    async def ask(self, changes: Sequence[Change]) -> None:
        """Return once the changes are approved; from then on the log is in the place of the approval."""
        approval, log = self.query_one(Approval), self.query_one(Log)
        await approval.ask(changes)
        approval.display = False
        log.display = True
        log.focus()

    def on_approval_prompted(self, event: Approval.Prompted) -> None:
        if self.query_one(Approval).is_waiting:
            self.show_prompt(event.text)

    def show_prompt(self, text: str) -> None:
        """text: what can be done now."""
        self.query_one("#prompt", TextPart).show(text)
        self._count_seconds()

    def take(self, event: Event) -> None:
        """Log lines go to the log, as does progress of a long wait; the stages get every event."""
        if event.kind == "log":
            self.write_log(event.text)
        elif event.kind == "progress" and event.stage in ("wait", "first backup"):
            self.query_one(Log).write(visible(f"· {event.text}"), "dim")
        self.query_one(Stages).take(event, self.start.now())
        self._count_seconds()

    def write_log(self, line: str) -> None:
        """line: of the log of a container."""
        log = self.query_one(Log)
        log.border_title = "log"
        log.write(visible(line))

    def end(self, how: Literal["done", "failed", "stopped"], rows: Sequence[OutcomeRow], *, has_log: bool) -> None:
        """has_log: whether there is one to read beside the rows."""
        self.query_one(Stages).end(how)
        box = self.query_one(OutcomeBox)
        box.show(rows)
        box.focus()  # which leaves Enter to the screen
        self.query_one(Log).display = has_log
        self.set_class(not has_log, "-alone")
        self.query_one(Approval).display = False
