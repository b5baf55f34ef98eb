"""A run as a whole: exit codes, defects, and output that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pgwizard import __version__, errors
from pgwizard.cli import main
from pgwizard.cli.verbs import render
from support.headless import GOLDEN, run

DEFAULTS = str(GOLDEN / "defaults" / "answers.yaml")
COMMANDS = {
    "--version": ["--version"],
    "version": ["version", "--json"],
    "--help": ["--help"],
    "help": ["apply", "--help"],
    "init": ["init"],
    "schema": ["schema"],
    "completion": ["completion", "bash"],
    "explain": ["explain", "wal"],
    "render": ["render", DEFAULTS],
    "render to a folder": ["render", DEFAULTS, "-o", "out"],
    "apply": ["apply", "-", "--demo", "--dry-run"],
    "apply as JSON": ["apply", "-", "--demo", "--dry-run", "--json"],
    "diff": ["diff", "-", "--demo"],
    "releases": ["releases", "--demo"],
    "status": ["status", "--demo"],
    "backup": ["backup", "--demo"],
    "logs": ["logs", "--demo"],
    "uninstall": ["uninstall", "postgresql", "--demo"],
}
"""Each verb, and each of its ways to write."""


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_the_version_is_printed(arguments: list[str]) -> None:
    assert (run(*arguments).out, run(*arguments).code) == (f"pgwizard {__version__}\n", 0)


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errors.OutputError("x"), errors.Locked("x", hint="wait"), errors.PgwizardError("x")])
def test_an_error_leaves_with_its_exit_code(error: errors.PgwizardError, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(render, "render", fails)
    done = run("--headless", DEFAULTS)
    assert done.code == error.exit_code
    assert done.err == "pgwizard: x\n" + (f"{error.hint}\n" if error.hint else "")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)])
def test_an_interrupt_and_a_closed_output_print_nothing(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(render, "render", fails)
    done = run("--headless", DEFAULTS)
    assert (done.code, done.err) == (code, "")


def test_a_defect_is_one_sentence_and_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(render, "render", fails)
    done = run("--headless", DEFAULTS)
    assert (done.code, done.err) == (
        1,
        (
            "pgwizard: a bug in pgwizard: ZeroDivisionError. "
            "Your answers are not the cause.\n"
            "Set PGWIZARD_TRACEBACK=1 to see where it happened, and report it.\n"
        ),
    )
    monkeypatch.setenv("PGWIZARD_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("--headless", DEFAULTS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--json", "stauts"], 2, "unknown verb stauts"),
        (["apply", "--json"], 2, "apply needs FILE: the answers; - reads standard input"),
        (["--json"], 2, "the wizard takes no --json"),
        (["render", "missing.yaml", "--json"], 2, "missing.yaml: 1 problem"),
        (
            ["status", "--kubeconfig", "missing", "--json"],
            4,
            "there is no kubeconfig: missing does not exist",
        ),
        (["explain", "zzzz", "--json"], 2, "no message contains all of: zzzz"),
    ],
)
def test_an_error_under_json_is_one_line_of_json(arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments)
    (line,) = done.err.splitlines()
    output = json.loads(line)
    assert (done.code, done.out, output["exitCode"]) == (code, "", code)
    assert (output["apiVersion"], output["type"], output["error"]) == ("pgwizard/v1", "error", message)


def test_a_defect_under_json_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "render", lambda *_: 1 / 0)
    output = json.loads(run("render", DEFAULTS, "--json").err)
    assert (output["exitCode"], output["error"].partition(".")[0]) == (
        1,
        "a bug in pgwizard: ZeroDivisionError",
    )


# ---- no terminal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--demo"], ["wizard"], ["--answers", DEFAULTS]])
def test_the_wizard_says_that_it_needs_a_terminal(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "pgwizard: the wizard needs a terminal as standard input and standard output\n"
        "Without one: pgwizard init -o answers.yaml, then pgwizard apply answers.yaml. See pgwizard --help.\n"
    )


# ---- standard streams ----------------------------------------------------------------------------------------------


def process(arguments: list[str], redirection: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A run below a shell, as people redirect it; the answers are on standard input."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "pgwizard", *arguments],
        input=None if "<" in redirection else b"release: {namespace: default}\n",
        capture_output=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )


_FORKS = """
import importlib, json, os, pkgutil, runpy, sys
import pgwizard
for module in pkgutil.walk_packages(pgwizard.__path__, "pgwizard."):
    if not module.name.startswith(("pgwizard.tui", "pgwizard.__main__")):
        importlib.import_module(module.name)
commands, output = json.loads(sys.argv[1]), sys.argv[2]
for number, arguments in enumerate(commands):
    if os.fork() == 0:
        for descriptor, file, flags in ((0, "answers", os.O_RDONLY), (2, f"{number}.err", os.O_WRONLY | os.O_CREAT)):
            os.dup2(os.open(file, flags), descriptor)
        if output:
            os.dup2(os.open(output, os.O_WRONLY), 1)
        else:
            os.close(1)
            sys.stdout = sys.__stdout__ = None  # as Python starts without it
        sys.argv = ["pgwizard", *arguments]
        runpy.run_module("pgwizard", run_name="__main__", alter_sys=True)
        raise SystemExit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
