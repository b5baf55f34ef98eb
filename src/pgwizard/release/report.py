"""Events, changes and failures of a run as text, a line each. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgwizard.diagnose import messages
from pgwizard.errors import AnswersError, PgwizardError, PreflightError
from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.text import visible

if TYPE_CHECKING:
    from pgwizard.plan.plan import KeyRef, Plan

_MARKS = {"done": "✓", "failed": "✗", "began": "●", "progress": "·", "warning": "!", "log": " ", "skipped": "-"}
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "unchanged": "=", "keep": "="}


def event_line(event: Event) -> str:
    """``✓ apply         14 to create   0.9 s``; a log line is indented under its stage."""
    if event.kind == "log":
        return f"    {event.text}"
    took = f"   {event.seconds:.1f} s" if event.seconds is not None else ""
    return f"{_MARKS[event.kind]} {event.stage:13} {event.text}{took}".rstrip()


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
        if whole:
            shown = change.after.splitlines() if change.action == "create" else change.lines()
            lines += [f"    {line}" for line in shown]
    return lines


# ---- how to connect ------------------------------------------------------------------------------------------------

LOCAL_PORT = 15432
"""Of the port-forward: 5432 is often taken by a PostgreSQL of this machine."""


def connect_commands(plan: Plan, context: str | None = None, kubeconfig: str | None = None) -> tuple[str, str]:
    """Two commands for a shell: read the password into a variable, and open psql through a port-forward.

    The password itself is in neither. context, kubeconfig: where they were named, kubectl needs them too.
    """
    named = (("--context", context), ("--kubeconfig", kubeconfig))
    kubectl = shlex.join(
        ["kubectl", *(part for flag, value in named if value for part in (flag, value)), "-n", plan.namespace]
    )
    user = shlex.quote(plan.probe_user) if plan.probe_user else f'"{_secret_value(kubectl, plan.username)}"'
    forward = f"{kubectl} port-forward service/{plan.names.release} {LOCAL_PORT}:5432 >/dev/null & sleep 2"
    psql = f"psql -h 127.0.0.1 -p {LOCAL_PORT} -U {user} -d {shlex.quote(plan.database)}"
    return f'export PGPASSWORD="{_secret_value(kubectl, plan.password)}"', f"{forward}; {psql}; kill $!"


def _secret_value(kubectl: str, key: KeyRef) -> str:
    """A command substitution that reads one key of a Secret; dots of a key are escaped for jsonpath."""
    path = shlex.quote(f"{{.data.{key.key.replace('.', chr(92) + '.')}}}")
    return f"$({kubectl} get secret {shlex.quote(key.secret)} -o jsonpath={path} | base64 -d)"


# ---- failures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """What a person needs of an error. All of it is text; what is not known is empty.

    detail: further lines of the message, such as the last ones of a log; link: where it is explained; question: the
    dotted path of the answer that is most likely at fault.
    """

    message: str
    detail: tuple[str, ...] = ()
    cause: str = ""
    fix: str = ""
    link: str = ""
    question: str = ""


def failure(error: BaseException, log: Sequence[str] = ()) -> Failure:
    """An error explained. log: the lines that were read before it, which may hold the cause.

    Of a defect only the type is told: its text may hold anything.
    """
    from pgwizard.diagnose.diagnose import diagnoses  # its table of patterns is compiled only where something failed

    if not isinstance(error, PgwizardError):
        return Failure(f"a defect of pgwizard itself: {type(error).__name__}", fix="Try again, and report it.")
    message, *detail = error.message.splitlines()
    problems = error.problems if isinstance(error, (AnswersError, PreflightError)) else ()
    asked = next((problem.question for problem in problems if problem.question), "")
    found = diagnoses("\n".join([error.message, *log]))
    if error.hint.startswith("Cause: "):  # it was diagnosed where it arose: this is only where to read on
        cause, _, fix = error.hint.removeprefix("Cause: ").partition("\nFix: ")
        known = next((item for item in found if item.cause == cause), None)
    else:
        known = found[0] if found else None
        cause, fix = (known.cause, known.fix) if known else ("", "")
        fix = "\n".join(filter(None, (fix, error.hint)))
    return Failure(
        message,
        tuple(detail),
        cause,
        fix,
        messages.link(known.key) if known else "",
        asked or (known.question if known else ""),
    )
