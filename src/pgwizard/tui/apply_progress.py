"""What one run of an apply has reported so far, and how it ended, in rows. It shows nothing, and knows no screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pgwizard.errors import Finding, PgwizardError
from pgwizard.kube.commands import Commands
from pgwizard.release.apply import ApplyOutcome
from pgwizard.release.changes import Change
from pgwizard.release.report import WriteCount, connect_commands, finding_of
from pgwizard.release.stages import Event
from pgwizard.tui.widgets.outcomes import CONNECT, OutcomeRow, failure_rows, success_rows

RESUME = "Apply again at any time to resume."
_MAX_LOG_LINES = 400
"""Lines of the log in which the cause of a failure is looked for, and that are copied."""


class ApplyProgress:
    """The progress of one run."""

    def __init__(self) -> None:
        self.outcome: ApplyOutcome | None = None
        self.failure: Finding | None = None
        self.commands: tuple[str, ...] = ()
        """For a shell: how to connect to the database, once it is there."""
        self.log: deque[str] = deque(maxlen=_MAX_LOG_LINES)
        self._count = WriteCount()

    @property
    def is_approved(self) -> bool:
        return self._count.is_approved

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
        """The run starts to write."""
        self._count.approve(changes)

    def take(self, event: Event) -> None:
        """Keep the lines of logs, and count what is written."""
        if event.kind == "log":
            self.log.append(event.text)
        self._count.take(event)

    def succeed(self, outcome: ApplyOutcome, commands: Commands) -> list[OutcomeRow]:
        self.outcome = outcome
        rows = success_rows(outcome)
        if outcome.plan is not None:
            self.commands = tuple(connect_commands(outcome.plan, commands))
            rows.append((CONNECT, "\n".join(self.commands)))
        return rows

    def fail(self, error: BaseException) -> list[OutcomeRow]:
        """Keep the log of the error if no log was followed."""
        self.failure = finding_of(error, list(self.log))
        findings, log = (error.findings, error.log) if isinstance(error, PgwizardError) else ((), ())
        if not self.log:
            self.log.extend(log)
        rows = failure_rows(self.failure, findings)
        return [*rows, ("written", self._count.text)] if self.is_approved else rows

    def stop(self) -> list[OutcomeRow]:
        """The run was cancelled."""
        return [("-", f"Stopped watching. {self._count.sequel} {RESUME}"), ("written", self._count.text)]