"""Runs that end as a process does, and share the start of one."""


def endings(output: str, folder: Path) -> dict[str, tuple[int, str]]:
    """Each command with its exit code and its message, where standard output is this file; closed if empty."""
    (folder / "answers").write_text("release: {namespace: default}\n")
    command = [sys.executable, "-c", _FORKS, json.dumps(list(COMMANDS.values())), output]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=600)
    codes = map(int, done.stdout.split())
    files = (folder / f"{number}.err" for number in range(len(COMMANDS)))
    messages = (_message(file.read_bytes()) for file in files)
    return dict(zip(COMMANDS, zip(codes, messages, strict=True), strict=True))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_named_by_every_verb(tmp_path: Path) -> None:
    message = "standard output cannot be written: No space left on device"
    assert endings("/dev/full", tmp_path) == dict.fromkeys(COMMANDS, (errors.OutputError.exit_code, message))


def test_a_closed_standard_output_is_named_by_every_verb(tmp_path: Path) -> None:
    message = "standard output is closed"
    assert endings("", tmp_path) == dict.fromkeys(COMMANDS, (errors.OutputError.exit_code, message))


def _message(stderr: bytes) -> str:
    """The one message on standard error, as text or as JSON."""
    (line,) = stderr.decode().splitlines()
    return str(json.loads(line)["error"]) if line.startswith("{") else line.removeprefix("pgwizard: ")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_standard_error_that_cannot_be_written_leaves_exit_code_and_data(redirection: str) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    warned = process(["render", str(GOLDEN / "backups-without-tls" / "answers.yaml")], redirection)
    assert (warned.returncode, warned.stdout.startswith(b"apiVersion: ")) == (0, True)
    assert b"warning:" not in warned.stdout
    refused = process(["stauts"], redirection)
    assert (refused.returncode, refused.stdout) == (2, b"")


def test_a_closed_standard_input_is_named() -> None:
    done = process(["render", "-"], "<&-")
    assert (done.returncode, done.stderr) == (
        2,
        b"pgwizard: standard input: 1 problem\n  cannot be read: it is closed\n",
    )


@pytest.mark.parametrize(
    "arguments", [["render", DEFAULTS], ["--version"], ["status", "--demo"], ["apply", "-", "--demo"]]
)
def test_a_closed_output_ends_the_run_quietly(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pgwizard", *arguments]
    try:
        done = subprocess.run(command, input=b"{}", stdout=write, stderr=subprocess.PIPE, check=False, timeout=300)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (main.BROKEN_PIPE, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_is_utf_8_in_every_locale(encoding: str) -> None:
    done = process(["render", str(GOLDEN / "everything-changed" / "answers.yaml")], PYTHONIOENCODING=encoding)
    assert (done.returncode, "übung".encode() in done.stdout) == (0, True)
    status = process(["status", "--demo"], PYTHONIOENCODING=encoding)
    assert status.stdout.decode().splitlines()[1].startswith("● RECOVERABLE   from ")
    applied = process(["apply", "-", "--demo", "--dry-run"], PYTHONIOENCODING=encoding)
    assert (applied.returncode, applied.stdout.decode()[:8]) == (0, "✓ survey")
    wrong = process(["render", "ü.yaml"], PYTHONIOENCODING=encoding)
    assert (wrong.returncode, wrong.stderr.decode().splitlines()[0]) == (2, "pgwizard: ü.yaml: 1 problem")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_with_another_encoding_gets_utf_8(encoding: str) -> None:
    master, slave = os.openpty()
    with os.fdopen(master, "rb", buffering=0) as terminal:
        child = subprocess.Popen(
            [sys.executable, "-m", "pgwizard", "apply", "-", "--demo", "--dry-run"],
            stdin=subprocess.PIPE,
            stdout=slave,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": encoding, "TERM": "xterm"},
        )
        os.close(slave)
        assert child.stdin is not None
        child.stdin.write(b"release: {namespace: default}\n")
        child.stdin.close()
        shown = b""
        while True:
            try:
                part = terminal.read(65536)
            except OSError:  # Linux: the other end is closed
                break
            if not part:
                break
            shown += part
        assert (child.wait(timeout=300), child.stderr and child.stderr.read()) == (0, b"")
        assert child.stderr is not None
        child.stderr.close()
    assert "✓ survey" in shown.decode()


def test_an_interrupt_while_it_starts_ends_with_130_and_prints_nothing() -> None:
    script = (
        "import os, signal, sys\n"
        "from pgwizard.cli import main, parse\n"
        "parse.parse = lambda _: os.kill(os.getpid(), signal.SIGINT)\n"
        "main.main(['render', 'f'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
