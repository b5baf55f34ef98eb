"""The page of a restore on a real terminal, which psql of a preview borrows: whatever ends it, all is as it was."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.terminals import Terminal, assert_restored, terminals
from support.waiting import DEADLINE_SECONDS, wait_until

PSQL = r"""#!/bin/bash
stty -icanon -echo
trap "echo interrupted" INT QUIT
trap 'printf "\e[?1049l\e[?2004l"; echo terminated; exit 1' TERM HUP
printf "\e[?1049h\e[?2004h"
echo "psql is open"
while read -r word; do
  case "$word" in end) break ;; die) kill -9 $$ ;; esac
done
printf "\e[?1049l\e[?2004l"
"""
"""A kubectl that behaves on the terminal as one with psql in it, whose pager has the other screen."""
OPENING = "Ctrl+C ends the preview."
SHOWN = "The preview shows"


@pytest.fixture
def open_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens the page, with its target chosen and to be confirmed."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(PSQL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with terminals(tmp_path) as start:

        def page(**options: Any) -> Terminal:
            terminal: Terminal = start("status", "--demo", "-n", "default", **options)
            terminal.read_until("RECOVERABLE")
            terminal.press(b"R")
            terminal.read_until("Press Enter to go on. Nothing is written")
            terminal.press(b"\r")
            terminal.read_until("Type the release")
            return terminal

        yield page


def previewing(terminal: Terminal) -> Terminal:
    """F8 was pressed, and the preview is not open yet."""
    terminal.press(b"\x1b[19~")
    terminal.read_until(OPENING)
    return terminal


def borrowed(terminal: Terminal) -> Terminal:
    """The preview is open, and psql has the terminal."""
    previewing(terminal).read_until(SHOWN)
    terminal.press(b"p")
    terminal.read_until("psql is open")
    assert termios.tcgetattr(terminal.theirs) != terminal.settings
    return terminal


def after_the_screens(terminal: Terminal) -> str:
    """What a person reads below the prompt once the screens are gone, in one line."""
    return " ".join(terminal.output.rpartition(b"\x1b[?1049l")[2].decode().split())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_preview_that_is_being_opened_and_says_so(open_page: Any, number: signal.Signals) -> None:
    terminal = previewing(open_page())
    terminal.process.send_signal(number)
    assert terminal.end() == 128 + number
    assert_restored(terminal)
    assert "Stopped. No preview is open. The database was not touched." in after_the_screens(terminal)
    assert b"Traceback" not in terminal.output


def test_ctrl_c_ends_the_preview_that_is_being_opened_and_stays(open_page: Any) -> None:
    terminal = previewing(open_page())
    terminal.press(b"\x03")
    terminal.read_until("No preview is open. The database was not touched.")
    terminal.press(b"\x11")
    assert terminal.end() == 0
    assert_restored(terminal)


@pytest.mark.parametrize("word", [b"end", b"die"])
def test_psql_gives_the_page_back_however_it_ends(open_page: Any, word: bytes) -> None:
    terminal = borrowed(open_page())
    terminal.press(b"\x03")
    terminal.read_until("interrupted")
    terminal.output = b""
    terminal.press(word + b"\n")
    terminal.read_until(SHOWN)
    assert "alternate screen" in terminal.on()
    terminal.press(b"\x11")
    assert terminal.end() == 0
    assert_restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_psql_is_open_ends_both(open_page: Any, number: signal.Signals) -> None:
    terminal = borrowed(open_page())
    terminal.process.send_signal(number)
    terminal.read_until("terminated")
    assert terminal.end() == 128 + number
    assert_restored(terminal)
    assert b"Traceback" not in terminal.output


def test_a_stopped_page_gives_the_terminal_back_and_its_preview_is_opened_meanwhile(open_page: Any) -> None:
    terminal = previewing(open_page())
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.read_until("\x1b[?1049l")
    assert_restored(terminal)
    terminal.output = b""
    stopped = partial(os.waitid, os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOHANG)
    wait_until("the page has stopped", lambda: stopped() is not None)
    terminal.process.send_signal(signal.SIGCONT)
    terminal.read_until(SHOWN)
    terminal.press(b"\x11")
    assert terminal.end() == 0
    assert_restored(terminal)


@pytest.mark.parametrize("is_controlling", [True, False], ids=["with a signal", "without a signal"])
def test_a_terminal_that_is_closed_while_a_preview_is_opened_ends_the_page(
    open_page: Any, is_controlling: bool, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        terminal = previewing(open_page(stderr=log.fileno(), is_controlling=is_controlling))
        terminal.close_terminal()
        assert terminal.process.wait(DEADLINE_SECONDS) == 129
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_page_is_drawn_on_the_terminal_and_psql_opens_there_when_stderr_is_a_file(
    open_page: Any, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        terminal = borrowed(open_page(stderr=log.fileno()))
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 143
    assert_restored(terminal)
    assert (tmp_path / "log").read_text() == ""
