"""The comparison of answers with the cluster: what an apply would change, found by a dry run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from pgwizard.answers.questions import Answers
from pgwizard.errors import OwnershipConflict, PgwizardError
from pgwizard.local import inputs
from pgwizard.release.apply import ApplyOutcome, Options, ReleaseRequest, run
from pgwizard.release.changes import Change, count_text
from pgwizard.release.report import event_text, finding_of
from pgwizard.release.stages import Event
from pgwizard.tui.base import HostAccess
from pgwizard.tui.navigation import Applied
from pgwizard.tui.widgets.change_folds import change_folds
from pgwizard.tui.widgets.folds import Folds
from pgwizard.tui.widgets.outcomes import failure_rows, outcome_table
from pgwizard.wizard.draft import Draft

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster

NOT_COMPARED = "Not compared yet. Press d to see what an apply would change; nothing is written."


class Comparison(HostAccess, Vertical):
    """It is forgotten when the cluster may be another one, or as another apply leaves it."""

    DEFAULT_CSS = """
    Comparison { height: 1fr; }
    Comparison Static { height: auto; max-height: 60%; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(id="live")
        self.outcome: ApplyOutcome | None = None
        self._answers: Answers | None = None
        self._cluster: Cluster | None = None
        self._refusal: OwnershipConflict | None = None
        self._work: Worker[ApplyOutcome] | None = None

    def compose(self) -> ComposeResult:
        """How it went, and the changes."""
        yield Static(NOT_COMPARED, id="compared", markup=False)
        yield Folds(id="changes")

    def on_mount(self) -> None:
        """Follow the connection, and what is applied."""
        self.watch(self.app, "link", self._follow_connection, init=False)
        self.host.applied_signal.subscribe(self, self._after_apply)

    @property
    def folds(self) -> Folds:
        return self.query_one(Folds)

    def is_of(self, answers: Answers) -> bool:
        """Whether these answers were compared, or are being compared."""
        return self._answers == answers

    def compare(self, draft: Draft) -> None:
        """Find what an apply of the answers would change; not while they have problems. Nothing is written."""
        self.forget()
        if draft.problems:
            self._show("There are problems: 1 lists them. Compare once they are fixed.")
            return
        answers = self._answers = draft.answers
        self._show_waiting()
        work = self._run(answers)
        self._work = self.run_worker(
            work, name="compare with the cluster", group="compare", exclusive=True, exit_on_error=False
        )

    def forget(self) -> None:
        """Show that nothing is compared."""
        self.workers.cancel_group(self, "compare")
        self.outcome = self._answers = self._cluster = self._refusal = self._work = None
        self.folds.show([])
        self._show(NOT_COMPARED)

    async def _run(self, answers: Answers) -> ApplyOutcome:
        cluster = self._cluster = await self.connection.once_connected()
        references, bundle = await asyncio.to_thread(
            inputs.read_references, answers, self.start.folder, self.start.now()
        )
        request, options = ReleaseRequest(answers, references, bundle), Options(dry_run=True)
        try:
            return await run(request, cluster, self._report, _refuse, options, now=self.start.now)
        except OwnershipConflict as error:
            self._refusal = error
        try:  # an apply would be refused: then what it would change if it took the objects over
            options = replace(options, take_over=True)
            return await run(request, cluster, self._report, _refuse, options, now=self.start.now)
        except PgwizardError:
            raise self._refusal from None

    def _report(self, event: Event) -> None:
        if event.kind in ("began", "progress"):
            self._show(f"● comparing: {event_text(event)}")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what was found, or why it could not be."""
        if event.worker is not self._work:
            return
        if event.state is WorkerState.SUCCESS and isinstance(event.worker.result, ApplyOutcome):
            self.outcome = event.worker.result
            self.folds.show(change_folds(self.outcome.changes))
            text = summary(self.outcome.changes, self.start.now())
            if self._refusal is None:
                self._show(text)
            else:
                rows = failure_rows(finding_of(self._refusal), self._refusal.findings)
                self._show(outcome_table([*rows, ("else", f"an apply with --take-over: {text}")]))
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            error = event.worker.error
            findings = error.findings if isinstance(error, PgwizardError) else ()
            self._show(outcome_table([*failure_rows(finding_of(error), findings), ("d", "tries again")]))

    def _after_apply(self, _: Applied) -> None:
        self.forget()

    def _follow_connection(self) -> None:
        if self._cluster is not None and self._cluster is not self.connection.cluster:
            self.forget()
        elif self._answers is not None and self._cluster is None:
            self._show_waiting()

    def _show_waiting(self) -> None:
        self._show(f"● waiting for the cluster: {self.host.link}")

    def _show(self, what: str | Table) -> None:
        self.query_one("#compared", Static).update(what)


async def _refuse(_: Sequence[Change]) -> bool:
    return False


def summary(changes: Sequence[Change], at: datetime) -> str:
    """What the changes come to, compared at this time."""
    actions = {change.action for change in changes}
    if actions == {"create"}:
        text = f"+ new release: all {len(changes)} objects are created"
    elif actions <= {"unchanged", "keep"}:
        text = f"= already up to date: all {len(changes)} objects"
    else:
        text = f"~ {count_text(changes)}; Enter shows the changes"
    return f"{text} · compared {at.astimezone():%d %b %H:%M}"
