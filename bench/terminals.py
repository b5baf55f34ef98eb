"""Terminals of 120 columns for the applications that the bench measures, and what those report from inside."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

DEADLINE_SECONDS = 300
REPORTS = "BENCH_REPORTS"
"""Names the file descriptor for reports."""


class Terminal:
    """A process on a terminal of its own, which is read as the process writes. Its reports are lines of JSON."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._reports, writing = os.pipe()
        os.set_inheritable(writing, True)
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.environ.update(
                {"TERM": "xterm-256color", "TEXTUAL_DRIVER": "paints:PaintNotingDriver", REPORTS: str(writing)}
            )
            os.execv(sys.executable, [sys.executable, *arguments])
        os.close(writing)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._written, self._rest = b"", b""
        self.page = ""
        """For whoever drives it: the page that was shown last."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self._reader.join()
        os.close(self._terminal)
        os.close(self._reports)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the end of the process is the end of its terminal
            while data := os.read(self._terminal, 65536):
                self._written = (self._written + data)[-4_000:]

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def report(self, seconds: float = DEADLINE_SECONDS) -> dict[str, Any] | None:
        """The next report; None where none comes in time. Raises RuntimeError where the process has ended."""
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            if not select.select([self._reports], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            data = os.read(self._reports, 65536)
            if not data:
                raise RuntimeError(f"ended without a report: {self._written.decode(errors='replace')}")
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        output: dict[str, Any] = json.loads(line)
        return output

    def cpu_seconds(self) -> float:
        """What the main thread has used so far."""
        return int(Path(f"/proc/{self.process}/task/{self.process}/schedstat").read_text().split()[0]) / 1e9


def reporter() -> Callable[[dict[str, Any]], None]:
    """For the process inside a terminal: sends a report."""
    writing = int(os.environ.pop(REPORTS))
    os.set_inheritable(writing, False)

    def report(values: dict[str, Any]) -> None:
        os.write(writing, json.dumps(values).encode() + b"\n")

    return report
