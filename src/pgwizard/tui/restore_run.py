"""Plans and runs a restore for a screen: what state it is in, what a view of it shows, and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from textual.worker import Worker, WorkerError

from pgwizard.errors import PgwizardError, PreflightError
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import rights
from pgwizard.release.report import finding_of
from pgwizard.release.stages import Event
from pgwizard.restore import history, preview
from pgwizard.restore import run as restore
from pgwizard.restore.journal import Journal
from pgwizard.restore.preview import OpenPreview
from pgwizard.restore.preview_job import reached_text as preview_text
from pgwizard.restore.report import result_lines, unfinished_text, unread_parts
from pgwizard.restore.run import Preparation
from pgwizard.restore.target import RecoveryTarget, RepositoryView, RestorePlan, TargetRefusal, shown_moment
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.widgets.outcomes import OutcomeRow, failure_rows
from pgwizard.tui.widgets.restore_view import RestoreView
from pgwizard.tui.widgets.target_choice import GO_ON

RestoreState = Literal[
    "reading",
    "choosing",
    "planning",
    "confirming",
    "previewing",
    "showing",
    "open",
    "running",
    "stopping",
    "stopped",
    "failed",
    "ended",
]
_STOPS = "Ctrl+C stops watching. A running Job continues to its end; the next stage waits until you resume."
_UNTOUCHED_TEXT = "Stopped. The database was not touched."
_PREVIEWS = "Press p for psql, t for a later moment, i to restore in place, x to end it."
_MAX_LOG_LINES = 400
_STRETCH = timedelta(hours=1)
"""So much of the history is read at once."""


class RestoreRun:
    """Works in a worker of the screen. on_turn: called after each change of the state."""

    def __init__(
        self, screen: BaseScreen[Any], view: RestoreView, release: ReleaseRef, on_turn: Callable[[], None]
    ) -> None:
        self._screen, self._view, self._on_turn = screen, view, on_turn
        self._release = release
        self._preparation: Preparation | None = None
        self._archive: RepositoryView | None = None
        self._listed_since: datetime | None = None
        self._unread: tuple[datetime, datetime] | None = None
        """The stretch of the last listing that was too much to read."""
        self._journal: Journal | None = None
        self._target: RecoveryTarget | None = None
        """What is to be confirmed; None where it is an undo, or a restore that is resumed."""
        self._preview: OpenPreview | None = None
        self._work: Worker[None] | None = None
        self._stage = ""
        """The one that runs, or is next, of a restore that has begun; empty before."""
        self._log: deque[str] = deque(maxlen=_MAX_LOG_LINES)
        self.state: RestoreState = "reading"
        self.message = ""
        """The key of the message about a failure; empty for none."""

    @property
    def is_writing(self) -> bool:
        """Whether the restore runs or a preview is opened, or what a stop is to clear is still there."""
        return self.state in ("running", "previewing", "stopping")

    def begin(self, *, resumes: bool = False) -> None:
        """Read what can be restored, or find the restore that has not ended. Nothing is written.

        resumes: whether that restore is to be confirmed at once.
        """
        self._preparation, self._journal, self.message = None, None, ""
        self._target, self._preview = None, None
        self._archive = self._listed_since = self._unread = None
        self._stage = ""
        self._log.clear()
        self._view.restart()
        self._turn("reading", "Reading the repository. Nothing is written before you confirm.")
        self._do(lambda: self._read(resumes=resumes))

    @property
    def can_resume(self) -> bool:
        """Whether a restore has begun here and not ended, or was seen to be open."""
        return self.state == "open" or (self.state in ("stopped", "failed") and self._stage != "")

    @property
    def can_preview(self) -> bool:
        """Whether what is to be confirmed can be looked at before."""
        return self.state == "confirming" and self._target is not None and self._preview is None

    def plan(self, target: RecoveryTarget) -> None:
        """Find the way to a target, then ask for the confirmation; or move the preview that is open to it."""
        if self._preparation is not None:
            self._turn("planning", f"Looking for {target} in the archive.")
            self._do(lambda: self._plan(target) if self._preview is None else self._move(self._preview, target))

    def preview(self) -> None:
        """Show what is to be confirmed on a read-only server."""
        journal, target = self._journal, self._target
        if journal is not None and target is not None:
            self._view.show_log((preview.STAGE,))
            self._turn("previewing", "The database keeps running. Ctrl+C ends the preview.")
            self._do(lambda: self._start_preview(target, journal.plan))

    def end_preview(self) -> None:
        """Delete the preview that is open."""
        self._turn("planning", "Ending the preview.")
        self._do(self._end_preview)

    def restore_previewed(self) -> None:
        """Ask for the confirmation of a restore to what the preview shows."""
        open_preview = self._preview
        if open_preview is not None:
            self._turn("planning", f"Looking for {open_preview.aim.target} in the archive.")
            self._do(lambda: self._plan(open_preview.aim.target))

    def psql_command(self) -> str:
        """The command that opens psql in the preview; empty where none is open."""
        cluster = self._screen.connection.cluster
        return preview.psql_command(cluster.commands, self._release) if self._preview is not None and cluster else ""

    def list_events(self) -> None:
        """List what was committed in the last hour; each time again, an hour further back."""
        if self._archive is not None:
            self._do(self._list_events)

    def retarget(self) -> None:
        """Choose another target for the restore that has not ended."""
        if self._preview is not None:
            if self._preparation is not None and self._preparation.view is not None:
                self._view.restart()
                self._choose(self._preparation.view)
        elif self._journal is not None:
            self._turn("planning", "Reading the repository.")
            self._do(self._read_open)

    def undo(self) -> None:
        """Back to the state before the newest restore, or before one that has not ended."""
        if self._preparation is not None or self.state == "ended":
            self._turn("planning", "Looking for the state before the restore in the archive.")
            self._do(self._plan_undo)

    def resume(self) -> None:
        """Ask for the confirmation to continue the restore that has not ended; after a stop, read it again first."""
        if self.state != "open":
            self.begin(resumes=True)
        elif self._journal is not None:
            self._confirm(restore.resume(self._journal, is_undo=False))

    def go_back(self) -> bool:
        """From the confirmation to the choice of the target, and from that to the preview; False where none is open."""
        if self.state == "confirming" or (self.state == "choosing" and self._preview is not None):
            self.begin()
            return True
        return False

    def start(self) -> None:
        """The restore is confirmed."""
        is_resumed = self._preparation is not None and self._preparation.journal is not None
        self._stage = self._journal.stage if self._journal is not None and is_resumed else ""
        self._view.show_log()
        self._turn("running", _STOPS)
        self._do(self._run)

    def stop(self) -> bool:
        """Whether the screen can be left now. What runs ends first; a restore then shows how to resume it, and from
        anything else the screen is left.
        """
        if self.state == "stopping":
            return False  # a second cancel would interrupt the release of the lock, or the deletion of a Job
        if self._work is None or self._work.is_finished:
            return True
        self._work.cancel()
        if self.state == "running":
            self._turn("stopping", "Stopping: the lock is being released.")
        elif self.state == "previewing":
            self._turn("stopping", "Stopping: the preview is being ended." if self._preview is None else "Stopping.")
        else:
            self._turn("stopping", "Stopping.")
            self._screen.run_worker(self._leave_after(self._work), group="leave", exit_on_error=False)
        return False

    async def _leave_after(self, work: Worker[None]) -> None:
        with contextlib.suppress(WorkerError):
            await work.wait()
        self._screen.dismiss(None)

    # ---- what is done ------------------------------------------------------------------------------------------------

    def _do(self, step: Callable[[], Awaitable[None]]) -> None:
        self._work = self._screen.run_worker(
            self._guard(step), name="restore", group="restore", exclusive=True, exit_on_error=False
        )

    async def _guard(self, step: Callable[[], Awaitable[None]]) -> None:
        is_running, is_preview = self.state == "running", self.state == "previewing"
        try:
            await step()
        except asyncio.CancelledError:
            if is_running and self._screen.is_attached:
                text = f"Stopped watching. {unfinished_text(self._stage)}" if self._stage else _UNTOUCHED_TEXT
                self._view.end("stopped", [("-", text)], has_log=bool(self._log))
                self._turn("stopped", self._next)
            elif is_preview and self._screen.is_attached:
                state_text = "The preview was not ended." if self._preview is not None else "No preview is open."
                self._view.end(
                    "stopped", [("-", f"Stopped. {state_text} The database was not touched.")], has_log=False
                )
                self._turn("stopped", self._next)
            raise
        except Exception as error:  # noqa: BLE001 - whatever ended it is shown as its outcome
            self._fail(error)

    async def _read(self, *, resumes: bool) -> None:
        cluster = await self._screen.connection.once_connected()
        preparation = self._preparation = await restore.prepare(cluster, self._release)
        self._view.question.rows_of = preparation.rows
        if preparation.journal is not None:
            self._journal = preparation.journal
            rows: list[OutcomeRow] = [
                ("!", f"A restore to {preparation.journal.plan.target} has not ended."),
                ("next", f"its stage {preparation.journal.stage}"),
            ]
            self._view.end("stopped", rows, has_log=False)
            self._turn("open", "Press r to resume it, t for another target, or F7 to bring back the state before it.")
            if resumes:
                self.resume()
        elif preparation.view is not None:
            with contextlib.suppress(PreflightError):  # one that does not answer is refused where another is begun
                if (open_preview := await preview.find(cluster, self._release)) is not None:
                    self._archive = preparation.view
                    self._show_preview(open_preview)
                    return
            self._choose(preparation.view)

    def _choose(self, archive: RepositoryView) -> None:
        self._archive = archive
        prompt = GO_ON if self._preview is None else "Press Enter to move the preview to this moment."
        self._view.choose(archive, prompt)
        self._turn("choosing", prompt)

    async def _read_open(self) -> None:
        cluster = await self._screen.connection.once_connected()
        if self._preparation is not None:
            archive, _ = await restore.open_view(cluster, self._preparation)
            self._view.restart()
            self._choose(archive)

    async def _list_events(self) -> None:
        cluster = await self._screen.connection.once_connected()
        archive, until = self._archive, self._listed_since or self._screen.start.now()
        if archive is None:
            return
        since, until = self._unread or (until - _STRETCH, until)
        self._view.show_prompt(f"Reading the WAL since {shown_moment(since.replace(microsecond=0))}.")
        try:
            history_ = await history.read(cluster, self._release, archive, since, until, report=self._view.show_prompt)
        except PgwizardError as error:
            self._view.show_prompt(f"Nothing can be listed: {error.message}")
            return
        self._listed_since = min(since, self._listed_since or since)
        self._unread = (history_.until, until) if history_.is_cut and history_.until > since else None
        self._view.list_events(history_.events)
        count = sum(event.is_loss for event in history_.events)
        start = f"{since:%H:%M} UTC"
        what = (
            f"{count} of {history_.commits:,} commits since {start} removed something"
            if count
            else f"No commit since {start} removed something"
        )
        if gaps := unread_parts(history_):
            what += f", as far as it was read: {'; '.join(gaps)}"
        more = "the rest" if self._unread else "an hour further back"
        self._view.show_prompt(f"{what}. Enter takes the moment just before one; F6 reads {more}.")

    async def _plan(self, target: RecoveryTarget) -> None:
        cluster, now = await self._screen.connection.once_connected(), self._screen.start.now
        if self._preparation is not None and self._preparation.journal is not None:
            self._take(await restore.redirect(cluster, self._preparation, target, now))
        elif self._preparation is not None:
            self._target = target
            self._take(await restore.plan_to(cluster, self._preparation, target, now))

    async def _start_preview(self, target: RecoveryTarget, plan: RestorePlan) -> None:
        cluster = await self._screen.connection.once_connected()
        if self._preparation is None:
            raise PgwizardError("no preview is planned")
        preparation, now = self._preparation, self._screen.start.now
        rights.refuse(cluster, preparation.lacks)
        open_preview = await preview.start(cluster, preparation, target, plan, report=self._report_preview, now=now)
        self._show_preview(open_preview)

    async def _move(self, open_preview: OpenPreview, target: RecoveryTarget) -> None:
        cluster, now = await self._screen.connection.once_connected(), self._screen.start.now
        if self._preparation is None:
            raise PgwizardError("no preview is planned")
        plan = await restore.plan_to(cluster, self._preparation, target, now)
        if isinstance(plan, TargetRefusal):
            self._take(plan)
            return
        self._view.show_log((preview.STAGE,))
        self._turn("previewing", "The preview moves to a later moment.")
        report, preparation = self._report_preview, self._preparation
        self._show_preview(await preview.move(cluster, preparation, open_preview, target, plan, report=report, now=now))

    async def _end_preview(self) -> None:
        cluster = await self._screen.connection.once_connected()
        await preview.end(cluster, self._release, lambda _: None)
        self.begin()

    def _show_preview(self, open_preview: OpenPreview) -> None:
        self._preview, self._journal, self._target = open_preview, None, None
        rows: list[OutcomeRow] = [
            ("✓", f"The preview shows {open_preview.aim.target}: {preview_text(open_preview.reached_state)}."),
            ("psql", self.psql_command()),
            ("ends", f"by itself at {shown_moment(open_preview.ends_at)}. Esc leaves it open."),
        ]
        self._view.end("done", rows, has_log=bool(self._log))
        self._turn("showing", _PREVIEWS)

    def _report_preview(self, event: Event) -> None:
        if event.kind == "log":
            self._log.append(event.text)
        self._view.take(event)

    async def _plan_undo(self) -> None:
        cluster = await self._screen.connection.once_connected()
        if self._journal is not None:
            self._confirm(restore.resume(self._journal, is_undo=True))
            return
        preparation = self._preparation = await restore.prepare(cluster, self._release)
        self._view.question.rows_of = preparation.rows
        self._archive, self._target = preparation.view, None
        self._take(await restore.plan_undo(cluster, preparation, self._screen.start.now))

    def _take(self, plan: RestorePlan | Journal | TargetRefusal) -> None:
        if isinstance(plan, Journal):
            self._confirm(plan)
        elif isinstance(plan, TargetRefusal):
            if self._archive is not None:
                self._view.refuse(self._archive, plan)
            self._turn("choosing", f"The target cannot be reached. {plan.fix}")
        else:
            self._confirm(restore.new_journal(plan, self._screen.start.now))

    def _confirm(self, journal: Journal) -> None:
        self._journal = journal
        self._view.confirm(self._preparation.shown_plan(journal) if self._preparation else journal.plan)
        name = self._release.name
        prompt = f"Type the release's name, {name}, and press Enter to restore it."
        if self._preparation is not None and self._preparation.lacks:
            prompt = f"You cannot restore it. Missing permissions: {rights.summary(self._preparation.lacks)}."
        self._turn("confirming", prompt)

    async def _run(self) -> None:
        cluster = await self._screen.connection.once_connected()
        if self._journal is None:
            raise PgwizardError("no restore is planned")
        if self._preparation is not None:
            rights.refuse(cluster, self._preparation.lacks)
        if self._preview is not None:  # it takes room on the node that the restore may need
            await preview.end(cluster, self._release, lambda _: None)
            self._preview = None
        journal = await restore.run(self._release, self._journal, cluster, self._report, now=self._screen.start.now)
        self._preparation, self._journal = None, None
        lines = result_lines(self._release, journal, cluster.commands)
        self._view.end("done", [("✓", lines[0]), *(("", line) for line in lines[1:])], has_log=bool(self._log))
        can_undo = journal.receipt is not None and not journal.is_clone
        self._turn("ended", f"Press Enter for the status{', F7 to undo the restore' if can_undo else ''}.")

    def _report(self, event: Event) -> None:
        if event.stage not in ("lock", restore.FIRST_STAGE) and event.kind == "began":
            self._stage = event.stage
        if event.kind == "log":
            self._log.append(event.text)
        self._view.take(event)

    def _fail(self, error: Exception) -> None:
        was_running = self.state == "running"
        finding = finding_of(error, list(self._log))
        self.message = finding.key
        rows = failure_rows(finding, error.findings if isinstance(error, PgwizardError) else ())
        if was_running and not self._stage:
            rows.append(("-", "The database was not touched."))
        elif was_running and not isinstance(error, PgwizardError):  # whose hint has it
            rows.append(("-", unfinished_text(self._stage)))
        self._view.end("failed", rows, has_log=bool(self._log))
        self._turn("failed", self._next)

    @property
    def _next(self) -> str:
        return f"Press r to {'resume the restore' if self._stage else 'look again'}, Esc for the status."

    def _turn(self, state: RestoreState, prompt: str) -> None:
        self.state = state
        self._view.show_prompt(prompt)
        self._on_turn()
