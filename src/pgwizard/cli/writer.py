"""The one writer: data to standard output, everything else to standard error, as text or as JSON lines.

Both are UTF-8 whatever the locale says. Standard output that cannot be written is an OutputError; a reader that went
away stays a BrokenPipeError. Standard error that cannot be written ends nothing: the exit code remains.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from pgwizard.cli.json_lines import JsonLine, error_line, explain_command, line_of
from pgwizard.errors import OutputError, PgwizardError


def use_utf8() -> None:
    """Make standard output and standard error UTF-8, whatever the locale is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


class Writer:
    """Lines as they come. On a terminal the current stage has a spinner behind it.

    console: a terminal to draw on in place of standard output.
    """

    def __init__(self, *, as_json: bool, console: Any = None) -> None:
        self._json = as_json
        self._console = console
        self._spinner: Any = None
        self._wait = ""

    @property
    def is_json(self) -> bool:
        """Whether it writes lines of JSON."""
        return self._json

    @property
    def columns(self) -> int | None:
        """How wide the terminal is that lines go to; None where they go elsewhere."""
        return None if self._json or not self._is_animated else int(self._console.width)

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show a person at a terminal what is waited for, until something else is written or the wait ends."""
        if not self._json and sys.stderr is not None and sys.stderr.isatty():
            with contextlib.suppress(OSError):
                self._wait = text[: shutil.get_terminal_size().columns - 1]
                sys.stderr.write(self._wait)
                sys.stderr.flush()
        try:
            yield
        finally:
            self._end_wait()

    def _end_wait(self) -> None:
        """Take what is waited for off the screen."""
        if self._wait and sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"\r{' ' * len(self._wait)}\r")
                sys.stderr.flush()
        self._wait = ""

    # ---- standard output -------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        """Write a text unchanged. Raises OutputError and BrokenPipeError."""
        self._end_wait()
        with _guard_output():
            sys.stdout.write(text)
            sys.stdout.flush()

    def line(self, text: str | None, record: JsonLine) -> None:
        """A line of text, or its line of JSON. text None: no line in text mode."""
        if self._json:
            self.put(line_of(record))
        elif text is not None and self._console is not None:
            self._end_wait()
            from rich.text import Text

            with _guard_output():
                self._console.print(Text(text))
        elif text is not None:
            self.put(f"{text}\n")

    def event(self, line: str, text: str, kind: str, record: JsonLine) -> None:
        """What a run does, as it happens. text: the line without its mark, whose place the spinner takes.

        kind: of the event, which says whether a line stays.
        """
        if self._json:
            self.put(line_of(record))
        elif not self._is_animated:
            if kind != "began":
                self.put(f"{line}\n")
        else:
            self._end_wait()
            with _guard_output():
                self._draw(line, text, kind)

    # ---- standard error --------------------------------------------------------------------------------------------

    def note(self, text: str, record: JsonLine) -> None:
        """One line beside the data, or its JSON."""
        self._end_wait()
        if sys.stderr is None:
            return
        try:
            sys.stderr.write(line_of(record) if self._json else f"{text}\n")
            sys.stderr.flush()
        except OSError:
            sys.stderr = None  # or the interpreter would fail on it at exit

    def error(self, error: PgwizardError) -> None:
        from pgwizard.release.report import error_lines  # imported late: only an error needs it

        self.close()
        lines = error_lines(error)
        if error.fault and error.fault.key:
            lines.append(f"More: {explain_command(error.fault.key)}")
        self.note("pgwizard: " + "\n".join(lines), error_line(error))

    # ---- a terminal ------------------------------------------------------------------------------------------------

    @property
    def _is_animated(self) -> bool:
        if self._console is None and sys.stdout is not None and sys.stdout.isatty():
            from rich.console import Console

            self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        return self._console is not None

    def _draw(self, line: str, text: str, kind: str) -> None:
        from rich.text import Text

        if kind in ("began", "progress"):
            if self._spinner is None:
                self._spinner = self._console.status(Text(text))
                self._spinner.start()
            else:
                self._spinner.update(Text(text))
            return
        if kind in ("done", "failed"):
            self.close()
        rich_text = Text(line)
        if kind == "log":  # pgBackRest's lines are long, and begin with what matters
            rich_text.truncate(self._console.width, overflow="ellipsis")
        self._console.print(rich_text)

    def close(self) -> None:
        """Take the spinner off the screen."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None


@contextlib.contextmanager
def _guard_output() -> Iterator[None]:
    """A standard output that fails is closed, or the interpreter would fail on it again at exit."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        yield
    except BrokenPipeError:
        sys.stdout = None
        raise
    except OSError as error:
        sys.stdout = None
        raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error
