"""Events, changes, findings and errors of a run as lines of text. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pgwizard.errors import Finding, PgwizardError, describe_defect
from pgwizard.kube.api import JOB, STATEFULSET
from pgwizard.kube.commands import Commands
from pgwizard.release.changes import Change, cost
from pgwizard.release.stages import Event
from pgwizard.text import visible

if TYPE_CHECKING:
    from pgwizard.plan.plan import KeyRef, Plan

_MARKS = {"done": "✓", "failed": "✗", "began": "●", "progress": "·", "warning": "!", "log": " ", "skipped": "-"}
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "unchanged": "=", "keep": "="}


def event_line(event: Event) -> str:
    """``✓ apply         14 to create   0.9 s``; a log line is indented under its stage."""
    return f"    {event.text}" if event.kind == "log" else f"{_MARKS[event.kind]} {event_text(event)}"


def event_text(event: Event) -> str:
    """``apply         14 to create   0.9 s``: the line of a stage without its mark."""
    took = f"   {event.seconds:.1f} s" if event.seconds is not None else ""
    return f"{event.stage:13} {event.text}{took}".rstrip()


def change_line(change: Change) -> str:
    """``+ create  StatefulSet shop/postgresql``, with the reason where there is one."""
    why = f"   ({change.why})" if change.why else ""
    return visible(f"{_SIGNS[change.action]} {change.action:9} {change.ref}{why}")


def change_lines(changes: Sequence[Change], *, whole: bool) -> list[str]:
    """What changes, a line an object; with ``whole`` its diff below, or all of an object that is new."""
    lines: list[str] = []
    for change in changes:
        if change.action == "unchanged":
            continue
        lines.append(change_line(change))
        if loss := cost(change):
            lines.append(f"    ! {loss}")
        if whole:
            lines_ = change.after.splitlines() if change.action == "create" else change.lines()
            lines += [f"    {line}" for line in lines_]
    return lines


# ---- how to connect ------------------------------------------------------------------------------------------------


def address(plan: Plan) -> str:
    """Where the database is in the cluster, and where its superuser and password are."""
    return (
        f"{plan.names.release}.{plan.namespace}.svc:5432, database {plan.database}; "
        f"superuser and password are in Secret {plan.namespace}/{plan.username.secret}"
    )


LOCAL_PORT = 15432
"""Of the port-forward: 5432 is often taken by a PostgreSQL of this machine."""


def connect_commands(plan: Plan, commands: Commands) -> tuple[str, str]:
    """Two commands for a shell: read the password into a variable, and open psql through a port-forward.

    The password itself is in neither.
    """
    kubectl = partial(commands.kubectl, namespace=plan.namespace)
    user = shlex.quote(plan.probe_user) if plan.probe_user else f'"{_secret_value(kubectl, plan.username)}"'
    forward = f"{kubectl('port-forward', f'service/{plan.names.release}', f'{LOCAL_PORT}:5432')} >/dev/null & sleep 2"
    psql = f"psql -h 127.0.0.1 -p {LOCAL_PORT} -U {user} -d {shlex.quote(plan.database)}"
    return f'export PGPASSWORD="{_secret_value(kubectl, plan.password)}"', f"{forward}; {psql}; kill $!"


def _secret_value(kubectl: Callable[..., str], key: KeyRef) -> str:
    """A command substitution that reads one key of a Secret; dots of a key are escaped for jsonpath."""
    path = key.key.replace(".", "\\.")
    return f"$({kubectl('get', 'secret', key.secret, '-o', f'jsonpath={{.data.{path}}}')} | base64 -d)"


# ---- findings and errors ---------------------------------------------------------------------------------------------


def finding_of(error: BaseException, log: Sequence[str] = ()) -> Finding:
    """An error with its cause and what to do, as far as known. log: lines read before it, with a possible cause.

    Of a defect only the type is shown: its text may hold anything.
    """
    from pgwizard.diagnose.diagnose import diagnose  # imported late: its patterns are compiled only after a failure

    if not isinstance(error, PgwizardError):
        return Finding(text=describe_defect(error), fix="Try again, and report it.")
    cause = error.fault or diagnose("\n".join([str(error), *log])) or Finding()
    return Finding(
        question=next((finding.question for finding in error.findings if finding.question), cause.question),
        text=error.message,
        key=cause.key,
        cause=cause.cause,
        fix="\n".join(filter(None, (cause.fix, "" if error.fault else error.hint))),
    )


def error_lines(error: PgwizardError) -> list[str]:
    """An error in full: what failed, each finding, the end of the log, cause and fix."""
    lines = [error.message, *(f"  {finding.whole}" for finding in error.findings)]
    lines += [f"    {line}" for line in error.log]
    if error.fault:
        return [*lines, f"Cause: {error.fault.cause}", f"Fix: {error.fault.fix}"]
    return [*lines, *error.hint.splitlines()]


# ---- what was written ------------------------------------------------------------------------------------------------


def progress_text(changes: Sequence[Change], begun_changes: Sequence[Change], *, complete: bool) -> str:
    """How many of the objects of an apply that did not end are in the cluster.

    changes: all that were approved; begun_changes: those that it began to write, in order; complete: whether all were
    written.
    """
    writes = [change for change in changes if change.action in ("create", "update", "replace")]
    total = sum(change.ref.resource.kind != "Job" for change in writes)  # the Job belongs to the first backup
    if not total:
        return "nothing: every object is up to date"
    sure = len(begun_changes) if complete else max(0, len(begun_changes) - 1)
    unsure = "" if complete or not begun_changes else f"; {begun_changes[-1].ref} was in progress"
    job = " (the Job of the first backup not counted)" if total < len(writes) else ""
    return f"{sure} of {total} objects{job}{unsure}"


class WriteCount:
    """What a run has written so far, counted by its approval and its events, and what the cluster does with it."""

    def __init__(self) -> None:
        self._changes: tuple[Change, ...] | None = None
        self._begun_changes: list[Change] = []
        self._is_complete = False
        self._stage = ""

    @property
    def is_approved(self) -> bool:
        """Whether there were changes to approve, and they were: before that nothing is written."""
        return self._changes is not None

    def approve(self, changes: Sequence[Change]) -> None:
        """The run starts to write."""
        self._changes = tuple(changes)

    def take(self, event: Event) -> None:
        """Count the object of the event."""
        if event.kind == "began":
            self._stage = event.stage
        if event.stage == "apply":
            if event.change is not None:
                self._begun_changes.append(event.change)
            self._is_complete = self._is_complete or event.kind == "done"

    @property
    def text(self) -> str:
        """How many of the objects are written, in words."""
        if self._changes is None:
            return "nothing"
        return progress_text(self._changes, self._begun_changes, complete=self._is_complete)

    @property
    def sequel(self) -> str:
        """What the cluster does if the run stops now."""
        if self._stage == "first backup":
            return "The first backup continues in the cluster."
        if self._stage == "wait":
            creations = {change.ref.resource for change in self._changes or () if change.action == "create"}
            job = ", and the first backup follows" if {STATEFULSET, JOB} <= creations else ""
            return f"The pod continues to start in the cluster{job}."
        return "What is written stays."
