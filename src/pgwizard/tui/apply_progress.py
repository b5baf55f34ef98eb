"""What one run of an apply has reported so far, and how it ended, in rows. It shows nothing, and knows no screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pgwizard.errors import Finding, PgwizardError
from pgwizard.kube.commands import Commands
from pgwizard.release.apply import ApplyOutcome
from pgwizard.release.changes import Change
from pgwizard.release.report import connect_commands, finding_of, progress_text
from pgwizard.release.stages import Event
from pgwizard.tui.widgets.outcomes import CONNECT, OutcomeRow, failure_rows, success_rows

RESUMES = "The cluster continues. Apply again at any time to resume."
_LOG_KEPT = 400
"""Lines of the log in which the cause of a failure is looked for, and that are copied."""


class ApplyProgress:
    """Of one run: another run begins with another one."""

    def __init__(self) -> None:
        self.outcome: ApplyOutcome | None = None
        self.failure: Finding | None = None
        self.log: deque[str] = deque(maxlen=_LOG_KEPT)
        self._changes: tuple[Change, ...] | None = None
        """The approved ones; None before the approval."""
        self._begun: list[Change] = []
        self._is_applied = False

    @property
    def is_approved(self) -> bool:
        return self._changes is not None

    @property
    def question(self) -> str:
        """The question to change after a failure, as a dotted path; empty for none."""
        return self.failure.question if self.failure else ""

    @property
    def message(self) -> str:
        """The key of the message about how it ended; empty for none."""
        findings = (self.failure,) if self.failure else self.outcome.findings if self.outcome else ()
        return next((finding.key for finding in findings if finding.key), "")

    def approve(self, changes: Sequence[Change]) -> None:
        """From here on the run writes."""
        self._changes = tuple(changes)

    def take(self, event: Event) -> None:
        """Take in an event."""
        if event.kind == "log":
            self.log.append(event.text)
        if event.stage == "apply":
            if event.change is not None:
                self._begun.append(event.change)
            self._is_applied = self._is_applied or event.kind == "done"

    def succeed(self, outcome: ApplyOutcome, commands: Commands) -> list[OutcomeRow]:
        self.outcome = outcome
        rows = success_rows(outcome)
        if outcome.plan is not None:
            rows.append((CONNECT, "\n".join(connect_commands(outcome.plan, commands))))
        return rows

    def fail(self, error: BaseException) -> list[OutcomeRow]:
        """Where no log was followed, that of the error is kept."""
        self.failure = finding_of(error, list(self.log))
        findings, log = (error.findings, error.log) if isinstance(error, PgwizardError) else ((), ())
        if not self.log:
            self.log.extend(log)
        rows = failure_rows(self.failure, findings)
        return [*rows, ("written", self._written())] if self.is_approved else rows

    def stop(self) -> list[OutcomeRow]:
        """The run was cancelled."""
        return [("-", f"Stopped watching. {RESUMES}"), ("written", self._written())]

    def _written(self) -> str:
        if self._changes is None:
            return "nothing"
        return progress_text(self._changes, self._begun, complete=self._is_applied)
