"""The terminal of the screens: what draws on it, the signals that end it, and lending it to another program."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, TextIO

from textual.app import App
from textual.driver import Driver

_NAMES = "HUP INT QUIT ABRT USR1 USR2 ALRM TERM VTALRM PROF XCPU IO PWR STKFLT"  # not each is everywhere
_ENDING = {
    *(getattr(signal, f"SIG{name}") for name in _NAMES.split() if hasattr(signal, f"SIG{name}")),
    *range(getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1) + 1),
}
"""Signals that would end the process where they are not handled, and leave the terminal to its screens.

Without those of a fault of its own, which no handler outlives, and without those that Python ignores.
"""
_FOR_THE_BORROWER = frozenset({signal.SIGINT, signal.SIGQUIT})
"""Keys of the terminal, which sends them to every program in the foreground."""


class _Output:
    """A terminal that may disappear: later output is lost.

    Without this, Textual's writer thread would die, and the application would wait for it without end.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write; does nothing once the terminal is gone."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)

    def flush(self) -> None:
        """Flush; does nothing once the terminal is gone."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def driver_class(drawing: type[Driver]) -> type[Driver]:
    """Textual's driver for terminals, with two differences.

    It draws on standard output where standard error is no terminal; Textual always draws on standard error. And a
    SIGCONT that follows no stop of Ctrl+Z takes up the terminal again, or nothing at the end: Textual would take the
    settings of its own screens for those of the terminal, and leave them behind. systemd sends one after each SIGTERM.
    """
    target = sys.__stderr__ if sys.__stderr__ is not None and sys.__stderr__.isatty() else sys.__stdout__

    class OnTerminal(drawing):  # type: ignore[misc,valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._file = _Output(target)
            self._events = asyncio.get_running_loop()
            self._is_drawing = self._is_stopped = False

        def start_application_mode(self) -> None:
            super().start_application_mode()
            self._is_drawing = True

        def stop_application_mode(self) -> None:
            self._is_drawing = False
            super().stop_application_mode()

        def _sigtstp_application(self, *_: object) -> None:
            """As ``_sigcont_application``, within the event loop: a handler may interrupt what holds a lock."""
            if self._is_drawing:
                self._events.call_soon_threadsafe(self._stop)
            else:  # another program has the terminal, and the event loop waits for it
                super()._sigtstp_application()

        def _sigcont_application(self, *_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._events.call_soon_threadsafe(self._continue)

        def _stop(self) -> None:
            self._is_stopped = self._is_drawing
            super()._sigtstp_application()

        def _continue(self) -> None:
            if self._is_drawing:
                self.suspend_application_mode()
            elif not self._is_stopped:
                return
            self._is_stopped = False
            self.resume_application_mode()

    return OnTerminal


class Signals:
    """What ends the application from outside, also while another program has the terminal."""

    def __init__(self) -> None:
        self._borrower: subprocess.Popen[bytes] | None = None

    def listen(self, end_by: Callable[[int], object]) -> None:
        """From within the event loop, in the main thread. end_by: called there with the number of a signal."""
        loop = asyncio.get_running_loop()

        def take(number: int, _: FrameType | None) -> None:
            if loop.is_closed():  # nothing is left to be ended in order
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            if self._borrower is not None:
                if number in _FOR_THE_BORROWER:
                    return
                self._borrower.terminate()
            loop.call_soon_threadsafe(end_by, number)

        for number in _ENDING:
            signal.signal(number, take)

    def lend(self, app: App[Any], command: Sequence[str]) -> None:
        """Leave the terminal to a program until it ends. Raises SuspendNotSupported and OSError.

        Ctrl+C is the program's. A signal that ends the application ends the program first. The event loop waits.
        """
        with app.suspend(), _keep_settings(sys.__stdin__), subprocess.Popen(command) as program:
            self._borrower = program
            try:
                program.wait()
            finally:
                self._borrower = None


@contextlib.contextmanager
def _keep_settings(stream: TextIO | None) -> Iterator[None]:
    """A terminal with its settings of before at the end: a program that is killed leaves its own behind."""
    settings = None
    with contextlib.suppress(OSError, ValueError, termios.error):
        settings = termios.tcgetattr(stream) if stream is not None else None
    try:
        yield
    finally:
        if stream is not None and settings is not None:
            with contextlib.suppress(OSError, ValueError, termios.error):
                termios.tcsetattr(stream, termios.TCSADRAIN, settings)
