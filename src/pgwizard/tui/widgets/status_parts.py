"""What the status screen shows of a snapshot: the verdict, the facts behind it, backups in time, tables, objects.

Each part shows a snapshot in the words of ``status.report``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from rich.console import Group
from rich.text import Text
from textual.binding import Binding, BindingType

from pgwizard.diagnose import messages
from pgwizard.status import report
from pgwizard.status.snapshot import Run, Snapshot
from pgwizard.status.verdict import RecoveryState, Verdict
from pgwizard.text import about, visible
from pgwizard.tui.base import HostAccess
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.details import Details
from pgwizard.tui.widgets.job_details import job_details
from pgwizard.tui.widgets.panes import Pane, TextPane, TextPart, grid
from pgwizard.tui.widgets.rows import Rows

_CLASSES: dict[RecoveryState, str] = {
    "recoverable": "fine",
    "at risk": "risk",
    "not recoverable": "lost",
    "unknown": "unsure",
    "gone": "lost",
}


class VerdictBox(TextPart):
    """Whether the database could be recovered; or why that is not known."""

    DEFAULT_CSS = """
    VerdictBox { height: auto; padding: 0 2; border: heavy $foreground 40%; }
    VerdictBox.fine { border: heavy $success; }
    VerdictBox.risk { border: double $warning; }
    VerdictBox.lost { border: double $error; }
    """

    def show_verdict(self, snapshot: Snapshot, verdict: Verdict) -> None:
        """The state and the window, and below them each reason with what to do."""
        head = Text(f"{report.headline(verdict)}   ", "bold")
        head.append(report.window(verdict, snapshot.at), "not bold")
        others = report.other_windows(verdict, snapshot.at)
        lines = report.reason_lines(verdict)
        styles = ["" if line[0] == "!" else "dim" for line in lines]
        cells = [(Text(line[:2], style), Text(line[2:], style)) for line, style in zip(lines, styles, strict=True)]
        self.set_classes(_CLASSES[verdict.state])
        content = Group(head, *map(Text, others), *([grid(cells, 0)] if cells else []))
        self.show("\n".join([head.plain, *others, *lines]), content)

    def show_lines(self, lines: Sequence[str], *, is_failure: bool) -> None:
        """Why there is no verdict."""
        self.set_classes("lost" if is_failure else "")
        self.show("\n".join(lines))


class ReleaseHeader(HostAccess, TextPart):
    """Which release, how old the oldest answer about it is, and the state of the connection."""

    def show_release(self, name: str, read_at: datetime | None, *, is_narrow: bool) -> None:
        """read_at: when that answer was read, None where there is none."""
        demo = "" if not self.start.demo else "   DEMO" if is_narrow else f"   {DEMO}"
        age = f"   updated {about((self.start.now() - read_at).total_seconds())} ago" if read_at else ""
        self.show(visible(f"pgwizard   {name}{age}{demo}   {self.host.link}"))


class FactLines(TextPart):
    """The facts behind the verdict, a line each."""

    DEFAULT_CSS = "FactLines { height: auto; padding: 0 1; }"

    def show_snapshot(self, snapshot: Snapshot) -> None:
        facts = report.facts(snapshot)
        cells = [(Text(fact.mark), Text(fact.label), Text(fact.text)) for fact in facts]
        self.show("\n".join(map(str, facts)), grid(cells))


class TimelinePane(TextPane):
    """Backups and failed Jobs by week and day."""

    DEFAULT_CSS = "TimelinePane { height: auto; padding: 0 1; }"
    _NARROWEST = 40

    def show_snapshot(self, snapshot: Snapshot, verdict: Verdict) -> None:
        self.border_subtitle = report.LEGEND
        self.display = snapshot.wants_backups
        lines = report.timeline(snapshot, verdict, max(self.size.width - 2, self._NARROWEST))
        self.show("\n".join(lines) or report.loading_or_empty(snapshot, "repository", "none yet"))


class ObjectsPane(TextPane):
    """Objects that can be well or not."""

    DEFAULT_CSS = "ObjectsPane { height: auto; padding: 0 1; }"

    def show_snapshot(self, snapshot: Snapshot) -> None:
        empty = report.loading_or_empty(snapshot, "statefulsets", "none")
        rows = report.object_cells(snapshot) or [(empty,)]
        self.show("\n".join(map(" ".join, rows)), grid([tuple(map(Text, row)) for row in rows]))


class StatusTable(Pane, Rows):
    DEFAULT_CSS = "StatusTable { background: $background; overflow-x: auto; scrollbar-size: 0 1; }"


class JobsTable(HostAccess, StatusTable):
    """Backup Jobs, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "details", tooltip="why a Job failed, and what to do")
    ]

    def __init__(self) -> None:
        super().__init__(("Job", "started", "took", "result"), id="jobs")
        self._snapshot: Snapshot | None = None
        self._is_old = False

    def show_snapshot(self, snapshot: Snapshot, *, is_old: bool = False) -> None:
        """is_old: whether it is no longer observed, which its details say."""
        self._snapshot, self._is_old = snapshot, is_old
        rows = {run.uid: report.run_cells(snapshot, run) for run in reversed(snapshot.runs)}
        self.show(rows, report.loading_or_empty(snapshot, "jobs", "none yet"))

    @property
    def run(self) -> Run | None:
        """The Job under the cursor."""
        runs = self._snapshot.runs if self._snapshot is not None else ()
        return next((run for run in runs if run.uid == self.here), None)

    def on_data_table_row_selected(self) -> None:
        """Show the Job with its cause, its fix and the end of its log."""
        run, snapshot = self.run, self._snapshot
        if run is not None and snapshot is not None:
            age = f", as of {report.when(snapshot.at, self.start.now())} UTC" if self._is_old else ""
            link = messages.link(run.fault.key) if run.fault else ""
            self.app.push_screen(Details(run.name + age, job_details(snapshot, run, link), link))


class BackupsTable(StatusTable):
    """Backups as ``pgbackrest info`` lists them, the newest first."""

    def __init__(self) -> None:
        super().__init__(report.BACKUP_TITLES, id="info", spare=(6, 3, 4))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.display = snapshot.wants_backups
        newest = reversed(snapshot.backups[-report.BACKUPS_LISTED :])
        rows = {each.label: report.backup_cells(snapshot, each, whole=False) for each in newest}
        if older := report.older_cells(snapshot):
            rows["older"] = older
        self.show(rows, report.loading_or_empty(snapshot, "repository", "none yet"))


class SchedulesTable(StatusTable):
    """The CronJobs."""

    def __init__(self) -> None:
        super().__init__(("schedule", "next run", "last run", "cron"), id="schedules", spare=(2,))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        rows = {cron.real_name: report.cron_cells(snapshot, cron) for cron in snapshot.crons}
        self.show(rows, report.loading_or_empty(snapshot, "cronjobs", "none"))
