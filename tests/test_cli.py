"""The command line: verbs, exit codes, and pipes that end early."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from headless import GOLDEN, run
from pgwizard import __version__, errors
from pgwizard.cli import main, render
from support.waiting import DEADLINE_SECONDS

DEFAULTS = str(GOLDEN / "defaults" / "answers.yaml")


def test_the_version_is_told() -> None:
    assert (run("--version").out, run("--version").code) == (f"pgwizard {__version__}\n", 0)


def test_init_prints_answers_that_need_only_a_certificate() -> None:
    done = run("init")
    assert done.code == 0
    assert yaml.safe_load(done.out)["release"]["name"] == "postgresql"


def test_init_writes_a_file_and_never_over_one(folder: Path) -> None:
    assert run("init", "-o", "answers.yaml").code == 0
    (folder / "answers.yaml").write_text("mine")
    done = run("init", "-o", "answers.yaml")
    assert (done.code, done.err) == (
        3,
        "pgwizard: answers.yaml exists already: nothing was written\nGive another name, or remove it first.\n",
    )
    assert (folder / "answers.yaml").read_text() == "mine"


@pytest.mark.parametrize("path", ["missing/answers.yaml", "file/answers.yaml", "."])
def test_init_says_what_keeps_it_from_writing(path: str, folder: Path) -> None:
    (folder / "file").write_text("mine")
    done = run("init", "-o", path)
    assert done.code == 3
    assert done.err.startswith(f"pgwizard: {path} ")


def test_schema_prints_a_schema() -> None:
    assert json.loads(run("schema").out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("arguments", [[], ["--nonsense"], ["--headless"], ["nonsense"], ["--json"]])
def test_a_wrong_command_line_is_answered_with_its_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: pgwizard ")


@pytest.mark.parametrize(
    ("verb", "own"),
    [
        (["status"], {"--namespace"}),
        (["releases"], {"--namespace", "--all"}),
        (["uninstall", "postgresql"], {"--namespace", "--purge-data", "--yes"}),
    ],
)
def test_a_verb_offers_what_it_takes_and_refuses_the_rest(verb: list[str], own: set[str]) -> None:
    offered = set(re.findall(r"--[a-z-]+", run(*verb, "--help").out))
    assert offered == {"--help", "--json", "--context", "--kubeconfig", "--demo", *own}
    assert run(*verb, "--dry-run").code == 2, "it would be taken for one that writes nothing"
    before = run("--dry-run", *verb)
    assert (before.code, before.err.splitlines()[-1]) == (2, f"pgwizard: error: {verb[0]} takes no --dry-run")


@pytest.mark.parametrize("error", [errors.OutputError("x"), errors.Locked("x", hint="wait"), errors.PgwizardError("x")])
def test_an_error_leaves_with_its_exit_code(error: errors.PgwizardError, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(render, "render", fails)
    done = run("--headless", DEFAULTS)
    assert done.code == error.exit_code
    assert done.err == "pgwizard: x\n" + (f"{error.hint}\n" if error.hint else "")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)])
def test_who_ends_it_sees_no_words(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(render, "render", fails)
    done = run("--headless", DEFAULTS)
    assert (done.code, done.err) == (code, "")


def test_a_defect_is_one_sentence_and_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(render, "render", fails)
    done = run("--headless", DEFAULTS)
    assert (done.code, done.err) == (
        1,
        (
            "pgwizard: a defect of pgwizard itself: ZeroDivisionError. "
            "Nothing is known to be wrong with your answers.\n"
            "Set PGWIZARD_TRACEBACK=1 to see where, and report it.\n"
        ),
    )
    monkeypatch.setenv("PGWIZARD_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("--headless", DEFAULTS)


def _process(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pgwizard", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=DEADLINE_SECONDS, **options)  # type: ignore[call-overload, no-any-return]


def test_a_reader_that_went_away_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = _process("--headless", DEFAULTS, stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (main.BROKEN_PIPE, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["init"], ["schema"], ["--headless", DEFAULTS]])
def test_a_full_disk_behind_standard_output_is_named(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = _process(*arguments, stdout=full)
    expected = b"pgwizard: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (errors.OutputError.exit_code, expected)


def test_manifests_are_utf_8_whatever_the_locale_says() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = _process(
        "--headless", str(GOLDEN / "everything-changed" / "answers.yaml"), stdout=subprocess.PIPE, env=environment
    )
    assert "übung".encode() in done.stdout
    assert done.returncode == 0
