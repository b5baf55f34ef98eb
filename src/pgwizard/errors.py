"""The one tree of errors. Every error that a user meets is one of these; each class fixes the exit code of the process.

    PgwizardError                   1   a bug in pgwizard
    ├── AnswersError                2   the answers are wrong; carries every problem
    ├── UsageError                  2   the command line is wrong
    ├── OutputError                 3   the result could not be written
    ├── ClusterError                4   the API server cannot be reached or refused; nothing else is known
    │   ├── KubeconfigError         4   no usable kubeconfig, or its credentials plug-in failed
    │   ├── Unreachable             4   no connection, or none that lasted
    │   └── ApiError                4   the server answered with a failure status
    │       ├── Unauthorized        4   401
    │       ├── Forbidden           4   403
    │       ├── NotFound            4   404
    │       ├── Conflict            4   409
    │       │   └── AlreadyExists   4   409 on create
    │       ├── Gone                4   410: the resource version is too old
    │       ├── Invalid             4   400 or 422
    │       └── ServerFailure       4   429 and 5xx that outlived the retries
    ├── PreflightError              5   a check failed before the first write; carries every finding
    ├── OwnershipConflict           6   another tool owns what pgwizard would write
    ├── DeadlineError               7   a wait ended at its deadline
    ├── RolloutFailed               8   a pod cannot start
    ├── JobFailed                   9   a Job failed: that of the first backup, or another one
    ├── Locked                     10   another run holds the release
    ├── NotProven                  11   a release is not known to be recoverable without a risk
    ├── RestoreFailed              12   a restore has begun and did not end; the database may be down
    └── Interrupted               130   the user stopped it; 128 + the number of another signal

Messages arrive complete, in plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Literal

from pgwizard.text import visible

Severity = Literal["error", "warning"]
"""An error stops a run; a warning is shown and left to the reader."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or needs a look: what, why, and what to do. All of it is text; unknown parts are empty.

    question: dotted path of the answer to change, such as ``storage.size``; empty where it is about no single answer.
    text: what failed, on which object. cause: why. fix: what to do. key: its anchor in docs/errors.md.
    line, column: 1-based place in the file of answers; None where the value does not come from a file.
    """

    question: str = ""
    text: str = ""
    line: int | None = None
    column: int | None = None
    _: KW_ONLY
    severity: Severity = "error"
    key: str = ""
    cause: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """On one line, without the fix: ``line 3: storage.size: 10Mi is too small``."""
        line = f"line {self.line}" if self.line is not None else ""
        question = self.question
        if len(question) > _LONGEST_QUESTION:
            question = f"{question[:_LONGEST_QUESTION]}..."
        return visible(": ".join(filter(None, (line, question, self.text, self.cause))))

    @property
    def whole(self) -> str:
        """On one line, with the fix."""
        return f"{self}   {self.fix}".rstrip()


_LONGEST_QUESTION = 200


class PgwizardError(Exception):
    """Base of all. ``str()`` is the whole for a log: the message, and below it each finding and the end of a log.

    message: one line: what failed, on which object, and the reason that the server gives.
    findings: each problem, where there may be several.
    fault: what is known of the cause, and what to do about it. hint: what to do next where there is no fault.
    log: the last lines that a failed program printed.
    """

    exit_code: int = 1
    meaning: ClassVar[str] = "a bug in pgwizard"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        findings: Sequence[Finding] = (),
        fault: Finding | None = None,
        log: Sequence[str] = (),
    ) -> None:
        self.message = message
        self.hint = hint
        self.findings = tuple(findings)
        self.fault = fault
        self.log = tuple(log)
        super().__init__(
            "\n".join([message, *(f"  {finding.whole}" for finding in findings), *(f"    {x}" for x in log)])
        )

    def add_hint(self, text: str) -> None:
        """Say more of what to do next. It is shown whether or not the cause is known."""
        self.hint = "\n".join(filter(None, (self.hint, text)))
        if self.fault is not None:
            self.fault = replace(self.fault, fix="\n".join(filter(None, (self.fault.fix, text))))


def describe_defect(error: BaseException | None) -> str:
    """The text for an unexpected error: only its type, because its message may contain a secret."""
    return f"{PgwizardError.meaning}: {type(error).__name__}"


class AnswersError(PgwizardError):
    """The answers are wrong. ``findings`` has every problem, in the order of the file."""

    exit_code = 2
    meaning = "the answers or the command line are wrong"

    def __init__(self, source: str, findings: Sequence[Finding]) -> None:
        self.source = source
        count = f"{len(findings)} problem{'s' if len(findings) != 1 else ''}"
        super().__init__(f"{source}: {count}", findings=findings)


class UsageError(PgwizardError):
    """The command line is wrong."""

    exit_code = 2
    meaning = AnswersError.meaning


class OutputError(PgwizardError):
    """The result could not be written; nothing was left half-written."""

    exit_code = 3
    meaning = "the result could not be written"


class ClusterError(PgwizardError):
    """The API server cannot be reached or refused."""

    exit_code = 4
    meaning = "the cluster cannot be reached, or refused a request"


class KubeconfigError(ClusterError):
    """No usable kubeconfig, or its credentials plug-in failed."""


class Unreachable(ClusterError):
    """No connection to the API server, or none that lasted."""


class ApiError(ClusterError):
    """The server answered with a failure status.

    status: HTTP status; reason: the server's machine-readable reason such as ``Invalid``; may be empty.
    causes: (field, message) pairs from the server's ``details.causes``.
    """

    def __init__(
        self, message: str, *, status: int, reason: str = "", causes: Sequence[tuple[str, str]] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.causes = tuple(causes)


class Unauthorized(ApiError):
    """401: the credentials are not accepted."""


class Forbidden(ApiError):
    """403: RBAC, admission or Pod Security refuses."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: another field manager owns a field, or the object changed meanwhile."""


