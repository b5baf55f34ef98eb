"""How a release is doing, live: the verdict first, what stands behind it, backups and Jobs as they run.

It shows snapshots of ``status`` and asks before anything is written: a backup now, a schedule that rests. It refuses
rules: what is proven is ``status``', how it is said is ``present``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import DataTable, Static
from textual.worker import Worker, WorkerState

from pgwizard import text as text_module
from pgwizard.diagnose import messages
from pgwizard.errors import ClusterError, PgwizardError
from pgwizard.release import backups as release_backups
from pgwizard.release import records
from pgwizard.status import observe, report
from pgwizard.status.reduce import unwatched
from pgwizard.status.snapshot import Run, Snapshot
from pgwizard.status.verdict import Verdict, judge, outage
from pgwizard.text import fit, plain, visible
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.navigation import Applied, OpenMessages, OpenWizard, message_link
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.dialogs import ChoiceDialog, Details
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.rows import Jobs, Rows

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster
    from pgwizard.release.record import Record

NARROW = 100
"""Columns below which panes stand below each other."""
_SETTLE_SECONDS = 0.15
_RETRY_SECONDS = 1.0
_TITLES = {
    "timeline": "backups",
    "jobs": "jobs",
    "info": "pgbackrest info",
    "schedules": "schedules",
    "objects": "objects with a state",
}
_HOME = ("jobs", "dash")
"""Where the focus begins; from there escape leaves."""
_STATES = {"recoverable": "fine", "at risk": "risk", "not recoverable": "lost", "unknown": "unsure", "gone": "lost"}


class Dashboard(BaseScreen[None]):
    """See the module. name: empty for the one of ``Start``, or the only one there is."""

    DEFAULT_CSS = """
    Dashboard #dash { height: 1fr; padding: 0 1; }
    Dashboard #verdict { height: auto; padding: 0 2; border: heavy $foreground 40%; }
    Dashboard #verdict.fine { border: heavy $success; }
    Dashboard #verdict.risk { border: double $warning; }
    Dashboard #verdict.lost { border: double $error; }
    Dashboard #facts { height: auto; padding: 0 1; }
    Dashboard .pane {
        border: round $foreground 40%; border-title-style: bold;
        border-title-color: $foreground; border-subtitle-color: $foreground;
    }
    Dashboard #timeline { height: auto; padding: 0 1; }
    Dashboard #lower { height: 10; }
    Dashboard #info { height: auto; max-height: 6; }
    Dashboard #jobs { width: 3fr; height: 1fr; }
    Dashboard #log { width: 2fr; height: 1fr; }
    Dashboard #more { height: auto; }
    Dashboard #schedules { width: 3fr; height: auto; max-height: 8; }
    Dashboard #objects { width: 2fr; height: auto; padding: 0 1; }
    Dashboard DataTable { background: $background; overflow-x: auto; scrollbar-size: 0 1; }
    Dashboard .pane:focus { border: heavy $accent; }
    Dashboard.narrow #lower, Dashboard.narrow #more { layout: vertical; height: auto; }
    Dashboard.narrow #jobs, Dashboard.narrow #schedules { width: 1fr; height: auto; max-height: 9; }
    Dashboard.narrow #log { width: 1fr; height: 10; }
    Dashboard.narrow #objects { width: 1fr; }
    """
    HELP: ClassVar[str] = """\
Whether the database could be recovered, and to which moments.

● recoverable      its own full backup and the WAL of it are there
! at risk          recoverable now; the reasons say what threatens it
✗ not recoverable  nothing of this database is there to recover from
? unknown          not read, or over three minutes ago: no proof
✗ gone             the release is no longer there; its backups may be

