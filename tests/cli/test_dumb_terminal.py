"""A terminal that cannot move its cursor gets lines, never the sequences of a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.terminals import terminals

RUN = """
import os, sys
os.environ["TERM"] = "dumb"
from pgwizard.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Any]:
    with terminals(tmp_path) as start:
        yield start


def test_the_wizard_is_refused_with_what_to_do(open_terminal: Any) -> None:
    terminal = open_terminal("--demo", program=("-c", RUN))
    assert terminal.end() == 2
    assert b"pgwizard: the wizard cannot draw on a terminal of the type dumb (TERM)" in terminal.output
    assert b"\x1b[" not in terminal.output


def test_a_status_is_printed_once(open_terminal: Any) -> None:
    terminal = open_terminal("status", "--demo", program=("-c", RUN))
    assert terminal.end() == 0
    assert "● RECOVERABLE".encode() in terminal.output
    assert b"\x1b[?1049h" not in terminal.output
