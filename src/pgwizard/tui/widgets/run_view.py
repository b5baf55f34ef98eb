"""What is seen of a run: its stages, a question or the log, how it ended, and what can be done now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from pgwizard.release.stages import Event
from pgwizard.text import visible
from pgwizard.tui.base import HostAccess
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.outcomes import OutcomeBox, OutcomeRow
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.stages import Stages

MAX_LINES = 5_000


class RunView(HostAccess, Vertical):
    """stages: those that are expected; question: what is asked before it, in the place of the log.

    slow_stages: their progress is in the log too.
    """

    DEFAULT_CSS = """
    RunView { height: 1fr; }
    RunView Log { border-top: solid $panel-lighten-3; border-title-color: $text-muted; height: 1fr; min-height: 2; }
    RunView OutcomeBox { max-height: 55vh; }
    RunView.-alone OutcomeBox { height: 1fr; max-height: 100%; }
    RunView #prompt { height: auto; padding: 0 1; text-style: bold; }
    """

    def __init__(self, stages: Sequence[str], question: Widget, slow_stages: Sequence[str]) -> None:
        super().__init__()
        self._stages, self._question, self._slow_stages = tuple(stages), question, slow_stages

    def compose(self) -> ComposeResult:
        yield Stages(self._stages)
        yield OutcomeBox()
        yield self._question
        yield Log(id="log", max_lines=MAX_LINES)
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
        self._question.display = True

    def show_log(self) -> None:
        """From now on the log is in the place of the question."""
        log = self.query_one(Log)
        self._question.display = False
        log.display = True
        log.focus()

    def show_prompt(self, text: str) -> None:
        """text: what can be done now."""
        self.query_one("#prompt", TextPart).show(text)
        self._count_seconds()

    def take(self, event: Event) -> None:
        """Log lines go to the log, as does progress of a long wait; the stages get every event."""
        if event.kind == "log":
            self.write_log(event.text)
        elif event.kind == "progress" and event.stage in self._slow_stages:
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
        self._question.display = False
