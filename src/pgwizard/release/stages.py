"""The progress of a run as data; the faces show it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

from pgwizard.errors import Finding, OutputError, PgwizardError
from pgwizard.release.changes import Change

EventKind = Literal["began", "progress", "warning", "log", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. stage: which of the run's stages; text: for people, plain, one line.

    seconds: how long the stage took; with ``done`` and ``failed`` only. change: the one that is being made.
    finding: the warning. is_result: whether progress is the result of a part of the stage.
    """

    stage: str
    kind: EventKind
    text: str = ""
    seconds: float | None = None
    change: Change | None = None
    finding: Finding | None = None
    is_result: bool = False


Report = Callable[[Event], None]


@dataclass
class Stage:
    """A running stage, which reports its events."""

    name: str
    report: Report
    summary: str = ""

    def progress(self, text: str, *, is_result: bool = False) -> None:
        self.report(Event(self.name, "progress", text, is_result=is_result))

    def changing(self, change: Change) -> None:
        """Report that an object is about to be written or deleted."""
        self.report(Event(self.name, "progress", f"{change.action} {change.ref}", change=change))

    def warning(self, finding: Finding) -> None:
        self.report(Event(self.name, "warning", str(finding), finding=finding))

    def log(self, text: str) -> None:
        self.report(Event(self.name, "log", text))

    def complete(self, text: str) -> None:
        """Set the summary, which is reported at the end."""
        self.summary = text


@contextlib.asynccontextmanager
async def enter(name: str, report: Report) -> AsyncIterator[Stage]:
    """Run a stage: report its start, its end with the duration, or its failure."""
    loop = asyncio.get_running_loop()
    stage, start = Stage(name, report), loop.time()
    report(Event(name, "began"))
    try:
        yield stage
    except BaseException as error:
        message = error.message if isinstance(error, PgwizardError) else "stopped"
        with contextlib.suppress(OSError, OutputError):  # if the report failed, that is the error
            report(Event(name, "failed", message, loop.time() - start))
        raise
    report(Event(name, "done", stage.summary, loop.time() - start))
