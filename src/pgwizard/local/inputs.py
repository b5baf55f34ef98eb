"""What answers refer to outside of the cluster: variables of the shell, and files. File names are relative to a folder.

It reads them once, into values that cannot be printed. It does not report what is missing: that may not be needed.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from pgwizard.answers.questions import (
    Answers,
    EnvCipher,
    EnvCredentials,
    EnvS3Credentials,
    FileCipher,
    FileCredentials,
    FileS3Credentials,
)
from pgwizard.answers.secrets import SecretInputs, Sensitive, value_problem
from pgwizard.errors import AnswersError, Finding
from pgwizard.local import files as local_files
from pgwizard.tls import certificates
from pgwizard.tls.certificates import Bundle, check_dates, read_bundle

LIMIT_BYTES = 1024 * 1024
"""The limit of a Secret."""

_ROLES: dict[type, tuple[str, str]] = {
    EnvCredentials: ("credentials", "credentials"),
    FileCredentials: ("credentials", "credentials"),
    EnvS3Credentials: ("s3", "repository.credentials"),
    FileS3Credentials: ("s3", "repository.credentials"),
    EnvCipher: ("cipher", "repository.cipher"),
    FileCipher: ("cipher", "repository.cipher"),
}


def read_references(answers: Answers, folder: Path, at: datetime) -> tuple[SecretInputs, Bundle | None]:
    """The secrets and the certificates that the answers refer to. at: the time, in UTC. Raises AnswersError."""
    bundle, wrong = certificate(answers, folder, at)
    if wrong:
        raise AnswersError("the answers", wrong)
    return read_secrets(answers, folder), bundle


def certificate(
    answers: Answers, folder: Path, at: datetime, ca_file: str | None = None
) -> tuple[Bundle | None, list[Finding]]:
    """The certificate file, where one is given and wanted: ``ca_file``, the command line's, else the answers'."""
    if not answers.repository.enabled or not answers.tls.verify:
        return None, []
    if ca_file is not None and not answers.has_tls_mirror():
        return None, [
            Finding("tls.source", "null trusts the public authorities only, but --ca-file gives a certificate")
        ]
    if ca_file is not None:
        path, question = Path(ca_file), "--ca-file"
    elif answers.tls.ca_file is not None:
        path, question = folder / answers.tls.ca_file, "tls.caFile"
    else:
        return None, []
    try:
        return read_file(path, at), []
    except ValueError as error:
        return None, [Finding(question, str(error))]


def read_secrets(answers: Answers, folder: Path) -> SecretInputs:
    """Read the variables and files that answers name. What is missing is a Finding, since it may not be needed."""
    values: dict[tuple[str, str], Sensitive | Finding] = {}
    sections: list[Any] = [answers.credentials]
    if answers.repository.enabled:
        sections += [answers.repository.credentials, answers.repository.cipher]
    for section in sections:
        if type(section) not in _ROLES:
            continue
        role, question = _ROLES[type(section)]
        take = _from_variable if section.source == "env" else _from_file
        for name, field in type(section).model_fields.items():
            if name != "source":
                key = str(field.alias)
                values[role, key] = take(getattr(section, name), folder, f"{question}.{key}")
    return SecretInputs(values)


def _from_variable(name: str, _: Path, question: str) -> Sensitive | Finding:
    value = os.environb.get(name.encode())
    if value is None:
        return Finding(question, f"variable {name} is not set")
    if not value:
        return Finding(question, f"variable {name} is set but empty")
    return _clean(value, f"variable {name}", question)


def _from_file(name: str, folder: Path, question: str) -> Sensitive | Finding:
    try:
        value = local_files.read(folder / name, LIMIT_BYTES)
    except ValueError as error:
        return Finding(question, str(error))
    if len(value) > LIMIT_BYTES:
        return Finding(question, f"{folder / name}: larger than {LIMIT_BYTES // 1024} KiB: no secret")
    return _clean(value.removesuffix(b"\n").removesuffix(b"\r"), f"{folder / name}", question)


def _clean(value: bytes, where: str, question: str) -> Sensitive | Finding:
    problem = value_problem(value)
    return Finding(question, f"{where} {problem}") if problem else Sensitive(value)


def read_file(path: Path, now: datetime) -> Bundle:
    """The certificates of a file. Raises ValueError, which names the file."""
    data = local_files.read(path, certificates.LIMIT_BYTES)
    try:
        bundle = read_bundle(data)
        check_dates(bundle, now)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return bundle
