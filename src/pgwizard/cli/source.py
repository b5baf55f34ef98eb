"""Where the answers of a run come from: a file or standard input, with overrides."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgwizard.answers import file as answers_file
from pgwizard.answers.strict_yaml import LIMIT_BYTES as ANSWERS_LIMIT_BYTES
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import CA_FILE, SET
from pgwizard.clock import utc_now
from pgwizard.errors import AnswersError, Finding
from pgwizard.local import inputs
from pgwizard.plan import checks
from pgwizard.plan.plan import Facts, Plan, resolve

if TYPE_CHECKING:
    from pgwizard.release.apply import ReleaseRequest

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


def source_of(call: Invocation) -> Source:
    """The FILE of a verb, with its overrides."""
    return Source(call.word, call[SET], call[CA_FILE])


def planned(source: Source) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan of a source, and the warnings. Raises AnswersError with every problem of the source."""
    loaded = answers_file.load(read(source), source.overrides)
    problems = list(loaded.problems)
    if loaded.answers is None:
        raise AnswersError(source.name, problems)
    ca, wrong = inputs.certificate(loaded.answers, source.folder, utc_now(), source.ca_file)
    problems += [loaded.locate(problem) for problem in wrong]
    findings = checks.check(loaded.answers, Facts(ca=ca))
    problems += [
        loaded.locate(problem)
        for problem in findings.errors
        if loaded.about_right_answers(problem) and not (wrong and problem.question.startswith("tls."))
    ]
    if problems:
        raise AnswersError(source.name, sorted(problems, key=lambda problem: problem.line or 0))
    return resolve(loaded.answers, Facts(ca=ca)), tuple(map(loaded.locate, findings.warnings))


def read(source: Source) -> bytes:
    """The file as it is. Raises AnswersError."""
    try:
        if source.path == STDIN:
            if sys.stdin is None:
                raise AnswersError(source.name, [Finding("", "cannot be read: it is closed")])
            return sys.stdin.buffer.read(ANSWERS_LIMIT_BYTES + 1)
        with Path(source.path).open("rb") as file:
            return file.read(ANSWERS_LIMIT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnswersError(source.name, [Finding("", f"cannot be read: {reason}")]) from error


def release_of(source: Source) -> ReleaseRequest:
    """The answers of a source and the secrets that they refer to. Raises AnswersError."""
    from pgwizard.release.apply import ReleaseRequest  # not needed for a render

    loaded = answers_file.load(read(source), source.overrides)
    if loaded.answers is None or loaded.problems:
        raise AnswersError(source.name, loaded.problems)
    bundle, wrong = inputs.certificate(loaded.answers, source.folder, utc_now(), source.ca_file)
    if wrong:
        raise AnswersError(source.name, [loaded.locate(problem) for problem in wrong])
    return ReleaseRequest(loaded.answers, inputs.read_secrets(loaded.answers, source.folder), bundle)
