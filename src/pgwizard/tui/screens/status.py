"""The status of a release, live: the verdict first, then its reasons, backups and Jobs as they run.

The screen binds keys and passes on what is known. ``observer`` observes, ``release_actions`` writes after a
question, ``widgets.dashboard`` shows.
"""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from pgwizard.diagnose import messages
from pgwizard.plan.names import ReleaseRef
from pgwizard.status import report
from pgwizard.status.verdict import Verdict, judge
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.navigation import OpenMessages, OpenRestore
from pgwizard.tui.observer import ReleaseObserver
from pgwizard.tui.release_actions import ReleaseActions
from pgwizard.tui.widgets.dashboard import NARROW_COLUMNS, Dashboard
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.status_parts import JobsTable, ReleaseHeader, SchedulesTable, VerdictBox

_OF_A_RELEASE = frozenset(("backup", "restore", "verify", "drill", "suspend", "answers", "copy", "write_file"))
"""Actions that need a verdict on screen."""


class StatusScreen(Copies, ReportsDefects, BaseScreen[None]):
    """release: None for the one of ``Start``, or for the only one of the namespace."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual's
        (0, "-narrow"),
        (NARROW_COLUMNS, "-wide"),
    ]
    LEAVING = "A drill is running. Press Ctrl+Q again to leave: that ends it and deletes its Job."
    HELP: ClassVar[str] = """\
Shows whether the database can be recovered, and to which moments.

● recoverable      its own full backup and the WAL for it exist
! at risk          recoverable now; the reasons name the threat
✗ not recoverable  no backup of this database to recover from
? unknown          not read, or read more than three minutes ago
✗ gone             the release no longer exists; its backups may

