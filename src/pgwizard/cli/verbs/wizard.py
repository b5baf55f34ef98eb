"""``wizard``: the terminal face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pgwizard.cli.options import Invocation
from pgwizard.cli.table import ANSWERS
from pgwizard.cli.terminal import at_a_terminal, face, is_dumb
from pgwizard.cli.writer import Writer
from pgwizard.errors import UsageError


def wizard(call: Invocation, _: Writer) -> int:
    """Raises UsageError without a terminal."""
    if is_dumb():
        raise UsageError(
            "the wizard cannot draw on a terminal of the type dumb (TERM)",
            hint="Set TERM to what the terminal is, such as xterm-256color; or use pgwizard init and pgwizard apply.",
        )
    if not at_a_terminal():
        raise UsageError(
            "the wizard needs a terminal as standard input and standard output",
            hint="Without one: pgwizard init -o answers.yaml, then pgwizard apply answers.yaml. See pgwizard --help.",
        )
    path = call[ANSWERS]
    if path is None:
        return face(call)
    return face(call, raw=_answers(path), folder=Path(path).parent if path != "-" else Path())


def _answers(path: str) -> dict[str, Any]:
    """The answers of a file, right or wrong: the wizard shows their problems. Raises AnswersError."""
    from pgwizard.answers import strict_yaml
    from pgwizard.cli.source import Source, read
    from pgwizard.errors import AnswersError, Finding

    document = strict_yaml.read(read(Source(path)))
    if document.problems or not isinstance(document.value, dict):
        problems = document.problems or [Finding("", "expected a block of keys; the first line is usually release:")]
        raise AnswersError(path, problems)
    return document.value
