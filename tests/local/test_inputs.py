"""What answers refer to outside of the cluster: variables, files, and the certificate to trust."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.answers.secrets import Sensitive
from pgwizard.errors import Finding
from pgwizard.local import inputs
from support.headless import CA, answers_of

NOW = datetime.now(UTC)


def from_env() -> Answers:
    return answers_of(
        credentials={"from": "file", "username": "user", "password": "sub/password"},
        repository={"credentials": {"from": "env", "accessKey": "A_KEY", "secretKey": "S_KEY"}},
    )


def test_variables_and_files_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sub").mkdir()
    (folder / "user").write_text("app\n")
    (folder / "sub" / "password").write_bytes(b"pa ss\xc3\xbf\r\n")
    monkeypatch.setenv("A_KEY", "access")
    monkeypatch.setenv("S_KEY", "secret")
    result = inputs.read_secrets(from_env(), folder).values
    shown = {key: value.reveal() if isinstance(value, Sensitive) else value for key, value in result.items()}
    assert shown == {
        ("credentials", "username"): b"app",
        ("credentials", "password"): b"pa ss\xc3\xbf",
        ("s3", "accessKey"): b"access",
        ("s3", "secretKey"): b"secret",
    }


def test_what_is_missing_or_blank_is_a_problem_without_its_value(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "user").write_text("")
    monkeypatch.delenv("A_KEY", raising=False)
    monkeypatch.setenv("S_KEY", "canary \n")
    result = inputs.read_secrets(from_env(), folder).values
    assert {value for value in result.values() if isinstance(value, Finding)} == {
        Finding("credentials.username", f"{folder / 'user'} is empty"),
        Finding("credentials.password", f"{folder / 'sub/password'}: cannot be read: No such file or directory"),
        Finding("repository.credentials.accessKey", "variable A_KEY is not set"),
        Finding("repository.credentials.secretKey", "variable S_KEY begins or ends with a blank or a line break"),
    }


@pytest.mark.parametrize("value", [b"canary\xff", b"canary\0canary"])
def test_a_value_that_no_container_can_be_given_is_a_problem(folder: Path, value: bytes) -> None:
    (folder / "user").write_bytes(value)
    text = f"{folder / 'user'} is not text in UTF-8: no container would start with it"
    assert inputs.read_secrets(from_env(), folder).values["credentials", "username"] == Finding(
        "credentials.username", text
    )


def test_an_empty_variable_is_not_called_unset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "")
    result = inputs.read_secrets(from_env(), folder).values
    assert result["s3", "accessKey"] == Finding("repository.credentials.accessKey", "variable A_KEY is set but empty")


def test_a_disabled_repository_reads_no_secrets(folder: Path) -> None:
    answers = answers_of(
        repository={"enabled": False, "credentials": {"from": "env", "accessKey": "A", "secretKey": "B"}}
    )
    assert inputs.read_secrets(answers, folder).values == {}


def test_a_secret_is_taken_from_a_regular_file_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "user")  # reading it would wait for a writer, and nothing could end the process meanwhile
    (folder / "sub").mkdir()
    (folder / "sub" / "password").write_bytes(b"x" * (inputs.LIMIT_BYTES + 1))
    monkeypatch.setenv("A_KEY", "access")
    monkeypatch.setenv("S_KEY", "secret")
    result = inputs.read_secrets(from_env(), folder).of("credentials")
    kind = "cannot be read: it is a pipe, and only a regular file is taken"
    assert result == {
        "username": Finding("credentials.username", f"{folder / 'user'}: {kind}"),
        "password": Finding("credentials.password", f"{folder / 'sub/password'}: larger than 1024 KiB: no secret"),
    }


def test_the_certificate_comes_from_the_command_line_or_else_from_the_answers(folder: Path) -> None:
    answers = answers_of(tls={"source": None, "caFile": "ca.crt"})
    os.mkfifo(folder / "ca.crt")
    bundle, problems = inputs.certificate(answers, folder, NOW)
    assert bundle is None
    assert problems == [
        Finding("tls.caFile", f"{folder / 'ca.crt'}: cannot be read: it is a pipe, and only a regular file is taken")
    ]
    bundle, problems = inputs.certificate(answers, folder, NOW, str(CA))
    assert bundle is not None
    assert problems == []


@pytest.mark.parametrize("sections", [{"tls": {"verify": False}}, {"repository": {"enabled": False}}])
def test_a_certificate_that_is_not_wanted_is_not_read(sections: dict[str, object], folder: Path) -> None:
    answers = Answers.model_validate({"tls": {}, **sections})
    assert inputs.certificate(answers, folder, NOW, "missing.crt") == (None, [])
