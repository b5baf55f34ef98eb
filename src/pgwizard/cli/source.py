"""Where the answers of a run come from: a file or standard input, with overrides."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgwizard.answers import file as answers_file
from pgwizard.answers.strict_yaml import LIMIT_BYTES as ANSWERS_LIMIT_BYTES
from pgwizard.errors import AnswersError, Finding
from pgwizard.local import inputs
from pgwizard.plan import checks
from pgwizard.plan.plan import Facts, Plan, resolve
from pgwizard.release import apply

if TYPE_CHECKING:
    pass


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


def planned(source: Source) -> tuple[Plan, tuple[Finding, ...]]:
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
        if loaded.about_right_answers(problem) and not (wrong and problem.question.startswith("tls."))
    ]
    if problems:
        raise AnswersError(source.name, sorted(problems, key=lambda problem: problem.line or 0))
    return resolve(loaded.answers, Facts(ca=ca)), tuple(map(loaded.located, findings.warnings))


# ---- reading -------------------------------------------------------------------------------------------------------


def read(source: Source) -> bytes:
    try:
        if source.path == STDIN:
            return sys.stdin.buffer.read(ANSWERS_LIMIT_BYTES + 1)
        with Path(source.path).open("rb") as file:
            return file.read(ANSWERS_LIMIT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnswersError(source.name, [Finding("", f"cannot be read: {reason}")]) from error


# ---- what answers refer to -----------------------------------------------------------------------------------------


def _release(source: Source) -> apply.ReleaseRequest:
    """The answers of a source and the secrets that they refer to. Raises AnswersError."""
    loaded = answers_file.load(read(source), source.overrides)
    if loaded.answers is None or loaded.problems:
        raise AnswersError(source.name, loaded.problems)
    bundle, wrong = inputs.certificate(loaded.answers, source.folder, source.ca_file)
    if wrong:
        raise AnswersError(source.name, [loaded.located(problem) for problem in wrong])
    return apply.ReleaseRequest(loaded.answers, inputs.given(loaded.answers, source.folder), bundle)
