"""The apply as it goes on: stages, what the cluster says, the hook Job's log; and what came of it.

It starts ``deploy.run`` and shows its events. It refuses to decide: the approval is a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, RichLog, Static
from textual.worker import Worker, WorkerState

from pgwizard.answers import Answers
from pgwizard.changes import Change
from pgwizard.deploy import Options, Outcome, Release, run
from pgwizard.errors import PgwizardError
from pgwizard.events import Event
from pgwizard.inputs import given
from pgwizard.present import change_lines, event_line

if TYPE_CHECKING:
    from pgwizard.tui.app import WizardApp


class Apply(Screen[bool]):
    """Shows the differences, waits for the key that approves them, then tells every stage."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "approve", "apply this"),
        Binding("escape", "leave", "back"),
    ]

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.answers = answers
        self.outcome: Outcome | None = None
        self._approved: asyncio.Future[bool] | None = None
        self._work: Worker[Outcome] | None = None

    @property
    def asked(self) -> bool:
        """Whether the approval is waited for."""
        return self._approved is not None and not self._approved.done()

    def compose(self) -> ComposeResult:
        """A line of state over the log."""
        yield Static("reading the cluster", id="header", markup=False)
        yield RichLog(id="log", markup=False, wrap=False, min_width=1, max_lines=5_000)
        yield Footer()

    def on_mount(self) -> None:
        """Begin at once: nothing is written before the approval."""
        self._work = self.run_worker(self._run(), name="apply", group="apply", exclusive=True, exit_on_error=False)

    async def _run(self) -> Outcome:
        app = cast("WizardApp", self.app)
        self._say("waiting for the cluster")
        cluster = await app.cluster_once_connected()
        release = Release(self.answers, given(self.answers, Path()))
        return await run(release, cluster, self._report, self._approve, Options())

    def _report(self, event: Event) -> None:
        if event.kind in ("began", "progress"):
            self._say(event_line(event)[2:])
        if event.kind != "began":
            self._line(event_line(event))

    async def _approve(self, changes: Sequence[Change]) -> bool:
        for line in change_lines(changes, whole=True):
            self._line(line)
        self._say("press y to apply this, escape to go back: nothing has been written")
        self._approved = asyncio.get_running_loop().create_future()
        return await self._approved

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say how it ended."""
        if event.worker is not self._work:
            return
        if event.state is WorkerState.SUCCESS and isinstance(event.worker.result, Outcome):
            self.outcome = event.worker.result
            self._end(self.outcome.message)
        elif event.state is WorkerState.ERROR:
            error = event.worker.error
            if isinstance(error, PgwizardError):
                self._end(f"✗ {error.message}\n{error.hint}".rstrip())
            else:
                self._end(f"✗ a defect of pgwizard itself: {type(error).__name__}")
        elif event.state is WorkerState.CANCELLED:
            self._end("stopped; the cluster goes on, and applying again resumes")

    def action_approve(self) -> None:
        """Once, and only when it was asked for."""
        if self.asked and self._approved is not None:
            self._approved.set_result(True)

    def action_leave(self) -> None:
        """Stop watching, and go back; what was written stays and is found again."""
        if self._work is not None and not self._work.is_finished:
            self._work.cancel()
        self.dismiss(True)

    def _end(self, text: str) -> None:
        self._line(text)
        self._say("escape goes back")

    def _say(self, text: str) -> None:
        self.query_one("#header", Static).update(text)

    def _line(self, text: str) -> None:
        self.query_one(RichLog).write(Text(text))
