"""Where the answers of a run come from: a file or standard input, with overrides."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgwizard.answers import file as answers_file
from pgwizard.answers.strict_yaml import LIMIT_BYTES as ANSWERS_LIMIT_BYTES
from pgwizard.cli.options import Call
from pgwizard.cli.table import CA_FILE, SET
from pgwizard.errors import AnswersError, Problem
from pgwizard.local import inputs
from pgwizard.plan import checks
from pgwizard.plan.plan import Facts, Plan, resolve

if TYPE_CHECKING:
    from pgwizard.release.apply import Release

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the answers of a run come from. ``path`` is ``-`` for standard input."""

    path: str
    overrides: tuple[str, ...] = ()
    ca_file: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return "standard input" if self.path == STDIN else self.path

    @property
    def folder(self) -> Path:
        """What file references in the answers are relative to."""
        return Path() if self.path == STDIN else Path(self.path).parent


def source_of(call: Call) -> Source:
    """The FILE of a verb, with its overrides."""
    return Source(call.word, call[SET], call[CA_FILE])


def planned(source: Source) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan of a source, and the warnings. Raises AnswersError with every problem of the source."""
    loaded = answers_file.load(read(source), source.overrides)
    problems = list(loaded.problems)
    if loaded.answers is None:
        raise AnswersError(source.name, problems)
    ca, wrong = inputs.certificate(loaded.answers, source.folder, source.ca_file)
    problems += [loaded.located(problem) for problem in wrong]
    findings = checks.check(loaded.answers, Facts(ca=ca))
    problems += [
        loaded.located(problem)
        for problem in findings.errors
        if loaded.about_right_answers(problem) and not (wrong and problem.path.startswith("tls."))
    ]
    if problems:
        raise AnswersError(source.name, sorted(problems, key=lambda problem: problem.line or 0))
    return resolve(loaded.answers, Facts(ca=ca)), tuple(map(loaded.located, findings.warnings))


def read(source: Source) -> bytes:
    """The file as it is. Raises AnswersError."""
    try:
        if source.path == STDIN:
            if sys.stdin is None:
                raise AnswersError(source.name, [Problem("", "cannot be read: it is closed")])
            return sys.stdin.buffer.read(ANSWERS_LIMIT_BYTES + 1)
        with Path(source.path).open("rb") as file:
            return file.read(ANSWERS_LIMIT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnswersError(source.name, [Problem("", f"cannot be read: {reason}")]) from error


def release_of(source: Source) -> Release:
    """The answers of a source and the secrets that they refer to. Raises AnswersError."""
    from pgwizard.release.apply import Release  # not needed for a render

    loaded = answers_file.load(read(source), source.overrides)
    if loaded.answers is None or loaded.problems:
        raise AnswersError(source.name, loaded.problems)
    bundle, wrong = inputs.certificate(loaded.answers, source.folder, source.ca_file)
    if wrong:
        raise AnswersError(source.name, [loaded.located(problem) for problem in wrong])
    return Release(loaded.answers, inputs.given(loaded.answers, source.folder), bundle)