Facts: ✓ fine, ! needs attention, · loading, ? unknown.
Jobs: ● running, ✓ succeeded, ✗ failed. Enter shows cause and fix.
Backups: an incremental is indented above its full backup.
Schedules: ✓ active, ‖ suspended.
The log is that of the highlighted Job. All times are UTC.
▸ marks the pane in focus. Esc leaves the pane, then the status.
Every change to the cluster asks for confirmation first.
Press Ctrl+C twice to leave; backups continue in the cluster."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "backup", "backup", tooltip="take a full or an incremental backup now"),
        Binding("R", "restore", "restore", key_display="R", tooltip="bring the database back to an earlier moment"),
        Binding("e", "explain", "explain", tooltip="explain why the verdict is not better"),
        Binding("v", "verify", "verify", tooltip="read every file of the repository, and report what is damaged"),
        Binding("D", "drill", "drill", tooltip="restore the newest state beside the database, and check it"),
        Binding("s", "suspend", "suspend", tooltip="suspend or resume a schedule"),
        Binding("i", "focus_pane('info')", "info", tooltip="list every backup in the repository"),
        Binding("l", "focus_pane('log')", "log", tooltip="go to the log of the highlighted Job"),
        Binding("a", "answers", "answers", tooltip="change the answers of the last revision"),
        Binding("r", "refresh", "reload", tooltip="read everything again now"),
        COPY,
        WRITE,
        Binding("escape", "leave", "back"),
    ]

    def __init__(self, release: ReleaseRef | None = None) -> None:
        super().__init__()
        self._observer = ReleaseObserver(self, release, self.show)
        self.release_watch = self._observer.watch
        self._actions = ReleaseActions(self, self.release_watch)
        self._verdict: Verdict | None = None

    @property
    def is_writing(self) -> bool:
        return self._actions.is_drilling

    def stop(self) -> bool:
        """End a drill, which deletes its Job."""
        if not self._actions.is_drilling:
            return False
        self._actions.end_drill()
        self.notify("Ending the drill: its Job is being deleted.", markup=False)
        return True

    @property
    def release(self) -> ReleaseRef | None:
        snapshot = self.release_watch.snapshot
        return snapshot.ref if snapshot is not None else None

    def compose(self) -> ComposeResult:
        yield ReleaseHeader("header")
        yield Dashboard()
        yield KeyLine()

    def on_mount(self) -> None:
        """Observe at once; what is not there yet says so."""
        self.watch(self.app, "link", self._observer.follow_connection)
        self.host.applied_signal.subscribe(self, lambda _: self.release_watch.ask_again("release"))
        self.set_focus(self.query_one(Dashboard).home, scroll_visible=False)
        self.set_interval(1.0, self.show)
        self._observer.begin()

    def on_resize(self) -> None:
        """Tables leave out other columns at another width."""
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Show what is known, as of now; only what changed is painted."""
        if not self.is_mounted:
            return
        watch, current, target = self.release_watch, self.release_watch.current, self.release_watch.target
        read_at = current.read_at if current is not None and not current.is_gone else None
        name = f"{target.namespace or '…'}/{target.name or '…'}"
        self.query_one(ReleaseHeader).show_release(name, read_at, is_narrow=self.has_class("-narrow"))
        before, self._verdict = self._verdict, judge(current) if current is not None else None
        if _offers(before) != _offers(self._verdict):
            self.refresh_bindings()
        box = self.query_one(VerdictBox)
        if current is None or self._verdict is None or watch.is_stale:
            box.show_lines(self._observer.trouble_lines(), is_failure=self._observer.trouble is not None)
        else:
            box.show_verdict(current, self._verdict)
        if current is not None and self._verdict is not None:
            last = watch.snapshot if watch.is_stale else None
            self.query_one(Dashboard).show_snapshot(current, self._verdict, last)

    def excerpt(self) -> Excerpt | None:
        """The status as the command line prints it."""
        current = self.release_watch.current
        if current is None:
            return None
        lines = [*self._observer.trouble_lines(), ""] if self.release_watch.is_stale else []
        lines += report.status_lines(current, judge(current))
        return Excerpt("the status", "\n".join(lines) + "\n", f"{current.ref.name}-status.txt")

    # ---- keys --------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a snapshot there is little to do; back is offered where there is something to go back to."""
        if action == "explain":
            return self._verdict is not None and bool(self._verdict.reasons)
        if action in _OF_A_RELEASE or parameters == ("info",):
            return self._verdict is not None
        return action != "leave" or self.has_way_back or self.query_one(Dashboard).is_home_left

    def action_leave(self) -> None:
        """From another pane back to the first one; from there back to the screen before."""
        dashboard = self.query_one(Dashboard)
        if dashboard.is_home_left:
            self.set_focus(dashboard.home)
        else:
            self.dismiss(None)

    def action_focus_pane(self, pane: str) -> None:
        if (widget := self.query_one(f"#{pane}")).display:
            widget.focus()

    def action_refresh(self) -> None:
        self._observer.reload()

    def action_explain(self) -> None:
        """Show the reasons of the verdict, and what the messages say about the worst one."""
        if self._verdict is not None and self._verdict.reasons:
            worst = self._verdict.reasons[0]
            self.open_screen(OpenMessages(messages.link(worst.key) if worst.key else "", self._verdict.reasons))

    @work(group="ask", exit_on_error=False)
    async def action_backup(self) -> None:
        if await self._actions.back_up():
            self.query_one(JobsTable).move_cursor(row=0)

    def action_restore(self) -> None:
        """Open the restore of this release; what it did is read once it is left."""
        if self.release is not None:
            self.open_screen(OpenRestore(self.release), lambda _: self.release_watch.ask_again())

    @work(group="verify", exit_on_error=False)
    async def action_verify(self) -> None:
        await self._actions.verify()

    @work(group="drill", exit_on_error=False)
    async def action_drill(self) -> None:
        await self._actions.drill()

    @work(group="ask", exit_on_error=False)
    async def action_suspend(self) -> None:
        """Of the schedule under the cursor, where that table has the focus."""
        table = self.query_one(SchedulesTable)
        await self._actions.suspend(table.here if table.has_focus else "")

    @work(group="ask", exit_on_error=False)
    async def action_answers(self) -> None:
        await self._actions.change_answers()


def _offers(verdict: Verdict | None) -> tuple[bool, bool]:
    """What the keys depend on: whether there is a verdict, and whether it has reasons."""
    return verdict is not None, verdict is not None and bool(verdict.reasons)
