"""The headless face: data on stdout, everything else on stderr, and files where they are asked for.

It reads the file of answers, and nothing else of the world. It refuses rules: what is right or wrong is said by the
modules below.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pgwizard import answersfile, checks, inputs, manifests
from pgwizard.errors import AnswersError, OutputError, PgwizardError, PreflightError, Problem
from pgwizard.plan import Facts, Plan, resolve
from pgwizard.yamlfile import LIMIT_BYTES as ANSWERS_LIMIT_BYTES

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


def render(source: Source, *, folder: str | None, as_json: bool) -> None:
    """Print the manifests, or write them into a folder. Raises AnswersError and OutputError."""
    plan, warnings = planned(source)
    rendered = manifests.render(plan)
    if folder is None:
        _print_manifests(rendered, as_json=as_json)
    else:
        write_folder(folder, {manifest.file_name: manifest.text for manifest in rendered})
        names = [manifest.file_name for manifest in rendered]
        listed = (
            json.dumps({"folder": folder, "files": names})
            if as_json
            else "\n".join(f"{folder.rstrip('/')}/{name}" for name in names)
        )
        put(listed + "\n")
    for problem in warnings:
        _say(f"warning: {problem}", {"warning": asdict(problem)}, as_json=as_json)
    for note in _notes(plan):
        _say(f"note: {note}", {"note": note}, as_json=as_json)


def planned(source: Source) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan of a source, and the warnings. Raises AnswersError with every problem of the source."""
    loaded = answersfile.load(read(source), source.overrides)
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


def report(error: PgwizardError, *, as_json: bool) -> None:
    """Say on stderr what failed."""
    problems = error.problems if isinstance(error, (AnswersError, PreflightError)) else ()
    data = {
        "error": error.message.partition("\n")[0],
        "exitCode": error.exit_code,
        "problems": [asdict(problem) for problem in problems],
    }
    if error.hint:
        data["hint"] = error.hint
    _say(f"pgwizard: {error.message}" + (f"\n{error.hint}" if error.hint else ""), data, as_json=as_json)


# ---- reading -------------------------------------------------------------------------------------------------------


def read(source: Source) -> bytes:
    try:
        if source.path == STDIN:
            return sys.stdin.buffer.read(ANSWERS_LIMIT_BYTES + 1)
        with Path(source.path).open("rb") as file:
            return file.read(ANSWERS_LIMIT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnswersError(source.name, [Problem("", f"cannot be read: {reason}")]) from error


# ---- writing -------------------------------------------------------------------------------------------------------


def _print_manifests(rendered: list[manifests.Manifest], *, as_json: bool) -> None:
    if as_json:
        items = [manifest.object for manifest in rendered]
        put(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n")
    else:
        put("---\n".join(manifest.text for manifest in rendered))


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


def write_text(path: str, text: str) -> None:
    """Write a file whole or not at all; an existing one is never replaced. Raises OutputError."""
    target = Path(path)
    try:
        file = target.open("x", encoding="utf-8")
    except FileExistsError:
        raise OutputError(
            f"{path} exists already: nothing was written", hint="Give another name, or remove it first."
        ) from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with file:
            file.write(text)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{path} cannot be written: {error.strerror}: nothing was written") from error
        raise


def write_folder(folder: str, texts: dict[str, str]) -> None:
    """Write a folder whole or not at all: beside the target first, then by renaming.

    A folder that holds anything but earlier manifests is not touched.
    """
    target = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link and replace what it points to
    old: Path | None = None
    try:
        if target in (Path.cwd(), *Path.cwd().parents):
            raise OutputError(
                f"{target} is the current folder or holds it, and is replaced as a whole: nothing was written",
                hint="Give a folder of its own with -o.",
            )
        foreign = _foreign(target)
        if foreign:
            raise OutputError(
                f"{target} holds {foreign}, which is no manifest of pgwizard: nothing was written",
                hint="Give a folder of its own with -o.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            for name, text in texts.items():
                (fresh / name).write_text(text, encoding="utf-8")
            fresh.chmod(0o755)
            if target.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
                target.rename(old / target.name)
            fresh.rename(target)
        except BaseException:
            if old is not None and not target.exists():
                (old / target.name).rename(target)
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}: nothing was written") from error
    finally:
        if old is not None and target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _foreign(target: Path) -> str | None:
    """The first entry of the target that an earlier run did not write; its own name where it is no folder."""
    if not target.exists() and not target.is_symlink():
        return None
    if target.is_symlink() or not target.is_dir():
        return "no folder"
    ours = {f"{number:02d}-{role}.yaml" for number, role in enumerate(manifests.ORDER)}
    return next(
        (entry.name for entry in sorted(target.iterdir()) if entry.name not in ours or not entry.is_file()), None
    )


def _notes(plan: Plan) -> list[str]:
    """What an operator must know before applying the manifests with other tools: Secrets come without their values."""
    place = f"kubectl -n {plan.namespace} create secret generic"
    notes = []
    if plan.credentials_source is not None:
        notes.append(
            f"Secret {plan.names.credentials} has no values here ({plan.credentials_source}). Make it first: {place} "
            f"{plan.names.credentials} --from-literal=username=... --from-file=password=FILE"
        )
    if plan.s3_source is not None:
        notes.append(
            f"Secret {plan.names.s3} has no values here ({plan.s3_source}). Make it first: {place} {plan.names.s3} "
            "--from-file=accessKey=FILE --from-file=secretKey=FILE"
        )
    if plan.cipher_source is not None:
        notes.append(
            f"Secret {plan.names.cipher} has no values here ({plan.cipher_source}). Make it first: {place} "
            f"{plan.names.cipher} --from-file=passphrase=FILE"
        )
    return notes


def _say(text: str, data: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(data) if as_json else text, file=sys.stderr)
