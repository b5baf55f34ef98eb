"""All releases of the cluster, a line each, the worst first; Enter opens the status of one.

It observes while it is open, and shows what ``status.fleet_report`` makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from pgwizard.errors import PgwizardError
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.report import error_lines
from pgwizard.status import fleet
from pgwizard.status.fleet import Fleet
from pgwizard.status.fleet_report import TITLES, FleetRow, cost, row, totals
from pgwizard.status.snapshot import Snapshot
from pgwizard.text import plain, table_lines, visible
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.navigation import OpenStatus
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.dashboard import NARROW_COLUMNS
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.status_parts import StatusTable
from pgwizard.tui.widgets.text_line import TextLine

_AGES_SECONDS = 15.0
"""How often ages are updated where nothing else has changed."""


class ReleasesTable(StatusTable):
    """The releases; columns that do not fit are left out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open", tooltip="open the status of the highlighted release")
    ]

    def __init__(self) -> None:
        super().__init__(TITLES, id="releases", spare=(5, 3, 4, 2))

    def show_rows(self, releases: Sequence[FleetRow], empty: str) -> None:
        """On a wide screen a long reason is cut to a third of it, so that other columns have room; else it wraps."""
        limit = self.size.width // 3 if self.size.width >= NARROW_COLUMNS else self.size.width
        self.show({str(each.ref): (*each.cells[:-1], plain(each.cells[-1], limit)) for each in releases}, empty)


class FleetScreen(Copies, ReportsDefects, BaseScreen[None]):
    """It needs no release: it shows all of them."""

    DEFAULT_CSS = """
    FleetScreen ReleasesTable { height: 1fr; }
    FleetScreen TextLine { display: none; }
    FleetScreen.-filtered TextLine { display: block; }
    """
    HELP: ClassVar[str] = """\
Shows every release of the cluster, the worst first.

● recoverable      its own full backup and the WAL for it exist
! at risk          recoverable now; the reason names the threat
✗ not recoverable  no backup of this database to recover from
? unknown          not read, or read more than three minutes ago
✗ gone             the release no longer exists; its backups may

Enter opens the status of a release, Esc comes back.
/ filters by any word of a line: a namespace, a verdict, a reason.
All sources are read once a minute; changes of objects show at once."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="show only releases whose line has these words"),
        Binding("r", "refresh", "reload", tooltip="read everything again now"),
        COPY,
        WRITE,
        Binding("escape", "leave", "back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._fleet: Fleet | None = None
        self._rows: dict[ReleaseRef, tuple[Snapshot | None, FleetRow]] = {}
        self._trouble: PgwizardError | None = None
        self._began = 0.0

    def compose(self) -> ComposeResult:
        yield TextPart("header")
        yield TextLine(placeholder="type words of a line")
        yield ReleasesTable()
        yield TextPart("totals")
        yield KeyLine()

    def on_mount(self) -> None:
        self.set_focus(self.query_one(ReleasesTable))
        self.watch(self.app, "link", self._show)
        self.set_interval(_AGES_SECONDS, self._show_ages)
        self._observe()

    @work(group="observe", exclusive=True, exit_on_error=False)
    async def _observe(self) -> None:
        self._trouble = None
        cluster = await self.connection.once_connected()
        self._began = self.start.now().timestamp()
        try:
            async with aclosing(fleet.observe(cluster, now=self.start.now)) as fleets:
                async for self._fleet in fleets:
                    self._show()
        except PgwizardError as error:
            self._trouble = error
            self._show()

    def on_resize(self) -> None:
        """Tables leave out other columns at another width."""
        self.call_after_refresh(self._show)

    def _show_ages(self) -> None:
        self._rows.clear()
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        demo = f"   {DEMO}" if self.start.demo else ""
        self.query_one("#header", TextPart).show(visible(f"pgwizard   all releases{demo}   {self.host.link}"))
        releases, totals_line = self._visible_rows(), self.query_one("#totals", TextPart)
        trouble = self._trouble or self.connection.trouble
        empty = "· reading" if self._fleet is None else "no release" if not self._fleet.releases else "none of them"
        self.query_one(ReleasesTable).show_rows(releases, empty)
        lines = [f"✗ {error_lines(trouble)[0]}", "Press r to try again."] if trouble else []
        if self._fleet is not None and self._fleet.releases:
            elapsed_seconds = self.start.now().timestamp() - self._began
            lines.append(f"{totals(releases)}; {cost(self._fleet, elapsed_seconds)}")
        if self._fleet is not None and self._fleet.left_out:
            lines.append(f"! {self._fleet.left_out}")
        totals_line.show("\n".join(map(visible, lines)))

    def _visible_rows(self) -> list[FleetRow]:
        """The rows that match the filter, the worst first; only those that changed are judged."""
        current = self._fleet
        if current is None:
            return []
        now, rows = self.start.now(), list[FleetRow]()
        for ref in current.releases:
            snapshot = current.snapshots.get(ref)
            before = self._rows.get(ref)
            if before is None or before[0] is not snapshot or ref in current.troubles:
                snapshots = {ref: replace(snapshot, at=now)} if snapshot is not None else {}
                before = (snapshot, row(replace(current, snapshots=snapshots), ref))
                self._rows[ref] = before
            rows.append(before[1])
        words = self.query_one(TextLine).value.lower().split()
        matching = [each for each in rows if all(word in " ".join(each.cells).lower() for word in words)]
        return sorted(matching, key=lambda each: each.rank)

    def excerpt(self) -> Excerpt | None:
        """The lines that are shown."""
        if self._fleet is None:
            return None
        lines = table_lines([TITLES, *(each.cells for each in self._visible_rows())])
        return Excerpt("the releases", "\n".join(lines) + "\n", "releases-status.txt")

    # ---- keys --------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, _: tuple[object, ...]) -> bool | None:
        """Back is offered where there is something to go back to."""
        if action in ("copy", "write_file", "filter"):
            return self._fleet is not None
        return action != "leave" or self.has_way_back or self.has_class("-filtered")

    def on_data_table_row_selected(self) -> None:
        """Open the status of a release."""
        namespace, _, name = self.query_one(ReleasesTable).here.partition("/")
        if name:
            self.open_screen(OpenStatus(ReleaseRef(namespace, name)))

    def action_filter(self) -> None:
        self.add_class("-filtered")
        self.set_focus(self.query_one(TextLine))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_focus(self.query_one(ReleasesTable))

    def action_leave(self) -> None:
        """Take the filter away; without one, go back to the screen before."""
        if self.has_class("-filtered"):
            self.query_one(TextLine).value = ""
            self.remove_class("-filtered")
            self.set_focus(self.query_one(ReleasesTable))
        else:
            self.dismiss(None)

    def action_refresh(self) -> None:
        if self.connection.cluster is None:
            self.connection.connect()
        self._observe()
