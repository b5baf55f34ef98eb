"""Pastes as a real terminal brackets them: several lines are taken apart or refused, and none of them is a key."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.terminals import Terminal, terminals
from support.waiting import wait_until

NEXT_PAGE, TAB, SAVE = b"\x0e", b"\t", b"\x13"


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Any]:
    with terminals(tmp_path) as start:
        yield start


def paste(terminal: Terminal, text: str) -> None:
    terminal.press(b"\x1b[200~" + text.encode() + b"\x1b[201~")


def test_the_lines_of_a_paste_become_the_entries_of_a_map(open_terminal: Any, tmp_path: Path) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.press(NEXT_PAGE * 4)
    terminal.read_until("Overrides")
    terminal.press(TAB * 7)
    paste(terminal, "# from pgtune\rmax_wal_size = 4GB\rrandom_page_cost = 1.1\r")
    drafts = tmp_path / "state"

    def is_kept() -> bool:
        terminal.read()
        texts = [path.read_text() for path in drafts.rglob("*") if path.is_file()]
        return any("max_wal_size: 4GB" in text and "random_page_cost: 1.1" in text for text in texts)

    wait_until("both parameters are in the draft", is_kept, lambda: repr(terminal.output[-2000:]))
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143


def test_several_lines_in_a_dialog_are_refused_with_the_reason(open_terminal: Any) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.press(SAVE)
    terminal.read_until("Save the answers as")
    paste(terminal, "one.yaml\rtwo.yaml\r")
    terminal.read_until("it has 2 lines")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