Below it: ✓ fine, ! needs a look, · loading or nothing to go by yet,
? cannot be known. e explains the worst reason that has a message.
Jobs: ● runs, ✓ done, ✗ failed; enter says why, and what to do.
Backups: an incremental is set in; its full one is below it.
Schedules: ✓ runs at its times, ‖ is suspended.
The log is that of the highlighted Job. All times are UTC.
▸ marks the pane in focus; escape leaves it, and then the status.
Nothing is written before you have answered."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "backup", "backup", tooltip="take a backup now: full or incremental"),
        Binding("s", "suspend", "suspend", tooltip="let a schedule rest, or go on"),
        Binding("i", "info", "info", tooltip="every backup of the repository, as pgbackrest info lists them"),
        Binding("l", "log", "log", tooltip="to the log of the highlighted Job"),
        Binding("r", "refresh", "refresh", tooltip="ask everything again at once"),
        Binding("a", "answers", "answers", tooltip="change the answers of the last revision"),
        Binding("e", "explained", "explain", tooltip="why the verdict is not better: its message, and its like"),
        Binding("c", "copy", "copy", tooltip="copy the status as text"),
        Binding("escape", "leave", "back"),
    ]

    def __init__(self, name: str = "", namespace: str | None = None) -> None:
        super().__init__()
        self._release, self._where = name, namespace
        self._again = observe.Again()
        self._said: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        self._followed: tuple[str, ...] = ()
        self._trouble: PgwizardError | None = None
        self._cluster: Cluster | None = None
        """The one that is observed."""
        self._seen_on = ""
        """The server that the snapshot is of."""
        self._explained = ""
        """The key of the message of the worst reason that has one."""
        self._left = False
        """Whether the snapshot is what was left when observing ended; until a newer one comes."""
        self.snapshot: Snapshot | None = None

    @property
    def release(self) -> tuple[str, str] | None:
        """See ScreenPart."""
        return (self.snapshot.name, self.snapshot.namespace) if self.snapshot is not None else None

    def compose(self) -> ComposeResult:
        """From the top: verdict, facts, backups in time, Jobs and log, backups as a list, schedules, objects."""
        yield Static(id="header", markup=False)
        with VerticalScroll(id="dash"):
            yield Static(id="verdict", markup=False)
            yield Static(id="facts", markup=False)
            yield self._titled(Static(id="timeline", markup=False))
            with Horizontal(id="lower"):
                yield self._titled(Jobs(("Job", "started", "took", "what came of it"), id="jobs"))
                yield self._titled(Log(id="log", kept=2_000))
            yield self._titled(Rows(report.BACKUP_TITLES, id="info", spare=(6, 3, 4)))
            with Horizontal(id="more"):
                yield self._titled(Rows(("schedule", "next run", "last run", "cron"), id="schedules", spare=(2,)))
                yield self._titled(Static(id="objects", markup=False))
        yield KeyLine()

    def _titled(self, widget: Any) -> Any:
        widget.add_class("pane")
        self._titles[widget.id] = _TITLES.get(widget.id, widget.id)
        widget.border_title = self._titles[widget.id]
        return widget

    def _entitle(self, part: str, title: str) -> None:
        self._titles[part] = title
        self._mark()

    def _mark(self) -> None:
        """The pane in focus is marked in its title: colour alone may not be there."""
        for part, title in self._titles.items():
            pane = self.query_one(f"#{part}")
            shown = f"▸ {title}" if pane is self.focused else title
            if self._said.get(f"{part} title") != shown:  # Textual draws a pane anew even for the same title
                self._said[f"{part} title"] = shown
                pane.border_title = Text(shown)

    def on_descendant_focus(self) -> None:
        """Another pane has the mark."""
        self._mark()

    def on_descendant_blur(self) -> None:
        """No pane may have it."""
        self._mark()

    def on_mount(self) -> None:
        """Watch at once; what is not there yet says so."""
        if not self._release:
            self._release, start_where = self.start.release
            self._where = self._where or start_where
        self.query_one("#timeline").border_subtitle = report.LEGEND
        self.watch(self.app, "link", self._linked)
        self.host.applied.subscribe(self, self._after_apply)
        self.set_focus(self._home, scroll_visible=False)
        self.set_interval(1.0, self._show)
        self._begin()

    def on_resize(self, event: Resize) -> None:
        """Fold what does not fit."""
        self.set_class(event.size.width < NARROW, "narrow")
        self.call_after_refresh(self._show)

    # ---- observing -------------------------------------------------------------------------------------------------

    def _after_apply(self, _: Applied) -> None:
        self._again.ask("release")

    def _linked(self) -> None:
        """A connection that was made anew goes on; what was seen of one cluster says nothing of another."""
        before, now = self._cluster, self.connection.cluster
        if before is None or now is None or before is now:
            self._show()
        elif before.server == now.server:
            self._begin()
        else:
            for group in ("observe", "log"):
                self.workers.cancel_group(self, group)
            self._end(ClusterError(f"another cluster was chosen: {now.server}"))

    def _begin(self) -> None:
        self._trouble = None
        self.run_worker(self._observe(), name="observe", group="observe", exclusive=True, exit_on_error=False)

    async def _observe(self) -> None:
        cluster = await self.connection.once_connected()
        self._cluster = cluster
        try:
            self._where = self._where or cluster.namespace
            if not self._release:
                there = await records.choices(cluster, self._where)
                self._offer(there, self._where)
                self._release = records.chosen(there, self._where)
            observed = observe.observe(cluster, self._release, self._where, now=self.start.now, again=self._again)
            async with aclosing(observed) as snapshots:
                async for snapshot in snapshots:
                    first = self.snapshot is None
                    self.snapshot, self._left, self._seen_on = snapshot, False, cluster.server
                    if first:
                        self.refresh_bindings()
                    self._show()
        except PgwizardError as error:
            self._end(error)

    def _offer(self, there: Sequence[Record], namespace: str) -> None:
        """Let one of several be chosen, or one of another namespace; not choosing leaves what the verdict says."""
        if len(there) == 1 and there[0].namespace == namespace:
            return
        choices = {str(number): release for number, release in enumerate(there[:9], start=1)}
        title = "Which release?" if there and there[0].namespace == namespace else f"None in {fit(namespace)}. Another?"

        def take(key: str | None) -> None:
            if key is not None:
                self._release, self._where = choices[key].name, choices[key].namespace
                self._begin()

        if choices:
            named = {key: f"{fit(release.namespace)}/{fit(release.name)}" for key, release in choices.items()}
            self.app.push_screen(ChoiceDialog(title, named), take)

    def _end(self, why: PgwizardError) -> None:
        """Nothing is observed any more, until somebody asks for it."""
        self._trouble, self._left = why, True
        self._show()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A defect is said, never swallowed; where nothing is observed any more, it stands in the verdict's place."""
        if event.state is not WorkerState.ERROR:
            return
        defect = f"a defect of pgwizard itself: {type(event.worker.error).__name__}"
        if event.worker.name == "observe":
            self._end(PgwizardError(defect))
        else:
            self.notify(defect, severity="error", markup=False)

    # ---- showing ---------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Show what is known, as of now; only what changed is drawn anew."""
        if not self.is_mounted:
            return
        self._header()
        snapshot, last = self._known, self.snapshot
        if snapshot is None or last is None:
            self._show_trouble()
            return
        verdict = judge(snapshot)
        if self._left:
            self._show_trouble()
        else:
            last = snapshot
            self._show_verdict(snapshot, verdict)
        self._date(snapshot)
        facts = report.facts(snapshot)
        self._update(
            "facts", str(facts), _grid([(Text(fact.mark), Text(fact.label), Text(fact.text)) for fact in facts])
        )
        timeline = self.query_one("#timeline")
        timeline.display = snapshot.wants_backups
        lines = report.timeline(snapshot, verdict, max(timeline.size.width - 2, 40))
        self._say("timeline", "\n".join(lines) or report.loading_or_empty(snapshot, "repository", "none yet"))
        runs = {run.uid: report.run_cells(last, run) for run in reversed(last.runs)}  # none runs on unseen
        self.query_one(Jobs).show(runs, report.loading_or_empty(snapshot, "jobs", "none yet"))
        newest = reversed(snapshot.backups[-report.BACKUPS_LISTED :])
        backups = {each.label: report.backup_cells(each, whole=False) for each in newest}
        if older := report.older_cells(snapshot):
            backups["older"] = older
        empty = report.loading_or_empty(snapshot, "repository", "none yet")
        info = self.query_one("#info", Rows)
        info.display = snapshot.wants_backups
        info.show(backups, empty)
        crons = {cron.real_name: report.cron_cells(snapshot, cron) for cron in snapshot.crons}
        empty = report.loading_or_empty(snapshot, "cronjobs", "none")
        self.query_one("#schedules", Rows).show(crons, empty)
        objects = report.object_cells(snapshot)
        empty = report.loading_or_empty(snapshot, "statefulsets", "none")
        self._update("objects", f"{objects}{empty}", _grid([tuple(map(Text, row)) for row in objects or [(empty,)]]))
        self._follow()

    @property
    def _known(self) -> Snapshot | None:
        """What is known as of now."""
        if self.snapshot is None:
            return None
        now = self.start.now()
        return unwatched(self.snapshot, now) if self._left else replace(self.snapshot, at=now)

    def _date(self, snapshot: Snapshot) -> None:
        """What is left of before says in each pane how old it is."""
        for part, title in _TITLES.items():
            of_repository = part in ("timeline", "info")
            since = snapshot.answered_at.get("repository" if of_repository else "jobs", snapshot.at)
            left = self._left or (snapshot.is_gone and of_repository)
            old = f", as of {text_module.about((snapshot.at - since).total_seconds())} ago" if left else ""
            self._entitle(part, title + old)

    def _header(self) -> None:
        demo = "" if not self.start.demo else "   DEMO" if self.has_class("narrow") else f"   {DEMO}"
        heard = self.snapshot.read_at if self.snapshot and not self.snapshot.is_gone else None
        updated = f"   updated {text_module.about((self.start.now() - heard).total_seconds())} ago" if heard else ""
        name = f"{self._where or '…'}/{self._release or '…'}"
        self._say("header", visible(f"pgwizard   {name}{updated}{demo}   {self.host.link}"))

    def _show_trouble(self) -> None:
        trouble = self._trouble or self.connection.trouble
        self.query_one("#verdict").set_classes("lost" if trouble else "")
        self._say("verdict", "\n".join(self._trouble_lines()))

    def _trouble_lines(self) -> list[str]:
        """Why nothing is observed, and that what else is shown is old."""
        trouble = self._trouble or self.connection.trouble
        if trouble is None:
            lines = ["· reading" if self.connection.cluster else f"· {self.host.link}"]
        else:
            lines = [f"✗ {trouble.message}", trouble.hint, "r tries again."]
        if self.snapshot is not None:
            age = (self.start.now() - self.snapshot.at).total_seconds()
            cluster = self.connection.cluster
            elsewhere = f" on {self._seen_on}" if cluster is not None and cluster.server != self._seen_on else ""
            lines.append(f"Below stands what was seen last{elsewhere}, {text_module.about(age)} ago.")
        return [visible(line) for part in lines for line in part.splitlines()]

    def _show_verdict(self, snapshot: Snapshot, verdict: Verdict) -> None:
        text = Text()
        text.append(f"{report.headline(verdict)}   ", "bold")
        text.append(report.window(verdict, snapshot.at))
        lines = report.reason_lines(verdict)
        styles = ["" if line[0] == "!" else "dim" for line in lines]
        cells = [(Text(line[:2], style), Text(line[2:], style)) for line, style in zip(lines, styles, strict=True)]
        self.query_one("#verdict").set_classes(_STATES[verdict.state])
        explained = next((reason.key for reason in verdict.reasons if reason.key), "")
        if explained != self._explained:
            self._explained = explained
            self.refresh_bindings()
        self._update("verdict", f"{text}{lines}", Group(text, *([_grid(cells, 0)] if cells else [])))

    def _say(self, part: str, text: str) -> None:
        self._update(part, text, Text(text))

    def _update(self, part: str, said: str, shown: RenderableType) -> None:
        """Draw a part where it says something else than before."""
        if self._said.get(part) != said:
            self._said[part] = said
            self.query_one(f"#{part}", Static).update(shown)

    # ---- the log of the highlighted Job ------------------------------------------------------------------------------

    @property
    def run(self) -> Run | None:
        """The Job under the cursor."""
        here = self.query_one(Jobs).here
        return next((run for run in self.snapshot.runs if run.uid == here), None) if self.snapshot else None

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another Job, another log."""
        if isinstance(event.data_table, Jobs):
            self._follow()

    def _follow(self) -> None:
        """Begin to read the log where another Job, or another state of it, is looked at."""
        run = self.run
        wanted = (run.uid, run.state, run.fault.key if run.fault else "") if run else ()
        if wanted != self._followed:
            self._followed = wanted
            if run is not None:
                self._read_log(run)

    @work(group="log", exclusive=True, exit_on_error=False)
    async def _read_log(self, run: Run) -> None:
        await asyncio.sleep(_SETTLE_SECONDS)  # while somebody moves through the list, only where he stays is read
        pane = self.query_one("#log", Log)
        self._entitle("log", f"log of {run.name}")
        cluster = await self.connection.once_connected()
        while True:
            pane.forget()
            if run.fault is not None:
                pane.hear(Text(f"cause: {run.fault.cause}\nfix: {run.fault.fix}\n", "bold"))
            if await self._read(cluster, run, pane):
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, cluster: Cluster, run: Run, pane: Log) -> bool:
        """Write the lines as they come. False where the Job runs on: its pod has not started, or the stream broke."""
        name, namespace = self._release, self._where or ""
        try:
            lines = release_backups.log(cluster, name, namespace, run.real_name, follow=run.state == "running")
            async with aclosing(lines):
                async for line in lines:
                    pane.border_subtitle = ""
                    pane.hear(Text(line))
        except PgwizardError as error:
            if run.state == "running":
                pane.border_subtitle = Text(plain(f"waiting: {error.message}", 60))
                return False
            pane.hear(Text(plain(error.message, 1_000), "dim"))
        pane.border_subtitle = ""
        return True

    # ---- keys --------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """What can be done with nothing seen yet is little; back is offered where there is something behind."""
        if action == "explained":
            return bool(self._explained)
        if action in ("backup", "suspend", "info", "answers", "copy"):
            return self.snapshot is not None
        return action != "leave" or self.has_way_back or self._away

    def action_explained(self) -> None:
        """The message of the worst reason that has one."""
        self.open_screen(OpenMessages(messages.link(self._explained)))

    @property
    def _home(self) -> Widget:
        return self.query_one("#dash" if self.app.size.width < NARROW else "#jobs")

    @property
    def _away(self) -> bool:
        """Whether somebody went to another pane than where he began."""
        return self.focused is not None and self.focused.id not in _HOME

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Cause, fix and the end of the log of a Job."""
        run = self.run
        known = self.snapshot if self._left else self._known
        if isinstance(event.data_table, Jobs) and run is not None and known is not None:
            old = f", as of {report.when(known.at, self.start.now())} UTC" if self._left else ""
            link = messages.link(run.fault.key) if run.fault else ""
            self.app.push_screen(Details(run.name + old, _details(known, run, link), link))

    def action_info(self) -> None:
        """The list of backups gets the focus, to scroll."""
        if self.query_one("#info").display:
            self.query_one("#info").focus()

    def action_copy(self) -> None:
        """The status as it is printed where there is no terminal."""
        known = self._known
        if known is not None:
            lines = [*self._trouble_lines(), ""] if self._left else []
            lines += report.status_lines(known, judge(known))
            self.app.copy_to_clipboard("\n".join(lines) + "\n")
            self.notify("copied: the status as text", markup=False)

    def action_refresh(self) -> None:
        """Ask everything again at once; where there was trouble, begin anew."""
        if self.connection.cluster is None:
            self.connection.connect()
        if self._trouble is not None:
            self._begin()
        self._again.ask(*observe.ASKED)

    def action_log(self) -> None:
        """The log gets the focus, to scroll and to search by eye."""
        self.query_one("#log").focus()

    def action_leave(self) -> None:
        """Back to the Jobs from another pane; from there to where one came from."""
        if self._away:
            self.set_focus(self._home)
        else:
            self.dismiss(None)

    @work(group="ask", exit_on_error=False)
    async def action_backup(self) -> None:
        """Ask which, then start the Job."""
        if self.snapshot is None or not self.snapshot.wants_backups:
            return
        choices = {"f": "full: everything", "i": "incremental: what changed since the last one"}
        stopped = outage(self.snapshot)
        title = "Take a backup now?" + (f" It would fail: {stopped.text}" if stopped else "")
        key = await self.app.push_screen_wait(ChoiceDialog(title, choices))
        cluster = self._writable
        if key is None or cluster is None:
            return
        kind: Literal["full", "incr"] = "full" if key == "f" else "incr"
        try:
            job = await release_backups.backup_now(
                cluster, self.snapshot.name, self.snapshot.namespace, kind, self.start.now()
            )
        except PgwizardError as error:
            self._refused(error)
            return
        self.notify(f"started Job {fit(job)}", markup=False)
        self.query_one(Jobs).move_cursor(row=0)

    @work(group="ask", exit_on_error=False)
    async def action_suspend(self) -> None:
        """Ask which and whether, then let the schedule rest or go on."""
        if self.snapshot is None or not self.snapshot.crons:
            return
        crons = {str(number): cron for number, cron in enumerate(self.snapshot.crons[:9], start=1)}
        table = self.query_one("#schedules", Rows)
        chosen: str | None = next(
            (key for key, cron in crons.items() if table.has_focus and cron.real_name == table.here), None
        )
        if chosen is None:
            choices = {key: f"{'resume' if cron.suspended else 'suspend'} {cron.name}" for key, cron in crons.items()}
            chosen = await self.app.push_screen_wait(ChoiceDialog("Which schedule?", choices))
        if chosen is None:
            return
        cron = crons[chosen]
        kind = "full" if cron.kind == "full" else "incremental"
        means = "it runs again at its times" if cron.suspended else f"no {kind} backup is taken by schedule until then"
        verb = "Resume" if cron.suspended else "Suspend"
        yes = await self.app.push_screen_wait(ChoiceDialog(f"{verb} {cron.name}?", {"y": f"yes: {means}"}))
        cluster = self._writable
        if yes is None or cluster is None:
            return
        try:
            await release_backups.suspend(cluster, cron.real_name, self.snapshot.namespace, rest=not cron.suspended)
        except PgwizardError as error:
            self._refused(error)

    @work(group="ask", exit_on_error=False)
    async def action_answers(self) -> None:
        """Open the wizard with the answers of the last revision."""
        cluster = self._writable
        if self.snapshot is None or cluster is None:
            return
        try:
            raw = await records.answers_of(cluster, self.snapshot.name, self.snapshot.namespace)
        except PgwizardError as error:
            self._refused(error)
            return
        self.open_screen(OpenWizard(raw))

    @property
    def _writable(self) -> Cluster | None:
        """The cluster that the snapshot is of; None, and said, where that is not the one that is connected."""
        cluster = self.connection.cluster
        if cluster is not None and cluster.server == self._seen_on:
            return cluster
        self.notify("what is shown is not of the cluster that is connected", severity="error", markup=False)
        return None

    def _refused(self, error: PgwizardError) -> None:
        self.notify(plain(f"{error.message} {error.hint}", 1_000), severity="error", markup=False, timeout=15)


