"""A screen that fails ends the program with one sentence, and with a traceback on request only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.terminals import assert_restored, terminals

F12 = b"\x1b[24~"
FAILS_AT_A_KEY = """
import os
from pgwizard.cli.main import main
from pgwizard.tui.app import WizardApp

def fail(self, event):
    password = "hunter2"
    raise ZeroDivisionError(password)

WizardApp.on_key = fail
os.environ.update({})
main(["--demo"])
"""


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Any]:
    with terminals(tmp_path) as start:
        yield start


@pytest.mark.parametrize("asks", [False, True], ids=["as it is", "PGWIZARD_TRACEBACK"])
def test_a_failed_screen_is_one_sentence_and_a_traceback_on_request(open_terminal: Any, asks: bool) -> None:
    program = FAILS_AT_A_KEY.replace("{}", '{"PGWIZARD_TRACEBACK": "1"}' if asks else "{}")
    terminal = open_terminal(program=("-c", program))
    terminal.read_until("simulated cluster")
    terminal.press(F12)
    assert terminal.end() == 1
    assert_restored(terminal)
    assert (b"ZeroDivisionError" in terminal.output) is asks
    assert (b"hunter2" in terminal.output) is asks
    assert (b"pgwizard: a bug in pgwizard: a screen failed." in terminal.output) is not asks
