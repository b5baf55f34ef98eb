"""A run that changes a release, as lines: its events, the objects it changes, and what it could not prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from pgwizard.cli.json_lines import JsonLine, ProblemPart, explain_command
from pgwizard.cli.writer import Writer
from pgwizard.errors import Finding, NotProven
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.changes import Action, Change
from pgwizard.release.report import change_lines, event_line, event_text
from pgwizard.release.stages import Event, EventKind, Report


@dataclass(frozen=True, slots=True)
class ChangePart:
    """One object of a release and what becomes of it."""

    action: Action
    object: str
    why: str
    restarts: bool

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(change.action, str(change.ref), change.why, change.restarts)


@dataclass(frozen=True, slots=True)
class EventLine(JsonLine):
    """A stage of an apply or an uninstall: it began, made progress, ended. seconds: how long it took, at its end.

    change: the one that is being made. problem: what a warning is about.
    """

    type_name = "event"
    stage: str
    kind: EventKind
    text: str
    seconds: float | None
    change: ChangePart | None
    problem: ProblemPart | None


@dataclass(frozen=True, slots=True)
class ChangeLine(ChangePart, JsonLine):
    """One object of a release and what becomes of it. diff: unified, values masked; null where none is shown."""

    type_name = "change"
    diff: tuple[str, ...] | None = None


def reporter(writer: Writer, locate: Callable[[Finding], Finding] = lambda finding: finding) -> Report:
    """Events of a run, one line each. locate: gives a warning its line in the file of answers."""

    def report(event: Event) -> None:
        change = ChangePart.of(event.change) if event.change is not None else None
        problem = None
        if event.finding is not None:
            finding = locate(event.finding)
            event, problem = replace(event, text=finding.whole), ProblemPart.of(finding)
        record = EventLine(event.stage, event.kind, event.text, event.seconds, change, problem)
        writer.event(event_line(event), event_text(event), event.kind, record)

    return report


def show_changes(writer: Writer, changes: Sequence[Change], *, whole: bool) -> None:
    """Print every object; in text, unchanged ones are left out."""
    for change in changes:
        detail = "\n".join(change_lines([change], whole=whole)) or None
        line = ChangeLine.of(change)
        writer.line(detail, replace(line, diff=tuple(change.lines())) if whole else line)


def require_proof(release: ReleaseRef, findings: Sequence[Finding]) -> None:
    """Raises NotProven if there are findings about a backup, as the status does."""
    if findings:
        worst = findings[0]
        raise NotProven(f"{release}: {worst}", hint=f"{worst.fix}\nMore: {explain_command(worst.key)}")