def _grid(rows: Sequence[tuple[Text, ...]], apart: int = 2) -> Table:
    """Cells side by side, so many columns apart; only the last one wraps."""
    table = Table.grid(padding=(0, apart, 0, 0))
    for number in range(len(rows[0])):
        table.add_column(no_wrap=number < len(rows[0]) - 1)
    for row in rows:
        table.add_row(*row)
    return table


def _details(snapshot: Snapshot, run: Run, link: str) -> Group:
    """A Job with its cause and fix, its backup, and the end of its log."""
    _, started, took, came = report.run_cells(snapshot, run)
    backup, fault = snapshot.backup_of(run), run.fault
    rows = {"state": run.state, "started": f"{started} UTC", "took": took}
    if backup is not None:
        rows |= {"backup": backup.label, "size": came}
    if run.state == "failed":
        rows["Kubernetes"] = run.message
        reading = f"its log cannot be read: {run.unread}" if run.unread else "reading its log"
        rows["cause"] = fault.cause if fault else "none that is known" if run.tail is not None else reading
    if fault is not None:
        rows |= {"fix": fault.fix, "said": fault.text}
    cells = [(Text(label, "bold"), Text(text)) for label, text in rows.items()]
    grid = _grid([*cells, (Text("more", "bold"), message_link(link))] if link else cells)
    tail = (Text("\nthe end of its log", "bold"), Text("\n".join(run.tail))) if run.tail else ()
    return Group(grid, *tail)
