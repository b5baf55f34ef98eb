"""Another program has the terminal, as psql of a preview has."""

from __future__ import annotations

import signal
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.terminals import Terminal, assert_restored, terminals

APP = """
import sys
from textual.app import App
from textual.widgets import Static
from pgwizard.tui.terminal import Signals, driver_class

class Lender(App):
    def get_driver_class(self):
        return driver_class(super().get_driver_class())

    def compose(self):
        yield Static("press p")

    def on_mount(self):
        self.signals, self.times = Signals(), 0
        self.signals.listen(lambda number: self.exit(128 + number))

    def key_p(self):
        self.signals.lend(self, sys.argv[1:])
        self.times += 1
        self.query_one(Static).update(f"lent {self.times} times")

    def key_q(self):
        self.exit(7)

sys.exit(Lender().run())
"""
BORROWER = """
stty -icanon -echo
trap "echo interrupted" INT QUIT
trap "echo terminated; exit 1" TERM
echo open
while :; do
  read -r word
  case "$word" in end) exit 0 ;; die) kill -9 $$ ;; esac
done
"""


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Any]:
    with terminals(tmp_path) as start:
        yield start


def lent(open_terminal: Any) -> Terminal:
    """A terminal that the borrower has."""
    terminal: Terminal = open_terminal("bash", "-c", BORROWER, program=("-c", APP))
    terminal.read_until("press p")
    terminal.press(b"p")
    terminal.read_until("open")
    return terminal


def take_back(terminal: Terminal, word: bytes) -> None:
    terminal.press(word + b"\n")
    terminal.read_until("lent 1 times")


@pytest.mark.parametrize("key", [b"\x03", b"\x1c"], ids=["Ctrl+C", "Ctrl+Backslash"])
def test_the_keys_that_interrupt_a_program_reach_it_alone(open_terminal: Any, key: bytes) -> None:
    terminal = lent(open_terminal)
    terminal.press(key)
    terminal.read_until("interrupted")
    take_back(terminal, b"end")
    assert terminal.process.poll() is None, "the application still runs"


def test_a_program_that_is_killed_leaves_no_settings_behind(open_terminal: Any) -> None:
    terminal = lent(open_terminal)
    assert termios.tcgetattr(terminal.theirs) != terminal.settings
    take_back(terminal, b"die")
    terminal.press(b"q")
    assert terminal.end() == 7
    assert_restored(terminal)


def test_a_signal_ends_the_program_and_then_the_application(open_terminal: Any) -> None:
    terminal = lent(open_terminal)
    terminal.process.send_signal(signal.SIGTERM)
    terminal.read_until("terminated")
    assert terminal.end() == 128 + signal.SIGTERM
    assert_restored(terminal)
    assert b"Traceback" not in terminal.output
