"""Runs an apply for a screen: what state it is in, what a view of it shows, and how it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

from textual.worker import Worker

from pgwizard.answers.questions import Answers
from pgwizard.answers.schema import label_at
from pgwizard.kube.commands import CURRENT_CONTEXT
from pgwizard.local import inputs
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.apply import ApplyOutcome, Options, ReleaseRequest, run
from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.tui.apply_progress import RESUME, ApplyProgress
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.navigation import Applied
from pgwizard.tui.widgets.apply_view import ApplyView
from pgwizard.tui.widgets.outcomes import OutcomeRow

ApplyState = Literal["reading", "asking", "writing", "stopping", "stopped", "failed", "ended"]


class ApplyRun:
    """Works in a worker of the screen. opened_release: the release that the answers were opened from, if any.

    on_turn: called after each change of the state.
    """

    def __init__(
        self,
        screen: BaseScreen[Any],
        view: ApplyView,
        answers: Answers,
        opened_release: ReleaseRef | None,
        on_turn: Callable[[], None],
    ) -> None:
        self._screen, self._view, self._on_turn = screen, view, on_turn
        self._answers, self._opened_release = answers, opened_release
        self._work: Worker[None] | None = None
        self.state: ApplyState = "reading"
        self.progress = ApplyProgress()

    @property
    def is_writing(self) -> bool:
        """Whether objects are being written, or the lock is still to be released."""
        return self.state in ("writing", "stopping")

    def begin(self) -> None:
        """Nothing is written before the approval. A run that waits for the connection ends."""
        self.progress = ApplyProgress()
        self._view.restart()
        self._turn("reading", "Reading the cluster. Nothing is written before you approve.")
        self._work = self._screen.run_worker(
            self._run, name="apply", group="apply", exclusive=True, exit_on_error=False
        )

    def stop(self) -> bool:
        """Whether the screen can be left. While objects are written, the run ends first, and shows what is there."""
        if self.state == "stopping":
            return False  # a second cancel would interrupt the release of the lock
        if self._work is not None and not self._work.is_finished:
            self._work.cancel()
            if self.state == "writing":
                self._turn("stopping", "Stopping: the lock is being released. The cluster continues.")
                return False
        return True

    async def _run(self) -> None:
        progress = self.progress
        try:
            outcome = await self._apply()
        except asyncio.CancelledError:
            if progress is self.progress and self._screen.is_attached:
                self._end("stopped", progress.stop())
                self._turn("stopped", "Press r to apply again from here, Esc for the answers.")
            raise
        except Exception as error:  # noqa: BLE001 - whatever ended it is shown as its outcome
            self._fail(error)
        else:
            self._succeed(outcome)

    async def _apply(self) -> ApplyOutcome:
        start = self._screen.start
        cluster = await self._screen.connection.once_connected()
        read = inputs.read_references
        secrets, bundle = await asyncio.to_thread(read, self._answers, start.folder, start.now())
        request = ReleaseRequest(self._answers, secrets, bundle, self._opened_release)
        return await run(request, cluster, self._report, self._approve, Options(), now=start.now)

    async def _approve(self, changes: Sequence[Change]) -> bool:
        self._turn("asking", "")
        await self._view.ask(changes)
        self.progress.approve(changes)
        self._publish(complete=False)  # other screens' data about the cluster is outdated from now on
        self._turn("writing", f"Ctrl+C stops watching. The cluster continues. {RESUME}")
        return True

    def _report(self, event: Event) -> None:
        self.progress.take(event)
        self._view.take(event)

    def _publish(self, *, complete: bool) -> None:
        self._screen.host.post_message(Applied(self._answers, complete))

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _succeed(self, outcome: ApplyOutcome) -> None:
        cluster = self._screen.connection.cluster
        rows = self.progress.succeed(outcome, cluster.commands if cluster is not None else CURRENT_CONTEXT)
        self._end("done", rows)
        self._turn("ended", "Press Enter for its status, Esc for the answers, c to copy the commands.")

    def _fail(self, error: Exception) -> None:
        had_log = bool(self.progress.log)
        rows = self.progress.fail(error)
        if not had_log:
            for line in self.progress.log:
                self._view.write_log(line)
        self._end("failed", rows)
        question = self.progress.question
        label, _ = label_at(tuple(question.split(".")))
        change = f"Press Enter to change {label} ({question}), or r" if question else "Press r"
        self._turn("failed", f"{change} to try again.")

    def _end(self, how: Literal["done", "failed", "stopped"], rows: Sequence[OutcomeRow]) -> None:
        is_approved = self.progress.is_approved
        if is_approved or how == "done":
            self._publish(complete=how == "done")
        self._view.end(how, rows, has_log=bool(self.progress.log) or (is_approved and how != "failed"))

    def _turn(self, state: ApplyState, prompt: str) -> None:
        self.state = state
        self._view.show_prompt(prompt)
        self._on_turn()
