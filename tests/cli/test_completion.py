"""Completion as shells do it: each script is sourced by its own shell and offers what the table has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pgwizard.cli.completion import SCRIPTS
from pgwizard.cli.table import HELP, OPTIONS, VERBS
from support.headless import run

DRIVER = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_pgwizard
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str) -> Path:
    path = Path(f"completion.{shell}")
    path.write_text(run("completion", shell).out)
    return path


def completed(*typed: str) -> set[str]:
    """What bash offers for the last word."""
    command = ["bash", "--norc", "-c", DRIVER, "bash", str(script("bash")), "pgwizard", *typed]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


def flags_of(name: str) -> set[str]:
    return {flag for option in (*VERBS[name].options, HELP) for flag in option.flags}


def test_bash_offers_the_verbs() -> None:
    assert completed("") == set(VERBS)
    assert completed("re") == {"render", "releases", "restore"}
    assert completed("--context", "prod", "--json", "st") == {"status"}
    assert completed("help", "ap") == {"apply"}


@pytest.mark.parametrize("name", VERBS)
def test_bash_offers_the_options_of_the_verb(name: str) -> None:
    assert completed(name, "-") == flags_of(name)


def test_bash_finds_the_verb_behind_the_values_of_options() -> None:
    assert completed("-n", "apply", "status", "--n") == {"--namespace"}
    assert completed("--set", "=", "diff", "apply", "--ex") == set(), "bash takes --set=diff apart"
    assert completed("--", "--") == {flag for option in OPTIONS.values() for flag in option.flags if flag[:2] == "--"}


def test_bash_offers_what_an_option_or_an_argument_takes(folder: Path) -> None:
    (folder / "answers one.yaml").touch()
    (folder / "manifests").mkdir()
    assert completed("apply", "ans") == completed("apply", "--ca-file", "ans") == {"answers one.yaml"}
    assert completed("apply", "--ca-file", "=", "ans") == {"answers one.yaml"}
    assert completed("render", "-o", "man") == {"manifests"}
    assert completed("backup", "--type", "") == {"incr", "full"}
    assert completed("completion", "") == set(SCRIPTS)
    assert completed("status", "-n", "") == completed("status", "") == set()


def test_the_bash_script_is_clean() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    subprocess.run([shellcheck, "--shell=bash", script("bash")], check=True, timeout=300)


def _needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here: its script is not tried")


def test_fish_offers_verbs_options_and_values() -> None:
    _needs("fish")
    path = script("fish")

    def offered(line: str) -> set[str]:
        command = ["fish", "--no-config", "-c", f"source {path}; complete -C{json.dumps(line)}"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
            env={**os.environ, "HOME": str(Path.cwd())},
        )
        assert done.stderr == ""
        return {row.partition("\t")[0] for row in done.stdout.splitlines()}

    assert offered("pgwizard ") == set(VERBS)
    assert {"--namespace", "--follow"} <= offered("pgwizard logs --")
    assert "--set" not in offered("pgwizard logs --")
    assert offered("pgwizard backup --type ") == {"incr", "full"}
    Path("answers.yaml").touch()
    assert "answers.yaml" in offered("pgwizard apply ans")


ZSH = """
_arguments() { state=verb; print -rl -- "$@" }
_describe() { print -rl -- ${(P)2} }
words=("$@") CURRENT=$#
source ./completion.zsh
"""
"""In place of zsh's own functions: print what they are called with."""


def test_zsh_offers_verbs_and_options() -> None:
    _needs("zsh")
    script("zsh")

    def offered(*typed: str) -> list[str]:
        command = ["zsh", "-f", "-c", ZSH, "zsh", "pgwizard", *typed]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert {f"{verb.name}:{verb.summary}" for verb in VERBS.values()} <= set(offered(""))
    options = offered("-n", "apply", "logs", "--")
    assert {line.partition("[")[0] for line in options if line.startswith("-")} == flags_of("logs")
    assert options[-2:] == ["2:NAME:", "1:verb:(logs)"]
    assert "--type[incremental or full; incr by default]:incr or full:(incr full)" in offered("backup", "")
    assert "2:FILE:_files" in offered("apply", "")
