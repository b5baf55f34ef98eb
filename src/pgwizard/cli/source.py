"""Where the answers of a run come from: a file or standard input, with overrides."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pgwizard.answers import file as answers_file
from pgwizard.answers.file import LoadedAnswers
from pgwizard.answers.questions import Answers
from pgwizard.answers.secrets import SecretInputs
from pgwizard.answers.strict_yaml import LIMIT_BYTES as ANSWERS_LIMIT_BYTES
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import CA_FILE, SET
from pgwizard.clock import utc_now
from pgwizard.errors import AnswersError, Finding, PreflightError
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
        return "standard input" if self.path == STDIN else self.path

    @property
    def folder(self) -> Path:
        """What file references in the answers are relative to."""
        return Path() if self.path == STDIN else Path(self.path).parent


def source_of(call: Invocation) -> Source:
    """The FILE of a verb, with its overrides."""
    return Source(call.word, call[SET], call[CA_FILE])


def resolve_plan(source: Source, *, needs_certificate: bool = True) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan of a source, and the warnings. Raises AnswersError with every problem of the source.

    needs_certificate: whether it is a problem that there is no certificate at hand.
    """
    loaded_answers, answers = _load(source)
    ca, wrong = inputs.certificate(answers, source.folder, utc_now(), source.ca_file)
    findings = checks.check(answers, Facts(ca=ca))
    if problems := _together(loaded_answers, wrong, findings.errors, needs_certificate=needs_certificate and not wrong):
        raise AnswersError(source.name, problems)
    return resolve(answers, Facts(ca=ca)), tuple(map(loaded_answers.locate, findings.warnings))


def read(source: Source) -> bytes:
    """The bytes of the file. Raises AnswersError."""
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


@dataclass(frozen=True, slots=True)
class LocatedRelease:
    """A release as a source describes it. locate: adds the line in the file to a finding.

    unread: that the file of the certificate does not exist, where that was allowed.
    """

    name: str
    request: ReleaseRequest
    locate: Callable[[Finding], Finding]
    unread: Finding | None = None

    @contextlib.contextmanager
    def locating(self) -> Iterator[None]:
        """Add the lines of the file to the problems of a run."""
        try:
            yield
        except AnswersError as error:
            raise AnswersError(self.name, _in_order(map(self.locate, error.findings))) from error
        except PreflightError as error:
            raise PreflightError(error.message, [*map(self.locate, error.findings)], hint=error.hint) from error


def release_of(source: Source, *, may_lack_certificate: bool = False) -> LocatedRelease:
    """The answers of a source and the secrets that they refer to.

    may_lack_certificate: whether the file that tls.caFile names may be missing, see ``LocatedRelease.unread``.

    Raises AnswersError with every problem of the source, where there is one that needs no cluster to be seen. A run
    checks across the answers by itself, together with what the cluster has.
    """
    from pgwizard.release.apply import ReleaseRequest  # not needed for a render

    loaded_answers, answers = _load(source)
    ca, wrong = inputs.certificate(answers, source.folder, utc_now(), source.ca_file)
    unread = None
    if loaded_answers.problems or wrong:
        errors = checks.check(answers, Facts(ca=ca)).errors
        problems = _together(loaded_answers, wrong, errors, needs_certificate=False)
        is_alone = problems == [*map(loaded_answers.locate, wrong)]
        if not (may_lack_certificate and is_alone and _is_file_missing(answers, source)):
            raise AnswersError(source.name, problems)
        [unread] = wrong
    answers = _trusting(answers, source)
    request = ReleaseRequest(answers, inputs.read_secrets(answers, source.folder), ca)
    return LocatedRelease(source.name, request, loaded_answers.locate, unread)


def _is_file_missing(answers: Answers, source: Source) -> bool:
    path = answers.tls.ca_file
    return source.ca_file is None and path is not None and not (source.folder / path).exists()


def with_overrides(request: ReleaseRequest, overrides: tuple[str, ...]) -> ReleaseRequest:
    """The request with single answers changed, and the secrets read that they name. Raises AnswersError."""
    if not overrides:
        return request
    text = json.dumps(request.answers.model_dump(by_alias=True, mode="json"))
    loaded_answers = answers_file.load(text.encode(), overrides)
    if loaded_answers.answers is None or loaded_answers.problems:
        raise AnswersError("the answers of the clone", loaded_answers.problems)
    former, answers = _secret_sections(request.answers), _secret_sections(loaded_answers.answers)
    changes = {role for role in answers if answers[role] != former[role]}
    secret_values = inputs.read_secrets(loaded_answers.answers, Path()).values
    values = {key: value for key, value in request.secrets.values.items() if key[0] not in changes}
    values |= {key: value for key, value in secret_values.items() if key[0] in changes}
    return replace(request, answers=loaded_answers.answers, secrets=SecretInputs(values))


def _secret_sections(answers: Answers) -> dict[str, object]:
    """What says where secrets come from, by their role."""
    repository = answers.repository
    return {"credentials": answers.credentials, "s3": repository.credentials, "cipher": repository.cipher}


def _trusting(answers: Answers, source: Source) -> Answers:
    """The answers with ``--ca-file`` in place of the Secret: neither compared with it now nor at later upgrades."""
    if source.ca_file is None or not answers.has_tls_mirror():
        return answers
    path = str(Path(source.ca_file).absolute())  # names of files in answers are relative to the file of answers
    tls = answers.tls.model_copy(update={"source": None, "ca_file": path})
    return answers.model_copy(update={"tls": tls})


def _load(source: Source) -> tuple[LoadedAnswers, Answers]:
    """Raises AnswersError if it is not a file of answers at all."""
    loaded_answers = answers_file.load(read(source), source.overrides)
    if loaded_answers.answers is None:
        raise AnswersError(source.name, loaded_answers.problems)
    return loaded_answers, loaded_answers.answers


def _together(
    loaded_answers: LoadedAnswers, certificate: Sequence[Finding], across: Sequence[Finding], *, needs_certificate: bool
) -> list[Finding]:
    """Every problem, in the order of the file: of single answers, of the certificate file, and across answers.

    needs_certificate: whether it is a problem that no certificate was read.
    """
    missing = () if needs_certificate else ("tls.source", "tls.caFile")
    across = [item for item in across if loaded_answers.about_right_answers(item) and item.question not in missing]
    return _in_order([*loaded_answers.problems, *map(loaded_answers.locate, [*certificate, *across])])


def _in_order(problems: Iterable[Finding]) -> list[Finding]:
    return sorted(problems, key=lambda problem: problem.line or 0)
