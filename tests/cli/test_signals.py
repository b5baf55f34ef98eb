"""The wizard on a real terminal: whatever ends or redirects it, the terminal is left as it was."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.waiting import DEADLINE_SECONDS, wait_until

MODES = {"alternate screen": 1049, "mouse": 1000, "every move of the mouse": 1003, "paste": 2004}


class Terminal:
    """A wizard on a terminal of its own, in a session of its own."""

    def __init__(self, folder: Path, *arguments: str, stderr: int | None = None) -> None:
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        self.settings = termios.tcgetattr(theirs)
        self.theirs = theirs
        home = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pgwizard", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if stderr is None else stderr,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **home},
            cwd=folder,
            start_new_session=True,
        )
        self.output = b""

    def read_until(self, text: str) -> None:
        def is_printed() -> bool:
            self.read()
            return text.encode() in self.output

        wait_until(f"{text!r} is printed", is_printed, lambda: repr(self.output[-2000:]))

    def read(self) -> None:
        if select.select([self.ours], [], [], 0.1)[0]:
            self.output += os.read(self.ours, 65536)

    def end(self) -> int:
        """Its exit code, once it has ended."""

        def has_ended() -> bool:
            self.read()
            return self.process.poll() is not None

        wait_until("the program has ended", has_ended, lambda: repr(self.output[-2000:]))
        for _ in range(3):
            self.read()
        return self.process.returncode

    def on(self) -> list[str]:
        """The modes that are switched on."""
        return [name for name, mode in MODES.items() if self.last(rf"\x1b\[\?{mode}([hl])") == b"h"]

    def last(self, pattern: str) -> bytes:
        found = re.findall(pattern.encode(), self.output)
        return bytes(found[-1]) if found else b""

    def press(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def close_terminal(self) -> None:
        os.close(self.theirs)
        os.close(self.ours)
        self.ours = self.theirs = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.ours >= 0:
            self.close_terminal()


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Any]:
    opened: list[Terminal] = []

    def start(*arguments: str, **options: Any) -> Terminal:
        opened.append(Terminal(tmp_path, *arguments, **options))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def assert_restored(terminal: Terminal) -> None:
    assert terminal.on() == []
    assert terminal.last(r"\x1b\[\?25([hl])") == b"h"
    assert termios.tcgetattr(terminal.theirs) == terminal.settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(open_terminal: Any, number: signal.Signals) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    assert "alternate screen" in terminal.on()
    terminal.process.send_signal(number)
    assert terminal.end() == 128 + number
    assert_restored(terminal)
    assert b"Traceback" not in terminal.output


def test_what_was_answered_before_a_signal_is_offered_again(open_terminal: Any, tmp_path: Path) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.press(b"\x0e")  # Ctrl+N: the next page
    terminal.read_until("Name")
    terminal.press(b"kept-by-signal")
    terminal.read_until("kept-by-signal")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
    drafts = list((tmp_path / "state").rglob("*"))
    assert any("kept-by-signal" in path.read_text() for path in drafts if path.is_file())


def test_a_terminal_that_is_closed_ends_the_wizard(open_terminal: Any) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.close_terminal()
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait(DEADLINE_SECONDS) == 129


@pytest.mark.parametrize("text", ["\x1b[?1049h", "simulated cluster"], ids=["at its start", "later"])
def test_a_terminal_that_disappears_without_a_signal_ends_the_wizard(open_terminal: Any, text: str) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until(text)
    terminal.close_terminal()
    assert terminal.process.wait(DEADLINE_SECONDS) == 129


def test_the_wizard_is_drawn_on_the_terminal_when_stderr_is_a_file(open_terminal: Any, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        terminal = open_terminal("--demo", stderr=log.fileno())
        terminal.read_until("simulated cluster")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 143
    assert_restored(terminal)
    assert (tmp_path / "log").read_text() == ""


def test_a_stopped_wizard_gives_the_terminal_back_and_draws_again_when_it_continues(open_terminal: Any) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.read_until("\x1b[?1049l")
    assert_restored(terminal)
    terminal.output = b""
    stopped = partial(os.waitid, os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOHANG)
    wait_until("the wizard has stopped", lambda: stopped() is not None)  # a SIGCONT before that is lost
    terminal.process.send_signal(signal.SIGCONT)
    terminal.read_until("simulated cluster")
    assert "alternate screen" in terminal.on()
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
    assert_restored(terminal)
