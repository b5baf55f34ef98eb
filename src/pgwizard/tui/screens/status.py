"""The status of a release, live: the verdict first, then its reasons, backups and Jobs as they run.

The screen lays out its parts and binds keys. ``release_watch`` observes, ``release_actions`` writes after a question,
``widgets.status_parts`` and ``widgets.job_log`` show.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import DataTable
from textual.worker import Worker, WorkerState

from pgwizard.diagnose import messages
from pgwizard.errors import ClusterError, PgwizardError, describe_defect
from pgwizard.plan.names import ANY_RELEASE, ReleaseRef
from pgwizard.release.report import error_lines
from pgwizard.status import report
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import Verdict, judge
from pgwizard.text import about, fit, visible
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.navigation import Applied, OpenMessages
from pgwizard.tui.release_actions import ReleaseActions
from pgwizard.tui.release_watch import ReleaseWatch
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.details import Details
from pgwizard.tui.widgets.dialogs import Pick
from pgwizard.tui.widgets.filtered_list import Item
from pgwizard.tui.widgets.job_details import job_details
from pgwizard.tui.widgets.job_log import JobLog
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.panes import Pane, TextPart
from pgwizard.tui.widgets.status_parts import (
    BackupsTable,
    FactLines,
    JobsTable,
    ObjectsPane,
    SchedulesTable,
    TimelinePane,
    VerdictBox,
)

if TYPE_CHECKING:
    from pgwizard.release.records import Listed

NARROW = 100
"""Columns below which panes are below each other."""
_TITLES = {
    "timeline": "backups",
    "jobs": "jobs",
    "info": "pgbackrest info",
    "schedules": "schedules",
    "objects": "objects",
}
_OF_REPOSITORY = ("timeline", "info")


class StatusScreen(Copies, ReportsDefects, BaseScreen[None]):
    """release: None for the one of ``Start``, or for the only one of the namespace."""

    DEFAULT_CSS = """
    StatusScreen .pane {
        border: round $foreground 40%; border-title-style: bold;
        border-title-color: $foreground; border-subtitle-color: $foreground;
    }
    StatusScreen .pane:focus { border: heavy $accent; }
    StatusScreen #dash { height: 1fr; padding: 0 1; }
    StatusScreen #lower { height: 10; }
    StatusScreen #info { height: auto; max-height: 6; }
    StatusScreen #jobs { width: 3fr; height: 1fr; }
    StatusScreen #log { width: 2fr; height: 1fr; }
    StatusScreen #more { height: auto; }
    StatusScreen #schedules { width: 3fr; height: auto; max-height: 8; }
    StatusScreen #objects { width: 2fr; }
    StatusScreen.narrow #lower, StatusScreen.narrow #more { layout: vertical; height: auto; }
    StatusScreen.narrow #jobs, StatusScreen.narrow #schedules { width: 1fr; height: auto; max-height: 9; }
    StatusScreen.narrow #log { width: 1fr; height: 10; }
    StatusScreen.narrow #objects { width: 1fr; }
    """
    HELP: ClassVar[str] = """\
Shows whether the database can be recovered, and to which moments.

● recoverable      its own full backup and the WAL for it exist
! at risk          recoverable now; the reasons name the threat
✗ not recoverable  no backup of this database to recover from
? unknown          not read, or read more than three minutes ago
✗ gone             the release no longer exists; its backups may

