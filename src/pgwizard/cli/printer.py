"""Output of the verbs: data on stdout, everything else on stderr, as text or as JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pgwizard.errors import Finding, OutputError, PgwizardError
from pgwizard.release import apply
from pgwizard.release.changes import Change
from pgwizard.release.report import change_lines, error_lines, event_line
from pgwizard.release.stages import Event

if TYPE_CHECKING:
    pass


def report(error: PgwizardError, *, as_json: bool) -> None:
    """Say on stderr what failed."""
    data: dict[str, Any] = {
        "error": error.message,
        "exitCode": error.exit_code,
        "problems": [as_data(finding) for finding in error.findings],
    }
    if error.fault:
        data |= {"cause": error.fault.cause, "fix": error.fault.fix}
    elif error.hint:
        data["hint"] = error.hint
    _say("pgwizard: " + "\n".join(error_lines(error)), data, as_json=as_json)


def as_data(finding: Finding) -> dict[str, Any]:
    """A finding as JSON's own types."""
    place = {"line": finding.line, "column": finding.column}
    return {"path": finding.question, "message": finding.text, **place}


def _event_data(event: Event) -> dict[str, Any]:
    data = {"stage": event.stage, "kind": event.kind, "text": event.text, "seconds": event.seconds}
    return {key: value for key, value in data.items() if value is not None}


def put(text: str) -> None:
    """Text to standard output, in UTF-8 whatever the locale says. Raises OutputError; a broken pipe stays one."""
    if not hasattr(sys.stdout, "buffer"):
        raise OutputError("standard output is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error


def _say(text: str, data: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(data) if as_json else text, file=sys.stderr)


# ---- printing ------------------------------------------------------------------------------------------------------


class _Printer:
    """Events as lines: JSON where asked, a spinner behind the current stage on a terminal, plain lines otherwise."""

    def __init__(self, *, as_json: bool, console: Any = None) -> None:
        self._json = as_json
        self._status: Any = None
        self._console = console
        if console is None and not as_json and sys.stdout.isatty():
            from rich.console import Console

            self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def report(self, event: Event) -> None:
        if self._json:
            self.line("", _event_data(event))
        elif self._console is None:
            if event.kind != "began":
                self.line(event_line(event))
        elif event.kind in ("began", "progress"):
            self._spin(event_line(event)[2:])
        else:
            if event.kind in ("done", "failed"):
                self.close()
            self.line(event_line(event), cropped=event.kind == "log")

    def _spin(self, text: str) -> None:
        from rich.text import Text

        if self._status is None:
            self._status = self._console.status(Text(text))
            self._status.start()
        else:
            self._status.update(Text(text))

    def line(self, text: str, data: dict[str, Any] | None = None, *, cropped: bool = False) -> None:
        if self._json:
            print(json.dumps(data if data is not None else {"text": text}), flush=True)
        elif self._console is not None:
            from rich.text import Text

            shown = Text(text)
            if cropped:  # pgBackRest's lines are long; what matters stands at their beginning
                shown.truncate(self._console.width, overflow="ellipsis")
            self._console.print(shown)
        else:
            print(text, flush=True)

    def changes(self, changes: Sequence[Change], *, whole: bool) -> None:
        if self._json:
            for change in changes:
                data = {"action": change.action, "object": str(change.ref), "why": change.why}
                shown = {"diff": change.lines()} if whole else {}
                self.line("", {"change": {**data, **shown}})
        else:
            for line in change_lines(changes, whole=whole):
                self.line(line)

    def outcome(self, outcome: apply.ApplyOutcome) -> None:
        self.line(outcome.message, {"outcome": outcome.result, "message": outcome.message})

    def close(self) -> None:
        """Take the spinner off the screen."""
        if self._status is not None:
            self._status.stop()
            self._status = None
