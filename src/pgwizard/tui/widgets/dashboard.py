"""The panes of a status below each other, or side by side where there is room: what each shows, and where keys go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import DataTable

from pgwizard.plan.names import ReleaseRef
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import Verdict
from pgwizard.text import about
from pgwizard.tui.widgets.job_log import JobLog
from pgwizard.tui.widgets.panes import Pane
from pgwizard.tui.widgets.status_parts import (
    BackupsTable,
    FactLines,
    JobsTable,
    ObjectsPane,
    SchedulesTable,
    TimelinePane,
    VerdictBox,
)

NARROW_COLUMNS = 100
"""Below this panes are below each other."""
_TITLES: Mapping[str, str] = {
    "timeline": "backups",
    "jobs": "jobs",
    "info": "pgbackrest info",
    "schedules": "schedules",
    "objects": "objects",
}
_OF_REPOSITORY = ("timeline", "info")


class Dashboard(VerticalScroll):
    """From the top: verdict, facts, backups in time, Jobs and log, backups as a list, schedules, objects.

    Its screen has the class ``-narrow`` where panes are below each other.
    """

    SCOPED_CSS = False  # the class is the screen's
    DEFAULT_CSS = """
    Dashboard { height: 1fr; padding: 0 1; }
    Dashboard .pane {
        border: round $foreground 40%; border-title-style: bold;
        border-title-color: $foreground; border-subtitle-color: $foreground;
    }
    Dashboard .pane:focus { border: heavy $accent; }
    Dashboard #lower { height: 10; }
    Dashboard #info { height: auto; max-height: 6; }
    Dashboard #jobs { width: 3fr; height: 1fr; }
    Dashboard #log { width: 2fr; height: 1fr; }
    Dashboard #more { height: auto; }
    Dashboard #schedules { width: 3fr; height: auto; max-height: 8; }
    Dashboard #objects { width: 2fr; }
    .-narrow Dashboard #lower, .-narrow Dashboard #more { layout: vertical; height: auto; }
    .-narrow Dashboard #jobs, .-narrow Dashboard #schedules { width: 1fr; height: auto; max-height: 9; }
    .-narrow Dashboard #log { width: 1fr; height: 10; }
    .-narrow Dashboard #objects { width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__(id="dash")
        self._release: ReleaseRef | None = None

    def compose(self) -> ComposeResult:
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

    def on_mount(self) -> None:
        for part, title in {**_TITLES, "log": "log"}.items():
            self._pane(part).entitle(title)

    @property
    def home(self) -> Widget:
        """Where the focus begins."""
        return self if self.app.size.width < NARROW_COLUMNS else self.query_one(JobsTable)

    @property
    def is_home_left(self) -> bool:
        """Whether another pane than the first one has the focus."""
        focus = self.screen.focused
        return focus is not None and focus is not self and not isinstance(focus, JobsTable)

    def show_snapshot(self, current: Snapshot, verdict: Verdict, last: Snapshot | None = None) -> None:
        """current: as of now; last: the last one that was observed, where observing has ended."""
        self._release = current.ref
        self._show_ages(current, is_old=last is not None)
        self.query_one(FactLines).show_snapshot(current)
        self.query_one(TimelinePane).show_snapshot(current, verdict)
        self.query_one(JobsTable).show_snapshot(last or current, is_old=last is not None)  # else a Job would run on
        self.query_one(BackupsTable).show_snapshot(current)
        self.query_one(SchedulesTable).show_snapshot(current)
        self.query_one(ObjectsPane).show_snapshot(current)
        self._follow_log()

    def _show_ages(self, snapshot: Snapshot, *, is_old: bool) -> None:
        """Where something is old, the title of its pane says how old."""
        for part, title in _TITLES.items():
            of_repository = part in _OF_REPOSITORY
            since = snapshot.answered_at.get("repository" if of_repository else "jobs", snapshot.at)
            has_age = is_old or (snapshot.is_gone and of_repository)
            age = f", as of {about((snapshot.at - since).total_seconds())} ago" if has_age else ""
            self._pane(part).entitle(title + age)

    def _pane(self, part: str) -> Pane:
        return cast("Pane", self.query_one(f"#{part}"))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another Job, another log."""
        if isinstance(event.data_table, JobsTable):
            self._follow_log()

    def _follow_log(self) -> None:
        run = self.query_one(JobsTable).run
        if run is not None and self._release is not None:
            self.query_one(JobLog).follow(run, self._release)