Facts: ✓ fine, ! needs attention, · loading, or nothing to judge yet,
? unknown. e explains the worst reason that has a message.
Jobs: ● running, ✓ succeeded, ✗ failed. Enter shows cause and fix.
Backups: an incremental is indented above its full backup.
Schedules: ✓ active, ‖ suspended.
The log is that of the highlighted Job. All times are UTC.
▸ marks the pane in focus. Esc leaves the pane, then the status.
Every change to the cluster asks for confirmation first."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "backup", "backup", tooltip="take a full or an incremental backup now"),
        Binding("s", "suspend", "suspend", tooltip="suspend or resume a schedule"),
        Binding("i", "info", "info", tooltip="list every backup in the repository"),
        Binding("l", "log", "log", tooltip="go to the log of the highlighted Job"),
        Binding("r", "refresh", "reload", tooltip="read everything again now"),
        Binding("a", "answers", "answers", tooltip="change the answers of the last revision"),
        Binding("e", "explain", "explain", tooltip="explain why the verdict is not better"),
        COPY,
        WRITE,
        Binding("escape", "leave", "back"),
    ]

    def __init__(self, release: ReleaseRef | None = None) -> None:
        super().__init__()
        self.observed = ReleaseWatch(release or ANY_RELEASE, self._now, self.show, self._offer)
        self._actions = ReleaseActions(self, self.observed)
        self._verdict: Verdict | None = None

    def _now(self) -> datetime:
        return self.start.now()

    @property
    def release(self) -> ReleaseRef | None:
        """See ScreenPart."""
        snapshot = self.observed.snapshot
        return snapshot.ref if snapshot is not None else None

    def compose(self) -> ComposeResult:
        """From the top: verdict, facts, backups in time, Jobs and log, backups as a list, schedules, objects."""
        yield TextPart("header")
        with VerticalScroll(id="dash"):
            yield VerdictBox("verdict")
            yield FactLines("facts")
            yield TimelinePane("timeline")
            with Horizontal(id="lower"):
                yield JobsTable()
                yield JobLog()
            yield BackupsTable()
            with Horizontal(id="more"):
                yield SchedulesTable()
                yield ObjectsPane("objects")
        yield KeyLine()

    def on_mount(self) -> None:
        """Observe at once; what is not there yet says so."""
        if self.observed.release is None:
            self.observed.target = self.start.release
        for part, title in {**_TITLES, "log": "log"}.items():
            self._pane(part).entitle(title)
        self.watch(self.app, "link", self._follow_link)
        self.host.applied.subscribe(self, self._after_apply)
        self.set_focus(self._home, scroll_visible=False)
        self.set_interval(1.0, self.show)
        self._begin()

    def on_resize(self, event: Resize) -> None:
        """Put panes below each other where they do not fit side by side."""
        self.set_class(event.size.width < NARROW, "narrow")
        self.call_after_refresh(self.show)

    # ---- observing -------------------------------------------------------------------------------------------------

    def _after_apply(self, _: Applied) -> None:
        self.observed.ask_again("release")

    def _follow_link(self) -> None:
        """Go on over a new connection to the same cluster; what was read from one says nothing about another."""
        before, now = self.observed.cluster, self.connection.cluster
        if before is None or now is None or before is now:
            self.show()
        elif before.server == now.server:
            self._begin()
        else:
            self.workers.cancel_group(self, "observe")
            self.observed.end(ClusterError(f"another cluster was chosen: {now.server}"))

    def _begin(self) -> None:
        self.observed.trouble = None
        self.run_worker(self._observe(), name="observe", group="observe", exclusive=True, exit_on_error=False)

    async def _observe(self) -> None:
        await self.observed.run(await self.connection.once_connected())

    def _offer(self, there: Sequence[Listed], namespace: str) -> None:
        """Let one of several be chosen, or one of another namespace; the verdict says why there is none."""
        refs = {str(release.ref): release.ref for release in there}
        is_here = bool(there) and there[0].ref.namespace == namespace
        title = "Which release?" if is_here else f"No release in {fit(namespace)}. Choose another one?"

        def take(chosen: str | None) -> None:
            if chosen is not None:
                self.observed.target = refs[chosen]
                self._begin()

        if refs:
            items = [Item(ref, shown=fit(ref)) for ref in refs]
            self.app.push_screen(Pick(title, items, free=False), take)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A defect that ended the observing is shown in the place of the verdict, any other one is reported."""
        if event.worker.name != "observe":
            return  # the handler of ReportsDefects is called next
        event.prevent_default()
        if event.state is WorkerState.ERROR:
            self.observed.end(PgwizardError(describe_defect(event.worker.error)))

    # ---- showing ---------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show what is known, as of now; only what changed is painted."""
        if not self.is_mounted:
            return
        self._show_header()
        known, newest = self.observed.known, self.observed.snapshot
        if known is None or newest is None:
            self._show_trouble()
            return
        before, self._verdict = self._verdict, judge(known)
        if before is None or _message_key(before) != _message_key(self._verdict):
            self.refresh_bindings()
        if self.observed.is_stale:
            self._show_trouble()
        else:
            newest = known
            self.query_one(VerdictBox).show_verdict(known, self._verdict)
        self._show_ages(known)
        self.query_one(FactLines).show_snapshot(known)
        self.query_one(TimelinePane).show_snapshot(known, self._verdict)
        self.query_one(JobsTable).show_snapshot(newest)  # a Job that is not observed does not run on
        self.query_one(BackupsTable).show_snapshot(known)
        self.query_one(SchedulesTable).show_snapshot(known)
        self.query_one(ObjectsPane).show_snapshot(known)
        self._follow_log()

    def _show_header(self) -> None:
        demo = "" if not self.start.demo else "   DEMO" if self.has_class("narrow") else f"   {DEMO}"
        snapshot = self.observed.snapshot
        read_at = snapshot.read_at if snapshot and not snapshot.is_gone else None
        updated = f"   updated {about((self._now() - read_at).total_seconds())} ago" if read_at else ""
        target = self.observed.target
        name = f"{target.namespace or '…'}/{target.name or '…'}"
        self.query_one("#header", TextPart).show(visible(f"pgwizard   {name}{updated}{demo}   {self.host.link}"))

    def _show_ages(self, snapshot: Snapshot) -> None:
        """Where something is old, the title of its pane says how old."""
        for part, title in _TITLES.items():
            of_repository = part in _OF_REPOSITORY
            since = snapshot.answered_at.get("repository" if of_repository else "jobs", snapshot.at)
            is_old = self.observed.is_stale or (snapshot.is_gone and of_repository)
            age = f", as of {about((snapshot.at - since).total_seconds())} ago" if is_old else ""
            self._pane(part).entitle(title + age)

    def _pane(self, part: str) -> Pane:
        return cast("Pane", self.query_one(f"#{part}"))

    def _show_trouble(self) -> None:
        trouble = self.observed.trouble or self.connection.trouble
        self.query_one(VerdictBox).show_lines(self._trouble_lines(), failed=trouble is not None)

    def _trouble_lines(self) -> list[str]:
        """Why nothing is observed, and that all else is old."""
        trouble = self.observed.trouble or self.connection.trouble
        if trouble is None:
            lines = ["· reading" if self.connection.cluster else f"· {self.host.link}"]
        else:
            lines = [f"✗ {error_lines(trouble)[0]}", *error_lines(trouble)[1:], "Press r to try again."]
        if self.observed.age_seconds is not None:
            cluster = self.connection.cluster
            server = self.observed.server
            elsewhere = f" of {server}" if cluster is not None and cluster.server != server else ""
            lines.append(f"Showing the last known state{elsewhere}, {about(self.observed.age_seconds)} old.")
        return [visible(line) for part in lines for line in part.splitlines()]

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another Job, another log."""
        if isinstance(event.data_table, JobsTable):
            self._follow_log()

    def _follow_log(self) -> None:
        run = self.query_one(JobsTable).run
        if run is not None and self.observed.release is not None:
            self.query_one(JobLog).follow(run, self.observed.release)

    # ---- keys --------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Without a snapshot there is little to do; back is offered where there is something to go back to."""
        if action == "explain":
            return self._verdict is not None and bool(_message_key(self._verdict))
        if action in ("backup", "suspend", "info", "answers", "copy", "write_file"):
            return self._verdict is not None
        return action != "leave" or self.has_way_back or self._away

    @property
    def _home(self) -> Widget:
        """Where the focus begins."""
        return self.query_one("#dash" if self.app.size.width < NARROW else "#jobs")

    @property
    def _away(self) -> bool:
        """Whether another pane than the first one has the focus."""
        return self.focused is not None and self.focused.id not in ("jobs", "dash")

    def action_leave(self) -> None:
        """From another pane back to the first one; from there back to the screen before."""
        if self._away:
            self.set_focus(self._home)
        else:
            self.dismiss(None)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show a Job with its cause, its fix and the end of its log."""
        if not isinstance(event.data_table, JobsTable):
            return
        run, is_stale = event.data_table.run, self.observed.is_stale
        snapshot = self.observed.snapshot if is_stale else self.observed.known
        if run is not None and snapshot is not None:
            age = f", as of {report.when(snapshot.at, self._now())} UTC" if is_stale else ""
            link = messages.link(run.fault.key) if run.fault else ""
            self.app.push_screen(Details(run.name + age, job_details(snapshot, run, link), link))

    def action_info(self) -> None:
        if self.query_one(BackupsTable).display:
            self.query_one(BackupsTable).focus()

    def action_log(self) -> None:
        self.query_one(JobLog).focus()

    def action_refresh(self) -> None:
        """Read everything again; where observing ended, begin again."""
        if self.connection.cluster is None:
            self.connection.connect()
        if self.observed.trouble is not None:
            self._begin()
        self.observed.ask_again()

    def action_explain(self) -> None:
        """Show the message of the worst reason that has one."""
        if self._verdict is not None:
            self.open_screen(OpenMessages(messages.link(_message_key(self._verdict))))

    def excerpt(self) -> Excerpt | None:
        """The status as the command line prints it."""
        known = self.observed.known
        if known is None:
            return None
        lines = [*self._trouble_lines(), ""] if self.observed.is_stale else []
        lines += report.status_lines(known, judge(known))
        return Excerpt("the status", "\n".join(lines) + "\n", f"{known.ref.name}-status.txt")

    @work(group="ask", exit_on_error=False)
    async def action_backup(self) -> None:
        if await self._actions.back_up():
            self.query_one(JobsTable).move_cursor(row=0)

    @work(group="ask", exit_on_error=False)
    async def action_suspend(self) -> None:
        """Of the schedule under the cursor, where that table has the focus."""
        table = self.query_one(SchedulesTable)
        await self._actions.suspend(table.here if table.has_focus else "")

    @work(group="ask", exit_on_error=False)
    async def action_answers(self) -> None:
        await self._actions.change_answers()


def _message_key(verdict: Verdict) -> str:
    """The key of the message of the worst reason that has one."""
    return next((reason.key for reason in verdict.reasons if reason.key), "")
