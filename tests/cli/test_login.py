"""What a log-in asks for is on standard error at once, whether people or programs read it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.logins import CODE, kubeconfig, pid_of_plugin, wait_for_the_end


@contextmanager
def started(folder: Path, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    with subprocess.Popen(
        [sys.executable, "-m", "pgwizard", "releases", "--kubeconfig", str(kubeconfig(folder, script)), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_device_code_is_shown_while_the_plugin_waits(tmp_path: Path, *, as_json: bool) -> None:
    script = f"{CODE}; until [ -e typed ]; do sleep 0.05; done; echo 'not entered' >&2; exit 1"
    with started(tmp_path, script, *["--json"][:as_json]) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        lines = [process.stderr.readline(), process.stderr.readline()]
        (tmp_path / "typed").touch()
        *_, last = process.stderr.read().splitlines()
        assert process.wait() == 4
        assert process.stdout.read() == ""
    texts = [json.loads(line) for line in lines] if as_json else lines
    assert texts == (
        [
            {"apiVersion": "pgwizard/v1", "type": "note", "text": "open https://log.in"},
            {"apiVersion": "pgwizard/v1", "type": "note", "text": "and enter  [31mAB-12"},
        ]
        if as_json
        else ["open https://log.in\n", "and enter  [31mAB-12\n"]
    )
    assert "not entered" in last if as_json else "Log in again" in last


def test_sigterm_ends_a_plugin_that_waits(tmp_path: Path) -> None:
    with started(tmp_path, f"{CODE}; sleep 300") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    wait_for_the_end(pid_of_plugin(tmp_path))