class AlreadyExists(Conflict):
    """409 on create."""


class Gone(ApiError):
    """410: the resource version is too old; list again."""


class Invalid(ApiError):
    """400 or 422: the object is not valid, or a field is immutable."""


class ServerFailure(ApiError):
    """429 and 5xx that outlived the retries."""


class PreflightError(PgwizardError):
    """Checks failed before the first write. ``findings`` has every problem."""

    exit_code = 5
    meaning = "a check failed before anything was written"

    def __init__(self, message: str, findings: Sequence[Finding] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint, findings=findings)


class OwnershipConflict(PgwizardError):
    """Another tool owns what pgwizard would write."""

    exit_code = 6
    meaning = "another tool owns an object or a field that would be written"


class DeadlineError(PgwizardError):
    """A wait ended at its deadline; the message names what was awaited, and its last known state."""

    exit_code = 7
    meaning = "a wait ended at its deadline"


class RolloutFailed(PgwizardError):
    """The cluster reports that the pod cannot start."""

    exit_code = 8
    meaning = "the database pod cannot start"


class JobFailed(PgwizardError):
    """A Job failed. is_overdue: it was ended at its deadline.

    A restore, a drill and a preview raise their own error from it.
    """

    exit_code = 9
    meaning = "the stanza could not be created, or a backup failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        fault: Finding | None = None,
        log: Sequence[str] = (),
        is_overdue: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, fault=fault, log=log)
        self.is_overdue = is_overdue


class Locked(PgwizardError):
    """Another run holds the release."""

    exit_code = 10
    meaning = "another run is writing to this release"


class NotProven(PgwizardError):
    """The verdict on a release is not RECOVERABLE; the message names it."""

    exit_code = 11
    meaning = "the verdict is not RECOVERABLE: at risk, not recoverable, gone, or unknown"


class RestoreFailed(PgwizardError):
    """A restore has begun and did not end. The server is not started before its target is reached."""

    exit_code = 12
    meaning = "a restore failed; the database may be down until it is resumed"


class Interrupted(PgwizardError):
    """The user stopped it; the message names what was written."""

    exit_code = 130
    meaning = "stopped by the user"
