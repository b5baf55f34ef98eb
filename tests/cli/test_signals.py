"""The wizard on a real terminal: whatever ends or redirects it, the terminal is left as it was."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.terminals import assert_restored, terminals
from support.waiting import DEADLINE_SECONDS, wait_until


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Any]:
    with terminals(tmp_path) as start:
        yield start


@pytest.mark.parametrize(
    "number",
    [
        *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
        *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGABRT, signal.SIGXCPU),
    ],
)
def test_a_signal_leaves_the_terminal_as_it_was(open_terminal: Any, number: signal.Signals) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    assert "alternate screen" in terminal.on()
    terminal.process.send_signal(number)
    assert terminal.end() == 128 + number
    assert_restored(terminal)
    assert b"Traceback" not in terminal.output


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGURG])
def test_a_signal_that_ends_nothing_is_ignored(open_terminal: Any, number: signal.Signals) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.process.send_signal(number)
    terminal.press(b"\x0e")  # Ctrl+N: the next page
    terminal.read_until("Name")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
    assert_restored(terminal)


@pytest.mark.parametrize("numbers", [(signal.SIGCONT, signal.SIGTERM), (signal.SIGTERM, signal.SIGCONT)])
def test_a_wizard_that_is_continued_without_a_stop_leaves_the_terminal_as_it_was(
    open_terminal: Any, numbers: tuple[signal.Signals, ...]
) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    for number in numbers:  # systemd sends the second pair
        terminal.process.send_signal(number)
    assert terminal.end() == 143
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
    texts = [path.read_text() for path in drafts if path.is_file()]
    assert any("kept-by-signal" in text for text in texts), texts


def test_a_signal_in_the_middle_of_an_apply_ends_it_in_order_and_says_what_is_written(
    open_terminal: Any, tmp_path: Path
) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.press(b"\x0e")
    terminal.read_until("Name")
    terminal.press(b"midway")
    terminal.read_until("midway")
    terminal.press(b"\x1b[20~")  # F9
    terminal.read_until("Press y to apply")
    terminal.press(b"y")
    terminal.read_until("Ctrl+C stops watching")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
    assert_restored(terminal)
    after = terminal.output.rpartition(b"\x1b[?1049l")[2].decode()
    assert "pgwizard: stopped" in after
    assert re.search(r"written \d+ of \d+ objects", after), after
    assert "Apply again at any time to resume." in " ".join(after.split()), "wherever a line ends"
    assert b"Traceback" not in terminal.output
    drafts = [path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any("name: midway" in text for text in drafts)


def test_a_terminal_that_is_closed_ends_the_wizard(open_terminal: Any) -> None:
    terminal = open_terminal("--demo")
    terminal.read_until("simulated cluster")
    terminal.close_terminal()
    assert terminal.process.wait(DEADLINE_SECONDS) == 129


@pytest.mark.parametrize("text", ["\x1b[?1049h", "simulated cluster"], ids=["at its start", "later"])
def test_a_terminal_that_disappears_without_a_signal_ends_the_wizard(open_terminal: Any, text: str) -> None:
    terminal = open_terminal("--demo", is_controlling=False)
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
