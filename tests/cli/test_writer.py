"""What a person at a terminal sees of a wait."""

from __future__ import annotations

import io
import sys

import pytest

from pgwizard.cli.json_lines import NoteLine
from pgwizard.cli.writer import Writer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def taken(self) -> str:
        """What was written since the last time."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def terminal_of(monkeypatch: pytest.MonkeyPatch, columns: int = 40) -> Terminal:
    """What standard error is from now on."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    return stream


def test_a_wait_is_shown_at_once_and_taken_away_before_the_first_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = terminal_of(monkeypatch)
    writer = Writer(as_json=False)
    with writer.waiting("Reading release shop/postgresql ..."):
        assert terminal.taken() == "Reading release shop/postgresql ..."
        writer.line("Target   the newest state", NoteLine(""))
        assert terminal.taken() == "\r" + " " * 35 + "\r"
    writer.note("done", NoteLine(""))
    assert terminal.taken() == "done\n"
    assert capsys.readouterr().out == "Target   the newest state\n"


def test_a_wait_that_ends_without_a_line_is_taken_away_also_where_the_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch, columns=8)
    with Writer(as_json=False).waiting("Reading ..."):
        assert terminal.taken() == "Reading"
    assert terminal.taken() == "\r       \r"


def test_a_wait_is_no_part_of_lines_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    writer = Writer(as_json=True)
    with writer.waiting("Reading ..."):
        writer.note("done", NoteLine("done"))
    assert terminal.taken().startswith("{")


def test_a_wait_is_not_written_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    writer = Writer(as_json=False)
    with writer.waiting("Reading ..."):
        assert writer.columns is None
    assert capsys.readouterr() == ("", "")
